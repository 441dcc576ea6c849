// The kernels of copy.cu, for copy.cpp.
#pragma once
#include "src/cuda/kernel/walk.h"
#include "src/ops/cpu/elementwise.h"

namespace tapegrad::cuda {

/// To the dtypes that path_between (copy.cpp) sends through c, from any.
KernelEntry cast_kernel(Compute c);
/// Elements of so many bytes as they are; their dtype is said to be uint8, 16, 32, 64 or complex128.
KernelEntry move_kernel(size_t bytes);

/// Planes of rows x cols elements, dense along cols in `to` and along rows in `from`.
struct Planes {
  const char* from;
  char* to;
  uint32_t rows, cols;
  IntDivider across, tiles;            // tiles along cols, and in a plane
  int64_t from_step, to_step;          // bytes between neighbours along cols in `from`, along rows in `to`
  int dims;                            // of planes
  IntDivider size[kMaxDims];
  int64_t from_stride[kMaxDims], to_stride[kMaxDims];
};
constexpr int64_t kPlaneTile = 32;
void transpose(const Planes& p, int64_t tiles, size_t bytes);

}  // namespace tapegrad::cuda
