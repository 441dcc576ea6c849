// Each family's part of the table of kernels, filled by its file; called by plugin.cpp.
#pragma once
#include "src/ops/cuda/kernels.h"

namespace tapegrad::cuda {

void fill_softmax(CudaRows&);
void fill_norm(CudaRows&);
void fill_cross_entropy(CudaRows&);
inline void fill(CudaRows& t) { fill_softmax(t), fill_norm(t), fill_cross_entropy(t); }
void fill_index(CudaIndex&);
void fill_index_put(CudaIndex&);
inline void fill(CudaIndex& t) { fill_index(t), fill_index_put(t); }
void fill(CudaRandom&);
void fill(CudaOptim&);

}  // namespace tapegrad::cuda
