// Random numbers and dropout: src/cuda/ops/random.cu.
#pragma once
#include "src/ops/cuda/walk.h"

namespace tapegrad {

struct CudaRandom {};

}  // namespace tapegrad
