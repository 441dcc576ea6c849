// The files of the reductions' family.
#pragma once
#include "src/ops/cuda/reduce.h"

namespace tapegrad::cuda {

void fold_sums(const CudaFold& f);      // reduce_sum.cu
void fold_extremes(const CudaFold& f);  // reduce_minmax.cu
void place(const CudaPlace& p);         // reduce_place.cu
void scan_sums(const CudaScan& s);      // scan_sum.cu
void scan_extremes(const CudaScan& s);  // scan_minmax.cu

}  // namespace tapegrad::cuda
