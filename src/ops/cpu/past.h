// Results written past the caches: whole lines by non-temporal stores, which need no read of the memory that they overwrite.
// After the last one of a piece of work: MoveTable::fence.
#pragma once
#include "src/ops/cpu/lanes.h"

namespace tapegrad { inline namespace TG_NS {

/// y is aligned to what the packet v takes in memory.
template <class C, class V> TG_IN void put_past(C* y, V v) {
#if defined(__SSE4_2__)
  if constexpr (is_half<C>) {
    const auto w = narrowed(C{}, v);
    if constexpr (sizeof w == 8) return _mm_stream_si64((long long*)y, (long long)w);
    else return put_past(reinterpret_cast<char*>(y), w);
  }
  if constexpr (sizeof v == 16) return _mm_stream_si128((__m128i*)y, (__m128i)v);
#if defined(__AVX2__)
  if constexpr (sizeof v == 32) return _mm256_stream_si256((__m256i*)y, (__m256i)v);
#endif
#if defined(__AVX512F__)
  if constexpr (sizeof v == 64) return _mm512_stream_si512((__m512i*)y, (__m512i)v);
#endif
#else
  put(y, v);
#endif
}
/// y[i] = value(i, at) over [0, n), as in steps<C>(); `past` the caches or not. S is what y is stored in.
template <class C, class S, class Value> TG_IN void write(S* y, int64_t n, bool past, Value value) {
  constexpr int64_t kLine = 64 / sizeof(S);
  const auto plain = [=](int64_t begin, int64_t end) {
    steps<C>(end - begin, [=](int64_t i, auto at) { at.put(y + begin + i, value(begin + i, at)); });
  };
  if (!past) return plain(0, n);
  const int64_t to_line = -reinterpret_cast<intptr_t>(y) / int64_t(sizeof(S)) & (kLine - 1);
  int64_t i = to_line < n ? to_line : n;
  plain(0, i);
  for (; i + kLine <= n; i += kLine)
    for (int64_t k = i; k < i + kLine; k += kLanes<C>) put_past(y + k, value(k, Whole<C, kLanes<C>>{}));
  plain(i, n);
}

}}  // namespace tapegrad
