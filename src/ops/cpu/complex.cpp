// Complex numbers in packets of (re, im) pairs.
#include "src/ops/cpu/complex.h"

#include "src/ops/cpu/lanes.h"
#include "src/ops/cpu/table.h"

namespace tapegrad { inline namespace TG_NS { namespace {

template <class R, class F> void each_packet(char* const* p, int64_t n, F f) {
  R* y = reinterpret_cast<R*>(p[0]);
  const R *a = reinterpret_cast<const R*>(p[1]), *b = reinterpret_cast<const R*>(p[2]);
  steps<R>(2 * n, [=](int64_t i, auto at) { at.put(y + i, f(at.get(a + i), at.get(b + i))); });
}
// (a.re b.re - a.im b.im, a.re b.im + a.im b.re): lanes 2i and 2i + 1 are a pair.
template <class V, int... I> TG_IN V product(V a, V b, std::integer_sequence<int, I...>) {
  const V re = shuffled<(I & ~1)...>(a, a), im = shuffled<(I | 1)...>(a, a);
  const V crossed = im * shuffled<(I ^ 1)...>(b, b);
  const V sign = {decltype(a[0] + 0)(I & 1 ? 1 : -1)...};
  return re * b + sign * crossed;
}
template <class R> void add(char* const* p, int64_t n) { each_packet<R>(p, n, [](auto a, auto b) { return a + b; }); }
template <class R> void sub(char* const* p, int64_t n) { each_packet<R>(p, n, [](auto a, auto b) { return a - b; }); }
template <class R> void mul(char* const* p, int64_t n) {
  each_packet<R>(p, n, [](auto a, auto b) { return product(a, b, std::make_integer_sequence<int, kLanes<R>>()); });
}
template <class R> constexpr ComplexKernels kernels() { return {add<R>, sub<R>, mul<R>}; }

}}  // namespace

extern "C" const ComplexTable TG_TABLE(complex);
constinit const ComplexTable TG_TABLE(complex) = {kernels<float>(), kernels<double>()};

}  // namespace tapegrad
