// Checks and batches of the linear algebra families.
#include "src/ops/linalg.h"

namespace tapegrad {

void check_matrix(const Tensor& A, const char* name) {
  TG_CHECK(A.dim() >= 2, ShapeError, name, " must be a batch of matrices, with at least 2 dimensions, got ", A.dim(), Named{name, A});
  TG_CHECK(A.dtype() == float32 || A.dtype() == float64 || is_complex(A.dtype()), DtypeError, name,
      " must be float32, float64, complex64 or complex128, got ", A.dtype(), Named{name, A});
}
void check_real_matrix(const Tensor& A, const char* name) {
  check_matrix(A, name);
  TG_CHECK(!is_complex(A.dtype()), DtypeError, name, " must be float32 or float64, got ", A.dtype(), Named{name, A});
}
void check_square(const Tensor& A, const char* name) {
  check_matrix(A, name);
  TG_CHECK(rows(A) == columns(A), ShapeError, name, " must be a batch of square matrices, got ", rows(A), " by ", columns(A), Named{name, A});
}
void check_same_dtype(const Tensor& a, const char* a_name, const Tensor& b, const char* b_name) {
  TG_CHECK(a.dtype() == b.dtype(), DtypeError, a_name, " and ", b_name, " must have the same dtype, got ", a.dtype(), " and ",
      b.dtype(), Named{a_name, a}, Named{b_name, b});
}

static std::string element_text(IntList batch, int64_t i) {
  return batch.empty() ? "" : "(Batch element " + std::to_string(i) + ") ";
}
void check_info(const Tensor& info, const char* before, const char* after) {
  for (int64_t i = 0; i < info.numel(); i++)
    TG_CHECK(*ints(info, i) == 0, LinAlgError, element_text(info.sizes(), i), before, *ints(info, i), after);
}
void check_finite(const Tensor& A) {
  const int64_t each = rows(A) * columns(A);
  const Tensor x = row_major(A, A.dtype());
  with_scalar(A, [&](auto t) {
    using T = decltype(t);
    const auto is_finite = [](T v) { return std::isfinite(std::real(v)) && std::isfinite(std::imag(v)); };
    const T* from = x->host<const T>();
    for (int64_t i = 0; each && i < x.numel() / each; i++)
      TG_CHECK(std::all_of(from + i * each, from + (i + 1) * each, is_finite), LinAlgError, element_text(batch(A), i), "the matrix has elements that are infinite or NaN");
  });
}

void broadcast_batches(Tensor& A, Tensor& B) {
  if (batch(A) == batch(B)) return;
  const size_t n = std::max(batch(A).size(), batch(B).size());
  Shape common(n, 1);
  for (size_t d = 0; d < n; d++) {  // from the back
    const auto size = [&](const Tensor& x) { return d < batch(x).size() ? batch(x)[batch(x).size() - 1 - d] : 1; };
    TG_CHECK(size(A) == size(B) || size(A) == 1 || size(B) == 1, ShapeError, "the batches ", batch(A), " and ", batch(B),
        " do not broadcast", Named{"A", A}, Named{"B", B});
    common[n - 1 - d] = size(A) == 1 ? size(B) : size(A);
  }
  A = expand(A, shape_of(common, {rows(A), columns(A)}));
  B = expand(B, shape_of(common, {rows(B), columns(B)}));
}
bool is_vector(const Tensor& A, const Tensor& B) {
  return B.dim() == 1 || (B.dim() == A.dim() - 1 && B.sizes() == IntList(A->sizes, size_t(A.dim() - 1)));
}

}  // namespace tapegrad
