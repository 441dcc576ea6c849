// Layers over the last one to three dimensions of (N, C, spatial…) or (C, spatial…): convolution, pooling, padding.
#pragma once
#include "tapegrad/nn_module.h"

namespace tapegrad::nn {

// ---- convolution

/// Numbers, or Padding::Same or Padding::Valid.
struct ConvPadding : Dims {
  std::optional<Padding> kind;
  template <class I>
  requires std::is_integral_v<I> ConvPadding(I n) : Dims(n) {}
  ConvPadding(std::initializer_list<int64_t> l) : Dims(l) {}
  ConvPadding(const Dims& d) : Dims(d) {}
  ConvPadding(Padding k) : Dims(0), kind(k) {}
};
struct ConvOptions {
  Dims stride = 1;
  ConvPadding padding = 0;
  Dims dilation = 1;
  int64_t groups = 1;
  bool bias = true;
  std::string padding_mode = "zeros";  ///< or "reflect", "replicate", "circular"
};
template <int N> struct TG_API Conv : ModuleOf<Conv<N>> {
  Tensor weight, bias;
  ConvOptions options;
  Conv(int64_t in_channels, int64_t out_channels, Dims kernel_size, ConvOptions options = {});
  Tensor forward(const Tensor& x) const;

 private:
  Shape edges_;  // what pad() is to add first, for the padding modes
};
using Conv1d = Conv<1>;
using Conv2d = Conv<2>;
using Conv3d = Conv<3>;

struct ConvTransposeOptions {
  Dims stride = 1, padding = 0, output_padding = 0;
  int64_t groups = 1;
  bool bias = true;
  Dims dilation = 1;
};
template <int N> struct TG_API ConvTranspose : ModuleOf<ConvTranspose<N>> {
  Tensor weight, bias;
  ConvTransposeOptions options;
  ConvTranspose(int64_t in_channels, int64_t out_channels, Dims kernel_size, ConvTransposeOptions options = {});
  Tensor forward(const Tensor& x) const;
  /// With the output padding that gives this size. ValueError when none does.
  Tensor forward(const Tensor& x, const Dims& output_size) const;
};
using ConvTranspose1d = ConvTranspose<1>;
using ConvTranspose2d = ConvTranspose<2>;
using ConvTranspose3d = ConvTranspose<3>;

/// Sliding blocks of (N, C, H, W) as columns (N, C kh kw, blocks), and their sum back into an image.
struct TG_API Unfold : ModuleOf<Unfold> {
  Dims kernel_size, dilation, padding, stride;
  explicit Unfold(Dims kernel_size, Dims dilation = 1, Dims padding = 0, Dims stride = 1);
  Tensor forward(const Tensor& x) const;
};
struct TG_API Fold : ModuleOf<Fold> {
  Dims output_size, kernel_size, dilation, padding, stride;
  Fold(Dims output_size, Dims kernel_size, Dims dilation = 1, Dims padding = 0, Dims stride = 1);
  Tensor forward(const Tensor& x) const;
};

// ---- padding: {left, right, top, bottom, front, back}, or one number for all

enum class TG_API PadKind : uint8_t { Circular, Reflection, Replication, Zero };  // TG_API: clang++ hides what is made from a hidden type
template <PadKind K, int N> struct TG_API Pad : ModuleOf<Pad<K, N>> {
  Dims padding;
  explicit Pad(Dims padding);
  Tensor forward(const Tensor& x) const;
};
template <int N> struct TG_API ConstantPad : ModuleOf<ConstantPad<N>> {
  Dims padding;
  double value;
  ConstantPad(Dims padding, double value);
  Tensor forward(const Tensor& x) const;
};
using CircularPad1d = Pad<PadKind::Circular, 1>;
using CircularPad2d = Pad<PadKind::Circular, 2>;
using CircularPad3d = Pad<PadKind::Circular, 3>;
using ReflectionPad1d = Pad<PadKind::Reflection, 1>;
using ReflectionPad2d = Pad<PadKind::Reflection, 2>;
using ReflectionPad3d = Pad<PadKind::Reflection, 3>;
using ReplicationPad1d = Pad<PadKind::Replication, 1>;
using ReplicationPad2d = Pad<PadKind::Replication, 2>;
using ReplicationPad3d = Pad<PadKind::Replication, 3>;
using ZeroPad1d = Pad<PadKind::Zero, 1>;
using ZeroPad2d = Pad<PadKind::Zero, 2>;
using ZeroPad3d = Pad<PadKind::Zero, 3>;
using ConstantPad1d = ConstantPad<1>;
using ConstantPad2d = ConstantPad<2>;
using ConstantPad3d = ConstantPad<3>;

// ---- pooling: without a stride it is the kernel size

struct MaxPoolOptions {
  std::optional<Dims> stride = {};
  Dims padding = 0, dilation = 1;
  bool ceil_mode = false;
};
template <int N> struct TG_API MaxPool : ModuleOf<MaxPool<N>> {
  Dims kernel_size;
  MaxPoolOptions options;
  explicit MaxPool(Dims kernel_size, MaxPoolOptions options = {});
  Tensor forward(const Tensor& x) const;
  /// The maxima and where in the input's planes they were: what MaxUnpool takes.
  std::tuple<Tensor, Tensor> forward_with_indices(const Tensor& x) const;
};
using MaxPool1d = MaxPool<1>;
using MaxPool2d = MaxPool<2>;
using MaxPool3d = MaxPool<3>;

/// Zeros but for the values of a max pooling at their indices.
template <int N> struct TG_API MaxUnpool : ModuleOf<MaxUnpool<N>> {
  Dims kernel_size, stride, padding;
  explicit MaxUnpool(Dims kernel_size, std::optional<Dims> stride = {}, Dims padding = 0);
  Tensor forward(const Tensor& x, const Tensor& indices) const;
  Tensor forward(const Tensor& x, const Tensor& indices, const Dims& output_size) const;
};
using MaxUnpool1d = MaxUnpool<1>;
using MaxUnpool2d = MaxUnpool<2>;
using MaxUnpool3d = MaxUnpool<3>;

struct AvgPoolOptions {
  std::optional<Dims> stride = {};
  Dims padding = 0;
  bool ceil_mode = false, count_include_pad = true;
  std::optional<int64_t> divisor_override = {};  ///< not of AvgPool1d
};
template <int N> struct TG_API AvgPool : ModuleOf<AvgPool<N>> {
  Dims kernel_size;
  AvgPoolOptions options;
  explicit AvgPool(Dims kernel_size, AvgPoolOptions options = {});
  Tensor forward(const Tensor& x) const;
};
using AvgPool1d = AvgPool<1>;
using AvgPool2d = AvgPool<2>;
using AvgPool3d = AvgPool<3>;

/// (sum of x^norm_type)^(1 / norm_type) over each window.
template <int N> struct TG_API LPPool : ModuleOf<LPPool<N>> {
  double norm_type;
  Dims kernel_size;
  std::optional<Dims> stride;
  bool ceil_mode;
  LPPool(double norm_type, Dims kernel_size, std::optional<Dims> stride = {}, bool ceil_mode = false);
  Tensor forward(const Tensor& x) const;
};
using LPPool1d = LPPool<1>;
using LPPool2d = LPPool<2>;
using LPPool3d = LPPool<3>;

/// Windows chosen so that the output is output_size; -1 keeps a dimension's size.
template <int N> struct TG_API AdaptiveAvgPool : ModuleOf<AdaptiveAvgPool<N>> {
  Dims output_size;
  explicit AdaptiveAvgPool(Dims output_size);
  Tensor forward(const Tensor& x) const;
};
using AdaptiveAvgPool1d = AdaptiveAvgPool<1>;
using AdaptiveAvgPool2d = AdaptiveAvgPool<2>;
using AdaptiveAvgPool3d = AdaptiveAvgPool<3>;
template <int N> struct TG_API AdaptiveMaxPool : ModuleOf<AdaptiveMaxPool<N>> {
  Dims output_size;
  explicit AdaptiveMaxPool(Dims output_size);
  Tensor forward(const Tensor& x) const;
  std::tuple<Tensor, Tensor> forward_with_indices(const Tensor& x) const;
};
using AdaptiveMaxPool1d = AdaptiveMaxPool<1>;
using AdaptiveMaxPool2d = AdaptiveMaxPool<2>;
using AdaptiveMaxPool3d = AdaptiveMaxPool<3>;

/// Largest values of windows at random places (Graham 2014). Give output_size, or output_ratio ({0.5} or one for each dimension).
struct FractionalMaxPoolOptions {
  std::optional<Dims> output_size = {};
  std::vector<double> output_ratio = {};
  Tensor random_samples = {};  ///< (N, C, dimensions) in [0, 1): where the windows are; drawn anew for each call if left out
};
template <int N> struct TG_API FractionalMaxPool : ModuleOf<FractionalMaxPool<N>> {
  Dims kernel_size;
  FractionalMaxPoolOptions options;
  FractionalMaxPool(Dims kernel_size, FractionalMaxPoolOptions options);
  Tensor forward(const Tensor& x) const;
  std::tuple<Tensor, Tensor> forward_with_indices(const Tensor& x) const;
};
using FractionalMaxPool2d = FractionalMaxPool<2>;
using FractionalMaxPool3d = FractionalMaxPool<3>;

}  // namespace tapegrad::nn
