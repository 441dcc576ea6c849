// x[…] and x[…] = value. Ints, slices, None and the ellipsis make views, one after the other; masks and integer tensors are
// collected by dimension and done together at the end (Rows).
#include "src/ops/elementwise.h"
#include "src/ops/op_info.h"
#include "src/ops/index_rows.h"

namespace tapegrad {

// ---- with tensors

static std::vector<SavedTensor> save_all(TensorList tensors) {
  std::vector<SavedTensor> out;
  out.reserve(tensors.size());
  for (const Tensor& t : tensors) out.emplace_back(t.defined() ? SavedTensor(t) : SavedTensor());
  return out;
}
static std::vector<Tensor> unpack_all(const std::vector<SavedTensor>& saved, Node& by) {
  std::vector<Tensor> out;
  for (const SavedTensor& s : saved) out.push_back(s.defined() ? s.unpack(by) : Tensor());
  return out;
}
struct IndexBackward final : NodeOf<1> {
  Shape sizes;
  std::vector<SavedTensor> indices;
  IndexBackward(const Tensor& x, TensorList i) : NodeOf(x), sizes(x.sizes()), indices(save_all(i)) {}
  const char* name() const override { return "IndexBackward0"; }
  void backward(Tensor g, Tensor* dx) override { dx[0] = index_put_(zeros(sizes, g.dtype(), g.device()), unpack_all(indices, *this), g, true); }
  void free_saved() override { for (SavedTensor& s : indices) s.reset(); }
};
// `indices` are int64 or undefined.
static Tensor index_integers(const Tensor& x, TensorList indices) {
  const Rows rows = plan_rows(x, indices);
  Tensor out = get_rows(x, rows);
  if (recording(x)) record<IndexBackward>(out, x, indices);
  return out;
}

struct IndexPutBackward final : NodeOf<2> {
  Shape value_sizes;
  std::vector<SavedTensor> indices;
  bool accumulate;
  IndexPutBackward(const Tensor& x, const Tensor& value, TensorList i, bool a) : NodeOf(x, value), value_sizes(value.sizes()), indices(save_all(i)), accumulate(a) {}
  const char* name() const override { return "IndexPutBackward0"; }
  void backward(Tensor g, Tensor* dx) override {
    const std::vector<Tensor> at = unpack_all(indices, *this);
    if (needs(0)) dx[0] = accumulate ? g : index_put(g, at, zeros({}, g.dtype(), g.device()));
    if (needs(1)) dx[1] = sum_to_size(index_integers(g, at), value_sizes);
  }
  void free_saved() override { for (SavedTensor& s : indices) s.reset(); }
};
static void put_values(const Tensor& x, TensorList indices, const Tensor& value, bool accumulate) {
  NoGrad guard;
  const Rows rows = plan_rows(x, indices);
  bool fits = value.dim() <= int64_t(rows.size.size());
  for (int64_t d = 1; fits && d <= value.dim(); d++)
    fits = value->sizes[value.dim() - d] == 1 || value->sizes[value.dim() - d] == rows.size[rows.size.size() - size_t(d)];
  TG_CHECK(fits, ShapeError, "value must broadcast to the shape ", rows.size, " of the indexed part, got ", value.sizes(), Named{"input", x}, Named{"value", value});
  put_rows(x, rows, value.numel() == 1 ? value : expand(value, rows.size), accumulate ? Put::Add : Put::Set);
}
static void check_value_dtype(const Tensor& x, const Tensor& value) {
  TG_CHECK(value.dtype() == x.dtype(), DtypeError, "value must have the dtype of input, got ", value.dtype(), " for ", x.dtype(), Named{"input", x}, Named{"value", value});
}
// `indices` are int64 or undefined; one at least is defined.
static const Tensor& put_integers_(const Tensor& self, TensorList indices, const Tensor& value, bool accumulate) {
  check_writable(self);
  const Tensor safe = value.defined() && value->storage == self->storage ? clone(value) : value;
  InPlace guard(self, recording(self, value));
  put_values(self, indices, safe, accumulate);
  if (recording(self, value)) guard.record<IndexPutBackward>(guard.before(), safe, indices, accumulate);
  return self;
}
static bool any_defined(TensorList l) {
  for (const Tensor& t : l) if (t.defined()) return true;
  return false;
}
const Tensor& index_put_(const Tensor& self, TensorList indices, const Tensor& value, bool accumulate) {
  OpScope op("index_put_");
  const Tensor v = value->wrapped_number ? to(value, self.dtype()) : value;
  check_value_dtype(self, v);
  const std::vector<Tensor> at = integer_indices(self, indices);
  TG_CHECK(any_defined(at), IndexError, "indices must hold at least one tensor");
  return put_integers_(self, at, v, accumulate);
}
Tensor index_put(const Tensor& x, TensorList indices, const Tensor& value, bool accumulate) {
  OpScope op("index_put");
  Tensor out;
  const Tensor v = value->wrapped_number ? to(value, x.dtype()) : value;
  check_value_dtype(x, v);
  const std::vector<Tensor> at = integer_indices(x, indices);
  TG_CHECK(any_defined(at), IndexError, "indices must hold at least one tensor");
  {
    NoGrad guard;
    out = clone(x, MemoryFormat::Contiguous);
    put_values(out, at, v, accumulate);
  }
  if (recording(x, v)) record<IndexPutBackward>(out, x, v, at, accumulate);
  return out;
}

// ---- entries to views and tensors

static bool is_mask(const Index& e) { return e.kind == Index::Kind::Tensor && (e.tensor.dtype() == Dtype::Bool || e.tensor.dtype() == Dtype::UInt8); }
static int64_t dims_taken(const Index& e) {
  switch (e.kind) {
    case Index::Kind::Int: case Index::Kind::Slice: return 1;
    case Index::Kind::Tensor: return is_mask(e) ? e.tensor.dim() : 1;
    default: return 0;
  }
}
// A bool, Python's or 0-d, is an index into a new dimension of size 1: [0] or [].
static Tensor bool_index(bool on) { return zeros({on ? 1 : 0}, Dtype::Int64); }

// x through the basic entries; `tensors` gets what is left for index_integers, by dimension of the result.
static Tensor apply_basic(const Tensor& x, std::span<const Index> entries, std::vector<Tensor>& tensors) {
  int64_t taken = 0;
  bool ellipsis = false;
  for (const Index& e : entries) {
    taken += dims_taken(e);
    TG_CHECK(e.kind != Index::Kind::Ellipsis || !ellipsis, IndexError, "an index can have only one ellipsis ('...')");
    ellipsis |= e.kind == Index::Kind::Ellipsis;
  }
  TG_CHECK(taken <= x.dim(), IndexError, "too many indices for tensor of dimension ", x.dim(), ", got ", taken, Named{"input", x});
  Tensor out;  // undefined: still x
  const auto seen = [&]() -> const Tensor& { return out.defined() ? out : x; };
  size_t dim = 0;
  const auto put = [&](Tensor index) {
    tensors.resize(dim);
    tensors.push_back(std::move(index));
    dim++;
  };
  const auto pick = [&](int64_t i) {
    const int64_t n = seen()->sizes[dim];
    TG_CHECK(i >= -n && i < n, IndexError, "index ", i, " is out of bounds for dimension ", dim, " with size ", n, Named{"input", x});
    out = select(seen(), int64_t(dim), i);
  };
  for (const Index& e : entries) {
    switch (e.kind) {
      case Index::Kind::Int: pick(e.integer); break;
      case Index::Kind::Slice:
        if (e.start || e.stop || e.step) out = slice(seen(), int64_t(dim), e.start, e.stop, e.step.value_or(1));
        dim++;
        break;
      case Index::Kind::Ellipsis: dim += size_t(x.dim() - taken); break;
      case Index::Kind::NewAxis: out = unsqueeze(seen(), int64_t(dim++)); break;
      case Index::Kind::Bool:
        out = unsqueeze(seen(), int64_t(dim));
        put(bool_index(e.integer));
        break;
      case Index::Kind::Tensor:
        TG_CHECK(!is_differentiable(e.tensor.dtype()), IndexError, "tensors used as indices must be integer, uint8 or bool tensors, got ", e.tensor.dtype(), Named{"index", e.tensor});
        if (e.tensor.dim() == 0 && !is_mask(e)) {
          pick(e.tensor.item().to_int());  // a view, as with a number
        } else if (is_mask(e) && e.tensor.dim() == 0) {
          out = unsqueeze(seen(), int64_t(dim));
          put(bool_index(e.tensor.item().to_bool()));
        } else if (is_mask(e)) {
          std::vector<Tensor> padded(dim);
          padded.push_back(e.tensor);
          const std::vector<Tensor> columns = integer_indices(seen(), padded);
          for (size_t k = dim, n = columns.size(); k < n; k++) put(columns[k]);
        } else {
          put(to(e.tensor, Dtype::Int64));
        }
        break;
    }
  }
  return seen();
}

Tensor index(const Tensor& x, std::span<const Index> indices) {
  OpScope op("index");
  if (indices.size() == 1 && is_mask(indices[0]) && x.dim() > 0 && indices[0].tensor.sizes() == x.sizes())
    return select_set(x, indices[0].tensor, "IndexBackward0");
  std::vector<Tensor> tensors;
  Tensor out = apply_basic(x, indices, tensors);
  if (!tensors.empty()) return index_integers(out, tensors);
  return out.is_same(x) ? record_view(x, alias(x, x.sizes(), x.strides(), 0, true), "AliasBackward0") : out;
}
// Leading dimensions of size 1 that the target lacks are dropped, as in NumPy.
static Tensor without_leading_ones(const Tensor& value, int64_t dims) {
  if (value.dim() <= dims) return value;
  Shape size(value.sizes());
  while (int64_t(size.size()) > dims && size[0] == 1) size.erase(0);
  return size.size() == size_t(value.dim()) ? value : reshape(value, size);
}
void index_set(const Tensor& x, std::span<const Index> indices, const Tensor& value) {
  OpScope op("index_set");
  if (indices.size() == 1 && is_mask(indices[0]) && indices[0].tensor.sizes() == x.sizes() && value.numel() == 1 && x.dim() > 0) {
    masked_fill_(x, indices[0].tensor.dtype() == Dtype::Bool ? indices[0].tensor : to(indices[0].tensor, Dtype::Bool), value.dim() ? reshape(value, {}) : value);
    return;
  }
  std::vector<Tensor> tensors;
  const Tensor part = apply_basic(x, indices, tensors);
  if (tensors.empty()) {
    copy_(part, without_leading_ones(value, part.dim()));
    return;
  }
  int64_t dims = part.dim(), widest = 0;
  for (const Tensor& i : tensors)
    if (i.defined()) dims--, widest = std::max(widest, i.dim());
  dims += widest;
  put_integers_(part, tensors, to(without_leading_ones(value, dims), x.dtype()), false);
}

// ---- take

Tensor take(const Tensor& x, const Tensor& index) {
  OpScope op("take");
  TG_CHECK(index.dtype() == Dtype::Int64, DtypeError, "index must be an int64 tensor, got ", index.dtype(), Named{"index", index});
  return index_integers(reshape(x, {-1}), {index});
}

void index_ops(OpTable& t) {
  t.add("index_put(Tensor input, Tensor[] indices, Tensor values, bool accumulate=False)", &index_put,
        "A copy of input with input[indices] = values; accumulate adds, repeated indices included.")
      .method().inplace(&index_put_).complex().samples({"T(4, 3), [I(2, hi=4)], T(2, 3), True", "T(4, 3), [C(0, 2), C(1, 1)], T(2)", "T(4), [C(1, -1)], T()", "T(4), [C(1, 1, 1)], T(3), accumulate=True"});
  t.add("take(Tensor input, Tensor index)", &take, "Elements of the flattened input; the result has the shape of index.")
      .method().complex().with_out().samples({"T(2, 3), I(4, hi=6)", "T(2, 3), C(-1, 0)", "T(3), I(2, 2, hi=3)"});
}

}  // namespace tapegrad
