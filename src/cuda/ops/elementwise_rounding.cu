// Signs, rounding, limits, small powers.
#include "src/cuda/ops/elementwise.cuh"

namespace tapegrad::cuda {

void add_rounding(ElementwiseTable& t) {
  add_forwards(OpList<Neg, Abs, Sign, Floor, Ceil, Trunc, Frac, Round, RoundDecimals, Clamp, ClampMin, ClampMax, NanToNum, Square, Cube, PowNumber,
                 Relu, Hardtanh, Threshold>(), t);
}

}  // namespace tapegrad::cuda
