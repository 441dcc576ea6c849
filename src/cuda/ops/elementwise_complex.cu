// The ops that hold for complex numbers, and their gradients. Arithmetic has kernels of both widths; functions are computed in
// complex128 for both, since their code is long.
#include "src/ops/complex_number.h"

#include "src/cuda/ops/elementwise.cuh"

namespace tapegrad::cuda {

namespace {

using Arithmetic = OpList<Neg, Square, Cube, Reciprocal, IsNan, IsInf, IsFinite, Add, Sub, Rsub, AddScaled, SubScaled, Mul, Div, Eq, Ne, LerpNumber,
                          Where, Lerp, Addcmul, Addcdiv>;
using Functions = OpList<PowNumber, Sqrt, Rsqrt, Exp, Exp2, Expm1, Log, Log2, Log10, Log1p, Sin, Cos, Tan, Asin, Acos, Atan, Sinh, Cosh, Tanh,
                         Asinh, Acosh, Atanh, Sinc, Sigmoid, Silu, Tanhshrink, Pow>;
template <class... All, class... Parts> constexpr bool are_parts(OpList<All...>, OpList<Parts...>) {
  return sizeof...(All) == sizeof...(Parts) && (is_in<Parts, OpList<All...>> && ...);
}
template <class... A, class... B> OpList<A..., B...> joined(OpList<A...>, OpList<B...>);
static_assert(are_parts(ComplexOps(), decltype(joined(Arithmetic(), Functions()))()));

template <class T, class... Ops> void add(OpList<Ops...>, ElementwiseTable& t, Compute c) {
  (add_forward<Ops, T>(t, c), ...);
  (add_gradients<Ops, T>(t, c), ...);
}
template <class... Ops> void share(OpList<Ops...>, ElementwiseTable& t) {
  const auto one = [](OpKernelTable& op) {
    op.forward[int(Compute::C64)] = op.forward[int(Compute::C128)];
    for (auto& b : op.backward) b[int(Compute::C64)] = b[int(Compute::C128)];
  };
  (one(row_of<Ops>(t)), ...);
}

}  // namespace

void add_complex(ElementwiseTable& t) {
  add<Complex<float>>(Arithmetic(), t, Compute::C64);
  add<Complex<double>>(Arithmetic(), t, Compute::C128);
  add<Complex<double>>(Functions(), t, Compute::C128);
  share(Functions(), t);
}

}  // namespace tapegrad::cuda
