// Moves elements with wide loads and stores. A plane is transposed by squares of 8 by 8 in registers.
#include "src/ops/cpu/moves.h"

#include <stddef.h>

#include "src/ops/cpu/shuffle.h"
#include "src/ops/cpu/table.h"
#ifdef __SSE4_2__
#include <immintrin.h>
#endif

namespace tapegrad { inline namespace TG_NS { namespace {

void stream(char* to, const char* from, int64_t bytes, [[maybe_unused]] const char* next) {
#ifdef __SSE4_2__
  constexpr int kLine = 64;
  const int64_t to_line = -reinterpret_cast<intptr_t>(to) & (kLine - 1), head = to_line < bytes ? to_line : bytes;
  __builtin_memcpy(to, from, size_t(head));
  to += head, from += head, bytes -= head;
  for (; bytes >= kLine; to += kLine, from += kLine, next += kLine, bytes -= kLine) {
    __builtin_prefetch(next, 0, 2);
#if defined(__AVX512F__)
    _mm512_stream_si512((__m512i*)to, _mm512_loadu_si512(from));
#elif defined(__AVX2__)
    for (int k = 0; k < kLine; k += 32) _mm256_stream_si256((__m256i*)(to + k), _mm256_loadu_si256((const __m256i*)(from + k)));
#else
    for (int k = 0; k < kLine; k += 16) _mm_stream_si128((__m128i*)(to + k), _mm_loadu_si128((const __m128i*)(from + k)));
#endif
  }
#endif
  __builtin_memcpy(to, from, size_t(bytes));
}
void fence() {
#ifdef __SSE4_2__
  _mm_sfence();
#endif
}

template <class T> struct Eight {
  typedef T type __attribute__((vector_size(8 * sizeof(T))));
  typedef T unaligned __attribute__((vector_size(8 * sizeof(T)), aligned(sizeof(T)), may_alias));
};
// Three rounds: neighbours, pairs and fours change places between the rows.
template <class T> inline void square(const char* from, int64_t from_stride, char* to, int64_t to_stride) {
  using V = typename Eight<T>::type;
  using U = typename Eight<T>::unaligned;
  V r[8], s[8];
  for (int k = 0; k < 8; k++) r[k] = *reinterpret_cast<const U*>(from + k * from_stride);
  for (int k = 0; k < 8; k += 2) {
    s[k] = shuffled<0, 8, 2, 10, 4, 12, 6, 14>(r[k], r[k + 1]);
    s[k + 1] = shuffled<1, 9, 3, 11, 5, 13, 7, 15>(r[k], r[k + 1]);
  }
  for (int k = 0; k < 8; k += 4)
    for (int h = 0; h < 2; h++) {
      r[k + h] = shuffled<0, 1, 8, 9, 4, 5, 12, 13>(s[k + h], s[k + h + 2]);
      r[k + h + 2] = shuffled<2, 3, 10, 11, 6, 7, 14, 15>(s[k + h], s[k + h + 2]);
    }
  for (int h = 0; h < 4; h++) {
    *reinterpret_cast<U*>(to + h * to_stride) = shuffled<0, 1, 2, 3, 8, 9, 10, 11>(r[h], r[h + 4]);
    *reinterpret_cast<U*>(to + (h + 4) * to_stride) = shuffled<4, 5, 6, 7, 12, 13, 14, 15>(r[h], r[h + 4]);
  }
}
template <class T> void transpose(const char* from, int64_t from_stride, char* to, int64_t to_stride, int64_t rows, int64_t cols) {
  auto rest = [=](int64_t r0, int64_t r1, int64_t c0, int64_t c1) {
    for (int64_t r = r0; r < r1; r++)
      for (int64_t c = c0; c < c1; c++)
        __builtin_memcpy(to + c * to_stride + r * int64_t(sizeof(T)), from + r * from_stride + c * int64_t(sizeof(T)), sizeof(T));
  };
  const int64_t whole_rows = rows & -8, whole_cols = cols & -8;
  for (int64_t r = 0; r < whole_rows; r += 8)
    for (int64_t c = 0; c < whole_cols; c += 8)
      square<T>(from + r * from_stride + c * int64_t(sizeof(T)), from_stride, to + c * to_stride + r * int64_t(sizeof(T)), to_stride);
  rest(0, whole_rows, whole_cols, cols);
  rest(whole_rows, rows, 0, cols);
}

bool within(const int64_t* index, int64_t n, int64_t size) {
  int64_t signs = 0;
  for (int64_t k = 0; k < n; k++) signs |= index[k] | (size - 1 - index[k]);
  return signs >= 0;
}

}}  // namespace

extern "C" const MoveTable TG_TABLE(moves);
constinit const MoveTable TG_TABLE(moves) = {stream, fence, {transpose<uint32_t>, transpose<uint64_t>}, within};

}  // namespace tapegrad
