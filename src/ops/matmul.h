// The product that matmul, linear, einsum, attention and their gradients share.
#pragma once
#include "tapegrad/ops.h"

namespace tapegrad {

/// op(a) op(b) over the last two dimensions, where op(x) is x, or its transpose when the flag is set; leading dimensions
/// broadcast. Recorded; the gradients are products of the same kind, so nothing is ever copied to be transposed.
/// Requires: both have 2 or more dimensions and fit.
Tensor product(const Tensor& a, bool ta, const Tensor& b, bool tb);

}  // namespace tapegrad
