// Matrix products. A tile of c is held in registers while the kernel walks down k; a and b are read as they lie when the
// product is small or flat, else from panels that were packed before. Serial: src/ops/gemm.cpp cuts the work.
#include "src/ops/cpu/gemm.h"

#include "src/ops/cpu/panels.h"
#include "src/ops/cpu/table.h"

namespace tapegrad {
extern "C" const GemmTable TG_TABLE(gemm);
extern "C" const BfloatTable TG_TABLE(gemm_bfloat);
inline namespace TG_NS {
namespace {

// ---- tiles

// c[R][N packets] += a b, k steps; the last packet has `last` columns. Panels have strides that are known here.
template <class T, int R, int N, bool panels> void tile(const Gemm<T>& g, const T* a, long a_row, long a_col, const T* b, long b_row,
    T* c, const T* bias, long last) {
  constexpr int L = kLanes<T>;
  if constexpr (panels) a_row = 1, a_col = kRows, b_row = kColumns<T>;
#pragma GCC unroll 8
  for (int i = 0; i < R; i++)
    for (int j = 0; j < N; j++) __builtin_prefetch(c + i * g.c_row + j * L);
  V<T> sum[R][N] = {};
  multiply<T>(sum, g.k, a, a_row, a_col, b, b_row, [last](const T* x, int j) { return !panels && j == N - 1 ? load_part(x, last) : get<V<T>>(x); });
  put_tile(sum, c, g.c_row, bias, g.add, last);
}
template <class T, int R, bool panels> TG_IN void tile_of(long packets, const Gemm<T>& g, const T* a, long a_row, long a_col, const T* b, long b_row,
    T* c, const T* bias, long last) {
  if (packets == 1) tile<T, R, 1, panels>(g, a, a_row, a_col, b, b_row, c, bias, last);
  else if (packets == 2) tile<T, R, 2, panels>(g, a, a_row, a_col, b, b_row, c, bias, last);
  else if constexpr (kPackets > 2) tile<T, R, 3, panels>(g, a, a_row, a_col, b, b_row, c, bias, last);
}
// A column of tiles: `columns` columns from j on, b at their first row.
template <class T, bool panels> void column(const Gemm<T>& g, long j, long columns, const T* a, const T* b, long b_row) {
  constexpr int L = kLanes<T>;
  const long packets = (columns + L - 1) / L, last = columns - (packets - 1) * L, a_row = panels ? 1 : g.a_row, a_col = panels ? kRows : g.a_col;
  T* c = g.c + j;
  const T* bias = g.bias ? g.bias + j : nullptr;
  const auto rows = [&]<int R>(long i) {
    const T* from = panels ? a + (i / kRows * g.k) * kRows + i % kRows : a + i * a_row;
    tile_of<T, R, panels && R == kRows>(packets, g, from, a_row, a_col, b, b_row, c + i * g.c_row, bias, last);
  };
  long i = 0;
  for (; i + kRows <= g.m; i += kRows) rows.template operator()<kRows>(i);
  if constexpr (kRows > 4) if (i + 4 <= g.m) rows.template operator()<4>(i), i += 4;
  if (i + 2 <= g.m) rows.template operator()<2>(i), i += 2;
  if (i < g.m) rows.template operator()<1>(i);
}

// ---- panels: a's of kRows rows, b's of kColumns columns

template <class T> void pack_a(const Gemm<T>& g, T* to) {
  for (long i = 0; i < g.m; i += kRows, to += kRows * g.k) {
    const T* a = g.a + i * g.a_row;
    const long n = g.m - i < kRows ? g.m - i : kRows;
    if (n < kRows) {
      for (long p = 0; p < g.k; p++)
        for (long r = 0; r < kRows; r++) to[p * kRows + r] = r < n ? a[r * g.a_row + p * g.a_col] : T(0);
    } else if (g.a_row == 1) {
      for (long p = 0; p < g.k; p++)
        for (long r = 0; r < kRows; r++) to[p * kRows + r] = a[r + p * g.a_col];
    } else {
      const T* row[kRows];
      for (long r = 0; r < kRows; r++) row[r] = a + r * g.a_row;
      for (long p = 0; p < g.k; p++)
        for (long r = 0; r < kRows; r++) to[p * kRows + r] = row[r][p];
    }
  }
}
// kLanes columns of b side by side, those from n on 0.
template <class T> void pack_columns(const Gemm<T>& g, const T* b, long n, T* to) {
  constexpr int L = kLanes<T>;
  for (long p = 0; p < g.k; p += L) {
    V<T> x[L];
    const long steps = g.k - p < L ? g.k - p : L;
    if (n >= L && steps == L) {
#pragma GCC unroll 16
      for (int i = 0; i < L; i++) x[i] = get<V<T>>(b + i * g.b_col + p);
    } else {
      for (int i = 0; i < L; i++) x[i] = i < n ? load_part(b + i * g.b_col + p, steps) : V<T>{};
    }
    transpose<T>(x);
#pragma GCC unroll 16
    for (int i = 0; i < L; i++) if (i < steps) put(to + (p + i) * kColumns<T>, x[i]);
  }
}
template <class T> void pack_b(const Gemm<T>& g, T* to) {
  constexpr int L = kLanes<T>;
  for (long j = 0; j < g.n; j += kColumns<T>, to += kColumns<T> * g.k) {
    const T* b = g.b + j * g.b_col;
    const long n = g.n - j < kColumns<T> ? g.n - j : kColumns<T>;
    if (g.b_col == 1) {
      for (long p = 0; p < g.k; p++, b += g.b_row)
        for (long q = 0; q < kPackets; q++) put(to + p * kColumns<T> + q * L, n >= (q + 1) * L ? get<V<T>>(b + q * L) : n <= q * L ? V<T>{} : load_part(b + q * L, n - q * L));
    } else {
      for (long q = 0; q < kColumns<T>; q += L) pack_columns(g, b + q * g.b_col, n - q, to + q);
    }
  }
}
template <class T> void packed(const Gemm<T>& g, const T* a, const T* b) {
  for (long j = 0; j < g.n; j += kColumns<T>)
    column<T, true>(g, j, g.n - j < kColumns<T> ? g.n - j : kColumns<T>, a, b + j * g.k, kColumns<T>);
}

// ---- without panels

// Where rows of a and columns of b are dense: c[R][C] sums of k products each.
template <class T, int R, int C> void dots(const Gemm<T>& g, long i, long j) {
  constexpr int L = kLanes<T>;
  const T *a = g.a + i * g.a_row, *b = g.b + j * g.b_col;
  V<T> sum[R][C] = {};
  for (long p = 0; p < g.k; p += L) {
    const long n = g.k - p;
    V<T> x[R];
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) x[r] = load_part(a + r * g.a_row + p, n);
#pragma GCC unroll 8
    for (int q = 0; q < C; q++) {
      const V<T> y = load_part(b + q * g.b_col + p, n);
#pragma GCC unroll 8
      for (int r = 0; r < R; r++) sum[r][q] += x[r] * y;
    }
  }
  T all[R * C];
  if constexpr (R * C % L == 0) {
#pragma GCC unroll 16
    for (int s = 0; s < R * C; s += L) put(all + s, sums<T>(&sum[0][0] + s));
  } else {
    for (int s = 0; s < R * C; s++) all[s] = tree<AddJoin, T, L, 1>(&sum[0][0] + s);
  }
  for (int r = 0; r < R; r++)
    for (int q = 0; q < C; q++) {
      T& c = g.c[(i + r) * g.c_row + j + q];
      c = all[r * C + q] + (g.add ? c : g.bias ? g.bias[j + q] : T(0));
    }
}
template <class T> void all_dots(const Gemm<T>& g) {
  long i = 0, j;
  for (; i + 4 <= g.m; i += 4) {
    for (j = 0; j + 4 <= g.n; j += 4) dots<T, 4, 4>(g, i, j);
    for (; j < g.n; j++) dots<T, 4, 1>(g, i, j);
  }
  for (; i < g.m; i++) {
    for (j = 0; j + 8 <= g.n; j += 8) dots<T, 1, 8>(g, i, j);
    for (; j < g.n; j++) dots<T, 1, 1>(g, i, j);
  }
}
// One row, b's rows dense: they are read once, in order, four at a time, for rows a power of 2 apart share lines of the cache.
template <class T> void row_times(const Gemm<T>& g) {
  constexpr int L = kLanes<T>, S = 4;
  if (!g.add) for (long j = 0; j < g.n; j++) g.c[j] = g.bias ? g.bias[j] : T(0);
  for (long p = 0; p < g.k; p += S) {
    const T *b[S], zero = 0;
    V<T> a[S];
    for (int s = 0; s < S; s++) {
      const long at = p + s < g.k ? p + s : p;
      b[s] = g.b + at * g.b_row, a[s] = (p + s < g.k ? g.a[at * g.a_col] : zero) - V<T>{};
    }
    long j = 0;
    for (; j + L <= g.n; j += L) {
      V<T> sum = get<V<T>>(g.c + j);
#pragma GCC unroll 8
      for (int s = 0; s < S; s++) sum += a[s] * get<V<T>>(b[s] + j);
      put(g.c + j, sum);
    }
    if (j == g.n) continue;
    V<T> sum = load_part(g.c + j, g.n - j);
    for (int s = 0; s < S; s++) sum += a[s] * load_part(b[s] + j, g.n - j);
    store_part(g.c + j, sum, g.n - j);
  }
}

constexpr long kTiny = 8;  // b of at most 8x8 is held in registers
// Each row of c is K multiply-adds of one vector of N numbers.
template <class T, int N, int K> void tiny(const Gemm<T>& g) {
  typedef T Row __attribute__((vector_size(N * sizeof(T))));
  Row b[K], start = {};
  if (g.n == N && g.k == K && g.b_col == 1) {
    for (long p = 0; p < K; p++) __builtin_memcpy(&b[p], g.b + p * g.b_row, sizeof(Row));
  } else {
    T rows[K][N] = {};
    for (long p = 0; p < g.k; p++) for (long j = 0; j < g.n; j++) rows[p][j] = g.b[p * g.b_row + j * g.b_col];
    __builtin_memcpy(b, rows, sizeof b);
  }
  if (g.bias) for (long j = 0; j < g.n; j++) start[j] = g.bias[j];
  if (g.n == N && g.k == K && g.a_col == 1 && !g.add) {
    for (long i = 0; i < g.m; i++) {
      const T* a = g.a + i * g.a_row;
      Row sum = start;
#pragma GCC unroll 8
      for (long p = 0; p < K; p++) sum += a[p] * b[p];
      __builtin_memcpy(g.c + i * g.c_row, &sum, sizeof sum);
    }
    return;
  }
  for (long i = 0; i < g.m; i++) {
    const T* a = g.a + i * g.a_row;
    T* c = g.c + i * g.c_row;
    Row sum = start;
    if (g.add) for (long j = 0; j < g.n; j++) sum[j] += c[j];
    for (long p = 0; p < g.k; p++) sum += a[p * g.a_col] * b[p];
    for (long j = 0; j < g.n; j++) c[j] = sum[j];
  }
}

template <class T> void direct(const Gemm<T>& g) {
  if (g.n <= kTiny && g.k <= kTiny && g.m <= 64) {
    if (g.n <= 4) return g.k <= 4 ? tiny<T, 4, 4>(g) : tiny<T, 4, 8>(g);
    return g.k <= 4 ? tiny<T, 8, 4>(g) : tiny<T, 8, 8>(g);
  }
  if (g.n == 1 && g.m > 1 && g.c_row == 1 && g.b_row == 1) {  // the same as a row times a matrix
    if (g.bias && !g.add) for (long i = 0; i < g.m; i++) g.c[i] = *g.bias;
    return direct(Gemm<T>{1, g.m, g.k, g.b, g.k, 1, g.a, g.a_col, g.a_row, g.c, g.m, nullptr, g.add || g.bias});
  }
  if (g.b_col == 1 || g.n == 1) {
    if (g.m == 1) return row_times(g);
    for (long j = 0; j < g.n; j += kColumns<T>) column<T, false>(g, j, g.n - j < kColumns<T> ? g.n - j : kColumns<T>, g.a, g.b + j, g.b_row);
  } else if (g.a_col == 1 && g.b_row == 1) {
    all_dots(g);
  } else {
    for (long i = 0; i < g.m; i++)
      for (long j = 0; j < g.n; j++) {
        T sum = g.add ? g.c[i * g.c_row + j] : g.bias ? g.bias[j] : T(0);
        for (long p = 0; p < g.k; p++) sum += g.a[i * g.a_row + p * g.a_col] * g.b[p * g.b_row + j * g.b_col];
        g.c[i * g.c_row + j] = sum;
      }
  }
}

template <class T> constexpr GemmKernels<T> gemm_kernels = {kRows, kColumns<T>, direct<T>, pack_a<T>, pack_b<T>, packed<T>};

}  // namespace
}  // namespace TG_NS

constinit const GemmTable TG_TABLE(gemm) = {TG_NS::gemm_kernels<float>, TG_NS::gemm_kernels<double>, &TG_TABLE(gemm_bfloat)};

}  // namespace tapegrad
