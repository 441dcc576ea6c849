// Running sums of rows in packets of eight, whatever the width of the registers, and of columns side by side.
#include "src/ops/cpu/scan.h"

#include "src/ops/cpu/halves.h"
#include "src/ops/cpu/shuffle.h"
#include "src/ops/cpu/table.h"

namespace tapegrad { inline namespace TG_NS { namespace {

template <class T> struct Eight {
  typedef T type __attribute__((vector_size(8 * sizeof(T))));
  typedef T unaligned __attribute__((vector_size(8 * sizeof(T)), aligned(sizeof(T)), may_alias));
};
template <class A, class V> inline typename Eight<A>::type converted(V v) {
#ifdef __AVX512F__  // in one step, where the compiler takes four
  if constexpr (__is_same(V, Eight<float>::type) && __is_same(A, double)) return (Eight<double>::type)_mm512_cvtps_pd((__m256)v);
#endif
  return __builtin_convertvector(v, typename Eight<A>::type);
}
template <class A, class C> inline typename Eight<A>::type load(const C* x) {
  if constexpr (is_half<C>) return converted<A>(get<Eight<float>::type>(x));
  else return converted<A>(typename Eight<C>::type(*reinterpret_cast<const typename Eight<C>::unaligned*>(x)));
}
template <class C, class V> inline void store(C* y, V v) {
  if constexpr (is_half<C>) put(y, converted<float>(v));
  else *reinterpret_cast<typename Eight<C>::unaligned*>(y) = converted<C>(v);
}
/// One number of either.
template <class A, class C> inline A load_one(const C* x) { if constexpr (is_half<C>) return A(get<float>(x)); else return A(*x); }
template <class C, class A> inline void store_one(C* y, A v) { if constexpr (is_half<C>) put(y, float(v)); else *y = C(v); }
template <class V> inline V reversed(V v) { return shuffled<7, 6, 5, 4, 3, 2, 1, 0>(v, v); }

template <class A, bool back, class C> void row_sums(const C* x, C* y, int64_t n) {
  using V = typename Eight<A>::type;
  const V none{};
  V sum{};  // of all before, in every lane
  auto scan = [&](V v) {
    if (back) v = reversed(v);
    v += shuffled<7, 8, 9, 10, 11, 12, 13, 14>(none, v);
    v += shuffled<6, 7, 8, 9, 10, 11, 12, 13>(none, v);
    v += shuffled<4, 5, 6, 7, 8, 9, 10, 11>(none, v);
    const V r = v + sum;
    sum += shuffled<7, 7, 7, 7, 7, 7, 7, 7>(v, v);
    return back ? reversed(r) : r;
  };
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const int64_t at = back ? n - 8 - i : i;
    store(y + at, scan(load<A>(x + at)));
  }
  if (i == n) return;
  const int64_t rest = n - i, at = back ? 0 : i;
  C last[8] = {};
  for (int64_t k = 0; k < rest; k++) last[k] = x[at + k];
  store(last, scan(load<A>(last)));
  for (int64_t k = 0; k < rest; k++) y[at + k] = last[k];
}
template <class C, class A> void row(const void* x, void* y, int64_t n, bool back) {
  if (back) row_sums<A, true>(static_cast<const C*>(x), static_cast<C*>(y), n);
  else row_sums<A, false>(static_cast<const C*>(x), static_cast<C*>(y), n);
}
template <class C, class A> void cols(const void* px, void* py, int64_t n, int64_t stride, int64_t cols, bool back) {
  alignas(64) A sum[256] = {};
  for (int64_t k = 0; k < n; k++) {
    const int64_t r = back ? n - 1 - k : k;
    const C* x = static_cast<const C*>(px) + r * stride;
    C* y = static_cast<C*>(py) + r * stride;
    int64_t c = 0;
    for (; c + 8 <= cols; c += 8) {
      const auto v = *reinterpret_cast<typename Eight<A>::type*>(sum + c) += load<A>(x + c);
      store(y + c, v);
    }
    for (; c < cols; c++) store_one(y + c, sum[c] += load_one<A>(x + c));
  }
}
template <class C, class A> constexpr RunningSum sums() { return {row<C, A>, cols<C, A>}; }

}}  // namespace

extern "C" const ScanTable TG_TABLE(scan);
constinit const ScanTable TG_TABLE(scan) = {{sums<float, double>(), sums<double, double>(), sums<int64_t, int64_t>(), sums<TG_NS::Half, double>(), sums<TG_NS::Brain, double>()}};

}  // namespace tapegrad
