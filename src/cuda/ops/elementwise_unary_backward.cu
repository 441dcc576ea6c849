// Gradients of functions of one number, but for activations.
#include "src/cuda/ops/elementwise.cuh"

namespace tapegrad::cuda {

void add_unary_backward(ElementwiseTable& t) {
  add_backwards(OpList<Abs, Clamp, ClampMin, ClampMax, NanToNum, Square, Cube, PowNumber, Sqrt, Rsqrt, Reciprocal, Exp, Exp2, Expm1, Log, Log2,
                       Log10, Log1p, Sin, Cos, Tan, Asin, Acos, Atan, Sinh, Cosh, Tanh, Asinh, Acosh, Atanh, Sinc, Logit, Erf, Erfc, Erfinv,
                       Lgamma, Digamma, Polygamma>(), t);
}

}  // namespace tapegrad::cuda
