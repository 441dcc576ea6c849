// Elementwise kernels on complex numbers and uint64: the loops of cpu/loops.h, one number at a time.
#include "src/ops/complex_number.h"
#include "src/ops/cpu/loops.h"
#include "src/ops/plain.h"

namespace tapegrad {
namespace {

template <class Op, int N, class T, class List> constexpr Kernel forward() {
  if constexpr (is_in<Op, List>) return forward_loop<Op, T, N>; else return nullptr;
}
template <class Op, int N, class R, int K> constexpr Kernel backward() {
  if constexpr (is_in<Op, ComplexOps>) return backward_kernel<Op, N, Complex<R>, K>(); else return nullptr;
}
template <class Op, int N> constexpr PlainKernels kernels_of() {
  return {{forward<Op, N, Complex<float>, ComplexOps>(), forward<Op, N, Complex<double>, ComplexOps>(), forward<Op, N, uint64_t, UnsignedOps>()},
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
