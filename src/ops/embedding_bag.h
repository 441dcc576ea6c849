// embedding with scale_grad_by_freq, for the layer of that name.
#pragma once
#include "tapegrad/tensor.h"

namespace tapegrad {

/// embedding whose gradient is divided, row by row, by how often `input` uses that row.
Tensor embedding_by_frequency(const Tensor& input, const Tensor& weight, std::optional<int64_t> padding_idx);

}  // namespace tapegrad
