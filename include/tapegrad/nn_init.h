// Initial values (init), gradients and parameters as a whole (utils), and functions that only layers need (functional).
#pragma once
#include "tapegrad/nn_module.h"

namespace tapegrad::nn {

// ---- in place and unrecorded; each returns its tensor

namespace init {
/// The factor that keeps the variance through "linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu" (with this slope), "selu".
TG_API double calculate_gain(std::string_view nonlinearity, double slope = 0.01);
TG_API const Tensor& uniform_(const Tensor& t, double a = 0, double b = 1);
TG_API const Tensor& normal_(const Tensor& t, double mean = 0, double std = 1);
/// Normal, limited to [a, b].
TG_API const Tensor& trunc_normal_(const Tensor& t, double mean = 0, double std = 1, double a = -2, double b = 2);
TG_API const Tensor& constant_(const Tensor& t, double value);
TG_API const Tensor& ones_(const Tensor& t);
TG_API const Tensor& zeros_(const Tensor& t);
TG_API const Tensor& eye_(const Tensor& t);
/// Convolution weights (out, in, kernel…) that pass channels through, in each group.
TG_API const Tensor& dirac_(const Tensor& t, int64_t groups = 1);
/// Uniform in ±gain · sqrt(6 / (fan_in + fan_out)).
TG_API const Tensor& xavier_uniform_(const Tensor& t, double gain = 1);
/// With standard deviation gain · sqrt(2 / (fan_in + fan_out)).
TG_API const Tensor& xavier_normal_(const Tensor& t, double gain = 1);
/// Uniform in ±gain · sqrt(3 / fan); a is the slope of the leaky_relu that follows, mode "fan_in" or "fan_out".
TG_API const Tensor& kaiming_uniform_(const Tensor& t, double a = 0, std::string_view mode = "fan_in",
                                      std::string_view nonlinearity = "leaky_relu");
/// With standard deviation gain / sqrt(fan).
TG_API const Tensor& kaiming_normal_(const Tensor& t, double a = 0, std::string_view mode = "fan_in",
                                     std::string_view nonlinearity = "leaky_relu");
/// A matrix (rows, the rest flattened) with orthonormal rows or columns, whichever are fewer, times gain.
TG_API const Tensor& orthogonal_(const Tensor& t, double gain = 1);
/// A matrix of N(0, std) in which a fraction `sparsity` of each column is zero.
TG_API const Tensor& sparse_(const Tensor& t, double sparsity, double std = 0.01);
}  // namespace init

// ---- all parameters together: utils::clip_grad_norm_(net.parameters(), 1)

namespace utils {
/// The norm of all tensors as one vector, 0-d.
TG_API Tensor get_total_norm(TensorList tensors, double norm_type = 2, bool error_if_nonfinite = false);
/// Scales the gradients by max_norm / total_norm where that is below 1.
TG_API void clip_grads_with_norm_(TensorList parameters, double max_norm, const Tensor& total_norm);
/// Scales all gradients together so that their norm is at most max_norm. Returns the norm before.
TG_API Tensor clip_grad_norm_(TensorList parameters, double max_norm, double norm_type = 2,
                              bool error_if_nonfinite = false);
/// Limits each gradient element to ±clip_value.
TG_API void clip_grad_value_(TensorList parameters, double clip_value);
/// All parameters flattened and joined, and their values out of such a vector again.
TG_API Tensor parameters_to_vector(TensorList parameters);
TG_API void vector_to_parameters(const Tensor& vector, TensorList parameters);
}  // namespace utils

// ---- nn.functional beyond the ops

namespace functional {
/// (sum of x^norm_type)^(1 / norm_type) over windows of kernel_size.size() dimensions.
TG_API Tensor lp_pool(const Tensor& x, double norm_type, IntList kernel_size, IntList stride = {},
                      bool ceil_mode = false);
/// The values of a max pooling at the places that its indices say, zeros elsewhere; `output_size` chooses among the sizes that
/// would pool to x's.
TG_API Tensor max_unpool(const Tensor& x, const Tensor& indices, IntList kernel_size, IntList stride, IntList padding,
                         IntList output_size = {});
/// Largest values of windows at pseudo-random places, and where they were; random_samples (N, C, dimensions) in [0, 1).
TG_API std::tuple<Tensor, Tensor> fractional_max_pool(const Tensor& x, IntList kernel_size, IntList output_size,
                                                      const Tensor& random_samples = {});
TG_API Tensor local_response_norm(const Tensor& x, int64_t size, double alpha = 1e-4, double beta = 0.75, double k = 1);
TG_API Tensor feature_alpha_dropout(const Tensor& x, double p = 0.5, bool training = false);
/// Scales the rows of weight at the indices, in place, so that no norm is above max_norm.
TG_API void embedding_renorm_(const Tensor& weight, const Tensor& indices, double max_norm, double norm_type = 2);
TG_API Tensor multi_margin_loss(const Tensor& input, const Tensor& target, int64_t p = 1, double margin = 1,
                                const Tensor& weight = {}, std::string_view reduction = "mean");
TG_API Tensor multilabel_margin_loss(const Tensor& input, const Tensor& target, std::string_view reduction = "mean");
}  // namespace functional

}  // namespace tapegrad::nn
