// What matrix products of all types share: the tile that the registers hold, packets of fewer numbers, and transposed packets.
#pragma once
#include <utility>

#include "src/ops/cpu/lanes.h"

namespace tapegrad { inline namespace TG_NS {

template <class T> using V = typename Packet<T, kLanes<T>>::type;
// The tile: what the registers hold beside a row of b and a number of a.
constexpr int kRows = TG_VECTOR_BYTES == 64 ? 8 : 4, kPackets = TG_VECTOR_BYTES == 16 ? 2 : 3;
template <class T> constexpr long kColumns = kPackets * kLanes<T>;

// The first n lanes of a packet, 0 in the others; n may exceed the packet.
template <class T> TG_IN V<T> load_part(const T* s, long n) {
#if defined(__AVX512F__)
  const uint32_t mask = n < kLanes<T> ? (1u << n) - 1 : ~0u;
  if constexpr (sizeof(T) == 4) return V<T>(_mm512_maskz_loadu_ps(__mmask16(mask), s));
  else return V<T>(_mm512_maskz_loadu_pd(__mmask8(mask), s));
#else
  if (n >= kLanes<T>) return get<V<T>>(s);
  V<T> v = {};
  for (int i = 0; i < kLanes<T>; i++) if (i < n) v[i] = s[i];
  return v;
#endif
}
template <class T> TG_IN void store_part(T* to, V<T> v, long n) {
#if defined(__AVX512F__)
  const uint32_t mask = n < kLanes<T> ? (1u << n) - 1 : ~0u;
  if constexpr (sizeof(T) == 4) _mm512_mask_storeu_ps(to, __mmask16(mask), __m512(v));
  else _mm512_mask_storeu_pd(to, __mmask8(mask), __m512d(v));
#else
  if (n >= kLanes<T>) return put(to, v);
  for (int i = 0; i < kLanes<T>; i++) if (i < n) to[i] = v[i];
#endif
}

// For two packets whose lanes come in groups of 2 H: the first halves of both, or the second ones.
template <int H, bool second, class P> TG_IN P halves(P a, P b) {
  return [&]<int... I>(std::integer_sequence<int, I...>) {
    constexpr int L = sizeof...(I);
    return shuffled<((I & H) ? L + I - (second ? 0 : H) : I + (second ? H : 0))...>(a, b);
  }(std::make_integer_sequence<int, sizeof(P) / sizeof(a[0])>());
}
// x[i][j] = x[j][i] for as many packets as a packet has lanes.
template <class T, int H = kLanes<T> / 2> TG_IN void transpose(V<T>* x) {
#pragma GCC unroll 16
  for (int i = 0; i < kLanes<T>; i++) {
    if (i & H) continue;
    const V<T> a = x[i], b = x[i + H];
    x[i] = halves<H, false>(a, b), x[i + H] = halves<H, true>(a, b);
  }
  if constexpr (H > 1) transpose<T, H / 2>(x);
}
// Lane i becomes the sum of the lanes of x[i].
template <class T, int H = kLanes<T> / 2> TG_IN V<T> sums(V<T>* x) {
#pragma GCC unroll 16
  for (int i = 0; i < H; i++) x[i] = halves<H, false>(x[i], x[i + H]) + halves<H, true>(x[i], x[i + H]);
  if constexpr (H > 1) return sums<T, H / 2>(x);
  else return x[0];
}

}}  // namespace tapegrad
