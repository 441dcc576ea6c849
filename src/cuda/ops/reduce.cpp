#include "src/cuda/ops/reduce.h"

#include "src/cuda/ops/families.h"

namespace tapegrad::cuda {

void fill(CudaReduce& t) {
  t.fold = [](const CudaFold& f) {
    const bool sums =
        f.kind == kSum || f.kind == kProd || f.kind == kSumSquares || f.kind == kSumAbs || f.kind == kSumExp;
    sums ? fold_sums(f) : fold_extremes(f);
  };
  t.place = place;
  t.scan = [](const CudaScan& s) { s.kind <= kScanRecurrence ? scan_sums(s) : scan_extremes(s); };
}

}  // namespace tapegrad::cuda
