// Folds over dense runs, in the order of lanes.h within blocks of 4096 elements; blocks are joined in double. Columns are
// independent of each other.
#include "src/ops/cpu/reduce.h"

#include "src/ops/cpu/lanes.h"
#include "src/ops/cpu/table.h"

namespace tapegrad { inline namespace TG_NS { namespace {

template <class C> struct AccOf { using type = double; };
template <> struct AccOf<int64_t> { using type = int64_t; };
template <class C> constexpr C lowest() { return C(-__builtin_inf()); }
template <> constexpr int64_t lowest<int64_t>() { return INT64_MIN; }
template <class C> constexpr C highest() { return C(__builtin_inf()); }
template <> constexpr int64_t highest<int64_t>() { return INT64_MAX; }

// Each fold: `map` sees an element (V is a packet or a number), `join` two accumulators. NaN wins in max and min.
struct Plain { template <class V> static V map(V x, V) { return x; } };
struct Adds : AddJoin { template <class C> static constexpr C id() { return 0; } };
struct Sum : Plain, Adds {};
struct SumSquares : Adds { template <class V> static V map(V x, V shift) { const V d = x - shift; return d * d; } };
struct SumAbs : Adds { template <class V> static V map(V x, V) { return x < 0 ? -x : x; } };
struct Count : Adds { template <class V> static V map(V x, V) { return x != 0 ? V{} + 1 : V{}; } };
struct Prod : Plain {
  template <class C> static constexpr C id() { return 1; }
  template <class V> static V join(V a, V b) { return a * b; }
};
struct Maxes : MaxJoin { template <class C> static constexpr C id() { return lowest<C>(); } };
struct Mins {
  template <class C> static constexpr C id() { return highest<C>(); }
  template <class V> static V join(V a, V b) { const auto m = (a < b) | (a != a); return m ? a : b; }
};
// better: does v take b's place? NaN does, unless b is NaN.
struct Max : Plain, Maxes { template <class V> static auto better(V v, V b) { return (v > b) | ((v != v) & (b == b)); } };
struct Min : Plain, Mins { template <class V> static auto better(V v, V b) { return (v < b) | ((v != v) & (b == b)); } };
struct MaxAbs : SumAbs {
  template <class C> static constexpr C id() { return 0; }
  template <class V> static V join(V a, V b) { return Maxes::join(a, b); }
};
struct MinAbs : SumAbs {
  template <class C> static constexpr C id() { return highest<C>(); }
  template <class V> static V join(V a, V b) { return Mins::join(a, b); }
};

struct All : Count {  // 1 when every element is not zero
  template <class C> static constexpr C id() { return 1; }
  template <class V> static V join(V a, V b) { return Mins::join(a, b); }
};
struct SumExp : Adds {
  template <class V> static V map(V x, V shift) {
    if constexpr (__is_same(V, float) || __is_same(V, double)) return exp_of<V>(V(x - shift));
    else return exp_of<__typeof__(x[0] + x[0])>(V(x - shift));
  }
};

template <class F, class C> void take(Lanes<F, C>& lanes, const C* x, int64_t n, C shift) {
  lanes.take(0, n, [=](int64_t i, auto at) {
    using V = typename decltype(at)::V;
    return F::template map<V>(at.get(x + i), V{} + shift);
  });
}
template <class F, class C> C run(const C* x, int64_t n, C shift) {
  Lanes<F, C> lanes(F::template id<C>());
  take(lanes, x, n, shift);
  return lanes.total();
}
template <class F, class C> void rows(const void* p, int64_t n, int64_t count, int64_t row_stride, const double* shift, void* out) {
  constexpr int64_t kBlock = 4096, kTurn = 512;
  using A = typename AccOf<C>::type;
  const C* x = static_cast<const C*>(p);
  A* acc = static_cast<A*>(out);
  for (int64_t r = 0; r < count; r++, x += row_stride) {
    const C s = shift ? C(shift[r]) : C(0);
    int64_t i = 0;
    for (; i + 4 * kBlock <= n; i += 4 * kBlock) {  // four blocks by turns: memory gives more to several streams
      Lanes<F, C> blocks[4] = {Lanes<F, C>(F::template id<C>()), Lanes<F, C>(F::template id<C>()), Lanes<F, C>(F::template id<C>()),
                               Lanes<F, C>(F::template id<C>())};
      for (int64_t j = i; j < i + kBlock; j += kTurn)
        for (int b = 0; b < 4; b++) take(blocks[b], x + j + b * kBlock, kTurn, s);
      for (Lanes<F, C>& b : blocks) acc[r] = F::template join<A>(acc[r], A(b.total()));
    }
    for (; i < n; i += kBlock) acc[r] = F::template join<A>(acc[r], A(run<F, C>(x + i, n - i < kBlock ? n - i : kBlock, s)));
  }
}

// Down the columns, whose running values stay in L1 while rows are read from end to end. Each column joins its elements in order,
// at most 128 of them before they go to the accumulators.
template <class F, class C> void cols(const void* p, int64_t n, int64_t rows, int64_t row_stride, const double* shift, void* out) {
  constexpr int64_t kChunk = 1024, kRows = 128;
  using A = typename AccOf<C>::type;
  alignas(64) C part[kChunk], shifts[kChunk] = {};
  C *a = part, *s = shifts;
  for (int64_t c = 0; c < n; c += kChunk) {
    const int64_t m = n - c < kChunk ? n - c : kChunk;
    for (int64_t i = 0; i < m && shift; i++) s[i] = C(shift[c + i]);
    for (int64_t r = 0; r < rows; r += kRows) {
      const int64_t count = rows - r < kRows ? rows - r : kRows;
      const C* x = static_cast<const C*>(p) + c + r * row_stride;
      steps<C>(m, [=](int64_t i, auto at) { at.put(a + i, F::map(at.get(x + i), at.get(s + i))); });
      int64_t k = 1;
      for (; k + 4 <= count; k += 4)
        steps<C>(m, [=](int64_t i, auto at) {
          auto v = at.get(a + i);
          for (int64_t h = k; h < k + 4; h++) v = F::join(v, F::map(at.get(x + h * row_stride + i), at.get(s + i)));
          at.put(a + i, v);
        });
      for (; k < count; k++)
        steps<C>(m, [=](int64_t i, auto at) { at.put(a + i, F::join(at.get(a + i), F::map(at.get(x + k * row_stride + i), at.get(s + i)))); });
      A* acc = static_cast<A*>(out) + c;
      for (int64_t i = 0; i < m; i++) acc[i] = F::template join<A>(acc[i], A(a[i]));
    }
  }
}

// ---- the largest or smallest and where it is

/// The first i with hit(packet or number of x at i); n - 1 when there is none before.
template <class C, class Hit> int64_t first(const C* x, int64_t n, Hit hit) {
  constexpr int L = kLanes<C>;
  constexpr Whole<C, L> at;
  int64_t i = 0;
  while (i + 4 * L <= n && !any(Mask<C, L>{hit(at.get(x + i)) | hit(at.get(x + i + L)) | hit(at.get(x + i + 2 * L)) | hit(at.get(x + i + 3 * L))}))
    i += 4 * L;
  while (i + L <= n && !any(Mask<C, L>{hit(at.get(x + i))})) i += L;
  while (i < n - 1 && !hit(x[i])) i++;
  return i;
}
template <class F, class C> void places_in_rows(const void* p, int64_t n, int64_t count, int64_t row_stride, void* value, int64_t* index) {
  const C* x = static_cast<const C*>(p);
  for (int64_t r = 0; r < count; r++, x += row_stride) {
    const C v = run<F, C>(x, n, C(0));
    static_cast<C*>(value)[r] = v;
    index[r] = v == v ? first(x, n, [v](auto u) { return u == v; }) : first(x, n, [](auto u) { return u != u; });
  }
}
template <class F, class C> void places_in_cols(const void* p, int64_t n, int64_t rows, int64_t row_stride, void* value, int64_t* index) {
  constexpr int64_t kChunk = 256;
  using I = typename IntOf<C>::type;
  alignas(64) C values[kChunk];
  alignas(64) I places[kChunk];
  C* best = values;
  I* where = places;
  for (int64_t c = 0; c < n; c += kChunk) {
    const int64_t m = n - c < kChunk ? n - c : kChunk;
    const C* x = static_cast<const C*>(p) + c;
    for (int64_t i = 0; i < m; i++) best[i] = x[i], where[i] = 0;
    int64_t k = 1;
    auto rows_at = [=](int64_t k, auto count) {
      steps<C>(m, [=](int64_t i, auto at) {
        constexpr int L = kLanes<C>;
        auto b = at.get(best + i);
        auto w = get<typename Packet<I, L>::type>(where + i);  // places has room for a whole packet
        for (int h = 0; h < count; h++) {
          const auto v = at.get(x + (k + h) * row_stride + i);
          const auto better = F::better(v, b);
          b = better ? v : b, w = better ? w - w + I(k + h) : w;
        }
        at.put(best + i, b);
        put(where + i, w);
      });
    };
    for (; k + 4 <= rows; k += 4) rows_at(k, std::integral_constant<int, 4>());
    for (; k < rows; k++) rows_at(k, std::integral_constant<int, 1>());
    for (int64_t i = 0; i < m; i++) static_cast<C*>(value)[c + i] = best[i], index[c + i] = where[i];
  }
}
template <class F, class C> constexpr PlaceKernel place() { return {places_in_rows<F, C>, places_in_cols<F, C>}; }
template <class F, class C> constexpr FoldKernel fold() { return {rows<F, C>, cols<F, C>}; }

}  // namespace
}  // namespace TG_NS

extern "C" const ReduceTable TG_TABLE(reduce);
constinit const ReduceTable TG_TABLE(reduce) = {
    {{fold<Sum, float>(), fold<Sum, double>(), fold<Sum, int64_t>()},
     {fold<SumSquares, float>(), fold<SumSquares, double>(), {}},
     {fold<SumAbs, float>(), fold<SumAbs, double>(), {}},
     {fold<SumExp, float>(), fold<SumExp, double>(), {}},
     {fold<Prod, float>(), fold<Prod, double>(), fold<Prod, int64_t>()},
     {fold<Max, float>(), fold<Max, double>(), fold<Max, int64_t>()},
     {fold<Min, float>(), fold<Min, double>(), fold<Min, int64_t>()},
     {fold<MaxAbs, float>(), fold<MaxAbs, double>(), {}},
     {fold<MinAbs, float>(), fold<MinAbs, double>(), {}},
     {fold<Count, float>(), fold<Count, double>(), fold<Count, int64_t>()},
     {fold<All, float>(), fold<All, double>(), fold<All, int64_t>()}},
    {{place<Max, float>(), place<Max, double>(), place<Max, int64_t>()},
     {place<Min, float>(), place<Min, double>(), place<Min, int64_t>()}}};

}  // namespace tapegrad
