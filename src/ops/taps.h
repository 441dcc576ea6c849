// Weighted reads of planes: sampling, as one linear op that is closed under differentiation.
#pragma once
#include "tapegrad/ops.h"

namespace tapegrad {

/// out[n, c, p] = sum over k of weight[k, n, p] x[n, c, index[k, n, p]]; a negative index reads zero.
/// x (N, C, L), weight and index (K, N, P), index int64 and row-major. Recorded, differentiable any number of times.
Tensor read_taps(const Tensor& x, const Tensor& weight, const Tensor& index);

}  // namespace tapegrad
