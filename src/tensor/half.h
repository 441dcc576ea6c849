// float16 and bfloat16 as 16 stored bits, converted one number at a time. Kernels have their own packet versions.
#pragma once
#include <cstdint>
#include <cstring>

namespace tapegrad {

inline float half_to_float(uint16_t h) {
  const uint32_t sign = uint32_t(h & 0x8000) << 16, mantissa = h & 0x3ff;
  const int exponent = h >> 10 & 31;
  uint32_t bits;
  if (exponent == 31) bits = sign | 0x7f800000 | mantissa << 13;
  else if (exponent) bits = sign | uint32_t(exponent + 112) << 23 | mantissa << 13;
  else {  // zero and subnormals: exact in float
    const float tiny = float(mantissa) * 0x1p-24f;
    std::memcpy(&bits, &tiny, 4);
    bits |= sign;
  }
  float f;
  std::memcpy(&f, &bits, 4);
  return f;
}
inline uint16_t float_to_half(float f) {  // to nearest even; overflow to infinity; NaN stays NaN
  uint32_t u;
  std::memcpy(&u, &f, 4);
  const uint16_t sign = uint16_t(u >> 16 & 0x8000);
  u &= 0x7fffffff;
  if (u > 0x7f800000) return sign | 0x7e00;
  if (u >= 0x477ff000) return sign | 0x7c00;
  if (u < 0x38800000) {  // subnormal: let float addition round at the right place
    float x;
    std::memcpy(&x, &u, 4);
    x += 0.5f;
    std::memcpy(&u, &x, 4);
    return sign | uint16_t(u - 0x3f000000);
  }
  return sign | uint16_t((u - 0x38000000 + 0xfff + (u >> 13 & 1)) >> 13);
}
inline float bfloat_to_float(uint16_t b) {
  const uint32_t u = uint32_t(b) << 16;
  float f;
  std::memcpy(&f, &u, 4);
  return f;
}
inline uint16_t float_to_bfloat(float f) {
  uint32_t u;
  std::memcpy(&u, &f, 4);
  return f != f ? 0x7fc0 : uint16_t((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

}  // namespace tapegrad
