// LU factorizations and what is made of them: solutions, inverses, determinants.
// Gradients: of solve, inv and det, Giles, "An extended collection of matrix derivative results" (2008), section 2; of LU, the same
// differential dA = dL U + L dU split into its two triangles.
#include "src/ops/linalg.h"

namespace tapegrad {

namespace {

// ---- LU with partial pivoting, in place
// How LAPACK compares candidates: complex ones by |re| + |im|.
template <class T> Real<T> size_of(T x) { return std::abs(std::real(x)) + std::abs(std::imag(x)); }

// A few columns, one after the other. Pivots are counted from 0.
template <class T> int32_t factor_columns(const Block<T>& a, int32_t* pivots, bool pivot) {
  int32_t info = 0;
  for (int64_t j = 0; j < std::min(a.rows, a.columns); j++) {
    int64_t p = j;
    for (int64_t i = j + 1; pivot && i < a.rows; i++)
      if (size_of(a(i, j)) > size_of(a(p, j))) p = i;
    pivots[j] = int32_t(p);
    if (p != j) std::swap_ranges(a.row(j), a.row(j) + a.columns, a.row(p));
    if (a(j, j) == T(0)) {
      if (!info) info = int32_t(j + 1);
      continue;
    }
    for (int64_t i = j + 1; i < a.rows; i++) {
      a(i, j) /= a(j, j);
      row_subtract(a.columns - j - 1, a(i, j), a.row(j) + j + 1, a.row(i) + j + 1);
    }
  }
  return info;
}
// The left half of the columns, what they do to the right half, and the rest of that: Toledo, "Locality of reference in LU
// decomposition with partial pivoting" (1997).
template <class T> int32_t factor(const Block<T>& a, int32_t* pivots, bool pivot) {
  constexpr int64_t kFew = 8;
  const int64_t k = std::min(a.rows, a.columns), w = (k / 2 + kFew - 1) / kFew * kFew;
  if (k <= kFew) return factor_columns(a, pivots, pivot);
  const Block<T> left = a.part(0, 0, a.rows, w), right = a.from(0, w), rest = a.from(w, w);
  const auto swap_rows = [&](const Block<T>& x, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++)
      if (pivots[i] != i) std::swap_ranges(x.row(i), x.row(i) + x.columns, x.row(pivots[i]));
  };
  int32_t info = factor(left, pivots, pivot);
  swap_rows(right, 0, w);
  solve_triangle(left.part(0, 0, w, w), true, true, right.part(0, 0, w, right.columns));
  subtract_product(left.from(w, 0), right.part(0, 0, w, right.columns), rest);
  const int32_t at = factor(rest, pivots + w, pivot);
  for (int64_t i = w; i < k; i++) pivots[i] += int32_t(w);
  swap_rows(left, w, k);
  return info || !at ? info : int32_t(w) + at;
}

// The gradient with L and U packed in one matrix. With P L U = A, k = min(m, n) and A's first k rows (of Pᵀ A) and columns:
//   Pᵀ dA = L₁⁻ᵀ (tril₋₁(L₁ᵀ gL₁ - gU₂ U₂ᵀ) + triu(gU₁ U₁ᵀ - L₂ᵀ gL₂)) U₁⁻ᵀ in that block, L₁⁻ᵀ gU₂ to its right, gL₂ U₁⁻ᵀ below.
struct LuFactorBackward final : NodeOf<1> {
  SavedTensor LU, pivots;
  LuFactorBackward(const Tensor& A, const Tensor& p) : NodeOf(A), pivots(p) {}
  const char* name() const override { return "LinalgLuFactorExBackward0"; }
  void free_saved() override { LU.reset(), pivots.reset(); }
  void backward(Tensor g, Tensor* dx) override {
    if (!needs(0)) return;
    const Tensor lu = LU.unpack(*this), p = pivots.unpack(*this);
    const int64_t m = rows(lu), n = columns(lu), k = std::min(m, n);
    const Tensor square = first_columns(first_rows(lu, k), k), g1 = first_columns(first_rows(g, k), k);
    Tensor lower = h_times(tril(square, -1) + identity(k, lu), tril(g1, -1)), upper = times_h(triu(g1), triu(square));
    if (n > m) lower = lower - times_h(narrow(g, -1, k, n - k), narrow(lu, -1, k, n - k));
    if (m > n) upper = upper - h_times(narrow(lu, -2, k, m - k), narrow(g, -2, k, m - k));
    const auto from_left = [&](const Tensor& x) { return linalg::solve_triangular(mH(square), x, true, true, true); };
    const auto from_right = [&](const Tensor& x) { return linalg::solve_triangular(mH(square), x, false, false); };
    Tensor d = from_left(from_right(tril(lower, -1) + triu(upper)));
    if (n > m) d = cat({d, from_left(narrow(g, -1, k, n - k))}, -1);
    if (m > n) d = cat({d, from_right(narrow(g, -2, k, m - k))}, -2);
    dx[0] = gather(d, -2, expand(as_column(inverse_order(p, m)), d.sizes()));
  }
  // Row i of P x is row inverse_order[i] of x.
  static Tensor inverse_order(const Tensor& pivots, int64_t m);
};

// The rows of A in the order the pivots put them: (…, m) int64. Row order[i] of A is row i of L U.
Tensor row_order(const Tensor& pivots_in, int64_t m) {
  const Tensor pivots = row_major(pivots_in, Dtype::Int32);
  const int64_t k = pivots->sizes[pivots.dim() - 1], count = k ? pivots.numel() / k : product(IntList(pivots->sizes, size_t(pivots.dim() - 1)));
  Tensor out = empty(shape_of({pivots->sizes, size_t(pivots.dim() - 1)}, m), Dtype::Int64);
  for (int64_t b = 0; b < count; b++) {
    int64_t* order = out->host<int64_t>() + b * m;
    for (int64_t i = 0; i < m; i++) order[i] = i;
    for (int64_t i = 0; i < k; i++) {
      const int64_t p = *ints(pivots, b * k + i) - 1;
      TG_CHECK(p >= 0 && p < m, ValueError, "pivots must lie between 1 and ", m, ", got ", p + 1);
      std::swap(order[i], order[p]);
    }
  }
  return out;
}
Tensor LuFactorBackward::inverse_order(const Tensor& pivots, int64_t m) { return argsort(row_order(pivots, m)); }

void check_lu(const Tensor& LU, const Tensor& pivots, bool square) {
  if (square) check_square(LU, "LU");
  TG_CHECK(LU.dim() >= 2, ShapeError, "LU must be a batch of matrices, with at least 2 dimensions, got ", LU.dim(), Named{"LU", LU});
  TG_CHECK(pivots.dtype() == Dtype::Int32, DtypeError, "pivots must be int32, got ", pivots.dtype(), Named{"pivots", pivots});
  TG_CHECK(IntList(pivots.sizes()) == IntList(shape_of(batch(LU), std::min(rows(LU), columns(LU)))), ShapeError, "pivots must be ",
      shape_of(batch(LU), std::min(rows(LU), columns(LU))), ", got ", pivots.sizes(), Named{"LU", LU}, Named{"pivots", pivots});
}

struct LU { Tensor factors, pivots, info; };
LU factor_all(const Tensor& A, bool pivot) {
  LU r{empty(A.sizes(), A.dtype()), empty(shape_of(batch(A), std::min(rows(A), columns(A))), Dtype::Int32), empty(batch(A), Dtype::Int32)};
  const Tensor x = row_major(A, A.dtype());
  const int64_t k = std::min(rows(A), columns(A));
  with_scalar(A, [&](auto t) {
    using T = decltype(t);
    each_matrix(batch(A), double(rows(A)) * double(columns(A)) * double(k), [&](int64_t i) {
      const Block<T> a = matrix<T>(r.factors, i);
      copy(matrix<T>(x, i), a);
      *ints(r.info, i) = factor(a, ints(r.pivots, i * k), pivot);
      for (int64_t j = 0; j < k; j++) ++*ints(r.pivots, i * k + j);  // counted from 1
    });
  });
  return r;
}
constexpr const char *kSingular = "the matrix is singular: pivot ", *kSingularEnd = " of its LU factorization is zero";

// ---- triangular solves
struct SolveTriangularBackward final : NodeOf<2> {
  SavedTensor A, X;
  bool upper, left, unit;
  SolveTriangularBackward(const Tensor& a, const Tensor& b, bool u, bool l, bool one) : NodeOf(a, b), A(a), upper(u), left(l), unit(one) {}
  const char* name() const override { return "LinalgSolveTriangularBackward0"; }
  void free_saved() override { A.reset(), X.reset(); }
  void backward(Tensor g, Tensor* dx) override {
    const Tensor gB = linalg::solve_triangular(mH(A.unpack(*this)), g, !upper, left, unit);
    if (needs(1)) dx[1] = gB;
    if (!needs(0)) return;
    const Tensor x = X.unpack(*this), gA = -(left ? times_h(gB, x) : h_times(x, gB));
    dx[0] = upper ? triu(gA, unit) : tril(gA, -int64_t(unit));
  }
};
void check_sides(const Tensor& A, const Tensor& B, bool left) {
  check_same_dtype(A, "A", B, "B");
  const int64_t n = left ? rows(B) : columns(B);
  TG_CHECK(n == rows(A), ShapeError, "B must have ", rows(A), left ? " rows" : " columns", " as A, got ", n, Named{"A", A}, Named{"B", B});
}

// ---- A X = B. The second derivative needs A itself; the first has its factors at hand.
struct SolveBackward final : NodeOf<2> {
  SavedTensor A, LU, pivots, X;
  SolveBackward(const Tensor& a, const Tensor& b, const Tensor& lu, const Tensor& p) : NodeOf(a, b), A(a), LU(lu), pivots(p) {}
  const char* name() const override { return "LinalgSolveExBackward0"; }
  void free_saved() override { A.reset(), LU.reset(), pivots.reset(), X.reset(); }
  void backward(Tensor g, Tensor* dx) override {
    const Tensor a = A.unpack(*this);
    const Tensor gB = recording(a, g) ? linalg::solve(mH(a), g) : linalg::lu_solve(LU.unpack(*this), pivots.unpack(*this), g, true, true);
    if (needs(1)) dx[1] = gB;
    if (needs(0)) dx[0] = -times_h(gB, X.unpack(*this));
  }
};
struct InvBackward final : NodeOf<1> {
  SavedTensor Y;
  explicit InvBackward(const Tensor& A) : NodeOf(A) {}
  const char* name() const override { return "LinalgInvExBackward0"; }
  void free_saved() override { Y.reset(); }
  void backward(Tensor g, Tensor* dx) override {
    const Tensor y = Y.unpack(*this);
    if (needs(0)) dx[0] = -h_times(y, times_h(g, y));
  }
};

// ---- determinants
// 1 or -1: the sign of the permutation; as a float tensor.
Tensor permutation_sign(const LU& lu) {
  Tensor out = empty(batch(lu.factors), lu.factors.dtype());
  const int64_t k = columns(lu.factors);
  with_scalar(out, [&](auto t) {
    for (int64_t i = 0; i < out.numel(); i++) {
      bool odd = false;
      for (int64_t j = 0; j < k; j++) odd ^= *ints(lu.pivots, i * k + j) != j + 1;
      out->host<decltype(t)>()[i] = odd ? -1 : 1;
    }
  });
  return out;
}
// d det = tr(adj(A) dA): det(A) A⁻¹, or for singular matrices U diag(product of the other singular values) Vᵀ with its sign.
struct DetBackward final : NodeOf<1> {
  SavedTensor A, value;
  bool regular;
  DetBackward(const Tensor& a, bool r) : NodeOf(a), A(a), regular(r) {}
  const char* name() const override { return "LinalgDetBackward0"; }
  void free_saved() override { A.reset(), value.reset(); }
  void backward(Tensor g, Tensor* dx) override {
    if (!needs(0)) return;
    const Tensor a = A.unpack(*this), det = value.unpack(*this);
    if (regular) {
      dx[0] = linalg::solve(mH(a), diag_embed(expand(as_column(g * conj(det)), IntList(a->sizes, size_t(a.dim() - 1)))));
      return;
    }
    const auto [u, s, vh] = linalg::svd(a);
    const int64_t n = columns(a);
    const Tensor others = prod(masked_fill(expand(as_row(s), a.sizes()), to(eye(n), bool_), Scalar(1.0)), -1);
    const Tensor sign = linalg::det(u) * linalg::det(vh);
    dx[0] = times(u * as_row(others), vh) * as_column(as_column(g * conj(sign)));
  }
};
// d log det = tr(A⁻¹ dA): its real part changes the logarithm, its imaginary part turns the sign.
struct SlogdetBackward final : NodeOf<1> {
  SavedTensor A, sign;
  explicit SlogdetBackward(const Tensor& a) : NodeOf(a), A(a) {}
  const char* name() const override { return "LinalgSlogdetBackward0"; }
  void free_saved() override { A.reset(), sign.reset(); }
  void backward_all(Tensor* g, Tensor* dx) override {
    if (!needs(0)) return;
    const Tensor a = A.unpack(*this);
    Tensor d = g[1];
    if (is_complex(a.dtype()) && g[0].defined()) {
      const Tensor turn = imag(conj(g[0]) * sign.unpack(*this));
      d = complex(d.defined() ? d : zeros_like(turn), -turn);
    }
    if (d.defined()) dx[0] = linalg::solve(mH(a), diag_embed(expand(as_column(to(d, a.dtype())), IntList(a->sizes, size_t(a.dim() - 1)))));
  }
};

}  // namespace

namespace linalg {

std::tuple<Tensor, Tensor, Tensor> lu_factor_ex(const Tensor& A, bool pivot, bool check_errors) {
  OpScope op("linalg.lu_factor_ex");
  check_matrix(A);
  LU r = factor_all(A, pivot);
  if (check_errors) check_info(r.info, kSingular, kSingularEnd);
  if (recording(A)) record<LuFactorBackward>(r.factors, A, r.pivots)->LU = SavedTensor(r.factors, SavedTensor::output);
  return {r.factors, r.pivots, r.info};
}
std::tuple<Tensor, Tensor> lu_factor(const Tensor& A, bool pivot) {
  OpScope op("linalg.lu_factor");
  auto [factors, pivots, info] = lu_factor_ex(A, pivot, true);
  return {factors, pivots};
}
std::tuple<Tensor, Tensor, Tensor> lu(const Tensor& A, bool pivot) {
  OpScope op("linalg.lu");
  auto [factors, pivots, info] = lu_factor_ex(A, pivot);
  auto [P, L, U] = lu_unpack(factors, pivots);
  return {pivot ? P : empty({0}, A.dtype()), L, U};
}
Tensor lu_solve(const Tensor& LU, const Tensor& pivots, const Tensor& B, bool left, bool adjoint) {
  OpScope op("linalg.lu_solve");
  check_lu(LU, pivots, true), check_matrix(B, "B"), check_sides(LU, B, left);
  if (!left) return mH(linalg::lu_solve(LU, pivots, mH(B), true, !adjoint));
  Tensor lu = LU, b = B, order = row_order(pivots, rows(LU));
  if (adjoint) order = argsort(order);
  broadcast_batches(lu, b);
  const Tensor index = expand(as_column(order), b.sizes());
  if (!adjoint) return solve_triangular(lu, solve_triangular(lu, gather(b, -2, index), false, true, true), true);
  return gather(solve_triangular(mH(lu), solve_triangular(mH(lu), b, false), true, true, true), -2, index);
}
Tensor solve_triangular(const Tensor& A_in, const Tensor& B_in, bool upper, bool left, bool unitriangular) {
  OpScope op("linalg.solve_triangular");
  check_square(A_in), check_matrix(B_in, "B"), check_sides(A_in, B_in, left);
  Tensor A = A_in, B = B_in;
  broadcast_batches(A, B);
  Tensor X;
  {
    NoGrad off;  // X A = B is Aᵀ Xᵀ = Bᵀ
    const Tensor a = row_major(left ? A : mT(A), A.dtype());
    X = clone(left ? B : mT(B), MemoryFormat::Contiguous);
    with_scalar(A, [&](auto t) {
      using T = decltype(t);
      each_matrix(batch(A), double(rows(A)) * double(rows(B)) * double(columns(B)),
          [&](int64_t i) { solve_triangle(matrix<T>(a, i), upper != left, unitriangular, matrix<T>(X, i)); });
    });
    if (!left) X = contiguous(mT(X));
  }
  if (recording(A, B)) record<SolveTriangularBackward>(X, A, B, upper, left, unitriangular)->X = SavedTensor(X, SavedTensor::output);
  return X;
}
std::tuple<Tensor, Tensor> solve_ex(const Tensor& A_in, const Tensor& B_in, bool left, bool check_errors) {
  OpScope op("linalg.solve_ex");
  check_square(A_in);
  TG_CHECK(B_in.dim() > 0, ShapeError, "B must have at least 1 dimension, got 0", Named{"B", B_in});
  check_same_dtype(A_in, "A", B_in, "B");
  if (is_vector(A_in, B_in)) {
    TG_CHECK(left, ShapeError, "B must be a batch of matrices when left is False", Named{"A", A_in}, Named{"B", B_in});
    auto [x, info] = solve_ex(A_in, as_column(B_in), true, check_errors);
    return {squeeze(x, -1), info};
  }
  check_matrix(B_in, "B"), check_sides(A_in, B_in, left);
  if (!left) {
    auto [x, info] = solve_ex(mT(A_in), mT(B_in), true, check_errors);
    return {mT(x), info};
  }
  Tensor A = A_in, B = B_in;
  const LU lu = factor_all(A, true);
  if (check_errors) check_info(lu.info, kSingular, kSingularEnd);
  Tensor X;
  {
    NoGrad off;
    X = linalg::lu_solve(lu.factors, lu.pivots, B);
  }
  if (recording(A, B)) {
    broadcast_batches(A, B);
    record<SolveBackward>(X, A, B, lu.factors, lu.pivots)->X = SavedTensor(X, SavedTensor::output);
  }
  return {X, lu.info};
}
Tensor solve(const Tensor& A, const Tensor& B, bool left) {
  OpScope op("linalg.solve");
  return std::get<0>(solve_ex(A, B, left, true));
}
std::tuple<Tensor, Tensor> inv_ex(const Tensor& A, bool check_errors) {
  OpScope op("linalg.inv_ex");
  check_square(A);
  const LU lu = factor_all(A, true);
  if (check_errors) check_info(lu.info, kSingular, kSingularEnd);
  Tensor Y;
  {
    NoGrad off;
    Y = linalg::lu_solve(lu.factors, lu.pivots, identity(rows(A), A));
  }
  if (recording(A)) record<InvBackward>(Y, A)->Y = SavedTensor(Y, SavedTensor::output);
  return {Y, lu.info};
}
Tensor inv(const Tensor& A) {
  OpScope op("linalg.inv");
  return std::get<0>(inv_ex(A, true));
}
Tensor det(const Tensor& A) {
  OpScope op("linalg.det");
  check_square(A);
  const LU lu = factor_all(A, true);
  const Tensor u = diagonals(lu.factors);
  Tensor out = permutation_sign(lu) * prod(u, -1);
  if (recording(A)) {
    const bool regular = !A.numel() || all(amin(abs(u), -1) > amax(abs(u), -1) * Tensor(epsilon(A) * double(rows(A)))).item<bool>();
    record<DetBackward>(out, A, regular)->value = SavedTensor(out, SavedTensor::output);
  }
  return out;
}
std::tuple<Tensor, Tensor> slogdet(const Tensor& A) {
  OpScope op("linalg.slogdet");
  check_square(A);
  const LU lu = factor_all(A, true);
  const Tensor u = diagonals(lu.factors);
  Tensor sign = permutation_sign(lu) * prod(sgn(u), -1), logabsdet = sum(log(abs(u)), -1);
  if (recording(A)) record_many<SlogdetBackward>({sign, logabsdet}, A)->sign = SavedTensor(sign, SavedTensor::output);
  return {sign, logabsdet};
}

Tensor tensorinv(const Tensor& A, int64_t ind) {
  OpScope op("linalg.tensorinv");
  TG_CHECK(ind > 0, ValueError, "ind must be positive, got ", ind, Named{"A", A});
  const size_t k = std::min(size_t(ind), size_t(A.dim()));
  const IntList front(A->sizes, k), back(A->sizes + k, size_t(A.dim()) - k);
  TG_CHECK(product(front) == product(back), ShapeError, "the product of the first ind sizes must be that of the others, got ",
      product(front), " and ", product(back), Named{"A", A});
  return reshape(inv(reshape(A, {product(front), product(back)})), shape_of(back, front));
}
Tensor tensorsolve(const Tensor& A_in, const Tensor& B, IntList dims) {
  OpScope op("linalg.tensorsolve");
  Tensor A = A_in;
  if (!dims.empty()) {
    Shape last;
    for (size_t i = 0; i < dims.size(); i++) last.push_back(A.dim() - int64_t(dims.size() - i));
    A = movedim(A, dims, last);
  }
  const size_t k = size_t(std::min(B.dim(), A.dim()));
  const IntList rest(A->sizes + k, size_t(A.dim()) - k);
  TG_CHECK(product(rest) == B.numel() && A.numel() == B.numel() * B.numel(), ShapeError,
      "A must be a square matrix when its first dimensions, as many as B has, are one side and the others the other side",
      Named{"A", A}, Named{"B", B});
  return reshape(solve(reshape(A, {B.numel(), B.numel()}), reshape(B, {B.numel()})), rest);
}

}  // namespace linalg

// ---- the older names
std::tuple<Tensor, Tensor, Tensor> lu_unpack(const Tensor& LU, const Tensor& pivots, bool unpack_data, bool unpack_pivots) {
  OpScope op("lu_unpack");
  check_lu(LU, pivots, false);
  const int64_t m = rows(LU), k = std::min(m, columns(LU));
  Tensor P = empty({0}, LU.dtype()), L = P, U = P;
  if (unpack_data) L = tril(first_columns(LU, k), -1) + eye(m, k, LU.dtype(), LU.device()), U = triu(first_rows(LU, k));
  if (unpack_pivots) P = to(as_column(arange(m)) == as_row(row_order(pivots, m)), LU.dtype());
  return {P, L, U};
}
Tensor lu_solve(const Tensor& B, const Tensor& LU, const Tensor& pivots) {
  OpScope op("lu_solve");
  return linalg::lu_solve(LU, pivots, B);
}

void linalg_solve_ops(OpTable& t) {
  t.add("linalg.lu_factor(Tensor A, *, bool pivot=True)", &linalg::lu_factor,
        "L and U of A = P L U packed in one matrix, and the rows swapped, from 1: (…, m, n) -> (…, m, n), (…, min(m, n)) int32.")
      .with_out().returns("LU pivots").samples({"T(3, 3)", "T(2, 3, 4)", "T(2, 4, 3)", "T(0, 3, 3)", "T(3, 0)"}).complex();
  t.add("linalg.lu_factor_ex(Tensor A, *, bool pivot=True, bool check_errors=False)", &linalg::lu_factor_ex,
        "lu_factor with info: 0, or the first pivot that is zero.")
      .with_out().returns("LU pivots info").samples({"T(3, 3)", "C([[1., 2.], [2., 4.]])", "T(2, 2, 5, 3)"}).complex();
  t.add("linalg.lu(Tensor A, *, bool pivot=True)", &linalg::lu, "P, L and U with A = P L U: a permutation, unit lower and upper triangles.")
      .with_out().returns("P L U").samples({"T(3, 3)", "T(2, 3, 4)", "T(2, 4, 3)", "T(0, 0)"}).complex();
  t.add("linalg.lu_solve(Tensor LU, Tensor pivots, Tensor B, *, bool left=True, bool adjoint=False)", &linalg::lu_solve,
        "X with A X = B (X A = B when not left; Aᴴ when adjoint) from A's lu_factor.")
      .with_out().samples({"T(3, 3), C([2, 3, 3], dtype='int32'), T(3, 2)", "T(2, 3, 3), C([[3, 3, 3], [1, 2, 3]], dtype='int32'), T(3, 2), adjoint=True",
                           "T(3, 3), C([2, 3, 3], dtype='int32'), T(2, 2, 3), left=False"}).complex();
  t.add("linalg.solve(Tensor A, Tensor B, *, bool left=True)", &linalg::solve,
        "X with A X = B, or X A = B when not left: (…, n, n), (…, n, k) or (…, n) -> B's shape, broadcast. Raises LinAlgError when A is singular.")
      .with_out().samples({"T(3, 3), T(3, 2)", "T(2, 3, 3), T(2, 3)", "T(3, 3), T(2, 3, 1)", "T(2, 3, 3), T(4, 3), left=False", "T(0, 3, 3), T(0, 3, 2)", "T(3, 3), T(3)"}).complex();
  t.add("linalg.solve_ex(Tensor A, Tensor B, *, bool left=True, bool check_errors=False)", &linalg::solve_ex,
        "solve with info: 0, or the first pivot that is zero.")
      .with_out().returns("result info").samples({"T(3, 3), T(3, 2)", "T(2, 3, 3), T(3, 3), left=False"}).complex();
  t.add("linalg.solve_triangular(Tensor input, Tensor B, *, bool upper, bool left=True, bool unitriangular=False)", &linalg::solve_triangular,
        "X with A X = B, or X A = B when not left, where A is triangular; its other triangle (and its diagonal when unitriangular) is not read.")
      .with_out().samples({"T(3, 3), T(3, 2), upper=True", "T(2, 3, 3), T(3, 2), upper=False", "T(3, 3), T(2, 2, 3), upper=True, left=False, unitriangular=True",
                           "T(0, 0), T(0, 2), upper=True"}).complex();
  t.add("linalg.inv(Tensor A)", &linalg::inv, "A⁻¹. Raises LinAlgError when A is singular.").with_out().samples({"T(3, 3)", "T(2, 2, 2)", "T(0, 3, 3)", "T(0, 0)"}).complex();
  t.add("linalg.inv_ex(Tensor A, *, bool check_errors=False)", &linalg::inv_ex, "A⁻¹ with info: 0, or the first pivot that is zero.")
      .with_out().returns("inverse info").samples({"T(3, 3)", "T(2, 2, 2)"}).complex();
  t.add("linalg.det(Tensor A)", &linalg::det, "Determinants: (…, n, n) -> (…).").with_out()
      .samples({"T(3, 3)", "T(2, 4, 4)", "T(0, 3, 3)", "C([[1., 2.], [2., 4.]])"}).complex();
  t.add("linalg.slogdet(Tensor A)", &linalg::slogdet, "Sign and logarithm of the absolute value of determinants; 0 and -inf when A is singular.")
      .with_out().returns("sign logabsdet").samples({"T(3, 3)", "T(2, 4, 4)", "T(0, 0)"}).complex();
  t.add("linalg.tensorinv(Tensor input, int ind=2)", &linalg::tensorinv, "The inverse of A as a map from its last dimensions to its first `ind`.")
      .with_out().samples({"T(2, 3, 6)", "T(4, 2, 2), 1"}).complex();
  t.add("linalg.tensorsolve(Tensor input, Tensor other, int[]? dims=None)", &linalg::tensorsolve,
        "X with tensordot(A, X, X.ndim) = B; dims of A are moved to its end first.")
      .with_out().samples({"T(2, 3, 6), T(2, 3)", "T(6, 2, 3), T(2, 3), dims=[0]"}).complex();
  t.add("lu_unpack(Tensor LU_data, Tensor LU_pivots, bool unpack_data=True, bool unpack_pivots=True)", &lu_unpack,
        "P, L and U of an lu_factor.")
      .with_out().returns("P L U").samples({"T(3, 3), C([2, 3, 3], dtype='int32')", "T(2, 3, 4), C([[2, 3, 3], [1, 3, 3]], dtype='int32')", "T(4, 2), C([2, 3], dtype='int32')"}).complex();
  t.add("lu_solve(Tensor input, Tensor LU_data, Tensor LU_pivots)", &lu_solve, "X with A X = input, from A's lu_factor.")
      .method().with_out().samples({"T(3, 2), T(3, 3), C([2, 3, 3], dtype='int32')"}).complex();
}

}  // namespace tapegrad
