// Schur's form of square matrices, and their eigenvectors. Golub and Van Loan, "Matrix Computations", sections 7.4 to 7.6.
#pragma once
#include "src/ops/linalg_dense.h"

namespace tapegrad {

void ask_for_interrupt();  // src/tensor/interrupt.h; a Complex of its own is in there

// Made for double and std::complex<double>.

/// a = Z T Zᴴ: a becomes T, triangular but for blocks of 2 by 2 on the diagonal of a real T, which have complex eigenvalues; and zh,
/// when it has rows, Zᴴ. Without them only T's diagonal and its blocks are right. False when the iteration does not converge.
template <class T> bool make_schur(const Block<T>& a, const Block<T>& zh);
/// Those of T; pairs of conjugates are neighbours, the positive imaginary part first.
template <class T> std::vector<std::complex<double>> schur_eigenvalues(const Block<T>& t);
/// Eigenvectors of Z T Zᴴ, of length 1, in the columns.
template <class T> Dense<std::complex<double>> schur_eigenvectors(const Block<T>& t, const Block<T>& zh, const std::vector<std::complex<double>>& values);

}  // namespace tapegrad
