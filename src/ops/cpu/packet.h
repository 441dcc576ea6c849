// SIMD packets on GCC/Clang vector extensions: Vec<T, N>, its Mask, and the words of scalar.h on them. One text for every
// instruction set; the few intrinsics (sqrt, rounding) are chosen by width. Functions with packet code of their own are in
// packet_math.h and packet_trig.h, the others go lane by lane to libm.
#pragma once
#include "src/ops/cpu/scalar.h"
#include "src/ops/cpu/special.h"
#ifdef __SSE4_2__
#include <immintrin.h>
#endif

namespace tapegrad { inline namespace TG_NS {

#define TG_IN inline __attribute__((always_inline))
#define TG_V template <class T, int N> TG_IN

template <class T> struct IntOf { using type = int64_t; };
template <> struct IntOf<float> { using type = int32_t; };
template <class T, int N> struct Mask {
  typedef typename IntOf<T>::type Raw __attribute__((vector_size(N * sizeof(T))));
  Raw v;
};
template <class T, int N> struct Vec {
  typedef T Raw __attribute__((vector_size(N * sizeof(T))));
  using Int = typename Mask<T, N>::Raw;
  static constexpr int lanes = N;
  Raw v;
  Vec() = default;
  TG_IN Vec(Raw r) : v(r) {}
  TG_IN explicit Vec(double c) : v((T)c - Raw{}) {}
  TG_IN static Vec bits(Int i) { return Vec((Raw)i); }
  TG_IN Int bits() const { return (Int)v; }
};

#define TG_OP(op) TG_V Vec<T, N> operator op(Vec<T, N> a, Vec<T, N> b) { return a.v op b.v; }
TG_OP(+) TG_OP(-) TG_OP(*) TG_OP(/)
#undef TG_OP
#define TG_OP(op) TG_V Mask<T, N> operator op(Vec<T, N> a, Vec<T, N> b) { return {a.v op b.v}; }
TG_OP(<) TG_OP(>) TG_OP(<=) TG_OP(>=) TG_OP(==) TG_OP(!=)
#undef TG_OP
TG_V Vec<T, N> operator-(Vec<T, N> a) { return -a.v; }
TG_V Mask<T, N> operator&(Mask<T, N> a, Mask<T, N> b) { return {a.v & b.v}; }
TG_V Mask<T, N> operator|(Mask<T, N> a, Mask<T, N> b) { return {a.v | b.v}; }
TG_V Mask<T, N> operator!=(Mask<T, N> a, Mask<T, N> b) { return {a.v ^ b.v}; }
TG_V Mask<T, N> operator==(Mask<T, N> a, Mask<T, N> b) { return {~(a.v ^ b.v)}; }
TG_V Vec<T, N> where(Mask<T, N> m, Vec<T, N> a, Vec<T, N> b) { return m.v ? a.v : b.v; }
TG_V Vec<T, N> zeros_like(Vec<T, N>) { return Vec<T, N>(0); }

template <class T> constexpr typename IntOf<T>::type kSign = typename IntOf<T>::type(1) << (sizeof(T) * 8 - 1);
TG_V Vec<T, N> abs(Vec<T, N> x) { return Vec<T, N>::bits(x.bits() & ~kSign<T>); }
TG_V Vec<T, N> copysign(Vec<T, N> x, Vec<T, N> s) { return Vec<T, N>::bits((x.bits() & ~kSign<T>) | (s.bits() & kSign<T>)); }
TG_V Mask<T, N> signbit(Vec<T, N> x) { return {x.bits() < 0}; }
TG_V Mask<T, N> isnan(Vec<T, N> x) { return x != x; }
TG_V Mask<T, N> isposinf(Vec<T, N> x) { return x == Vec<T, N>(__builtin_inf()); }
TG_V Mask<T, N> isneginf(Vec<T, N> x) { return x == Vec<T, N>(-__builtin_inf()); }
TG_V Mask<T, N> isinf(Vec<T, N> x) { return abs(x) == Vec<T, N>(__builtin_inf()); }
TG_V Mask<T, N> isfinite(Vec<T, N> x) { return abs(x) < Vec<T, N>(__builtin_inf()); }
/// The larger and the smaller of two; b where they are equal or one is NaN.
TG_V Vec<T, N> larger(Vec<T, N> a, Vec<T, N> b) { return where(a > b, a, b); }
TG_V Vec<T, N> smaller(Vec<T, N> a, Vec<T, N> b) { return where(a < b, a, b); }
TG_V Vec<T, N> maximum(Vec<T, N> a, Vec<T, N> b) { return where(a != a, a, larger(a, b)); }
TG_V Vec<T, N> minimum(Vec<T, N> a, Vec<T, N> b) { return where(a != a, a, smaller(a, b)); }
TG_V Vec<T, N> clamped(Vec<T, N> x, Vec<T, N> low, Vec<T, N> high) { return where(x != x, x, smaller(larger(x, low), high)); }
/// x within [low, high]; NaN stays.
TG_V Vec<T, N> limited(Vec<T, N> x, double low, double high) { return smaller(Vec<T, N>(high), larger(Vec<T, N>(low), x)); }
/// Is any lane set?
TG_V bool any(Mask<T, N> m) {
#if defined(__AVX512F__)
  if constexpr (sizeof m == 64) return _mm512_movepi32_mask((__m512i)m.v) != 0;
#elif defined(__AVX2__)
  if constexpr (sizeof m == 32) return _mm256_movemask_epi8((__m256i)m.v) != 0;
#elif defined(__SSE4_2__)
  if constexpr (sizeof m == 16) return _mm_movemask_epi8((__m128i)m.v) != 0;
#endif
  typename IntOf<T>::type r = 0;
  for (int i = 0; i < N; i++) r |= m.v[i];
  return r;
}

// sqrt, rounding to whole numbers, and the larger of two: an instruction each.
#ifdef __SSE4_2__
#define TG_WIDE(prefix, T, N, ps)                                                             \
  TG_IN Vec<T, N> sqrt(Vec<T, N> x) { return Vec<T, N>::Raw(prefix##_sqrt_##ps(x.v)); }         \
  TG_IN Vec<T, N> larger(Vec<T, N> a, Vec<T, N> b) { return Vec<T, N>::Raw(prefix##_max_##ps(a.v, b.v)); }  \
  TG_IN Vec<T, N> smaller(Vec<T, N> a, Vec<T, N> b) { return Vec<T, N>::Raw(prefix##_min_##ps(a.v, b.v)); } \
  template <int mode> TG_IN Vec<T, N> rounded(Vec<T, N> x) {                                    \
    return Vec<T, N>::Raw(TG_ROUND(prefix, ps)(x.v, mode | _MM_FROUND_NO_EXC));                 \
  }
#if defined(__AVX512F__)
TG_IN Vec<float, 16> scaled(Vec<float, 16> y, Vec<float, 16> k) { return Vec<float, 16>::Raw(_mm512_scalef_ps(y.v, k.v)); }  // y 2^k
TG_IN Vec<double, 8> scaled(Vec<double, 8> y, Vec<double, 8> k) { return Vec<double, 8>::Raw(_mm512_scalef_pd(y.v, k.v)); }
#define TG_ROUND(prefix, ps) prefix##_roundscale_##ps
TG_WIDE(_mm512, float, 16, ps) TG_WIDE(_mm512, double, 8, pd)
#elif defined(__AVX2__)
#define TG_ROUND(prefix, ps) prefix##_round_##ps
TG_WIDE(_mm256, float, 8, ps) TG_WIDE(_mm256, double, 4, pd)
#else
#define TG_ROUND(prefix, ps) prefix##_round_##ps
TG_WIDE(_mm, float, 4, ps) TG_WIDE(_mm, double, 2, pd)
#endif
#undef TG_WIDE
#undef TG_ROUND
TG_V Vec<T, N> nearest(Vec<T, N> x) { return rounded<_MM_FROUND_TO_NEAREST_INT>(x); }
TG_V Vec<T, N> floor(Vec<T, N> x) { return rounded<_MM_FROUND_TO_NEG_INF>(x); }
TG_V Vec<T, N> ceil(Vec<T, N> x) { return rounded<_MM_FROUND_TO_POS_INF>(x); }
TG_V Vec<T, N> trunc(Vec<T, N> x) { return rounded<_MM_FROUND_TO_ZERO>(x); }
#endif

// One lane at a time.
template <class F, class T, int N> TG_IN Vec<T, N> each_lane(F f, Vec<T, N> a) {
  for (int i = 0; i < N; i++) a.v[i] = f(a.v[i]);
  return a;
}
template <class F, class T, int N> TG_IN Vec<T, N> each_lane(F f, Vec<T, N> a, Vec<T, N> b) {
  for (int i = 0; i < N; i++) a.v[i] = f(a.v[i], b.v[i]);
  return a;
}
#define TG_WORD(name) TG_V Vec<T, N> name(Vec<T, N> a) { return each_lane([](T x) { return name(x); }, a); }
TG_WORD(erfinv) TG_WORD(lgamma) TG_WORD(digamma)
#undef TG_WORD
TG_V Vec<T, N> polygamma(int n, Vec<T, N> a) { return each_lane([n](T x) { return polygamma(n, x); }, a); }
TG_V Vec<T, N> trunc_div(Vec<T, N> a, Vec<T, N> b) { return trunc(a / b); }

}}  // namespace tapegrad
