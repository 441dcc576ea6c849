// Sums (and other joins) over an index range in an order that depends on its length alone: 256 bytes' worth of lanes, then 64
// and 16 for the tail, each joined by a fixed tree. So results have the same bits with any packet width.
#pragma once
#include <stdint.h>

#include "src/ops/cpu/packet_math.h"

#ifndef TG_VECTOR_BYTES
#define TG_VECTOR_BYTES 16
#endif

namespace tapegrad { inline namespace TG_NS {

template <class C, int N> struct Packet {
  typedef C type __attribute__((vector_size(N * sizeof(C))));
  typedef C unaligned __attribute__((vector_size(N * sizeof(C)), aligned(sizeof(C)), may_alias));
};
// A packet V, or one number when V is C itself.
template <class V, class C> TG_IN V get(const C* x) {
  if constexpr (__is_same(V, C)) return *x;
  else return V(*reinterpret_cast<const typename Packet<C, sizeof(V) / sizeof(C)>::unaligned*>(x));
}
template <class V, class C> TG_IN void put(C* x, V v) {
  if constexpr (__is_same(V, C)) *x = v;
  else *reinterpret_cast<typename Packet<C, sizeof(V) / sizeof(C)>::unaligned*>(x) = v;
}
// exp of a packet. A number goes through a packet too, so that its bits are a packet's.
template <class C, class V> TG_IN V exp_of(V x) {
  if constexpr (__is_same(V, C)) return exp(Vec<C, int(16 / sizeof(C))>(double(x))).v[0];
  else return exp(Vec<C, int(sizeof(V) / sizeof(C))>(x)).v;
}

struct AddJoin { template <class V> static V join(V a, V b) { return a + b; } };
struct MaxJoin { template <class V> static V join(V a, V b) { const auto m = (a > b) | (a != a); return m ? a : b; } };

// Joins `count` packets of L lanes to one number: halves are joined until one lane is left.
template <class J, class C, int L> TG_IN C tree(typename Packet<C, L>::type* acc, int count) {
  for (int h = count / 2; h; h /= 2)
    for (int k = 0; k < h; k++) acc[k] = J::join(acc[k], acc[k + h]);
  C r[L];
  __builtin_memcpy(r, acc, sizeof r);
  for (int h = L / 2; h; h /= 2)
    for (int k = 0; k < h; k++) r[k] = J::template join<C>(r[k], r[k + h]);
  return r[0];
}
// At least one step of `Lanes` lanes from index `at`.
template <class J, class C, int Lanes, class Map> TG_IN C join_lanes(int64_t at, int64_t steps, Map map) {
  constexpr int L = TG_VECTOR_BYTES / sizeof(C) < Lanes ? int(TG_VECTOR_BYTES / sizeof(C)) : Lanes, K = Lanes / L;
  using V = typename Packet<C, L>::type;
  V acc[K];
  for (int k = 0; k < K; k++) acc[k] = map(at + k * L, V{});
  for (int64_t i = 1; i < steps; i++) {
    at += Lanes;
    for (int k = 0; k < K; k++) acc[k] = J::join(acc[k], map(at + k * L, V{}));
  }
  return tree<J, C, L>(acc, K);
}
/// Joins map(i, V{}) over [0, n); V is a packet of elements i, i + 1, … or C for one of them.
template <class J, class C, class Map> TG_IN C join_run(int64_t n, C id, Map map) {
  constexpr int kWide = 256 / sizeof(C), kMid = kWide / 4, kNarrow = kMid / 4;
  C r = id;
  int64_t i = 0;
  if (n >= kWide) r = join_lanes<J, C, kWide>(0, n / kWide, map), i = n / kWide * kWide;
  if (n - i >= kMid) r = J::template join<C>(r, join_lanes<J, C, kMid>(i, (n - i) / kMid, map)), i += (n - i) / kMid * kMid;
  if (n - i >= kNarrow) r = J::template join<C>(r, join_lanes<J, C, kNarrow>(i, (n - i) / kNarrow, map)), i += (n - i) / kNarrow * kNarrow;
  for (; i < n; i++) r = J::template join<C>(r, map(i, C{}));
  return r;
}
/// f(i, V{}) over [0, n): packets, then single elements.
template <class C, class F> TG_IN void each(int64_t n, F f) {
  constexpr int L = TG_VECTOR_BYTES / sizeof(C);
  using V = typename Packet<C, L>::type;
  int64_t i = 0;
  for (; i + L <= n; i += L) f(i, V{});
  for (; i < n; i++) f(i, C{});
}

}}  // namespace tapegrad
