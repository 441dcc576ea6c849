// What the index kernels share: places in nested dims, and the bounds of an index.
#pragma once
#include "src/cuda/kernel/fault.cuh"
#include "src/cuda/kernel/cuda.cuh"
#include "src/ops/cuda/index.h"

namespace tapegrad::cuda {

struct Divided { int64_t quotient, rest; };
__device__ inline Divided divided(int64_t i, int64_t n) {
  const int64_t q = (i | n) >> 32 ? i / n : int64_t(uint32_t(i) / uint32_t(n));
  return {q, i - q * n};
}
/// The offset of place i.
__device__ inline int64_t offset_in(const CudaDims& d, int64_t i) {
  int64_t at = 0;
  for (int k = 0; k < d.dims; k++) {
    if (k == d.dims - 1) return at + i * d.stride[k];
    const Divided by = divided(i, d.size[k]);
    at += by.rest * d.stride[k], i = by.quotient;
  }
  return at;
}
struct Faults {
  Fault* record;
  const char* op;
};
inline Faults faults() { return {fault_record(), running_op()}; }
/// An index that may count from the end (from_end) as one that does not, or -1, noted, if it is out of bounds.
__device__ inline int64_t wrapped(int64_t i, int64_t size, int dim, bool from_end, const Faults& f) {
  if (i >= (from_end ? -size : 0) && i < size) return i < 0 ? i + size : i;
  note_fault(f.record, f.op, Fault::kIndex, i, size, dim);
  return -1;
}
__device__ inline int64_t place_of(const CudaPick& p, int64_t i, const Faults& f) {
  return p.bounds ? wrapped(p.at[i], p.size, p.dim, p.from_end, f) : p.at[i];
}

inline constexpr int kIndexBlock = 256;
__device__ inline int64_t thread_number() { return int64_t(blockIdx.x) * kIndexBlock + threadIdx.x; }

}  // namespace tapegrad::cuda
