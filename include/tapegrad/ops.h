// All ops, in PyTorch's names and argument order. Every function checks its arguments and throws an Error that names the op,
// the argument and the shapes; all that take floating tensors are differentiable, any number of times, unless said otherwise.
// Conventions: `dim` may be negative; an undefined Tensor stands for None; an empty `dim` list means all dimensions;
// functions ending in _ write into their first argument and return it.
// Headings name the source file: "## elementwise_unary" lives in src/ops/elementwise_unary.cpp.
#pragma once
#include <tuple>

#include "tapegrad/autograd.h"
#include "tapegrad/ops_elementwise.h"
#include "tapegrad/random.h"
#include "tapegrad/tensor.h"

namespace tapegrad {

/// What max(x, dim), sort, topk … return.
struct ValuesIndices {
  Tensor values, indices;
};

// ## copy: memory, dtype, device --------------------------------------------------------------------------------------
// Example: assert(ones({2}).to(int64).dtype() == int64); assert(!ones({2}).clone().is_same(ones({2})));
/// x in another dtype or device; x itself when nothing changes (unless copy).
TG_API Tensor to(const Tensor& x, Dtype dtype, bool copy = false);
TG_API Tensor to(const Tensor& x, Device device, std::optional<Dtype> dtype = {}, bool copy = false);
/// A new tensor with the same values; Preserve keeps dense strides.
TG_API Tensor clone(const Tensor& x, MemoryFormat format = MemoryFormat::Preserve);
/// x itself when it is row-major already (or in `format`), else a copy.
TG_API Tensor contiguous(const Tensor& x, MemoryFormat format = MemoryFormat::Contiguous);
/// Writes src, broadcast and cast, into self.
TG_API const Tensor& copy_(const Tensor& self, const Tensor& src, bool non_blocking = false);
TG_API const Tensor& fill_(const Tensor& self, Scalar value);
TG_API const Tensor& fill_(const Tensor& self, const Tensor& value);
TG_API const Tensor& zero_(const Tensor& self);

// ## factories
// Example: assert(equal(arange(3), tensor({0, 1, 2}))); assert(equal(full({2}, 1.5), tensor({1.5, 1.5})));
//   assert(eye(3).sum().item<int>() == 3);
TG_API Tensor zeros(IntList size, std::optional<Dtype> dtype = {}, std::optional<Device> device = {}, OnlyBool requires_grad = false);
TG_API Tensor ones(IntList size, std::optional<Dtype> dtype = {}, std::optional<Device> device = {}, OnlyBool requires_grad = false);
/// Without a dtype, that of the value (bool, int64, default float).
TG_API Tensor full(IntList size, Scalar value, std::optional<Dtype> dtype = {}, std::optional<Device> device = {}, OnlyBool requires_grad = false);
TG_API Tensor zeros_like(const Tensor& x, std::optional<Dtype> dtype = {}, std::optional<Device> device = {}, OnlyBool requires_grad = false);
TG_API Tensor ones_like(const Tensor& x, std::optional<Dtype> dtype = {}, std::optional<Device> device = {}, OnlyBool requires_grad = false);
TG_API Tensor full_like(const Tensor& x, Scalar value, std::optional<Dtype> dtype = {}, std::optional<Device> device = {}, OnlyBool requires_grad = false);
/// start, start + step, … below end. int64 when all three are integers.
TG_API Tensor arange(Scalar start, Scalar end, Scalar step = 1, std::optional<Dtype> dtype = {}, std::optional<Device> device = {}, OnlyBool requires_grad = false);
TG_API Tensor arange(Scalar end, std::optional<Dtype> dtype = {}, std::optional<Device> device = {}, OnlyBool requires_grad = false);
TG_API Tensor linspace(Scalar start, Scalar end, int64_t steps, std::optional<Dtype> dtype = {}, std::optional<Device> device = {}, OnlyBool requires_grad = false);
TG_API Tensor logspace(Scalar start, Scalar end, int64_t steps, double base = 10, std::optional<Dtype> dtype = {}, std::optional<Device> device = {}, OnlyBool requires_grad = false);
TG_API Tensor eye(int64_t n, std::optional<int64_t> m = {}, std::optional<Dtype> dtype = {}, std::optional<Device> device = {}, OnlyBool requires_grad = false);
TG_API Tensor tril_indices(int64_t row, int64_t col, int64_t offset = 0);
TG_API Tensor triu_indices(int64_t row, int64_t col, int64_t offset = 0);

// ## random
// Example: manual_seed(0); const Tensor x = randn({2, 3}); manual_seed(0); assert(equal(x, randn({2, 3})));
TG_API Tensor rand(IntList size, std::optional<Dtype> dtype = {}, std::optional<Device> device = {}, OnlyBool requires_grad = false, const Generator* generator = nullptr);
TG_API Tensor randn(IntList size, std::optional<Dtype> dtype = {}, std::optional<Device> device = {}, OnlyBool requires_grad = false, const Generator* generator = nullptr);
TG_API Tensor randint(int64_t low, int64_t high, IntList size, std::optional<Dtype> dtype = {}, std::optional<Device> device = {}, const Generator* generator = nullptr);
TG_API Tensor randperm(int64_t n, std::optional<Dtype> dtype = {}, std::optional<Device> device = {}, const Generator* generator = nullptr);
TG_API Tensor rand_like(const Tensor& x, std::optional<Dtype> dtype = {}, std::optional<Device> device = {}, OnlyBool requires_grad = false);
TG_API Tensor randn_like(const Tensor& x, std::optional<Dtype> dtype = {}, std::optional<Device> device = {}, OnlyBool requires_grad = false);
TG_API Tensor randint_like(const Tensor& x, int64_t low, int64_t high, std::optional<Dtype> dtype = {}, std::optional<Device> device = {});
TG_API Tensor bernoulli(const Tensor& p, const Generator* generator = nullptr);
TG_API Tensor multinomial(const Tensor& weights, int64_t num_samples, OnlyBool replacement = false, const Generator* generator = nullptr);
TG_API Tensor normal(const Tensor& mean, const Tensor& std, const Generator* generator = nullptr);
TG_API Tensor normal(double mean, double std, IntList size, std::optional<Dtype> dtype = {}, std::optional<Device> device = {}, const Generator* generator = nullptr);
TG_API Tensor poisson(const Tensor& rates, const Generator* generator = nullptr);
TG_API const Tensor& uniform_(const Tensor& self, double low = 0, double high = 1, const Generator* generator = nullptr);
TG_API const Tensor& normal_(const Tensor& self, double mean = 0, double std = 1, const Generator* generator = nullptr);
TG_API const Tensor& bernoulli_(const Tensor& self, double p = 0.5, const Generator* generator = nullptr);
TG_API const Tensor& bernoulli_(const Tensor& self, const Tensor& p, const Generator* generator = nullptr);
TG_API const Tensor& random_(const Tensor& self, std::optional<int64_t> low = {}, std::optional<int64_t> high = {}, const Generator* generator = nullptr);
TG_API const Tensor& exponential_(const Tensor& self, double lambd = 1, const Generator* generator = nullptr);

// ## complex: gradients are dL/d(re) + i dL/d(im), as PyTorch's
// Example: const Tensor z = complex(tensor({3.0}), tensor({4.0})); assert(z.abs().item<float>() == 5);
//   assert(equal(imag(conj(z)), tensor({-4.0})));
/// real + i imag, of two tensors of one float dtype.
TG_API Tensor complex(const Tensor& real, const Tensor& imag);
/// abs (cos angle + i sin angle)
TG_API Tensor polar(const Tensor& abs, const Tensor& angle);
/// A complex tensor's memory with one dimension of 2 more, and back: views.
TG_API Tensor view_as_real(const Tensor& x);
TG_API Tensor view_as_complex(const Tensor& x);
/// The parts, as views; the real part of a real tensor is itself.
TG_API Tensor real(const Tensor& x);
TG_API Tensor imag(const Tensor& x);
/// A new tensor with the imaginary parts negated; a real tensor itself.
TG_API Tensor conj(const Tensor& x);
/// atan2(imag, real); of real numbers 0 or pi.
TG_API Tensor angle(const Tensor& x);
TG_API Tensor isreal(const Tensor& x);
/// Transposed and conjugated.
TG_API Tensor adjoint(const Tensor& x);

// ## reduce: over all dimensions when `dim` is empty
// Example: const Tensor x = tensor({{1.0, 2.0}, {3.0, 5.0}}); assert(equal(sum(x, 0), tensor({4.0, 7.0})));
//   assert(max(x).item<int>() == 5); assert(equal(mean(x, 1, true), tensor({{1.5}, {4.0}})));
TG_API Tensor sum(const Tensor& x, IntList dim = {}, bool keepdim = false, std::optional<Dtype> dtype = {});
/// x summed over broadcast dimensions until it has `size` again: the gradient of broadcasting.
TG_API Tensor sum_to_size(const Tensor& x, IntList size);
TG_API Tensor mean(const Tensor& x, IntList dim = {}, bool keepdim = false, std::optional<Dtype> dtype = {});
TG_API Tensor prod(const Tensor& x, std::optional<Dtype> dtype = {});
TG_API Tensor prod(const Tensor& x, int64_t dim, bool keepdim = false, std::optional<Dtype> dtype = {});
TG_API Tensor max(const Tensor& x);
TG_API ValuesIndices max(const Tensor& x, int64_t dim, bool keepdim = false);
TG_API Tensor min(const Tensor& x);
TG_API ValuesIndices min(const Tensor& x, int64_t dim, bool keepdim = false);
TG_API Tensor argmax(const Tensor& x, std::optional<int64_t> dim = {}, bool keepdim = false);
TG_API Tensor argmin(const Tensor& x, std::optional<int64_t> dim = {}, bool keepdim = false);
TG_API Tensor amax(const Tensor& x, IntList dim = {}, bool keepdim = false);
TG_API Tensor amin(const Tensor& x, IntList dim = {}, bool keepdim = false);
TG_API std::tuple<Tensor, Tensor> aminmax(const Tensor& x, std::optional<int64_t> dim = {}, bool keepdim = false);
TG_API Tensor var(const Tensor& x, IntList dim = {}, Scalar correction = 1, bool keepdim = false);
TG_API Tensor std(const Tensor& x, IntList dim = {}, Scalar correction = 1, bool keepdim = false);
TG_API std::tuple<Tensor, Tensor> var_mean(const Tensor& x, IntList dim = {}, Scalar correction = 1, bool keepdim = false);
TG_API std::tuple<Tensor, Tensor> std_mean(const Tensor& x, IntList dim = {}, Scalar correction = 1, bool keepdim = false);
/// (sum |x|^p)^(1/p); p may be 0, inf and -inf.
TG_API Tensor norm(const Tensor& x, Scalar p = 2, IntList dim = {}, bool keepdim = false, std::optional<Dtype> dtype = {});
TG_API Tensor logsumexp(const Tensor& x, IntList dim, bool keepdim = false);
TG_API Tensor all(const Tensor& x, IntList dim = {}, bool keepdim = false);
TG_API Tensor any(const Tensor& x, IntList dim = {}, bool keepdim = false);
TG_API Tensor count_nonzero(const Tensor& x, IntList dim = {});
TG_API Tensor nansum(const Tensor& x, IntList dim = {}, bool keepdim = false, std::optional<Dtype> dtype = {});
TG_API Tensor nanmean(const Tensor& x, IntList dim = {}, bool keepdim = false, std::optional<Dtype> dtype = {});
TG_API bool equal(const Tensor& a, const Tensor& b);
TG_API bool allclose(const Tensor& a, const Tensor& b, double rtol = 1e-5, double atol = 1e-8, bool equal_nan = false);
TG_API Tensor isclose(const Tensor& a, const Tensor& b, double rtol = 1e-5, double atol = 1e-8, bool equal_nan = false);

// ## scan
// Example: assert(equal(cumsum(tensor({1, 2, 3}), 0), tensor({1, 3, 6})));
TG_API Tensor cumsum(const Tensor& x, int64_t dim, std::optional<Dtype> dtype = {});
TG_API Tensor cumprod(const Tensor& x, int64_t dim, std::optional<Dtype> dtype = {});
TG_API ValuesIndices cummax(const Tensor& x, int64_t dim);
TG_API ValuesIndices cummin(const Tensor& x, int64_t dim);
TG_API Tensor logcumsumexp(const Tensor& x, int64_t dim);

// ## softmax
// Example: assert(allclose(softmax(zeros({4}), 0), full({4}, 0.25)));
TG_API Tensor softmax(const Tensor& x, int64_t dim, std::optional<Dtype> dtype = {});
TG_API Tensor log_softmax(const Tensor& x, int64_t dim, std::optional<Dtype> dtype = {});

// ## loss: reduction is "mean", "sum" or "none"
// Example: const Tensor scores = tensor({{4.0, 0.0}, {0.0, 4.0}});
//   assert(cross_entropy(scores, tensor({0, 1})).item<double>() < 0.02);
//   assert(mse_loss(ones({2}), zeros({2}), "sum").item<int>() == 2);
TG_API Tensor cross_entropy(const Tensor& input, const Tensor& target, const Tensor& weight = {}, int64_t ignore_index = -100, std::string_view reduction = "mean", double label_smoothing = 0);
TG_API Tensor nll_loss(const Tensor& input, const Tensor& target, const Tensor& weight = {}, int64_t ignore_index = -100, std::string_view reduction = "mean");
TG_API Tensor mse_loss(const Tensor& input, const Tensor& target, std::string_view reduction = "mean");
TG_API Tensor l1_loss(const Tensor& input, const Tensor& target, std::string_view reduction = "mean");
TG_API Tensor smooth_l1_loss(const Tensor& input, const Tensor& target, std::string_view reduction = "mean", double beta = 1);
TG_API Tensor huber_loss(const Tensor& input, const Tensor& target, std::string_view reduction = "mean", double delta = 1);
TG_API Tensor binary_cross_entropy(const Tensor& input, const Tensor& target, const Tensor& weight = {}, std::string_view reduction = "mean");
TG_API Tensor binary_cross_entropy_with_logits(const Tensor& input, const Tensor& target, const Tensor& weight = {}, const Tensor& pos_weight = {}, std::string_view reduction = "mean");
TG_API Tensor kl_div(const Tensor& input, const Tensor& target, std::string_view reduction = "mean", bool log_target = false);
TG_API Tensor soft_margin_loss(const Tensor& input, const Tensor& target, std::string_view reduction = "mean");
TG_API Tensor multilabel_soft_margin_loss(const Tensor& input, const Tensor& target, const Tensor& weight = {}, std::string_view reduction = "mean");
TG_API Tensor poisson_nll_loss(const Tensor& input, const Tensor& target, bool log_input = true, bool full = false, double eps = 1e-8, std::string_view reduction = "mean");
TG_API Tensor gaussian_nll_loss(const Tensor& input, const Tensor& target, const Tensor& var, bool full = false, double eps = 1e-6, std::string_view reduction = "mean");
TG_API Tensor hinge_embedding_loss(const Tensor& input, const Tensor& target, double margin = 1, std::string_view reduction = "mean");
TG_API Tensor margin_ranking_loss(const Tensor& input1, const Tensor& input2, const Tensor& target, double margin = 0, std::string_view reduction = "mean");
TG_API Tensor cosine_embedding_loss(const Tensor& input1, const Tensor& input2, const Tensor& target, double margin = 0, std::string_view reduction = "mean");
TG_API Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative, double margin = 1, double p = 2, double eps = 1e-6, bool swap = false, std::string_view reduction = "mean");
TG_API Tensor pairwise_distance(const Tensor& x1, const Tensor& x2, double p = 2, double eps = 1e-6, bool keepdim = false);
TG_API Tensor cosine_similarity(const Tensor& x1, const Tensor& x2, int64_t dim = 1, double eps = 1e-8);

// ## norm
// Example: const Tensor y = layer_norm(randn({4, 8}), 8); assert(allclose(y.mean(1), zeros({4}), 0, 1e-6));
TG_API Tensor layer_norm(const Tensor& x, IntList normalized_shape, const Tensor& weight = {}, const Tensor& bias = {}, double eps = 1e-5);
TG_API Tensor rms_norm(const Tensor& x, IntList normalized_shape, const Tensor& weight = {}, std::optional<double> eps = {});
TG_API Tensor group_norm(const Tensor& x, int64_t num_groups, const Tensor& weight = {}, const Tensor& bias = {}, double eps = 1e-5);
/// Running statistics, when given, are updated in place while training.
TG_API Tensor batch_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var, const Tensor& weight = {}, const Tensor& bias = {}, bool training = false, double momentum = 0.1, double eps = 1e-5);
TG_API Tensor instance_norm(const Tensor& x, const Tensor& running_mean = {}, const Tensor& running_var = {}, const Tensor& weight = {}, const Tensor& bias = {}, bool use_input_stats = true, double momentum = 0.1, double eps = 1e-5);
/// x / max(‖x‖p, eps) along dim.
TG_API Tensor normalize(const Tensor& x, double p = 2, int64_t dim = 1, double eps = 1e-12);

// ## dropout
// Example: assert(equal(dropout(ones({4}), 0.5, false), ones({4})));
TG_API Tensor dropout(const Tensor& x, double p = 0.5, bool training = true);
/// Drops whole channels (dimension 1, or 0 without a batch).
TG_API Tensor feature_dropout(const Tensor& x, double p = 0.5, bool training = true);
TG_API Tensor alpha_dropout(const Tensor& x, double p = 0.5, bool training = false);

// ## view: no copies, results share memory
// Example: const Tensor x = zeros({2, 3}), y = x.view({3, -1}); y.fill_(1); assert(x.sum().item<int>() == 6);
//   assert(equal(permute(x, {1, 0}), t(x)));
/// The same elements in row-major order under another shape; one size may be -1. Throws when no strides can show it.
TG_API Tensor view(const Tensor& x, IntList shape);
/// The same bits as another dtype; has no gradient.
TG_API Tensor view(const Tensor& x, Dtype dtype);
TG_API Tensor view_as(const Tensor& x, const Tensor& other);
/// view where possible, else of a copy.
TG_API Tensor reshape(const Tensor& x, IntList shape);
TG_API Tensor reshape_as(const Tensor& x, const Tensor& other);
TG_API Tensor ravel(const Tensor& x);
TG_API Tensor flatten(const Tensor& x, int64_t start_dim = 0, int64_t end_dim = -1);
TG_API Tensor unflatten(const Tensor& x, int64_t dim, IntList sizes);
TG_API Tensor transpose(const Tensor& x, int64_t dim0, int64_t dim1);
TG_API Tensor t(const Tensor& x);
TG_API Tensor mT(const Tensor& x);  ///< last two dimensions swapped
TG_API Tensor permute(const Tensor& x, IntList dims);
TG_API Tensor movedim(const Tensor& x, IntList source, IntList destination);
TG_API Tensor squeeze(const Tensor& x);
TG_API Tensor squeeze(const Tensor& x, IntList dim);
TG_API Tensor unsqueeze(const Tensor& x, int64_t dim);
TG_API Tensor expand(const Tensor& x, IntList size);
TG_API Tensor expand_as(const Tensor& x, const Tensor& other);
TG_API Tensor broadcast_to(const Tensor& x, IntList size);
TG_API std::vector<Tensor> broadcast_tensors(TensorList tensors);
TG_API const Tensor& transpose_(const Tensor& self, int64_t dim0, int64_t dim1);
TG_API const Tensor& t_(const Tensor& self);
TG_API const Tensor& squeeze_(const Tensor& self);
TG_API const Tensor& squeeze_(const Tensor& self, IntList dim);
TG_API const Tensor& unsqueeze_(const Tensor& self, int64_t dim);

// ## slice: views of a part
// Example: const Tensor x = arange(6).view({2, 3}); assert(equal(select(x, 0, 1), tensor({3, 4, 5})));
//   assert(split(x, 2, 1).size() == 2); assert(equal(diagonal(x), tensor({0, 4})));
TG_API Tensor narrow(const Tensor& x, int64_t dim, int64_t start, int64_t length);
TG_API Tensor select(const Tensor& x, int64_t dim, int64_t index);
TG_API Tensor slice(const Tensor& x, int64_t dim, std::optional<int64_t> start = {}, std::optional<int64_t> end = {}, int64_t step = 1);
TG_API Tensor diagonal(const Tensor& x, int64_t offset = 0, int64_t dim1 = 0, int64_t dim2 = 1);
TG_API Tensor unfold(const Tensor& x, int64_t dim, int64_t size, int64_t step);
TG_API Tensor as_strided(const Tensor& x, IntList size, IntList stride, std::optional<int64_t> storage_offset = {});
TG_API std::vector<Tensor> split(const Tensor& x, int64_t split_size, int64_t dim = 0);
TG_API std::vector<Tensor> split(const Tensor& x, IntList split_sizes, int64_t dim = 0);
TG_API std::vector<Tensor> chunk(const Tensor& x, int64_t chunks, int64_t dim = 0);
TG_API std::vector<Tensor> tensor_split(const Tensor& x, int64_t sections, int64_t dim = 0);
TG_API std::vector<Tensor> tensor_split(const Tensor& x, IntList indices, int64_t dim = 0);
TG_API std::vector<Tensor> unbind(const Tensor& x, int64_t dim = 0);

// ## shape: joining and rearranging, into new memory
// Example: const Tensor x = tensor({1, 2}); assert(equal(cat({x, x}), tensor({1, 2, 1, 2}))); assert(stack({x, x}).size(0) == 2);
//   assert(equal(flip(x, 0), tensor({2, 1})));
TG_API Tensor cat(TensorList tensors, int64_t dim = 0);
TG_API Tensor stack(TensorList tensors, int64_t dim = 0);
TG_API Tensor hstack(TensorList tensors);
TG_API Tensor vstack(TensorList tensors);
TG_API Tensor dstack(TensorList tensors);
TG_API Tensor column_stack(TensorList tensors);
TG_API Tensor atleast_1d(const Tensor& x);
TG_API Tensor atleast_2d(const Tensor& x);
TG_API Tensor atleast_3d(const Tensor& x);
TG_API Tensor repeat(const Tensor& x, IntList repeats);
TG_API Tensor tile(const Tensor& x, IntList dims);
TG_API Tensor repeat_interleave(const Tensor& x, int64_t repeats, std::optional<int64_t> dim = {});
TG_API Tensor repeat_interleave(const Tensor& x, const Tensor& repeats, std::optional<int64_t> dim = {});
/// k repeated repeats[k] times.
TG_API Tensor repeat_interleave(const Tensor& repeats, std::optional<int64_t> output_size = {});
TG_API Tensor flip(const Tensor& x, IntList dims);
TG_API Tensor fliplr(const Tensor& x);
TG_API Tensor flipud(const Tensor& x);
TG_API Tensor roll(const Tensor& x, IntList shifts, IntList dims = {});
TG_API Tensor rot90(const Tensor& x, int64_t k = 1, IntList dims = {0, 1});

// ## triangle: triangles, diagonals, grids
// Example: assert(equal(tril(ones({2, 2})), tensor({{1.0, 0.0}, {1.0, 1.0}})));
//   assert(equal(diag(tensor({1, 2})), tensor({{1, 0}, {0, 2}})));
TG_API Tensor tril(const Tensor& x, int64_t diagonal = 0);
TG_API Tensor triu(const Tensor& x, int64_t diagonal = 0);
TG_API const Tensor& tril_(const Tensor& self, int64_t diagonal = 0);
TG_API const Tensor& triu_(const Tensor& self, int64_t diagonal = 0);
TG_API Tensor diag(const Tensor& x, int64_t diagonal = 0);
TG_API Tensor diag_embed(const Tensor& x, int64_t offset = 0, int64_t dim1 = -2, int64_t dim2 = -1);
TG_API Tensor diagflat(const Tensor& x, int64_t offset = 0);
/// A copy of x with src in one of its views.
TG_API Tensor select_scatter(const Tensor& x, const Tensor& src, int64_t dim, int64_t index);
TG_API Tensor slice_scatter(const Tensor& x, const Tensor& src, int64_t dim = 0, std::optional<int64_t> start = {}, std::optional<int64_t> end = {}, int64_t step = 1);
TG_API Tensor diagonal_scatter(const Tensor& x, const Tensor& src, int64_t offset = 0, int64_t dim1 = 0, int64_t dim2 = 1);
TG_API std::vector<Tensor> meshgrid(TensorList tensors, std::string_view indexing = "ij");
TG_API Tensor cartesian_prod(TensorList tensors);
TG_API Tensor block_diag(TensorList tensors);

// ## signal: windows (periodic: one period of length window_length) and the short-time Fourier transform
// Example: assert(allclose(hann_window(4), tensor({0.0, 0.5, 1.0, 0.5}), 0, 1e-6));
TG_API Tensor hann_window(int64_t window_length, OnlyBool periodic = true, std::optional<Dtype> dtype = {}, std::optional<Device> device = {}, OnlyBool requires_grad = false);
TG_API Tensor hamming_window(int64_t window_length, OnlyBool periodic = true, double alpha = 0.54, double beta = 0.46, std::optional<Dtype> dtype = {}, std::optional<Device> device = {}, OnlyBool requires_grad = false);
TG_API Tensor blackman_window(int64_t window_length, OnlyBool periodic = true, std::optional<Dtype> dtype = {}, std::optional<Device> device = {}, OnlyBool requires_grad = false);
TG_API Tensor bartlett_window(int64_t window_length, OnlyBool periodic = true, std::optional<Dtype> dtype = {}, std::optional<Device> device = {}, OnlyBool requires_grad = false);
TG_API Tensor kaiser_window(int64_t window_length, OnlyBool periodic = true, double beta = 12, std::optional<Dtype> dtype = {}, std::optional<Device> device = {}, OnlyBool requires_grad = false);
/// (samples) or (batch, samples) -> (…, frequencies, frames).
TG_API Tensor stft(const Tensor& x, int64_t n_fft, std::optional<int64_t> hop_length = {}, std::optional<int64_t> win_length = {}, const Tensor& window = {}, bool center = true, std::string_view pad_mode = "reflect", bool normalized = false, std::optional<bool> onesided = {}, std::optional<bool> return_complex = {});
TG_API Tensor istft(const Tensor& x, int64_t n_fft, std::optional<int64_t> hop_length = {}, std::optional<int64_t> win_length = {}, const Tensor& window = {}, bool center = true, bool normalized = false, std::optional<bool> onesided = {}, std::optional<int64_t> length = {}, bool return_complex = false);

// ## pad
// Example: assert(equal(pad(tensor({1, 2}), {1, 2}), tensor({0, 1, 2, 0, 0})));
/// `pad` counts from the last dimension: {left, right, top, bottom, …}; mode "constant", "reflect", "replicate", "circular".
TG_API Tensor pad(const Tensor& x, IntList pad, std::string_view mode = "constant", std::optional<double> value = {});

// ## index
// Example: const Tensor x = arange(6).view({2, 3}); assert(equal(x.index({1, Slice(0, 2)}), tensor({3, 4})));
//   assert(equal(x.index({x > 3}), tensor({4, 5}))); x.index_put_({0, Ellipsis}, 7); assert(x.sum().item<int>() == 33);
/// One entry of x[...]: build with the Index:: constructors. An undefined tensor is not an entry.
struct Index {
  enum class Kind : uint8_t { Int, Slice, Ellipsis, NewAxis, Bool, Tensor } kind;
  int64_t integer = 0;                            // Int, Bool
  std::optional<int64_t> start, stop, step;       // Slice
  tapegrad::Tensor tensor;                        // Tensor: bool (mask) or integer
  Index(int i) : kind(Kind::Int), integer(i) {}
  Index(int64_t i) : kind(Kind::Int), integer(i) {}
  Index(bool b) : kind(Kind::Bool), integer(b) {}
  Index(const tapegrad::Tensor& t) : kind(Kind::Tensor), tensor(t) {}
  Index(Kind k) : kind(k) {}
};
struct Slice : Index {  // Slice(1, 3), Slice({}, {}, 2)
  Slice(std::optional<int64_t> a = {}, std::optional<int64_t> b = {}, std::optional<int64_t> c = {}) : Index(Kind::Slice) { start = a, stop = b, step = c; }
};
inline constexpr Index::Kind Ellipsis = Index::Kind::Ellipsis, None = Index::Kind::NewAxis;
/// x[indices], as NumPy and PyTorch: ints, slices, ellipsis, None, masks and integer tensors mixed.
TG_API Tensor index(const Tensor& x, std::span<const Index> indices);
/// x[indices] = value
TG_API void index_set(const Tensor& x, std::span<const Index> indices, const Tensor& value);
/// As x[indices] = value with integer tensors or masks only; accumulate adds, repeated indices included.
TG_API const Tensor& index_put_(const Tensor& self, TensorList indices, const Tensor& value, bool accumulate = false);
TG_API Tensor index_put(const Tensor& x, TensorList indices, const Tensor& value, bool accumulate = false);
TG_API Tensor take(const Tensor& x, const Tensor& index);

// ## gather: one index for each element, along one dimension
// Example: const Tensor x = tensor({{1, 2}, {3, 4}}); assert(equal(gather(x, 1, tensor({{1}, {0}})), tensor({{2}, {3}})));
TG_API Tensor gather(const Tensor& x, int64_t dim, const Tensor& index);
TG_API Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src);
TG_API Tensor scatter_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src);
TG_API const Tensor& scatter_(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src);
TG_API const Tensor& scatter_add_(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src);
TG_API Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, Scalar value);
TG_API const Tensor& scatter_(const Tensor& self, int64_t dim, const Tensor& index, Scalar value);
/// reduce: "sum", "prod", "mean", "amax", "amin".
TG_API Tensor scatter_reduce(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src, std::string_view reduce, bool include_self = true);
TG_API const Tensor& scatter_reduce_(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src, std::string_view reduce, bool include_self = true);
TG_API Tensor take_along_dim(const Tensor& x, const Tensor& indices, std::optional<int64_t> dim = {});

// ## index_select: one vector of indices along one dimension
// Example: const Tensor x = tensor({10, 20, 30}); assert(equal(index_select(x, 0, tensor({2, 0})), tensor({30, 10})));
//   assert(equal(one_hot(tensor({1}), 3), tensor({{0, 1, 0}})));
TG_API Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index);
TG_API Tensor index_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source, Scalar alpha = 1);
TG_API const Tensor& index_add_(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& source, Scalar alpha = 1);
TG_API Tensor index_fill(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& value);
TG_API Tensor index_fill(const Tensor& x, int64_t dim, const Tensor& index, Scalar value);
TG_API const Tensor& index_fill_(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& value);
TG_API const Tensor& index_fill_(const Tensor& self, int64_t dim, const Tensor& index, Scalar value);
TG_API Tensor index_copy(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source);
TG_API const Tensor& index_copy_(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& source);
/// Rows of weight (n, dim) at integers (…): (…, dim). The row padding_idx gets no gradient.
TG_API Tensor embedding(const Tensor& weight, const Tensor& indices, std::optional<int64_t> padding_idx = {});
TG_API Tensor one_hot(const Tensor& x, int64_t num_classes = -1);

// ## masked
// Example: const Tensor x = tensor({1, -2, 3}); assert(equal(masked_fill(x, x < 0, 0), tensor({1, 0, 3})));
//   assert(equal(masked_select(x, x > 0), tensor({1, 3})));
/// int64[n, x.dim()]: where x is not zero, in row-major order.
TG_API Tensor nonzero(const Tensor& x);
TG_API Tensor masked_select(const Tensor& x, const Tensor& mask);
TG_API Tensor masked_fill(const Tensor& x, const Tensor& mask, const Tensor& value);
TG_API Tensor masked_fill(const Tensor& x, const Tensor& mask, Scalar value);
TG_API const Tensor& masked_fill_(const Tensor& self, const Tensor& mask, const Tensor& value);
TG_API const Tensor& masked_fill_(const Tensor& self, const Tensor& mask, Scalar value);
TG_API Tensor masked_scatter(const Tensor& x, const Tensor& mask, const Tensor& source);
TG_API const Tensor& masked_scatter_(const Tensor& self, const Tensor& mask, const Tensor& source);

// ## sort: NaN is the largest value; equal values keep their order
// Example: const ValuesIndices s = sort(tensor({3, 1, 2}));
//   assert(equal(s.values, tensor({1, 2, 3})) && equal(s.indices, tensor({1, 2, 0})));
//   assert(equal(topk(tensor({3, 1, 2}), 2).values, tensor({3, 2})));
TG_API ValuesIndices sort(const Tensor& x, int64_t dim = -1, bool descending = false, bool stable = false);
TG_API Tensor argsort(const Tensor& x, int64_t dim = -1, bool descending = false, bool stable = false);
TG_API Tensor msort(const Tensor& x);
TG_API ValuesIndices topk(const Tensor& x, int64_t k, int64_t dim = -1, bool largest = true, bool sorted = true);
TG_API ValuesIndices kthvalue(const Tensor& x, int64_t k, int64_t dim = -1, bool keepdim = false);
TG_API Tensor median(const Tensor& x);
TG_API ValuesIndices median(const Tensor& x, int64_t dim, bool keepdim = false);
TG_API Tensor nanmedian(const Tensor& x);
TG_API ValuesIndices nanmedian(const Tensor& x, int64_t dim, bool keepdim = false);
TG_API ValuesIndices mode(const Tensor& x, int64_t dim = -1, bool keepdim = false);

// ## unique: and counting and searching by order; no gradients
// Example: const auto [values, inverse, counts] = unique(tensor({2, 1, 2}), true, true, true);
//   assert(equal(values, tensor({1, 2})) && equal(counts, tensor({1, 2})));
//   assert(equal(bincount(tensor({0, 2})), tensor({1, 0, 1})));
/// values, inverse, counts; those not asked for are undefined.
TG_API std::tuple<Tensor, Tensor, Tensor> unique(const Tensor& x, bool sorted = true, bool return_inverse = false, bool return_counts = false, std::optional<int64_t> dim = {});
TG_API std::tuple<Tensor, Tensor, Tensor> unique_consecutive(const Tensor& x, bool return_inverse = false, bool return_counts = false, std::optional<int64_t> dim = {});
TG_API Tensor bincount(const Tensor& x, const Tensor& weights = {}, int64_t minlength = 0);
TG_API Tensor histc(const Tensor& x, int64_t bins = 100, double min = 0, double max = 0);
TG_API Tensor searchsorted(const Tensor& sorted_sequence, const Tensor& values, bool right = false, const Tensor& sorter = {});
TG_API Tensor bucketize(const Tensor& x, const Tensor& boundaries, bool right = false);
TG_API Tensor isin(const Tensor& elements, const Tensor& test_elements, bool invert = false);

// ## matmul
// Example: const Tensor a = ones({2, 3}), b = ones({3, 4}); assert(equal(matmul(a, b), full({2, 4}, 3.0)));
//   assert(equal(einsum("ij,jk->ik", {a, b}), mm(a, b))); assert(linear(a, ones({5, 3})).size(1) == 5);
TG_API Tensor matmul(const Tensor& a, const Tensor& b);
TG_API Tensor mm(const Tensor& a, const Tensor& b);
TG_API Tensor bmm(const Tensor& a, const Tensor& b);
TG_API Tensor mv(const Tensor& a, const Tensor& v);
TG_API Tensor dot(const Tensor& a, const Tensor& b);
TG_API Tensor vdot(const Tensor& a, const Tensor& b);  ///< dot(conj(a), b)
TG_API Tensor inner(const Tensor& a, const Tensor& b);  ///< over the last dimension of both
TG_API Tensor outer(const Tensor& a, const Tensor& b);
TG_API Tensor addr(const Tensor& input, const Tensor& a, const Tensor& b, Scalar beta = 1, Scalar alpha = 1);
TG_API Tensor addmm(const Tensor& input, const Tensor& a, const Tensor& b, Scalar beta = 1, Scalar alpha = 1);
TG_API Tensor addmv(const Tensor& input, const Tensor& a, const Tensor& v, Scalar beta = 1, Scalar alpha = 1);
TG_API Tensor addbmm(const Tensor& input, const Tensor& a, const Tensor& b, Scalar beta = 1, Scalar alpha = 1);
TG_API Tensor baddbmm(const Tensor& input, const Tensor& a, const Tensor& b, Scalar beta = 1, Scalar alpha = 1);
TG_API const Tensor& addmm_(const Tensor& self, const Tensor& a, const Tensor& b, Scalar beta = 1, Scalar alpha = 1);
TG_API const Tensor& addmv_(const Tensor& self, const Tensor& a, const Tensor& v, Scalar beta = 1, Scalar alpha = 1);
TG_API const Tensor& addr_(const Tensor& self, const Tensor& a, const Tensor& b, Scalar beta = 1, Scalar alpha = 1);
TG_API const Tensor& addbmm_(const Tensor& self, const Tensor& a, const Tensor& b, Scalar beta = 1, Scalar alpha = 1);
TG_API const Tensor& baddbmm_(const Tensor& self, const Tensor& a, const Tensor& b, Scalar beta = 1, Scalar alpha = 1);
/// x weightᵀ + bias; x is (…, in), weight (out, in), bias (out).
TG_API Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});
TG_API Tensor bilinear(const Tensor& a, const Tensor& b, const Tensor& weight, const Tensor& bias = {});
TG_API Tensor einsum(std::string_view equation, TensorList operands);
TG_API Tensor tensordot(const Tensor& a, const Tensor& b, IntList dims_a, IntList dims_b);
TG_API Tensor tensordot(const Tensor& a, const Tensor& b, int64_t dims = 2);
/// The product of a chain of matrices in the cheapest order; the first and last may be vectors.
TG_API Tensor multi_dot(TensorList matrices);

// ## conv: x is (N, C, spatial…) or (C, spatial…), weight (K, C / groups, kernel…)
// Example: const Tensor y = conv2d(ones({1, 1, 4, 4}), ones({2, 1, 3, 3}), {}, 1, 1); assert(y.size(1) == 2 && y.size(2) == 4);
//   assert(y.max().item<int>() == 9);
TG_API Tensor conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, IntList stride = 1, IntList padding = 0, IntList dilation = 1, int64_t groups = 1);
TG_API Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, IntList stride = 1, IntList padding = 0, IntList dilation = 1, int64_t groups = 1);
TG_API Tensor conv3d(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, IntList stride = 1, IntList padding = 0, IntList dilation = 1, int64_t groups = 1);
/// Valid: no padding. Same: as much as keeps the size; stride 1 only.
enum class Padding : uint8_t { Valid, Same };
TG_API Tensor conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias, IntList stride, Padding padding, IntList dilation = 1, int64_t groups = 1);
TG_API Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, IntList stride, Padding padding, IntList dilation = 1, int64_t groups = 1);
TG_API Tensor conv3d(const Tensor& x, const Tensor& weight, const Tensor& bias, IntList stride, Padding padding, IntList dilation = 1, int64_t groups = 1);
/// The transposed convolution (the gradient of a convolution as an op); weight is (C, K / groups, kernel…).
TG_API Tensor conv_transpose1d(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, IntList stride = 1, IntList padding = 0, IntList output_padding = 0, int64_t groups = 1, IntList dilation = 1);
TG_API Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, IntList stride = 1, IntList padding = 0, IntList output_padding = 0, int64_t groups = 1, IntList dilation = 1);
TG_API Tensor conv_transpose3d(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, IntList stride = 1, IntList padding = 0, IntList output_padding = 0, int64_t groups = 1, IntList dilation = 1);

// ## pool: an empty stride means kernel_size
// Example: assert(equal(max_pool1d(tensor({{1.0, 3.0, 2.0, 0.0}}), 2), tensor({{3.0, 2.0}})));
//   assert(adaptive_avg_pool2d(ones({1, 1, 7, 5}), {2, 2}).numel() == 4);
TG_API Tensor max_pool1d(const Tensor& x, IntList kernel_size, IntList stride = {}, IntList padding = 0, IntList dilation = 1, bool ceil_mode = false);
TG_API Tensor max_pool2d(const Tensor& x, IntList kernel_size, IntList stride = {}, IntList padding = 0, IntList dilation = 1, bool ceil_mode = false);
TG_API Tensor max_pool3d(const Tensor& x, IntList kernel_size, IntList stride = {}, IntList padding = 0, IntList dilation = 1, bool ceil_mode = false);
TG_API std::tuple<Tensor, Tensor> max_pool1d_with_indices(const Tensor& x, IntList kernel_size, IntList stride = {}, IntList padding = 0, IntList dilation = 1, bool ceil_mode = false);
TG_API std::tuple<Tensor, Tensor> max_pool2d_with_indices(const Tensor& x, IntList kernel_size, IntList stride = {}, IntList padding = 0, IntList dilation = 1, bool ceil_mode = false);
TG_API std::tuple<Tensor, Tensor> max_pool3d_with_indices(const Tensor& x, IntList kernel_size, IntList stride = {}, IntList padding = 0, IntList dilation = 1, bool ceil_mode = false);
TG_API Tensor avg_pool1d(const Tensor& x, IntList kernel_size, IntList stride = {}, IntList padding = 0, bool ceil_mode = false, bool count_include_pad = true);
TG_API Tensor avg_pool2d(const Tensor& x, IntList kernel_size, IntList stride = {}, IntList padding = 0, bool ceil_mode = false, bool count_include_pad = true, std::optional<int64_t> divisor_override = {});
TG_API Tensor avg_pool3d(const Tensor& x, IntList kernel_size, IntList stride = {}, IntList padding = 0, bool ceil_mode = false, bool count_include_pad = true, std::optional<int64_t> divisor_override = {});
TG_API Tensor adaptive_avg_pool1d(const Tensor& x, IntList output_size);
TG_API Tensor adaptive_avg_pool2d(const Tensor& x, IntList output_size);
TG_API Tensor adaptive_avg_pool3d(const Tensor& x, IntList output_size);
TG_API Tensor adaptive_max_pool1d(const Tensor& x, IntList output_size);
TG_API Tensor adaptive_max_pool2d(const Tensor& x, IntList output_size);
TG_API Tensor adaptive_max_pool3d(const Tensor& x, IntList output_size);
TG_API std::tuple<Tensor, Tensor> adaptive_max_pool1d_with_indices(const Tensor& x, IntList output_size);
TG_API std::tuple<Tensor, Tensor> adaptive_max_pool2d_with_indices(const Tensor& x, IntList output_size);
TG_API std::tuple<Tensor, Tensor> adaptive_max_pool3d_with_indices(const Tensor& x, IntList output_size);

// ## interpolate: and other rearrangements of pixels
// Example: assert(interpolate(ones({1, 1, 4, 4}), {8, 8}).size(3) == 8); assert(pixel_shuffle(ones({1, 4, 2, 2}), 2).size(2) == 4);
/// `size` or `scale_factor`, one of them. Modes "nearest", "nearest-exact", "linear", "bilinear", "bicubic", "trilinear", "area".
TG_API Tensor interpolate(const Tensor& x, IntList size, std::span<const double> scale_factor = {}, std::string_view mode = "nearest", std::optional<bool> align_corners = {}, std::optional<bool> recompute_scale_factor = {}, bool antialias = false);
TG_API Tensor pixel_shuffle(const Tensor& x, int64_t upscale_factor);
TG_API Tensor pixel_unshuffle(const Tensor& x, int64_t downscale_factor);
TG_API Tensor channel_shuffle(const Tensor& x, int64_t groups);

// ## patches
// Example: const Tensor x = ones({1, 1, 4, 4}); assert(im2col(x, {2, 2}, 1, 0, 2).size(2) == 4);
//   assert(equal(col2im(im2col(x, {2, 2}, 1, 0, 2), {4, 4}, {2, 2}, 1, 0, 2), x));
/// Patches of images (N, C, H, W) as columns (N, C kh kw, patches), and the sum of columns back into images: Python's
/// nn.functional.unfold and fold.
TG_API Tensor im2col(const Tensor& x, IntList kernel_size, IntList dilation = 1, IntList padding = 0, IntList stride = 1);
TG_API Tensor col2im(const Tensor& x, IntList output_size, IntList kernel_size, IntList dilation = 1, IntList padding = 0, IntList stride = 1);

// ## attention
// Example: const Tensor q = randn({2, 5, 8}); assert(scaled_dot_product_attention(q, q, q).size(1) == 5);
/// softmax(q kᵀ · scale + mask) v; q (…, L, E), k (…, S, E), v (…, S, Ev); a bool mask keeps where true.
TG_API Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& attn_mask = {}, double dropout_p = 0, bool is_causal = false, std::optional<double> scale = {}, bool enable_gqa = false);

}  // namespace tapegrad
