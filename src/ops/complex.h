// What ops on complex tensors share.
#pragma once
#include "tapegrad/tensor.h"

namespace tapegrad {

/// The memory of a complex tensor as floats, with a last dimension of 2: no view, no history. What sums, copies and other ops
/// that treat the two parts alike run on.
Tensor as_floats(const Tensor& x);

/// |x| and x / |x| of complex tensors.
Tensor complex_abs(const Tensor& x);
Tensor complex_sgn(const Tensor& x);

}  // namespace tapegrad
