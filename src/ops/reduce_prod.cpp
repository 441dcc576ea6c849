// Products. The gradient multiplies the other elements instead of dividing, so zeros are no special case.
#include <algorithm>

#include "src/ops/complex_number.h"
#include "src/ops/op_info.h"
#include "src/ops/reduce.h"
#include "src/tensor/parallel.h"

namespace tapegrad {

// Products of all other elements along `dim`, without division, so that zeros are no special case. x is contiguous.
template <class T> static void products_of_others(const T* x, T* y, int64_t outer, int64_t n, int64_t inner) {
  parallel_for(outer * inner, std::max<int64_t>(1, (1 << 14) / n), [=](int64_t begin, int64_t end) {
    for (int64_t l = begin; l < end; l++) {
      const int64_t at = l / inner * n * inner + l % inner;
      T before = 1, after = 1;
      for (int64_t i = 0; i < n; i++) y[at + i * inner] = before, before *= x[at + i * inner];
      for (int64_t i = n - 1; i >= 0; i--) y[at + i * inner] *= after, after *= x[at + i * inner];
    }
  });
}
static Tensor prod_of_others(const Tensor& x, int64_t dim) {
  const Tensor c = contiguous(x.dtype() == Dtype::Float64 ? x : to(x, Dtype::Float32));
  Tensor y = empty(c.sizes(), c.dtype(), c.device());
  int64_t outer = 1, inner = 1;
  for (int64_t d = 0; d < dim; d++) outer *= c->sizes[d];
  for (int64_t d = dim + 1; d < c.dim(); d++) inner *= c->sizes[d];
  if (!c.numel()) return y;
  const int64_t n = c.numel() / outer / inner;
  if (c.dtype() == Dtype::Float64) products_of_others(c->host<const double>(), y->host<double>(), outer, n, inner);
  else products_of_others(c->host<const float>(), y->host<float>(), outer, n, inner);
  return to(y, x.dtype());
}
// The same of operators: [1, x0, x0 x1, …] times the mirror image of that.
static Tensor prod_of_others_formula(const Tensor& x, int64_t dim) {
  auto before = [dim](const Tensor& t) {
    return cumprod(cat({ones_like(narrow(t, dim, 0, 1)), narrow(t, dim, 0, t.size(dim) - 1)}, dim), dim);
  };
  return before(x) * flip(before(flip(x, dim)), dim);
}
struct ProdBackward final : NodeOf<1> {
  SavedTensor x;
  std::optional<int64_t> dim;
  bool keepdim;
  ProdBackward(const Tensor& t, std::optional<int64_t> d, bool k) : NodeOf(t), x(t), dim(d), keepdim(k) {}
  const char* name() const override { return dim ? "ProdBackward1" : "ProdBackward0"; }
  void free_saved() override { x.reset(); }
  void backward(Tensor g, Tensor* dx) override {
    if (!needs(0)) return;
    const Tensor in = x.unpack(*this);
    if (!in.numel()) return;
    const Tensor v = dim && in.dim() ? in : reshape(in, -1);
    const int64_t d = dim && in.dim() ? *dim : 0;
    const Tensor others = grad_enabled() || is_complex(v.dtype()) || v.is_cuda() ? prod_of_others_formula(v, d) : prod_of_others(v, d);
    const Tensor up = dim && in.dim() && !keepdim ? unsqueeze(g, d) : g;
    dx[0] = reshape(conj(others) * up, in.sizes());
  }
};
// The reduced dims last, then line by line.
static Tensor complex_prod(const Tensor& x, uint32_t dims, bool keepdim) {
  NoGrad off;
  Shape order;
  for (int pass = 0; pass < 2; pass++)
    for (int64_t d = 0; d < x.dim(); d++) if (int(dims >> d & 1) == pass) order.push_back(d);
  const Tensor c = contiguous(to(permute(x, order), Dtype::Complex128));
  const Shape shape = reduced_shape(x.sizes(), dims, keepdim);
  const int64_t n = reduced_count(x, dims);
  if (x.is_cuda()) {
    if (!n) return full(shape, 1, x.dtype(), x.device());
    return to(reshape(narrow(cumprod(reshape(c, {-1, n}), 1), 1, n - 1, 1), shape), x.dtype());
  }
  const Tensor out = empty(shape, Dtype::Complex128, x.device());
  const auto* p = c->host<const Complex<double>>();
  auto* y = out->host<Complex<double>>();
  for (int64_t i = 0; i < out.numel(); i++) {
    y[i] = 1;
    for (int64_t k = 0; k < n; k++) y[i] = y[i] * *p++;
  }
  return to(out, x.dtype());
}
static Tensor prod_over(const Tensor& x, std::optional<int64_t> dim, bool keepdim, std::optional<Dtype> dtype) {
  if (dtype) return to(prod_over(to(x, *dtype), dim, keepdim, {}), *dtype);
  const int64_t d = dim ? wrap_dim(*dim, x.dim(), x) : 0;
  const uint32_t dims = dim && x.dim() ? uint32_t(1) << d : reduced_dims(x, {});
  Tensor out = is_complex(x.dtype()) ? complex_prod(x, dims, keepdim) : fold(kProd, x, dims, keepdim, is_floating(x.dtype()) ? x.dtype() : Dtype::Int64);
  if (recording(x)) record<ProdBackward>(out, x, dim ? std::optional(d) : std::nullopt, keepdim);
  return out;
}
Tensor prod(const Tensor& x, std::optional<Dtype> dtype) {
  OpScope op("prod");
  return prod_over(x, {}, false, dtype);
}
Tensor prod(const Tensor& x, int64_t dim, bool keepdim, std::optional<Dtype> dtype) {
  OpScope op("prod");
  return prod_over(x, dim, keepdim, dtype);
}

static Tensor prod_all(const Tensor& x, std::optional<Dtype> dtype) { return prod(x, dtype); }

void reduce_prod_ops(OpTable& t) {
  t.add("prod(Tensor input, *, dtype? dtype=None)", &prod_all, "Product of all elements. Integers and bools give int64; 1 when there are none.")
      .method().on("any").complex().samples({"T(2, 3)", "T()", "C(1., 0., 3.)", "T(0, 3)"});
  t.add("prod(Tensor input, int dim, bool keepdim=False, *, dtype? dtype=None)", static_cast<Tensor (*)(const Tensor&, int64_t, bool, std::optional<Dtype>)>(&prod),
        "Products along dim.")
      .method().with_out().on("any").complex().samples({"T(2, 3), 1", "T(2, 3, 4), -2, True", "T(), 0", "T(0, 3), 0"});
}

}  // namespace tapegrad
