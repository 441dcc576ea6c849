// What an elementwise kernel is given: a CudaWalk in 32-bit offsets, cut into groups of elements.
#pragma once
#include "src/cuda/kernel/access.cuh"
#include "src/ops/cpu/elementwise.h"
#include "tapegrad/types.h"

namespace tapegrad::cuda {

constexpr int kThreads = 256;

/// An op's parameters, as bytes: all kernels have one signature.
struct alignas(8) Params {
  unsigned char bytes[48] = {};
};
/// Elements are numbered along the walk and taken in groups of 1 << lg along the innermost dim.
struct KernelArg {
  enum Mode : uint8_t { dense, same, number };  // along the innermost dim
  char* data;
  alignas(16) unsigned char value[16];          // a number, in the compute type
  int32_t step;                                 // bytes from one element of a group to the next
  Dtype dtype;                                  // of a number: of the compute type
  Mode mode;
  uint8_t size, group;                          // bytes of an element and of a group
};
template <int K> struct KernelWalk {
  uint32_t first, end;                          // the elements that there are: the bases are those of element 0, which may be missing
  uint8_t dims, lg, each;                       // each: elements of a thread, in one group or more, kThreads groups apart
  bool wide;                                    // whole groups move at once
  IntDivider size[kMaxDims];                    // innermost first, in groups; the last is not used
  int32_t stride[K][kMaxDims];                  // bytes, innermost first: from group to group
  KernelArg arg[K];                             // 0: the output
};
template <int K> using ElementwiseKernel = void (*)(KernelWalk<K>, Params);
/// One of the kernels, and what its launcher has to know.
struct KernelEntry {
  void (*kernel)() = nullptr;                                 // an ElementwiseKernel<operands>
  uint8_t operands = 0, mask = 0, each = 0, param_bytes = 0;  // mask: 0, or which of the operands is a bool
  Compute compute = Compute::None;                            // in what
  bool gives_bool = false;                                    // unlike the inputs
  bool any_float = false;                                     // reads and writes all floating dtypes
};

}  // namespace tapegrad::cuda
