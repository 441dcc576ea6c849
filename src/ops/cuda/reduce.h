// Reductions and scans: src/cuda/ops/reduce_*.cu, scan.cu.
#pragma once
#include "src/ops/cuda/walk.h"

namespace tapegrad {

struct CudaReduce {};

}  // namespace tapegrad
