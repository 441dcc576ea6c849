// Folds over dense runs, in the order of lanes.h within blocks of 4096 elements; blocks are joined in double. Columns are
// independent of each other.
#include "src/ops/cpu/reduce.h"

#include "src/ops/cpu/lanes.h"
#include "src/ops/cpu/table.h"

namespace tapegrad { inline namespace TG_NS { namespace {

template <class C> struct AccOf { using type = double; };
template <> struct AccOf<int64_t> { using type = int64_t; };
template <class C> constexpr C highest() { return C(__builtin_inf()); }
template <> constexpr int64_t highest<int64_t>() { return INT64_MAX; }

// Each fold: `map` sees an element (V is a packet or a number), `join` two accumulators. NaN wins in max and min.
struct Plain { template <class V> static V map(V x, V) { return x; } };
struct Sum : Plain, AddJoin {};
struct SumSquares : AddJoin { template <class V> static V map(V x, V shift) { const V d = x - shift; return d * d; } };
struct SumAbs : AddJoin { template <class V> static V map(V x, V) { return x < 0 ? -x : x; } };
struct Count : AddJoin { template <class V> static V map(V x, V) { return x != 0 ? V{} + 1 : V{}; } };
struct Prod : Plain {
  template <class C> static constexpr C id() { return 1; }
  template <class V> static V join(V a, V b) { return a * b; }
};
struct Mins {
  template <class C> static constexpr C id() { return highest<C>(); }
  template <class V> static V join(V a, V b) {
    const V m = a < b ? a : b;
    return a != a ? a : m;
  }
};
// stays: does b keep its place before v, unless it is NaN?
struct Max : Plain, MaxJoin { template <class V> static auto stays(V b, V v) { return b >= v; } };
struct Min : Plain, Mins { template <class V> static auto stays(V b, V v) { return b <= v; } };
struct MaxAbs : SumAbs {
  template <class C> static constexpr C id() { return 0; }
  template <class V> static V join(V a, V b) { return MaxJoin::join(a, b); }
};
struct MinAbs : SumAbs {
  template <class C> static constexpr C id() { return highest<C>(); }
  template <class V> static V join(V a, V b) { return Mins::join(a, b); }
};

struct All : Count {  // 1 when every element is not zero
  template <class C> static constexpr C id() { return 1; }
  template <class V> static V join(V a, V b) { return Mins::join(a, b); }
};
struct SumExp : AddJoin {
  template <class V> static V map(V x, V shift) {
    if constexpr (__is_same(V, float) || __is_same(V, double)) return exp_of<V>(V(x - shift));
    else return exp_of<__typeof__(x[0] + x[0])>(V(x - shift));
  }
};

template <class F, class C, class S> void take(Lanes<F, C>& lanes, const S* x, int64_t n, C shift) {
  lanes.take(0, n, [=](int64_t i, auto at) {
    using V = typename decltype(at)::V;
    return F::template map<V>(at.get(x + i), V{} + shift);
  });
}
template <class F, class C, class S> C run(const S* x, int64_t n, C shift) {
  Lanes<F, C> lanes;
  take(lanes, x, n, shift);
  return lanes.total();
}
// A row that one packet holds: the same joins, for in all other lanes there is the identity.
template <class F, class C, class S> C few(const S* x, int64_t n, C shift) {
  constexpr int L = kLanes<C>;
  using V = typename Packet<C, L>::type;
  const Part<C, L> part{int(n)};
  V v = F::join(V{} + F::template id<C>(), part.keep(F::template map<V>(part.get(x), V{} + shift), F::template id<C>()));
  return tree<F, C, L, 1>(&v);
}
// The blocks of `together` rows by turns, for memory gives more to several streams when they are far apart.
template <class F, class C, int together, class S>
void block_rows(const S* x, int64_t n, int64_t row_stride, const double* shift, typename AccOf<C>::type* acc) {
  constexpr int64_t kBlock = 4096, kTurn = 512;
  using A = typename AccOf<C>::type;
  for (int64_t i = 0; i < n; i += kBlock) {
    const int64_t end = n - i < kBlock ? n : i + kBlock;
    Lanes<F, C> lanes[together];
    for (int64_t j = i; j < end; j += kTurn)
      for (int r = 0; r < together; r++)
        take(lanes[r], x + r * row_stride + j, end - j < kTurn ? end - j : kTurn, shift ? C(shift[r]) : C(0));
    for (int r = 0; r < together; r++) acc[r] = F::template join<A>(acc[r], A(lanes[r].total()));
  }
}
template <class F, class C, class S> void rows(const void* p, int64_t n, int64_t count, int64_t row_stride, const double* shift, void* out) {
  constexpr int64_t kFar = 1 << 15;
  const S* x = static_cast<const S*>(p);
  auto* acc = static_cast<typename AccOf<C>::type*>(out);
  int64_t r = 0;
  for (; n > 0 && n <= kLanes<C> && r < count; r++) {
    using A = typename AccOf<C>::type;
    acc[r] = F::template join<A>(acc[r], A(few<F, C>(x + r * row_stride, n, shift ? C(shift[r]) : C(0))));
  }
  for (; n >= kFar && r + 4 <= count; r += 4) block_rows<F, C, 4>(x + r * row_stride, n, row_stride, shift ? shift + r : nullptr, acc + r);
  for (; r < count; r++) block_rows<F, C, 1>(x + r * row_stride, n, row_stride, shift ? shift + r : nullptr, acc + r);
}

// Down the columns, whose running values stay in L1 while memory is read along the rows, a few of them by turns. Each column joins
// its elements in order, at most 128 of them before they go to the accumulators.
template <class F, class C, class S> void cols(const void* p, int64_t n, int64_t rows, int64_t row_stride, const double* shift, void* out) {
  constexpr int64_t kChunk = 1024, kRows = 128, kTogether = 8;
  using A = typename AccOf<C>::type;
  alignas(64) C part[kChunk], shifts[kChunk] = {};
  C *a = part, *s = shifts;
  for (int64_t c = 0; c < n; c += kChunk) {
    const int64_t m = n - c < kChunk ? n - c : kChunk;
    for (int64_t i = 0; i < m && shift; i++) s[i] = C(shift[c + i]);
    const S* x = static_cast<const S*>(p) + c;
    for (int64_t left = rows; left > 0; left -= kRows) {
      steps<C>(m, [=](int64_t i, auto at) { at.put(a + i, F::map(at.get(x + i), at.get(s + i))); });
      x += row_stride;
      for (int64_t k = 1, count, end = left < kRows ? left : kRows; k < end; k += count, x += count * row_stride) {
        count = end - k < kTogether ? end - k : kTogether;
        steps<C>(m, [=](int64_t i, auto at) {
          auto v = at.get(a + i);
          for (int64_t r = 0; r < count; r++) v = F::join(v, F::map(at.get(x + r * row_stride + i), at.get(s + i)));
          at.put(a + i, v);
        });
      }
      A* acc = static_cast<A*>(out) + c;
      for (int64_t i = 0; i < m; i++) acc[i] = F::template join<A>(acc[i], A(a[i]));
    }
  }
}

// ---- the largest or smallest and where it is

/// The first i with hit(packet or number of x at i); n - 1 when there is none before.
template <class C, class S, class Hit> int64_t first(const S* x, int64_t n, Hit hit) {
  constexpr int L = kLanes<C>;
  constexpr Whole<C, L> at;
  int64_t i = 0;
  auto none = [&](int64_t k) {
    return !any(Mask<C, L>{hit(at.get(x + k)) | hit(at.get(x + k + L)) | hit(at.get(x + k + 2 * L)) | hit(at.get(x + k + 3 * L))});
  };
  while (i + 4 * L <= n && none(i)) i += 4 * L;
  while (i + L <= n && !any(Mask<C, L>{hit(at.get(x + i))})) i += L;
  while (i < n - 1 && !hit(get<C>(x + i))) i++;
  return i;
}
template <class F, class C, class S> void places_in_rows(const void* p, int64_t n, int64_t count, int64_t row_stride, void* value, int64_t* index) {
  const S* x = static_cast<const S*>(p);
  for (int64_t r = 0; r < count; r++, x += row_stride) {
    const C v = run<F, C>(x, n, C(0));
    put(static_cast<S*>(value) + r, v);
    index[r] = v == v ? first<C>(x, n, [v](auto u) { return u == v; }) : first<C>(x, n, [](auto u) { return u != u; });
  }
}
template <class F, class C, class S> void places_in_cols(const void* p, int64_t n, int64_t rows, int64_t row_stride, void* value, int64_t* index) {
  constexpr int64_t kChunk = 1024;
  using I = typename IntOf<C>::type;
  alignas(64) C values[kChunk];
  alignas(64) I places[kChunk];
  C* best = values;
  I* where = places;
  for (int64_t c = 0; c < n; c += kChunk) {
    const int64_t m = n - c < kChunk ? n - c : kChunk;
    const S* x = static_cast<const S*>(p) + c;
    for (int64_t i = 0; i < m; i++) best[i] = get<C>(x + i), where[i] = 0;
    for (int64_t k = 1; k < rows; k++) {
      x += row_stride;
      steps<C>(m, [=](int64_t i, auto at) {
        using W = typename Packet<I, kLanes<C>>::type;
        const auto b = at.get(best + i), v = at.get(x + i);
        const W w = get<W>(where + i), moved = F::stays(b, v) ? w : W{} + I(k);  // places has room for a whole packet
        put(where + i, b == b ? moved : w);
        at.put(best + i, F::join(b, v));
      });
    }
    for (int64_t i = 0; i < m; i++) put(static_cast<S*>(value) + c + i, best[i]), index[c + i] = where[i];
  }
}
template <class F, class C, class S = C> constexpr FoldKernel fold() { return {rows<F, C, S>, cols<F, C, S>}; }
template <class F, class C, class S = C> constexpr PlaceKernel place() { return {places_in_rows<F, C, S>, places_in_cols<F, C, S>}; }
template <class F> constexpr void floats(FoldKernel (&to)[kFoldTypes]) { to[kFoldF32] = fold<F, float>(), to[kFoldF64] = fold<F, double>(); }
template <class F> constexpr void numbers(FoldKernel (&to)[kFoldTypes]) { floats<F>(to), to[kFoldI64] = fold<F, int64_t>(); }
template <class F> constexpr void halves(FoldKernel (&to)[kFoldTypes]) { to[kFoldF16] = fold<F, float, Half>(), to[kFoldBF16] = fold<F, float, Brain>(); }
template <class F> constexpr void places(PlaceKernel (&to)[kFoldTypes]) {
  to[kFoldF32] = place<F, float>(), to[kFoldF64] = place<F, double>(), to[kFoldI64] = place<F, int64_t>();
  to[kFoldF16] = place<F, float, Half>(), to[kFoldBF16] = place<F, float, Brain>();
}
constexpr ReduceTable make_table() {
  ReduceTable t{};
  numbers<Sum>(t.fold[kSum]), numbers<Prod>(t.fold[kProd]), numbers<Max>(t.fold[kMax]), numbers<Min>(t.fold[kMin]);
  numbers<Count>(t.fold[kCount]), numbers<All>(t.fold[kAll]);
  floats<SumSquares>(t.fold[kSumSquares]), floats<SumAbs>(t.fold[kSumAbs]), floats<SumExp>(t.fold[kSumExp]);
  floats<MaxAbs>(t.fold[kMaxAbs]), floats<MinAbs>(t.fold[kMinAbs]);
  halves<Sum>(t.fold[kSum]), halves<SumSquares>(t.fold[kSumSquares]), halves<Max>(t.fold[kMax]), halves<Min>(t.fold[kMin]);
  places<Max>(t.place[0]), places<Min>(t.place[1]);
  return t;
}

}  // namespace
}  // namespace TG_NS

extern "C" const ReduceTable TG_TABLE(reduce);
constinit const ReduceTable TG_TABLE(reduce) = make_table();

}  // namespace tapegrad
