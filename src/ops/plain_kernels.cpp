// Elementwise kernels on complex numbers and uint64: the loops of cpu/loops.h, one number at a time, but for complex sums and products.
#include "src/ops/complex_number.h"
#include "src/ops/cpu/complex.h"
#include "src/ops/cpu/loops.h"
#include "src/ops/plain.h"

namespace tapegrad {
namespace {

// Sums and products of complex numbers have packet code.
template <class R> const ComplexKernels& packets() { return sizeof(R) == 4 ? complex_tables[kernel_set]->c64 : complex_tables[kernel_set]->c128; }
template <class Op, int N, class T, class List> constexpr Kernel forward() {
  if constexpr (is_in<Op, List>) return forward_loop<Op, T, N>; else return nullptr;
}
template <class Op, int N, class R> constexpr Kernel complex_forward() {
  if constexpr (__is_same(Op, Add)) return [](const void*, char* const* p, int64_t n) { packets<R>().add(p, n); };
  else if constexpr (__is_same(Op, Sub)) return [](const void*, char* const* p, int64_t n) { packets<R>().sub(p, n); };
  else if constexpr (__is_same(Op, Mul)) return [](const void*, char* const* p, int64_t n) { packets<R>().mul(p, n); };
  else return forward<Op, N, Complex<R>, ComplexOps>();
}
template <class Op, int N, class R, int K> constexpr Kernel backward() {
  if constexpr (is_in<Op, ComplexOps>) return backward_kernel<Op, N, Complex<R>, K>(); else return nullptr;
}
template <class Op, int N> constexpr PlainKernels kernels_of() {
  return {{complex_forward<Op, N, float>(), complex_forward<Op, N, double>(), forward<Op, N, uint64_t, UnsignedOps>()},
          {{backward<Op, N, float, 0>(), backward<Op, N, double, 0>()},
           {backward<Op, N, float, 1>(), backward<Op, N, double, 1>()},
           {backward<Op, N, float, 2>(), backward<Op, N, double, 2>()}}};
}
template <int N, class List> struct All;
template <int N, class... Ops> struct All<N, OpList<Ops...>> {
  static constexpr PlainKernels table[] = {kernels_of<Ops, N>()...};
};

}  // namespace

const PlainKernels* const plain_kernels[3] = {All<1, UnaryOps>::table, All<2, BinaryOps>::table, All<3, TernaryOps>::table};

}  // namespace tapegrad
