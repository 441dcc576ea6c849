// One vector of indices along one dimension: index_select, index_add, index_copy, index_fill; embedding and one_hot.
#include "src/ops/elementwise.h"
#include "src/ops/op_info.h"
#include "src/ops/index_rows.h"

namespace tapegrad {

// ---- index_select

struct IndexSelectBackward final : NodeOf<1> {
  Shape sizes;
  int64_t dim;
  SavedTensor index;
  IndexSelectBackward(const Tensor& x, int64_t d, const Tensor& i) : NodeOf(x), sizes(x.sizes()), dim(d), index(i) {}
  const char* name() const override { return "IndexSelectBackward0"; }
  void backward(Tensor g, Tensor* dx) override { dx[0] = index_add_(zeros(sizes, g.dtype(), g.device()), dim, index.unpack(*this), g); }
  void free_saved() override { index.reset(); }
};
Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index) {
  OpScope op("index_select");
  const int64_t d = wrap_dim(dim, x.dim(), x);
  TG_CHECK(index.dtype() == Dtype::Int64 || index.dtype() == Dtype::Int32, DtypeError, "index must be an int32 or int64 tensor, got ", index.dtype(), Named{"index", index});
  TG_CHECK(x.dim() > 0 || index.numel() == 1, ShapeError, "a 0-d input takes an index of one element, got ", index.sizes(), Named{"index", index});
  Tensor out = get_rows(x, plan_rows(x, d, index));
  if (recording(x)) record<IndexSelectBackward>(out, x, d, index);
  return out;
}

// ---- index_add, index_copy, index_fill: dim, index and what to write

static void check_source(const Tensor& x, int64_t d, const Tensor& index, const Tensor& source) {
  TG_CHECK(source.dtype() == x.dtype(), DtypeError, "source must have the dtype of input, got ", source.dtype(), Named{"input", x}, Named{"source", source});
  Shape want(x.sizes());
  if (x.dim()) want[size_t(d)] = index.numel();
  TG_CHECK(source.sizes() == want || (x.dim() <= 1 && source.numel() == index.numel()), ShapeError, "source must have shape ", want, ", got ", source.sizes(), Named{"input", x}, Named{"source", source});
}
struct IndexAddBackward final : NodeOf<2> {
  int64_t dim;
  Scalar alpha;
  Shape source_sizes;
  SavedTensor index;
  IndexAddBackward(const Tensor& x, const Tensor& source, int64_t d, const Tensor& i, Scalar a) : NodeOf(x, source), dim(d), alpha(a), source_sizes(source.sizes()), index(i) {}
  const char* name() const override { return "IndexAddBackward0"; }
  void backward(Tensor g, Tensor* dx) override {
    if (needs(1)) {
      const Tensor part = reshape(index_select(g, dim, index.unpack(*this)), source_sizes);
      dx[1] = alpha.to_double() == 1 ? part : mul(part, Tensor(alpha));
    }
    dx[0] = std::move(g);
  }
  void free_saved() override { index.reset(); }
};
Tensor index_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source, Scalar alpha) {
  OpScope op("index_add");
  const int64_t d = wrap_dim(dim, x.dim(), x);
  check_source(x, d, index, source);
  Tensor out;
  {
    NoGrad guard;
    out = clone(x, MemoryFormat::Contiguous);
    put_rows(out, plan_rows(out, d, index), source, Put::Add, alpha);
  }
  if (recording(x, source)) record<IndexAddBackward>(out, x, source, d, index, alpha);
  return out;
}
const Tensor& index_add_(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& source, Scalar alpha) {
  OpScope op("index_add_");
  const int64_t d = wrap_dim(dim, self.dim(), self);
  check_source(self, d, index, source);
  check_writable(self);
  InPlace guard(self, recording(self, source));
  put_rows(self, plan_rows(self, d, index), source->storage == self->storage ? clone(detach(source)) : source, Put::Add, alpha);
  if (recording(self, source)) guard.record<IndexAddBackward>(guard.before(), guard.old(source), d, index, alpha);
  return self;
}

// index_copy and index_fill: old values under the index are lost, so their gradient is zero there.
struct IndexWriteBackward final : NodeOf<2> {
  int64_t dim;
  const char* title;
  Shape value_sizes;
  SavedTensor index;
  IndexWriteBackward(const Tensor& x, const Tensor& value, int64_t d, const Tensor& i, const char* t) : NodeOf(x, value), dim(d), title(t), value_sizes(value.sizes()), index(i) {}
  const char* name() const override { return title; }
  void backward(Tensor g, Tensor* dx) override {
    const Tensor at = index.unpack(*this);
    if (needs(0)) dx[0] = index_fill(g, dim, at, Scalar(0));
    if (needs(1)) {
      const bool filled = value_sizes.empty();  // with one value: what is written twice counts once
      const Tensor part = index_select(g, dim, filled ? std::get<0>(tapegrad::unique(remainder(at, Tensor(Scalar(size_of(g, dim)))))) : at);
      dx[1] = filled ? sum(part) : reshape(part, value_sizes);
    }
  }
  void free_saved() override { index.reset(); }
};
static Tensor written(const Tensor& x, int64_t d, const Tensor& index, const Tensor& value, const char* title, bool from_end) {
  Tensor out;
  {
    NoGrad guard;
    out = clone(x, MemoryFormat::Contiguous);
    put_rows(out, plan_rows(out, d, index, from_end), value, Put::Set);
  }
  if (recording(x, value)) record<IndexWriteBackward>(out, x, value, d, index, title);
  return out;
}
static const Tensor& write_(const Tensor& self, int64_t d, const Tensor& index, const Tensor& value, const char* title, bool from_end) {
  check_writable(self);
  InPlace guard(self, recording(self, value));
  put_rows(self, plan_rows(self, d, index, from_end), value->storage == self->storage ? clone(detach(value)) : value, Put::Set);
  if (recording(self, value)) guard.record<IndexWriteBackward>(guard.before(), guard.old(value), d, index, title);
  return self;
}
Tensor index_copy(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
  OpScope op("index_copy");
  const int64_t d = wrap_dim(dim, x.dim(), x);
  check_source(x, d, index, source);
  return written(x, d, index, source, "IndexCopyBackward0", false);
}
const Tensor& index_copy_(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& source) {
  OpScope op("index_copy_");
  const int64_t d = wrap_dim(dim, self.dim(), self);
  check_source(self, d, index, source);
  return write_(self, d, index, source, "IndexCopyBackward0", false);
}
// The 0-d value in x's dtype.
static Tensor fill_value(const Tensor& x, const Tensor& value) {
  TG_CHECK(value.dim() == 0, ShapeError, "value must be a number or a 0-d tensor, got ", value.sizes(), Named{"value", value});
  return to(value, x.dtype());
}
Tensor index_fill(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& value) {
  OpScope op("index_fill");
  return written(x, wrap_dim(dim, x.dim(), x), index, fill_value(x, value), "IndexFillBackward0", true);
}
Tensor index_fill(const Tensor& x, int64_t dim, const Tensor& index, Scalar value) { return index_fill(x, dim, index, Tensor(value)); }
const Tensor& index_fill_(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& value) {
  OpScope op("index_fill_");
  return write_(self, wrap_dim(dim, self.dim(), self), index, fill_value(self, value), "IndexFillBackward0", true);
}
const Tensor& index_fill_(const Tensor& self, int64_t dim, const Tensor& index, Scalar value) { return index_fill_(self, dim, index, Tensor(value)); }

// ---- embedding, one_hot

struct EmbeddingBackward final : NodeOf<1> {
  Shape sizes;
  std::optional<int64_t> padding;
  SavedTensor indices;
  EmbeddingBackward(const Tensor& w, const Tensor& i, std::optional<int64_t> p) : NodeOf(w), sizes(w.sizes()), padding(p), indices(i) {}
  const char* name() const override { return "EmbeddingBackward0"; }
  void backward(Tensor g, Tensor* dx) override {
    const Tensor at = indices.unpack(*this);
    dx[0] = index_add_(zeros(sizes, g.dtype(), g.device()), 0, reshape(at, {-1}), reshape(g, {at.numel(), sizes[1]}));
    if (padding) index_fill_(dx[0], 0, full({1}, *padding, Dtype::Int64, g.device()), Scalar(0));
  }
  void free_saved() override { indices.reset(); }
};
Tensor embedding(const Tensor& weight, const Tensor& indices, std::optional<int64_t> padding_idx) {
  OpScope op("embedding");
  TG_CHECK(weight.dim() == 2, ShapeError, "weight must have 2 dimensions, got ", weight.dim(), Named{"weight", weight});
  TG_CHECK(indices.dtype() == Dtype::Int64 || indices.dtype() == Dtype::Int32, DtypeError, "input must be an int32 or int64 tensor, got ", indices.dtype(), Named{"input", indices});
  const int64_t n = weight->sizes[0];
  if (padding_idx && *padding_idx < 0) *padding_idx += n;
  TG_CHECK(!padding_idx || (*padding_idx >= 0 && *padding_idx < n), ValueError, "padding_idx must be within the ", n, " rows of weight, got ", *padding_idx, Named{"weight", weight});
  Rows rows = plan_rows(weight, 0, reshape(detach(indices), {-1}));
  rows.size = indices.sizes();
  rows.size.push_back(weight->sizes[1]);
  Tensor out = get_rows(weight, rows);
  if (recording(weight)) record<EmbeddingBackward>(out, weight, indices, padding_idx);
  return out;
}
static Tensor embedding_row(const Tensor& input, const Tensor& weight, std::optional<int64_t> padding_idx) { return embedding(weight, input, padding_idx); }

Tensor one_hot(const Tensor& x, int64_t num_classes) {
  OpScope op("one_hot");
  TG_CHECK(x.dtype() == Dtype::Int64, DtypeError, "input must be an int64 tensor, got ", x.dtype(), Named{"input", x});
  TG_CHECK(x.numel() > 0 || num_classes > 0, ValueError, "num_classes must be given for an empty input");
  if (x.is_cuda()) {
    const int64_t classes = num_classes == -1 ? max(x).item<int64_t>() + 1 : num_classes;
    TG_CHECK(classes > 0, ValueError, "num_classes must be positive or -1, got ", num_classes);
    Shape size(x.sizes());
    size.push_back(classes);
    const Tensor out = zeros(size, Dtype::Int64, x.device());
    return x.numel() ? scatter_(out, -1, unsqueeze(x, -1), Scalar(1)) : out;
  }
  const Tensor flat = contiguous(x);
  const int64_t* p = flat->host<int64_t>();
  int64_t classes = num_classes;
  if (classes == -1) for (int64_t k = 0; k < flat.numel(); k++) classes = std::max(classes, p[k] + 1);
  TG_CHECK(classes > 0 || num_classes == -1, ValueError, "num_classes must be positive or -1, got ", num_classes);
  Shape size(x.sizes());
  size.push_back(std::max<int64_t>(classes, 0));
  Tensor out = zeros(size, Dtype::Int64);
  int64_t* o = out->host<int64_t>();
  for (int64_t k = 0; k < flat.numel(); k++) {
    TG_CHECK(p[k] >= 0 && p[k] < classes, ValueError, "class values must be in [0, ", classes, "), got ", p[k], Named{"input", x});
    o[k * classes + p[k]] = 1;
  }
  return out;
}

void index_select_ops(OpTable& t) {
  t.add("index_select(Tensor input, int dim, Tensor index)", &index_select, "The indices of a vector along dim, as a copy.")
      .method().with_out().complex().samples({"T(3, 4), 0, I(2, hi=3)", "T(3, 4), -1, I(5, hi=4)", "T(3, 4), 1, I(0)", "T(2, 3, 4).transpose(0, 2), 1, C(2, 0)"});
  t.add("index_add(Tensor input, int dim, Tensor index, Tensor source, *, Scalar alpha=1)", &index_add, "input with alpha · source added at the indices along dim, one after the other.")
      .method().inplace(&index_add_).complex().with_out().samples({"T(3, 4), 0, C(0, 2, 0), T(3, 4)", "T(3, 4), -1, C(1), T(3, 1), alpha=2", "T(3), 0, I(0), T(0)"});
  t.add("index_copy(Tensor input, int dim, Tensor index, Tensor source)", &index_copy, "input with source written at the indices along dim.")
      .method().inplace(&index_copy_).complex().with_out().samples({"T(3, 4), 0, C(2, 0), T(2, 4)", "T(3, 4), 1, C(1), T(3, 1)"});
  t.add("index_fill(Tensor input, int dim, Tensor index, Tensor|Number value)", static_cast<Tensor (*)(const Tensor&, int64_t, const Tensor&, const Tensor&)>(&index_fill), "input with one value at the indices along dim.")
      .method().inplace(static_cast<const Tensor& (*)(const Tensor&, int64_t, const Tensor&, const Tensor&)>(&index_fill_)).complex().samples({"T(3, 4), 0, C(2, 0), 1.5", "T(3, 4), -1, C(1), T()"});
  t.add("embedding(Tensor input, Tensor weight, int? padding_idx=None)", &embedding_row, "Rows of weight, (n, dim), at the integers of input, (…): (…, dim). The row padding_idx gets no gradient.")
      .functional_only().samples({"I(2, 3, hi=5), T(5, 4)", "I(6, hi=5), T(5, 4), padding_idx=1", "C(1, 1, 1), T(3, 2)"});
  t.add("one_hot(Tensor input, int num_classes=-1)", &one_hot, "Integers (…) as rows (…, num_classes) of zeros with a one.").functional_only().no_grad().samples({"I(3, hi=4)", "I(2, 2, hi=3), 5"});
}

}  // namespace tapegrad
