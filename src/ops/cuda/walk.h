// How device kernels see tensors: plain structs, since the plugin (src/cuda) is built apart from the core.
#pragma once
#include <stdint.h>

#include "tapegrad/types.h"

namespace tapegrad {

/// An operand of a strided problem. A number stands where a 0-d CPU tensor or a Python number was given: it travels with the launch.
struct CudaArg {
  char* data;                          // null: a number
  Dtype dtype;                         // in memory (or of the number)
  alignas(16) char number[16];
  int64_t stride[kMaxDims];            // bytes, innermost first; 0 where broadcast
};
/// An N-d problem with its dims sorted by the output's strides and merged. arg[0] is the output.
struct CudaWalk {
  static constexpr int kArgs = 6;
  int args, dims;
  bool dense;                          // every operand is a number, or dense in one order (then dims <= 1)
  int64_t numel, shape[kMaxDims];      // innermost first
  CudaArg arg[kArgs];
};

}  // namespace tapegrad
