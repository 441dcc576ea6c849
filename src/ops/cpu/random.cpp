// Compiled without FMA contraction (cmake/Kernels.cmake): normals are made of plain IEEE operations, so they have the same bits
// for every instruction set and on CUDA.
#include "src/ops/cpu/random.h"

#include "src/ops/cpu/shuffle.h"
#include "src/ops/cpu/table.h"
#include "src/ops/formulas_random.h"
#ifdef __SSE2__
#include <immintrin.h>
#endif

namespace tapegrad { inline namespace TG_NS { namespace {

// Packets of 64-bit lanes whose low halves are the 32-bit words: the multiply wants them so. High halves hold rubbish.
#if defined(__AVX512F__)
using U = __m512i;
constexpr int kLanes = 8;
inline U mul(U a, U b) { return _mm512_mul_epu32(a, b); }
inline U sum(U a, U b) { return _mm512_add_epi64(a, b); }
inline U bits(U a, U b, U c) { return _mm512_ternarylogic_epi64(a, b, c, 0x96); }  // exclusive or
inline U high(U a) { return _mm512_srli_epi64(a, 32); }
inline U all(uint64_t x) { return _mm512_set1_epi64(int64_t(x)); }
#elif defined(__AVX2__)
using U = __m256i;
constexpr int kLanes = 4;
inline U mul(U a, U b) { return _mm256_mul_epu32(a, b); }
inline U sum(U a, U b) { return _mm256_add_epi64(a, b); }
inline U bits(U a, U b, U c) { return _mm256_xor_si256(_mm256_xor_si256(a, b), c); }
inline U high(U a) { return _mm256_srli_epi64(a, 32); }
inline U all(uint64_t x) { return _mm256_set1_epi64x(int64_t(x)); }
#elif defined(__SSE2__)
using U = __m128i;
constexpr int kLanes = 2;
inline U mul(U a, U b) { return _mm_mul_epu32(a, b); }
inline U sum(U a, U b) { return _mm_add_epi64(a, b); }
inline U bits(U a, U b, U c) { return _mm_xor_si128(_mm_xor_si128(a, b), c); }
inline U high(U a) { return _mm_srli_epi64(a, 32); }
inline U all(uint64_t x) { return _mm_set1_epi64x(int64_t(x)); }
#else
using U = uint64_t;
constexpr int kLanes = 1;
inline U mul(U a, U b) { return uint64_t(uint32_t(a)) * uint32_t(b); }
inline U sum(U a, U b) { return a + b; }
inline U bits(U a, U b, U c) { return a ^ b ^ c; }
inline U high(U a) { return a >> 32; }
inline U all(uint64_t x) { return x; }
#endif

inline U joined(U low, U high) { return (low & all(0xffffffffu)) | (high << 32); }
// The lanes of a and b in turn.
#if defined(__SSE2__)
inline void in_order(U a, U b, U* r) { r[0] = in_turn<false>(a, b), r[1] = in_turn<true>(a, b); }
#else
inline void in_order(U a, U b, U* r) { r[0] = a, r[1] = b; }
#endif

void words(uint64_t seed, uint64_t counter, int64_t blocks, uint32_t* out) {
  constexpr int kRounds = 10, kPackets = kLanes == 8 ? 4 : 2, kGroup = kPackets * kLanes;  // as many hide the multiply's latency
  const U m0 = all(0xD2511F53u), m1 = all(0xCD9E8D57u);
  uint64_t keys[kRounds][2];
  uint32_t k0 = uint32_t(seed), k1 = uint32_t(seed >> 32);
  for (int r = 0; r < kRounds; r++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) keys[r][0] = k0, keys[r][1] = k1;
  uint64_t lane[kLanes];
  for (int i = 0; i < kLanes; i++) lane[i] = uint64_t(i);
  U lanes;
  __builtin_memcpy(&lanes, lane, sizeof lanes);
  for (int64_t b = 0; b < blocks; b += kGroup) {
    U x[kPackets], y[kPackets], z[kPackets], w[kPackets];
    for (int h = 0; h < kPackets; h++) {
      x[h] = sum(all(counter + uint64_t(b + h * kLanes)), lanes), y[h] = high(x[h]);
      z[h] = w[h] = all(0);
    }
    for (int r = 0; r < kRounds; r++)
      for (int h = 0; h < kPackets; h++) {
        const U p = mul(m0, x[h]), q = mul(m1, z[h]);
        x[h] = bits(high(q), y[h], all(keys[r][0])), y[h] = q;
        z[h] = bits(high(p), w[h], all(keys[r][1])), w[h] = p;
      }
    U r[2 * kPackets];  // the words in order: x, y, z, w of a block
    for (int h = 0; h < kPackets; h++) in_order(joined(x[h], y[h]), joined(z[h], w[h]), r + 2 * h);
    const int64_t n = blocks - b < kGroup ? blocks - b : kGroup;
    if (n == kGroup) __builtin_memcpy(out + 4 * b, r, sizeof r);
    else __builtin_memcpy(out + 4 * b, r, size_t(n) * 16);
  }
}

void uniform(const uint32_t* w, int64_t n, float* out) {
  for (int64_t i = 0; i < n; i++) out[i] = unit24(w[i]);
}

void normal(const uint32_t* w, int64_t n, float* out) {
  for (int64_t i = 0; i < n; i += 2) normal_pair(w[i], w[i + 1], out[i], out[i + 1]);
}

void chance(const uint32_t* w, uint32_t threshold, int64_t n, float* y) {
  for (int64_t i = 0; i < n; i++) y[i] = (w[i] >> 8) < threshold ? 1.f : 0.f;
}
void dropout(const uint32_t* w, uint32_t threshold, float scale, const float* x, int64_t n, float* y, uint8_t* keep) {
  for (int64_t i = 0; i < n; i++) {
    const bool k = (w[i] >> 8) >= threshold;
    y[i] = k ? x[i] * scale : 0.f;
    keep[i] = k;
  }
}

}  // namespace
}  // namespace TG_NS

extern "C" const RandomTable TG_TABLE(random);
constinit const RandomTable TG_TABLE(random) = {words, uniform, normal, chance, dropout};

}  // namespace tapegrad
