// Pooling, plane by plane. Regular windows over wide rows go tap by tap along output rows, so that columns fill vectors; all
// others (adaptive, global, narrow) go cell by cell.
#include "src/ops/cpu/pool.h"

#include "src/ops/cpu/lanes.h"
#include "src/ops/cpu/table.h"

namespace tapegrad {
extern "C" const PoolTable TG_TABLE(pool);
namespace TG_NS {
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
template <class T, int Stride> void max_row(const T* row, long s, long n, T* best) {
  if (Stride) s = Stride;
  for (long i = 0; i < n; i++) {
    const T v = row[i * s];
    best[i] = v > best[i] || v != v ? v : best[i];
  }
}
template <class T> void max_rows(const Cells& c, const T* x, T* y, long* index) {
  const Window& w = c.window;
  const long s = w.stride[2];
  void (*const placed)(const T*, int, long, long, T*, int*) = s == 1 ? &max_row_placed<T, 1> : s == 2 ? &max_row_placed<T,
      2> : &max_row_placed<T, 0>;
  void (*const plain)(const T*, long, long, T*) = s == 1 ? &max_row<T, 1> : s == 2 ? &max_row<T, 2> : &max_row<T, 0>;
  T best[kChunk];
  int place[kChunk];
  for (long a = 0; a < w.out[0]; a++)
    for (long b = 0; b < w.out[1]; b++)
      for (long o = 0; o < w.out[2]; o += kChunk) {
        const long end = o + kChunk < w.out[2] ? o + kChunk : w.out[2], n = end - o;
        const long first = (c.start[0][a] * w.in[1] + c.start[1][b]) * w.in[2];
        for (long i = 0; i < n; i++) best[i] = kLowest<T>;
        if (index) for (long i = 0; i < n; i++) place[i] = int(first + c.start[2][o + i]);
        each_input_row(c, a, b, [&](long row) {
          for (long t = 0; t < w.kernel[2]; t++) {
            const Columns in(w, t, o, end);
            if (in.first >= in.last) continue;
            const long at = row + in.first * s + in.offset, k = in.first - o, m = in.last - in.first;
            if (index) placed(x + at, int(at), s, m, best + k, place + k);
            else plain(x + at, s, m, best + k);
          }
        });
        for (long i = 0; i < n; i++) *y++ = best[i];
        if (index) for (long i = 0; i < n; i++) *index++ = place[i];
      }
}
template <class T> void max(const Cells& c, const T* x, T* y, long* index) {
  c.regular && c.window.out[2] >= 4 ? max_rows(c, x, y, index) : max_cells(c, x, y, index);
}

template <class T> T divisor(const Cells& c, long a, long b, long o) {
  return c.divisor ? T(c.divisor) : T(c.count[0][a] * c.count[1][b] * c.count[2][o]);
}
template <class T> T sum_run(const T* x, long n) {
  return join_run<AddJoin, T>(n, T(0), [&](int64_t i, auto at) { return at.get(x + i); });
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
template <class T> void mean_rows(const Cells& c, const T* x, T* y) {
  const Window& w = c.window;
  const long s = w.stride[2];
  for (long a = 0; a < w.out[0]; a++)
    for (long b = 0; b < w.out[1]; b++, y += w.out[2]) {
      for (long i = 0; i < w.out[2]; i++) y[i] = 0;
      each_input_row(c, a, b, [&](long row) {
        for (long t = 0; t < w.kernel[2]; t++) {
          const Columns in(w, t, 0, w.out[2]);
          const T* from = x + row + in.offset;
          if (s == 1) for (long i = in.first; i < in.last; i++) y[i] += from[i];
          else if (s == 2) for (long i = in.first; i < in.last; i++) y[i] += from[i * 2];
          else for (long i = in.first; i < in.last; i++) y[i] += from[i * s];
        }
      });
      for (long i = 0; i < w.out[2]; i++)
        if (c.start[2][i] < c.end[2][i] && c.start[1][b] < c.end[1][b] && c.start[0][a] < c.end[0][a]) y[i] /= divisor<T>(c, a, b, i);
    }
}
template <class T> void mean(const Cells& c, const T* x, T* y) { c.regular && c.window.out[2] >= 4 ? mean_rows(c, x, y)
    : mean_cells(c, x, y); }

template <class T> void mean_spread(const Cells& c, const T* dy, T* dx) {
  const Window& w = c.window;
  const long s = w.stride[2];
  const bool by_rows = c.regular && w.out[2] >= 4;
  T share[kChunk];
  for (long a = 0; a < w.out[0]; a++)
    for (long b = 0; b < w.out[1]; b++)
      for (long o = 0; o < w.out[2]; o += kChunk) {
        const long end = o + kChunk < w.out[2] ? o + kChunk : w.out[2];
        for (long i = o; i < end; i++) share[i - o] = c.start[2][i] < c.end[2][i] ? *dy / divisor<T>(c, a, b, i) : T(0), dy++;
        each_input_row(c, a, b, [&](long row) {
          if (!by_rows) {
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
