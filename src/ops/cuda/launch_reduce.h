// The CUDA side of the leaf functions of reductions and scans. Nothing here is recorded.
#pragma once
#include "src/ops/cuda/reduce.h"
#include "src/ops/reduce.h"

namespace tapegrad {

/// fold_into for a CUDA tensor.
void cuda_fold(const Tensor& out, FoldKind kind, const Tensor& x, uint32_t dims, FoldFinish finish);
/// The largest or smallest elements along dim, which is not empty, and where they are; dim stays, with size 1.
ValuesIndices cuda_places(bool smallest, const Tensor& x, int64_t dim);
/// y = the scan of x along dim, both row-major and of one dtype of CudaScan's, as are `a` and `index` where the kind has them.
void cuda_scan(ScanKind kind, const Tensor& y, const Tensor& x, int64_t dim, bool back = false, const Tensor& a = {},
               const Tensor& index = {});

}  // namespace tapegrad
