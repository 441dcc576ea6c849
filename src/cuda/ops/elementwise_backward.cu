// Gradients of functions of two and three numbers.
#include "src/cuda/ops/elementwise.cuh"

namespace tapegrad::cuda {

void add_backward(ElementwiseTable& t) {
  add_backwards(OpList<Mul, Div, Pow, Atan2, Hypot, Copysign, LogAddExp, LogAddExp2, Xlogy, Maximum, Minimum, Fmax, Fmin, ClampMinTensor,
                       ClampMaxTensor, Prelu, Where, Lerp, Addcmul, Addcdiv, ClampTensors>(), t);
}

}  // namespace tapegrad::cuda
