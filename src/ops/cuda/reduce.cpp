// Reductions and scans of CUDA tensors: plans, second passes and the dtypes that kernels do not read.
#include "src/ops/cuda/launch_reduce.h"

#include "src/ops/cuda/launch.h"
#include "src/ops/rows.h"

namespace tapegrad {
namespace {

// Kernels read bool, uint8, int32, int64 and floats.
Tensor readable(const Tensor& x) {
  const Dtype d = x.dtype();
  const bool as_it_is =
      is_floating(d) || d == Dtype::Bool || d == Dtype::UInt8 || d == Dtype::Int32 || d == Dtype::Int64;
  return as_it_is ? x : to(x, Dtype::Int64);
}
FoldPlan plan_of(const Tensor& x, uint32_t dims) {
  return plan_fold(x->sizes, x->strides, int(x.dim()), dims, int(item_size(x.dtype())));
}
// Row-major, with the reduced dims last, where they are one.
Tensor reduced_last(const Tensor& x, uint32_t& dims) {
  Shape order, size;
  for (int64_t d = 0; d < x.dim(); d++)
    if (!(dims >> d & 1)) order.push_back(d), size.push_back(x->sizes[d]);
  for (int64_t d = 0; d < x.dim(); d++)
    if (dims >> d & 1) order.push_back(d);
  const int64_t each = reduced_count(x, dims);
  dims = uint32_t(1) << size.size();
  size.push_back(each);
  return reshape(contiguous(permute(x, order)), size);
}
// What joins accumulators of `kind`.
FoldKind joiner(FoldKind kind) {
  switch (kind) {
    case kSumSquares:
    case kSumAbs:
    case kSumExp:
    case kCount: return kSum;
    case kMaxAbs: return kMax;
    case kMinAbs:
    case kAll: return kMin;
    default: return kind;
  }
}

}  // namespace

void cuda_fold(const Tensor& out, FoldKind kind, const Tensor& x_in, uint32_t dims, FoldFinish finish) {
  NoGrad off;
  if (!x_in.numel()) {  // the same number everywhere
    const Tensor one = empty({}, out.dtype());
    fold_into(one, kind, empty({0}, x_in.dtype()), 1, {.divide = finish.divide, .root = finish.root});
    return cuda_copy(out, one);
  }
  if (out.dtype() > Dtype::Float64) {  // uint16 and wider
    const Tensor wide = empty(out.sizes(), Dtype::Int64, out.device());
    cuda_fold(wide, kind, x_in, dims, finish);
    return cuda_copy(out, wide);
  }
  Tensor x = readable(x_in);
  FoldPlan plan = plan_of(x, dims);
  if (!plan.fits()) x = reduced_last(x, dims), plan = plan_of(x, dims);
  const double* shift = finish.shift ? reinterpret_cast<const double*>((*finish.shift)->data) : nullptr;
  const CudaGuard device(x.device());
  const CudaReduce& kernels = cuda_kernels().reduce;
  if (plan.chunks == 1)
    return kernels.fold({kind, x.dtype(), out.dtype(), x->data, out->data, shift, finish.divide, finish.root, plan});
  const Dtype wide = accumulator_dtype(kind, x.dtype());
  const Tensor parts = empty({plan.results, plan.chunks}, wide, x.device());
  kernels.fold({kind, x.dtype(), wide, x->data, parts->data, shift, 1, false, plan});
  kernels.fold(
      {joiner(kind), wide, out.dtype(), parts->data, out->data, nullptr, finish.divide, finish.root, plan_join(plan)});
}

ValuesIndices cuda_places(bool smallest, const Tensor& x_in, int64_t dim) {
  NoGrad off;
  const Tensor x = readable(x_in);
  const Shape size = reduced_shape(x.sizes(), uint32_t(1) << dim, true);
  const Tensor value = empty(size, x.dtype(), x.device()), index = empty(size, Dtype::Int64, x.device());
  if (value.numel()) {
    const CudaGuard device(x.device());
    const FoldPlan plan = plan_of(x, uint32_t(1) << dim);
    const Tensor parts = plan.chunks > 1 ? empty({plan.results * plan.chunks * 2}, Dtype::Int64, x.device()) : Tensor();
    cuda_kernels().reduce.place({smallest, x.dtype(), x->data, value->data, reinterpret_cast<int64_t*>(index->data),
                                 parts.defined() ? parts->data : nullptr, plan});
  }
  return {cast_back(value, x_in.dtype()), index};
}

void cuda_scan(ScanKind kind, const Tensor& y, const Tensor& x, int64_t dim, bool back, const Tensor& a,
               const Tensor& index) {
  if (!x.numel()) return;
  const CudaGuard device(x.device());
  const Split s(x, dim);
  const ScanPlan plan = plan_scan(s.outer, s.n, s.inner);
  const Tensor totals =
      plan.chunks > 1 ? empty({plan.lines() * plan.chunks * CudaScan::kTotal}, Dtype::UInt8, x.device()) : Tensor();
  auto data = [](const Tensor& t) { return t.defined() ? t->data : nullptr; };
  cuda_kernels().reduce.scan(
      {kind, x.dtype(), x->data, data(a), y->data, reinterpret_cast<int64_t*>(data(index)), back, data(totals), plan});
}

}  // namespace tapegrad
