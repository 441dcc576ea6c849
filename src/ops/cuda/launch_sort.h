// The CUDA side of the leaf functions of sorting, searching and selection. Nothing here is recorded.
#pragma once
#include "tapegrad/ops.h"

namespace tapegrad {

/// The first k along d in order, and where they were; stable. x has elements.
ValuesIndices cuda_first_in_order(const Tensor& x, int64_t d, int64_t k, bool descending);
/// Of lines sorted along d, the rank (d stays, with size 1) of the lower middle one; of the first NaN, if there is one and they count.
Tensor cuda_middle_rank(const Tensor& sorted, int64_t d, bool skip_nan);
/// The rank of the last of the smallest value among the most frequent.
Tensor cuda_mode_rank(const Tensor& sorted, int64_t d);
/// Where values (row-major) would be inserted into the sorted lines along the last dimension of `sorted` (row-major, one line, or one
/// for each of the values' lines). Both of one dtype.
Tensor cuda_search(const Tensor& sorted, const Tensor& values, bool right);
/// Positions of the elements that are not zero: int64[x.dim(), n]. Waits for the device.
Tensor cuda_nonzero(const Tensor& x);

/// Equal neighbours of n rows (along dimension 0 of `rows`), which are put in order first unless `consecutive`: where the first of each
/// run was, which run each row belongs to, how many are in a run.
struct EqualRuns {
  Tensor firsts, inverse, counts;
};
EqualRuns cuda_runs(const Tensor& rows, bool consecutive);
/// How often each of 0 … bins - 1 is in `values`, int64, or the sum of its weights.
Tensor cuda_counts(const Tensor& values, int64_t bins, const Tensor& weights = {});

}  // namespace tapegrad
