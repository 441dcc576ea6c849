// Casting loads and stores: the only kernels that know all dtypes. The others compute in five types.
#include "src/ops/cpu/elementwise.h"
#include "src/ops/cpu/scalar.h"
#ifdef __SSE4_2__
#include <immintrin.h>
#endif

namespace tapegrad { inline namespace TG_NS {

struct Half { uint16_t u; };
struct Brain { uint16_t u; };
struct Boolean { uint8_t u; };

inline float widen(Half h) {
#ifdef __F16C__
  return _cvtsh_ss(h.u);
#else
  const uint32_t sign = uint32_t(h.u & 0x8000) << 16, e = h.u >> 10 & 31, m = h.u & 1023;
  if (e == 0) return (sign ? -1.f : 1.f) * float(m) * 5.9604644775390625e-8f;  // subnormal: m 2^-24
  const uint32_t u = sign | (e == 31 ? 255u : e + 112) << 23 | m << 13;
  float f;
  __builtin_memcpy(&f, &u, 4);
  return f;
#endif
}
inline float widen(Brain h) {
  const uint32_t u = uint32_t(h.u) << 16;
  float f;
  __builtin_memcpy(&f, &u, 4);
  return f;
}
inline uint8_t widen(Boolean b) { return b.u; }
template <class T> inline T widen(T x) { return x; }

// Rounding to nearest, ties to even.
inline void narrow(float x, Half& h) {
#ifdef __F16C__
  h.u = _cvtss_sh(x, 0);
#else
  uint32_t u;
  __builtin_memcpy(&u, &x, 4);
  const uint32_t sign = u >> 16 & 0x8000, a = u & 0x7fffffff;
  if (a > 0x7f800000) { h.u = uint16_t(sign | 0x7e00); return; }
  if (a >= 0x477ff000) { h.u = uint16_t(sign | 0x7c00); return; }
  if (a < 0x38800000) {  // subnormal: the sum's rounding does the work
    float f;
    __builtin_memcpy(&f, &a, 4);
    f += 0.5f;
    uint32_t r;
    __builtin_memcpy(&r, &f, 4);
    h.u = uint16_t(sign | (r - 0x3f000000));
    return;
  }
  h.u = uint16_t(sign | ((a - 0x38000000 + 0xfff + (a >> 13 & 1)) >> 13));
#endif
}
inline void narrow(float x, Brain& h) {
  uint32_t u;
  __builtin_memcpy(&u, &x, 4);
  h.u = x != x ? uint16_t((u >> 16 & 0x8000) | 0x7fc0) : uint16_t((u + 0x7fff + (u >> 16 & 1)) >> 16);
}
template <class X> inline void narrow(X x, Half& h) { narrow(float(x), h); }
template <class X> inline void narrow(X x, Brain& h) { narrow(float(x), h); }
template <class X> inline void narrow(X x, Boolean& b) { b.u = x != 0; }
template <class X, class T> inline void narrow(X x, T& t) {
  if constexpr (X(0.5) != 0 && sizeof(T) < 4) t = T(int64_t(x));  // float to small integer wraps, as in PyTorch
  else t = static_cast<T>(x);
}

template <class S, class C> void load(const char* s, int64_t stride, int64_t n, char* dst) {
  C* d = reinterpret_cast<C*>(dst);
  auto cast = [](S v) -> C { if constexpr (sizeof(C) == 1) return widen(v) != 0; else return static_cast<C>(widen(v)); };
  const S* x = reinterpret_cast<const S*>(s);
#ifdef __AVX512F__
  if constexpr (__is_same(S, Half) && __is_same(C, float))
    if (stride == 2)
      for (; n >= 16; n -= 16, x += 16, d += 16) _mm512_storeu_ps(d, _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i*)x)));
#endif
#ifdef __F16C__
  if constexpr (__is_same(S, Half) && __is_same(C, float))
    if (stride == 2)
      for (; n >= 8; n -= 8, x += 8, d += 8) _mm256_storeu_ps(d, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)x)));
#endif
  if (stride == int64_t(sizeof(S))) {
    for (int64_t i = 0; i < n; i++) d[i] = cast(x[i]);
  } else if (stride == 0) {
    const C v = n ? cast(*x) : C();
    for (int64_t i = 0; i < n; i++) d[i] = v;
  } else {
    for (int64_t i = 0; i < n; i++) d[i] = cast(*reinterpret_cast<const S*>(s + i * stride));
  }
}
template <class C, class D> void store(const char* src, char* d, int64_t stride, int64_t n) {
  const C* s = reinterpret_cast<const C*>(src);
  D* y = reinterpret_cast<D*>(d);
#ifdef __AVX512F__
  if constexpr (__is_same(D, Half) && __is_same(C, float))
    if (stride == 2) for (; n >= 16; n -= 16, s += 16, y += 16) _mm256_storeu_si256((__m256i*)y, _mm512_cvtps_ph(_mm512_loadu_ps(s), 0));
#endif
#ifdef __F16C__
  if constexpr (__is_same(D, Half) && __is_same(C, float))
    if (stride == 2) for (; n >= 8; n -= 8, s += 8, y += 8) _mm_storeu_si128((__m128i*)y, _mm256_cvtps_ph(_mm256_loadu_ps(s), 0));
#endif
  if (stride == int64_t(sizeof(D))) for (int64_t i = 0; i < n; i++) narrow(s[i], y[i]);
  else for (int64_t i = 0; i < n; i++) narrow(s[i], *reinterpret_cast<D*>(reinterpret_cast<char*>(y) + i * stride));
}

template <class S> constexpr void fill_row(LoadFn (&to)[kComputes]) {
  to[0] = load<S, float>, to[1] = load<S, double>, to[2] = load<S, int64_t>, to[3] = load<S, int32_t>, to[4] = load<S, uint8_t>;
}
template <class C> constexpr void fill_row(StoreFn (&to)[kStoredDtypes]) {
  to[0] = store<C, Boolean>, to[1] = store<C, uint8_t>, to[2] = store<C, int8_t>, to[3] = store<C, int16_t>,
      to[4] = store<C, int32_t>;
  to[5] = store<C, int64_t>, to[6] = store<C, Half>, to[7] = store<C, Brain>, to[8] = store<C, float>, to[9] = store<C, double>;
}
constexpr CastTable make_casts() {
  CastTable t{};
  fill_row<Boolean>(t.load[0]), fill_row<uint8_t>(t.load[1]), fill_row<int8_t>(t.load[2]), fill_row<int16_t>(t.load[3]);
  fill_row<int32_t>(t.load[4]), fill_row<int64_t>(t.load[5]), fill_row<Half>(t.load[6]), fill_row<Brain>(t.load[7]);
  fill_row<float>(t.load[8]), fill_row<double>(t.load[9]);
  fill_row<float>(t.store[0]), fill_row<double>(t.store[1]), fill_row<int64_t>(t.store[2]), fill_row<int32_t>(t.store[3]);
  fill_row<uint8_t>(t.store[4]);
  return t;
}

}

extern "C" const CastTable TG_TABLE(casts);
constinit const CastTable TG_TABLE(casts) = make_casts();

}  // namespace tapegrad
