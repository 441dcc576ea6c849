// The iterative part of eigenvalues and singular values: real matrices with two diagonals, made diagonal by rotations. Golub and
// Van Loan, "Matrix Computations", sections 8.3 and 8.6.
#pragma once
#include "src/ops/linalg_dense.h"

namespace tapegrad {

/// T with diagonal d and e beside it on both sides, T = Wᵀ diag(d) W: d becomes the eigenvalues, in no order, and x becomes W x when
/// it has rows. Complex rows count as twice as many real numbers. False when the iteration does not converge.
bool diagonalize_symmetric(std::vector<double>& d, std::vector<double>& e, const Block<double>& x);
/// B with diagonal d and e above it, B = Xᵀ diag(d) Y: d becomes the singular values, in no order and of any sign, x becomes X x and
/// y becomes Y y, when they have rows.
bool diagonalize_bidiagonal(std::vector<double>& d, std::vector<double>& e, const Block<double>& x, const Block<double>& y);

/// The memory of a matrix as real numbers.
inline Block<double> reals(const Block<double>& x) { return x; }
inline Block<double> reals(const Block<std::complex<double>>& x) { return {reinterpret_cast<double*>(x.at), x.rows, 2 * x.columns, 2 * x.step}; }

}  // namespace tapegrad
