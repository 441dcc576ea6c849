// What matrix products of all types share: the tile that the registers hold, packets of fewer numbers, and transposed packets.
#pragma once
#include <utility>

#include "src/ops/cpu/lanes.h"

namespace tapegrad { inline namespace TG_NS {

template <class T> using V = Wide<T>;
// The tile: what the registers hold beside a row of b and a number of a.
constexpr int kRows = TG_VECTOR_BYTES == 64 ? 8 : 4, kPackets = TG_VECTOR_BYTES == 16 ? 2 : 3;
template <class T> constexpr long kColumns = kPackets * kLanes<T>;

// The first n lanes of a packet, 0 in the others; n may exceed the packet.
template <class T> TG_IN Part<T, kLanes<T>> first_lanes(long n) { return {int(n < kLanes<T> ? n : kLanes<T>)}; }
template <class T> TG_IN V<T> load_part(const T* s, long n) {
  if (TG_VECTOR_BYTES < 64 && n >= kLanes<T>) return get<V<T>>(s);  // else a mask costs nothing
  return first_lanes<T>(n).get(s);
}
template <class T> TG_IN void store_part(T* to, V<T> v, long n) {
  if (TG_VECTOR_BYTES < 64 && n >= kLanes<T>) return put(to, v);
  first_lanes<T>(n).put(to, v);
}

// sum += a b over `steps` of k: for each row a number of a against the packets of a row of b; load(x, j) is the j-th, at x.
template <class T, int R, int N, class Load>
TG_IN void multiply(V<T> (&sum)[R][N], long steps, const T* a, long a_row, long a_col, const T* b, long b_row, Load load) {
  for (long p = 0; p < steps; p++, a += a_col, b += b_row) {
    V<T> row[N];
#pragma GCC unroll 8
    for (int j = 0; j < N; j++) row[j] = load(b + j * kLanes<T>, j);
#pragma GCC unroll 8
    for (int i = 0; i < R; i++)
#pragma GCC unroll 8
      for (int j = 0; j < N; j++) sum[i][j] += a[i * a_row] * row[j];
  }
}
// c = sum, + c if `add`, else + the row `bias` if there is one; the last packet has `last` columns.
template <class T, int R, int N> TG_IN void put_tile(V<T> (&sum)[R][N], T* c, long c_row, const T* bias, bool add, long last) {
#pragma GCC unroll 8
  for (int i = 0; i < R; i++, c += c_row)
#pragma GCC unroll 8
    for (int j = 0; j < N; j++) {
      const long n = j < N - 1 ? kLanes<T> : last;
      if (add) sum[i][j] += load_part(c + j * kLanes<T>, n);
      else if (bias) sum[i][j] += load_part(bias + j * kLanes<T>, n);
      store_part(c + j * kLanes<T>, sum[i][j], n);
    }
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
