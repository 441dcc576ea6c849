// Functions of matrices, norms, condition numbers: all but the exponential are compositions.
#include <cmath>
#include <limits>

#include "src/ops/linalg.h"

namespace tapegrad {

namespace {

// ---- the exponential by scaling and squaring with the Padé approximant [13/13]: Higham, "The scaling and squaring method for the
// matrix exponential revisited" (2005), equations 2.1 to 2.3 and table 2.1.
Tensor exponential(const Tensor& A) {
  constexpr double b[] = {64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000, 10559470521600,
                          670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1};
  const Tensor norm = to(amax(sum(abs(A), -2), -1), float64);  // (batch)
  const Tensor squarings = clamp_min(where(isfinite(norm), ceil(log2(norm / Tensor(5.371920351148152))), full_like(norm, 0)), Scalar(0));
  const Tensor a = A * to(as_column(as_column(exp2(-squarings))), A.dtype());
  const Tensor a2 = times(a, a), a4 = times(a2, a2), a6 = times(a4, a2), one = identity(rows(A), A);
  const auto sum_of = [&](int odd) {
    const auto c = [&](int k) { return Tensor(b[k + odd] / b[0]); };
    return times(a6, c(12) * a6 + c(10) * a4 + c(8) * a2) + c(6) * a6 + c(4) * a4 + c(2) * a2 + c(0) * one;
  };
  const Tensor u = times(a, sum_of(1)), v = sum_of(0);
  Tensor x = std::get<0>(linalg::solve_ex(v - u, v + u));
  const int64_t most = int64_t(amax(squarings, {}).item<double>());
  for (int64_t i = 0; i < most; i++) x = where(as_column(as_column(squarings)) > Tensor(double(i)), times(x, x), x);
  return where(as_column(as_column(isfinite(norm))), x, full({}, NAN, A.dtype()));
}
// The derivative in the direction E is the upper right block of exp([[A, E], [0, A]]): Mathias, "A chain rule for matrix functions
// and applications" (1996), theorem 2.1; its adjoint takes Aᴴ.
struct MatrixExpBackward final : NodeOf<1> {
  SavedTensor A;
  explicit MatrixExpBackward(const Tensor& a) : NodeOf(a), A(a) {}
  const char* name() const override { return "LinalgMatrixExpBackward0"; }
  void free_saved() override { A.reset(); }
  void backward(Tensor g, Tensor* dx) override {
    if (!needs(0)) return;
    const Tensor a = mH(A.unpack(*this));
    const int64_t n = rows(a);
    const Tensor above = cat({a, g}, -1), below = cat({zeros_like(a), a}, -1);
    dx[0] = narrow(first_rows(linalg::matrix_exp(cat({above, below}, -2)), n), -1, n, n);
  }
};

// ---- norms
struct Pair { int64_t rows, columns; };  // the dimensions of the matrices
Pair matrix_dims(const Tensor& A, IntList dim) {
  TG_CHECK(A.dim() >= 2, ShapeError, "input must have at least 2 dimensions, got ", A.dim(), Named{"input", A});
  TG_CHECK(dim.size() == 2, ShapeError, "dim must name 2 dimensions, got ", dim, Named{"input", A});
  const Pair p{wrap_dim(dim[0], A.dim(), A), wrap_dim(dim[1], A.dim(), A)};
  TG_CHECK(p.rows != p.columns, ShapeError, "the dimensions in dim must differ, got ", dim, Named{"input", A});
  return p;
}
Tensor cast_for_norm(const Tensor& A, std::optional<Dtype> dtype) {
  TG_CHECK(is_differentiable(A.dtype()), DtypeError, "input must be of a floating or complex dtype, got ", A.dtype(), Named{"input", A});
  TG_CHECK(!dtype || is_differentiable(*dtype), DtypeError, "dtype must be a floating or complex dtype, got ", *dtype, Named{"input", A});
  return dtype && *dtype != A.dtype() ? to(A, *dtype) : A;
}
Tensor singular_values(const Tensor& A, Pair p) { return linalg::svdvals(movedim(A, {p.rows, p.columns}, {-2, -1})); }
// x without its last dimension, with the matrices' dimensions as size 1 if kept.
Tensor restore(const Tensor& x, Pair p, bool keepdim) {
  if (!keepdim) return x;
  return unsqueeze(unsqueeze(x, std::min(p.rows, p.columns)), std::max(p.rows, p.columns));
}
Tensor extreme(const Tensor& x, int64_t dim, bool largest, bool keepdim) { return largest ? amax(x, dim, keepdim) : amin(x, dim, keepdim); }

}  // namespace

namespace linalg {

Tensor matrix_exp(const Tensor& A) {
  OpScope op("linalg.matrix_exp");
  if (A.dtype() == float16 || A.dtype() == bfloat16) return to(linalg::matrix_exp(to(A, float32)), A.dtype());
  check_square(A, "input");
  Tensor out;
  {
    NoGrad off;
    out = A.numel() ? exponential(A) : empty(A.sizes(), A.dtype(), A.device());
  }
  if (recording(A)) record<MatrixExpBackward>(out, A);
  return out;
}
Tensor matrix_power(const Tensor& A, int64_t n) {
  OpScope op("linalg.matrix_power");
  TG_CHECK(A.dim() >= 2 && rows(A) == columns(A), ShapeError, "input must be a batch of square matrices", Named{"input", A});
  if (n == 0) return where(ones_like(A, bool_), identity(rows(A), A), A);  // of A, with gradient 0
  Tensor square = n < 0 ? inv(A) : A, out;
  for (uint64_t k = n < 0 ? -uint64_t(n) : uint64_t(n); k; k >>= 1) {
    if (k & 1) out = out.defined() ? times(out, square) : square;
    if (k > 1) square = times(square, square);
  }
  return out.is_same(A) ? clone(A) : out;
}
Tensor multi_dot(TensorList tensors) {
  OpScope op("linalg.multi_dot");
  return tapegrad::multi_dot(tensors);
}
Tensor cross(const Tensor& a, const Tensor& b, int64_t dim) {
  OpScope op("linalg.cross");
  TG_CHECK(a.dim() == b.dim(), ShapeError, "input and other must have the same number of dimensions, got ", a.dim(), " and ", b.dim(),
      Named{"input", a}, Named{"other", b});
  const int64_t d = wrap_dim(dim, a.dim(), a);
  TG_CHECK(a.dim() && a.size(d) == 3 && b.size(d) == 3, ShapeError, "input and other must have size 3 along dim ", dim, Named{"input", a}, Named{"other", b});
  return roll(a, -1, d) * roll(b, -2, d) - roll(a, -2, d) * roll(b, -1, d);
}
Tensor vecdot(const Tensor& x, const Tensor& y, int64_t dim) {
  OpScope op("linalg.vecdot");
  TG_CHECK(is_differentiable(x.dtype()), DtypeError, "x must be of a floating or complex dtype, got ", x.dtype(), Named{"x", x});
  TG_CHECK(x.dtype() == y.dtype(), DtypeError, "x and y must have the same dtype, got ", x.dtype(), " and ", y.dtype(), Named{"x", x}, Named{"y", y});
  return sum(conj(x) * y, dim, false, x.dtype());
}
Tensor diagonal(const Tensor& A, int64_t offset, int64_t dim1, int64_t dim2) {
  OpScope op("linalg.diagonal");
  return tapegrad::diagonal(A, offset, dim1, dim2);
}
Tensor vander(const Tensor& x, std::optional<int64_t> N) {
  OpScope op("linalg.vander");
  TG_CHECK(x.dim() > 0, ShapeError, "x must have at least 1 dimension, got 0", Named{"x", x});
  TG_CHECK(x.dtype() != bool_ && x.dtype() != float16 && x.dtype() != bfloat16, DtypeError, "x must be integers, float32 or float64, got ", x.dtype(), Named{"x", x});
  const int64_t n = N.value_or(x.size(-1));
  TG_CHECK(n > 1, ValueError, "N must be at least 2, got ", n, Named{"x", x});
  const Tensor powers = expand(as_column(x), shape_of(x.sizes(), n - 1)), one = ones_like(as_column(x), is_differentiable(x.dtype()) ? x.dtype() : Dtype::Int64);
  return cat({one, cumprod(powers, -1)}, -1);
}

Tensor vector_norm(const Tensor& x, Scalar ord, IntList dim, bool keepdim, std::optional<Dtype> dtype) {
  OpScope op("linalg.vector_norm");
  return tapegrad::norm(cast_for_norm(x, dtype), ord, dim, keepdim);
}
Tensor matrix_norm(const Tensor& A_in, std::string_view ord, IntList dim, bool keepdim, std::optional<Dtype> dtype) {
  OpScope op("linalg.matrix_norm");
  const Tensor A = cast_for_norm(A_in, dtype);
  const Pair p = matrix_dims(A, dim);
  if (ord == "fro") return tapegrad::norm(A, 2, {p.rows, p.columns}, keepdim);
  TG_CHECK(ord == "nuc", ValueError, "ord must be 'fro', 'nuc' or a number, got '", ord, "'", Named{"input", A});
  return restore(sum(singular_values(A, p), -1), p, keepdim);
}
Tensor matrix_norm(const Tensor& A_in, Scalar ord, IntList dim, bool keepdim, std::optional<Dtype> dtype) {
  OpScope op("linalg.matrix_norm");
  const double o = ord.to_double(), kind = std::abs(o);
  TG_CHECK(kind == 1 || kind == 2 || std::isinf(o), ValueError, "ord must be 1, -1, 2, -2, inf, -inf, 'fro' or 'nuc', got ", ord, Named{"input", A_in});
  const Tensor A = cast_for_norm(A_in, dtype);
  const Pair p = matrix_dims(A, dim);
  if (kind == 2) return restore(extreme(singular_values(A, p), -1, o > 0, false), p, keepdim);
  const int64_t over = kind == 1 ? p.rows : p.columns, then = kind == 1 ? p.columns : p.rows;
  return extreme(sum(abs(A), over, keepdim), !keepdim && then > over ? then - 1 : then, o > 0, keepdim);
}
Tensor norm(const Tensor& A, std::optional<Scalar> ord, IntList dim, bool keepdim, std::optional<Dtype> dtype) {
  OpScope op("linalg.norm");
  if (!ord) return vector_norm(A, 2, dim, keepdim, dtype);
  TG_CHECK(!dim.empty() || A.dim() == 1 || A.dim() == 2, ShapeError, "with ord and without dim, input must have 1 or 2 dimensions, got ", A.dim(), Named{"input", A});
  TG_CHECK(dim.size() <= 2, ShapeError, "dim must name 1 or 2 dimensions when ord is given, got ", dim, Named{"input", A});
  if (dim.size() == 2 || (dim.empty() && A.dim() == 2)) return matrix_norm(A, *ord, dim.empty() ? IntList({0, 1}) : dim, keepdim, dtype);
  return vector_norm(A, *ord, dim, keepdim, dtype);
}
Tensor norm(const Tensor& A, std::string_view ord, IntList dim, bool keepdim, std::optional<Dtype> dtype) {
  OpScope op("linalg.norm");
  TG_CHECK(dim.size() == 2 || (dim.empty() && A.dim() == 2), ShapeError, "ord='", ord, "' is for matrices: 2 dimensions in dim, or in input", Named{"input", A});
  return matrix_norm(A, ord, dim.empty() ? IntList({0, 1}) : dim, keepdim, dtype);
}

// 0 in an empty batch; infinite for singular matrices.
Tensor cond(const Tensor& A, std::string_view p) {
  OpScope op("linalg.cond");
  TG_CHECK(p == "fro" || p == "nuc", ValueError, "p must be None, 'fro', 'nuc', 1, -1, 2, -2, inf or -inf, got '", p, "'", Named{"input", A});
  check_square(A, "input");
  if (!A.numel()) return zeros(batch(A), real_dtype(A.dtype()), A.device());
  auto [inverse, info] = inv_ex(A);
  const Tensor singular = info != Tensor(0);
  return where(singular, full({}, INFINITY, real_dtype(A.dtype())), matrix_norm(A, p) * matrix_norm(masked_fill(inverse, as_column(as_column(singular)), Scalar(0.0)), p));
}
Tensor cond(const Tensor& A, std::optional<Scalar> p) {
  OpScope op("linalg.cond");
  const double kind = p ? std::abs(p->to_double()) : 2;
  TG_CHECK(kind == 1 || kind == 2 || std::isinf(kind), ValueError, "p must be None, 'fro', 'nuc', 1, -1, 2, -2, inf or -inf, got ", *p, Named{"input", A});
  if (kind == 2) {
    check_matrix(A, "input");
    if (!A.numel()) return zeros(batch(A), real_dtype(A.dtype()), A.device());
    const Tensor s = svdvals(A), first = select(s, -1, 0), last = select(s, -1, -1);
    return p && p->to_double() < 0 ? last / first : first / last;
  }
  check_square(A, "input");
  if (!A.numel()) return zeros(batch(A), real_dtype(A.dtype()), A.device());
  auto [inverse, info] = inv_ex(A);
  const Tensor singular = info != Tensor(0);
  return where(singular, full({}, INFINITY, real_dtype(A.dtype())), matrix_norm(A, *p) * matrix_norm(masked_fill(inverse, as_column(as_column(singular)), Scalar(0.0)), *p));
}

}  // namespace linalg

// ---- the older names
Tensor det(const Tensor& A) {
  OpScope op("det");
  return linalg::det(A);
}
std::tuple<Tensor, Tensor> slogdet(const Tensor& A) {
  OpScope op("slogdet");
  return linalg::slogdet(A);
}
Tensor logdet(const Tensor& A) {
  OpScope op("logdet");
  const auto [sign, value] = linalg::slogdet(A);
  if (is_complex(A.dtype())) return value + log(sign);
  return where(sign == Tensor(-1.0), full({}, NAN, A.dtype()), value);
}
Tensor inverse(const Tensor& A) {
  OpScope op("inverse");
  return linalg::inv(A);
}
Tensor matrix_exp(const Tensor& A) {
  OpScope op("matrix_exp");
  return linalg::matrix_exp(A);
}
Tensor matrix_power(const Tensor& A, int64_t n) {
  OpScope op("matrix_power");
  return linalg::matrix_power(A, n);
}
std::tuple<Tensor, Tensor> triangular_solve(const Tensor& B, const Tensor& A, bool upper, bool transpose, bool unitriangular) {
  OpScope op("triangular_solve");
  check_matrix(B, "input"), check_square(A);
  const Tensor X = linalg::solve_triangular(transpose ? mT(A) : A, B, upper != transpose, true, unitriangular);
  return {X, clone(expand(A, shape_of(batch(X), {rows(A), rows(A)})))};
}

static Tensor norm_row(const Tensor& x, std::string_view p, IntList dim, bool keepdim, std::optional<Dtype> dtype) {
  OpScope op("norm");
  if (p == "fro") return norm(x, 2, dim, keepdim, dtype);
  return linalg::norm(x, p, dim, keepdim, dtype);
}
template <class... A> using Signature = Tensor (*)(const Tensor&, A...);
void linalg_functions_ops(OpTable& t) {
  t.add("linalg.matrix_exp(Tensor input)", &linalg::matrix_exp, "The matrix exponential, the sum of Aᵏ / k!, by scaling and squaring.")
      .samples({"T(3, 3)", "T(2, 4, 4, lo=-3, hi=3)", "T(0, 3, 3)", "T(0, 0)"}).complex();
  t.add("linalg.matrix_power(Tensor input, int n)", &linalg::matrix_power, "A times itself n times; the inverse for n < 0, the identity for 0.")
      .with_out().samples({"T(3, 3), 3", "T(2, 3, 3), -2", "T(3, 3), 0", "T(2, 2), 1"}).complex();
  t.add("linalg.multi_dot(Tensor[] tensors)", &linalg::multi_dot, "Product of a chain of matrices in the cheapest order; the first and the last may be vectors.")
      .with_out().samples({"[T(2, 3), T(3, 4), T(4, 2)]", "[T(3), T(3, 4), T(4)]"}).complex();
  t.add("linalg.matmul(Tensor input, Tensor other)", &matmul, "matmul under its name in linalg.").with_out().samples({"T(2, 3), T(3, 4)", "T(3), T(2, 3, 4)"}).complex();
  t.add("linalg.cross(Tensor input, Tensor other, *, int dim=-1)", &linalg::cross, "Cross products of vectors of 3 along dim, broadcast.")
      .with_out().on("number").samples({"T(2, 3), T(2, 3)", "T(3, 2), T(3, 1), dim=0", "T(0, 3), T(1, 3)"}).complex();
  t.add("linalg.vecdot(Tensor x, Tensor y, *, int dim=-1)", &linalg::vecdot, "Sums of conj(x) · y along dim, broadcast.")
      .with_out().samples({"T(2, 3), T(2, 3)", "T(2, 3), T(3)", "T(3, 2), T(3, 2), dim=0"}).complex();
  t.add("linalg.diagonal(Tensor A, *, int offset=0, int dim1=-2, int dim2=-1)", &linalg::diagonal, "A view of the diagonals of the last two dimensions.")
      .on("any").samples({"T(3, 3)", "T(2, 3, 4), offset=1", "T(2, 3, 4), dim1=0, dim2=1"}).complex();
  t.add("linalg.vander(Tensor x, *, int? N=None)", &linalg::vander, "1, x, x², … to the power N - 1 in a new last dimension; N is x's last size when not given.")
      .on("number").samples({"T(3)", "T(2, 3), N=4"}).complex();
  t.add("linalg.vector_norm(Tensor x, Scalar ord=2, int[]? dim=None, bool keepdim=False, *, dtype? dtype=None)", &linalg::vector_norm,
        "(sum |x|^ord)^(1/ord) over dim, or over all elements; ord may be 0, inf and -inf.")
      .with_out().samples({"T(2, 3)", "T(2, 3), 1, 1", "T(2, 3), inf, (0, 1), True", "T(2, 3), 0.5, 0", "T()"}).complex();
  t.add("linalg.matrix_norm(Tensor input, Scalar ord, int[] dim=[-2, -1], bool keepdim=False, *, dtype? dtype=None)",
        static_cast<Signature<Scalar, IntList, bool, std::optional<Dtype>>>(&linalg::matrix_norm),
        "The largest singular value (ord 2), column sum of |A| (1), row sum (inf); the smallest for -2, -1, -inf.")
      .with_out().samples({"T(3, 4), 2", "T(2, 3, 3), -2", "T(2, 3, 4), 1", "T(2, 3, 4), -inf, (2, 0), True", "T(2, 3, 4), inf, (0, 1)", "T(2, 3, 4), -1, (0, 2)"}).complex();
  t.add("linalg.matrix_norm(Tensor input, str ord='fro', int[] dim=[-2, -1], bool keepdim=False, *, dtype? dtype=None)",
        static_cast<Signature<std::string_view, IntList, bool, std::optional<Dtype>>>(&linalg::matrix_norm),
        "Frobenius norm, the root of the sum of squares, or 'nuc', the sum of the singular values.")
      .with_out().samples({"T(3, 4)", "T(2, 3, 4), 'nuc'", "T(2, 3, 4), 'nuc', (2, 0), True", "T(2, 3, 4), 'fro', (0, 1), True"}).complex();
  t.add("linalg.norm(Tensor input, Scalar? ord=None, int[]? dim=None, bool keepdim=False, *, dtype? dtype=None)",
        static_cast<Signature<std::optional<Scalar>, IntList, bool, std::optional<Dtype>>>(&linalg::norm),
        "linalg.vector_norm, or linalg.matrix_norm when dim has two dimensions, or is None and input has two, and ord is given.")
      .with_out().samples({"T(2, 3)", "T(2, 3), 2", "T(2, 3, 4), 1, 1", "T(2, 3, 4), inf, (0, 1), True", "T(3), 3", "T(2, 3, 4), dim=(1, 2)"}).complex();
  t.add("linalg.norm(Tensor input, str ord, int[]? dim=None, bool keepdim=False, *, dtype? dtype=None)",
        static_cast<Signature<std::string_view, IntList, bool, std::optional<Dtype>>>(&linalg::norm), "linalg.matrix_norm.")
      .with_out().samples({"T(2, 3), 'fro'", "T(2, 3, 4), 'nuc', (1, 2)"}).complex();
  t.add("linalg.cond(Tensor input, Scalar? p=None)", static_cast<Signature<std::optional<Scalar>>>(&linalg::cond),
        "The condition number ‖A‖ ‖A⁻¹‖ in the matrix norm p; the ratio of the extreme singular values for None, 2 and -2.")
      .with_out().samples({"T(3, 3)", "T(2, 3, 4), -2", "T(2, 3, 3), 1", "T(3, 3), -inf", "T(0, 3, 3)"}).complex();
  t.add("linalg.cond(Tensor input, str p)", static_cast<Signature<std::string_view>>(&linalg::cond), "The same in the norms 'fro' and 'nuc'.")
      .with_out().samples({"T(3, 3), 'fro'", "T(2, 3, 3), 'nuc'"}).complex();
  t.add("norm(Tensor input, str p, int[]? dim=None, bool keepdim=False, *, dtype? dtype=None)", &norm_row,
        "The 2-norm over dim for 'fro', the sum of the singular values of matrices for 'nuc'.")
      .method().with_out().samples({"T(2, 3), 'fro'", "T(2, 3), 'nuc'", "T(2, 3, 4), 'fro', 1", "T(2, 3, 4), 'nuc', (0, 2), True"}).complex();
  t.add("det(Tensor input)", &det, "Determinants: (…, n, n) -> (…).").method().samples({"T(3, 3)", "T(2, 4, 4)"}).complex();
  t.add("slogdet(Tensor input)", &slogdet, "Sign and logarithm of the absolute value of determinants.").method().with_out().returns("sign logabsdet").samples({"T(3, 3)", "T(2, 4, 4)"}).complex();
  t.add("logdet(Tensor input)", &logdet, "Logarithms of determinants; NaN for negative ones, -inf for 0.").method().samples({"Spd(3)", "Spd(2, 4)", "T(0, 0)"}).complex();
  t.add("inverse(Tensor input)", &inverse, "linalg.inv under its older name.").method().with_out().samples({"T(3, 3)", "T(2, 2, 2)"}).complex();
  t.add("matrix_exp(Tensor input)", &matrix_exp, "linalg.matrix_exp under its older name.").method().samples({"T(3, 3)"}).complex();
  t.add("matrix_power(Tensor input, int n)", &matrix_power, "linalg.matrix_power under its older name.").method().with_out().samples({"T(3, 3), 2", "T(2, 3, 3), -1"}).complex();
  t.add("triangular_solve(Tensor input, Tensor A, bool upper=True, bool transpose=False, bool unitriangular=False)", &triangular_solve,
        "X with A X = input (Aᵀ X when transpose) for triangular A, and a copy of A: linalg.solve_triangular under its older name.")
      .method().with_out().returns("solution cloned_coefficient").samples({"T(3, 2), T(3, 3)", "T(2, 3, 2), T(3, 3), False, True", "T(3, 2), T(2, 3, 3), True, False, True"}).complex();
}

}  // namespace tapegrad
