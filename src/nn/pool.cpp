// Pooling layers.
#include "src/nn/layer.h"
#include "tapegrad/nn_conv.h"
#include "tapegrad/nn_init.h"

namespace tapegrad::nn {

static IntList stride_of(const std::optional<Dims>& stride) { return stride ? IntList(*stride) : IntList(); }
static std::string layer_name(const char* kind, int n) { return kind + std::to_string(n) + "d"; }

template <int N> MaxPool<N>::MaxPool(Dims kernel, MaxPoolOptions o)
    : MaxPool::ModuleOf(layer_name("MaxPool", N),
                        details("kernel_size", kernel, "stride", o.stride.value_or(kernel), "padding", o.padding,
                                "dilation", o.dilation, "ceil_mode", o.ceil_mode)),
      kernel_size(kernel),
      options(std::move(o)) {}
template <int N> Tensor MaxPool<N>::forward(const Tensor& x) const {
  constexpr auto pool = N == 1 ? max_pool1d : N == 2 ? max_pool2d : max_pool3d;
  return pool(x, kernel_size, stride_of(options.stride), options.padding, options.dilation, options.ceil_mode);
}
template <int N> std::tuple<Tensor, Tensor> MaxPool<N>::forward_with_indices(const Tensor& x) const {
  constexpr auto pool = N == 1 ? max_pool1d_with_indices : N == 2 ? max_pool2d_with_indices : max_pool3d_with_indices;
  return pool(x, kernel_size, stride_of(options.stride), options.padding, options.dilation, options.ceil_mode);
}
template struct MaxPool<1>;
template struct MaxPool<2>;
template struct MaxPool<3>;

template <int N> MaxUnpool<N>::MaxUnpool(Dims kernel, std::optional<Dims> s, Dims p)
    : MaxUnpool::ModuleOf(layer_name("MaxUnpool", N), "kernel_size=" + tuple_repr(kernel, N) +
                                                          ", stride=" + tuple_repr(s.value_or(kernel), N) +
                                                          ", padding=" + tuple_repr(p, N)),
      kernel_size(repeated(kernel, N)),
      stride(repeated(s.value_or(kernel), N)),
      padding(repeated(p, N)) {}
template <int N> Tensor MaxUnpool<N>::forward(const Tensor& x, const Tensor& indices) const {
  return functional::max_unpool(x, indices, kernel_size, stride, padding);
}
template <int N> Tensor MaxUnpool<N>::forward(const Tensor& x, const Tensor& indices, const Dims& output_size) const {
  return functional::max_unpool(x, indices, kernel_size, stride, padding, output_size);
}
template struct MaxUnpool<1>;
template struct MaxUnpool<2>;
template struct MaxUnpool<3>;

template <int N> AvgPool<N>::AvgPool(Dims kernel, AvgPoolOptions o)
    : AvgPool::ModuleOf(
          layer_name("AvgPool", N),
          N == 1 ? "kernel_size=" + tuple_repr(kernel) + ", stride=" + tuple_repr(o.stride.value_or(kernel)) +
                       ", padding=" + tuple_repr(o.padding)
                 : details("kernel_size", kernel, "stride", o.stride.value_or(kernel), "padding", o.padding)),
      kernel_size(kernel),
      options(std::move(o)) {
  TG_CHECK(N > 1 || !options.divisor_override, ValueError, "AvgPool1d: has no divisor_override");
}
template <int N> Tensor AvgPool<N>::forward(const Tensor& x) const {
  const AvgPoolOptions& o = options;
  if constexpr (N == 1)
    return avg_pool1d(x, kernel_size, stride_of(o.stride), o.padding, o.ceil_mode, o.count_include_pad);
  else if constexpr (N == 2)
    return avg_pool2d(x, kernel_size, stride_of(o.stride), o.padding, o.ceil_mode, o.count_include_pad,
                      o.divisor_override);
  else
    return avg_pool3d(x, kernel_size, stride_of(o.stride), o.padding, o.ceil_mode, o.count_include_pad,
                      o.divisor_override);
}
template struct AvgPool<1>;
template struct AvgPool<2>;
template struct AvgPool<3>;

template <int N> LPPool<N>::LPPool(double p, Dims kernel, std::optional<Dims> s, bool ceil)
    : LPPool::ModuleOf(layer_name("LPPool", N),
                       details("norm_type", p, "kernel_size", kernel, "stride", s, "ceil_mode", ceil)),
      norm_type(p),
      kernel_size(repeated(kernel, N)),
      stride(s),
      ceil_mode(ceil) {}
template <int N> Tensor LPPool<N>::forward(const Tensor& x) const {
  return functional::lp_pool(x, norm_type, kernel_size, stride_of(stride), ceil_mode);
}
template struct LPPool<1>;
template struct LPPool<2>;
template struct LPPool<3>;

// ---- adaptive

static std::string adaptive_text(const Dims& size) {
  if (size.size() == 1) return "output_size=" + (size[0] < 0 ? std::string("None") : repr(size[0]));
  std::string s = "output_size=(";
  for (size_t d = 0; d < size.size(); d++) s += (d ? ", " : "") + (size[d] < 0 ? std::string("None") : repr(size[d]));
  return s + ")";
}
static Shape adaptive_sizes(const Tensor& x, const Dims& size, size_t n) {
  Shape out = repeated(size, n);
  for (size_t d = 0; d < out.size(); d++)
    if (out[d] < 0) out[d] = x.size(int64_t(d) - int64_t(n));
  return out;
}
template <int N> AdaptiveAvgPool<N>::AdaptiveAvgPool(Dims size)
    : AdaptiveAvgPool::ModuleOf(layer_name("AdaptiveAvgPool", N), adaptive_text(size)), output_size(size) {}
template <int N> Tensor AdaptiveAvgPool<N>::forward(const Tensor& x) const {
  constexpr auto pool = N == 1 ? adaptive_avg_pool1d : N == 2 ? adaptive_avg_pool2d : adaptive_avg_pool3d;
  return pool(x, adaptive_sizes(x, output_size, N));
}
template struct AdaptiveAvgPool<1>;
template struct AdaptiveAvgPool<2>;
template struct AdaptiveAvgPool<3>;

template <int N> AdaptiveMaxPool<N>::AdaptiveMaxPool(Dims size)
    : AdaptiveMaxPool::ModuleOf(layer_name("AdaptiveMaxPool", N), adaptive_text(size)), output_size(size) {}
template <int N> Tensor AdaptiveMaxPool<N>::forward(const Tensor& x) const {
  constexpr auto pool = N == 1 ? adaptive_max_pool1d : N == 2 ? adaptive_max_pool2d : adaptive_max_pool3d;
  return pool(x, adaptive_sizes(x, output_size, N));
}
template <int N> std::tuple<Tensor, Tensor> AdaptiveMaxPool<N>::forward_with_indices(const Tensor& x) const {
  constexpr auto pool = N == 1   ? adaptive_max_pool1d_with_indices
                        : N == 2 ? adaptive_max_pool2d_with_indices
                                 : adaptive_max_pool3d_with_indices;
  return pool(x, adaptive_sizes(x, output_size, N));
}
template struct AdaptiveMaxPool<1>;
template struct AdaptiveMaxPool<2>;
template struct AdaptiveMaxPool<3>;

// ---- fractional

template <int N> FractionalMaxPool<N>::FractionalMaxPool(Dims kernel, FractionalMaxPoolOptions o)
    : FractionalMaxPool::ModuleOf(layer_name("FractionalMaxPool", N), ""),
      kernel_size(repeated(kernel, N)),
      options(std::move(o)) {
  TG_CHECK(options.output_size.has_value() == options.output_ratio.empty(), ValueError, this->name(),
           ": give output_size or output_ratio, and not both");
  const size_t ratios = options.output_ratio.size();
  TG_CHECK(ratios <= 1 || ratios == size_t(N), ShapeError, this->name(), ": output_ratio must have 1 or ", N,
           " numbers, got ", ratios);
  for (const double r : options.output_ratio)
    TG_CHECK(r > 0 && r < 1, ValueError, this->name(), ": output_ratio must be between 0 and 1, got ", r);
  this->register_buffer("_random_samples", options.random_samples);
}
template <int N> std::tuple<Tensor, Tensor> FractionalMaxPool<N>::forward_with_indices(const Tensor& x) const {
  Shape size;
  const std::vector<double>& ratio = options.output_ratio;
  if (options.output_size) size = repeated(*options.output_size, N);
  else
    for (int64_t d = 0; d < N; d++)
      size.push_back(int64_t(double(x.size(d - N)) * ratio[ratio.size() == 1 ? 0 : size_t(d)]));
  return functional::fractional_max_pool(x, kernel_size, size, options.random_samples);
}
template <int N> Tensor FractionalMaxPool<N>::forward(const Tensor& x) const {
  return std::get<0>(forward_with_indices(x));
}
template struct FractionalMaxPool<2>;
template struct FractionalMaxPool<3>;

}  // namespace tapegrad::nn
