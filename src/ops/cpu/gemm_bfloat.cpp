// Products of bfloat16 matrices in float, with the instruction that adds two products at a time. Panels hold k by pairs. For
// processors that have AVX512_BF16, which is more than the set asks for: src/ops/gemm.cpp looks.
#include "src/ops/cpu/gemm.h"
#include "src/ops/cpu/panels.h"
#include "src/ops/cpu/table.h"

namespace tapegrad {
extern "C" const BfloatTable TG_TABLE(gemm_bfloat);
inline namespace TG_NS {
namespace {
#if defined(__AVX512F__)

constexpr long kWide = kColumns<float>;
constexpr int L = kLanes<float>;
typedef uint32_t Pairs __attribute__((vector_size(64)));
typedef uint16_t Halves __attribute__((vector_size(32), aligned(2), may_alias));

TG_IN uint32_t pair(const uint16_t* s) {
  uint32_t v;
  __builtin_memcpy(&v, s, sizeof v);
  return v;
}
TG_IN Pairs joined(Halves low, Halves high) { return __builtin_convertvector(low, Pairs) | __builtin_convertvector(high, Pairs) << 16; }
TG_IN Halves load_halves(const uint16_t* s, long n) {
  if (n >= L) return *reinterpret_cast<const Halves*>(s);
  uint16_t v[L] = {};
  for (long i = 0; i < n; i++) v[i] = s[i];
  return *reinterpret_cast<const Halves*>(v);
}

void pack_a(const BfloatGemm& g, uint32_t* to) {
  for (long i = 0; i < g.m; i += kRows) {
    const uint16_t* a = g.a + i * g.a_row;
    const long n = g.m - i < kRows ? g.m - i : kRows;
    for (long p = 0; p < g.k; p += 2, to += kRows) {
      const bool both = p + 1 < g.k;
      if (both && g.a_col == 1 && n == kRows) for (long r = 0; r < kRows; r++) to[r] = pair(a + r * g.a_row + p);
      else for (long r = 0; r < kRows; r++) to[r] = r < n ? a[r * g.a_row + p * g.a_col] | (both ? uint32_t(a[r * g.a_row + (p + 1) * g.a_col]) << 16 : 0) : 0;
    }
  }
}
void pack_b(const BfloatGemm& g, uint32_t* to) {
  const long steps = (g.k + 1) / 2;
  for (long j = 0; j < g.n; j += kWide, to += kWide * steps) {
    const uint16_t* b = g.b + j * g.b_col;
    const long n = g.n - j < kWide ? g.n - j : kWide;
    if (g.b_col == 1) {
      for (long p = 0; p < g.k; p += 2)
        for (long q = 0; q < kWide; q += L) {
          const uint16_t* s = b + p * g.b_row + q;
          const Pairs v = joined(load_halves(s, n - q), p + 1 < g.k ? load_halves(s + g.b_row, n - q) : Halves{});
          __builtin_memcpy(to + p / 2 * kWide + q, &v, sizeof v);
        }
      continue;
    }
    for (long q = 0; q < kWide; q += L)
      for (long p = 0; p < steps; p += L) {
        V<float> x[L];
        const bool whole = n - q >= L && 2 * (p + L) <= g.k;
#pragma GCC unroll 16
        for (int i = 0; i < L; i++) {
          const uint16_t* s = b + (q + i) * g.b_col + 2 * p;
          const long count = q + i < n ? g.k - 2 * p : 0;
          if (whole) __builtin_memcpy(&x[i], s, sizeof x[i]);
          else x[i] = V<float>{}, __builtin_memcpy(&x[i], s, size_t(count < 2 * L ? count : 2 * L) * 2);
        }
        transpose<float>(x);
        for (int i = 0; i < L && p + i < steps; i++) __builtin_memcpy(to + (p + i) * kWide + q, &x[i], sizeof x[i]);
      }
  }
}

template <int R, int N> __attribute__((target("avx512bf16"))) void tile(const BfloatGemm& g, const uint32_t* a, const uint32_t* b, float* c, const float* bias,
    long last) {
  V<float> sum[R][N] = {};
#pragma GCC unroll 8
  for (int i = 0; i < R; i++)
    for (int j = 0; j < N; j++) __builtin_prefetch(c + i * g.c_row + j * L);
  for (long p = 0; p < g.k; p += 2, a += kRows, b += kWide) {
    __m512bh row[N];
#pragma GCC unroll 8
    for (int j = 0; j < N; j++) row[j] = (__m512bh)_mm512_loadu_si512(b + j * L);
#pragma GCC unroll 8
    for (int i = 0; i < R; i++) {
      const __m512bh x = (__m512bh)_mm512_set1_epi32(int(a[i]));
#pragma GCC unroll 8
      for (int j = 0; j < N; j++) sum[i][j] = V<float>(_mm512_dpbf16_ps(__m512(sum[i][j]), x, row[j]));
    }
  }
  put_tile(sum, c, g.c_row, bias, g.add, last);
}
template <int R> void row_of_tiles(const BfloatGemm& g, const uint32_t* a, const uint32_t* b, long i, long j) {
  const long n = g.n - j < kWide ? g.n - j : kWide, packets = (n + L - 1) / L, last = n - (packets - 1) * L;
  float* c = g.c + i * g.c_row + j;
  const float* bias = g.bias ? g.bias + j : nullptr;
  if (packets == 1) tile<R, 1>(g, a, b, c, bias, last);
  else if (packets == 2) tile<R, 2>(g, a, b, c, bias, last);
  else tile<R, 3>(g, a, b, c, bias, last);
}
void packed(const BfloatGemm& g, const uint32_t* a_panels, const uint32_t* b_panels) {
  const long steps = (g.k + 1) / 2;
  for (long j = 0; j < g.n; j += kWide)
    for (long i = 0; i < g.m;) {
      const uint32_t *a = a_panels + i / kRows * kRows * steps + i % kRows, *b = b_panels + j * steps;
      const long rest = g.m - i;
      if (rest >= 8) row_of_tiles<8>(g, a, b, i, j), i += 8;
      else if (rest >= 4) row_of_tiles<4>(g, a, b, i, j), i += 4;
      else if (rest >= 2) row_of_tiles<2>(g, a, b, i, j), i += 2;
      else row_of_tiles<1>(g, a, b, i, j), i += 1;
    }
}
// One row, read as it lies: b's rows eight at a time when they are dense, else eight of b's columns.
TG_IN V<float> as_floats(Halves h) { return V<float>(__builtin_convertvector(h, Pairs) << 16); }
TG_IN float as_float(uint16_t h) {
  const uint32_t bits = uint32_t(h) << 16;
  float f;
  __builtin_memcpy(&f, &bits, sizeof f);
  return f;
}
TG_IN __m512bh load_pairs(const uint16_t* s, long n) { return (__m512bh)_mm512_maskz_loadu_epi16(n >= 2 * L ? ~0u : (1u << n) - 1, s); }
template <int C> __attribute__((target("avx512bf16"))) void dots(const BfloatGemm& g, long j) {
  V<float> sum[C] = {};
  for (long p = 0; p < g.k; p += 2 * L) {
    const __m512bh x = load_pairs(g.a + p, g.k - p);
#pragma GCC unroll 8
    for (int q = 0; q < C; q++) sum[q] = V<float>(_mm512_dpbf16_ps(__m512(sum[q]), x, load_pairs(g.b + (j + q) * g.b_col + p, g.k - p)));
  }
  for (int q = 0; q < C; q++) {
    float& c = g.c[j + q];
    c = tree<AddJoin, float, L, 1>(&sum[q]) + (g.add ? c : g.bias ? g.bias[j + q] : 0);
  }
}
void row(const BfloatGemm& g) {
  if (g.b_col != 1) {
    long j = 0;
    for (; j + 8 <= g.n; j += 8) dots<8>(g, j);
    for (; j < g.n; j++) dots<1>(g, j);
    return;
  }
  constexpr int S = 8;
  if (!g.add) for (long j = 0; j < g.n; j++) g.c[j] = g.bias ? g.bias[j] : 0;
  for (long p = 0; p < g.k; p += S) {
    const uint16_t* b[S];
    float a[S];
    for (int s = 0; s < S; s++) {
      const long at = p + s < g.k ? p + s : p;
      b[s] = g.b + at * g.b_row, a[s] = p + s < g.k ? as_float(g.a[at * g.a_col]) : 0;
    }
    for (long j = 0; j < g.n; j += L) {
      V<float> sum = load_part(g.c + j, g.n - j);
#pragma GCC unroll 8
      for (int s = 0; s < S; s++) sum += a[s] * as_floats(load_halves(b[s] + j, g.n - j));
      store_part(g.c + j, sum, g.n - j);
    }
  }
}
constexpr BfloatTable table = {kRows, kWide, row, pack_a, pack_b, packed};

#else
constexpr BfloatTable table = {};
#endif
}  // namespace
}  // namespace TG_NS

constinit const BfloatTable TG_TABLE(gemm_bfloat) = TG_NS::table;

}  // namespace tapegrad
