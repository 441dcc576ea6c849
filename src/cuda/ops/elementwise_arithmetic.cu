// Sums, products, quotients, extremes and the like of two and three numbers.
#include "src/cuda/ops/elementwise.cuh"

namespace tapegrad::cuda {

void add_arithmetic(ElementwiseTable& t) {
  add_forwards(OpList<Add, Sub, Rsub, AddScaled, SubScaled, Mul, Div, Maximum, Minimum, Fmax, Fmin, ClampMinTensor, ClampMaxTensor, Heaviside, Prelu,
                 LerpNumber, Where, Lerp, Addcmul, Addcdiv, ClampTensors>(), t);
}

}  // namespace tapegrad::cuda
