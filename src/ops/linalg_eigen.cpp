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
      Matrix<Doubled<T>> a = matrix<T>(x, i).template cast<Doubled<T>>();
      if (!lower) a.adjointInPlace();  // Eigen reads the lower triangle
      const Eigen::SelfAdjointEigenSolver<Matrix<Doubled<T>>> solver(a, Q.defined() ? Eigen::ComputeEigenvectors : Eigen::EigenvaluesOnly);
      vector<Real<T>>(L, i) = solver.eigenvalues().template cast<Real<T>>();
      if (Q.defined()) matrix<T>(Q, i) = solver.eigenvectors().template cast<T>();
    });
  });
}
// λ_j - λ_i, with 1 on the diagonal.
Tensor gaps(const Tensor& L) { return as_row(L) - as_column(L) + identity(L.size(-1), L); }
// dA = Q (diag(gL) + Qᴴ gQ / E) Qᴴ, E_ij = λ_j - λ_i, nothing on the quotient's diagonal. Giles (2008), section 3.1.
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
      const Tensor along = h_times(q, g[1]);
      inner = (along - diag_embed(diagonals(along))) / gaps(l);
    }
    if (g[0].defined()) inner = inner.defined() ? inner + diag_embed(g[0]) : to(diag_embed(g[0]), q.dtype());
    dx[0] = times_h(times(q, inner), q);
  }
};
bool reads_lower(std::string_view uplo) {
  TG_CHECK(uplo == "L" || uplo == "U" || uplo == "l" || uplo == "u", ValueError, "UPLO must be 'L' or 'U', got '", uplo, "'");
  return uplo == "L" || uplo == "l";
}

// ---- general matrices: complex eigenvalues, and eigenvectors of length 1
template <class T> using Solver = std::conditional_t<Eigen::NumTraits<T>::IsComplex, Eigen::ComplexEigenSolver<Matrix<T>>, Eigen::EigenSolver<Matrix<T>>>;
void decompose_general(const Tensor& A, const Tensor& L, const Tensor& V) {
  const Tensor x = row_major(A, A.dtype());
  Tensor info = zeros(batch(A), Dtype::Int32);
  const int64_t n = rows(A);
  if (n) with_scalar(A, [&](auto t) {
    using T = decltype(t);
    using Z = std::complex<Real<T>>;
    each_matrix(batch(A), 25 * double(n) * double(n) * double(n), [&](int64_t i) {
      const Solver<Doubled<T>> solver(Matrix<Doubled<T>>(matrix<T>(x, i).template cast<Doubled<T>>()), V.defined());
      *ints(info, i) = solver.info() != Eigen::Success;
      if (*ints(info, i)) return;
      vector<Z>(L, i) = solver.eigenvalues().template cast<Z>();
      if (V.defined()) matrix<Z>(V, i) = solver.eigenvectors().template cast<Z>();
    });
  });
  check_info(info, "the iteration for the eigenvalues did not converge, info ", "");
}
// dA = V⁻ᴴ (diag(gL) + (Vᴴ gV - Vᴴ V diag(Re Vᴴ gV)) / conj(E)) Vᴴ off the quotient's diagonal, E_ij = λ_j - λ_i: Giles (2008),
// section 3.1, with the vectors kept at length 1.
struct EigBackward final : NodeOf<1> {
  SavedTensor L, V;
  bool real_input;
  explicit EigBackward(const Tensor& A) : NodeOf(A), real_input(!is_complex(A.dtype())) {}
  const char* name() const override { return "LinalgEigBackward0"; }
  void free_saved() override { L.reset(), V.reset(); }
  void backward_all(Tensor* g, Tensor* dx) override {
    if (!needs(0) || (!g[0].defined() && !g[1].defined())) return;
    const Tensor l = L.unpack(*this), v = V.unpack(*this);
    Tensor inner;
    if (g[1].defined()) {
      const Tensor along = h_times(v, g[1]), x = along - h_times(v, v) * as_row(real(diagonals(along)));
      inner = (x - diag_embed(diagonals(x))) / conj(gaps(l));
    }
    if (g[0].defined()) inner = inner.defined() ? inner + diag_embed(g[0]) : diag_embed(g[0]);
    const Tensor d = linalg::solve(mH(v), times_h(inner, v));
    dx[0] = real_input ? real(d) : d;
  }
};

}  // namespace

namespace linalg {

std::tuple<Tensor, Tensor> eigh(const Tensor& A, std::string_view UPLO) {
  OpScope op("linalg.eigh");
  check_square(A), check_finite(A);
  Tensor L = empty({A->sizes, size_t(A.dim() - 1)}, real_dtype(A.dtype())), Q = empty(A.sizes(), A.dtype());
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
  Tensor L = empty({A->sizes, size_t(A.dim() - 1)}, real_dtype(A.dtype()));
  decompose_symmetric(A, reads_lower(UPLO), L, {});
  return L;
}
std::tuple<Tensor, Tensor> eig(const Tensor& A) {
  OpScope op("linalg.eig");
  check_square(A), check_finite(A);
  const Dtype d = complex_dtype(A.dtype());
  Tensor L = empty({A->sizes, size_t(A.dim() - 1)}, d), V = empty(A.sizes(), d);
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
  Tensor L = empty({A->sizes, size_t(A.dim() - 1)}, complex_dtype(A.dtype()));
  decompose_general(A, L, {});
  return L;
}

}  // namespace linalg

void linalg_eigen_ops(OpTable& t) {
  t.add("linalg.eigh(Tensor input, str UPLO='L')", &linalg::eigh,
        "Eigenvalues, ascending, and orthonormal eigenvectors, unique up to sign, of symmetric matrices, of which only one triangle is read.")
      .with_out().returns("eigenvalues eigenvectors").samples({"Sym(3)", "Sym(2, 4)", "Sym(3), UPLO='U'", "Sym(0)"}).complex();
  t.add("linalg.eigvalsh(Tensor input, str UPLO='L')", &linalg::eigvalsh, "Eigenvalues of symmetric matrices, ascending.")
      .with_out().samples({"Sym(3)", "Sym(2, 3), UPLO='U'"}).complex();
  t.add("linalg.eig(Tensor input)", &linalg::eig, "Complex eigenvalues, in no order, and eigenvectors of length 1, unique up to a complex factor.")
      .with_out().returns("eigenvalues eigenvectors").samples({"T(3, 3)", "T(2, 3, 3)", "T(0, 0)"}).complex();
  t.add("linalg.eigvals(Tensor input)", &linalg::eigvals, "Complex eigenvalues, in no order.").with_out().samples({"T(3, 3)", "T(2, 4, 4)"}).complex();
}

}  // namespace tapegrad
