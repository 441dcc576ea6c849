// Optimisers over many tensors at once: src/cuda/ops/optim.cu.
#pragma once
#include "src/ops/cuda/walk.h"

namespace tapegrad {

struct CudaOptim {};

}  // namespace tapegrad
