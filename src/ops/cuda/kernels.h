// The table of device kernels that libtapegrad_cuda.so fills, by family. Pointers in it are to device memory of the current device;
// everything runs in its current stream and returns at once.
#pragma once
#include "src/ops/cuda/elementwise.h"
#include "src/ops/cuda/index.h"
#include "src/ops/cuda/matmul.h"
#include "src/ops/cuda/optim.h"
#include "src/ops/cuda/random.h"
#include "src/ops/cuda/reduce.h"
#include "src/ops/cuda/rows.h"
#include "src/ops/cuda/sort.h"

namespace tapegrad {

struct CudaKernels {
  CudaElementwise elementwise;
  CudaReduce reduce;
  CudaRows rows;
  CudaIndex index;
  CudaSort sort;
  CudaRandom random;
  CudaMatmul matmul;
  CudaOptim optim;
};

}  // namespace tapegrad
