// Distances between vectors.
#include "src/ops/linalg.h"

namespace tapegrad {

namespace {

// ---- Euclidean distances of all pairs of rows. With W = g / distance (0 where that is 0): dx1 = diag(W 1) x1 - W x2.
struct CdistBackward final : NodeOf<2> {
  SavedTensor x1, x2, distance;
  CdistBackward(const Tensor& a, const Tensor& b) : NodeOf(a, b), x1(a), x2(b) {}
  const char* name() const override { return "CdistBackward0"; }
  void free_saved() override { x1.reset(), x2.reset(), distance.reset(); }
  void backward(Tensor g, Tensor* dx) override {
    const Tensor a = x1.unpack(*this), b = x2.unpack(*this), d = distance.unpack(*this);
    const Tensor zero = d == Tensor(0.0), w = masked_fill(g, zero, Scalar(0.0)) / masked_fill(d, zero, Scalar(1.0));
    if (needs(0)) dx[0] = a * sum(w, -1, true) - times(w, b);
    if (needs(1)) dx[1] = b * as_column(sum(w, -2)) - h_times(w, a);
  }
};
template <class T> T distance(int64_t n, const T* x, const T* y) {
  constexpr int64_t lanes = 16;  // sums side by side, so that packets can hold them
  T s[lanes] = {};
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    for (int64_t k = 0; k < lanes; k++) s[k] += (x[i + k] - y[i + k]) * (x[i + k] - y[i + k]);
  for (int64_t k = 0; i < n; i++, k++) s[k] += (x[i] - y[i]) * (x[i] - y[i]);
  for (int64_t half = lanes / 2; half; half /= 2)
    for (int64_t k = 0; k < half; k++) s[k] += s[k + half];
  return std::sqrt(s[0]);
}
Tensor euclidean(Tensor x1, Tensor x2) {
  broadcast_batches(x1, x2);
  const Tensor a = row_major(x1, x1.dtype()), b = row_major(x2, x2.dtype());
  Tensor out = empty(shape_of(batch(a), {rows(a), rows(b)}), a.dtype(), a.device());
  const int64_t m = rows(a), n = rows(b), k = columns(a);
  with_real(a, [&](auto t) {
    using T = decltype(t);
    each_matrix(shape_of(batch(a), m), double(n) * double(3 * k + 10), [&](int64_t i) {  // one row of distances each
      const T *x = a->host<const T>() + i * k, *y = b->host<const T>() + i / m * n * k;
      T* r = out->host<T>() + i * n;
      for (int64_t j = 0; j < n; j++) r[j] = distance(k, x, y + j * k);
    });
  });
  if (recording(x1, x2)) record<CdistBackward>(out, x1, x2)->distance = SavedTensor(out, SavedTensor::output);
  return out;
}

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
  if (p == 2) return euclidean(x1, x2);
  const Tensor difference = unsqueeze(x1, -2) - unsqueeze(x2, -3);
  return columns(x1) ? norm(difference, p, -1) : sum(difference, -1);
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
        "p-norm distances of all rows of x1 to all rows of x2: (…, m, k), (…, n, k) -> (…, m, n); compute_mode makes no difference.")
      .samples({"T(3, 2), T(4, 2)", "T(2, 3, 4), T(2, 4), 1.", "T(2, 3, 4), T(2, 2, 4), 3.", "T(3, 2), T(4, 2), inf", "T(3, 2), T(0, 2)"});
  t.add("pdist(Tensor input, float p=2.)", &pdist, "p-norm distances of all pairs of rows i < j: (n, k) -> (n (n - 1) / 2).")
      .functional().samples({"T(4, 3)", "T(3, 2), 1.", "T(3, 4), inf", "T(1, 3)"});
  t.add("renorm(Tensor input, Scalar p, int dim, Scalar maxnorm)", &renorm, "Each slice along dim scaled down to p-norm maxnorm where it is larger.")
      .method().inplace(&renorm_).with_out().samples({"T(3, 4), 2, 0, 2", "T(2, 3, 2), 1, 1, 2.5", "T(3, 2), inf, -1, 0.5"}).complex();
}

}  // namespace tapegrad
