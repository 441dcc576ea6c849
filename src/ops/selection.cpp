// Less common ways to read and write parts: all of them are other indexing ops in another spelling.
#include <algorithm>
#include <numeric>

#include "src/ops/in_place.h"
#include "src/ops/op_info.h"
#include "src/ops/view.h"
#include "tapegrad/ops_more.h"

namespace tapegrad {

Tensor put(const Tensor& x, const Tensor& index, const Tensor& source, bool accumulate) {
  OpScope op("put");
  TG_CHECK(index.dtype() == Dtype::Int64 || index.dtype() == Dtype::Int32, DtypeError, "index must be an integer tensor, got ",
      index.dtype(), Named{"index", index});
  TG_CHECK(source.dtype() == x.dtype(), DtypeError, "source must have the dtype of input, got ", source.dtype(), Named{"input", x},
      Named{"source", source});
  TG_CHECK(source.numel() == index.numel(), ShapeError, "source must have one element for each index, got ", source.numel(), " and ",
      index.numel(), Named{"index", index}, Named{"source", source});
  return reshape(index_put(reshape(x, {-1}), {reshape(index, {-1})}, reshape(source, {-1}), accumulate), x.sizes());
}
const Tensor& put_(const Tensor& self, const Tensor& index, const Tensor& source, bool accumulate) {
  OpScope op("put_");
  return replace(self, [&](const Tensor& x) { return put(x, index, source, accumulate); }, source);
}

// scatter_reduce with whole slices: one index for each.
Tensor index_reduce(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source, std::string_view reduce, bool include_self) {
  OpScope op("index_reduce");
  TG_CHECK(reduce == "prod" || reduce == "mean" || reduce == "amax" || reduce == "amin", ValueError,
      "reduce must be 'prod', 'mean', 'amax' or 'amin', got '", reduce, "'");
  TG_CHECK(index.dim() <= 1 && (index.dtype() == Dtype::Int64 || index.dtype() == Dtype::Int32), ShapeError,
      "index must be a vector of integers", Named{"index", index});
  if (!x.dim()) return reshape(index_reduce(reshape(x, {1}), dim, index, reshape(source, {-1}), reduce, include_self), {});
  const int64_t d = wrap_dim(dim, x.dim(), x);
  Shape size(x.sizes()), line(size_t(x.dim()), 1);
  size[size_t(d)] = line[size_t(d)] = index.numel();
  TG_CHECK(source.sizes() == size, ShapeError, "source must have shape ", size, ", got ", source.sizes(), Named{"input", x},
      Named{"source", source});
  return scatter_reduce(x, d, expand(reshape(to(index, Dtype::Int64), line), size), source, reduce, include_self);
}
const Tensor& index_reduce_(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& source, std::string_view reduce,
    bool include_self) {
  OpScope op("index_reduce_");
  return replace(self, [&](const Tensor& x) { return index_reduce(x, dim, index, source, reduce, include_self); }, source);
}

Tensor as_strided_scatter(const Tensor& x, const Tensor& src, IntList size, IntList stride, std::optional<int64_t> storage_offset) {
  OpScope op("as_strided_scatter");
  TG_CHECK(src.sizes() == size, ShapeError, "src must have the given size ", size, ", got ", src.sizes(), Named{"src", src});
  const Tensor out = clone(x, MemoryFormat::Contiguous);
  copy_(as_strided(out, size, stride, storage_offset), src);
  return out;
}
// A tall matrix has further diagonals below, each after one row left out, when they wrap.
const Tensor& fill_diagonal_(const Tensor& self, Scalar fill_value, bool wrap) {
  OpScope op("fill_diagonal_");
  TG_CHECK(self.dim() >= 2, ShapeError, "input must have at least 2 dimensions, got ", self.dim(), Named{"input", self});
  const IntList size = self.sizes();
  const int64_t rows = size[0], columns = size[1];
  for (int64_t n : size) TG_CHECK(self.dim() == 2 || n == rows, ShapeError,
      "all dimensions of input must be of one size when there are more than 2", Named{"input", self});
  const int64_t step = std::accumulate(self.strides().begin(), self.strides().end(), int64_t(0)),
      period = wrap && self.dim() == 2 ? columns + 1 : rows + 1;
  if (!self.numel()) return self;
  for (int64_t start = 0; start < rows; start += period)
    fill_(as_strided(self, {std::min(columns, rows - start)}, {step}, self.storage_offset() + start * self->strides[0]), fill_value);
  return self;
}
Tensor nonzero_static(const Tensor& x, int64_t size, int64_t fill_value) {
  OpScope op("nonzero_static");
  TG_CHECK(size >= 0, ValueError, "size must not be negative, got ", size);
  const Tensor found = nonzero(x), out = full({size, x.dim()}, fill_value, Dtype::Int64, x.device());
  const int64_t n = std::min(size, found->sizes[0]);
  copy_(narrow(out, 0, 0, n), narrow(found, 0, 0, n));
  return out;
}
std::vector<Tensor> unravel_index(const Tensor& indices, IntList shape) {
  OpScope op("unravel_index");
  TG_CHECK(is_integral(indices.dtype()) && indices.dtype() != Dtype::Bool, DtypeError, "indices must be integers, got ", indices.dtype(),
      Named{"indices", indices});
  for (int64_t n : shape) TG_CHECK(n > 0, ValueError, "shape must be positive, got ", shape);
  std::vector<Tensor> out(shape.size());
  Tensor rest = to(indices, Dtype::Int64);
  for (size_t d = shape.size(); d-- > 0;) {
    const Tensor n{Scalar(shape[d])};
    out[d] = remainder(rest, n), rest = floor_divide(rest, n);
  }
  return out;
}
// Row by row the next combination of positions, in lexicographic order.
Tensor combinations(const Tensor& x, int64_t r, bool with_replacement) {
  OpScope op("combinations");
  TG_CHECK(x.dim() == 1, ShapeError, "input must have 1 dimension, got ", x.dim(), Named{"input", x});
  TG_CHECK(r >= 0, ValueError, "r must not be negative, got ", r);
  const int64_t n = x->sizes[0];
  if (!r) return empty({0}, x.dtype(), x.device());
  std::vector<int64_t> all, now(size_t(r), 0);
  if (!with_replacement) std::iota(now.begin(), now.end(), 0);
  while (n > 0 && now.back() < n && (with_replacement || r <= n)) {
    all.insert(all.end(), now.begin(), now.end());
    const auto most = [&](size_t k) { return with_replacement ? n - 1 : n - r + int64_t(k); };
    size_t k = size_t(r) - 1;
    while (k > 0 && now[k] == most(k)) k--;
    now[k]++;
    for (size_t j = k + 1; j < size_t(r); j++) now[j] = now[j - 1] + !with_replacement;
    if (now[0] > most(0)) break;
  }
  Tensor index = empty({int64_t(all.size())}, Dtype::Int64);
  std::copy(all.begin(), all.end(), index->host<int64_t>());
  return reshape(index_select(x, 0, to(index, x.device())), {int64_t(all.size()) / r, r});
}
Tensor narrow_copy(const Tensor& x, int64_t dim, int64_t start, int64_t length) {
  OpScope op("narrow_copy");
  return clone(narrow(x, dim, start, length), MemoryFormat::Contiguous);
}

// ---- cutting into parts

static int64_t split_dim(const Tensor& x, int64_t dim, int64_t least) {
  TG_CHECK(x.dim() >= least, ShapeError, "input must have at least ", least, " dimensions, got ", x.dim(), Named{"input", x});
  return dim;
}
static std::vector<Tensor> equal_parts(const Tensor& x, int64_t sections, int64_t dim) {
  TG_CHECK(sections > 0 && x->sizes[dim] % sections == 0, ValueError, "the size of dimension ", dim, ", ", x->sizes[dim],
      ", must be a multiple of the number of sections, ", sections, Named{"input", x});
  return tensor_split(x, sections, dim);
}
static int64_t horizontal(const Tensor& x) { return split_dim(x, x.dim() == 1 ? 0 : 1, 1); }
std::vector<Tensor> hsplit(const Tensor& x, int64_t sections) { OpScope op("hsplit"); return equal_parts(x, sections, horizontal(x)); }
std::vector<Tensor> hsplit(const Tensor& x, IntList indices) { OpScope op("hsplit"); return tensor_split(x, indices, horizontal(x)); }
std::vector<Tensor> vsplit(const Tensor& x, int64_t sections) { OpScope op("vsplit"); return equal_parts(x, sections, split_dim(x, 0, 2)); }
std::vector<Tensor> vsplit(const Tensor& x, IntList indices) { OpScope op("vsplit"); return tensor_split(x, indices, split_dim(x, 0, 2)); }
std::vector<Tensor> dsplit(const Tensor& x, int64_t sections) { OpScope op("dsplit"); return equal_parts(x, sections, split_dim(x, 2, 3)); }
std::vector<Tensor> dsplit(const Tensor& x, IntList indices) { OpScope op("dsplit"); return tensor_split(x, indices, split_dim(x, 2, 3)); }
std::vector<Tensor> unsafe_chunk(const Tensor& x, int64_t chunks, int64_t dim) { return chunk(x, chunks, dim); }
std::vector<Tensor> unsafe_split(const Tensor& x, int64_t split_size, int64_t dim) { return split(x, split_size, dim); }
std::vector<Tensor> unsafe_split_with_sizes(const Tensor& x, IntList split_sizes, int64_t dim) { return split(x, split_sizes, dim); }

void selection_ops(OpTable& t) {
  using Parts = std::vector<Tensor> (*)(const Tensor&, int64_t);
  using Places = std::vector<Tensor> (*)(const Tensor&, IntList);
  t.add("put(Tensor input, Tensor index, Tensor source, bool accumulate=False)", static_cast<Tensor (*)(const Tensor&, const Tensor&, const Tensor&, bool)>(&put),
      "input with the elements of source at the indices, which count through input in row-major order; accumulate adds.")
      .method().inplace(&put_).samples({"T(3, 4), C(0, 5, -1), T(3)", "T(3, 4), C([1, 1], [2, 0]), T(4), True", "T(), C(0), T(1)"});
  t.add("index_reduce(Tensor input, int dim, Tensor index, Tensor source, str reduce, *, bool include_self=True)", &index_reduce,
        "input with the slices of source combined into it at the indices along dim: 'prod', 'mean', 'amax' or 'amin', with what was there "
            "unless include_self is False.")
      .method().inplace(&index_reduce_).with_out().samples({"P(3, 4), 0, C(2, 0, 2), P(3, 4), 'prod'", "T(3, 4), 1, C(1, 1), T(3, 2), 'mean'",
          "T(3, 4), -1, C(1, 0), T(3, 2), 'amax', include_self=False", "T(3), 0, C(0, 0), T(2), 'amin'"});
  t.add("as_strided_scatter(Tensor input, Tensor src, int[] size, int[] stride, int? storage_offset=None)", &as_strided_scatter,
      "A copy of input with src where as_strided would look.")
      .method().samples({"T(3, 4, grad=False), T(2, 2), [2, 2], [1, 4], 1", "T(6, grad=False), T(2), [2], [3]"});
  t.add("fill_diagonal_(Tensor input, Scalar fill_value, bool wrap=False)", &fill_diagonal_,
      "Writes a number on the main diagonal; wrap goes on below it in a tall matrix.")
      .method_only().samples({"T(3, 3), 1.5", "T(7, 2), 2.0, wrap=True", "T(7, 2), 2.0", "T(2, 5), 0", "T(3, 3, 3), 1"});
  t.add("nonzero_static(Tensor input, *, int size, int fill_value=-1)", &nonzero_static,
      "The first `size` rows of nonzero, filled up with fill_value.").method().no_grad()
      .samples({"B(3, 4), size=4", "I(3, hi=2), size=5, fill_value=-2", "T(2, 2), size=0"});
  t.add("unravel_index(Tensor indices, int[] shape)", &unravel_index,
      "Positions counted in row-major order as coordinates, a tensor for each dimension of shape.").no_grad()
      .samples({"I(4, hi=12), [3, 4]", "C([5], [11]), [2, 3, 2]", "C(7)[0], [3, 4]"});
  t.add("combinations(Tensor input, int r=2, bool with_replacement=False)", &combinations,
      "All choices of r elements of a vector, in order, one a row.").samples({"T(4)", "T(4), 3", "T(3), 2, True", "T(3), 0", "T(2), 3"});
  t.add("narrow_copy(Tensor input, int dim, int start, int length)", &narrow_copy, "narrow into new memory.").method()
      .with_out().samples({"T(3, 4), 1, 1, 2", "T(5), 0, -2, 1"});
  t.add("hsplit(Tensor input, int sections)", static_cast<Parts>(&hsplit), "Cut into equal parts along dimension 1, or 0 of a vector.")
      .method().samples({"T(2, 4), 2", "T(4), 2"});
  t.add("hsplit(Tensor input, int[] indices)", static_cast<Places>(&hsplit), "Cut before the indices of dimension 1, or 0 of a vector.")
      .method().samples({"T(2, 5), [1, 3]"});
  t.add("vsplit(Tensor input, int sections)", static_cast<Parts>(&vsplit), "Cut into equal parts along dimension 0.").method()
      .samples({"T(4, 2), 2"});
  t.add("vsplit(Tensor input, int[] indices)", static_cast<Places>(&vsplit), "Cut before the indices of dimension 0.").method()
      .samples({"T(5, 2), [1, 3]"});
  t.add("dsplit(Tensor input, int sections)", static_cast<Parts>(&dsplit), "Cut into equal parts along dimension 2.").method()
      .samples({"T(1, 2, 4), 2"});
  t.add("dsplit(Tensor input, int[] indices)", static_cast<Places>(&dsplit), "Cut before the indices of dimension 2.").method()
      .samples({"T(1, 2, 5), [1, 3]"});
  t.add("unsafe_chunk(Tensor input, int chunks, int dim=0)", &unsafe_chunk, "chunk: here it is safe.").method().samples({"T(5, 2), 2"});
  t.add("unsafe_split(Tensor input, int split_size, int dim=0)", &unsafe_split, "split: here it is safe.").method().samples({"T(5, 2), 2"});
  t.add("unsafe_split_with_sizes(Tensor input, int[] split_sizes, int dim=0)", &unsafe_split_with_sizes, "split: here it is safe.")
      .method().samples({"T(5, 2), [1, 4]"});
}

}  // namespace tapegrad
