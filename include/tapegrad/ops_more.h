// Ops that fewer programs need, under the conventions of ops.h; special functions are in special.h.
// Headings name the source file, as there.
#pragma once
#include "tapegrad/ops.h"

namespace tapegrad {

// ## grid_sample
/// x (N, C, H, W) read at the points of grid (N, H', W', 2), or x (N, C, D, H, W) at (N, D', H', W', 3): coordinates x, y(, z) in
/// [-1, 1]. mode "bilinear", "nearest" or "bicubic" (2-d only); padding_mode "zeros", "border" or "reflection".
TG_API Tensor grid_sample(const Tensor& x, const Tensor& grid, std::string_view mode = "bilinear", std::string_view padding_mode = "zeros", bool align_corners = false);
/// The grid that maps a result of `size` (N, C, H, W) through theta (N, 2, 3), or (N, C, D, H, W) through (N, 3, 4).
TG_API Tensor affine_grid(const Tensor& theta, IntList size, bool align_corners = false);

// ## ctc_loss
/// -log of the probability that a path through log_probs (T, N, C) spells the targets: (N, S) or all in a row.
TG_API Tensor ctc_loss(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths, const Tensor& target_lengths, int64_t blank = 0, std::string_view reduction = "mean", bool zero_infinity = false);

// ## embedding_bag
/// Rows of weight summed (or "mean", "max") by bags: the rows of indices (B, L), or pieces of a vector that begin at the offsets.
TG_API Tensor embedding_bag(const Tensor& indices, const Tensor& weight, const Tensor& offsets = {}, std::string_view mode = "mean", const Tensor& per_sample_weights = {}, bool include_last_offset = false, std::optional<int64_t> padding_idx = {}, bool scale_grad_by_freq = false);

}  // namespace tapegrad
