// Singular values and what is made of them: pseudo-inverses, ranks, least squares.
#include <numeric>
#include <utility>

#include "src/ops/linalg.h"
#include "src/ops/linalg_rotations.h"

namespace tapegrad {

namespace {

// Qᴴ a P = B, real with diagonal d and e above it, of a square a, which keeps the vectors of the reflections: those that make Q in
// its columns, those that make P in its rows.
template <class T> struct Bidiagonal {
  std::vector<double> d, e;
  std::vector<T> q_tau, p_tau;
  explicit Bidiagonal(const Block<T>& a) : d(size_t(a.rows)), e(d), q_tau(d.size()), p_tau(d.size()) {
    const int64_t n = a.rows;
    std::vector<T> sums(d.size()), u_conj(d.size());
    for (int64_t k = 0; k < n; k++) {
      ask_for_interrupt();
      const int64_t right = n - k - 1;
      const T t = conjugate(q_tau[size_t(k)] = reflect(n - k, &a(k, k), a.step));
      d[size_t(k)] = std::real(a(k, k));
      if (!right) break;
      std::fill(sums.begin(), sums.end(), T(0));  // -vᴴ a
      for (int64_t i = k; i < n; i++) row_subtract(right, i == k ? T(1) : conjugate(a(i, k)), a.row(i) + k + 1, sums.data());
      T* u = a.row(k) + k + 1;
      row_subtract(right, -t, sums.data(), u);
      for (int64_t j = 0; j < right; j++) u[j] = conjugate(u[j]);
      const T s = p_tau[size_t(k)] = reflect(right, u, 1);
      e[size_t(k)] = std::real(std::exchange(u[0], T(1)));
      for (int64_t j = 0; j < right; j++) u_conj[size_t(j)] = conjugate(u[j]);
      for (int64_t i = k + 1; i < n; i++) {  // from the left, then from the right
        row_subtract(right, times(-t, a(i, k)), sums.data(), a.row(i) + k + 1);
        row_subtract(right, times(s, row_dot(right, a.row(i) + k + 1, u)), u_conj.data(), a.row(i) + k + 1);
      }
    }
  }
};
// Singular values, descending; left vectors, in the columns of u, and right ones, conjugated, in the rows of vh, when these have
// rows: u may have columns for the whole space. a has at least as many rows as columns, and is overwritten.
template <class T> bool decompose(const Block<T>& a, std::vector<double>& values, const Block<T>& u, const Block<T>& vh) {
  const int64_t n = a.columns;
  const double scale = scale_to_one(a);
  Dense<T> r(n, n);
  std::vector<T> tau(static_cast<size_t>(n));
  if (a.rows > n) {
    factor_qr(a, tau.data());
    for (int64_t i = 0; i < n; i++) std::copy(a.row(i) + i, a.row(i) + n, r.row(i) + i);
  } else {
    copy<T, T>(a, r);
  }
  Bidiagonal<T> b(r);
  Dense<T> left(u.rows ? n : 0, n), right(u.rows ? n : 0, n);  // Qᴴ and Pᴴ: the singular vectors become their rows
  if (u.rows) {
    Dense<T> whole(n, n), vectors(n, n);
    set_identity<T>(whole), apply_q<T>(r, n, b.q_tau.data(), whole);
    copy_adjoint<T, T>(whole, left);
    for (int64_t i = 0; i < n; i++)
      for (int64_t j = 0; j < n; j++) vectors(j, i) = r(i, j);
    set_identity<T>(whole), apply_q(vectors.part(1, 0, n - 1, n - 1), n - 1, b.p_tau.data(), whole.from(1, 1));
    copy_adjoint<T, T>(whole, right);
  }
  if (!diagonalize_bidiagonal(b.d, b.e, reals(left), reals(right))) return false;
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int64_t i, int64_t j) { return std::abs(b.d[size_t(i)]) > std::abs(b.d[size_t(j)]); });
  if (u.rows) set_identity(u);
  for (int64_t i = 0; i < n; i++) {
    const int64_t k = order[size_t(i)];
    const double d = b.d[size_t(k)];
    values[size_t(i)] = std::abs(d) * scale;
    if (!u.rows) continue;
    copy_adjoint(left.part(k, 0, 1, n), u.part(0, i, n, 1));
    for (int64_t j = 0; j < n; j++) vh(i, j) = d < 0 ? -right(k, j) : right(k, j);
  }
  if (u.rows && a.rows > n) apply_q(a, n, tau.data(), u);
  return true;
}
// The values alone when U is undefined.
void decompose(const Tensor& A, const Tensor& U, const Tensor& S, const Tensor& Vh) {
  const Tensor x = row_major(A, A.dtype());
  Tensor info = zeros(batch(A), Dtype::Int32);
  const int64_t m = rows(A), n = columns(A), k = std::min(m, n), large = std::max(m, n);
  const int64_t wide = !U.defined() ? 0 : m >= n ? columns(U) : rows(Vh);
  with_scalar(A, [&](auto t) {
    using T = decltype(t);
    using D = Doubled<T>;
    each_matrix(batch(A), 20 * double(m) * double(n) * double(k), [&](int64_t i) {
      if (!k) {
        if (U.defined()) set_identity(matrix<T>(U, i)), set_identity(matrix<T>(Vh, i));
        return;
      }
      Dense<D> a(large, k), u(wide ? large : 0, wide), vh(wide ? k : 0, k);
      m >= n ? copy<T, D>(matrix<T>(x, i), a) : copy_adjoint<T, D>(matrix<T>(x, i), a);
      std::vector<double> values(static_cast<size_t>(k));
      *ints(info, i) = !decompose<D>(a, values, u, vh);
      std::copy(values.begin(), values.end(), vector<Real<T>>(S, i));
      if (!wide) return;
      if (m >= n) copy<D, T>(u, matrix<T>(U, i)), copy<D, T>(vh, matrix<T>(Vh, i));
      else copy_adjoint<D, T>(vh, matrix<T>(U, i)), copy_adjoint<D, T>(u, matrix<T>(Vh, i));
    });
  });
  check_info(info, "the iteration for the singular values did not converge, info ", "");
}

// With k singular values s, E_ij = s_j² - s_i² and skew(X) = X - Xᴴ off the diagonal:
//   dA = U (skew(Uᴴ gU)/E diag(s) + diag(s) skew(Vᴴ gV)/E + diag(gS)) Vᴴ + (I - U Uᴴ) gU diag(1/s) Vᴴ + U diag(1/s) gVᴴ (I - V Vᴴ),
// and for complex A the imaginary part of Uᴴ gU's diagonal over s. Townsend, "Differentiating the singular value decomposition"
// (2016). Columns of U and V beyond the k do not count.
struct SvdBackward final : NodeOf<1> {
  SavedTensor U, S, Vh;
  explicit SvdBackward(const Tensor& A) : NodeOf(A) {}
  const char* name() const override { return "LinalgSvdBackward0"; }
  void free_saved() override { U.reset(), S.reset(), Vh.reset(); }
  void backward_all(Tensor* g, Tensor* dx) override {
    if (!needs(0)) return;
    const Tensor s = S.unpack(*this), row = as_row(s), column = as_column(s);
    const int64_t k = s.size(-1);
    const Tensor u = first_columns(U.unpack(*this), k), vh = first_rows(Vh.unpack(*this), k);
    const Tensor E = row * row - column * column + identity(k, s);
    const auto skew = [](const Tensor& x) {
      const Tensor y = x - mH(x);
      return is_complex(x.dtype()) ? y - diag_embed(diagonals(y)) : y;
    };
    Tensor inner = g[1].defined() ? to(diag_embed(g[1]), u.dtype()) : Tensor(), rest;
    const auto add_to = [](Tensor& sum, const Tensor& x) { sum = sum.defined() ? sum + x : x; };
    if (g[0].defined()) {
      const Tensor gu = first_columns(g[0], k), along = h_times(u, gu);
      add_to(inner, skew(along) / E * row);
      if (is_complex(u.dtype())) add_to(inner, diag_embed((diagonals(along) - conj(diagonals(along))) / (s + s)));
      if (rows(u) > k) add_to(rest, times((gu - times(u, along)) / row, vh));
    }
    if (g[2].defined()) {
      const Tensor gvh = first_rows(g[2], k), along = times_h(vh, gvh);
      add_to(inner, column * (skew(along) / E));
      if (columns(vh) > k) add_to(rest, times(u, (gvh - times(mH(along), vh)) / column));
    }
    if (inner.defined()) dx[0] = times(times(u, inner), vh);
    if (rest.defined()) dx[0] = dx[0] + rest;
  }
};

// ---- the pseudo-inverse P of A, at constant rank:
//   dA = -Pᴴ g Pᴴ + (I - A P) gᴴ P Pᴴ + Pᴴ P gᴴ (I - P A). Golub and Pereyra, "The differentiation of pseudo-inverses" (1973).
struct PinvBackward final : NodeOf<1> {
  SavedTensor A, P;
  explicit PinvBackward(const Tensor& a) : NodeOf(a), A(a) {}
  const char* name() const override { return "LinalgPinvBackward0"; }
  void free_saved() override { A.reset(), P.reset(); }
  void backward(Tensor g, Tensor* dx) override {
    if (!needs(0)) return;
    const Tensor a = A.unpack(*this), p = P.unpack(*this);
    const Tensor left = times(h_times(g, p), mH(p)), right = times(mH(p), times_h(p, g));  // gᴴ P Pᴴ, Pᴴ P gᴴ
    dx[0] = left - times(a, times(p, left)) + right - times(times(right, p), a) - h_times(p, times_h(g, p));
  }
};

// Singular values above this, (…, 1), count. atol and rtol are 0-d or have the batch's shape; undefined: not given.
Tensor cutoff(const Tensor& A, const Tensor& s, const Tensor& atol, const Tensor& rtol) {
  for (const Tensor& t : {atol, rtol}) TG_CHECK(!t.defined() || !is_complex(t.dtype()), DtypeError, "tolerances must be real, got ", t.dtype(), Named{"input", A});
  Tensor relative = rtol;
  if (!rtol.defined()) relative = full({}, epsilon(A) * double(std::max(rows(A), columns(A))), s.dtype());
  const Tensor largest = columns(A) && rows(A) ? amax(s, -1, true) : zeros(shape_of(batch(A), 1), s.dtype());
  const Tensor absolute = atol.defined() ? to(atol, s.dtype()) : zeros({}, s.dtype());
  if (!rtol.defined() && atol.defined()) relative = where(absolute > Tensor(0.0), zeros({}, s.dtype()), relative);
  return maximum(as_column(absolute), as_column(to(relative, s.dtype())) * largest);
}
Tensor number(std::optional<double> x, const Tensor& A) { return x ? full({}, *x, real_dtype(A.dtype())) : Tensor(); }
// The reciprocals of the singular values that count, 0 for the others.
Tensor reciprocals(const Tensor& s, const Tensor& keep) { return where(keep, reciprocal(s), zeros({}, s.dtype())); }

struct Decomposition { Tensor U, S, Vh; };  // S >= 0; without history
Decomposition decompose(const Tensor& A, bool hermitian) {
  NoGrad off;
  if (!hermitian) {
    auto [U, S, Vh] = linalg::svd(A, false);
    return {U, S, Vh};
  }
  auto [L, Q] = linalg::eigh(A);
  return {Q * as_row(sgn(L)), abs(L), mH(Q)};
}

Tensor pinv_of(const Tensor& A, const Tensor& atol, const Tensor& rtol, bool hermitian) {
  hermitian ? check_square(A, "input") : check_matrix(A, "input");
  Tensor P;
  {
    NoGrad off;
    const Decomposition d = decompose(A, hermitian);
    P = times_h(mH(d.Vh) * as_row(reciprocals(d.S, d.S > cutoff(A, d.S, atol, rtol))), d.U);
  }
  if (recording(A)) record<PinvBackward>(P, A)->P = SavedTensor(P, SavedTensor::output);
  return P;
}
Tensor rank_of(const Tensor& A, const Tensor& atol, const Tensor& rtol, bool hermitian) {
  hermitian ? check_square(A, "input") : check_matrix(A, "input");
  NoGrad off;
  const Tensor s = hermitian ? abs(linalg::eigvalsh(A)) : linalg::svdvals(A);
  return sum(s > cutoff(A, s, atol, rtol), -1);
}

}  // namespace

namespace linalg {

std::tuple<Tensor, Tensor, Tensor> svd(const Tensor& A, bool full_matrices) {
  OpScope op("linalg.svd");
  check_matrix(A), check_finite(A);
  const int64_t m = rows(A), n = columns(A), k = std::min(m, n);
  Tensor U = empty(shape_of(batch(A), {m, full_matrices ? m : k}), A.dtype()), S = empty(shape_of(batch(A), k), real_dtype(A.dtype()));
  Tensor Vh = empty(shape_of(batch(A), {full_matrices ? n : k, n}), A.dtype());
  decompose(A, U, S, Vh);
  if (recording(A)) {
    auto* node = record_many<SvdBackward>({U, S, Vh}, A);
    node->U = SavedTensor(U, SavedTensor::output), node->S = SavedTensor(S, SavedTensor::output), node->Vh = SavedTensor(Vh, SavedTensor::output);
  }
  return {U, S, Vh};
}
Tensor svdvals(const Tensor& A) {
  OpScope op("linalg.svdvals");
  if (recording(A)) return std::get<1>(linalg::svd(A, false));
  check_matrix(A), check_finite(A);
  Tensor S = empty(shape_of(batch(A), std::min(rows(A), columns(A))), real_dtype(A.dtype()));
  decompose(A, {}, S, {});
  return S;
}

Tensor pinv(const Tensor& A, std::optional<double> atol, std::optional<double> rtol, bool hermitian) {
  OpScope op("linalg.pinv");
  return pinv_of(A, number(atol, A), number(rtol, A), hermitian);
}
Tensor pinv(const Tensor& A, const Tensor& atol, const Tensor& rtol, bool hermitian) {
  OpScope op("linalg.pinv");
  return pinv_of(A, atol, rtol, hermitian);
}
Tensor matrix_rank(const Tensor& A, std::optional<double> atol, std::optional<double> rtol, bool hermitian) {
  OpScope op("linalg.matrix_rank");
  return rank_of(A, number(atol, A), number(rtol, A), hermitian);
}
Tensor matrix_rank(const Tensor& A, const Tensor& atol, const Tensor& rtol, bool hermitian) {
  OpScope op("linalg.matrix_rank");
  return rank_of(A, atol, rtol, hermitian);
}

// The gradient is that of pinv(A) B, at constant rank.
std::tuple<Tensor, Tensor, Tensor, Tensor> lstsq(const Tensor& A, const Tensor& B, std::optional<double> rcond, std::optional<std::string_view> driver) {
  OpScope op("linalg.lstsq");
  check_matrix(A, "input"), check_same_dtype(A, "input", B, "b");
  const std::string_view how = driver.value_or("gelsy");
  TG_CHECK(how == "gels" || how == "gelsy" || how == "gelsd" || how == "gelss", ValueError,
      "driver must be 'gels', 'gelsy', 'gelsd' or 'gelss', got '", how, "'");
  TG_CHECK(B.dim() > 0, ShapeError, "b must have at least 1 dimension, got 0", Named{"input", A}, Named{"b", B});
  const bool one = is_vector(A, B);
  const Tensor b = one ? as_column(B) : B;
  check_matrix(b, "b");
  TG_CHECK(rows(A) == rows(b), ShapeError, "b must have ", rows(A), " rows as input, got ", rows(b), Named{"input", A}, Named{"b", B});
  const int64_t m = rows(A), n = columns(A);
  const double relative = how == "gels" ? 0 : rcond.value_or(epsilon(A) * double(std::max(m, n)));
  const Decomposition d = decompose(A, false);
  Tensor rank, singular = empty({0}, real_dtype(A.dtype())), P;
  {
    NoGrad off;
    const Tensor keep = d.S > cutoff(A, d.S, {}, number(relative, A));
    rank = sum(keep, -1);
    P = times_h(mH(d.Vh) * as_row(reciprocals(d.S, keep)), d.U);
  }
  if (recording(A)) record<PinvBackward>(P, A)->P = SavedTensor(P, SavedTensor::output);
  Tensor X = times(P, b);
  Tensor residuals = slice(abs(reshape(X, {-1})), 0, 0, 0);
  if (m > n && how != "gelsy" && all(rank == Tensor(int(n))).item<bool>()) residuals = sum(square(abs(times(A, X) - b)), -2);
  if (how == "gelsd" || how == "gelss") singular = d.S;
  if (how == "gels") rank = empty({0}, Dtype::Int64);
  return {one ? squeeze(X, -1) : X, residuals, rank, singular};
}

}  // namespace linalg

// ---- the older names
Tensor pinverse(const Tensor& A, double rcond) {
  OpScope op("pinverse");
  return linalg::pinv(A, {}, rcond);
}
std::tuple<Tensor, Tensor, Tensor> svd(const Tensor& A, bool some, bool compute_uv) {
  OpScope op("svd");
  check_matrix(A, "input");
  if (compute_uv) {
    auto [U, S, Vh] = linalg::svd(A, !some);
    return {U, S, mH(Vh)};
  }
  const int64_t m = rows(A), n = columns(A);
  return {zeros(shape_of(batch(A), {m, m}), A.dtype()), linalg::svdvals(A), zeros(shape_of(batch(A), {n, n}), A.dtype())};
}

using Tolerances = Tensor (*)(const Tensor&, std::optional<double>, std::optional<double>, bool);
using TensorTolerances = Tensor (*)(const Tensor&, const Tensor&, const Tensor&, bool);
static std::tuple<Tensor, Tensor, Tensor> svd_row(const Tensor& A, bool full_matrices, std::optional<std::string_view> driver) {
  OpScope op("linalg.svd");
  TG_CHECK(!driver, ValueError, "driver is for CUDA tensors, got '", *driver, "'", Named{"A", A});
  return linalg::svd(A, full_matrices);
}
static Tensor svdvals_row(const Tensor& A, std::optional<std::string_view> driver) {
  OpScope op("linalg.svdvals");
  TG_CHECK(!driver, ValueError, "driver is for CUDA tensors, got '", *driver, "'", Named{"A", A});
  return linalg::svdvals(A);
}
static Tensor pinv_rcond(const Tensor& A, double rcond, bool hermitian) { return linalg::pinv(A, 0.0, rcond, hermitian); }
static Tensor pinv_rcond_tensor(const Tensor& A, const Tensor& rcond, bool hermitian) { return linalg::pinv(A, {}, rcond, hermitian); }
static Tensor rank_tol(const Tensor& A, double tol, bool hermitian) { return linalg::matrix_rank(A, tol, 0.0, hermitian); }
static Tensor rank_tol_tensor(const Tensor& A, const Tensor& tol, bool hermitian) { return linalg::matrix_rank(A, tol, zeros({}), hermitian); }

void linalg_svd_ops(OpTable& t) {
  t.add("linalg.svd(Tensor A, bool full_matrices=True, *, str? driver=None)", &svd_row,
        "U, S and Vh with A = U diag(S) Vh, S descending, U and V orthonormal, unique up to sign: (…, m, n) -> (…, m, m or k), (…, k), (…, n or k, n), k = min(m, n).")
      .with_out().returns("U S Vh").samples({"T(3, 3)", "T(2, 4, 3), False", "T(2, 3, 4), False", "T(0, 3, 3)", "T(3, 0), False"}).complex();
  t.add("linalg.svdvals(Tensor A, *, str? driver=None)", &svdvals_row, "Singular values, descending.")
      .with_out().samples({"T(3, 3)", "T(2, 4, 3)", "T(2, 0)"}).complex();
  t.add("linalg.pinv(Tensor input, *, float? atol=None, float? rtol=None, bool hermitian=False)", static_cast<Tolerances>(&linalg::pinv),
        "The pseudo-inverse; singular values not above max(atol, rtol · the largest) count as 0, rtol being max(m, n) · epsilon when neither is given.")
      .with_out().samples({"T(3, 3)", "T(2, 4, 3)", "T(2, 3, 4), atol=0.1", "Sym(3), hermitian=True", "T(0, 3)"}).complex();
  t.add("linalg.pinv(Tensor input, *, Tensor? atol=None, Tensor? rtol=None, bool hermitian=False)", static_cast<TensorTolerances>(&linalg::pinv),
        "The tolerances for each matrix of the batch.")
      .with_out().samples({"T(2, 4, 3), rtol=C([0.01, 0.1])"});
  t.add("linalg.pinv(Tensor input, float rcond, bool hermitian=False)", &pinv_rcond, "rcond is rtol.").with_out().samples({"T(3, 4), 0.001"}).complex();
  t.add("linalg.pinv(Tensor input, Tensor rcond, bool hermitian=False)", &pinv_rcond_tensor, "rcond is rtol.").with_out().samples({"T(2, 3, 4), C([0.001, 0.1])"});
  t.add("linalg.matrix_rank(Tensor input, *, float? atol=None, float? rtol=None, bool hermitian=False)", static_cast<Tolerances>(&linalg::matrix_rank),
        "How many singular values are above max(atol, rtol · the largest), as int64.")
      .with_out().no_grad().samples({"T(3, 3)", "C([[1., 2.], [2., 4.]])", "T(2, 3, 4), atol=1.5", "Sym(3), hermitian=True", "T(2, 0, 3)"}).complex();
  t.add("linalg.matrix_rank(Tensor input, *, Tensor? atol=None, Tensor? rtol=None, bool hermitian=False)", static_cast<TensorTolerances>(&linalg::matrix_rank),
        "The tolerances for each matrix of the batch.").with_out().no_grad().samples({"T(2, 3, 4), atol=C([0.1, 2.])"});
  t.add("linalg.matrix_rank(Tensor input, float tol, bool hermitian=False)", &rank_tol, "tol is atol.").with_out().no_grad().samples({"T(3, 4), 0.5"}).complex();
  t.add("linalg.matrix_rank(Tensor input, Tensor tol, bool hermitian=False)", &rank_tol_tensor, "tol is atol.").with_out().no_grad().samples({"T(2, 3, 4), C([0.1, 2.])"});
  t.add("linalg.lstsq(Tensor input, Tensor b, float? rcond=None, *, str? driver=None)", &linalg::lstsq,
        "X that minimizes ‖A X - b‖ (and ‖X‖ among those), the squared residuals, A's rank and singular values; what LAPACK's driver does not give is empty.")
      .with_out().returns("solution residuals rank singular_values")
      .samples({"T(5, 2), T(5, 2)", "T(2, 5, 3), T(2, 5, 2)", "T(2, 2, 4), T(2, 2, 1)", "T(5, 2), T(5, 3), driver='gelsd'", "T(5, 2), T(5, 1), driver='gels'", "T(5, 2), T(5)"}).complex();
  t.add("pinverse(Tensor input, float rcond=1e-15)", &pinverse, "linalg.pinv with rtol = rcond.").method().samples({"T(3, 4)", "T(2, 4, 3), 0.001"}).complex();
  t.add("svd(Tensor input, bool some=True, bool compute_uv=True)", &svd,
        "U, S and V with A = U diag(S) Vᵀ: linalg.svd with V in place of Vh and full_matrices = not some; U and V are zeros when not compute_uv.")
      .method().with_out().returns("U S V").samples({"T(4, 3)", "T(2, 3, 4)", "T(3, 3), False"}).complex();
}

}  // namespace tapegrad
