// Sums and what is made of them. The folds are in reduce_driver.cpp; max, min and their indices in reduce_minmax.cpp.
#include "src/ops/reduce.h"

#include "src/ops/op_info.h"
#include "src/tensor/make.h"

namespace tapegrad {

// ---- broadcasting's other half
struct SpreadBackward final : NodeOf<1> {
  uint32_t dims;
  bool keepdim;
  SpreadBackward(const Tensor& g, uint32_t d, bool k) : NodeOf(g), dims(d), keepdim(k) {}
  const char* name() const override { return "ExpandBackward0"; }
  void backward(Tensor g, Tensor* dx) override { if (needs(0)) dx[0] = sum_over(g, dims, keepdim); }
};
Tensor spread(const Tensor& g, IntList sizes, uint32_t dims, bool keepdim) {
  if (!dims) return g;
  const bool record_it = recording(g);
  TensorImpl* i = new_alias(*g.get(), g->data, record_it);
  size_t left = size_t(g.dim());  // dimensions of g not yet used
  set_dims(i, sizes.size(), [&](size_t d) {
    const bool reduced = dims >> d & 1;
    if (keepdim || !reduced) left--;
    return Dim{sizes[d], reduced ? 0 : g->strides[left]};
  });
  Tensor out = Tensor::adopt(i);
  if (record_it) record<SpreadBackward>(out, g, dims, keepdim);
  return out;
}

// ---- sum and mean
struct SumBackward final : NodeOf<1> {
  Shape sizes;
  uint32_t dims;
  bool keepdim;
  double divide;
  SumBackward(const Tensor& x, uint32_t d, bool k, double v) : NodeOf(x), sizes(x.sizes()), dims(d), keepdim(k), divide(v) {}
  const char* name() const override {
    const bool all = dims + 1 == uint32_t(1) << sizes.size();
    return divide == 1 ? all ? "SumBackward0" : "SumBackward1" : all ? "MeanBackward0" : "MeanBackward1";
  }
  void backward(Tensor g, Tensor* dx) override {
    if (needs(0)) dx[0] = spread(divide == 1 ? g : sum_over(g, 0, true, divide), sizes, dims, keepdim);
  }
};
Tensor sum_over(const Tensor& x, uint32_t dims, bool keepdim, double divide) {
  Tensor out = fold(kSum, x, dims, keepdim, is_differentiable(x.dtype()) ? x.dtype() : Dtype::Int64, {.divide = divide});
  if (recording(x)) record<SumBackward>(out, x, dims, keepdim, divide);
  return out;
}
Tensor sum(const Tensor& x, IntList dim, bool keepdim, std::optional<Dtype> dtype) {
  OpScope op("sum");
  if (dtype) return to(sum(to(x, *dtype), dim, keepdim), *dtype);
  if (x.dtype() == Dtype::Float32 && dim.empty() && !keepdim && x->contiguous && x->numel <= 256 && !x.is_cuda()) {
    double acc = 0;  // small: straight to the kernel, the same one run as the driver would make
    reduce_kernels().fold[kSum][kFoldF32].rows(x->host(), x->numel, 1, 0, nullptr, &acc);
    Tensor out = empty({}, Dtype::Float32);
    *out->host<float>() = float(acc);
    if (recording(x)) record<SumBackward>(out, x, reduced_dims(x, {}), false, 1.0);
    return out;
  }
  return sum_over(x, reduced_dims(x, dim), keepdim);
}
Tensor mean(const Tensor& x, IntList dim, bool keepdim, std::optional<Dtype> dtype) {
  OpScope op("mean");
  if (dtype && *dtype != x.dtype()) return mean(to(x, *dtype), dim, keepdim);
  TG_CHECK(is_differentiable(x.dtype()), DtypeError, "input must be of a floating or complex dtype (or give dtype), got ", x.dtype(), Named{"input", x});
  const uint32_t dims = reduced_dims(x, dim);
  return sum_over(x, dims, keepdim, double(reduced_count(x, dims)));
}

// ---- sum_to_size
struct SumToSizeBackward final : NodeOf<1> {
  Shape sizes;
  uint32_t dims;
  SumToSizeBackward(const Tensor& x, uint32_t d) : NodeOf(x), sizes(x.sizes()), dims(d) {}
  const char* name() const override { return "SumBackward1"; }
  // The gradient has x's trailing dims, those that were summed with size 1; leading ones are missing.
  void backward(Tensor g, Tensor* dx) override {
    if (!needs(0)) return;
    const size_t lead = sizes.size() - size_t(g.dim());
    Shape size(lead, 1), stride(lead, 0);
    for (int64_t d = 0; d < g.dim(); d++) size.push_back(g->sizes[d]), stride.push_back(g->strides[d]);
    const bool record_it = recording(g);
    Tensor wide = lead ? alias(g, size, stride, 0, record_it) : g;
    if (lead && record_it) wide = record_view(g, wide, "ViewBackward0");
    dx[0] = spread(wide, sizes, dims, true);
  }
};
Tensor sum_to_size(const Tensor& x, IntList size) {
  if (x.sizes() == size) return x;
  OpScope op("sum_to_size");
  const size_t n = size_t(x.dim());
  TG_CHECK(size.size() <= n, ShapeError, "size must be broadcastable to the input's, got ", size, Named{"input", x});
  const size_t lead = n - size.size();
  uint32_t dims = (uint32_t(1) << lead) - 1;
  for (size_t d = lead; d < n; d++) {
    const int64_t want = size[d - lead], have = x->sizes[d];
    TG_CHECK(want == have || want == 1, ShapeError, "size must be broadcastable to the input's, got ", size, Named{"input", x});
    if (want != have) dims |= uint32_t(1) << d;
  }
  Tensor out = empty(size, is_differentiable(x.dtype()) ? x.dtype() : Dtype::Int64, x.device());
  fold_into(out, kSum, x, dims);
  if (recording(x)) record<SumToSizeBackward>(out, x, dims);
  return out;
}

void reduce_ops(OpTable& t) {
  t.add("sum(Tensor input, int[]? dim=None, bool keepdim=False, *, dtype? dtype=None)", &sum,
        "Sum of the elements, over all dimensions or those in dim. Integers and bools sum to int64.")
      .method().with_out().on("any").complex().samples({"T(2, 3)", "T(2, 3, 4), [0, -1]", "T(2, 3), 1, True", "T()", "T(0, 3)", "T(0, 3), 0", "T(3, 40), 0"});
  t.add("sum_to_size(Tensor input, int[] size)", &sum_to_size,
        "Sums over dimensions until the size is size, which must be broadcastable to the input's: the gradient of broadcasting.")
      .method_only().complex().samples({"T(2, 3), [1, 3]", "T(2, 3), [3]", "T(4, 2, 3), [2, 1]", "T(2, 3), []"});
  t.add("mean(Tensor input, int[]? dim=None, bool keepdim=False, *, dtype? dtype=None)", &mean,
        "Mean of the elements, over all dimensions or those in dim. NaN when there are none.")
      .method().with_out().complex().samples({"T(2, 3)", "T(2, 3, 4), [0, -1]", "T(2, 3), 1, True", "T()", "T(3, 40), 0"});
}

}  // namespace tapegrad
