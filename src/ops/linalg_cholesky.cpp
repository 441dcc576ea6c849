// Factorizations of symmetric matrices: Cholesky's, and Bunch and Kaufman's for indefinite ones.
#include <Eigen/LU>

#include "src/ops/linalg_product.h"

namespace tapegrad {

namespace {

// ---- Cholesky, in place in the lower triangle: the blocks on the diagonal, the panel below each, one product for the rest.
// Returns the order of the first leading minor that is not positive, or 0.
template <class T> int32_t factor_block(Eigen::Ref<Matrix<T>> a) {
  for (Eigen::Index j = 0; j < a.rows(); j++) {
    const Real<T> d = Eigen::numext::real(a(j, j)) - a.row(j).head(j).squaredNorm();
    if (!(d > 0)) return int32_t(j + 1);
    a(j, j) = std::sqrt(d);
    auto below = a.col(j).tail(a.rows() - j - 1);
    if (j) below.noalias() -= a.block(j + 1, 0, below.size(), j) * a.row(j).head(j).adjoint();
    below /= a(j, j);
  }
  return 0;
}
template <class T> int32_t factor(Matrix<T>& a) {
  constexpr Eigen::Index kPanel = 64;
  const Eigen::Index n = a.rows();
  for (Eigen::Index j = 0; j < n; j += kPanel) {
    const Eigen::Index w = std::min(kPanel, n - j), below = n - j - w;
    if (const int32_t at = factor_block<T>(a.block(j, j, w, w))) return int32_t(j) + at;
    if (!below) break;
    auto panel = a.block(j + w, j, below, w);
    a.block(j, j, w, w).template triangularView<Eigen::Lower>().adjoint().template solveInPlace<Eigen::OnTheRight>(panel);
    for (Eigen::Index i = 0; i < below; i += 2 * kPanel) {  // strips that cover the lower triangle
      const Eigen::Index s = std::min(2 * kPanel, below - i);
      subtract_product<T>(a.block(j + w + i, j + w + i, below - i, s), panel.bottomRows(below - i), panel.middleRows(i, s).adjoint().eval());
    }
  }
  return 0;
}
// With L Lᴴ = A: dA = ½ L⁻ᴴ (P + Pᴴ) L⁻¹ where P = tril(Lᴴ gL) with half its diagonal. Murray, "Differentiation of the Cholesky
// decomposition" (2016), equation 10.
struct CholeskyBackward final : NodeOf<1> {
  SavedTensor L;
  explicit CholeskyBackward(const Tensor& A) : NodeOf(A) {}
  const char* name() const override { return "LinalgCholeskyExBackward0"; }
  void free_saved() override { L.reset(); }
  void backward(Tensor g, Tensor* dx) override {
    if (!needs(0)) return;
    const Tensor l = L.unpack(*this), s = tril(h_times(l, g)), p = s - diag_embed(diagonals(s)) * Tensor(0.5);
    const Tensor right = linalg::solve_triangular(l, p + mH(p), false, false);
    dx[0] = linalg::solve_triangular(mH(l), right, true) * Tensor(0.5);
  }
};

// ---- Bunch and Kaufman's diagonal pivoting (1977), unblocked, on the lower triangle: A = P L D Lᵀ Pᵀ with blocks of 1 and 2 on
// D's diagonal. Packed as LAPACK's sytrf: pivots[k] = p says rows k and p were swapped (from 1); two equal negative ones mark a
// block of 2, whose second row was swapped.
template <class T> int32_t factor_indefinite(Matrix<T>& a, int32_t* pivots) {
  const T alpha = T((1 + std::sqrt(17.0)) / 8);
  const Eigen::Index n = a.rows();
  int32_t info = 0;
  for (Eigen::Index k = 0; k < n;) {
    Eigen::Index step = 1, p = k, imax = k;
    const T pivot = std::abs(a(k, k)), largest = k + 1 < n ? a.col(k).tail(n - k - 1).cwiseAbs().maxCoeff(&imax) : T(0);
    if (k + 1 < n) imax += k + 1;
    if (std::max(pivot, largest) == T(0)) {
      if (!info) info = int32_t(k + 1);
    } else if (pivot < alpha * largest) {
      T off = a.row(imax).segment(k, imax - k).cwiseAbs().maxCoeff();  // the largest off the diagonal of row imax
      if (imax + 1 < n) off = std::max(off, a.col(imax).tail(n - imax - 1).cwiseAbs().maxCoeff());
      if (pivot >= alpha * largest * (largest / off)) p = k;
      else if (std::abs(a(imax, imax)) >= alpha * off) p = imax;
      else p = imax, step = 2;
    }
    const Eigen::Index q = k + step - 1;  // row q changes places with row p
    if (p != q) {
      if (p + 1 < n) a.col(q).tail(n - p - 1).swap(a.col(p).tail(n - p - 1));
      for (Eigen::Index i = q + 1; i < p; i++) std::swap(a(i, q), a(p, i));
      std::swap(a(q, q), a(p, p));
      if (step == 2) std::swap(a(q, k), a(p, k));
    }
    const Eigen::Index rest = n - k - step;
    if (step == 1 && std::max(pivot, largest) != T(0)) {
      const T d = a(k, k);
      auto column = a.col(k).tail(rest);
      a.bottomRightCorner(rest, rest).template selfadjointView<Eigen::Lower>().rankUpdate(column, -1 / d);
      column /= d;
    } else if (step == 2) {
      const Eigen::Matrix<T, 2, 2> d{{a(k, k), a(k + 1, k)}, {a(k + 1, k), a(k + 1, k + 1)}};
      const Matrix<T> columns = a.block(k + 2, k, rest, 2), scaled = columns * d.inverse();
      a.bottomRightCorner(rest, rest).template triangularView<Eigen::Lower>() -= scaled * columns.transpose();
      a.block(k + 2, k, rest, 2) = scaled;
    }
    for (Eigen::Index i = k; i < k + step; i++) pivots[i] = step == 1 ? int32_t(p + 1) : -int32_t(p + 1);
    k += step;
  }
  return info;
}
template <class T> void solve_indefinite(const Matrix<T>& a, const int32_t* pivots, Matrix<T>& x) {
  const Eigen::Index n = a.rows();
  const auto step = [&](Eigen::Index k) { return pivots[k] < 0 && k + 1 < n ? Eigen::Index(2) : Eigen::Index(1); };
  const auto swap = [&](Eigen::Index k, Eigen::Index s) {
    const Eigen::Index p = std::abs(pivots[k]) - 1, q = k + s - 1;
    if (p != q) x.row(p).swap(x.row(q));
  };
  Eigen::Index k = 0;
  while (k < n) {
    const Eigen::Index s = step(k), rest = n - k - s;
    swap(k, s);
    x.bottomRows(rest).noalias() -= a.block(k + s, k, rest, s) * x.middleRows(k, s);
    if (s == 1) {
      x.row(k) /= a(k, k);
    } else {
      const Eigen::Matrix<T, 2, 2> d{{a(k, k), a(k + 1, k)}, {a(k + 1, k), a(k + 1, k + 1)}};
      const Matrix<T> two = d.inverse() * x.middleRows(k, 2);
      x.middleRows(k, 2) = two;
    }
    k += s;
  }
  while (k > 0) {
    const Eigen::Index s = pivots[k - 1] < 0 && k > 1 ? 2 : 1, rest = n - k;
    k -= s;
    x.middleRows(k, s).noalias() -= a.block(k + s, k, rest, s).transpose() * x.bottomRows(rest);
    swap(k, s);
  }
}

constexpr const char *kIndefinite = "the matrix is not positive-definite: its leading minor of order ", *kIndefiniteEnd = " is not";

}  // namespace

namespace linalg {

std::tuple<Tensor, Tensor> cholesky_ex(const Tensor& A, bool upper, bool check_errors) {
  OpScope op("linalg.cholesky_ex");
  check_square(A);
  if (upper) {  // the upper factor is the transpose of the lower one
    auto [l, info] = cholesky_ex(mH(A), false, check_errors);
    return {mH(l), info};
  }
  Tensor L = empty(A.sizes(), A.dtype()), info = empty(batch(A), Dtype::Int32);
  const Tensor x = row_major(A, A.dtype());
  with_scalar(A, [&](auto t) {
    using T = decltype(t);
    each_matrix(batch(A), std::pow(double(rows(A)), 3) / 3, [&](int64_t i) {
      Matrix<T> a = matrix<T>(x, i).template triangularView<Eigen::Lower>();
      *ints(info, i) = factor(a);
      matrix<T>(L, i) = a.template triangularView<Eigen::Lower>();
    });
  });
  if (check_errors) check_info(info, kIndefinite, kIndefiniteEnd);
  if (recording(A)) record<CholeskyBackward>(L, A)->L = SavedTensor(L, SavedTensor::output);
  return {L, info};
}
Tensor cholesky(const Tensor& A, bool upper) {
  OpScope op("linalg.cholesky");
  return std::get<0>(cholesky_ex(A, upper, true));
}

std::tuple<Tensor, Tensor, Tensor> ldl_factor_ex(const Tensor& A, bool, bool check_errors) {
  OpScope op("linalg.ldl_factor_ex");
  check_real_matrix(A), check_square(A);
  Tensor LD = empty(A.sizes(), A.dtype()), pivots = empty({A->sizes, size_t(A.dim() - 1)}, Dtype::Int32), info = empty(batch(A), Dtype::Int32);
  const Tensor x = row_major(A, A.dtype());
  with_real(A, [&](auto t) {
    using T = decltype(t);
    each_matrix(batch(A), std::pow(double(rows(A)), 3) / 3, [&](int64_t i) {
      Matrix<T> a = matrix<T>(x, i).template triangularView<Eigen::Lower>();
      *ints(info, i) = factor_indefinite(a, ints(pivots, i * rows(A)));
      matrix<T>(LD, i) = a;
    });
  });
  if (check_errors) check_info(info, "the matrix is singular: block ", " of D is zero");
  if (recording(A)) record<NoDerivative>(LD, A, "linalg.ldl_factor");
  return {LD, pivots, info};
}
std::tuple<Tensor, Tensor> ldl_factor(const Tensor& A, bool hermitian) {
  OpScope op("linalg.ldl_factor");
  auto [LD, pivots, info] = ldl_factor_ex(A, hermitian, true);
  return {LD, pivots};
}
Tensor ldl_solve(const Tensor& LD_in, const Tensor& pivots_in, const Tensor& B_in, bool) {
  OpScope op("linalg.ldl_solve");
  check_real_matrix(LD_in, "LD"), check_square(LD_in, "LD"), check_matrix(B_in, "B"), check_same_dtype(LD_in, "LD", B_in, "B");
  TG_CHECK(rows(LD_in) == rows(B_in), ShapeError, "B must have ", rows(LD_in), " rows as LD, got ", rows(B_in), Named{"LD", LD_in}, Named{"B", B_in});
  TG_CHECK(pivots_in.dtype() == Dtype::Int32 && pivots_in.sizes() == IntList(LD_in->sizes, size_t(LD_in.dim() - 1)), ShapeError,
      "pivots must be int32 of shape ", IntList(LD_in->sizes, size_t(LD_in.dim() - 1)), Named{"pivots", pivots_in});
  const int64_t n = rows(LD_in);
  TG_CHECK(!n || all(logical_and(abs(pivots_in) <= Tensor(int(n)), pivots_in != Tensor(0))).item<bool>(), ValueError,
      "pivots must lie between 1 and ", n, " or their negatives");
  const bool recorded = recording(LD_in, B_in);
  NoGrad off;
  Tensor LD = LD_in, B = B_in;
  broadcast_batches(LD, B);
  const Tensor a = row_major(LD, LD.dtype()), b = row_major(B, B.dtype());
  const Tensor pivots = row_major(expand(pivots_in, IntList(LD->sizes, size_t(LD.dim() - 1))), Dtype::Int32);
  Tensor X = empty(B.sizes(), B.dtype());
  with_real(B, [&](auto t) {
    using T = decltype(t);
    each_matrix(batch(B), 2 * double(n) * double(n) * double(columns(B)), [&](int64_t i) {
      const Matrix<T> factor = matrix<T>(a, i);
      Matrix<T> x = matrix<T>(b, i);
      solve_indefinite(factor, ints(pivots, i * n), x);
      matrix<T>(X, i) = x;
    });
  });
  if (recorded) record<NoDerivative>(X, needs_grad(B_in) ? B_in : LD_in, "linalg.ldl_solve");
  return X;
}

}  // namespace linalg

// ---- the older names
Tensor cholesky(const Tensor& A, bool upper) {
  OpScope op("cholesky");
  return linalg::cholesky(A, upper);
}
Tensor cholesky_solve(const Tensor& B, const Tensor& L, bool upper) {
  OpScope op("cholesky_solve");
  check_square(L, "L"), check_matrix(B, "input");
  if (upper) return linalg::solve_triangular(L, linalg::solve_triangular(mH(L), B, false), true);
  return linalg::solve_triangular(mH(L), linalg::solve_triangular(L, B, false), true);
}
Tensor cholesky_inverse(const Tensor& L, bool upper) {
  OpScope op("cholesky_inverse");
  check_square(L, "L");
  return cholesky_solve(identity(rows(L), L), L, upper);
}

void linalg_cholesky_ops(OpTable& t) {
  t.add("linalg.cholesky(Tensor input, *, bool upper=False)", &linalg::cholesky,
        "The lower triangle L with A = L Lᵀ (upper: U with A = Uᵀ U) of symmetric positive-definite matrices, of which only that triangle is read. Raises LinAlgError for others.")
      .with_out().samples({"Spd(3)", "Spd(2, 4)", "Spd(3), upper=True", "Spd(0)"}).complex();
  t.add("linalg.cholesky_ex(Tensor input, *, bool upper=False, bool check_errors=False)", &linalg::cholesky_ex,
        "cholesky with info: 0, or the order of the first leading minor that is not positive-definite.")
      .with_out().returns("L info").samples({"Spd(3)", "Spd(2, 2, 3), upper=True"}).complex();
  t.add("linalg.ldl_factor(Tensor input, *, bool hermitian=False)", &linalg::ldl_factor,
        "A = P L D Lᵀ Pᵀ of symmetric matrices by Bunch and Kaufman's pivoting, with L and D in one matrix; only the lower triangle is read. Not differentiable.")
      .with_out().no_grad().returns("LD pivots").samples({"Sym(5)", "Sym(2, 4)", "Sym(0)"});
  t.add("linalg.ldl_factor_ex(Tensor input, *, bool hermitian=False, bool check_errors=False)", &linalg::ldl_factor_ex,
        "ldl_factor with info: 0, or the first block of D that is zero.")
      .with_out().no_grad().returns("LD pivots info").samples({"Sym(4)"});
  t.add("linalg.ldl_solve(Tensor LD, Tensor pivots, Tensor B, *, bool hermitian=False)", &linalg::ldl_solve,
        "X with A X = B from A's ldl_factor. Not differentiable.")
      .with_out().no_grad().samples({"T(3, 3, grad=False), C([1, 3, 3], dtype='int32'), T(3, 2, grad=False)", "T(2, 3, 3, grad=False), C([[-2, -2, 3], [1, -3, -3]], dtype='int32'), T(3, 2, grad=False)"});
  t.add("cholesky(Tensor input, bool upper=False)", &cholesky, "linalg.cholesky under its older name.").method().with_out().samples({"Spd(3)", "Spd(2, 3), True"}).complex();
  t.add("cholesky_solve(Tensor input, Tensor input2, bool upper=False)", &cholesky_solve, "X with A X = input, where A = L Lᵀ and L is input2 (upper: A = Uᵀ U).")
      .method().with_out().samples({"T(3, 2), Lower(3)", "T(2, 3, 2), Upper(2, 3), True"}).complex();
  t.add("cholesky_inverse(Tensor input, bool upper=False)", &cholesky_inverse, "(L Lᵀ)⁻¹ of a Cholesky factor (upper: (Uᵀ U)⁻¹).")
      .method().with_out().samples({"Lower(3)", "Upper(2, 3), True"}).complex();
}

}  // namespace tapegrad
