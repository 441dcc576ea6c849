// Random numbers on CUDA devices. The counters come from the same generators as on the CPU, and an element takes the same words: the same
// seed gives the same numbers.
#include <cmath>

#include "src/ops/cuda/calls.h"
#include "src/ops/rows.h"

namespace tapegrad {
namespace {

// Counters for n elements, `each` of which one counter serves.
CudaStreamPart reserve(const Generator* g, int64_t n, int64_t each) {
  const RandomStream s(g, (n + each - 1) / each);
  return {s.seed, s.first};
}

// Which elements stay is drawn again for the gradient, so no mask is kept.
struct Drop {
  CudaStreamPart part;
  uint32_t threshold;
  bool below;
  double scale;
};
Tensor dropped(const Tensor& x, const Drop& d);
struct CudaDropoutBackward final : NodeOf<1> {
  Drop drop;
  CudaDropoutBackward(const Tensor& x, const Drop& d) : NodeOf(x), drop(d) {}
  const char* name() const override { return "NativeDropoutBackward0"; }
  void backward(Tensor g, Tensor* dx) override { if (needs(0)) dx[0] = dropped(g, drop); }
};
Tensor dropped(const Tensor& input, const Drop& d) {
  const Tensor x = row_major(input, input.dtype()), y = empty(x.sizes(), x.dtype(), x.device());
  const CudaGuard device(x.device());
  cuda_kernels().random.dropout(d.part, d.threshold, d.below, d.scale, x.dtype(), x->data, y->data, x.numel());
  if (recording(input)) record<CudaDropoutBackward>(y, input, d);
  return y;
}

}  // namespace

void cuda_real(const Tensor& out, const CudaReal& law, const Generator* g) {
  const CudaGuard device(out.device());
  const CudaStreamPart part = reserve(g, out.numel(), out.dtype() == Dtype::Float64 ? 2 : 4);
  if (out.numel()) cuda_kernels().random.real(part, law, out.dtype(), out->data, out.numel());
}
void cuda_whole(const Tensor& out, int64_t low, uint64_t range, const Generator* g) {
  const CudaGuard device(out.device());
  const CudaStreamPart part = reserve(g, out.numel(), range && range <= uint64_t(1) << 32 ? 4 : 2);
  if (out.numel()) cuda_kernels().random.whole(part, low, range, out.dtype(), out->data, out.numel());
}
void cuda_chance(const Tensor& out, uint32_t threshold, const Generator* g) {
  const CudaGuard device(out.device());
  const CudaStreamPart part = reserve(g, out.numel(), 4);
  if (out.numel()) cuda_kernels().random.chance(part, threshold, out.dtype(), out->data, out.numel());
}
void cuda_bernoulli(const Tensor& out, const Tensor& p, const Generator* g) {
  const CudaGuard device(out.device());
  const CudaStreamPart part = reserve(g, out.numel(), 4);
  if (out.numel()) cuda_kernels().random.bernoulli(part, reinterpret_cast<const float*>(p->data), out.dtype(), out->data, out.numel());
}
void cuda_counts(const Tensor& out, const Tensor& a, const Tensor& p, const Generator* g) {
  const CudaGuard device(out.device());
  const CudaStreamPart part = reserve(g, out.numel(), 1);
  const auto numbers = [](const Tensor& t) { return t.defined() ? reinterpret_cast<double*>(t->data) : nullptr; };
  if (out.numel()) cuda_kernels().random.counts(part, numbers(a), numbers(p), numbers(out), out.numel());
}
// float32 drops where a word is below p; the others, as on the CPU, keep where one is below 1 - p in float.
Tensor cuda_dropout(const Tensor& x, double p) {
  const bool below = x.dtype() != Dtype::Float32;
  const uint32_t threshold = below ? uint32_t(std::ceil(double(float(1 - p)) * 0x1p24)) : uint32_t(std::llround(p * 0x1p24));
  return dropped(x, {reserve(nullptr, x.numel(), 4), threshold, below, 1 / (1 - p)});
}

}  // namespace tapegrad
