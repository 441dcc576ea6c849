// Random bits, and normal numbers made of them by plain IEEE operations: the same for every instruction set and on CUDA, as long as the
// compiler fuses no multiplication with an addition (-ffp-contract=off, nvcc's -fmad=false).
#pragma once
#include <string.h>

#include "src/ops/cpu/scalar.h"

namespace tapegrad { inline namespace TG_NS {

/// Philox4x32-10: the four words of (counter, sub) under the key `seed`.
TG_HD inline void philox(uint64_t seed, uint64_t counter, uint64_t sub, uint32_t* c) {
  c[0] = uint32_t(counter), c[1] = uint32_t(counter >> 32), c[2] = uint32_t(sub), c[3] = uint32_t(sub >> 32);
  uint32_t k0 = uint32_t(seed), k1 = uint32_t(seed >> 32);
  for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
    const uint64_t p = uint64_t(0xD2511F53u) * c[0], q = uint64_t(0xCD9E8D57u) * c[2];
    const uint32_t x = uint32_t(q >> 32) ^ c[1] ^ k0, z = uint32_t(p >> 32) ^ c[3] ^ k1;
    c[0] = x, c[1] = uint32_t(q), c[2] = z, c[3] = uint32_t(p);
  }
}
TG_HD inline float unit24(uint32_t w) { return float(int32_t(w >> 8)) * 5.9604644775390625e-8f; }                       // [0, 1), exact
TG_HD inline double unit53(const uint32_t* w) { return double(uint64_t(w[0] >> 5) << 26 | w[1] >> 6) * 0x1p-53; }  // [0, 1)

/// ln x for x in (0, 1]: atanh series on the fraction in (sqrt(1/2), sqrt(2)].
TG_HD inline float log_unit(float x) {
  int32_t u;
  memcpy(&u, &x, 4);
  int32_t e = (u >> 23) - 127;
  u = (u & 0x7fffff) | 0x3f800000;
  float m;
  memcpy(&m, &u, 4);
  const bool big = m > 1.41421356f;
  m = big ? m * 0.5f : m;
  e = big ? e + 1 : e;
  const float f = m - 1.f, s = f / (2.f + f), z = s * s;
  const float r = z * (0.66666663f + z * (0.40000972f + z * (0.28498787f + z * 0.24279079f))), h = 0.5f * f * f;
  return float(e) * 0.69313812f + (f - (h - (s * (h + r) + float(e) * 9.0580006e-06f)));
}
/// Sine and cosine of 2 pi t, t in [0, 1): quadrant and rest.
TG_HD inline void sincos_turn(float t, float& sine, float& cosine) {
  const float a = t * 4.f;
  const int32_t q = int32_t(a + 0.5f);
  const float r = (a - float(q)) * 1.57079632679f, z = r * r;
  const float s = r + r * z * (-1.6666654611e-1f + z * (8.3321608736e-3f + z * -1.9515295891e-4f));
  const float c = 1.f - 0.5f * z + z * z * (4.166664568298827e-2f + z * (-1.388731625493765e-3f + z * 2.443315711809948e-5f));
  const float p = q & 1 ? c : s, o = q & 1 ? s : c;
  sine = q & 2 ? -p : p;
  cosine = (q + 1) & 2 ? -o : o;
}
/// Box-Muller.
TG_HD inline void normal_pair(uint32_t w0, uint32_t w1, float& a, float& b) {
  float s, c;
  const float r = ::sqrtf(-2.f * log_unit(float(int32_t((w0 >> 8) + 1)) * 5.9604644775390625e-8f));
  sincos_turn(unit24(w1), s, c);
  a = r * c, b = r * s;
}

}}  // namespace tapegrad
