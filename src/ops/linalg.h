// What the linear algebra families share: checks, batches, and one matrix of a batch as memory.
#pragma once
#include <algorithm>

#include "src/ops/linalg_dense.h"
#include "src/ops/matmul.h"
#include "src/ops/op_info.h"
#include "src/ops/rows.h"
#include "src/tensor/interrupt.h"

namespace tapegrad {

// ---- checks

/// A must be a matrix or a batch of matrices, float32, float64, complex64 or complex128.
void check_matrix(const Tensor& A, const char* name = "A");
/// And not complex.
void check_real_matrix(const Tensor& A, const char* name = "A");
void check_square(const Tensor& A, const char* name = "A");
void check_same_dtype(const Tensor& a, const char* a_name, const Tensor& b, const char* b_name);
/// Throws LinAlgError for the first matrix of which info is not 0, with that number between the texts.
void check_info(const Tensor& info, const char* before, const char* after);
/// Throws LinAlgError when there is an infinity or a NaN.
void check_finite(const Tensor& A);

/// For outputs that have no derivative: backward says so.
struct NoDerivative final : NodeOf<1> {
  const char* op;
  NoDerivative(const Tensor& x, const char* o) : NodeOf(x), op(o) {}
  const char* name() const override { return "NotImplemented"; }
  void backward(Tensor, Tensor*) override { detail::fail<NotImplementedError>("the derivative of ", op, " is not implemented"); }
};

// ---- shapes of batches

inline int64_t rows(const Tensor& A) { return A->sizes[A.dim() - 2]; }
inline int64_t columns(const Tensor& A) { return A->sizes[A.dim() - 1]; }
/// The sizes in front of the matrix.
inline IntList batch(const Tensor& A) { return {A->sizes, size_t(A.dim() - 2)}; }
inline Shape shape_of(IntList batch, IntList rest) {
  Shape s(batch);
  for (int64_t n : rest) s.push_back(n);
  return s;
}
/// A and B with one batch shape. Throws ShapeError when theirs do not broadcast. Recorded.
void broadcast_batches(Tensor& A, Tensor& B);
/// How linalg.solve and lstsq tell vectors from matrices: B is a batch of vectors when its shape is A's without columns, or 1-d.
bool is_vector(const Tensor& A, const Tensor& B);

inline double epsilon(const Tensor& A) { return real_dtype(A.dtype()) == float64 ? 0x1p-52 : 0x1p-23; }
/// The identity, to be broadcast.
inline Tensor identity(int64_t n, const Tensor& like) { return eye(n, {}, like.dtype(), like.device()); }
/// x with a dimension at the end, x[:, None]: a vector as a column.
inline Tensor as_column(const Tensor& x) { return unsqueeze(x, -1); }
inline Tensor as_row(const Tensor& x) { return unsqueeze(x, -2); }
inline Tensor diagonals(const Tensor& A) { return diagonal(A, 0, -2, -1); }
/// columns [0, k) of A; rows [0, k).
inline Tensor first_columns(const Tensor& A, int64_t k) { return k == columns(A) ? A : narrow(A, -1, 0, k); }
inline Tensor first_rows(const Tensor& A, int64_t k) { return k == rows(A) ? A : narrow(A, -2, 0, k); }
/// xᴴ, transposed and conjugated: what gradients take where they take xᵀ of real matrices.
inline Tensor mH(const Tensor& x) { return mT(conj(x)); }
/// Matrices: a b, aᴴ b, a bᴴ.
inline Tensor times(const Tensor& a, const Tensor& b) { return product(a, false, b, false); }
inline Tensor h_times(const Tensor& a, const Tensor& b) { return product(conj(a), true, b, false); }
inline Tensor times_h(const Tensor& a, const Tensor& b) { return product(a, false, conj(b), true); }

// ---- kernels

/// Matrix i of a row-major batch, and vector i.
template <class T> Block<T> matrix(const Tensor& A, int64_t i) {
  return {A->host<T>() + i * rows(A) * columns(A), rows(A), columns(A), columns(A)};
}
template <class T> T* vector(const Tensor& v, int64_t i) { return v->host<T>() + i * v->sizes[v.dim() - 1]; }
inline int32_t* ints(const Tensor& t, int64_t i) { return t->host<int32_t>() + i; }

/// f(T()) for the tensor's scalar type; with_real only knows the real ones.
template <class F> void with_real(const Tensor& A, F f) {
  A->host();  // refuses CUDA tensors, empty ones too
  A.dtype() == Dtype::Float64 ? f(double()) : f(float());
}
template <class F> void with_scalar(const Tensor& A, F f) {
  A->host();
  if (A.dtype() == Dtype::Complex64) f(std::complex<float>());
  else if (A.dtype() == Dtype::Complex128) f(std::complex<double>());
  else with_real(A, f);
}
/// What the iterative decompositions compute in, whatever is stored.
template <class T> using Doubled = std::conditional_t<kIsComplex<T>, std::complex<double>, double>;
/// f(i) for each matrix of the batch, on several threads; `flops` is what one costs. f must not throw.
template <class F> void each_matrix(IntList batch, double flops, F f) {
  const int64_t count = product(batch);
  LongKernel unlocked(int64_t(double(count) * flops / 8));
  interruptible_for(count, std::max<int64_t>(1, int64_t(4e5 / (flops + 1))), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) f(i);
  });
}

}  // namespace tapegrad
