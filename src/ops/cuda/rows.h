// Rows: softmax, norms, losses: src/cuda/ops/softmax.cu, norm.cu, cross_entropy.cu.
#pragma once
#include "src/ops/cuda/walk.h"

namespace tapegrad {

struct CudaRows {};

}  // namespace tapegrad
