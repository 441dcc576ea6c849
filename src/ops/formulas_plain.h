// The maths of elementwise ops that have no packet kernels: one number at a time on the CPU (elementwise_more.cpp), like all others on CUDA.
#pragma once
#include "src/ops/formulas.h"
#include "src/ops/numbers.h"

namespace tapegrad { inline namespace TG_NS {

// Euclid's algorithm on magnitudes, as unsigned numbers, since the most negative one has no positive counterpart.
template <class I> concept Whole = std::is_integral_v<I> && !std::is_same_v<I, bool>;
template <Whole I> TG_HD inline uint64_t magnitude(I a) { return a < 0 ? 0 - uint64_t(a) : uint64_t(a); }
template <Whole I> TG_HD inline uint64_t common_divisor(I a, I b) {
  uint64_t x = magnitude(a), y = magnitude(b);
  while (y) {
    const uint64_t rest = x % y;
    x = y, y = rest;
  }
  return x;
}
struct Gcd {
  static constexpr OpTraits traits{"gcd", nullptr, Types::Bitwise};
  template <Whole I> TG_HD I forward(I a, I b) const { return I(common_divisor(a, b)); }
};
struct Lcm {
  static constexpr OpTraits traits{"lcm", nullptr, Types::Bitwise};
  template <Whole I> TG_HD I forward(I a, I b) const {
    const uint64_t g = common_divisor(a, b);
    return g ? I(magnitude(a) / g * magnitude(b)) : I(0);
  }
};

// The neighbour of a 16-bit float: its bits, as a signed magnitude, one up or down.
template <class H> TG_HD inline float next_of_half(float x, float y) {
  if (x != x || y != y) return x + y;
  if (x == y) return y;
  H r = x;
  if (x == 0) r.bits = uint16_t((y < 0 ? 0x8000 : 0) | 1);
  else r.bits = uint16_t(r.bits + ((x < y) == (x > 0) ? 1 : -1));
  return r;
}
struct Nextafter {
  static constexpr OpTraits traits{"nextafter", nullptr, Types::FloatOnly};
  Dtype dtype = Dtype::Float32;  // float16 and bfloat16 come as floats
  TG_HD double forward(double a, double b) const { return ::nextafter(a, b); }
  TG_HD float forward(float a, float b) const {
    if (dtype == Dtype::Float16) return next_of_half<Half>(a, b);
    return dtype == Dtype::BFloat16 ? next_of_half<BFloat>(a, b) : ::nextafterf(a, b);
  }
};

// x as mantissa * 2^power; infinities and NaN have the power 0.
TG_HD inline double mantissa(double x, int& power) { return power = 0, x - x == 0 ? ::frexp(x, &power) : x; }
TG_HD inline float mantissa(float x, int& power) { return power = 0, x - x == 0 ? ::frexpf(x, &power) : x; }
struct FrexpMantissa {
  static constexpr OpTraits traits{"frexp", nullptr, Types::FloatOnly};
  template <class T> TG_HD T forward(T x) const {
    int power;
    return mantissa(x, power);
  }
};
struct FrexpExponent {
  static constexpr OpTraits traits{"frexp", nullptr, Types::FloatOnly};
  template <class T> TG_HD T forward(T x) const {
    int power;
    mantissa(x, power);
    return T(power);
  }
};

using PlainUnaryOps = OpList<FrexpMantissa, FrexpExponent>;
using PlainBinaryOps = OpList<Gcd, Lcm, Nextafter>;

}}  // namespace tapegrad
