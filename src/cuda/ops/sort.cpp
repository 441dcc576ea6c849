#include "src/cuda/ops/sort.h"

#include "src/cuda/ops/families.h"

namespace tapegrad::cuda {

void fill(CudaSort& t) { t = {sort_scratch_bytes, sort_rows, search, count_set, write_set}; }

}  // namespace tapegrad::cuda
