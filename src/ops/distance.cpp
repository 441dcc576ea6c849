// Distances between vectors.
#include "src/ops/cpu/distance.h"
#include "src/ops/cpu/table.h"
#include "src/ops/linalg.h"

namespace tapegrad {

namespace {

// ---- distances of all pairs of rows. With t = x1[i] - x2[j] and d its norm, the gradient for x1[i] is the sum over j of w f(t), where
// w = g / d^(p - 1) and f(t) = sign(t) |t|^(p - 1), either of them 0 at 0; for p = inf, w = g and f(t) = sign(t) where |t| = d.

const DistanceKernels& kernels_of(const Tensor& x) {
  const DistanceTable& all = *distance_tables[kernel_set];
  return x.dtype() == Dtype::Float64 ? all.f64 : all.f32;
}
/// How much one pair of elements costs.
double flops(double p) { return p == 1 || p == 2 ? 2 : p == 0 || std::isinf(p) ? 8 : 100; }

Tensor distances(double p, const Tensor& a, const Tensor& b) {
  const int64_t m = rows(a), n = rows(b), k = columns(a), size = int64_t(a.element_size());
  const Tensor out = empty(shape_of(batch(a), {m, n}), a.dtype(), a.device());
  const char *x = a->host<const char>(), *y = b->host<const char>();
  char* r = out->host<char>();
  constexpr int64_t tall = 256, wide = 48;  // of one call, which first puts these rows of b in order
  const int64_t down = (m + tall - 1) / tall, across = (n + wide - 1) / wide;
  each_matrix(shape_of(batch(a), {down, across}), double(std::min(m, tall) * std::min(n, wide)) * double(k + 1) * flops(p), [&](int64_t unit) {
    const int64_t matrix = unit / (down * across), i = unit / across % down * tall, j = unit % across * wide;
    kernels_of(a).forward(p, x + (matrix * m + i) * k * size, y + (matrix * n + j) * k * size, r + ((matrix * m + i) * n + j) * size,
                          std::min(m - i, tall), std::min(n - j, wide), k, n);
  });
  return out;
}
/// The gradient for a; w and d are (n, m) instead of (m, n) when `turned`.
Tensor distance_gradient(double p, const Tensor& w, const Tensor& d, bool turned, const Tensor& a, const Tensor& b) {
  const int64_t m = rows(a), n = rows(b), k = columns(a), size = int64_t(a.element_size()), row = turned ? 1 : n, column = turned ? m : 1;
  const Tensor out = empty(a.shape(), a.dtype(), a.device());
  const char *x = a->host<const char>(), *y = b->host<const char>(), *factor = w->host<const char>(), *length = d->host<const char>();
  char* dx = out->host<char>();
  constexpr int64_t tall = 16;  // rows of one call
  const int64_t down = (m + tall - 1) / tall;
  each_matrix(shape_of(batch(a), down), double(tall * n) * double(k) * flops(p), [&](int64_t unit) {
    const int64_t matrix = unit / down, i = unit % down * tall, at = (matrix * m * n + i * row) * size, from = (matrix * m + i) * k * size;
    kernels_of(a).backward(p, factor + at, length + at, row, column, x + from, y + matrix * n * k * size, dx + from, std::min(m - i, tall), n, k);
  });
  return out;
}

struct CdistBackward final : NodeOf<2> {
  SavedTensor x1, x2, distance;
  double p;
  CdistBackward(const Tensor& a, const Tensor& b, double power) : NodeOf(a, b), x1(a), x2(b), p(power) {}
  const char* name() const override { return "CdistBackward0"; }
  void free_saved() override { x1.reset(), x2.reset(), distance.reset(); }
  void backward(Tensor g, Tensor* dx) override {
    const Tensor a = x1.unpack(*this), b = x2.unpack(*this), d = distance.unpack(*this);
    if (p == 0) {
      if (needs(0)) dx[0] = zeros_like(a);
      if (needs(1)) dx[1] = zeros_like(b);
      return;
    }
    const Tensor w = weights(g, d);
    if (recording(w, a, b)) return differentiable(w, d, a, b, dx);
    const Tensor x = row_major(a, a.dtype()), y = row_major(b, b.dtype()), factor = row_major(w, w.dtype());
    if (needs(0)) dx[0] = distance_gradient(p, factor, d, false, x, y);
    if (needs(1)) dx[1] = distance_gradient(p, factor, d, true, y, x);
  }
  Tensor weights(const Tensor& g, const Tensor& d) const {
    if (p == 1 || std::isinf(p)) return g;
    const Tensor zero = d == Tensor(0.0), safe = where(zero, Tensor(1.0), d);
    return where(zero, Tensor(0.0), g / (p == 2 ? safe : pow(safe, Scalar(p - 1))));
  }
  /// The same made of ops, for a gradient that is itself differentiated.
  void differentiable(const Tensor& w, const Tensor& d, const Tensor& a, const Tensor& b, Tensor* dx) const {
    if (p == 2) {  // diag(w 1) a - w b
      if (needs(0)) dx[0] = a * sum(w, -1, true) - times(w, b);
      if (needs(1)) dx[1] = b * as_column(sum(w, -2)) - h_times(w, a);
      return;
    }
    const Tensor t = unsqueeze(a, -2) - unsqueeze(b, -3), size = abs(t);
    Tensor f = sign(t);
    if (std::isinf(p)) f = masked_fill(f, size != as_column(d), Scalar(0.0));
    else if (p != 1) f = f * pow(masked_fill(size, size == Tensor(0.0), Scalar(1.0)), Scalar(p - 1));
    const Tensor each = as_column(w) * f;
    if (needs(0)) dx[0] = sum(each, -2);
    if (needs(1)) dx[1] = -sum(each, -3);
  }
};

}  // namespace

Tensor dist(const Tensor& a, const Tensor& b, Scalar p) {
  OpScope op("dist");
  return norm(a - b, p);
}
Tensor cdist(const Tensor& x1, const Tensor& x2, double p) {
  OpScope op("cdist");
  check_real_matrix(x1, "x1"), check_real_matrix(x2, "x2"), check_same_dtype(x1, "x1", x2, "x2");
  TG_CHECK(columns(x1) == columns(x2), ShapeError, "x1 and x2 must have the same number of columns, got ", columns(x1), " and ", columns(x2),
      Named{"x1", x1}, Named{"x2", x2});
  TG_CHECK(p >= 0, ValueError, "p must not be negative, got ", p, Named{"x1", x1}, Named{"x2", x2});
  if (x1.is_cuda() && p != 2) {
    const Tensor difference = unsqueeze(x1, -2) - unsqueeze(x2, -3);
    return columns(x1) ? norm(difference, p, -1) : sum(difference, -1);
  }
  Tensor a = x1, b = x2;
  broadcast_batches(a, b);
  const Tensor out = distances(p, row_major(a, a.dtype()), row_major(b, b.dtype()));
  if (recording(a, b)) record<CdistBackward>(out, a, b, p)->distance = SavedTensor(out, SavedTensor::output);
  return out;
}
Tensor pdist(const Tensor& x, double p) {
  OpScope op("pdist");
  check_real_matrix(x, "input");
  TG_CHECK(x.dim() == 2, ShapeError, "input must have 2 dimensions, got ", x.dim(), Named{"input", x});
  TG_CHECK(p >= 0, ValueError, "p must not be negative, got ", p, Named{"input", x});
  const Tensor pairs = triu_indices(rows(x), rows(x), 1);
  const Tensor difference = index_select(x, 0, select(pairs, 0, 0)) - index_select(x, 0, select(pairs, 0, 1));
  return columns(x) ? norm(difference, p, -1) : sum(difference, -1);
}
Tensor renorm(const Tensor& x, Scalar p, int64_t dim, Scalar maxnorm) {
  OpScope op("renorm");
  TG_CHECK(is_differentiable(x.dtype()), DtypeError, "input must be of a floating or complex dtype, got ", x.dtype(), Named{"input", x});
  TG_CHECK(x.dim() >= 2, ShapeError, "input must have at least 2 dimensions, got ", x.dim(), Named{"input", x});
  TG_CHECK(p.to_double() > 0, ValueError, "p must be positive, got ", p, Named{"input", x});
  TG_CHECK(maxnorm.to_double() >= 0, ValueError, "maxnorm must not be negative, got ", maxnorm, Named{"input", x});
  const int64_t d = wrap_dim(dim, x.dim(), x);
  Shape others;
  for (int64_t k = 0; k < x.dim(); k++) if (k != d) others.push_back(k);
  const Tensor length = norm(x, p, others, true), most(maxnorm);
  return x * where(length > most, most / (length + Tensor(1e-7)), Tensor(1.0));
}
const Tensor& renorm_(const Tensor& self, Scalar p, int64_t dim, Scalar maxnorm) {
  OpScope op("renorm_");
  return copy_(self, renorm(recording(self) ? clone(self) : self, p, dim, maxnorm));
}
static Tensor cdist_row(const Tensor& x1, const Tensor& x2, double p, std::string_view mode) {
  OpScope op("cdist");
  TG_CHECK(mode == "use_mm_for_euclid_dist_if_necessary" || mode == "use_mm_for_euclid_dist" || mode == "donot_use_mm_for_euclid_dist",
      ValueError, "compute_mode must be one of PyTorch's three, got '", mode, "'");
  return cdist(x1, x2, p);
}

void distance_ops(OpTable& t) {
  t.add("dist(Tensor input, Tensor other, Scalar p=2)", &dist, "p-norm of input - other, broadcast.")
      .method().with_out().samples({"T(2, 3), T(2, 3)", "T(2, 3), T(3), 1", "T(3), T(3), inf", "T(3), T(3), 0"});
  t.add("cdist(Tensor x1, Tensor x2, float p=2., str compute_mode='use_mm_for_euclid_dist_if_necessary')", &cdist_row,
        "p-norm distances of all rows of x1 to all rows of x2: (…, m, k), (…, n, k) -> (…, m, n); in any compute_mode as exact as by differences.")
      .samples({"T(3, 2), T(4, 2)", "T(2, 3, 4), T(2, 4), 1.", "T(2, 3, 4), T(2, 2, 4), 3.", "T(3, 2), T(4, 2), inf", "T(3, 2), T(0, 2)"});
  t.add("pdist(Tensor input, float p=2.)", &pdist, "p-norm distances of all pairs of rows i < j: (n, k) -> (n (n - 1) / 2).")
      .functional().samples({"T(4, 3)", "T(3, 2), 1.", "T(3, 4), inf", "T(1, 3)"});
  t.add("renorm(Tensor input, Scalar p, int dim, Scalar maxnorm)", &renorm, "Each slice along dim scaled down to p-norm maxnorm where it is larger.")
      .method().inplace(&renorm_).with_out().samples({"T(3, 4), 2, 0, 2", "T(2, 3, 2), 1, 1, 2.5", "T(3, 2), inf, -1, 0.5"}).complex();
}

}  // namespace tapegrad
