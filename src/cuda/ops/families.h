// The families of kernels: each fills its struct of CudaKernels (src/ops/cuda/<family>.h).
#pragma once
#include "src/ops/cuda/kernels.h"

namespace tapegrad::cuda {

void fill(CudaElementwise&);
void fill(CudaReduce&);
void fill(CudaRows&);
void fill_norm(CudaRows&);           // called by the one before, as are those below
void fill_norm_backward(CudaRows&);
void fill_norm_sums(CudaRows&);
void fill_cross_entropy(CudaRows&);
void fill(CudaIndex&);
void fill_index_put(CudaIndex&);
void fill_embedding_bag(CudaIndex&);
void fill(CudaSort&);
void fill(CudaRandom&);
void fill(CudaMatmul&);
void fill(CudaOptim&);

}  // namespace tapegrad::cuda
