// Extremes, counts and truth.
#include "src/cuda/ops/folds.cuh"
#include "src/cuda/ops/reduce.h"

namespace tapegrad::cuda {

void fold_extremes(const CudaFold& f) {
  switch (f.kind) {
    case kMax: return run_fold<Maxima>(f);
    case kMin: return run_fold<Minima>(f);
    case kMaxAbs: return run_real_fold<MaxAbs>(f);
    case kMinAbs: return run_real_fold<MinAbs>(f);
    case kCount: return run_fold<Counts>(f);
    default: return run_fold<Alls>(f);
  }
}

}  // namespace tapegrad::cuda
