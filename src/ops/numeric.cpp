// Numerical analysis and statistics on tensors: traces, products, differences, integrals, covariances. All are compositions.
#include "src/ops/op_info.h"
#include "src/ops/view.h"

namespace tapegrad {

Tensor trace(const Tensor& A) {
  OpScope op("trace");
  TG_CHECK(A.dim() == 2, ShapeError, "input must have 2 dimensions, got ", A.dim(), Named{"input", A});
  return sum(diagonal(A));
}
Tensor cross(const Tensor& a, const Tensor& b, std::optional<int64_t> dim) {
  OpScope op("cross");
  if (!dim) {
    for (int64_t d = 0; d < a.dim() && !dim; d++) if (a.size(d) == 3) dim = d;
    TG_CHECK(dim, ShapeError, "input must have a dimension of size 3", Named{"input", a}, Named{"other", b});
  }
  return linalg::cross(a, b, *dim);
}
Tensor kron(const Tensor& a, const Tensor& b) {
  OpScope op("kron");
  const size_t n = size_t(std::max(a.dim(), b.dim()));
  const auto size = [n](const Tensor& x, size_t d) { return d + size_t(x.dim()) < n ? 1 : x->sizes[d + size_t(x.dim()) - n]; };
  Shape of_a, of_b, joined;  // a and b by turns
  for (size_t d = 0; d < n; d++) {
    of_a.push_back(size(a, d)), of_a.push_back(1);
    of_b.push_back(1), of_b.push_back(size(b, d));
    joined.push_back(size(a, d) * size(b, d));
  }
  return reshape(reshape(a, of_a) * reshape(b, of_b), joined);
}
Tensor vander(const Tensor& x, std::optional<int64_t> N, bool increasing) {
  OpScope op("vander");
  TG_CHECK(x.dim() == 1, ShapeError, "x must have 1 dimension, got ", x.dim(), Named{"x", x});
  const int64_t n = N.value_or(x.size(0));
  TG_CHECK(n >= 0, ValueError, "N must not be negative, got ", n, Named{"x", x});
  const Dtype d = promote(x.dtype(), Dtype::Int64);
  Tensor out = ones({x.size(0), std::min<int64_t>(n, 1)}, d, x.device());
  if (n > 1) out = cat({out, cumprod(expand(unsqueeze(to(x, d), 1), {x.size(0), n - 1}), 1)}, 1);
  return increasing ? out : flip(out, 1);
}

// ---- statistics
Tensor cov(const Tensor& input, int64_t correction, const Tensor& fweights, const Tensor& aweights) {
  OpScope op("cov");
  TG_CHECK(input.dim() <= 2, ShapeError, "input must have at most 2 dimensions, got ", input.dim(), Named{"input", input});
  TG_CHECK(input.dtype() != bool_, DtypeError, "input must not be bool", Named{"input", input});
  const Tensor x = input.dim() < 2 ? reshape(input, {1, -1}) : input;
  const int64_t n = x.size(1);
  Tensor w, total;
  for (const Tensor& t : {fweights, aweights}) {
    if (!t.defined()) continue;
    const char* name = t.is_same(fweights) ? "fweights" : "aweights";
    TG_CHECK(t.dim() <= 1 && t.numel() == n, ShapeError, name, " must have one element for each of the ", n, " observations, got ", t.numel(),
        Named{"input", input}, Named{name, t});
    TG_CHECK(t.is_same(fweights) ? is_integral(t.dtype()) : is_floating(t.dtype()), DtypeError, name, " must be ",
        t.is_same(fweights) ? "integers" : "floats", ", got ", t.dtype(), Named{name, t});
    TG_CHECK(all(t >= Tensor(0)).item<bool>(), ValueError, name, " must not be negative", Named{name, t});
    w = w.defined() ? w * t : t;
  }
  const Tensor mean = w.defined() ? sum(x * w, 1) / sum(w) : sum(x, 1) / Tensor(int(n));
  Tensor freedom = w.defined() ? sum(w) : Tensor(double(n));
  if (aweights.defined() && correction) freedom = freedom - Tensor(int(correction)) * sum(w * aweights) / sum(w);
  else freedom = freedom - Tensor(int(correction));
  const Tensor centred = x - unsqueeze(mean, 1), weighted = w.defined() ? centred * w : centred;
  return squeeze(matmul(centred, transpose(conj(weighted), 0, 1)) / to(clamp_min(freedom, 0), real_dtype(centred.dtype())));
}
Tensor corrcoef(const Tensor& x) {
  OpScope op("corrcoef");
  const Tensor c = cov(x);
  if (!c.dim()) return c / c;
  const Tensor deviation = sqrt(real(diagonal(c))), r = c / unsqueeze(deviation, 1) / unsqueeze(deviation, 0);
  if (is_complex(r.dtype())) return complex(clamp(real(r), Scalar(-1), Scalar(1)), clamp(imag(r), Scalar(-1), Scalar(1)));
  return clamp(r, Scalar(-1), Scalar(1));
}

// ---- differences
Tensor diff(const Tensor& input, int64_t n, int64_t dim, const Tensor& prepend, const Tensor& append) {
  OpScope op("diff");
  TG_CHECK(input.dim() > 0, ShapeError, "input must have at least 1 dimension, got 0", Named{"input", input});
  TG_CHECK(n >= 0, ValueError, "n must not be negative, got ", n, Named{"input", input});
  const int64_t d = wrap_dim(dim, input.dim(), input);
  Tensor x = input;
  for (const Tensor* t : {&prepend, &append})
    TG_CHECK(!t->defined() || t->dim() == x.dim(), ShapeError, "prepend and append must have as many dimensions as input, ", x.dim(), ", got ",
        t->dim(), Named{"input", input});
  if (n && prepend.defined()) x = cat({prepend, x}, d);
  if (n && append.defined()) x = cat({x, append}, d);
  if (!n) return clone(x);
  for (int64_t i = 0; i < n && x.size(d); i++) {
    const Tensor after = slice(x, d, 1), before = slice(x, d, 0, x.size(d) - 1);
    x = x.dtype() == bool_ ? logical_xor(after, before) : after - before;
  }
  return x;
}

// ---- integrals by the trapezoidal rule
// x as coordinates along dim of y: the steps, ready to be broadcast.
static Tensor steps(const Tensor& y, const Tensor& x_in, int64_t dim) {
  Tensor x = x_in;
  TG_CHECK(x.dim() > 0, ShapeError, "x must have at least 1 dimension, got 0", Named{"y", y}, Named{"x", x});
  if (x.dim() == 1) {
    TG_CHECK(x.size(0) == y.size(dim), ShapeError, "x must have one element for each of the ", y.size(dim), " points, got ", x.size(0), Named{"y", y}, Named{"x", x});
    Shape along(size_t(y.dim()), 1);
    along[size_t(dim)] = x.size(0);
    x = reshape(x, along);
  } else {
    while (x.dim() < y.dim()) x = unsqueeze(x, 0);
  }
  return slice(x, dim, 1) - slice(x, dim, 0, -1);
}
static int64_t integral_dim(const Tensor& y, int64_t dim) {
  TG_CHECK(y.dtype() != bool_, DtypeError, "y must not be bool", Named{"y", y});
  TG_CHECK(y.dim() > 0, IndexError, "y must have at least 1 dimension, got 0", Named{"y", y});
  return wrap_dim(dim, y.dim(), y);
}
static Tensor pairs(const Tensor& y, int64_t dim) { return slice(y, dim, 0, -1) + slice(y, dim, 1); }

Tensor trapezoid(const Tensor& y, const Tensor& x, int64_t dim) {
  OpScope op("trapezoid");
  TG_CHECK(x.dtype() != bool_, DtypeError, "x must not be bool", Named{"x", x});
  const int64_t d = integral_dim(y, dim);
  return sum(steps(y, x, d) * pairs(y, d), d) / Tensor(2.0);
}
Tensor trapezoid(const Tensor& y, Scalar dx, int64_t dim) {
  OpScope op("trapezoid");
  const int64_t d = integral_dim(y, dim);
  return sum(pairs(y, d), d) * Tensor(dx.to_double() / 2);
}
Tensor cumulative_trapezoid(const Tensor& y, const Tensor& x, int64_t dim) {
  OpScope op("cumulative_trapezoid");
  TG_CHECK(x.dtype() != bool_, DtypeError, "x must not be bool", Named{"x", x});
  const int64_t d = integral_dim(y, dim);
  return cumsum(steps(y, x, d) * pairs(y, d), d) / Tensor(2.0);
}
Tensor cumulative_trapezoid(const Tensor& y, Scalar dx, int64_t dim) {
  OpScope op("cumulative_trapezoid");
  const int64_t d = integral_dim(y, dim);
  return cumsum(pairs(y, d), d) * Tensor(dx.to_double() / 2);
}

// ---- derivatives by differences, second order inside: Fornberg, "Generation of finite difference formulas" (1988)
// The derivative at the middle of three points h and k apart, or with `at` -1 and 1 at the first and the last.
static Tensor three_points(const Tensor& a, const Tensor& b, const Tensor& c, const Tensor& h, const Tensor& k, const Tensor& both, int at) {
  const Tensor left = (b - a) / h, right = (c - b) / k, bend = (right - left) / both;
  return at < 0 ? left - bend * h : at > 0 ? right + bend * k : left + bend * h;
}
// Along d: the points `step` apart, or with `steps` between them (ready to be broadcast) when defined.
static Tensor derivative(const Tensor& x, double step, const Tensor& steps, int64_t d, int64_t edge_order) {
  const int64_t n = x.size(d);
  TG_CHECK(n > edge_order, ShapeError, "input must have more than edge_order = ", edge_order, " elements along each dim, got ", n, " along ", d, Named{"input", x});
  const auto part = [&](int64_t start, int64_t length) { return narrow(x, d, start, length); };
  const auto h = [&](int64_t start, int64_t length) { return steps.defined() ? narrow(steps, d, start, length) : Tensor(step); };
  const auto around = [&](int64_t start, int64_t length, int at) {  // `start`: the first of the three points
    const Tensor before = h(start, length), after = h(start + 1, length), both = steps.defined() ? before + after : Tensor(2 * step);
    return three_points(part(start, length), part(start + 1, length), part(start + 2, length), before, after, both, at);
  };
  const bool straight = edge_order == 1;
  const Tensor first = straight ? (part(1, 1) - part(0, 1)) / h(0, 1) : around(0, 1, -1);
  const Tensor last = straight ? (part(n - 1, 1) - part(n - 2, 1)) / h(n - 2, 1) : around(n - 3, 1, 1);
  if (n == 2) return cat({first, last}, d);
  const Tensor inside = steps.defined() ? around(0, n - 2, 0) : (part(2, n - 2) - part(0, n - 2)) / Tensor(2 * step);
  return cat({first, inside, last}, d);
}
static Shape gradient_dims(const Tensor& x, IntList dim, std::optional<size_t> spacings, int64_t edge_order) {
  TG_CHECK(edge_order == 1 || edge_order == 2, ValueError, "edge_order must be 1 or 2, got ", edge_order, Named{"input", x});
  TG_CHECK(x.dtype() != uint8 && x.dtype() != bool_, DtypeError, "input must not be ", x.dtype(), Named{"input", x});
  Shape dims;
  if (dim.empty()) for (int64_t d = 0; d < x.dim(); d++) dims.push_back(d);
  for (int64_t d : dim) dims.push_back(wrap_dim(d, x.dim(), x));
  TG_CHECK(!spacings || *spacings == dims.size(), ValueError, "spacing must have one element for each of the ", dims.size(), " dims, got ", *spacings, Named{"input", x});
  return dims;
}
std::vector<Tensor> gradient(const Tensor& x, Scalar spacing, IntList dim, int64_t edge_order) {
  OpScope op("gradient");
  std::vector<Tensor> out;
  for (int64_t d : gradient_dims(x, dim, {}, edge_order)) out.push_back(derivative(x, spacing.to_double(), {}, d, edge_order));
  return out;
}
std::vector<Tensor> gradient(const Tensor& x, std::span<const double> spacing, IntList dim, int64_t edge_order) {
  OpScope op("gradient");
  const Shape dims = gradient_dims(x, dim, spacing.size(), edge_order);
  std::vector<Tensor> out;
  for (size_t i = 0; i < dims.size(); i++) out.push_back(derivative(x, spacing[i], {}, dims[i], edge_order));
  return out;
}
std::vector<Tensor> gradient(const Tensor& x, TensorList spacing, IntList dim, int64_t edge_order) {
  OpScope op("gradient");
  const Shape dims = gradient_dims(x, dim, spacing.size(), edge_order);
  std::vector<Tensor> out;
  for (size_t i = 0; i < dims.size(); i++) {
    const Tensor& at = spacing[i];
    TG_CHECK(at.dim() == 1 && at.size(0) == x.size(dims[i]), ShapeError, "each coordinate tensor must have 1 dimension and input's size ",
        x.size(dims[i]), " along dim ", dims[i], ", got ", at.sizes(), Named{"input", x}, Named{"spacing", at});
    Shape along(size_t(x.dim()), 1);
    along[size_t(dims[i])] = at.size(0) - 1;
    out.push_back(derivative(x, 1, reshape(diff(at), along), dims[i], edge_order));
  }
  return out;
}

template <class... A> using Signature = Tensor (*)(const Tensor&, A...);
template <class S> using Gradient = std::vector<Tensor> (*)(const Tensor&, S, IntList, int64_t);
void numeric_ops(OpTable& t) {
  t.add("trace(Tensor input)", &trace, "Sum of the diagonal of a matrix.").method().on("number").samples({"T(3, 3)", "T(3, 4)", "T(0, 3)"}).complex();
  t.add("cross(Tensor input, Tensor other, int? dim=None)", &cross, "Cross products of vectors of 3 along dim, or the first dimension of size 3.")
      .method().with_out().on("number").samples({"T(2, 3), T(2, 3)", "T(3, 3), T(3, 3)", "T(3, 2), T(3, 2), 0", "T(4, 3), T(4, 3), -1"}).complex();
  t.add("kron(Tensor input, Tensor other)", &kron, "Kronecker product: each element of input times the whole of other; sizes multiply.")
      .method().with_out().on("number").samples({"T(2, 3), T(3, 2)", "T(2), T(2, 3)", "T(), T(2)", "T(0, 2), T(3, 3)"}).complex();
  t.add("vander(Tensor x, int? N=None, bool increasing=False)", &vander, "Powers of the elements of a vector as columns, from x^(N-1) down to 1 (or up): (n) -> (n, N).")
      .on("number").samples({"T(3)", "T(3), 2, True", "T(2), 4", "T(3), 0"}).complex();
  t.add("cov(Tensor input, *, int correction=1, Tensor? fweights=None, Tensor? aweights=None)", &cov,
        "Covariances of the rows, each a variable with its observations; fweights counts an observation several times, aweights weighs it.")
      .method().on("number").samples({"T(3, 5)", "T(4)", "T(2, 4), correction=0", "T(2, 3), fweights=C([1, 2, 1])", "T(2, 3), fweights=C([1, 2, 1]), aweights=C([0.5, 1., 2.], dtype='float64')"}).complex();
  t.add("corrcoef(Tensor input)", &corrcoef, "Correlations of the rows: covariances over both standard deviations.").method().on("number").samples({"T(3, 5)", "T(4)"}).complex();
  t.add("diff(Tensor input, int n=1, int dim=-1, Tensor? prepend=None, Tensor? append=None)", &diff,
        "x[i + 1] - x[i] along dim, n times, after joining prepend and append; xor for bools.")
      .method().with_out().on("any").samples({"T(4)", "T(2, 4), 2", "T(3, 4), 1, 0", "T(2, 3), 1, -1, T(2, 1), T(2, 2)", "T(2, 3), 5", "T(2), 0"}).complex();
  t.add("trapezoid(Tensor y, Tensor x, *, int dim=-1)", static_cast<Signature<const Tensor&, int64_t>>(&trapezoid),
        "Integral of y along dim over the coordinates x by the trapezoidal rule.")
      .alias("trapz").on("number").samples({"T(4), T(4)", "T(2, 4), T(4)", "T(4, 2), T(4), dim=0", "T(2, 4), T(2, 4)"}).complex();
  t.add("trapezoid(Tensor y, *, Scalar dx=1, int dim=-1)", static_cast<Signature<Scalar, int64_t>>(&trapezoid), "The same with points dx apart.")
      .alias("trapz").on("number").samples({"T(4)", "T(2, 4), dx=0.5", "T(4, 2), dx=2, dim=0"}).complex();
  t.add("cumulative_trapezoid(Tensor y, Tensor x, *, int dim=-1)", static_cast<Signature<const Tensor&, int64_t>>(&cumulative_trapezoid),
        "Running integral of y along dim over the coordinates x by the trapezoidal rule: one element less.")
      .on("number").samples({"T(4), T(4)", "T(2, 4), T(4)", "T(4, 2), T(4), dim=0"}).complex();
  t.add("cumulative_trapezoid(Tensor y, *, Scalar dx=1, int dim=-1)", static_cast<Signature<Scalar, int64_t>>(&cumulative_trapezoid),
        "The same with points dx apart.").on("number").samples({"T(4)", "T(2, 4), dx=0.5", "T(4, 2), dim=0"}).complex();
  t.add("gradient(Tensor input, *, Scalar? spacing=None, int[]? dim=None, int edge_order=1)",
        +[](const Tensor& x, std::optional<Scalar> spacing, IntList dim, int64_t edge_order) { return gradient(x, spacing.value_or(Scalar(1)), dim, edge_order); },
        "Derivatives along each of dim (all when None) by differences: second order inside, edge_order at the ends; spacing (1 when None) apart.")
      .on("number").samples({"T(4)", "T(3, 4), spacing=0.5", "T(3, 4), dim=1, edge_order=2", "T(3, 4), dim=(0, 1)"}).complex();
  t.add("gradient(Tensor input, *, float[] spacing, int[]? dim=None, int edge_order=1)", static_cast<Gradient<std::span<const double>>>(&gradient),
        "A spacing for each dim.").on("number").samples({"T(3, 4), spacing=[0.5, 2.]"}).complex();
  t.add("gradient(Tensor input, *, Tensor[] spacing, int[]? dim=None, int edge_order=1)", static_cast<Gradient<TensorList>>(&gradient),
        "Coordinates for each dim.").on("number").samples({"T(4), spacing=(C([0., 1., 3., 4.]),)", "T(3, 4), spacing=[C([0., 1., 3.]), C([0., 1., 2., 4.])], edge_order=2"}).complex();
}

}  // namespace tapegrad
