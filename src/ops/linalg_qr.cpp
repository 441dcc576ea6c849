// QR factorizations and products of Householder reflections.
#include "src/ops/linalg.h"

namespace tapegrad {

namespace {

// LAPACK's geqrf: R above, the reflections' vectors below the diagonal, their factors in tau; and Q's first columns when it is
// defined.
struct QR { Tensor a, tau; };
QR factor_all(const Tensor& A, const Tensor& Q) {
  const int64_t k = std::min(rows(A), columns(A));
  QR r{empty(A.sizes(), A.dtype()), empty(shape_of(batch(A), k), A.dtype())};
  const Tensor x = row_major(A, A.dtype());
  with_scalar(A, [&](auto t) {
    using T = decltype(t);
    each_matrix(batch(A), 4 * double(rows(A)) * double(columns(A)) * double(k), [&](int64_t i) {
      const Block<T> a = matrix<T>(r.a, i);
      T* tau = vector<T>(r.tau, i);
      copy(matrix<T>(x, i), a), factor_qr(a, tau);
      if (Q.defined()) set_identity(matrix<T>(Q, i)), apply_q(a, k, tau, matrix<T>(Q, i));
    });
  });
  return r;
}

// H1 H2 … Hk = I - V T Vᵀ with T = (I + diag(tau) striu(Vᵀ V))⁻¹ diag(tau): Joffrain et al., "Accumulating Householder
// transformations, revisited" (2006). Differentiable, and products of matrices only.
struct Reflections {
  Tensor V, inverse, tau;
  Reflections(const Tensor& a, const Tensor& t) : tau(as_column(t)) {
    const int64_t m = rows(a), k = t.size(-1);
    V = tril(first_columns(a, k), -1) + eye(m, k, a.dtype(), a.device());
    inverse = identity(k, a) + triu(h_times(V, V), 1) * tau;
  }
  Tensor times(const Tensor& x, bool transpose) const {  // Q x or Qᵀ x
    const Tensor y = h_times(V, x);
    const Tensor z = transpose ? conj(tau) * linalg::solve_triangular(mH(inverse), y, false, true, true)
                               : linalg::solve_triangular(inverse, tau * y, true, true, true);
    return x - tapegrad::times(V, z);
  }
};

void check_reflections(const Tensor& A, const Tensor& tau, const char* name) {
  check_matrix(A, name), check_same_dtype(A, name, tau, "tau");
  TG_CHECK(tau.dim() == A.dim() - 1 && IntList(tau->sizes, size_t(A.dim() - 2)) == batch(A) && tau.size(-1) <= columns(A), ShapeError,
      "tau must have the batch of ", name, " and at most its number of columns, got ", tau.sizes(), Named{name, A}, Named{"tau", tau});
}

// P + Pᴴ, where P is the upper triangle with half its diagonal.
Tensor symmetric_from_upper(const Tensor& x) {
  const Tensor p = triu(x) - diag_embed(diagonals(x)) * Tensor(0.5);
  return p + mH(p);
}
// Q R = A, m >= n: dA = (gQ + Q sym(triu(gR Rᵀ - Qᵀ gQ))) R⁻ᵀ, Walter and Lehmann, "Algorithmic differentiation of linear algebra
// functions" (2010), section 2.4. For m < n the columns behind the square block A₁ = Q R₁ are A₂ = Q R₂: R₂ = Qᵀ A₂.
struct QrBackward final : NodeOf<1> {
  SavedTensor Q, R;
  bool complete;
  QrBackward(const Tensor& A, bool c) : NodeOf(A), complete(c) {}
  const char* name() const override { return "LinalgQrBackward0"; }
  void free_saved() override { Q.reset(), R.reset(); }
  void backward_all(Tensor* g, Tensor* dx) override {
    if (!needs(0) || (!g[0].defined() && !g[1].defined())) return;
    const Tensor q = Q.unpack(*this), r = R.unpack(*this);
    const int64_t m = rows(q), n = columns(r), k = std::min(m, n);
    TG_CHECK(!complete || m <= n, NotImplementedError, "the gradient of mode='complete' is defined only for matrices with no more rows than "
        "columns, use mode='reduced'; got ", m, " by ", n);
    Tensor gq = g[0].defined() ? g[0] : zeros_like(q), gr = g[1].defined() ? g[1] : zeros_like(r), gr2;
    if (n > m) {
      gr2 = narrow(gr, -1, k, n - k);
      gq = gq + times(q, times_h(narrow(r, -1, k, n - k), gr2));
      gr = narrow(gr, -1, 0, k);
    }
    const Tensor r1 = first_columns(r, k);
    const Tensor inner = gq + times(q, symmetric_from_upper(times_h(gr, r1) - h_times(q, gq)));
    const Tensor d = linalg::solve_triangular(mH(r1), inner, false, false);
    dx[0] = n > m ? cat({d, times(q, gr2)}, -1) : d;
  }
};

}  // namespace

namespace linalg {

std::tuple<Tensor, Tensor> qr(const Tensor& A, std::string_view mode) {
  OpScope op("linalg.qr");
  check_matrix(A);
  TG_CHECK(mode == "reduced" || mode == "complete" || mode == "r", ValueError, "mode must be 'reduced', 'complete' or 'r', got '", mode, "'");
  const int64_t m = rows(A), k = mode == "complete" ? m : std::min(m, columns(A));
  const bool with_q = mode != "r" || recording(A);
  Tensor Q = with_q ? empty(shape_of(batch(A), {m, k}), A.dtype()) : Tensor(), R;
  {
    NoGrad off;
    R = triu(first_rows(factor_all(A, Q).a, k));
  }
  const Tensor none = mode == "r" ? empty({0}, A.dtype()) : Tensor();
  if (recording(A)) {
    auto* n = record_many<QrBackward>({Q, R}, A, mode == "complete");
    n->Q = SavedTensor(Q, SavedTensor::output), n->R = SavedTensor(R, SavedTensor::output);
  }
  return {none.defined() ? none : Q, R};
}
Tensor householder_product(const Tensor& A, const Tensor& tau) {
  OpScope op("linalg.householder_product");
  check_reflections(A, tau, "input");
  TG_CHECK(rows(A) >= columns(A), ShapeError, "input must have at least as many rows as columns, got ", rows(A), " by ", columns(A), Named{"input", A});
  return Reflections(A, tau).times(eye(rows(A), columns(A), A.dtype(), A.device()), false);
}

}  // namespace linalg

// ---- the older names
std::tuple<Tensor, Tensor> qr(const Tensor& A, bool some) {
  OpScope op("qr");
  return linalg::qr(A, some ? "reduced" : "complete");
}
std::tuple<Tensor, Tensor> geqrf(const Tensor& A) {
  OpScope op("geqrf");
  check_matrix(A, "input");
  const QR r = factor_all(A, {});
  if (recording(A)) record<NoDerivative>(r.a, A, "geqrf"), record<NoDerivative>(r.tau, A, "geqrf");
  return {r.a, r.tau};
}
Tensor orgqr(const Tensor& A, const Tensor& tau) {
  OpScope op("orgqr");
  return linalg::householder_product(A, tau);
}
Tensor ormqr(const Tensor& A, const Tensor& tau, const Tensor& other, bool left, bool transpose) {
  OpScope op("ormqr");
  check_reflections(A, tau, "input"), check_matrix(other, "other"), check_same_dtype(A, "input", other, "other");
  const int64_t n = left ? rows(other) : columns(other);
  TG_CHECK(n == rows(A), ShapeError, "other must have ", rows(A), left ? " rows" : " columns", ", as input has rows, got ", n,
      Named{"input", A}, Named{"other", other});
  TG_CHECK(batch(A) == batch(other), ShapeError, "input and other must have the same batch, got ", batch(A), " and ", batch(other),
      Named{"input", A}, Named{"other", other});
  const Reflections q(A, tau);
  return left ? q.times(other, transpose) : mH(q.times(mH(other), !transpose));
}

void linalg_qr_ops(OpTable& t) {
  t.add("linalg.qr(Tensor A, str mode='reduced')", &linalg::qr,
        "Q with orthonormal columns and upper triangular R, A = Q R: k = min(m, n) columns, all m when mode is 'complete', no Q when 'r'.")
      .with_out().returns("Q R").samples({"T(3, 3)", "T(2, 4, 3)", "T(2, 3, 4)", "T(3, 4), 'complete'", "T(4, 3), 'r'", "T(0, 3, 2)", "T(3, 0)", "T(0, 2), 'complete'"}).complex();
  t.add("linalg.householder_product(Tensor input, Tensor tau)", &linalg::householder_product,
        "The first n columns of H1 H2 … Hk, Hj = I - tau_j v_j v_jᵀ, where v_j is 0 above row j, 1 in it and column j of input below: (…, m, n), (…, k).")
      .with_out().samples({"T(4, 3), T(3)", "T(2, 4, 3), T(2, 2)", "T(3, 3), T(3)", "T(3, 2), T(0)"}).complex();
  t.add("qr(Tensor input, bool some=True)", &qr, "linalg.qr, with mode 'reduced' or, when not some, 'complete'.")
      .method().with_out().returns("Q R").samples({"T(4, 3)", "T(3, 4), False"}).complex();
  t.add("geqrf(Tensor input)", &geqrf, "R and the Householder vectors of a QR factorization in one matrix, and their factors tau. Not differentiable.")
      .method().with_out().no_grad().returns("a tau").samples({"T(4, 3, grad=False)", "T(2, 3, 4, grad=False)"}).complex();
  t.add("orgqr(Tensor input, Tensor input2)", &orgqr, "linalg.householder_product under its older name.").method().with_out().samples({"T(4, 3), T(3)"}).complex();
  t.add("ormqr(Tensor input, Tensor input2, Tensor input3, bool left=True, bool transpose=False)", &ormqr,
        "Q other (other Q when not left; Qᵀ when transpose), where Q is the product of the Householder reflections (input, tau).")
      .method().with_out().samples({"T(4, 3), T(3), T(4, 2)", "T(4, 3), T(3), T(2, 4), False", "T(2, 4, 3), T(2, 3), T(2, 4, 2), True, True"}).complex();
}

}  // namespace tapegrad
