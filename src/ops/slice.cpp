// Views of a part of a tensor: select, slice, narrow, split, diagonal, sliding windows. Gradients put g into zeros (embed);
// split and unbind are one node for all pieces, so that their gradient is one cat instead of a sum of mostly zeros.
#include <algorithm>

#include "src/ops/op_info.h"
#include "src/ops/view.h"
#include "src/tensor/make.h"

namespace tapegrad {

// ---- one part: select, slice, narrow

Tensor part_of(const Tensor& x, const Part& p, bool view) {
  const size_t at = size_t(p.dim);
  const int64_t offset = p.length > 0 ? p.start * x->strides[at] : 0;
  TensorImpl* i = new_alias(*x.get(), x->data + offset * int64_t(x.element_size()), view);
  set_dims(i, size_t(x.dim()) - p.drop, [&](size_t d) {
    const size_t from = d + (p.drop && d >= at);
    return from == at ? Dim{p.length, x->strides[at] * p.step} : Dim{x->sizes[from], x->strides[from]};
  });
  return Tensor::adopt(i);
}
struct EmbedBackward final : NodeOf<1> {
  Part part;
  EmbedBackward(const Tensor& g, const Part& p) : NodeOf(g), part(p) {}
  const char* name() const override { return part.drop ? "SelectBackwardBackward0" : "SliceBackwardBackward0"; }
  void backward(Tensor g, Tensor* dx) override {
    dx[0] = part.drop ? select(g, part.dim, part.start) : slice(g, part.dim, part.start, part.start + part.length * part.step, part.step);
  }
};
Tensor embed(const Tensor& g, const Part& p) {
  Tensor out;
  {
    NoGrad guard;
    out = zeros(p.sizes, g.dtype(), g.device());
    copy_(part_of(out, p, false), g);
  }
  if (recording(g)) record<EmbedBackward>(out, g, p);
  return out;
}
struct PartBackward final : NodeOf<1> {
  Part part;
  PartBackward(const Tensor& x, const Part& p) : NodeOf(x), part(p) {}
  const char* name() const override { return part.drop ? "SelectBackward0" : "SliceBackward0"; }
  void backward(Tensor g, Tensor* dx) override { dx[0] = embed(g, part); }
};
static Tensor take_part(const Tensor& x, const Part& p) {
  Tensor out = part_of(x, p, true);
  if (recording(x)) record<PartBackward>(out, x, p);
  return out;
}
static int64_t wrap_part_dim(const Tensor& x, int64_t dim) {
  TG_CHECK(x.dim() > 0, IndexError, "input must have at least one dimension, got a 0-d tensor", Named{"input", x});
  return wrap_dim(dim, x.dim(), x);
}

Tensor select(const Tensor& x, int64_t dim, int64_t index) {
  OpScope op("select");
  const int64_t d = wrap_part_dim(x, dim), n = x->sizes[d];
  TG_CHECK(index >= -n && index < n, IndexError, "index ", index, " is out of bounds for dimension ", d, " with size ", n, Named{"input", x});
  return take_part(x, {x.sizes(), d, index < 0 ? index + n : index, 1, 1, true});
}
Tensor slice(const Tensor& x, int64_t dim, std::optional<int64_t> start, std::optional<int64_t> end, int64_t step) {
  OpScope op("slice");
  const int64_t d = wrap_part_dim(x, dim), n = x->sizes[d];
  TG_CHECK(step > 0, ValueError, "step must be greater than zero, got ", step);
  int64_t from = start.value_or(0), to = end.value_or(n);
  from = std::clamp(from < 0 ? from + n : from, int64_t(0), n);
  to = std::clamp(to < 0 ? to + n : to, from, n);
  const int64_t length = to > from ? (to - from - 1) / step + 1 : 0;
  return take_part(x, {x.sizes(), d, from, length > 1 ? step : 1, length, false});
}
Tensor narrow(const Tensor& x, int64_t dim, int64_t start, int64_t length) {
  OpScope op("narrow");
  const int64_t d = wrap_part_dim(x, dim), n = x->sizes[d];
  const int64_t from = start < 0 ? start + n : start;
  TG_CHECK(start >= -n && start <= n, IndexError, "start must be in [", -n, ", ", n, "], got ", start, Named{"input", x});
  TG_CHECK(length >= 0 && from + length <= n, ShapeError, "start + length must not exceed the ", n, " of dimension ", d, ", got ", from, " + ", length, Named{"input", x});
  return take_part(x, {x.sizes(), d, from, 1, length, false});
}

// ---- several parts: split, chunk, unbind

struct SplitBackward final : NodeOf<1> {
  Shape whole;
  Dtype dtype;
  Device device;
  int64_t dim;
  std::vector<int64_t> lengths;  // empty: unbind
  SplitBackward(const Tensor& x, int64_t d, IntList l) : NodeOf(x), whole(x.sizes()), dtype(x.dtype()), device(x.device()), dim(d), lengths(l.begin(), l.end()) {}
  const char* name() const override { return lengths.empty() ? "UnbindBackward0" : "SplitBackward0"; }
  void backward_all(Tensor* g, Tensor* dx) override {
    std::vector<Tensor> pieces(g, g + output_count);
    for (size_t k = 0; k < pieces.size(); k++) {
      if (pieces[k].defined()) continue;
      Shape size = whole;
      if (lengths.empty()) size.erase(size_t(dim));
      else size[size_t(dim)] = lengths[k];
      pieces[k] = zeros(size, dtype, device);
    }
    dx[0] = lengths.empty() ? stack(pieces, dim) : cat(pieces, dim);
  }
};
static std::vector<Tensor> pieces_of(const Tensor& x, int64_t dim, IntList lengths) {
  std::vector<Tensor> out;
  out.reserve(lengths.size());
  Part p{x.sizes(), dim, 0, 1, 0, false};
  for (int64_t length : lengths) {
    p.length = length;
    out.push_back(part_of(x, p, true));
    p.start += length;
  }
  if (!out.empty() && recording(x)) record_many<SplitBackward>(out, x, dim, lengths);
  return out;
}
std::vector<Tensor> split(const Tensor& x, int64_t split_size, int64_t dim) {
  OpScope op("split");
  const int64_t d = wrap_part_dim(x, dim), n = x->sizes[d];
  TG_CHECK(split_size > 0 || (split_size == 0 && n == 0), ValueError, "split_size must be positive, got ", split_size, Named{"input", x});
  std::vector<int64_t> lengths;
  for (int64_t at = 0; at < n; at += split_size) lengths.push_back(std::min(split_size, n - at));
  if (lengths.empty()) lengths.push_back(0);
  return pieces_of(x, d, lengths);
}
std::vector<Tensor> split(const Tensor& x, IntList split_sizes, int64_t dim) {
  OpScope op("split");
  const int64_t d = wrap_part_dim(x, dim);
  int64_t sum = 0;
  for (int64_t s : split_sizes) {
    TG_CHECK(s >= 0, ValueError, "split_sizes must not be negative, got ", split_sizes);
    sum += s;
  }
  TG_CHECK(sum == x->sizes[d], ShapeError, "split_sizes must sum to the ", x->sizes[d], " of dimension ", d, ", got ", split_sizes, Named{"input", x});
  return pieces_of(x, d, split_sizes);
}
std::vector<Tensor> chunk(const Tensor& x, int64_t chunks, int64_t dim) {
  OpScope op("chunk");
  TG_CHECK(chunks > 0, ValueError, "chunks must be greater than zero, got ", chunks);
  const int64_t d = wrap_part_dim(x, dim), n = x->sizes[d];
  if (n == 0) return pieces_of(x, d, std::vector<int64_t>(size_t(chunks), 0));
  return split(x, (n + chunks - 1) / chunks, d);
}
std::vector<Tensor> tensor_split(const Tensor& x, int64_t sections, int64_t dim) {
  OpScope op("tensor_split");
  TG_CHECK(sections > 0, ValueError, "sections must be greater than zero, got ", sections);
  const int64_t d = wrap_part_dim(x, dim), n = x->sizes[d];
  std::vector<int64_t> lengths;
  for (int64_t k = 0; k < sections; k++) lengths.push_back(n / sections + (k < n % sections));
  return pieces_of(x, d, lengths);
}
std::vector<Tensor> tensor_split(const Tensor& x, IntList indices, int64_t dim) {
  OpScope op("tensor_split");
  const int64_t d = wrap_part_dim(x, dim);
  std::vector<Tensor> out;
  std::optional<int64_t> from;
  for (int64_t at : indices) {
    out.push_back(slice(x, d, from, at));
    from = at;
  }
  out.push_back(slice(x, d, from));
  return out;
}
std::vector<Tensor> unbind(const Tensor& x, int64_t dim) {
  OpScope op("unbind");
  const int64_t d = wrap_part_dim(x, dim), n = x->sizes[d];
  std::vector<Tensor> out;
  out.reserve(size_t(n));
  Part p{x.sizes(), d, 0, 1, 1, true};
  for (; p.start < n; p.start++) out.push_back(part_of(x, p, true));
  if (n && recording(x)) record_many<SplitBackward>(out, x, d, IntList());
  return out;
}

// ---- diagonal, unfold, as_strided: the tape scatters through the strides

Tensor diagonal(const Tensor& x, int64_t offset, int64_t dim1, int64_t dim2) {
  OpScope op("diagonal");
  const int64_t a = wrap_part_dim(x, dim1), b = wrap_dim(dim2, x.dim(), x);
  TG_CHECK(a != b, ShapeError, "dim1 and dim2 must differ, got ", dim1, " and ", dim2, Named{"input", x});
  const int64_t rows = x->sizes[a] - (offset < 0 ? -offset : 0), columns = x->sizes[b] - (offset > 0 ? offset : 0);
  const int64_t n = std::max<int64_t>(std::min(rows, columns), 0);
  Shape size(x.sizes()), strides(x.strides());
  size.erase(size_t(std::max(a, b))), strides.erase(size_t(std::max(a, b)));
  size.erase(size_t(std::min(a, b))), strides.erase(size_t(std::min(a, b)));
  size.push_back(n), strides.push_back(x->strides[a] + x->strides[b]);
  const int64_t start = n == 0 ? 0 : offset > 0 ? offset * x->strides[b] : -offset * x->strides[a];
  return record_view(x, alias(x, size, strides, start, true), "DiagonalBackward0");
}
Tensor unfold(const Tensor& x, int64_t dim, int64_t size, int64_t step) {
  OpScope op("unfold");
  const int64_t d = wrap_dim(dim, x.dim(), x), n = size_of(x, d);
  TG_CHECK(size >= 0 && size <= n, ShapeError, "size must be in [0, ", n, "], the size of dimension ", d, ", got ", size, Named{"input", x});
  TG_CHECK(step > 0, ValueError, "step must be greater than zero, got ", step);
  Shape sizes(x.sizes()), strides(x.strides());
  const int64_t stride = x.dim() ? strides[size_t(d)] : 1;
  if (x.dim()) sizes[size_t(d)] = (n - size) / step + 1, strides[size_t(d)] *= step;
  sizes.push_back(size), strides.push_back(stride);
  return record_view(x, alias(x, sizes, strides, 0, true), "UnfoldBackward0");
}
Tensor as_strided(const Tensor& x, IntList size, IntList stride, std::optional<int64_t> storage_offset) {
  OpScope op("as_strided");
  TG_CHECK(size.size() == stride.size(), ShapeError, "size and stride must have the same length, got ", size, " and ", stride);
  const int64_t first = storage_offset.value_or(x.storage_offset());
  TG_CHECK(first >= 0, ValueError, "storage_offset must not be negative, got ", first);
  int64_t last = first;
  bool none = false;
  for (size_t d = 0; d < size.size(); d++) {
    TG_CHECK(size[d] >= 0 && stride[d] >= 0, ShapeError, "sizes and strides must not be negative, got ", size, " and ", stride);
    none |= size[d] == 0;
    last += (size[d] - 1) * stride[d];
  }
  const int64_t there = int64_t(x->storage->bytes / x.element_size());
  TG_CHECK(none || last < there, ShapeError, "size ", size, " with strides ", stride, " and offset ", first, " reaches element ", last, " of a storage of ", there, Named{"input", x});
  return record_view(x, alias(x, size, stride, first - x.storage_offset(), true), "AsStridedBackward0");
}

void slice_ops(OpTable& t) {
  t.add("select(Tensor input, int dim, int index)", &select, "A view of one index along dim, without that dimension.")
      .method().complex().samples({"T(3, 4), 0, 1", "T(3, 4), -1, -2", "T(3), 0, 2", "T(2, 0, 3), 0, 1"});
  t.add("narrow(Tensor input, int dim, int start, int length)", &narrow, "A view of the indices start to start + length along dim.")
      .method().complex().samples({"T(3, 4), 1, 1, 2", "T(3, 4), -2, -2, 2", "T(5), 0, 2, 0"});
  for (const char* signature : {"split(Tensor tensor, int split_size_or_sections, int dim=0)", "split(Tensor input, int split_size, int dim=0)"})
    t.add(signature, static_cast<std::vector<Tensor> (*)(const Tensor&, int64_t, int64_t)>(&split), "Views of split_size indices each along dim; the last may be smaller.")
        .method().complex().samples({"T(5, 2), 2", "T(2, 6), 3, -1", "T(0, 2), 2"});
  for (const char* signature : {"split(Tensor tensor, int[] split_size_or_sections, int dim=0)", "split(Tensor input, int[] split_size, int dim=0)"})
    t.add(signature, static_cast<std::vector<Tensor> (*)(const Tensor&, IntList, int64_t)>(&split), "Views of the given numbers of indices along dim.")
        .method().complex().samples({"T(5, 2), [2, 3]", "T(2, 6), [1, 0, 5], 1"});
  t.add("split_with_sizes(Tensor input, int[] split_sizes, int dim=0)", static_cast<std::vector<Tensor> (*)(const Tensor&, IntList, int64_t)>(&split),
        "Views of the given numbers of indices along dim.").method().complex().samples({"T(5, 2), [1, 4]"});
  t.add("chunk(Tensor input, int chunks, int dim=0)", &chunk, "At most `chunks` views along dim, equal but for the last.")
      .method().complex().samples({"T(5, 2), 2", "T(2, 6), 4, -1", "T(3), 5"});
  t.add("tensor_split(Tensor input, int sections, int dim=0)", static_cast<std::vector<Tensor> (*)(const Tensor&, int64_t, int64_t)>(&tensor_split),
        "Exactly `sections` views along dim whose sizes differ by one at most.").method().complex().samples({"T(5, 2), 3", "T(2, 2), 3, 1"});
  t.add("tensor_split(Tensor input, int[] indices, int dim=0)", static_cast<std::vector<Tensor> (*)(const Tensor&, IntList, int64_t)>(&tensor_split),
        "Views along dim cut before each of the indices.").method().complex().samples({"T(5, 2), [1, 3]", "T(2, 4), [3, 1], -1"});
  t.add("unbind(Tensor input, int dim=0)", &unbind, "A view for each index along dim, without that dimension.").method().complex().samples({"T(3, 2)", "T(2, 3), -1", "T(0, 2)"});
  t.add("diagonal(Tensor input, int offset=0, int dim1=0, int dim2=1)", &diagonal, "A view of the elements (i, i + offset) of dim1 and dim2, as a new last dimension.")
      .method().complex().samples({"T(3, 4)", "T(3, 4), 1", "T(3, 4), -1", "T(2, 3, 4), 0, -1, 0", "T(3, 4), 5"});
  t.add("unfold(Tensor input, int dimension, int size, int step)", &unfold, "A view of all windows of `size` indices, `step` apart, along a dimension; the window is a new last dimension.")
      .method_only().complex().samples({"T(7), 0, 3, 2", "T(2, 6), 1, 2, 1", "T(2, 6), -1, 6, 1"});
  t.add("as_strided(Tensor input, int[] size, int[] stride, int? storage_offset=None)", &as_strided, "A view of input's storage with any sizes, strides and offset.")
      .method().complex().samples({"T(3, 4), [2, 2], [4, 1], 1", "T(6), [4, 3], [1, 1]"});
}

}  // namespace tapegrad
