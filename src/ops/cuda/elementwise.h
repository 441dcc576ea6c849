// Elementwise ops and copies: src/cuda/ops/elementwise_*.cu, copy.cu.
#pragma once
#include "src/ops/cpu/elementwise.h"
#include "src/ops/cuda/walk.h"

namespace tapegrad {

enum class Special : uint8_t;

struct CudaElementwise {
  /// The op at `index` of its list in formulas.h over w.arg[1 …] into w.arg[0], computed in c. False: there is no such kernel.
  bool (*forward)(int inputs, int index, Compute c, const void* params, const CudaWalk& w);
  /// The gradient of input k into w.arg[0]; w.arg[1] is the output's, the others what the op's traits say it needs.
  bool (*backward)(int inputs, int index, int k, Compute c, const void* params, const CudaWalk& w);
  /// The same for the lists of formulas_plain.h, which have one input or two.
  bool (*plain)(int inputs, int index, Compute c, const void* params, const CudaWalk& w);
  /// A function of special_math.h over w.arg[1] and w.arg[2]. Any floating dtypes.
  void (*special)(Special f, const CudaWalk& w);
  /// arg[0] = arg[1]: any two dtypes, any strides, or a number.
  void (*copy)(const CudaWalk& w);
};

}  // namespace tapegrad
