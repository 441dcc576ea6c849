// The words that op formulas are written in, on plain numbers: debug loops, integers, CUDA. packet.h has the same words for
// packets; on Tensors they are the public ops themselves. Everything is inside TG_NS, so that no two instruction sets
// share an inline function.
#pragma once
#include <math.h>
#include <stdint.h>

#include "src/tensor/host_device.h"
#ifndef TG_NS
#define TG_NS base
#endif

namespace tapegrad { inline namespace TG_NS {

/// A number parameter of an op that also runs on integers: both readings, so that no integer loses bits.
struct Number {
  double d;
  int64_t i;
};
template <class T> TG_HD inline T number(Number v) { return T(v.d); }
template <> TG_HD inline int64_t number<int64_t>(Number v) { return v.i; }
template <> TG_HD inline int32_t number<int32_t>(Number v) { return int32_t(v.i); }
template <> TG_HD inline uint64_t number<uint64_t>(Number v) { return uint64_t(v.i); }

template <class T> TG_HD inline T where(bool m, T a, T b) { return m ? a : b; }

// The functions of <math.h>, by one name for both widths.
#define TG_WORD(name, single, wide)                     \
  TG_HD inline float name(float x) { return single(x); } \
  TG_HD inline double name(double x) { return wide(x); }
TG_WORD(exp, ::expf, ::exp) TG_WORD(exp2, ::exp2f, ::exp2) TG_WORD(expm1, ::expm1f, ::expm1)
TG_WORD(log, ::logf, ::log) TG_WORD(log2, ::log2f, ::log2) TG_WORD(log10, ::log10f, ::log10) TG_WORD(log1p, ::log1pf, ::log1p)
TG_WORD(sqrt, ::sqrtf, ::sqrt) TG_WORD(abs, ::fabsf, ::fabs) TG_WORD(floor, ::floorf, ::floor) TG_WORD(ceil, ::ceilf, ::ceil)
TG_WORD(trunc, ::truncf, ::trunc) TG_WORD(nearest, ::nearbyintf, ::nearbyint)
TG_WORD(sin, ::sinf, ::sin) TG_WORD(cos, ::cosf, ::cos) TG_WORD(tan, ::tanf, ::tan)
TG_WORD(asin, ::asinf, ::asin) TG_WORD(acos, ::acosf, ::acos) TG_WORD(atan, ::atanf, ::atan)
TG_WORD(sinh, ::sinhf, ::sinh) TG_WORD(cosh, ::coshf, ::cosh) TG_WORD(tanh, ::tanhf, ::tanh)
TG_WORD(asinh, ::asinhf, ::asinh) TG_WORD(acosh, ::acoshf, ::acosh) TG_WORD(atanh, ::atanhf, ::atanh)
TG_WORD(erf, ::erff, ::erf) TG_WORD(erfc, ::erfcf, ::erfc)
#undef TG_WORD
#define TG_WORD(name, single, wide)                                 \
  TG_HD inline float name(float a, float b) { return single(a, b); } \
  TG_HD inline double name(double a, double b) { return wide(a, b); }
TG_WORD(pow, ::powf, ::pow) TG_WORD(atan2, ::atan2f, ::atan2) TG_WORD(fmod, ::fmodf, ::fmod) TG_WORD(hypot, ::hypotf, ::hypot)
TG_WORD(copysign, ::copysignf, ::copysign)
#undef TG_WORD

template <class T> TG_HD inline T maximum(T a, T b) { return ((a > b) | (a != a)) ? a : b; }  // NaN wins, as in PyTorch
template <class T> TG_HD inline T minimum(T a, T b) { return ((a < b) | (a != a)) ? a : b; }
/// x within [low, high]; NaN where x or high is.
template <class T> TG_HD inline T clamped(T x, T low, T high) { return minimum(maximum(x, low), high); }
template <class T> TG_HD inline T sigmoid(T x) { return T(1) / (T(1) + exp(-x)); }
template <class T> TG_HD inline T ndtr(T x) { return T(0.5) * (T(1) + erf(x * T(0.70710678118654752440))); }
template <class T> TG_HD inline T zeros_like(const T&) { return T(0); }
template <class T> TG_HD inline const T& real(const T& x) { return x; }  // complex numbers have words of their own
template <class T> TG_HD inline const T& conj(const T& x) { return x; }
template <class T> TG_HD inline bool isnan(T x) { return x != x; }
TG_HD inline bool isposinf(float x) { return x == __builtin_inff(); }
TG_HD inline bool isposinf(double x) { return x == __builtin_inf(); }
TG_HD inline bool isneginf(float x) { return x == -__builtin_inff(); }
TG_HD inline bool isneginf(double x) { return x == -__builtin_inf(); }
template <class I> TG_HD inline bool isposinf(I) { return false; }
template <class I> TG_HD inline bool isneginf(I) { return false; }
template <class T> TG_HD inline bool isinf(T x) { return isposinf(x) || isneginf(x); }
template <class T> TG_HD inline bool isfinite(T x) { return !isnan(x) && !isposinf(x) && !isneginf(x); }
TG_HD inline bool signbit(float x) { return __builtin_signbit(x); }
TG_HD inline bool signbit(double x) { return __builtin_signbit(x); }
TG_HD inline bool signbit(int64_t x) { return x < 0; }
TG_HD inline bool signbit(int32_t x) { return x < 0; }

// Integers: computed in 64 (or 32) bits and truncated at the store, which gives PyTorch's wrap-around for every width.
TG_HD inline int64_t abs(int64_t x) { return x < 0 ? -x : x; }
TG_HD inline int32_t abs(int32_t x) { return x < 0 ? -x : x; }
#define TG_WORD(name)                                   \
  TG_HD inline int64_t name(int64_t x) { return x; }    \
  TG_HD inline int32_t name(int32_t x) { return x; }    \
  TG_HD inline uint64_t name(uint64_t x) { return x; }
TG_WORD(floor) TG_WORD(ceil) TG_WORD(trunc) TG_WORD(nearest)
#undef TG_WORD
// Neither 0 nor INT_MIN / -1 may trap: padding and 0-d blocks may hold anything. The driver reports zeros beforehand.
template <class I> TG_HD inline bool is_minus_one(I b) { return I(-1) < I(0) && b == I(-1); }
template <class I> TG_HD inline I safe_div(I a, I b) { return b == 0 ? 0 : is_minus_one(b) ? -a : a / b; }
template <class I> TG_HD inline I safe_mod(I a, I b) { return b == 0 || is_minus_one(b) ? 0 : a % b; }
TG_HD inline int64_t fmod(int64_t a, int64_t b) { return safe_mod(a, b); }
TG_HD inline int32_t fmod(int32_t a, int32_t b) { return safe_mod(a, b); }
TG_HD inline uint64_t fmod(uint64_t a, uint64_t b) { return safe_mod(a, b); }
template <class T> TG_HD inline T trunc_div(T a, T b) {
  if constexpr (T(0.5) == 0) return safe_div(a, b); else return trunc(a / b);
}
/// a modulo b with the sign of b.
template <class T> TG_HD inline T floor_mod(T a, T b) {
  const T r = fmod(a, b);
  return where((r != T(0)) & ((r < T(0)) != (b < T(0))), r + b, r);
}
/// The largest whole number not above a / b, corrected for the rounding of the quotient as Python does.
template <class T> TG_HD inline T floor_div(T a, T b) {
  if constexpr (T(0.5) == 0) {
    return safe_div(T(a - floor_mod(a, b)), b);
  } else {
    const T m = fmod(a, b), whole = (a - m) / b, down = where((m != T(0)) & ((b < T(0)) != (m < T(0))), whole - T(1), whole);
    const T f = floor(down), q = where(down - f > T(0.5), f + T(1), f);
    return where(b == T(0), a / b, where(down == T(0), copysign(T(0), a / b), q));
  }
}
template <class I> TG_HD inline I int_pow(I a, I b) {
  if constexpr (I(-1) < I(0)) if (b < 0) return a == 1 ? 1 : is_minus_one(a) ? (b & 1 ? -1 : 1) : 0;
  I r = 1;
  for (; b; b >>= 1, a *= a) if (b & 1) r *= a;
  return r;
}
/// Shifts by a negative number or by the width and more are defined, as in PyTorch: nothing but the sign is left.
template <class I> TG_HD inline I shift_left(I a, I b) { return b < 0 || b >= I(sizeof(I) * 8) ? 0 : I(a << b); }
template <class I> TG_HD inline I shift_right(I a, I b) { return a >> (b < 0 || b >= I(sizeof(I) * 8) ? I(sizeof(I) * 8 - 1) : b); }
TG_HD inline uint64_t shift_right(uint64_t a, uint64_t b) { return b >= 64 ? 0 : a >> b; }
TG_HD inline int64_t pow(int64_t a, int64_t b) { return int_pow(a, b); }
TG_HD inline uint64_t pow(uint64_t a, uint64_t b) { return int_pow(a, b); }
TG_HD inline int32_t pow(int32_t a, int32_t b) { return int_pow(a, b); }

}}  // namespace tapegrad
