// The product that matmul, linear, einsum, attention and their gradients share.
#pragma once
#include "tapegrad/ops.h"

namespace tapegrad {

/// op(a) op(b) over the last two dimensions, where op(x) is x, or its transpose when the flag is set; leading dimensions
/// broadcast. Recorded; the gradients are products of the same kind, so nothing is ever copied to be transposed.
/// Requires: both have 2 or more dimensions and fit.
Tensor product(const Tensor& a, bool ta, const Tensor& b, bool tb);
/// The same as the gradient for input k of a node: added to what the leaf behind it has already, where that can be. *row_sums gets the sums
/// of op(a)'s rows where they cost next to nothing (on CUDA), else it stays undefined.
Tensor gradient_product(const Node& n, int k, const Tensor& a, bool ta, const Tensor& b, bool tb, Tensor* row_sums = nullptr);
/// gelu, in its form with tanh, of bias + a b for matrices of floats on CUDA that fit; in one launch where the library can. Recorded as
/// the product and the gelu that it is.
Tensor gelu_of_product(const Tensor& a, const Tensor& b, const Tensor& bias);
/// x as one matrix: all but its last dimension folded into rows.
Tensor fold(const Tensor& x);
/// Throws unless a and b have one dtype, and one that products are defined for.
void check_product_dtypes(const Tensor& a, const Tensor& b, const char* a_name = "a", const char* b_name = "b");
/// The same, and that a's columns are b's rows.
void check_product(const Tensor& a, const Tensor& b);

}  // namespace tapegrad
