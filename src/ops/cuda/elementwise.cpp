// Elementwise ops and copies on CUDA tensors: which operands go as memory, which as numbers.
#include <cstring>

#include "src/ops/copy.h"
#include "src/ops/cuda/launch.h"

namespace tapegrad {

CudaWalk cuda_walk(const Operand* arg, int args) {
  const TensorImpl& out = *arg[0].t;
  Operand in_memory[kMaxArgs] = {};
  int place[kMaxArgs], used = 0;
  CudaWalk w;
  w.args = args;
  for (int k = 0; k < args; k++) {
    const TensorImpl& t = *arg[k].t;
    w.arg[k].dtype = t.dtype;
    if (t.device.type == DeviceType::CUDA) {
      place[used] = k, in_memory[used++] = {&t, Compute::None};
      continue;
    }
    TG_CHECK(t.numel == 1, DeviceError, "all tensors must be on ", out.device, ", got one on ", t.device);
    w.arg[k].data = nullptr;
    std::memcpy(w.arg[k].number, t.data, item_size(t.dtype));
  }
  const Plan plan({out.sizes, out.ndim}, in_memory, used, 1);
  w.dims = plan.dims, w.numel = plan.numel;
  w.dense = plan.dims <= 1;
  std::memcpy(w.shape, plan.shape, sizeof w.shape);
  for (int i = 0; i < used; i++) {
    CudaArg& a = w.arg[place[i]];
    a.data = plan.arg[i].base;
    std::memcpy(a.stride, plan.arg[i].stride, sizeof a.stride);
    w.dense &= plan.numel == 1 || plan.arg[i].stride[0] == int64_t(item_size(a.dtype));
  }
  return w;
}

void cuda_forward(const OpEntry& op, Compute c, const void* params, const Operand* arg) {
  const CudaGuard device(arg[0].t->device);
  const CudaWalk w = cuda_walk(arg, 1 + op.inputs);
  if (w.numel && !cuda_kernels().elementwise.forward(op.inputs, op.index, c, params, w)) arg[0].t->host();  // says that it is missing
}
void cuda_backward(const OpEntry& op, int k, Compute c, const void* params, const Operand* arg, int args) {
  const CudaGuard device(arg[0].t->device);
  const CudaWalk w = cuda_walk(arg, args);
  if (w.numel && !cuda_kernels().elementwise.backward(op.inputs, op.index, k, c, params, w)) arg[0].t->host();
}

void cuda_special(Special f, const Tensor& out, const Tensor& a, const Tensor& b) {
  const CudaGuard device(out.device());
  const Operand arg[] = {{out.get(), Compute::F64}, {a.get(), Compute::F64}, {b.defined() ? b.get() : nullptr, Compute::F64}};
  CudaWalk w = cuda_walk(arg, b.defined() ? 3 : 2);
  if (!b.defined()) w.args = 3, w.arg[2] = {nullptr, Dtype::Float64, {}, {}};  // a number that nobody looks at
  if (w.numel) cuda_kernels().elementwise.special(f, w);
}
void cuda_plain(int inputs, int index, const void* params, const Tensor& out, const Tensor& a, const Tensor& b) {
  const CudaGuard device(out.device());
  const Compute c = compute_for(a.dtype());
  const Operand arg[] = {{out.get(), c}, {a.get(), c}, {b.defined() ? b.get() : nullptr, c}};
  const CudaWalk w = cuda_walk(arg, 1 + inputs);
  if (w.numel && !cuda_kernels().elementwise.plain(inputs, index, c, params, w)) out->host();
}

// On one device.
static void copy_within(const Tensor& dst, const Tensor& src) {
  const CudaGuard device(dst.device());
  const Operand arg[] = {{dst.get(), Compute::None}, {src.get(), Compute::None}};
  cuda_kernels().elementwise.copy(cuda_walk(arg, 2));
}
static void transfer(const Tensor& dst, const Tensor& src, bool non_blocking) {  // dense, of one dtype
  auto index = [](const Tensor& t) { return t.is_cuda() ? int(t.device().index) : -1; };
  cuda_runtime().copy(dst->data, index(dst), src->data, index(src), uint64_t(src.nbytes()), non_blocking);
}
void cuda_copy(const Tensor& dst, const Tensor& src, bool non_blocking) {
  NoGrad off;
  if (!dst.numel()) return;
  if (dst.device() == src.device() || (dst.is_cuda() && src.dim() == 0 && !src.is_cuda())) return copy_within(dst, src);
  if (dst->dtype == src->dtype && dst->contiguous && src->contiguous && dst.numel() == src.numel()) return transfer(dst, src, non_blocking);
  if (dst.is_cuda()) {  // the bytes of src cross over, whatever is to become of them there
    const Tensor from = contiguous(detach(src)), there = empty(src.sizes(), src.dtype(), dst.device());
    transfer(there, from, non_blocking);
    return copy_within(dst, there);
  }
  const Tensor ready = empty(src.sizes(), dst.dtype(), src.device()), here = empty(src.sizes(), dst.dtype());
  copy_within(ready, src);
  transfer(here, ready, false);
  copy_elements(dst, here);
}

void check_same_device(const char* name, const Tensor& x, const char* other_name, const Tensor& other) {
  TG_CHECK(x.device() == other.device(), DeviceError, name, " and ", other_name, " must be on one device, got ", x.device(), " and ", other.device(),
           Named{name, x}, Named{other_name, other});
}

}  // namespace tapegrad
