// Sums and products.
#include "src/cuda/ops/folds.cuh"
#include "src/cuda/ops/reduce.h"

namespace tapegrad::cuda {

void fold_sums(const CudaFold& f) {
  switch (f.kind) {
    case kSum: return run_fold<Sums>(f);
    case kProd: return run_fold<Prods>(f);
    case kSumSquares: return run_real_fold<SumSquares>(f);
    case kSumAbs: return run_real_fold<SumAbs>(f);
    default: return run_real_fold<SumExp>(f);
  }
}

}  // namespace tapegrad::cuda
