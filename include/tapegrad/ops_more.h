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

// ## elementwise_more
TG_API Tensor float_power(const Tensor& x, const Tensor& exponent);  ///< pow in float64
TG_API const Tensor& float_power_(const Tensor& self, const Tensor& exponent);
TG_API std::tuple<Tensor, Tensor> frexp(const Tensor& x);            ///< mantissa in [0.5, 1), int32 exponent
TG_API Tensor ldexp(const Tensor& x, const Tensor& other);           ///< x 2^other
TG_API const Tensor& ldexp_(const Tensor& self, const Tensor& other);
TG_API Tensor gcd(const Tensor& a, const Tensor& b);
TG_API const Tensor& gcd_(const Tensor& self, const Tensor& b);
TG_API Tensor lcm(const Tensor& a, const Tensor& b);
TG_API const Tensor& lcm_(const Tensor& self, const Tensor& b);
TG_API Tensor nextafter(const Tensor& a, const Tensor& b);           ///< the next number after a towards b
TG_API const Tensor& nextafter_(const Tensor& self, const Tensor& b);
TG_API const Tensor& cumsum_(const Tensor& self, int64_t dim, std::optional<Dtype> dtype = {});
TG_API const Tensor& cumprod_(const Tensor& self, int64_t dim, std::optional<Dtype> dtype = {});

// ## random_more
TG_API const Tensor& cauchy_(const Tensor& self, double median = 0, double sigma = 1, const Generator* generator = nullptr);
TG_API const Tensor& log_normal_(const Tensor& self, double mean = 1, double std = 2, const Generator* generator = nullptr);
TG_API const Tensor& geometric_(const Tensor& self, double p, const Generator* generator = nullptr);
TG_API Tensor binomial(const Tensor& count, const Tensor& prob, const Generator* generator = nullptr);

// ## statistics
/// The q-quantiles of x (all of it, or along dim); those of a vector q are the first dimension. interpolation: "linear",
/// "lower", "higher", "midpoint", "nearest".
TG_API Tensor quantile(const Tensor& x, const Tensor& q, std::optional<int64_t> dim = {}, bool keepdim = false, std::string_view interpolation = "linear");
TG_API Tensor nanquantile(const Tensor& x, const Tensor& q, std::optional<int64_t> dim = {}, bool keepdim = false, std::string_view interpolation = "linear");
/// Counts (or sums of weight) of the elements between neighbours of `bins`, and those edges.
TG_API std::tuple<Tensor, Tensor> histogram(const Tensor& x, const Tensor& bins, const Tensor& weight = {}, bool density = false);
/// The same in equal intervals of range {from, to}, or of the elements' range.
TG_API std::tuple<Tensor, Tensor> histogram(const Tensor& x, int64_t bins, std::span<const double> range = {}, const Tensor& weight = {}, bool density = false);

/// Pieces of x along axis folded: "sum", "prod", "mean", "max", "min". lengths (…, pieces) has x's sizes before axis, or is a vector.
TG_API Tensor segment_reduce(const Tensor& x, std::string_view reduce, const Tensor& lengths, int64_t axis = 0, std::optional<Scalar> initial = {});

// ## selection
TG_API Tensor put(const Tensor& x, const Tensor& index, const Tensor& source, bool accumulate = false);
TG_API const Tensor& put_(const Tensor& self, const Tensor& index, const Tensor& source, bool accumulate = false);
/// reduce: "prod", "mean", "amax", "amin".
TG_API Tensor index_reduce(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source, std::string_view reduce, bool include_self = true);
TG_API const Tensor& index_reduce_(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& source, std::string_view reduce, bool include_self = true);
TG_API Tensor as_strided_scatter(const Tensor& x, const Tensor& src, IntList size, IntList stride, std::optional<int64_t> storage_offset = {});
TG_API const Tensor& fill_diagonal_(const Tensor& self, Scalar fill_value, bool wrap = false);
TG_API Tensor nonzero_static(const Tensor& x, int64_t size, int64_t fill_value = -1);
TG_API std::vector<Tensor> unravel_index(const Tensor& indices, IntList shape);
TG_API Tensor combinations(const Tensor& x, int64_t r = 2, bool with_replacement = false);
TG_API Tensor narrow_copy(const Tensor& x, int64_t dim, int64_t start, int64_t length);
TG_API std::vector<Tensor> hsplit(const Tensor& x, int64_t sections);
TG_API std::vector<Tensor> hsplit(const Tensor& x, IntList indices);
TG_API std::vector<Tensor> vsplit(const Tensor& x, int64_t sections);
TG_API std::vector<Tensor> vsplit(const Tensor& x, IntList indices);
TG_API std::vector<Tensor> dsplit(const Tensor& x, int64_t sections);
TG_API std::vector<Tensor> dsplit(const Tensor& x, IntList indices);
TG_API std::vector<Tensor> unsafe_chunk(const Tensor& x, int64_t chunks, int64_t dim = 0);
TG_API std::vector<Tensor> unsafe_split(const Tensor& x, int64_t split_size, int64_t dim = 0);
TG_API std::vector<Tensor> unsafe_split_with_sizes(const Tensor& x, IntList split_sizes, int64_t dim = 0);

}  // namespace tapegrad
