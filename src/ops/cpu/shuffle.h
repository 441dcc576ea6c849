// Lanes of two packets put together, for GCC from 11 on (whose __builtin_shuffle takes a vector) and Clang.
#pragma once
#include <stdint.h>

#include <type_traits>
#include <utility>

namespace tapegrad { inline namespace TG_NS {

/// Lane k is lane order[k] of a, or order[k] - L of b.
template <int... order, class V> inline __attribute__((always_inline)) V shuffled(V a, V b) {
#ifdef __clang__
  return __builtin_shufflevector(a, b, order...);
#else
  using T = std::remove_reference_t<decltype(a[0])>;
  using I = std::conditional_t<sizeof(T) == 8, int64_t, std::conditional_t<sizeof(T) == 4, int32_t, std::conditional_t<sizeof(T) == 2, int16_t, int8_t>>>;
  typedef I Order __attribute__((vector_size(sizeof(V))));
  return __builtin_shuffle(a, b, Order{order...});
#endif
}
/// Lanes first, first + 2, … of a, then of b.
template <int first, class V> inline __attribute__((always_inline)) V every_second(V a, V b) {
  constexpr int lanes = sizeof(V) / sizeof(a[0]);
  return [&]<int... I>(std::integer_sequence<int, I...>) { return shuffled<(2 * I + first)...>(a, b); }(std::make_integer_sequence<int, lanes>());
}
/// Lanes of a and b in turn: of their first halves, or of their second ones.
template <bool second, class V> inline __attribute__((always_inline)) V in_turn(V a, V b) {
  constexpr int lanes = sizeof(V) / sizeof(a[0]);
  return [&]<int... I>(std::integer_sequence<int, I...>) {
    return shuffled<(I / 2 + I % 2 * lanes + (second ? lanes / 2 : 0))...>(a, b);
  }(std::make_integer_sequence<int, lanes>());
}

}}  // namespace tapegrad
