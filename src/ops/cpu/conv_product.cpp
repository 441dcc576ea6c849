// Convolution as a matrix product that is never written out: panels of columns (one per number of the result) are packed straight
// from the source's frames, a few rows (one per channel and tap) at a time, and multiplied with packed weights.
//
// To the result from the input there is one part. To the input from the result there is one for each phase of the stride: the
// numbers of x that the same taps reach, where the map is a convolution of stride 1. Results of a few rows are not worth packing:
// for these, columns run over whole rows of the frame, and what lies between the rows is dropped.
#include "src/ops/cpu/conv.h"
#include "src/ops/cpu/conv_tile.h"

namespace tapegrad { inline namespace TG_NS { namespace {

constexpr long kDepth = 150;  // rows of a panel at a time, at most: they stay in the first cache

// Where the source's numbers lie: in frames, or as they are.
struct Source {
  Frame frame;
  long low[3];  // of the frame, for the band's first lines
  bool direct;
  explicit Source(const ConvShape& s) {
    const Window& w = s.window;
    const long lines = s.line_end - s.line_begin;
    if (!s.back) {
      frame = Frame::strided(w);
    } else {
      for (int d = 0; d < 3; d++) {  // what the taps of all phases need
        long margin = 0, end = 0;
        for (long a = 0; a < least(w.in[d], w.stride[d]); a++)
          for (long t = 0; t < w.kernel[d]; t++) {
            const long from = a + w.pad[d] - t * w.dilation[d];
            if (from % w.stride[d]) continue;
            margin = most(margin, -from / w.stride[d]);
            end = most(end, from / w.stride[d] + (w.in[d] - a - 1) / w.stride[d] + 1);
          }
        frame.size[d] = frame.in[d] = w.out[d], frame.low[d] = margin, frame.step[d] = frame.phases[d] = 1, frame.part[d] = margin + end;
      }
    }
    direct = true;
    for (int d = 0; d < 3; d++) low[d] = frame.low[d];
    for (int d = 0; d < 3; d++) direct &= frame.low[d] == 0 && frame.phases[d] == 1 && frame.take[d] == 1 && frame.part[d] <= frame.in[d];
    if (direct) for (int d = 0; d < 3; d++) frame.part[d] = frame.in[d];
    else if (s.back) frame.low[1] -= s.line_begin / w.stride[1], frame.part[1] -= (w.in[1] - lines) / w.stride[1];
    else frame.low[1] -= s.line_begin * frame.phases[1], frame.part[1] -= w.out[1] - lines;
  }
};

// The numbers of the result that the same taps reach.
struct Part {
  long taps = 0, lines[2], width;
  long source_pitch[2];  // of lines; columns lie side by side
  long result_at, result_pitch[2], result_step;
  bool joined = false;  // lines that lie together on both sides are one
  long source_line(long l) const { return l / lines[1] * source_pitch[0] + l % lines[1] * source_pitch[1]; }
  long result_line(long l) const { return result_at + l / lines[1] * result_pitch[0] + l % lines[1] * result_pitch[1]; }
  long count() const { return lines[0] * lines[1] * width; }  // of columns of an image
  bool whole_rows() const { return result_step == 1 && result_pitch[1] == width && (lines[0] == 1 || result_pitch[0] == lines[1] * width); }
};
long parts(const ConvShape& s) { return s.back ? volume(s.window.stride) : 1; }

// tap: where each tap of the part lies in the source; which: its place in the window. Both for all taps of the window.
Part part_of(const ConvShape& s, const Source& source, long number, long* tap, long* which) {
  const Window& w = s.window;
  const Frame& f = source.frame;
  const long all = volume(w.kernel);
  Part p;
  p.source_pitch[0] = f.line(1, 0), p.source_pitch[1] = f.line(0, 1);
  if (!s.back) {
    for (long t = 0; t < all; t++) tap[t] = f.tap(w, t), which[t] = t;
    p.taps = all, p.lines[0] = w.out[0], p.lines[1] = s.line_end - s.line_begin, p.width = w.out[2];
    p.result_at = s.line_begin * w.out[2], p.result_pitch[0] = w.out[1] * w.out[2], p.result_pitch[1] = w.out[2], p.result_step = 1;
  } else {
    const long phase[3] = {number / w.stride[2] / w.stride[1], number / w.stride[2] % w.stride[1], number % w.stride[2]};
    long count[3];
    for (int d = 0; d < 3; d++) {
      const long in = d == 1 ? s.line_end - s.line_begin : w.in[d];
      count[d] = in > phase[d] ? (in - phase[d] - 1) / w.stride[d] + 1 : 0;
    }
    for (long t = 0; t < all; t++) {
      const long at[3] = {t / w.kernel[2] / w.kernel[1], t / w.kernel[2] % w.kernel[1], t % w.kernel[2]};
      long from[3];
      bool reaches = true;
      for (int d = 0; d < 3; d++) {
        from[d] = phase[d] + w.pad[d] - at[d] * w.dilation[d];
        reaches &= from[d] % w.stride[d] == 0;
        from[d] = from[d] / w.stride[d] + source.low[d];
      }
      if (reaches) tap[p.taps] = f.line(from[0], from[1]) + from[2], which[p.taps++] = t;
    }
    p.lines[0] = count[0], p.lines[1] = count[1], p.width = count[2];
    p.result_at = (phase[0] * w.in[1] + s.line_begin + phase[1]) * w.in[2] + phase[2];
    p.result_pitch[0] = w.stride[0] * w.in[1] * w.in[2], p.result_pitch[1] = w.stride[1] * w.in[2], p.result_step = w.stride[2];
  }
  p.joined = p.source_pitch[1] == p.width && p.result_step == 1 && p.result_pitch[1] == p.width && p.lines[0] == 1;
  if (p.joined) p.width *= p.lines[1], p.lines[1] = 1, p.source_pitch[1] = p.result_pitch[1] = p.width;
  return p;
}

// Few rows or little between the rows of the frame: columns over whole rows of it. The same for all bands.
bool is_flat(const ConvShape& s, const Source& source, const Part& p) {
  const bool one_line = p.joined || (s.back ? s.window.in : s.window.out)[1] == 1;
  if (source.direct || p.lines[0] != 1 || (one_line && s.rows > 32)) return false;
  return (p.source_pitch[1] - p.width) * s.rows <= 2 * p.width;
}
long tile_rows(const ConvShape& s, bool flat) {
  if (!flat || s.rows > 4) return kRows;
  return s.rows == 2 ? 3 : s.rows;
}
long weight_numbers(const ConvShape& s) { return up(s.rows, kRows) * s.channels * volume(s.window.kernel); }

// Weights in tiles of rows: [tile][channel][tap][row], for tiles of all parts one after another.
template <class T> void pack(const ConvShape& s, const T* w, long row_begin, long row_end, T* to, long* memory) {
  const long all = volume(s.window.kernel), row = s.back ? all : s.channels * all, channel = s.back ? s.rows * all : all;
  const Source source(s);
  long *tap = memory, *which = memory + all;
  for (long n = 0; n < parts(s); n++) {
    const Part p = part_of(s, source, n, tap, which);
    const long m = tile_rows(s, is_flat(s, source, p));
    T* d = to + row_begin * s.channels * p.taps;
    for (long r = row_begin; r < row_end; r += m) {
      const long here = least(m, s.rows - r);
      for (long c = 0; c < s.channels; c++)
        for (long t = 0; t < p.taps; t++, d += m) {
          const T* from = w + r * row + c * channel + which[t];
          for (long i = 0; i < here; i++) d[i] = from[i * row];
          for (long i = here; i < m; i++) d[i] = 0;
        }
    }
    to += up(s.rows, m) * s.channels * p.taps;
  }
}

// c[m][v] = [c +] start + sum over k of a[k][m] b[k][v], where row k of b is a channel at a tap in frames.
template <class T, int M, int N> void flat_tile(long channels, long channel, long taps, const long* tap, const T* a, const T* b,
                                                const T* start, T* c, bool add) {
  using V = Wide<T>;
  constexpr long L = kLanes<T>;
  V sum[M][N] = {};
  for (; channels; channels--, b += channel)
    for (long t = 0; t < taps; t++, a += M) {
      const T* from = b + tap[t];
      V x[N];
      TG_EACH(v, N) x[v] = get<V>(from + v * L);
      TG_EACH(m, M) {
        const V s = splat(a[m]);
        TG_EACH(v, N) sum[m][v] += s * x[v];
      }
    }
  TG_EACH(m, M) {
    TG_EACH(v, N) {
      T* to = c + (m * N + v) * L;
      put<V>(to, add ? sum[m][v] + get<V>(to) : start ? sum[m][v] + splat(start[m]) : sum[m][v]);
    }
  }
}

template <class T> void write_run(const T* from, T* to, long n, long step) {
  if (step == 1) return copy_row(to, from, n);
  if (step == 2) for (long i = 0; i < n; i++) to[2 * i] = from[i];
  else for (long i = 0; i < n; i++) to[i * step] = from[i];
}

// Everything that a range of columns of one part needs.
template <class T> struct Task {
  const ConvShape& s;
  const Part& p;
  const long* tap;
  const T* weights;
  const T *source, *source_end;  // of the group's first image; nothing is read at or behind the end
  long source_channel, source_image;
  T* result;
  long result_image, result_channel;
  const T* bias;
  long row_begin, row_end;
  T* work;

  // The biases of a tile of rows, zeros behind the last.
  const T* starts(long row, long rows, T* memory) const {
    if (!bias) return nullptr;
    for (long i = 0; i < rows; i++) memory[i] = row + i < s.rows ? bias[row + i] : T(0);
    return memory;
  }

  // ---- packed
  struct Run { long at, length, source; };
  long find_runs(long begin, long columns, Run* runs) const {
    long n = 0;
    for (long q = 0; q < columns;) {
      const long image = (begin + q) / p.count(), inside = (begin + q) % p.count(), j = inside % p.width;
      const long from = image * source_image + p.source_line(inside / p.width) + j, length = least(columns - q, p.width - j);
      if (n && runs[n - 1].source + runs[n - 1].length == from) runs[n - 1].length += length;
      else runs[n++] = {q, length, from};
      q += length;
    }
    return n;
  }
  void pack_panel(long c0, long c1, const Run* runs, long n, T* to) const {
    using V = Moved<T>;
    constexpr long N = kColumns<T>, L = sizeof(V) / sizeof(T);
    const long reach = runs[n - 1].source + N + L, taps = p.taps;
    struct { long at, from; } moves[N + N / L];  // of whole packets: what is too much of one run is overwritten by the next
    long count = 0;
    for (long r = 0; r < n; r++)
      for (long i = 0; i < runs[r].length; i += L) moves[count++] = {runs[r].at + i, runs[r].source + i};
    const T *plane = source + c0 * source_channel, *const end = source_end;
    for (long c = c0; c < c1; c++, plane += source_channel)
      for (long t = 0; t < taps; t++, to += N) {
        const T* from = plane + tap[t];
        if (from + reach <= end) {
          for (long m = 0; m < count; m++) put<V>(to + moves[m].at, get<V>(from + moves[m].from));
        } else {
          for (long r = 0; r < n; r++) for (long i = 0; i < runs[r].length; i++) to[runs[r].at + i] = from[runs[r].source + i];
        }
      }
  }
  void write(long begin, long columns, const T* from, long from_row) const {
    for (long q = 0; q < columns;) {
      const long image = (begin + q) / p.count(), inside = (begin + q) % p.count(), j = inside % p.width;
      const long length = least(columns - q, p.whole_rows() ? p.count() - inside : p.width - j);
      T* to = result + image * result_image + p.result_line(inside / p.width) + j * p.result_step;
      for (long m = row_begin; m < row_end; m++) write_run(from + (m - row_begin) * from_row + q, to + m * result_channel, length, p.result_step);
      q += length;
    }
  }
  void packed(long begin, long end) const {
    constexpr long N = kColumns<T>, L = kLanes<T>;
    constexpr int M = kRows;
    const long blocks = (s.channels - 1) / most(1, kDepth / p.taps) + 1, depth = (s.channels - 1) / blocks + 1;  // channels at a time
    T *panel = work, *sums = panel + depth * p.taps * N + N + L, *memory = sums + up(row_end - row_begin, M) * N;
    Run runs[N];
    for (long at = begin, columns; at < end; at += columns) {
      const long left = end - at;
      columns = left <= N ? left : left > N + L ? N : 2 * L;  // four packets are two twice: one alone is slow
      const long n = find_runs(at, columns, runs), packets = (columns + L - 1) / L;
      const bool straight = columns == N && p.whole_rows() && at / p.count() == (at + N - 1) / p.count() && (row_end - row_begin) % M == 0;
      T* direct = result + at / p.count() * result_image + p.result_at + at % p.count();
      for (long c = 0; c < s.channels; c += depth) {
        const long c1 = least(s.channels, c + depth), k = (c1 - c) * p.taps;
        pack_panel(c, c1, runs, n, panel);
        // Of one tap, what is packed next comes from planes far apart: each tile asks for a packet of some of them, by its end.
        const T* next = source + runs[0].source + tap[0] + (c1 < s.channels ? c1 * source_channel : columns);
        long asked = p.taps == 1 ? 0 : kPackets * depth;
        for (long m = row_begin; m < row_end; m += M, asked += k) {
          const T *a = weights + (m * s.channels + c * M) * p.taps, *start = c ? nullptr : starts(m, M, memory);
          const bool ask = asked < kPackets * depth;
          const T* ahead = ask ? next + asked / depth * L + L - 1 + asked % depth * source_channel : panel;
          const long step = ask ? source_channel : 0;
          if (straight) tile(kPackets, k, a, panel, start, direct + m * result_channel, result_channel, c > 0, ahead, step);
          else tile(packets, k, a, panel, start, sums + (m - row_begin) * N, N, c > 0, ahead, step);
        }
      }
      if (!straight) write(at, columns, sums, N);
    }
  }

  // ---- flat
  template <int M, int N> void flat_images(long begin, long end) const {
    constexpr long W = N * kLanes<T>;
    const long depth = most(1, least(s.channels, 256 / p.taps)), pitch = p.source_pitch[1];
    T *sums = work, *memory = sums + up(row_end - row_begin, M) * W;
    while (begin < end) {
      const long image = begin / p.count(), first = begin % p.count(), last = least(end, (image + 1) * p.count()) - image * p.count() - 1;
      const long stop = last / p.width * pitch + last % p.width + 1;
      for (long f = first / p.width * pitch + first % p.width; f < stop; f += W) {
        for (long c = 0; c < s.channels; c += depth)
          for (long m = row_begin; m < row_end; m += M)
            flat_tile<T, M, N>(least(depth, s.channels - c), source_channel, p.taps, tap, weights + (m * s.channels + c * M) * p.taps,
                               source + image * source_image + c * source_channel + f, c ? nullptr : starts(m, M, memory),
                               sums + (m - row_begin) * W, c > 0);
        for (long q = f; q < least(stop, f + W);) {
          const long line = q / pitch, j = q % pitch, length = least(least(stop, f + W) - q, (j < p.width ? p.width : pitch) - j);
          T* to = result + image * result_image + p.result_line(line) + j * p.result_step;
          for (long m = row_begin; m < row_end && j < p.width; m++)
            write_run(sums + (m - row_begin) * W + q - f, to + m * result_channel, length, p.result_step);
          q += length;
        }
      }
      begin = image * p.count() + last + 1;
    }
  }
  void flat(long begin, long end) const {
    constexpr int wide = TG_VECTOR_BYTES == 64 ? 2 : 1;
    switch (tile_rows(s, true)) {
      case 1: return flat_images<1, 8>(begin, end);
      case 3: return flat_images<3, 4 * wide>(begin, end);
      case 4: return flat_images<4, 3 * wide>(begin, end);
      default: return flat_images<kRows, 3>(begin, end);
    }
  }
  // Nothing reaches these numbers.
  void untouched(long begin, long end) const {
    for (long at = begin; at < end;) {
      const long image = at / p.count(), inside = at % p.count(), j = inside % p.width, length = least(end - at, p.width - j);
      T* to = result + image * result_image + p.result_line(inside / p.width) + j * p.result_step;
      for (long m = row_begin; m < row_end; m++)
        for (long i = 0; i < length; i++) to[m * result_channel + i * p.result_step] = bias ? bias[m] : T(0);
      at += length;
    }
  }
};

// ---- the table's functions

constexpr long kSlack = 1024;  // packets read that many numbers past a frame, or fewer
long frame_size(const ConvShape& s) { return Source(s).frame.numbers(); }
long frame_numbers(const ConvShape& s, long images) {
  const Source source(s);
  return source.direct ? 0 : images * s.channels * source.frame.numbers() + kSlack;
}
template <class T> void frames(const ConvShape& s, const T* from, long from_image, long begin, long end, T* to) {
  const Source source(s);
  const long size = source.frame.numbers(), plane = volume(source.frame.size);
  for (long i = begin; i < end; i++) {
    __builtin_memset(to + i * size, 0, size_t(size) * sizeof(T));
    source.frame.place(from + i / s.channels * from_image + i % s.channels * plane, to + i * size);
  }
}

template <class T> long workspace(const ConvShape& s, long rows) {
  const long taps = volume(s.window.kernel), longs = long(sizeof(long) / sizeof(T));
  return 2 * taps * longs + most(kDepth, taps) * kColumns<T> + kColumns<T> + kLanes<T> + (up(rows, kRows) + 1) * 8 * kLanes<T>;
}

template <class T> void run(const ConvShape& s, const ConvOperands<T>& o, long begin, long end, long row_begin, long row_end, T* work) {
  const Source source(s);
  const long all = volume(s.window.kernel);
  long *tap = reinterpret_cast<long*>(work), *which = tap + all;
  const T* weights = o.weights;
  long at = 0;  // of the part's first column
  for (long n = 0; n < parts(s); n++) {
    const Part p = part_of(s, source, n, tap, which);
    const bool flat = is_flat(s, source, p);
    const long columns = o.images * p.count(), from = most(begin - at, 0), to = least(end - at, columns);
    if (from < to) {
      const Task<T> task{s, p, tap, weights, o.source, o.source_end, source.frame.numbers(), o.source_image, o.result, o.result_image,
                         volume(s.back ? s.window.in : s.window.out), o.bias, row_begin, row_end, reinterpret_cast<T*>(which + all)};
      p.taps == 0 ? task.untouched(from, to) : flat ? task.flat(from, to) : task.packed(from, to);
    }
    at += columns, weights += up(s.rows, tile_rows(s, flat)) * s.channels * p.taps;
  }
}

}  // namespace

extern const ProductKernels<float> product_f32 = {kColumns<float>, weight_numbers, pack<float>, frame_size, frame_numbers, frames<float>,
                                                  workspace<float>, run<float>};
extern const ProductKernels<double> product_f64 = {kColumns<double>, weight_numbers, pack<double>, frame_size, frame_numbers, frames<double>,
                                                   workspace<double>, run<double>};

}}  // namespace tapegrad
