// Eigenvalues and eigenvectors.
#include <numeric>

#include "src/ops/linalg.h"
#include "src/ops/linalg_rotations.h"
#include "src/ops/linalg_schur.h"

namespace tapegrad {

namespace {

// ---- symmetric matrices

// Qᴴ a Q = T, real with diagonal d and e beside it: a keeps the vectors of the reflections that make Q below its diagonal. Of a only
// the lower triangle is read.
template <class T> void make_tridiagonal(const Block<T>& a, std::vector<double>& d, std::vector<double>& e, std::vector<T>& tau) {
  const int64_t n = a.rows;
  std::vector<T> v(static_cast<size_t>(n)), w(v), v_conj(v), w_conj(v);
  for (int64_t k = 0; k < n; k++) {
    ask_for_interrupt();
    d[size_t(k)] = std::real(a(k, k));
    if (k + 1 == n) break;
    const Block<T> rest = a.from(k + 1, k + 1);
    const T t = tau[size_t(k)] = reflect(rest.rows, &a(k + 1, k), a.step);
    e[size_t(k)] = std::real(a(k + 1, k));
    if (t == T(0)) continue;
    // rest -= v wᴴ + w vᴴ with x = tau rest v and w = x - ½ tau (xᴴ v) v
    std::fill(w_conj.begin(), w_conj.end(), T(0));
    for (int64_t i = 0; i < rest.rows; i++) v[size_t(i)] = i ? a(k + 1 + i, k) : T(1), v_conj[size_t(i)] = conjugate(v[size_t(i)]);
    for (int64_t i = 0; i < rest.rows; i++) {
      w[size_t(i)] = row_dot(i, rest.row(i), v.data()) + std::real(rest(i, i)) * v[size_t(i)];
      row_subtract(i, -v_conj[size_t(i)], rest.row(i), w_conj.data());
    }
    T along(0);
    for (int64_t i = 0; i < rest.rows; i++) {
      w[size_t(i)] = times(t, w[size_t(i)] + conjugate(w_conj[size_t(i)]));
      along += times(conjugate(w[size_t(i)]), v[size_t(i)]);
    }
    along = times(t, along) * 0.5;
    for (int64_t i = 0; i < rest.rows; i++) w[size_t(i)] -= times(along, v[size_t(i)]), w_conj[size_t(i)] = conjugate(w[size_t(i)]);
    for (int64_t i = 0; i < rest.rows; i++) {
      row_subtract(i + 1, v[size_t(i)], w_conj.data(), rest.row(i));
      row_subtract(i + 1, w[size_t(i)], v_conj.data(), rest.row(i));
    }
  }
}
// Eigenvalues, ascending, and eigenvectors, in the columns of q, when it has rows. a is overwritten.
template <class T, class To> bool decompose_symmetric(const Block<T>& a, Real<To>* values, const Block<To>& q) {
  const int64_t n = a.rows;
  const double scale = scale_to_one(a);
  std::vector<double> d(static_cast<size_t>(n)), e(static_cast<size_t>(n));
  std::vector<T> tau(static_cast<size_t>(n));
  make_tridiagonal(a, d, e, tau);
  Dense<T> rows(q.rows ? n : 0, n);  // Qᴴ: the eigenvectors become its rows
  if (q.rows) {
    Dense<T> Q(n, n);
    set_identity<T>(Q), apply_q(a.part(std::min<int64_t>(n, 1), 0, n - 1, n - 1), n - 1, tau.data(), Q.from(1, 1));
    copy_adjoint<T, T>(Q, rows);
  }
  if (!diagonalize_symmetric(d, e, reals(rows))) return false;
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int64_t i, int64_t j) { return d[size_t(i)] < d[size_t(j)]; });
  for (int64_t i = 0; i < n; i++) {
    values[i] = Real<To>(d[size_t(order[size_t(i)])] * scale);
    if (q.rows) copy_adjoint(rows.part(order[size_t(i)], 0, 1, n), q.part(0, i, n, 1));
  }
  return true;
}
void decompose_symmetric(const Tensor& A, bool lower, const Tensor& L, const Tensor& Q) {
  const Tensor x = row_major(A, A.dtype());
  Tensor info = zeros(batch(A), Dtype::Int32);
  const int64_t n = rows(A);
  if (n) with_scalar(A, [&](auto t) {
    using T = decltype(t);
    each_matrix(batch(A), 10 * double(n) * double(n) * double(n), [&](int64_t i) {
      Dense<Doubled<T>> a(n, n);
      lower ? copy<T, Doubled<T>>(matrix<T>(x, i), a) : copy_adjoint<T, Doubled<T>>(matrix<T>(x, i), a);
      *ints(info, i) = !decompose_symmetric<Doubled<T>, T>(a, vector<Real<T>>(L, i), Q.defined() ? matrix<T>(Q, i) : Block<T>{});
    });
  });
  check_info(info, "the iteration for the eigenvalues did not converge, info ", "");
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
void decompose_general(const Tensor& A, const Tensor& L, const Tensor& V) {
  const Tensor x = row_major(A, A.dtype());
  Tensor info = zeros(batch(A), Dtype::Int32);
  const int64_t n = rows(A);
  if (n) with_scalar(A, [&](auto t) {
    using T = decltype(t);
    using Z = std::complex<Real<T>>;
    each_matrix(batch(A), 25 * double(n) * double(n) * double(n), [&](int64_t i) {
      using D = Doubled<T>;
      Dense<D> a(n, n), zh(V.defined() ? n : 0, n);
      copy<T, D>(matrix<T>(x, i), a);
      const double scale = scale_to_one<D>(a);
      *ints(info, i) = !make_schur<D>(a, zh);
      const auto values = schur_eigenvalues<D>(a);
      for (int64_t j = 0; j < n; j++) vector<Z>(L, i)[j] = Z(values[size_t(j)] * scale);
      if (V.defined()) copy<std::complex<double>, Z>(schur_eigenvectors<D>(a, zh, values), matrix<Z>(V, i));
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
