// Loops over an index range in packets, the last of which may be partly filled, and sums (and other joins) in an order that
// depends on the range's length alone: element i goes to lane i modulo 256 bytes' worth, and the lanes are joined by a fixed
// tree. So results have the same bits with any packet width.
#pragma once
#include <stdint.h>

#include <utility>

#include "src/ops/cpu/halves.h"
#include "src/ops/cpu/packet_math.h"
#include "src/ops/cpu/shuffle.h"

#ifndef TG_VECTOR_BYTES
#define TG_VECTOR_BYTES 16
#endif

namespace tapegrad { inline namespace TG_NS {

template <class C, int N> struct Packet {
  typedef C type __attribute__((vector_size(N * sizeof(C))));
  typedef C unaligned __attribute__((vector_size(N * sizeof(C)), aligned(sizeof(C)), may_alias));
};
// A packet V, or one number when V is C itself. Of 16-bit floats: halves.h.
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

// Joins, with the value that changes nothing.
template <class C> constexpr C lowest() { return C(-__builtin_inf()); }
template <> constexpr int64_t lowest<int64_t>() { return INT64_MIN; }
struct AddJoin {
  template <class C> static constexpr C id() { return 0; }
  template <class V> static V join(V a, V b) { return a + b; }
};
/// The larger one; NaN in b is ignored.
struct MostJoin {
  template <class C> static constexpr C id() { return lowest<C>(); }
  template <class V> static V join(V a, V b) { return b > a ? b : a; }
};
/// The larger one; NaN wins.
struct MaxJoin {
  template <class C> static constexpr C id() { return lowest<C>(); }
  template <class V> static V join(V a, V b) {
    const V m = a > b ? a : b;
    return a != a ? a : m;
  }
};

/// What a step of a loop works on: a packet of elements …
template <class C, int L> struct Whole {
  using V = typename Packet<C, L>::type;
  template <class S> TG_IN V get(const S* x) const { return TG_NS::get<V>(x); }  // S: C, or for float a 16-bit float
  template <class S> TG_IN void put(S* x, V v) const { TG_NS::put<V>(x, v); }
};
/// … or, at the end, its first `count` lanes: the others read as 0 and are not written.
template <class C, int L> struct Part {
  using V = typename Packet<C, L>::type;
  using I = typename IntOf<C>::type;
  typedef I Lanes __attribute__((vector_size(L * sizeof(C))));
  int count;
  TG_IN Lanes there() const {
    Lanes k;
    for (int l = 0; l < L; l++) k[l] = l;
    return k < I(count);
  }
  TG_IN V keep(V v, C other) const { return there() ? v : V{} + other; }
  template <class S> requires is_half<S> TG_IN V get(const S* x) const { return get_part<V>(x, count); }
  template <class S> requires is_half<S> TG_IN void put(S* x, V v) const { put_part(x, count, v); }
#if defined(__AVX512F__)
  TG_IN V get(const C* x) const {
    if constexpr (sizeof(C) == 4) return (V)_mm512_maskz_loadu_ps(__mmask16((1u << count) - 1), x);
    else return (V)_mm512_maskz_loadu_pd(__mmask8((1u << count) - 1), x);
  }
  TG_IN void put(C* x, V v) const {
    if constexpr (sizeof(C) == 4) _mm512_mask_storeu_ps(x, __mmask16((1u << count) - 1), (__m512)v);
    else _mm512_mask_storeu_pd(x, __mmask8((1u << count) - 1), (__m512d)v);
  }
#elif defined(__AVX2__)
  TG_IN V get(const C* x) const {
    if constexpr (sizeof(C) == 4) return (V)_mm256_maskload_ps((const float*)x, (__m256i)there());
    else return (V)_mm256_maskload_pd((const double*)x, (__m256i)there());
  }
  TG_IN void put(C* x, V v) const {
    if constexpr (sizeof(C) == 4) _mm256_maskstore_ps((float*)x, (__m256i)there(), (__m256)v);
    else _mm256_maskstore_pd((double*)x, (__m256i)there(), (__m256d)v);
  }
#else
  TG_IN V get(const C* x) const {
    V v{};
    for (int l = 0; l < L; l++) if (l < count) v[l] = x[l];
    return v;
  }
  TG_IN void put(C* x, V v) const { for (int l = 0; l < L; l++) if (l < count) x[l] = v[l]; }
#endif
};
template <class C> constexpr int kLanes = TG_VECTOR_BYTES / sizeof(C);
/// The packet of the instruction set's own width.
template <class C> using Wide = typename Packet<C, kLanes<C>>::type;
/// step(i, at) over [0, n), where at.get and at.put move the elements i, i + 1, … of this step.
template <class C, class F> TG_IN void steps(int64_t n, F step) {
  constexpr int L = kLanes<C>;
  int64_t i = 0;
  for (; i + L <= n; i += L) step(i, Whole<C, L>{});
  if (i < n) step(i, Part<C, L>{int(n - i)});
}

// Joins the lanes of a packet, and of K packets, to one number: halves are joined until one is left.
template <class J, int half, class V, int... I> TG_IN auto across(V v, std::integer_sequence<int, I...> lanes) {
  if constexpr (half == 0) return v[0];
  else return across<J, half / 2>(J::join(v, shuffled<(I ^ half)...>(v, v)), lanes);
}
template <class J, class C, int L, int K> TG_IN C tree(typename Packet<C, L>::type* acc) {
  if constexpr (K == 1) return across<J, L / 2>(acc[0], std::make_integer_sequence<int, L>());
  else {
    for (int k = 0; k < K / 2; k++) acc[k] = J::join(acc[k], acc[k + K / 2]);
    return tree<J, C, L, K / 2>(acc);
  }
}
/// The running values of all lanes, for ranges that are joined bit by bit.
template <class J, class C> struct Lanes {
  static constexpr int L = kLanes<C>, K = 256 / TG_VECTOR_BYTES;
  using V = typename Packet<C, L>::type;
  V acc[K];
  TG_IN Lanes() { for (int k = 0; k < K; k++) acc[k] = V{} + J::template id<C>(); }
  /// Joins map(i, at) over [begin, end), where only the last part of a range may end within the lanes; map gives the packet of
  /// values that the elements of a step have.
  template <class Map> TG_IN void take(int64_t i, int64_t end, Map map) {
    V a[K];
    for (int k = 0; k < K; k++) a[k] = acc[k];
    for (; i + K * L <= end; i += K * L)
      for (int k = 0; k < K; k++) a[k] = J::join(a[k], map(i + k * L, Whole<C, L>{}));
    for (int k = 0; k < K; k++) acc[k] = a[k];
    int k = 0;
    for (; i + L <= end; i += L, k++) acc[k] = J::join(acc[k], map(i, Whole<C, L>{}));
    if (i == end) return;
    const Part<C, L> part{int(end - i)};
    acc[k] = J::join(acc[k], part.keep(map(i, part), J::template id<C>()));
  }
  TG_IN C total() { return tree<J, C, L, K>(acc); }
};
/// Joins map(i, at) over [0, n).
template <class J, class C, class Map> TG_IN C join_run(int64_t n, Map map) {
  Lanes<J, C> lanes;
  lanes.take(0, n, map);
  return lanes.total();
}
template <class V> struct Pair { V a, b; };
template <class V> Pair(V, V) -> Pair<V>;
/// Two sums at once: map gives a Pair of packets.
template <class C, class Map> TG_IN Pair<C> sum_pairs(int64_t n, Map map) {
  constexpr int L = kLanes<C>, K = 128 / TG_VECTOR_BYTES;  // half as many lanes for each, for want of registers
  using V = typename Packet<C, L>::type;
  V a[K], b[K];
  for (int k = 0; k < K; k++) a[k] = b[k] = V{};
  int64_t i = 0;
  for (; i + K * L <= n; i += K * L)
    for (int k = 0; k < K; k++) {
      const auto p = map(i + k * L, Whole<C, L>{});
      a[k] += p.a, b[k] += p.b;
    }
  if (i < n) {
    V rest[2][K] = {};
    for (int k = 0; i < n; i += L, k++) {
      if (i + L <= n) {
        const auto p = map(i, Whole<C, L>{});
        rest[0][k] = p.a, rest[1][k] = p.b;
      } else {
        const Part<C, L> part{int(n - i)};
        const auto p = map(i, part);
        rest[0][k] = part.keep(p.a, C(0)), rest[1][k] = part.keep(p.b, C(0));
      }
    }
    for (int k = 0; k < K; k++) a[k] += rest[0][k], b[k] += rest[1][k];
  }
  return {tree<AddJoin, C, L, K>(a), tree<AddJoin, C, L, K>(b)};
}
/// f(i, V{}) over [0, n): packets, then single elements, where V is C itself.
template <class C, class F> TG_IN void each(int64_t n, F f) {
  constexpr int L = TG_VECTOR_BYTES / sizeof(C);
  using V = typename Packet<C, L>::type;
  int64_t i = 0;
  for (; i + L <= n; i += L) f(i, V{});
  for (; i < n; i++) f(i, C{});
}

}}  // namespace tapegrad
