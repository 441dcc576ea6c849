// Copies on one device.
#pragma once
#include "src/ops/cuda/walk.h"

namespace tapegrad::cuda {

/// arg[0] = arg[1], which may be a number: any two dtypes, any strides.
void copy_elements(const CudaWalk& w);
/// A number in another dtype.
void convert_number(CudaArg& a, Dtype to);

}  // namespace tapegrad::cuda
