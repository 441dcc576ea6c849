// The 16-bit floats as kernels meet them: read as float, rounded when written (to nearest, ties to even), one number or a packet
// at a time.
#pragma once
#include "src/ops/cpu/packet.h"
#include "src/ops/cpu/shuffle.h"

namespace tapegrad { inline namespace TG_NS {

struct Half { uint16_t u; };
struct Brain { uint16_t u; };
template <class S> constexpr bool is_half = __is_same(S, Half) || __is_same(S, Brain);

/// For F = float or a packet of them: its bits, and the words that its elements are stored in.
template <class F> struct HalvesOf {
  static constexpr int lanes = sizeof(F) / 4;
  typedef uint32_t Bits __attribute__((vector_size(sizeof(F))));
  typedef uint16_t Words __attribute__((vector_size(sizeof(F) / 2)));
};
template <> struct HalvesOf<float> {
  using Bits = uint32_t;
  using Words = uint16_t;
};
template <class Bits, class Words> TG_IN Bits bits_of(Words w) {
#if defined(__AVX512F__)
  if constexpr (sizeof(Bits) == 64) return (Bits)_mm512_cvtepu16_epi32((__m256i)w);  // GCC 12 makes five instructions of the conversion
#endif
#if defined(__AVX2__)
  if constexpr (sizeof(Bits) == 32) return (Bits)_mm256_cvtepu16_epi32((__m128i)w);
#endif
  if constexpr (sizeof(Bits) == 4) return w; else return __builtin_convertvector(w, Bits);
}
template <class Words, class Bits> TG_IN Words low_words(Bits b) {
  if constexpr (sizeof(Bits) == 4) return Words(b); else return __builtin_convertvector(b, Words);
}

template <class Words, class Bits> TG_IN Words high_words(Bits b) {
#if defined(__AVX512F__)
  if constexpr (sizeof(Bits) == 64) {  // one shuffle, no shift
    typedef uint16_t All __attribute__((vector_size(64)));
    return (Words)_mm512_castsi512_si256((__m512i)every_second<1>((All)b, (All)b));
  }
#endif
  return low_words<Words>(b >> 16);
}

template <class F> TG_IN F widened(Brain, typename HalvesOf<F>::Words w) { return __builtin_bit_cast(F, bits_of<typename HalvesOf<F>::Bits>(w) << 16); }
// By integer arithmetic, for processors without instructions for it: long, so not inline.
template <class F> [[gnu::noinline]] F widened_half(typename HalvesOf<F>::Words w) {
  using Bits = typename HalvesOf<F>::Bits;
  const Bits u = bits_of<Bits>(w), sign = (u & 0x8000) << 16, rest = (u & 0x7fff) << 13;
  const Bits normal = rest + 0x38000000, small = rest + 0x38800000;  // subnormal: its leading 1 is taken off again
  const Bits tiny = __builtin_bit_cast(Bits, __builtin_bit_cast(F, small) - 6.103515625e-5f);
  return __builtin_bit_cast(F, sign | (rest < 0x800000 ? tiny : rest < 0x0f800000 ? normal : normal + 0x38000000));
}
template <class F> [[gnu::noinline]] typename HalvesOf<F>::Words narrowed_half(F x) {
  using Bits = typename HalvesOf<F>::Bits;
  const Bits u = __builtin_bit_cast(Bits, x), sign = u >> 16 & 0x8000, a = u & 0x7fffffff, none = Bits{};
  const Bits tiny = __builtin_bit_cast(Bits, __builtin_bit_cast(F, a) + 0.5f) - 0x3f000000;  // subnormal: the sum's rounding does the work
  const Bits normal = (a - 0x38000000 + 0xfff + (a >> 13 & 1)) >> 13;
  return low_words<typename HalvesOf<F>::Words>(sign | (a > 0x7f800000 ? none + 0x7e00 : a >= 0x477ff000 ? none + 0x7c00 : a < 0x38800000 ? tiny : normal));
}
template <class F> TG_IN F widened(Half, typename HalvesOf<F>::Words w) {
#if defined(__F16C__)
  if constexpr (sizeof(F) == 4) return _cvtsh_ss(w);
  if constexpr (sizeof(F) == 32) return (F)_mm256_cvtph_ps((__m128i)w);
#endif
#if defined(__AVX512F__)
  if constexpr (sizeof(F) == 64) return (F)_mm512_cvtph_ps((__m256i)w);
#endif
  return widened_half<F>(w);
}
template <class F> TG_IN typename HalvesOf<F>::Words narrowed(Brain, F x) {
  using Bits = typename HalvesOf<F>::Bits;
  const Bits u = __builtin_bit_cast(Bits, x), none{}, v = x == x ? u : none + 0x7fc00000;
  Bits rounded = v + (0x7fff + (v >> 16 & 1));
#if defined(__AVX512F__)
  if constexpr (sizeof(F) == 64) {  // where the last bit is 1, another number is added: two instructions less
    const __mmask16 odd = _mm512_test_epi32_mask((__m512i)v, _mm512_set1_epi32(0x10000));
    rounded = (Bits)_mm512_mask_add_epi32((__m512i)(v + 0x7fff), odd, (__m512i)v, _mm512_set1_epi32(0x8000));
  }
#endif
  return high_words<typename HalvesOf<F>::Words>(rounded);
}
template <class F> TG_IN typename HalvesOf<F>::Words narrowed(Half, F x) {
#if defined(__F16C__)
  if constexpr (sizeof(F) == 4) return _cvtss_sh(x, 0);
  if constexpr (sizeof(F) == 32) return (typename HalvesOf<F>::Words)_mm256_cvtps_ph((__m256)x, 0);
#endif
#if defined(__AVX512F__)
  if constexpr (sizeof(F) == 64) return (typename HalvesOf<F>::Words)_mm512_cvtps_ph((__m512)x, 0);
#endif
  return narrowed_half(x);
}

/// Like get and put of lanes.h: F is float or a packet.
template <class F, class S> requires is_half<S> TG_IN F get(const S* x) {
  typename HalvesOf<F>::Words w;
  __builtin_memcpy(&w, x, sizeof w);
  return widened<F>(S{}, w);
}
template <class F, class S> requires is_half<S> TG_IN void put(S* x, F v) {
  const auto w = narrowed(S{}, v);
  __builtin_memcpy(x, &w, sizeof w);
}
/// … of the first `count` lanes of a packet; the others are 0.
template <class Words> [[gnu::noinline]] Words some_words(const uint16_t* x, int count) {
  Words w{};
  for (int l = 0; l < count; l++) w[l] = x[l];
  return w;
}
template <class Words> [[gnu::noinline]] void put_some_words(uint16_t* x, int count, Words w) {
  for (int l = 0; l < count; l++) x[l] = w[l];
}
template <class F, class S> TG_IN F get_part(const S* x, int count) {
  using Words = typename HalvesOf<F>::Words;
#if defined(__AVX512F__)
  if constexpr (sizeof(F) == 64) return widened<F>(S{}, (Words)_mm256_maskz_loadu_epi16(__mmask16((1u << count) - 1), x));
#endif
  return widened<F>(S{}, some_words<Words>(&x->u, count));
}
template <class F, class S> TG_IN void put_part(S* x, int count, F v) {
  const auto w = narrowed(S{}, v);
#if defined(__AVX512F__)
  if constexpr (sizeof(F) == 64) return _mm256_mask_storeu_epi16(x, __mmask16((1u << count) - 1), (__m256i)w);
#endif
  put_some_words(&x->u, count, w);
}

}}  // namespace tapegrad
