// Results written past the caches: whole lines by non-temporal stores, which need no read of the memory that they overwrite.
// After the last one of a piece of work: MoveTable::fence.
#pragma once
#include "src/ops/cpu/lanes.h"

namespace tapegrad { inline namespace TG_NS {

/// y is aligned to the packet v.
template <class C, class V> TG_IN void put_past(C* y, V v) {
#if defined(__AVX512F__)
  _mm512_stream_si512((__m512i*)y, (__m512i)v);
#elif defined(__AVX2__)
  _mm256_stream_si256((__m256i*)y, (__m256i)v);
#elif defined(__SSE4_2__)
  _mm_stream_si128((__m128i*)y, (__m128i)v);
#else
  put(y, v);
#endif
}
/// y[i] = value(i, at) over [0, n), as in steps(); `past` the caches or not.
template <class C, class Value> TG_IN void write(C* y, int64_t n, bool past, Value value) {
  constexpr int64_t kLine = 64 / sizeof(C);
  const auto plain = [=](int64_t begin, int64_t end) {
    steps<C>(end - begin, [=](int64_t i, auto at) { at.put(y + begin + i, value(begin + i, at)); });
  };
  if (!past) return plain(0, n);
  const int64_t to_line = -reinterpret_cast<intptr_t>(y) / int64_t(sizeof(C)) & (kLine - 1);
  int64_t i = to_line < n ? to_line : n;
  plain(0, i);
  for (; i + kLine <= n; i += kLine)
    for (int64_t k = i; k < i + kLine; k += kLanes<C>) put_past(y + k, value(k, Whole<C, kLanes<C>>{}));
  plain(i, n);
}

}}  // namespace tapegrad
