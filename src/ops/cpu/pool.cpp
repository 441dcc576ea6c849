// Pooling, plane by plane. Regular windows over wide rows go tap by tap along output rows, so that columns fill vectors; all
// others (adaptive, global, narrow) go cell by cell.
#include "src/ops/cpu/pool.h"

#include "src/ops/cpu/frame.h"
#include "src/ops/cpu/table.h"

namespace tapegrad {
extern "C" const PoolTable TG_TABLE(pool);
inline namespace TG_NS {
namespace {

constexpr long kChunk = 256;  // columns at a time: places and sums stay in the first cache

template <class T> constexpr T kLowest = T(-__builtin_inf());
template <> constexpr long kLowest<long> = -__LONG_MAX__ - 1;

template <class T> void max_cells(const Cells& c, const T* x, T* y, long* index) {
  const Window& w = c.window;
  for (long a = 0; a < w.out[0]; a++)
    for (long b = 0; b < w.out[1]; b++)
      for (long o = 0; o < w.out[2]; o++) {
        long at = (c.start[0][a] * w.in[1] + c.start[1][b]) * w.in[2] + c.start[2][o];
        T best = kLowest<T>;
        for (long i = c.start[0][a]; i < c.end[0][a]; i += c.step[0])
          for (long j = c.start[1][b]; j < c.end[1][b]; j += c.step[1]) {
            const T* row = x + (i * w.in[1] + j) * w.in[2];
            for (long k = c.start[2][o]; k < c.end[2][o]; k += c.step[2])
              if (row[k] > best || row[k] != row[k]) best = row[k], at = row + k - x;
          }
        *y++ = best;
        if (index) *index++ = at;
      }
}

// Output columns [first, last) of a row whose input through tap t of the last dimension lies inside; input is o * stride + offset.
struct Columns {
  long first, last, offset;
  Columns(const Window& w, long t, long begin, long end) {
    const long s = w.stride[2];
    offset = t * w.dilation[2] - w.pad[2];
    first = offset >= 0 ? 0 : (-offset + s - 1) / s;
    last = w.in[2] - offset <= 0 ? 0 : (w.in[2] - offset + s - 1) / s;
    if (first < begin) first = begin;
    if (last > end) last = end;
  }
};
// f(offset of an input row in the plane) for the rows that output row (a, b) sees
template <class F> void each_input_row(const Cells& c, long a, long b, F&& f) {
  for (long i = c.start[0][a]; i < c.end[0][a]; i += c.step[0])
    for (long j = c.start[1][b]; j < c.end[1][b]; j += c.step[1]) f((i * c.window.in[1] + j) * c.window.in[2]);
}

template <class T, int Stride> void max_row_placed(const T* row, int at, long s, long n, T* best, int* place) {
  if (Stride) s = Stride;
  for (long i = 0; i < n; i++) {
    const T v = row[i * s];
    const bool more = v > best[i] || v != v;
    best[i] = more ? v : best[i];
    place[i] = more ? at + int(i * s) : place[i];
  }
}

// ---- by rows: an output row's input rows are joined first, into one with the padding at its ends; then the columns of that

constexpr long kRow = 1024;  // columns of input at a time
long reach(const Window& w) { return (w.kernel[2] - 1) * w.dilation[2] + 1; }
bool by_rows(const Cells& c) {
  const Window& w = c.window;
  return c.regular && w.out[2] >= 4 && reach(w) <= kRow / 2 && w.stride[2] <= kRow / 8;
}
template <class J, class T> void join_rows(const Cells& c, long a, long b, const T* x, long n, T* to) {
  using V = Wide<T>;
  constexpr long L = kLanes<T>;
  const auto column = [&](long i, auto v) {
    bool any = false;
    each_input_row(c, a, b, [&](long row) {
      const auto next = get<decltype(v)>(x + row + i);
      v = any ? J::join(v, next) : next;
      any = true;
    });
    if (any) put<decltype(v)>(to + i, v);
  };
  for (long i = 0; i < n; i += L) {
    if (n >= L) column(least(i, n - L), V{});
    else for (; i < n; i++) column(i, T{});
  }
}
// L numbers that lie `step` apart
template <class T> TG_IN Wide<T> every(const T* from, long step) {
  using V = Wide<T>;
  constexpr int L = kLanes<T>;
  if (step == 1) return get<V>(from);
  if (step == 2) return every_second<0>(get<V>(from), get<V>(from + L));
  V v;
  TG_EACH(l, L) v[l] = from[l * step];
  return v;
}
template <class J, class T, class E> void join_columns(const Window& w, const T* joined, long n, T* y, const E& end) {
  constexpr long L = kLanes<T>;
  for (long i = 0; i < n; i += L) {
    const long at = n >= L ? least(i, n - L) : i;
    Wide<T> v = every(joined + at * w.stride[2], w.stride[2]);
    for (long t = 1; t < w.kernel[2]; t++) v = J::join(v, every(joined + at * w.stride[2] + t * w.dilation[2], w.stride[2]));
    v = end(v, at);
    if (n >= L) put<Wide<T>>(y + at, v);
    else for (long l = 0; l < n; l++) y[l] = v[int(l)];
  }
}
// The same for columns two by two, which need no joined row: for n columns, a packet or more, of row (a, b) from column o on.
template <class J, class T, class E> void join_pairs(const Cells& c, long a, long b, const T* x, long n, T* y, const E& end) {
  constexpr long L = kLanes<T>;
  for (long i = 0; i < n; i += L) {
    const long at = least(i, n - L);
    Wide<T> v[2];
    bool any = false;
    each_input_row(c, a, b, [&](long row) {
      for (int k = 0; k < 2; k++) {
        const Wide<T> next = get<Wide<T>>(x + row + 2 * at + k * L);
        v[k] = any ? J::join(v[k], next) : next;
      }
      any = true;
    });
    put<Wide<T>>(y + at, end(J::join(every_second<0>(v[0], v[1]), every_second<1>(v[0], v[1])), at));
  }
}
// Calls ending.columns(first column, columns) for each stretch, ending.row(row a, row b) for each of its rows, and ending(packet,
// column of the stretch) for each packet that is written.
template <class J, class T, class E> void each_row(const Cells& c, const T* x, T start, T* y, E& ending) {
  const Window& w = c.window;
  const long chunk = (kRow - reach(w)) / w.stride[2] + 1;
  const bool pairs = w.kernel[2] == 2 && w.stride[2] == 2 && w.dilation[2] == 1 && w.pad[2] == 0;
  T joined[kRow + kRow / 8 * kLanes<T> * 2];  // packets are read whole
  for (long o = 0; o < w.out[2]; o += chunk) {
    const long n = least(chunk, w.out[2] - o), begin = o * w.stride[2] - w.pad[2], end = begin + (n - 1) * w.stride[2] + reach(w);
    const long first = begin < 0 ? -begin : 0, last = least(end, w.in[2]) - begin;  // the input's part of `joined`
    for (long i = 0; i < end - begin; i++) joined[i] = start;
    ending.columns(o, n);
    for (long a = 0; a < w.out[0]; a++)
      for (long b = 0; b < w.out[1]; b++) {
        const bool any = c.start[0][a] < c.end[0][a] && c.start[1][b] < c.end[1][b];
        T* to = y + (a * w.out[1] + b) * w.out[2] + o;
        ending.row(a, b);
        if (pairs && any && n >= kLanes<T> && last == end - begin) {
          join_pairs<J>(c, a, b, x + begin, n, to, ending);
          continue;
        }
        if (any && first < last) join_rows<J>(c, a, b, x + begin + first, last - first, joined + first);
        else for (long i = first; i < last; i++) joined[i] = start;
        join_columns<J>(w, joined, n, to, ending);
      }
  }
}
struct AsItIs {
  void columns(long, long) {}
  void row(long, long) {}
  template <class V> V operator()(V v, long) const { return v; }
};
template <class T> void max_rows(const Cells& c, const T* x, T* y) {
  AsItIs end;
  each_row<MaxJoin>(c, x, kLowest<T>, y, end);
}
template <class T> void max_rows_placed(const Cells& c, const T* x, T* y, long* index) {
  const Window& w = c.window;
  const long s = w.stride[2];
  void (*const placed)(const T*, int, long, long, T*, int*) = s == 1 ? &max_row_placed<T, 1> : s == 2 ? &max_row_placed<T,
      2> : &max_row_placed<T, 0>;
  T best[kChunk];
  int place[kChunk];
  for (long a = 0; a < w.out[0]; a++)
    for (long b = 0; b < w.out[1]; b++)
      for (long o = 0; o < w.out[2]; o += kChunk) {
        const long end = o + kChunk < w.out[2] ? o + kChunk : w.out[2], n = end - o;
        const long first = (c.start[0][a] * w.in[1] + c.start[1][b]) * w.in[2];
        for (long i = 0; i < n; i++) best[i] = kLowest<T>;
        for (long i = 0; i < n; i++) place[i] = int(first + c.start[2][o + i]);
        each_input_row(c, a, b, [&](long row) {
          for (long t = 0; t < w.kernel[2]; t++) {
            const Columns in(w, t, o, end);
            if (in.first >= in.last) continue;
            const long at = row + in.first * s + in.offset, k = in.first - o, m = in.last - in.first;
            placed(x + at, int(at), s, m, best + k, place + k);
          }
        });
        for (long i = 0; i < n; i++) *y++ = best[i];
        for (long i = 0; i < n; i++) *index++ = place[i];
      }
}
template <class T> void max(const Cells& c, const T* x, T* y, long* index) {
  if (!by_rows(c)) max_cells(c, x, y, index);
  else index ? max_rows_placed(c, x, y, index) : max_rows(c, x, y);
}

template <class T> T divisor(const Cells& c, long a, long b, long o) {
  return c.divisor ? T(c.divisor) : T(c.count[0][a] * c.count[1][b] * c.count[2][o]);
}
template <class T> T sum_run(const T* x, long n) {
  if (n < 16) {
    T sum = 0;
    for (long i = 0; i < n; i++) sum += x[i];
    return sum;
  }
  return join_run<AddJoin, T>(n, [&](int64_t i, auto at) { return at.get(x + i); });
}
template <class T> void mean_cells(const Cells& c, const T* x, T* y) {
  const Window& w = c.window;
  for (long a = 0; a < w.out[0]; a++)
    for (long b = 0; b < w.out[1]; b++)
      for (long o = 0; o < w.out[2]; o++) {
        const long begin = c.start[2][o], width = c.end[2][o] - begin, rows = c.end[1][b] - c.start[1][b], depth =
            c.end[0][a] - c.start[0][a];
        T sum = 0;
        if (width == w.in[2] && depth == 1 && rows > 0)  // whole rows lie together
          sum = sum_run(x + (c.start[0][a] * w.in[1] + c.start[1][b]) * w.in[2], rows * width);
        else each_input_row(c, a, b, [&](long row) { sum += sum_run(x + row + begin, width); });
        *y++ = width > 0 && rows > 0 && depth > 0 ? sum / divisor<T>(c, a, b, o) : T(0);
      }
}
// Division by the numbers in a cell, at least one, so that a cell that sees nothing gets 0.
template <class T> struct Divided {
  const Cells& c;
  T counts[kRow + kLanes<T>], all = 1;
  explicit Divided(const Cells& cells) : c(cells) {}
  void columns(long o, long n) {
    for (long i = 0; i < n; i++) counts[i] = T(c.divisor ? 1 : most(c.count[2][o + i], 1));
    for (long i = n; i < n + kLanes<T>; i++) counts[i] = 1;
  }
  void row(long a, long b) { all = T(c.divisor ? c.divisor : most(c.count[0][a] * c.count[1][b], 1)); }
  Wide<T> operator()(Wide<T> v, long i) const { return v / (all * get<Wide<T>>(counts + i)); }
};
template <class T> void mean_rows(const Cells& c, const T* x, T* y) {
  Divided<T> end(c);
  each_row<AddJoin>(c, x, T(0), y, end);
}
template <class T> void mean(const Cells& c, const T* x, T* y) { by_rows(c) ? mean_rows(c, x, y) : mean_cells(c, x, y); }

template <class T> void mean_spread(const Cells& c, const T* dy, T* dx) {
  const Window& w = c.window;
  const long s = w.stride[2];
  const bool rows = by_rows(c);
  T share[kChunk];
  for (long a = 0; a < w.out[0]; a++)
    for (long b = 0; b < w.out[1]; b++)
      for (long o = 0; o < w.out[2]; o += kChunk) {
        const long end = o + kChunk < w.out[2] ? o + kChunk : w.out[2];
        for (long i = o; i < end; i++) share[i - o] = c.start[2][i] < c.end[2][i] ? *dy / divisor<T>(c, a, b, i) : T(0), dy++;
        each_input_row(c, a, b, [&](long row) {
          if (!rows) {
            for (long i = o; i < end; i++) for (long k = c.start[2][i]; k < c.end[2][i]; k++) dx[row + k] += share[i - o];
            return;
          }
          for (long t = 0; t < w.kernel[2]; t++) {
            const Columns in(w, t, o, end);
            T* to = dx + row + in.offset;
            if (s == 1) for (long i = in.first; i < in.last; i++) to[i] += share[i - o];
            else for (long i = in.first; i < in.last; i++) to[i * s] += share[i - o];
          }
        });
      }
}

template <class T> constexpr PoolKernels<T> kernels_of = {max<T>, mean<T>, mean_spread<T>};

}  // namespace
}  // namespace TG_NS

const PoolTable TG_TABLE(pool) = {TG_NS::kernels_of<float>, TG_NS::kernels_of<double>, TG_NS::kernels_of<long>};

}  // namespace tapegrad
