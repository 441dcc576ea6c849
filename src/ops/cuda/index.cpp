// Indexing of CUDA tensors. Which rows go to one place is found by a stable sort, so that sums have a fixed order.
#include "src/ops/cuda/calls.h"
#include "src/ops/cuda/launch.h"

namespace tapegrad {
namespace {

template <int N> CudaDims dims_of(const Walk<N>& w, int operand = 0) {
  CudaDims d{int(w.size.size()), w.count, {}, {}};
  for (int k = 0; k < d.dims; k++) {
    d.size[k] = w.size[size_t(d.dims - 1 - k)];
    d.stride[k] = w.stride[operand][size_t(d.dims - 1 - k)];
  }
  return d;
}
CudaPick pick_of(const Rows& rows) {
  return {dims_of(rows.before), dims_of(rows.after), reinterpret_cast<const int64_t*>(rows.offsets->data), rows.offsets.numel(),
          rows.stride, rows.places, rows.dim, rows.bounds, rows.from_end};
}
int64_t count(const CudaPick& p) { return p.before.count * p.n * p.after.count; }

void set(const Tensor& x, const CudaPick& p, const Tensor& values) {
  const bool one = values.numel() == 1;
  TG_CHECK(p.n < UINT32_MAX, NotImplementedError, "more than 2^32 indices on CUDA; write in parts", Named{"input", x});
  const Tensor owner = one || p.n == 1 ? Tensor() : zeros({p.size}, Dtype::Int32, x.device());
  cuda_kernels().index.set_rows(p, x->data, values->data, one, owner.defined() ? reinterpret_cast<uint32_t*>(owner->data) : nullptr, int(x.element_size()));
}
void fold(const Tensor& x, const CudaPick& p, const Tensor& values, bool one, CudaPut how, double alpha) {
  const CudaIndex& k = cuda_kernels().index;
  const Tensor places = empty({p.n}, Dtype::Int64, x.device());
  k.places(p, reinterpret_cast<int64_t*>(places->data));
  const ValuesIndices sorted = sort(p.size < INT32_MAX ? to(places, Dtype::Int32) : places, 0, false, true);  // half the passes
  const Tensor in_order = to(sorted.values, Dtype::Int64), partial = empty({cuda_fold_bytes(p)}, Dtype::UInt8, x.device());
  k.fold_rows(p, how, real_dtype(x.dtype()), x->data, values->data, one, alpha, reinterpret_cast<const int64_t*>(in_order->data),
              reinterpret_cast<const int64_t*>(sorted.indices->data), partial->data);
}
// A complex number as two real ones, side by side.
void split_complex(CudaPick& p) {
  for (int d = 0; d < p.before.dims; d++) p.before.stride[d] *= 2;
  CudaDims& a = p.after;
  TG_CHECK(a.dims < kMaxDims, ShapeError, "too many dimensions for complex numbers on CUDA");
  for (int d = a.dims++; d > 0; d--) a.size[d] = a.size[d - 1], a.stride[d] = a.stride[d - 1] * 2;
  a.size[0] = 2, a.stride[0] = 1, a.count *= 2, p.stride *= 2;
}
void put(const Tensor& x, CudaPick p, const Tensor& given, CudaPut how, Scalar alpha) {
  if (!count(p)) return;
  NoGrad off;
  const CudaGuard device(x.device());
  const bool one = given.numel() == 1;
  if (!one) check_same_device("input", x, "values", given);
  Tensor values = one ? to(given, x.device()) : contiguous(given);
  if (how == CudaPut::Set) return set(x, p, values);
  if (!x.is_complex()) {
    TG_CHECK(x.dtype() <= Dtype::Float64, NotImplementedError, "not implemented on CUDA for ", x.dtype(), Named{"input", x});
    return fold(x, p, values, one, how, alpha.to_double());
  }
  TG_CHECK(how == CudaPut::Add, NotImplementedError, "products of complex numbers at indices are not implemented on CUDA", Named{"input", x});
  if (alpha.is_complex()) values = values * Tensor(alpha), alpha = 1;
  if (one) values = contiguous(expand(values, {count(p)}));
  split_complex(p);
  fold(x, p, values, false, how, alpha.to_double());
}
// Places of the elements of an index with as many dims as x; x's strides, none along dim.
CudaDims line_places(const Tensor& x, int64_t dim, const Tensor& index) {
  Walk<1> w;
  for (int64_t d = 0; d < index.dim(); d++) w.add(index->sizes[d], d == dim || !x.dim() ? 0 : x->strides[d]);
  return dims_of(w);
}
CudaIndexPart along(const Tensor& x, int64_t dim, const Tensor& index) {
  return {reinterpret_cast<const int64_t*>(index->data), size_of(x, dim), x.dim() ? x->strides[dim] : 0, int(dim)};
}
// One more than the largest offset of an element of x.
int64_t reach(const Tensor& x) {
  int64_t n = 1;
  for (int64_t d = 0; d < x.dim(); d++) n += (x->sizes[d] - 1) * x->strides[d];
  return n;
}

}  // namespace

void cuda_offsets(const Tensor& x, Rows& rows, TensorList indices, IntList dims) {
  rows.bounds = indices.size() == 1, rows.stride = 1, rows.places = 1;
  if (rows.bounds) {  // the kernels that read and write rows look at the bounds
    rows.offsets = contiguous(indices[0]);
    rows.dim = int(dims[0]), rows.places = size_of(x, dims[0]), rows.stride = x.dim() ? x->strides[dims[0]] : 0;
    return;
  }
  const int64_t n = indices[0].numel();
  std::vector<Tensor> kept;
  std::vector<CudaIndexPart> parts;
  for (size_t k = 0; k < indices.size(); k++) {
    kept.push_back(contiguous(indices[k]));
    parts.push_back(along(x, dims[k], kept.back()));
    rows.places += (x->sizes[dims[k]] - 1) * x->strides[dims[k]];
  }
  rows.offsets = empty(indices[0].sizes(), Dtype::Int64, x.device());
  const CudaGuard device(x.device());
  if (n) cuda_kernels().index.offsets(parts.data(), int(parts.size()), n, reinterpret_cast<int64_t*>(rows.offsets->data));
}
Tensor cuda_get_rows(const Tensor& x, const Rows& rows) {
  const Tensor out = empty(rows.size, x.dtype(), x.device());
  const CudaGuard device(x.device());
  if (out.numel()) cuda_kernels().index.get_rows(pick_of(rows), x->data, out->data, int(x.element_size()));
  return out;
}
void cuda_put_rows(const Tensor& x, const Rows& rows, const Tensor& values, Put what, Scalar alpha) {
  put(x, pick_of(rows), values, what == Put::Set ? CudaPut::Set : CudaPut::Add, alpha);
}

Tensor cuda_gather(const Tensor& x, int64_t dim, const Tensor& index) {
  const Tensor out = empty(index.sizes(), x.dtype(), x.device());
  const CudaGuard device(x.device());
  if (out.numel())
    cuda_kernels().index.gather(line_places(x, dim, index), along(x, dim, index), x->data, out->data, int(x.element_size()));
  return out;
}
void cuda_scatter(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src, CudaPut how) {
  const CudaGuard device(x.device());
  const Tensor offsets = empty({index.numel()}, Dtype::Int64, x.device());
  cuda_kernels().index.line_offsets(line_places(x, dim, index), along(x, dim, index), reinterpret_cast<int64_t*>(offsets->data));
  const CudaDims none{0, 1, {}, {}};
  put(x, {none, none, reinterpret_cast<const int64_t*>(offsets->data), index.numel(), 1, reach(x), int(dim), false, false}, src, how, 1);
}

static int64_t* integers(const Tensor& t) { return t.defined() ? reinterpret_cast<int64_t*>(t->data) : nullptr; }
void cuda_fill_bags(EmbeddingBags p, const Tensor& index, const Tensor& starts, const Tensor& weight, const Tensor& scale, const Tensor& out,
                    const Tensor& kept) {
  p.index = integers(index), p.start = integers(starts);
  const CudaGuard device(weight.device());
  cuda_kernels().index.fill_bags(p, weight.dtype(), weight->data, scale.defined() ? scale->data : nullptr, out->data, integers(kept));
}
void cuda_bag_entries(EmbeddingBags p, const Tensor& index, const Tensor& starts, const Tensor& row, const Tensor& bag) {
  p.index = integers(index), p.start = integers(starts);
  const CudaGuard device(row.device());
  cuda_kernels().index.bag_entries(p, integers(row), integers(bag));
}

}  // namespace tapegrad
