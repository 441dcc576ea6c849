// Folds over dense runs, in the order of lanes.h within blocks of 4096 elements; blocks are joined in double. Columns are
// independent of each other and go down at most 128 rows before they are joined in double.
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
struct Max : Plain, Maxes {};
struct Min : Plain, Mins {};
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

template <class F, class C> C run(const C* x, int64_t n, C shift) {
  return join_run<F, C>(n, F::template id<C>(), [=](int64_t i, auto v) {
    using V = decltype(v);
    return F::template map<V>(get<V>(x + i), V{} + shift);
  });
}
template <class F, class C> void rows(const void* p, int64_t n, int64_t count, int64_t row_stride, const double* shift, void* out) {
  constexpr int64_t kBlock = 4096;
  using A = typename AccOf<C>::type;
  const C* x = static_cast<const C*>(p);
  A* acc = static_cast<A*>(out);
  for (int64_t r = 0; r < count; r++, x += row_stride) {
    const C s = shift ? C(shift[r]) : C(0);
    for (int64_t i = 0; i < n; i += kBlock) acc[r] = F::template join<A>(acc[r], A(run<F, C>(x + i, n - i < kBlock ? n - i : kBlock, s)));
  }
}

// A strip of K packets down at most 128 rows in registers, then into the accumulators.
template <class F, class C, int L, int K> void strip(const C* x, int64_t rows, int64_t row_stride, const double* shift, typename AccOf<C>::type* acc) {
  using A = typename AccOf<C>::type;
  using V = typename Packet<C, L>::type;
  V s[K], a[K];
  for (int k = 0; k < K; k++)
    for (int l = 0; l < L; l++) s[k][l] = shift ? C(shift[k * L + l]) : C(0);
  while (rows > 0) {
    const int64_t m = rows < 128 ? rows : 128;
    for (int k = 0; k < K; k++) a[k] = F::map(get<V>(x + k * L), s[k]);
    for (int64_t r = 1; r < m; r++) {
      x += row_stride;
      for (int k = 0; k < K; k++) a[k] = F::join(a[k], F::map(get<V>(x + k * L), s[k]));
    }
    x += row_stride, rows -= m;
    for (int k = 0; k < K; k++)
      for (int l = 0; l < L; l++) acc[k * L + l] = F::template join<A>(acc[k * L + l], A(a[k][l]));
  }
}
template <class F, class C> void cols(const void* p, int64_t n, int64_t rows, int64_t row_stride, const double* shift, void* out) {
  constexpr int L = TG_VECTOR_BYTES / sizeof(C);
  const C* x = static_cast<const C*>(p);
  auto* acc = static_cast<typename AccOf<C>::type*>(out);
  int64_t c = 0;
  for (; c + 8 * L <= n; c += 8 * L) strip<F, C, L, 8>(x + c, rows, row_stride, shift ? shift + c : nullptr, acc + c);
  for (; c + L <= n; c += L) strip<F, C, L, 1>(x + c, rows, row_stride, shift ? shift + c : nullptr, acc + c);
  for (; c < n; c++) strip<F, C, 1, 1>(x + c, rows, row_stride, shift ? shift + c : nullptr, acc + c);
}
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
     {fold<All, float>(), fold<All, double>(), fold<All, int64_t>()}}};

}  // namespace tapegrad
