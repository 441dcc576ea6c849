// Eigenvalues and eigenvectors.
#include <Eigen/Eigenvalues>

#include "src/ops/linalg.h"

namespace tapegrad {

namespace {

// ---- symmetric matrices
void decompose_symmetric(const Tensor& A, bool lower, const Tensor& L, const Tensor& Q) {
  const Tensor x = row_major(A, A.dtype());
  const int64_t n = rows(A);
  if (n) with_scalar(A, [&](auto t) {
    using T = decltype(t);
    each_matrix(batch(A), 10 * double(n) * double(n) * double(n), [&](int64_t i) {
      Matrix<T> a = matrix<T>(x, i);
      if (!lower) a.transposeInPlace();  // Eigen reads the lower triangle
      const Eigen::SelfAdjointEigenSolver<Matrix<T>> solver(a, Q.defined() ? Eigen::ComputeEigenvectors : Eigen::EigenvaluesOnly);
      vector<T>(L, i) = solver.eigenvalues();
      if (Q.defined()) matrix<T>(Q, i) = solver.eigenvectors();
    });
  });
}
// λ_j - λ_i, with 1 on the diagonal.
Tensor gaps(const Tensor& L) { return as_row(L) - as_column(L) + identity(L.size(-1), L); }
// dA = Q (diag(gL) + Qᵀ gQ / E) Qᵀ, E_ij = λ_j - λ_i, nothing on the quotient's diagonal. Giles (2008), section 3.1.
struct EighBackward final : NodeOf<1> {
  SavedTensor L, Q;
  explicit EighBackward(const Tensor& A) : NodeOf(A) {}
  const char* name() const override { return "LinalgEighBackward0"; }
  void free_saved() override { L.reset(), Q.reset(); }
  void backward_all(Tensor* g, Tensor* dx) override {
    if (!needs(0) || (!g[0].defined() && !g[1].defined())) return;
    const Tensor l = L.unpack(*this), q = Q.unpack(*this);
    Tensor inner;
    if (g[1].defined()) {
      const Tensor along = t_times(q, g[1]);
      inner = (along - diag_embed(diagonals(along))) / gaps(l);
    }
    if (g[0].defined()) inner = inner.defined() ? inner + diag_embed(g[0]) : diag_embed(g[0]);
    dx[0] = times(times(q, inner), mT(q));
  }
};
bool reads_lower(std::string_view uplo) {
  TG_CHECK(uplo == "L" || uplo == "U" || uplo == "l" || uplo == "u", ValueError, "UPLO must be 'L' or 'U', got '", uplo, "'");
  return uplo == "L" || uplo == "l";
}

// ---- general matrices, eigenvectors of length 1
void decompose_general(const Tensor& A, const Tensor& L, const Tensor& V) {
  const Tensor x = row_major(A, A.dtype()), complex = zeros(batch(A), bool_), failed = zeros(batch(A), bool_);
  const int64_t n = rows(A);
  if (n) with_scalar(A, [&](auto t) {
    using T = decltype(t);
    each_matrix(batch(A), 25 * double(n) * double(n) * double(n), [&](int64_t i) {
      const Eigen::EigenSolver<Matrix<T>> solver(Matrix<T>(matrix<T>(x, i)), V.defined());
      failed->data[i] = solver.info() != Eigen::Success;
      if (failed->data[i]) return;
      vector<T>(L, i) = solver.eigenvalues().real();
      complex->data[i] = (solver.eigenvalues().imag().array() != T(0)).any();
      if (V.defined()) matrix<T>(V, i) = solver.pseudoEigenvectors().colwise().normalized();
    });
  });
  TG_CHECK(!any(failed).item<bool>(), LinAlgError, "the iteration did not converge", Named{"A", A});
  TG_CHECK(!any(complex).item<bool>(), NotImplementedError, "the matrix has complex eigenvalues, for which there are no dtypes yet; "
      "for symmetric matrices use linalg.eigh", Named{"A", A});
}
// dA = V⁻ᵀ (diag(gL) + (Vᵀ gV - Vᵀ V diag(Vᵀ gV)) / E) Vᵀ, E_ij = λ_j - λ_i: Giles (2008), section 3.1, with the vectors kept at
// length 1.
struct EigBackward final : NodeOf<1> {
  SavedTensor L, V;
  explicit EigBackward(const Tensor& A) : NodeOf(A) {}
  const char* name() const override { return "LinalgEigBackward0"; }
  void free_saved() override { L.reset(), V.reset(); }
  void backward_all(Tensor* g, Tensor* dx) override {
    if (!needs(0) || (!g[0].defined() && !g[1].defined())) return;
    const Tensor l = L.unpack(*this), v = V.unpack(*this);
    Tensor inner;
    if (g[1].defined()) {
      const Tensor along = t_times(v, g[1]), x = along - t_times(v, v) * as_row(diagonals(along));
      inner = (x - diag_embed(diagonals(x))) / gaps(l);
    }
    if (g[0].defined()) inner = inner.defined() ? inner + diag_embed(g[0]) : diag_embed(g[0]);
    dx[0] = linalg::solve(mT(v), times(inner, mT(v)));
  }
};

}  // namespace

namespace linalg {

std::tuple<Tensor, Tensor> eigh(const Tensor& A, std::string_view UPLO) {
  OpScope op("linalg.eigh");
  check_square(A), check_finite(A);
  Tensor L = empty({A->sizes, size_t(A.dim() - 1)}, A.dtype()), Q = empty(A.sizes(), A.dtype());
  decompose_symmetric(A, reads_lower(UPLO), L, Q);
  if (recording(A)) {
    auto* n = record_many<EighBackward>({L, Q}, A);
    n->L = SavedTensor(L, SavedTensor::output), n->Q = SavedTensor(Q, SavedTensor::output);
  }
  return {L, Q};
}
Tensor eigvalsh(const Tensor& A, std::string_view UPLO) {
  OpScope op("linalg.eigvalsh");
  if (recording(A)) return std::get<0>(eigh(A, UPLO));
  check_square(A), check_finite(A);
  Tensor L = empty({A->sizes, size_t(A.dim() - 1)}, A.dtype());
  decompose_symmetric(A, reads_lower(UPLO), L, {});
  return L;
}
std::tuple<Tensor, Tensor> eig(const Tensor& A) {
  OpScope op("linalg.eig");
  check_square(A), check_finite(A);
  Tensor L = empty({A->sizes, size_t(A.dim() - 1)}, A.dtype()), V = empty(A.sizes(), A.dtype());
  decompose_general(A, L, V);
  if (recording(A)) {
    auto* n = record_many<EigBackward>({L, V}, A);
    n->L = SavedTensor(L, SavedTensor::output), n->V = SavedTensor(V, SavedTensor::output);
  }
  return {L, V};
}
Tensor eigvals(const Tensor& A) {
  OpScope op("linalg.eigvals");
  if (recording(A)) return std::get<0>(eig(A));
  check_square(A), check_finite(A);
  Tensor L = empty({A->sizes, size_t(A.dim() - 1)}, A.dtype());
  decompose_general(A, L, {});
  return L;
}

}  // namespace linalg

void linalg_eigen_ops(OpTable& t) {
  t.add("linalg.eigh(Tensor input, str UPLO='L')", &linalg::eigh,
        "Eigenvalues, ascending, and orthonormal eigenvectors, unique up to sign, of symmetric matrices, of which only one triangle is read.")
      .with_out().returns("eigenvalues eigenvectors").samples({"Sym(3)", "Sym(2, 4)", "Sym(3), UPLO='U'", "Sym(0)"});
  t.add("linalg.eigvalsh(Tensor input, str UPLO='L')", &linalg::eigvalsh, "Eigenvalues of symmetric matrices, ascending.")
      .with_out().samples({"Sym(3)", "Sym(2, 3), UPLO='U'"});
  t.add("linalg.eig(Tensor input)", &linalg::eig,
        "Eigenvalues and eigenvectors of length 1 of matrices with real eigenvalues; complex ones raise NotImplementedError.")
      .returns("eigenvalues eigenvectors").samples({"Spd(3)", "Spd(2, 4)"});
  t.add("linalg.eigvals(Tensor input)", &linalg::eigvals, "Eigenvalues of matrices that have only real ones.").samples({"Spd(3)", "Spd(2, 4)"});
}

}  // namespace tapegrad
