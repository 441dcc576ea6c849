// Products of integers, which cuBLASLt has none of.
#pragma once
#include "src/ops/cuda/matmul.h"

namespace tapegrad::cuda {

/// In the current stream. They wrap around.
void multiply_integers(const CudaProduct& p);

}  // namespace tapegrad::cuda
