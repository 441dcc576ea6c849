// Stand-ins until reduce.cpp is there: weak, so that its definitions take over.
#include "src/ops/copy.h"
#include "tapegrad/ops.h"

namespace tapegrad {

[[gnu::weak]] Tensor sum_to_size(const Tensor& x, IntList size) {
  if (x.sizes() == size) return x;
  NoGrad off;
  Tensor y = zeros(size, Dtype::Float64), v = contiguous(to(x, Dtype::Float64));
  auto* to_ = reinterpret_cast<double*>(y->data);
  auto* from = reinterpret_cast<const double*>(v->data);
  for (int64_t i = 0; i < v->numel; i++) {
    int64_t rest = i, at = 0, step = 1;
    for (int64_t d = 0; d < v.dim(); d++) {
      const int64_t k = v.dim() - 1 - d, j = rest % v->sizes[k], e = y.dim() - 1 - d;
      rest /= v->sizes[k];
      if (e < 0) continue;
      if (y->sizes[e] != 1) at += j * step;
      step *= y->sizes[e];
    }
    to_[at] += from[i];
  }
  return to(y, x->dtype);
}
[[gnu::weak]] Tensor sum(const Tensor& x, IntList, bool, std::optional<Dtype>) { return sum_to_size(x, IntList()); }
[[gnu::weak]] Tensor any(const Tensor& x, IntList, bool) { return to(sum(to(x, Dtype::Bool)), Dtype::Bool); }

}  // namespace tapegrad
