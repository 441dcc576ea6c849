// Layers. Constructors draw from the default generator in the order of Python's, weight before bias.
#include <cmath>
#include <cstdio>
#include <string>

#include "tapegrad/nn.h"

namespace tapegrad::nn {

namespace {

std::string text(double v) {
  char s[32];
  std::snprintf(s, sizeof s, "%.12g", v);
  return s;
}
std::string text(bool b) { return b ? "True" : "False"; }
/// "(3, 3)": one number stands for all n dimensions.
std::string text(const Dims& d, size_t n = 0) {
  std::string s = "(";
  const size_t count = n > d.size() ? n : d.size();
  for (size_t i = 0; i < count; i++) s += (i ? ", " : "") + std::to_string(d[d.size() == 1 ? 0 : i]);
  return s + (count == 1 ? ",)" : ")");
}
/// As Python prints a size that may be one number.
std::string plain(const Dims& d) { return d.size() == 1 ? std::to_string(d[0]) : text(d); }

int64_t fan_in(const Tensor& t) {
  TG_CHECK(t.dim() >= 2, ShapeError, "fan in and fan out need at least 2 dimensions", Named{"tensor", t});
  return t.size(0) == 0 ? 0 : t.numel() / t.size(0);
}

// As Python's reset_parameters of Linear and the convolutions.
void draw(const Tensor& weight, const Tensor& bias) {
  init::kaiming_uniform_(weight, std::sqrt(5.));
  if (!bias.defined()) return;
  const int64_t fan = fan_in(weight);
  const double bound = fan > 0 ? 1 / std::sqrt(double(fan)) : 0;
  uniform_(bias, -bound, bound);
}
Tensor uninitialised(IntList size) { return empty(size, default_dtype()); }

}  // namespace

namespace init {
void kaiming_uniform_(const Tensor& t, double a) {
  NoGrad no_grad;
  if (t.numel() == 0) return;
  const double gain = std::sqrt(2. / (1 + a * a)), bound = std::sqrt(3.) * gain / std::sqrt(double(fan_in(t)));
  uniform_(t, -bound, bound);
}
void xavier_uniform_(const Tensor& t, double gain) {
  NoGrad no_grad;
  const int64_t in = fan_in(t), out = t.size(1) == 0 ? 0 : t.numel() / t.size(1);
  const double bound = gain * std::sqrt(6. / double(in + out));
  uniform_(t, -bound, bound);
}
}  // namespace init

// ---- linear and embedding

Linear::Linear(int64_t in_features, int64_t out_features, bool with_bias)
    : Module("Linear", "in_features=" + std::to_string(in_features) + ", out_features=" + std::to_string(out_features) + ", bias=" + text(with_bias)) {
  weight = uninitialised({out_features, in_features});
  if (with_bias) bias = uninitialised({out_features});
  draw(weight, bias);
  register_parameter("weight", weight);
  register_parameter("bias", bias);
}
Tensor Linear::operator()(const Tensor& x) const { return linear(x, weight, bias); }

Embedding::Embedding(int64_t num_embeddings, int64_t embedding_dim, std::optional<int64_t> padding)
    : Module("Embedding", std::to_string(num_embeddings) + ", " + std::to_string(embedding_dim) + (padding ? ", padding_idx=" + std::to_string(*padding) : "")),
      padding_idx(padding) {
  TG_CHECK(!padding || (*padding >= -num_embeddings && *padding < num_embeddings), ValueError, "padding_idx must be within num_embeddings");
  if (padding && *padding < 0) *padding_idx += num_embeddings;
  weight = uninitialised({num_embeddings, embedding_dim});
  normal_(weight);
  if (padding_idx) zero_(select(weight, 0, *padding_idx));
  register_parameter("weight", weight);
}
Tensor Embedding::operator()(const Tensor& indices) const { return embedding(weight, indices, padding_idx); }

Flatten::Flatten(int64_t start, int64_t end)
    : Module("Flatten", "start_dim=" + std::to_string(start) + ", end_dim=" + std::to_string(end)), start_dim(start), end_dim(end) {}
Tensor Flatten::operator()(const Tensor& x) const { return flatten(x, start_dim, end_dim); }

// ---- convolution

static std::string conv_text(int n, int64_t in, int64_t out, const Dims& kernel, const Dims& stride, const Dims& padding, const Dims& dilation,
                             const Dims& output_padding, int64_t groups, bool bias) {
  const size_t dims = size_t(n);
  std::string s = std::to_string(in) + ", " + std::to_string(out) + ", kernel_size=" + text(kernel, dims) + ", stride=" + text(stride, dims);
  const auto all = [](const Dims& d, int64_t v) {
    for (int64_t x : IntList(d)) if (x != v) return false;
    return true;
  };
  if (!all(padding, 0)) s += ", padding=" + text(padding, dims);
  if (!all(dilation, 1)) s += ", dilation=" + text(dilation, dims);
  if (!all(output_padding, 0)) s += ", output_padding=" + text(output_padding, dims);
  if (groups != 1) s += ", groups=" + std::to_string(groups);
  return bias ? s : s + ", bias=False";
}
// (a, b / groups, kernel…), with a kernel of one number repeated.
static Shape conv_weight(int n, int64_t a, int64_t b, int64_t groups, const Dims& kernel) {
  TG_CHECK(groups > 0 && a % groups == 0 && b % groups == 0, ValueError, "in_channels and out_channels must be divisible by groups, got ", a, ", ", b, " and ", groups);
  TG_CHECK(kernel.size() == 1 || int(kernel.size()) == n, ShapeError, "kernel_size must have 1 or ", n, " numbers, got ", IntList(kernel));
  Shape s{a, b / groups};
  for (int d = 0; d < n; d++) s.push_back(kernel[kernel.size() == 1 ? 0 : size_t(d)]);
  return s;
}

template <int N> Conv<N>::Conv(int64_t in, int64_t out, Dims kernel, ConvOptions o)
    : Module("Conv" + std::to_string(N) + "d", conv_text(N, in, out, kernel, o.stride, o.padding, o.dilation, 0, o.groups, o.bias)), options(o) {
  TG_CHECK(o.groups > 0 && in % o.groups == 0, ValueError, "in_channels must be divisible by groups, got ", in, " and ", o.groups);
  weight = uninitialised(conv_weight(N, out, in, o.groups, kernel));
  if (o.bias) bias = uninitialised({out});
  draw(weight, bias);
  register_parameter("weight", weight);
  register_parameter("bias", bias);
}
template <int N> Tensor Conv<N>::operator()(const Tensor& x) const {
  const ConvOptions& o = options;
  const IntList stride = o.stride, padding = o.padding, dilation = o.dilation;
  if constexpr (N == 1) return conv1d(x, weight, bias, stride, padding, dilation, o.groups);
  else if constexpr (N == 2) return conv2d(x, weight, bias, stride, padding, dilation, o.groups);
  else return conv3d(x, weight, bias, stride, padding, dilation, o.groups);
}
template struct Conv<1>;
template struct Conv<2>;
template struct Conv<3>;

template <int N> ConvTranspose<N>::ConvTranspose(int64_t in, int64_t out, Dims kernel, ConvTransposeOptions o)
    : Module("ConvTranspose" + std::to_string(N) + "d",
             conv_text(N, in, out, kernel, o.stride, o.padding, o.dilation, o.output_padding, o.groups, o.bias)),
      options(o) {
  weight = uninitialised(conv_weight(N, in, out, o.groups, kernel));
  if (o.bias) bias = uninitialised({out});
  draw(weight, bias);
  register_parameter("weight", weight);
  register_parameter("bias", bias);
}
template <int N> Tensor ConvTranspose<N>::operator()(const Tensor& x) const {
  const ConvTransposeOptions& o = options;
  if constexpr (N == 1) return conv_transpose1d(x, weight, bias, o.stride, o.padding, o.output_padding, o.groups, o.dilation);
  else if constexpr (N == 2) return conv_transpose2d(x, weight, bias, o.stride, o.padding, o.output_padding, o.groups, o.dilation);
  else return conv_transpose3d(x, weight, bias, o.stride, o.padding, o.output_padding, o.groups, o.dilation);
}
template struct ConvTranspose<1>;
template struct ConvTranspose<2>;
template struct ConvTranspose<3>;

// ---- pooling

static std::string pool_text(const Dims& kernel, const PoolOptions& o) {
  return "kernel_size=" + plain(kernel) + ", stride=" + plain(o.stride.value_or(kernel)) + ", padding=" + plain(o.padding);
}
static IntList stride_of(const PoolOptions& o) { return o.stride ? IntList(*o.stride) : IntList(); }

MaxPool2d::MaxPool2d(Dims kernel, PoolOptions o)
    : Module("MaxPool2d", pool_text(kernel, o) + ", dilation=1, ceil_mode=" + text(o.ceil_mode)), kernel_size(kernel), options(o) {}
Tensor MaxPool2d::operator()(const Tensor& x) const { return max_pool2d(x, kernel_size, stride_of(options), options.padding, 1, options.ceil_mode); }

AvgPool2d::AvgPool2d(Dims kernel, PoolOptions o) : Module("AvgPool2d", pool_text(kernel, o)), kernel_size(kernel), options(o) {}
Tensor AvgPool2d::operator()(const Tensor& x) const { return avg_pool2d(x, kernel_size, stride_of(options), options.padding, options.ceil_mode); }

AdaptiveAvgPool2d::AdaptiveAvgPool2d(Dims size) : Module("AdaptiveAvgPool2d", "output_size=" + plain(size)), output_size(size) {}
Tensor AdaptiveAvgPool2d::operator()(const Tensor& x) const { return adaptive_avg_pool2d(x, output_size); }

Upsample::Upsample(double factor, std::string m) : Module("Upsample", "scale_factor=" + text(factor) + ", mode='" + m + "'"), scale_factor(factor), mode(std::move(m)) {}
Tensor Upsample::operator()(const Tensor& x) const { return interpolate(x, {}, std::span<const double>(&scale_factor, 1), mode); }

// ---- normalisation

BatchNorm::BatchNorm(std::string layer, int64_t n, BatchNormOptions o, int64_t fewest, int64_t most)
    : Module(std::move(layer), std::to_string(n) + ", eps=" + text(o.eps) + ", momentum=" + text(o.momentum) + ", affine=" + text(o.affine) +
                                   ", track_running_stats=" + text(o.track_running_stats)),
      options(o), fewest_dims(fewest), most_dims(most) {
  if (o.affine) weight = ones({n}), bias = zeros({n});
  register_parameter("weight", weight);
  register_parameter("bias", bias);
  if (!o.track_running_stats) return;
  running_mean = register_buffer("running_mean", zeros({n}));
  running_var = register_buffer("running_var", ones({n}));
  num_batches_tracked = register_buffer("num_batches_tracked", zeros({}, Dtype::Int64));
}
Tensor BatchNorm::operator()(const Tensor& x) const {
  OpScope op("batch_norm");
  TG_CHECK(x.dim() >= fewest_dims && x.dim() <= most_dims, ShapeError, name(), " takes ", fewest_dims, fewest_dims == most_dims ? "" : " or 3",
           " dimensions, got ", x.dim(), Named{"input", x});
  if (is_training() && num_batches_tracked.defined()) add_(num_batches_tracked, Tensor(1));
  return batch_norm(x, running_mean, running_var, weight, bias, is_training() || !running_mean.defined(), options.momentum, options.eps);
}

LayerNorm::LayerNorm(Dims shape, double e, bool affine, bool with_bias)
    : Module("LayerNorm", text(shape) + ", eps=" + text(e) + ", elementwise_affine=" + text(affine) + ", bias=" + text(affine && with_bias)),
      normalized_shape(shape), eps(e) {
  if (affine) weight = ones(shape);
  if (affine && with_bias) bias = zeros(shape);
  register_parameter("weight", weight);
  register_parameter("bias", bias);
}
Tensor LayerNorm::operator()(const Tensor& x) const { return layer_norm(x, normalized_shape, weight, bias, eps); }

RMSNorm::RMSNorm(Dims shape, std::optional<double> e, bool affine)
    : Module("RMSNorm", text(shape) + ", eps=" + (e ? text(*e) : "None") + ", elementwise_affine=" + text(affine)), normalized_shape(shape), eps(e) {
  if (affine) weight = ones(shape);
  register_parameter("weight", weight);
}
Tensor RMSNorm::operator()(const Tensor& x) const { return rms_norm(x, normalized_shape, weight, eps); }

GroupNorm::GroupNorm(int64_t groups, int64_t channels, double e, bool affine)
    : Module("GroupNorm", std::to_string(groups) + ", " + std::to_string(channels) + ", eps=" + text(e) + ", affine=" + text(affine)), num_groups(groups), eps(e) {
  TG_CHECK(groups > 0 && channels % groups == 0, ValueError, "num_channels must be divisible by num_groups, got ", channels, " and ", groups);
  if (affine) weight = ones({channels}), bias = zeros({channels});
  register_parameter("weight", weight);
  register_parameter("bias", bias);
}
Tensor GroupNorm::operator()(const Tensor& x) const { return group_norm(x, num_groups, weight, bias, eps); }

}  // namespace tapegrad::nn
