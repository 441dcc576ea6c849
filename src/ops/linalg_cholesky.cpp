// Factorizations of symmetric matrices: Cholesky's, and Bunch and Kaufman's for indefinite ones.
#include "src/ops/linalg.h"

namespace tapegrad {

namespace {

// ---- Cholesky, in place in the lower triangle: the upper left quarter, the lower left one, and a product for the rest.
// Returns the order of the first leading minor that is not positive, or 0.
template <class T> int32_t factor_rows(const Block<T>& a) {
  for (int64_t i = 0; i < a.rows; i++) {
    for (int64_t j = 0; j < i; j++) {
      T sum = a(i, j);
      for (int64_t k = 0; k < j; k++) sum -= times(a(i, k), conjugate(a(j, k)));
      a(i, j) = sum / std::real(a(j, j));
    }
    Real<T> d = std::real(a(i, i));
    for (int64_t k = 0; k < i; k++) d -= square_of(a(i, k));
    if (!(d > 0)) return int32_t(i + 1);
    a(i, i) = std::sqrt(d);
  }
  return 0;
}
template <class T> int32_t factor(const Block<T>& a) {
  constexpr int64_t kFew = 16, kStrip = 64;
  if (a.rows <= kFew) return factor_rows(a);
  const int64_t h = (a.rows / 2 + kFew - 1) / kFew * kFew;
  const Block<T> top = a.part(0, 0, h, h), left = a.part(h, 0, a.rows - h, h), rest = a.from(h, h);
  if (const int32_t at = factor(top)) return at;
  const Dense<T> x = adjoint_of(left);
  solve_triangle<T>(top, true, false, x);
  copy_adjoint<T, T>(x, left);
  for (int64_t i = 0; i < rest.rows; i += kStrip) {  // the lower triangle, and a little of the upper one
    const int64_t m = std::min(kStrip, rest.rows - i);
    subtract_product(left.part(i, 0, m, h), x.part(0, 0, h, i + m), rest.part(i, 0, m, i + m));
  }
  const int32_t at = factor(rest);
  return at ? int32_t(h) + at : 0;
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
template <class T> int32_t factor_indefinite(const Block<T>& a, int32_t* pivots) {
  const T alpha = T((1 + std::sqrt(17.0)) / 8);
  const int64_t n = a.rows;
  std::vector<T> x(static_cast<size_t>(n)), y(static_cast<size_t>(n));  // the columns that are being eliminated
  int32_t info = 0;
  // The largest |a(i, j)| of rows [begin, n), and its row.
  const auto largest_below = [&](int64_t begin, int64_t j) {
    int64_t at = std::min(begin, n - 1);
    for (int64_t i = begin + 1; i < n; i++)
      if (std::abs(a(i, j)) > std::abs(a(at, j))) at = i;
    return std::pair(begin < n ? std::abs(a(at, j)) : T(0), at);
  };
  for (int64_t k = 0; k < n;) {
    int64_t step = 1, p = k;
    const T pivot = std::abs(a(k, k));
    const auto [largest, imax] = largest_below(k + 1, k);
    const bool zero = std::max(pivot, largest) == T(0);
    if (zero) {
      if (!info) info = int32_t(k + 1);
    } else if (pivot < alpha * largest) {
      T off = largest_below(imax + 1, imax).first;  // the largest off the diagonal of row imax
      for (int64_t j = k; j < imax; j++) off = std::max(off, std::abs(a(imax, j)));
      if (pivot >= alpha * largest * (largest / off)) p = k;
      else if (std::abs(a(imax, imax)) >= alpha * off) p = imax;
      else p = imax, step = 2;
    }
    const int64_t q = k + step - 1, next = k + step;  // row q changes places with row p
    if (p != q) {
      for (int64_t i = p + 1; i < n; i++) std::swap(a(i, q), a(i, p));
      for (int64_t i = q + 1; i < p; i++) std::swap(a(i, q), a(p, i));
      std::swap(a(q, q), a(p, p));
      if (step == 2) std::swap(a(q, k), a(p, k));
    }
    if (step == 1 && !zero) {
      const T d = a(k, k);
      for (int64_t i = next; i < n; i++) {
        x[size_t(i)] = a(i, k), a(i, k) /= d;
        row_subtract(i - k, a(i, k), x.data() + next, a.row(i) + next);
      }
    } else if (step == 2) {
      const T d = a(k, k), e = a(k + 1, k), f = a(k + 1, k + 1), det = d * f - e * e;
      for (int64_t i = next; i < n; i++) {
        const T u = a(i, k), v = a(i, k + 1);
        x[size_t(i)] = u, y[size_t(i)] = v;
        a(i, k) = (u * f - v * e) / det, a(i, k + 1) = (v * d - u * e) / det;
        row_subtract(i - next + 1, a(i, k), x.data() + next, a.row(i) + next);
        row_subtract(i - next + 1, a(i, k + 1), y.data() + next, a.row(i) + next);
      }
    }
    for (int64_t i = k; i < next; i++) pivots[i] = step == 1 ? int32_t(p + 1) : -int32_t(p + 1);
    k = next;
  }
  return info;
}
template <class T> void solve_indefinite(const Block<T>& a, const int32_t* pivots, const Block<T>& x) {
  const int64_t n = a.rows, m = x.columns;
  const auto swap = [&](int64_t k, int64_t step) {
    const int64_t p = std::abs(pivots[k]) - 1, q = k + step - 1;
    if (p != q) std::swap_ranges(x.row(p), x.row(p) + m, x.row(q));
  };
  int64_t k = 0;
  while (k < n) {
    const int64_t step = pivots[k] < 0 && k + 1 < n ? 2 : 1;
    swap(k, step);
    for (int64_t i = k + step; i < n; i++)
      for (int64_t j = k; j < k + step; j++) row_subtract(m, a(i, j), x.row(j), x.row(i));
    if (step == 1) {
      for (int64_t j = 0; j < m; j++) x(k, j) /= a(k, k);
    } else {
      const T d = a(k, k), e = a(k + 1, k), f = a(k + 1, k + 1), det = d * f - e * e;
      for (int64_t j = 0; j < m; j++) {
        const T u = x(k, j), v = x(k + 1, j);
        x(k, j) = (f * u - e * v) / det, x(k + 1, j) = (d * v - e * u) / det;
      }
    }
    k += step;
  }
  while (k > 0) {
    const int64_t step = pivots[k - 1] < 0 && k > 1 ? 2 : 1, below = k;
    k -= step;
    for (int64_t i = below; i < n; i++)
      for (int64_t j = k; j < below; j++) row_subtract(m, a(i, j), x.row(i), x.row(j));
    swap(k, step);
  }
}

template <class T> void clear_above(const Block<T>& a) {
  for (int64_t i = 0; i < a.rows; i++) std::fill(a.row(i) + i + 1, a.row(i) + a.columns, T(0));
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
      const Block<T> a = matrix<T>(L, i);
      copy(matrix<T>(x, i), a);
      *ints(info, i) = factor(a);
      clear_above(a);
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
      const Block<T> a = matrix<T>(LD, i);
      copy(matrix<T>(x, i), a), clear_above(a);
      *ints(info, i) = factor_indefinite(a, ints(pivots, i * rows(A)));
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
  const Tensor a = row_major(LD, LD.dtype());
  const Tensor pivots = row_major(expand(pivots_in, IntList(LD->sizes, size_t(LD.dim() - 1))), Dtype::Int32);
  Tensor X = clone(B, MemoryFormat::Contiguous);
  with_real(B, [&](auto t) {
    using T = decltype(t);
    each_matrix(batch(B), 2 * double(n) * double(n) * double(columns(B)),
        [&](int64_t i) { solve_indefinite(matrix<T>(a, i), ints(pivots, i * n), matrix<T>(X, i)); });
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
