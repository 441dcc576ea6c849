// Depthwise convolution, a plane at a time from its frame (see frame.h). The gradient of the input is a convolution of stride 1
// again: of the output's numbers set a stride apart, with the taps in reverse order.
#include "src/ops/cpu/depthwise.h"

#include "src/ops/cpu/frame.h"
#include "src/ops/cpu/table.h"

namespace tapegrad {
extern "C" const DepthwiseTable TG_TABLE(depthwise);
inline namespace TG_NS {
namespace {

constexpr long kTogether = 8;  // channels whose weights are summed together: their planes lie side by side

// One plane's sums: y[line][j] = start + sum over taps of value * frame[line + j + offset].
template <class T> struct Sums {
  long lines_a, lines_b, width;  // of y
  long taps;
  const long* offset;
  const T* value;
  T start;
  const T* end;  // of y
};

// Writes a packet from column j of a row on. A row narrower than a packet spills over into the next, which is written later.
template <class T> TG_IN void put_part(T* row, long j, const Sums<T>& s, Wide<T> v) {
  if (row + j + kLanes<T> <= s.end) put<Wide<T>>(row + j, v);
  else for (long l = 0; l < s.width - j; l++) row[j + l] = v[l];
}
// Packets of a row start at 0, L, 2 L …, but the last one overlaps where it would stick out.
template <class T> TG_IN long column(long j, long width) { return j + kLanes<T> > width && width >= kLanes<T> ? width - kLanes<T> : j; }

// Rows of y at once, for a dense R x R window: a packet of the frame, once loaded, serves up to R rows.
template <class T, int R, int Rows> void dense_rows(const T* frame, long pitch, const Sums<T>& s, T* y) {
  using V = Wide<T>;
  V k[R * R];
  TG_EACH(t, R * R) k[t] = splat(s.value[t]);
  for (long j0 = 0; j0 < s.width; j0 += kLanes<T>) {
    const long j = column<T>(j0, s.width);
    V sum[Rows];
    TG_EACH(o, Rows) sum[o] = splat(s.start);
    TG_EACH(h, Rows + R - 1) {
      TG_EACH(c, R) {
        const V x = get<V>(frame + h * pitch + j + c);
        TG_EACH(o, Rows) if (h - o >= 0 && h - o < R) sum[o] += x * k[(h - o) * R + c];
      }
    }
    TG_EACH(o, Rows) put_part(y + o * s.width, j, s, sum[o]);
  }
}
template <class T, int R> void dense(const T* frame, long pitch, const Sums<T>& s, T* y) {
  long b = 0;
  for (; b + 4 <= s.lines_b; b += 4) dense_rows<T, R, 4>(frame + b * pitch, pitch, s, y + b * s.width);
  for (; b < s.lines_b; b++) dense_rows<T, R, 1>(frame + b * pitch, pitch, s, y + b * s.width);
}
// N packets of a row, for any taps.
template <class T, int N> void any_columns(const T* line, long j, const Sums<T>& s, T* y) {
  using V = Wide<T>;
  V sum[N];
  TG_EACH(n, N) sum[n] = splat(s.start);
  for (long t = 0; t < s.taps; t++) {
    const T* x = line + s.offset[t] + j;
    const V k = splat(s.value[t]);
    TG_EACH(n, N) sum[n] += k * get<V>(x + n * kLanes<T>);
  }
  TG_EACH(n, N) put_part(y, j + n * kLanes<T>, s, sum[n]);
}
template <class T> void any(const T* frame, const Frame& f, const Sums<T>& s, T* y) {
  constexpr long L = kLanes<T>;
  for (long a = 0; a < s.lines_a; a++)
    for (long b = 0; b < s.lines_b; b++, y += s.width) {
      const T* line = frame + f.line(a, b);
      long j = 0;
      for (; j + 4 * L <= s.width; j += 4 * L) any_columns<T, 4>(line, j, s, y);
      for (; j < s.width; j += L) any_columns<T, 1>(line, column<T>(j, s.width), s, y);
    }
}
template <class T> void plane(const T* frame, const Frame& f, const Window& w, const Sums<T>& s, T* y) {
  bool is_dense = s.taps == w.kernel[1] * w.kernel[2] && w.kernel[1] == w.kernel[2] && s.lines_a == 1;
  for (int d = 1; d < 3; d++) is_dense &= f.phases[d] == 1 && w.dilation[d] == 1;
  if (is_dense && w.kernel[2] == 3) dense<T, 3>(frame, f.row(), s, y);
  else if (is_dense && w.kernel[2] == 5) dense<T, 5>(frame, f.row(), s, y);
  else if (is_dense && w.kernel[2] == 7) dense<T, 7>(frame, f.row(), s, y);
  else any(frame, f, s, y);
}

// Working memory: offsets of taps, the taps themselves, then frames, then what the weights need. Packets read past the end of a
// frame: by up to two.
template <class T> struct Memory {
  long* offset;
  T *value, *frame, *rest;
  long frame_size;
  Memory(const Frame& f, long taps, long frames, T* work) {
    static_assert(sizeof(long) % sizeof(T) == 0);
    offset = reinterpret_cast<long*>(work);
    value = work + taps * long(sizeof(long) / sizeof(T));
    frame = value + up(taps, 16);
    frame_size = f.numbers();
    rest = frame + frames * frame_size + 2 * kLanes<T>;
    __builtin_memset(frame, 0, size_t(rest - frame) * sizeof(T));
  }
};
template <class T> long workspace(const Window& w, long multiple) {
  const Frame in = Frame::strided(w), out = Frame::spread(w);
  const long taps = multiple * volume(w.kernel), frames = most(in.numbers(), multiple * out.numbers());
  return 2 * taps + up(taps, 16) + frames + 4 * kLanes<T> + volume(in.part) + 2 * kLanes<T> + kTogether * taps * kLanes<T>;
}

template <class T> void forward(const Window& w, long multiple, long channels, long begin, long end, const T* x, const T* taps,
                                const T* bias, T* y, T* work) {
  const Frame f = Frame::strided(w);
  const long count = volume(w.kernel), in = volume(w.in), out = volume(w.out);
  const Memory<T> m(f, count, 1, work);
  for (long t = 0; t < count; t++) m.offset[t] = f.tap(w, t);
  for (long i = begin; i < end; i++) {
    f.place(x + i * in, m.frame);
    for (long k = 0; k < multiple; k++) {
      const long channel = i % channels * multiple + k;
      T* to = y + (i * multiple + k) * out;
      plane(m.frame, f, w, Sums<T>{w.out[0], w.out[1], w.out[2], count, m.offset, taps + channel * count, bias ? bias[channel] : T(0),
                                   to + out}, to);
    }
  }
}

template <class T> void data(const Window& w, long multiple, long channels, long begin, long end, const T* y, const T* taps,
                             const T* bias, T* x, T* work) {
  const Frame f = Frame::spread(w);
  const long count = volume(w.kernel), in = volume(w.in), out = volume(w.out), all = multiple * count;
  const Memory<T> m(f, all, multiple, work);
  for (long t = 0; t < all; t++) m.offset[t] = t / count * m.frame_size + f.tap(w, t % count);
  for (long i = begin; i < end; i++) {
    const T* from = taps + i % channels * all;
    T* to = x + i * in;
    for (long k = 0; k < multiple; k++) {
      for (long t = 0; t < count; t++) m.value[k * count + t] = from[(k + 1) * count - 1 - t];
      f.place(y + (i * multiple + k) * out, m.frame + k * m.frame_size);
    }
    plane(m.frame, f, w, Sums<T>{w.in[0], w.in[1], w.in[2], all, m.offset, m.value, bias ? bias[i % channels] : T(0), to + in}, to);
  }
}

// sum[t] += the products of y with x at each of N offsets; both run over whole rows, and where y has no number it has a zero.
template <class T, int N> void dot(const T* x, const long* offset, const T* y, long n, Wide<T>* sum) {
  using V = Wide<T>;
  const T* at[N];
  V s[N] = {};
  TG_EACH(t, N) at[t] = x + offset[t];
  for (long i = 0; i < n; i += kLanes<T>) {
    const V g = get<V>(y + i);
    TG_EACH(t, N) s[t] += g * get<V>(at[t] + i);
  }
  TG_EACH(t, N) sum[t] += s[t];
}
template <class T> void dots(const T* x, const long* offset, long taps, const T* y, long n, Wide<T>* sum) {
  long t = 0;
  for (; t + 9 <= taps; t += 9) dot<T, 9>(x, offset + t, y, n, sum + t);
  for (; t + 4 <= taps; t += 4) dot<T, 4>(x, offset + t, y, n, sum + t);
  for (; t < taps; t++) dot<T, 1>(x, offset + t, y, n, sum + t);
}

template <class T> void weight(const Window& w, long multiple, long channels, long begin, long end, long images, const T* x, const T* y,
                               T* taps, T* work) {
  using V = Wide<T>;
  const Frame f = Frame::strided(w);
  Frame g = f;  // the output's rows, as far apart as those of one phase of the input
  for (int d = 0; d < 3; d++) g.size[d] = g.in[d] = w.out[d], g.skip[d] = g.low[d] = 0, g.take[d] = g.phases[d] = 1;
  const long count = volume(w.kernel), all = multiple * count, in = volume(w.in), out = volume(w.out);
  const long span = f.line(w.out[0] - 1, w.out[1] - 1) + w.out[2];
  const Memory<T> m(f, count, 1, work);
  for (long t = 0; t < count; t++) m.offset[t] = f.tap(w, t);
  T *rows = m.rest, *sums = rows + volume(f.part) + kLanes<T>;
  __builtin_memset(rows, 0, size_t(sums - rows) * sizeof(T));
  V* sum = reinterpret_cast<V*>((reinterpret_cast<unsigned long>(sums) + sizeof(V) - 1) / sizeof(V) * sizeof(V));
  for (long c0 = begin; c0 < end; c0 += kTogether) {
    const long c1 = least(end, c0 + kTogether);
    for (long t = 0; t < (c1 - c0) * all; t++) sum[t] = V{};
    for (long n = 0; n < images; n++)
      for (long c = c0; c < c1; c++) {
        f.place(x + (n * channels + c) * in, m.frame);
        for (long k = 0; k < multiple; k++) {
          g.place(y + ((n * channels + c) * multiple + k) * out, rows);
          dots(m.frame, m.offset, count, rows, span, sum + (c - c0) * all + k * count);
        }
      }
    for (long t = 0; t < (c1 - c0) * all; t++) taps[c0 * all + t] = tree<AddJoin, T, kLanes<T>, 1>(sum + t);
  }
}

template <class T> constexpr DepthwiseKernels<T> kernels_of = {workspace<T>, forward<T>, data<T>, weight<T>};

}  // namespace
}  // namespace TG_NS

const DepthwiseTable TG_TABLE(depthwise) = {TG_NS::kernels_of<float>, TG_NS::kernels_of<double>};

}  // namespace tapegrad
