// Gather, scatter, embedding, masks: src/cuda/ops/index.cu, embedding.cu.
#pragma once
#include "src/ops/cuda/walk.h"

namespace tapegrad {

struct CudaIndex {};

}  // namespace tapegrad
