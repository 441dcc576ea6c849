// Products: src/cuda/ops/matmul.cpp.
#pragma once
#include "src/ops/cuda/walk.h"

namespace tapegrad {

struct CudaMatmul {};

}  // namespace tapegrad
