// Sorting and selection: src/cuda/ops/sort.cu, topk.cu, select.cu.
#pragma once
#include "src/ops/cuda/walk.h"

namespace tapegrad {

struct CudaSort {};

}  // namespace tapegrad
