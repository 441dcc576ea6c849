// Ops that integers have too, beyond arithmetic: divisions with remainders, powers, bits, comparisons, tests of a number.
#include "src/cuda/ops/elementwise.cuh"

namespace tapegrad::cuda {

void add_integers(ElementwiseTable& t) {
  add_forwards(OpList<DivTrunc, DivFloor, Remainder, Fmod, Pow, Eq, Ne, Lt, Le, Gt, Ge, LogicalAnd, LogicalOr, LogicalXor, BitwiseAnd, BitwiseOr,
                 BitwiseXor, ShiftLeft, ShiftRight, IsNan, IsInf, IsPosInf, IsNegInf, IsFinite, SignBit, LogicalNot, BitwiseNot>(), t);
}

}  // namespace tapegrad::cuda
