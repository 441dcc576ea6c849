// Sorting, searching and selection of CUDA tensors. Less common ops are made of sort, scans and gathers.
#include "src/ops/cuda/launch_sort.h"

#include "src/ops/cuda/launch.h"
#include "src/ops/cuda/launch_reduce.h"
#include "src/ops/typed.h"
#include "src/ops/view.h"

namespace tapegrad {
namespace {

Tensor dim_last(const Tensor& x, int64_t d) {
  return contiguous(x.dim() > 1 && d != x.dim() - 1 ? movedim(x, d, -1) : x);
}
Tensor dim_back(const Tensor& x, int64_t d) {
  return x.dim() > 1 && d != x.dim() - 1 ? contiguous(movedim(x, -1, d)) : x;
}
Tensor vector_of(const Tensor& x) { return x.dim() == 1 ? x : reshape(x, {-1}); }
Tensor columns_set(const Tensor& flags) {
  const CudaGuard device(flags.device());
  const CudaSort& kernels = cuda_kernels().sort;
  const int64_t n = flags.numel();
  const auto* bytes = reinterpret_cast<const uint8_t*>(flags->data);
  const Tensor counts = empty({(n + CudaSort::kSetPiece - 1) / CudaSort::kSetPiece}, Dtype::Int64, flags.device());
  int64_t found = 0;
  if (n) {
    kernels.count_set(bytes, n, counts.data_ptr<int64_t>());
    cuda_scan(kScanSum, counts, counts, 0);
    found = select(counts, 0, -1).item<int64_t>();
  }
  const Tensor out = empty({flags.dim(), found}, Dtype::Int64, flags.device());
  if (out.numel())
    kernels.write_set(bytes, n, counts.data_ptr<int64_t>(), int(flags.dim()), flags->sizes, found,
                      out.data_ptr<int64_t>());
  return out;
}
// Does each element along d differ from the one before it? The first does. Of one NaN and another: as `nan_differs` says.
Tensor begins_run(const Tensor& x, int64_t d, bool nan_differs) {
  const int64_t n = size_of(x, d);
  const Tensor a = narrow(x, d, 0, n - 1), b = narrow(x, d, 1, n - 1);
  Tensor changed = ne(a, b);
  if (!nan_differs && is_floating(x.dtype())) changed = logical_and(changed, logical_or(eq(a, a), eq(b, b)));
  Shape first(x.sizes());
  first[size_t(d)] = 1;
  return cat({full(first, true, Dtype::Bool, x.device()), changed}, d);
}

}  // namespace

ValuesIndices cuda_first_in_order(const Tensor& x, int64_t d, int64_t k, bool descending) {
  if (x.dtype() > Dtype::Float64) refuse_dtype(x.dtype());
  NoGrad off;
  const Tensor lines = dim_last(x, d);
  Shape size(lines.sizes());
  if (x.dim()) size[size.size() - 1] = k;
  const Tensor values = empty(size, x.dtype(), x.device()), indices = empty(size, Dtype::Int64, x.device());
  const int64_t n = size_of(x, d), rows = x.numel() / n, item = int64_t(item_size(x.dtype()));
  TG_CHECK(n < CudaSort::kMostElements, NotImplementedError, "not implemented on CUDA for ", n,
           " elements along a dimension; sort on the CPU");
  const int64_t group = std::min(rows, (CudaSort::kMostElements - 1) / n);
  const CudaGuard device(x.device());
  const CudaSort& kernels = cuda_kernels().sort;
  const Tensor scratch = empty({int64_t(kernels.scratch_bytes(group, n, x.dtype()))}, Dtype::UInt8, x.device());
  for (int64_t r = 0; r < rows; r += group)
    kernels.sort_rows({x.dtype(), lines->data + r * n * item, values->data + r * k * item,
                       indices.data_ptr<int64_t>() + r * k, std::min(group, rows - r), n, k, descending, scratch->data});
  return {dim_back(values, d), dim_back(indices, d)};
}

Tensor cuda_middle_rank(const Tensor& sorted, int64_t d, bool skip_nan) {
  const int64_t n = size_of(sorted, d);
  const Tensor nans = sum(ne(sorted, sorted), d, true);  // they are last
  const Tensor numbers = n - nans;
  const Tensor middle = floor_divide(clamp_min(numbers - 1, Scalar(0)), Tensor(Scalar(2)));
  return skip_nan ? middle : where(nans > 0, numbers, middle);
}
Tensor cuda_mode_rank(const Tensor& sorted, int64_t d) {
  Shape along(size_t(std::max<int64_t>(sorted.dim(), 1)), 1);
  along[size_t(d)] = size_of(sorted, d);
  const Tensor rank = reshape(arange(size_of(sorted, d), Dtype::Int64, sorted.device()), along);
  const Tensor lines = sorted.dim() ? sorted : reshape(sorted, {1});
  const Tensor begin = cummax(where(begins_run(lines, d, false), rank, Tensor(Scalar(0))), d).values;
  const Tensor at = argmax(rank - begin, d, true);
  return sorted.dim() ? at : reshape(at, {});
}

Tensor cuda_search(const Tensor& sorted, const Tensor& values, bool right) {
  const Tensor out = empty(values.sizes(), Dtype::Int64, values.device());
  const int64_t length = sorted.size(-1), rows = sorted.dim() == 1 ? 1 : sorted.numel() / std::max<int64_t>(length, 1);
  if (!out.numel()) return out;
  if (sorted.dtype() > Dtype::Float64) refuse_dtype(sorted.dtype());
  const CudaGuard device(values.device());
  cuda_kernels().sort.search({sorted.dtype(), sorted->data, values->data, out.data_ptr<int64_t>(), values.numel(),
                              length, sorted.dim() == 1 || !rows ? 0 : values.numel() / rows, right});
  return out;
}

Tensor cuda_nonzero(const Tensor& x) {
  return columns_set(contiguous(x.dtype() == Dtype::Bool ? x : ne(x, Tensor(Scalar(0)))));
}

EqualRuns cuda_runs(const Tensor& rows, bool consecutive) {
  const int64_t n = rows->sizes[0];
  Tensor order = arange(n, Dtype::Int64, rows.device());
  if (!n) return {order, order, order};
  const Tensor wide = reshape(rows, {n, -1});
  if (!consecutive)
    for (int64_t c = wide->sizes[1]; c-- > 0;)  // by the last column first: each sort keeps the order of equals
      order =
          index_select(order, 0, cuda_first_in_order(index_select(select(wide, 1, c), 0, order), 0, n, false).indices);
  Tensor begins = begins_run(index_select(wide, 0, order), 0, true);
  begins = any(begins, 1);
  const Tensor places = vector_of(cuda_nonzero(begins));
  const Tensor run = cumsum(begins, 0) - 1;
  const Tensor ends = cat({narrow(places, 0, 1, places.numel() - 1), full({1}, n, Dtype::Int64, rows.device())}, 0);
  return {index_select(order, 0, places), scatter(empty_like(run), 0, order, run), ends - places};
}
Tensor cuda_counts(const Tensor& values, int64_t bins, const Tensor& weights) {
  const Tensor ones = weights.defined() ? weights : full(values.sizes(), 1, Dtype::Int64, values.device());
  return index_add(zeros({bins}, ones.dtype(), values.device()), 0, values, ones);
}

}  // namespace tapegrad
