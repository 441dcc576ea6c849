// Launches of elementwise kernels: a walk becomes 32-bit offsets and groups for wide loads.
#include "src/cuda/ops/elementwise.h"

#include <cstring>
#include <optional>

#include "src/cuda/kernel/cuda.cuh"
#include "src/cuda/ops/copy.h"
#include "src/cuda/ops/families.h"
#include "src/cuda/ops/pieces.h"
#include "src/cuda/runtime/memory.h"

namespace tapegrad::cuda {

namespace {

constexpr Dtype kStored[kAllComputes] = {Dtype::Float32, Dtype::Float64, Dtype::Int64, Dtype::Int32, Dtype::Bool,
                                         Dtype::Complex64, Dtype::Complex128, Dtype::UInt64};
/// Do kernels of this compute type read and write d? As StoredAs in kernel/elementwise.cuh.
bool reads(const KernelEntry& e, Compute c, Dtype d) {
  if (e.any_float) return is_floating(d);
  switch (c) {
    case Compute::F32: return d == Dtype::Float32 || d == Dtype::Float16 || d == Dtype::BFloat16;
    case Compute::I64: return d == Dtype::Int64 || d == Dtype::UInt32;
    case Compute::C128: return is_complex(d);
    case Compute::I32: return d <= Dtype::Int32 || d == Dtype::UInt16;
    default: return d == kStored[int(c)];
  }
}

template <int K> KernelWalk<K> kernel_walk(const CudaWalk& w, int each) {
  KernelWalk<K> p;
  p.first = 0;
  p.lg = 0, p.each = 2, p.wide = false;
  for (int group = each; group >= each / 2 && !p.wide; group /= 2)
    if (can_group(w, group, &p.first)) p.wide = true, p.each = uint8_t(each), p.lg = uint8_t(__builtin_ctz(unsigned(group)));
  if (!p.wide) p.first = 0;
  p.end = p.first + uint32_t(w.numel);
  const int64_t group = int64_t(1) << p.lg;
  p.dims = uint8_t(w.dims > 0 ? w.dims : 1);
  for (int d = 0; d + 1 < p.dims; d++) p.size[d] = IntDivider(uint32_t(d ? w.shape[d] : w.shape[d] / group));
  for (int k = 0; k < K; k++) {
    const CudaArg& from = w.arg[k];
    KernelArg& a = p.arg[k];
    a.dtype = from.dtype;
    a.size = uint8_t(item_size(from.dtype));
    a.group = uint8_t(a.size << p.lg);
    const bool number = !from.data;
    if (number) std::memcpy(a.value, from.number, sizeof a.value);
    for (int d = 0; d < p.dims; d++) p.stride[k][d] = number || w.dims == 0 ? 0 : int32_t(from.stride[d] * (d ? 1 : group));
    a.step = number || w.dims == 0 ? 0 : int32_t(from.stride[0]);
    a.mode = number ? KernelArg::number : k && a.step == 0 ? KernelArg::same : KernelArg::dense;
    a.data = number ? nullptr : from.data - int64_t(p.first) * a.step;
  }
  return p;
}
template <int K> void launch_elementwise(const KernelEntry& e, const Params& params, const CudaWalk& w) {
  const KernelWalk<K> p = kernel_walk<K>(w, e.each);
  const int64_t blocks = divide_up(p.end, int64_t(kThreads) * p.each);
  launch(reinterpret_cast<ElementwiseKernel<K>>(e.kernel), dim3(unsigned(blocks)), dim3(kThreads), 0, p, params);
}

// ---- dtypes that a kernel does not read: cast first

/// A walk over the places of w's operand k (each once), with room for the other operand.
CudaWalk places_of(const CudaWalk& w, int k) {
  CudaWalk p;
  p.args = 2, p.dims = 0, p.numel = 1, p.dense = false;
  for (int d = 0; d < w.dims; d++) {
    if (w.arg[k].stride[d] == 0) continue;
    p.shape[p.dims] = w.shape[d], p.numel *= w.shape[d];
    p.arg[0].stride[p.dims] = p.arg[1].stride[p.dims] = w.arg[k].stride[d];
    p.dims++;
  }
  p.arg[0].data = p.arg[1].data = w.arg[k].data;
  p.arg[0].dtype = p.arg[1].dtype = w.arg[k].dtype;
  return p;
}
void make_dense(CudaArg& a, const CudaWalk& w, char* data, Dtype d) {
  a.data = data, a.dtype = d;
  int64_t stride = int64_t(item_size(d));
  for (int i = 0; i < w.dims; i++) a.stride[i] = stride, stride *= w.shape[i];
}
/// Operand k of w in memory of its own, as dtype d; `to_there`: with its values.
void replace(CudaWalk& w, int k, Dtype d, bool to_there, std::optional<Scratch>& memory) {
  CudaWalk p = places_of(w, k);
  memory.emplace(size_t(p.numel) * item_size(d));
  make_dense(p.arg[0], p, memory->data(), d);
  if (to_there) copy_elements(p);
  CudaArg& a = w.arg[k];
  for (int i = 0, j = 0; i < w.dims; i++) if (a.stride[i]) a.stride[i] = p.arg[0].stride[j++];
  a.data = p.arg[0].data, a.dtype = d;
}

bool run(const KernelEntry& e, const void* params, const CudaWalk& walk) {
  if (!e.kernel) return false;
  if (!walk.numel) return true;
  Params bytes;
  if (e.param_bytes) std::memcpy(bytes.bytes, params, e.param_bytes);
  CudaWalk w = walk;
  std::optional<Scratch> memory[5];
  for (int k = 1; k < w.args; k++) {
    const Compute as = e.mask == k ? Compute::Bool : e.compute;
    CudaArg& a = w.arg[k];
    if (!a.data) convert_number(a, kStored[int(as)]);
    else if (!reads(e, as, a.dtype)) replace(w, k, kStored[int(as)], true, memory[k]);
  }
  const Compute gives = e.gives_bool ? Compute::Bool : e.compute;
  const bool foreign = !reads(e, gives, w.arg[0].dtype);
  if (foreign) replace(w, 0, kStored[int(gives)], false, memory[0]);
  run_elementwise(e, bytes, w);
  if (foreign) {
    CudaWalk back = w;
    back.args = 2;
    back.arg[1] = w.arg[0], back.arg[0] = walk.arg[0];
    copy_elements(back);
  }
  return true;
}

const ElementwiseTable& table() {
  static const ElementwiseTable* const all = [] {
    auto* t = new ElementwiseTable;
    add_arithmetic(*t), add_integers(*t), add_rounding(*t), add_functions(*t), add_activations(*t);
    add_unary_backward(*t), add_backward(*t), add_complex(*t), add_unsigned(*t), add_plain(*t), add_special(*t);
    return t;
  }();
  return *all;
}

}  // namespace

void run_elementwise(const KernelEntry& e, const Params& params, const CudaWalk& w) {
  for_pieces(w, [&](const CudaWalk& piece) {
    switch (e.operands) {
      case 2: return launch_elementwise<2>(e, params, piece);
      case 3: return launch_elementwise<3>(e, params, piece);
      case 4: return launch_elementwise<4>(e, params, piece);
      default: return launch_elementwise<5>(e, params, piece);
    }
  });
}

void fill(CudaElementwise& f) {
  f.forward = [](int inputs, int index, Compute c, const void* params, const CudaWalk& w) {
    return run(table().op[inputs - 1][index].forward[int(c)], params, w);
  };
  f.backward = [](int inputs, int index, int k, Compute c, const void* params, const CudaWalk& w) {
    return run(table().op[inputs - 1][index].backward[k][int(c)], params, w);
  };
  f.plain = [](int inputs, int index, Compute c, const void* params, const CudaWalk& w) {
    return run(table().plain[inputs - 1][index][int(c)], params, w);
  };
  f.special = [](Special which, const CudaWalk& w) { run(table().special[int(which)], nullptr, w); };
  f.copy = copy_elements;
}

}  // namespace tapegrad::cuda
