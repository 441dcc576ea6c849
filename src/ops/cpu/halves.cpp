// Kernels of the elementwise ops on 16-bit floats: the loops of float32, which widen what they read and round what they write.
#include "src/ops/cpu/halves.h"

#include "src/ops/cpu/loops.h"

namespace tapegrad { inline namespace TG_NS { namespace {

/// Where the arithmetic takes longer than a detour by way of floats in L1, a loop of its own would be code for nothing.
template <class Op> constexpr bool has_loops =
    computes_in<Op>(Compute::F32) && (!Op::traits.costly || is_in<Op, OpList<Exp, Log, Tanh, Sigmoid, Gelu, GeluTanh, Silu>>);

template <class Op, int N, class T> constexpr Kernel forward() {
  if constexpr (has_loops<Op>) return forward_loop<Op, T, N>; else return nullptr;
}
template <class Op, int N, class T, int K> constexpr Kernel backward() {
  if constexpr (has_loops<Op>) return backward_kernel<Op, N, T, K>(); else return nullptr;
}
template <class Op, int N, class T, int k> constexpr Kernel with_number() {
  if constexpr (!Op::traits.wide_number) return nullptr;
  else if constexpr (k == 0) return forward_loop<Op, T, N, float, T>;
  else return forward_loop<Op, T, N, T, float>;
}
template <class Op, int N> constexpr HalfKernels half_kernels() {
  return {{forward<Op, N, Half>(), forward<Op, N, Brain>()},
          {{backward<Op, N, Half, 0>(), backward<Op, N, Brain, 0>()},
           {backward<Op, N, Half, 1>(), backward<Op, N, Brain, 1>()},
           {backward<Op, N, Half, 2>(), backward<Op, N, Brain, 2>()}},
          {{with_number<Op, N, Half, 0>(), with_number<Op, N, Brain, 0>()}, {with_number<Op, N, Half, 1>(), with_number<Op, N, Brain, 1>()}}};
}
template <int N, class List> struct Halves;
template <int N, class... Ops> struct Halves<N, OpList<Ops...>> {
  static constexpr HalfKernels kernels[] = {half_kernels<Ops, N>()...};
};

}}  // namespace

extern "C" const HalfTable TG_TABLE(halves);
constinit const HalfTable TG_TABLE(halves) = {{Halves<1, TG_NS::UnaryOps>::kernels, Halves<2, TG_NS::BinaryOps>::kernels, Halves<3, TG_NS::TernaryOps>::kernels}};

}  // namespace tapegrad
