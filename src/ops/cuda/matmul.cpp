// Products on CUDA devices: leading dimensions become launches of strided batches.
#include "src/ops/cuda/matmul.h"

#include <algorithm>
#include <atomic>

#include "src/ops/cuda/kernels.h"
#include "src/ops/gemm.h"
#include "src/tensor/cuda.h"

namespace tapegrad {
namespace {

std::atomic<bool> tf32 = false;

// Leading dimensions with those of size 1 left out and those merged that one stride for each operand leads through.
struct Lead {
  size_t dims = 0;
  int64_t size[kMaxDims], a[kMaxDims], b[kMaxDims], c[kMaxDims];  // c in matrices

  explicit Lead(const BatchedGemm& g) {
    int64_t inner = g.count;
    for (size_t d = 0; d < g.size.size(); d++) {
      const int64_t n = g.size[d], p = g.a_stride[d], q = g.b_stride[d];
      if (n == 1) continue;
      inner /= n;
      if (dims && a[dims - 1] == p * n && b[dims - 1] == q * n) size[dims - 1] *= n, dims--;
      else size[dims] = n;
      a[dims] = p, b[dims] = q, c[dims] = inner, dims++;
    }
  }
  /// The dimension that is left to the library.
  size_t longest() const { return size_t(std::max_element(size, size + dims) - size); }
};

}  // namespace

int64_t cuda_launches(const BatchedGemm& g) {
  const Lead lead(g);
  return lead.dims ? g.count / lead.size[lead.longest()] : 1;
}

bool cuda_gemm(const BatchedGemm& g) {
  const Lead lead(g);
  const int64_t item = int64_t(item_size(g.dtype));
  CudaProduct p{g.dtype, tf32, g.add, 1, {g.a, g.m, g.k, g.a_row, g.a_col, 0}, {g.b, g.k, g.n, g.b_row, g.b_col, 0}, g.c, g.n, 0, g.bias,
                g.gelu, g.before_gelu, g.row_sums};
  const size_t batch = lead.dims ? lead.longest() : 0;
  if (lead.dims) p.count = lead.size[batch], p.a.batch = lead.a[batch], p.b.batch = lead.b[batch], p.c_batch = lead.c[batch] * g.m * g.n;
  const CudaGuard on(g.device);
  for (int64_t i = 0, launches = g.count / p.count; i < launches; i++) {
    int64_t rest = i, at[3] = {};
    for (size_t d = lead.dims; d-- > 0;) {
      if (d == batch) continue;
      const int64_t k = rest % lead.size[d];
      rest /= lead.size[d], at[0] += k * lead.a[d], at[1] += k * lead.b[d], at[2] += k * lead.c[d] * g.m * g.n;
    }
    p.a.data = g.a + at[0] * item, p.b.data = g.b + at[1] * item, p.c = g.c + at[2] * item;
    if (!cuda_kernels().matmul.product(p)) return false;  // all launches are of one kind: it is the first
  }
  return true;
}

void allow_tf32(bool allow) { tf32 = allow; }
bool tf32_allowed() { return tf32; }

}  // namespace tapegrad
