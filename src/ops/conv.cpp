// Convolutions of 1, 2 and 3 dimensions and their transposes: checks, gradients, rows. The numbers come from conv_kernels.cpp.
//
// With y = x * w there are three maps, each linear in both of its operands: Forward (x, w) -> y, Data (y, w) -> x and
// Weight (x, y) -> w. All three pair the same numbers: sum(y' · (x * w)) = sum(x · Data(y', w)) = sum(w · Weight(x, y')).
// So the gradients of each are the other two, and one node serves convolutions, transposed ones and their double backward.
#include "src/ops/conv.h"

#include "src/ops/op_info.h"
#include "src/ops/window_list.h"
#include "src/tensor/align.h"

namespace tapegrad {
namespace {

using Pass = ConvPass;
Tensor convolve(Pass pass, const ConvPlan& p, const Tensor& u, const Tensor& v, const Tensor& bias = {});

struct ConvolutionBackward final : NodeOf<3> {
  ConvPlan p;
  Pass pass;
  SavedTensor u, v;
  ConvolutionBackward(Pass pass, const ConvPlan& plan, const Tensor& a, const Tensor& b, const Tensor& bias)
      : NodeOf(a, b, bias), p(plan), pass(pass) {
    if (needs(1)) u = SavedTensor(a);
    if (needs(0)) v = SavedTensor(b);
  }
  const char* name() const override { return "ConvolutionBackward0"; }
  void backward(Tensor g, Tensor* dx) override {
    if (needs(0)) {
      const Tensor b = v.unpack(*this);
      dx[0] = pass == Pass::Forward ? convolve(Pass::Data, p, g, b)
              : pass == Pass::Data  ? convolve(Pass::Forward, p, g, b)
                                    : convolve(Pass::Data, p, b, g);
    }
    if (needs(1)) {
      const Tensor a = u.unpack(*this);
      dx[1] = pass == Pass::Forward ? convolve(Pass::Weight, p, a, g)
              : pass == Pass::Data  ? convolve(Pass::Weight, p, g, a)
                                    : convolve(Pass::Forward, p, a, g);
    }
    if (needs(2)) {
      Shape all_but_channels{0};
      for (int64_t d = 2; d < g.dim(); d++) all_but_channels.push_back(d);
      dx[2] = sum(g, all_but_channels);
    }
  }
  void free_saved() override { u.reset(), v.reset(); }
};

/// A number for each channel, to be added to them.
Tensor by_channel(const Tensor& bias, int dims) {
  Shape size(size_t(dims) + 1, 1);
  size[0] = bias.size(0);
  return reshape(bias, size);
}
Tensor run(Pass pass, const ConvPlan& p, const Tensor& u, const Tensor& v, const Tensor& bias) {
  NoGrad off;
  const Dtype d = u.dtype();
  if (d != float32 && d != float64) {  // 16-bit floats in float; integers in double, exact while sums stay below 2^53
    const Dtype wide = is_floating(d) ? float32 : float64;
    return to(run(pass, p, to(u, wide), to(v, wide), bias.defined() ? to(bias, wide) : bias), d);
  }
  const bool nothing_to_sum = pass == Pass::Forward ? !p.in_channels : pass == Pass::Data ? !p.out_channels : !p.batch;
  if (nothing_to_sum) {
    const Tensor out = zeros(pass == Pass::Forward ? p.y_size() : pass == Pass::Data ? p.x_size() : p.w_size(), d, u.device());
    return bias.defined() ? out + by_channel(bias, p.dims) : out;
  }
  const Tensor a = contiguous(u), b = contiguous(v), c = bias.defined() ? contiguous(bias) : bias;
  if (Tensor out = onednn(pass, p, a, b, c); out.defined()) return out;
  return pass == Pass::Forward ? conv_forward(p, a, b, c) : pass == Pass::Data ? conv_data(p, a, b, c) : conv_weight(p, a, b);
}
Tensor convolve(Pass pass, const ConvPlan& p, const Tensor& u, const Tensor& v, const Tensor& bias) {
  Tensor out = run(pass, p, u, v, bias);
  if (recording(u, v, bias)) record<ConvolutionBackward>(out, pass, p, u, v, bias);
  return out;
}

struct Arguments {
  const Tensor &x, &weight, &bias;
  IntList stride, padding, dilation;
  int64_t groups;
  bool transposed;
  IntList output_padding;
};

void check_types(const Arguments& a) {
  TG_CHECK(a.x.dtype() == a.weight.dtype() && (!a.bias.defined() || a.bias.dtype() == a.x.dtype()), DtypeError,
      "input, weight and bias must have the same dtype, got ", a.x.dtype(),
           ", ", a.weight.dtype(), a.bias.defined() ? " and " : "", a.bias.defined() ? name(a.bias.dtype()) : "",
           Named{"input", a.x}, Named{"weight", a.weight});
  TG_CHECK(is_differentiable(a.x.dtype()) || (a.transposed ? a.x.dtype() == int64 : is_integral(a.x.dtype())), DtypeError,
      "input must be floating or ", a.transposed ? "int64" : "integer", ", got ", a.x.dtype(), Named{"input", a.x});
}

// Both shapes with their channels under each other: dimension `channels` of weight.
[[gnu::cold]] std::string channels_marked(const Tensor& x, const Tensor& w, int dims, int channels) {
  const int at = x.dim() == dims + 2 ? 1 : 0, column = std::max(at, channels);
  return aligned({{"input", x.sizes(), column - at}, {"weight", w.sizes(), column - channels}}, {column});
}
[[gnu::cold]] std::string last_hint(const Tensor& x, int dims, int64_t channels) {
  if (x.size(-1) != channels) return "";
  Shape order;
  for (int64_t d = 0; d < x.dim(); d++) order.push_back(d);
  const size_t to = x.dim() == dims + 2 ? 1 : 0;
  order.pop_back(), order.insert(to, x.dim() - 1);
  return "\n  hint: input has " + std::to_string(channels) + " channels in its last dimension; input.permute(" + to_string(order).substr(1, to_string(order).size() - 2) + ") would fit";
}
ConvPlan plan(int dims, const Arguments& a, const Tensor& x) {
  const Tensor& w = a.weight;
  ConvPlan p;
  p.dims = dims, p.groups = a.groups;
  p.window = {{1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, {1, 1, 1}};
  Window& win = p.window;
  const int first = 3 - dims;
  spread_list(a.stride, dims, "stride", 1, win.stride + first);
  spread_list(a.padding, dims, "padding", 0, win.pad + first);
  spread_list(a.dilation, dims, "dilation", 1, win.dilation + first);
  long extra[3] = {0, 0, 0};
  if (a.transposed) spread_list(a.output_padding, dims, "output_padding", 0, extra + first);
  TG_CHECK(a.groups > 0, ValueError, "groups must be positive, got ", a.groups);
  TG_CHECK(w.dim() == dims + 2, ShapeError, "weight must have ", dims + 2, " dimensions, got ", w.dim(), Named{"input", a.x},
      Named{"weight", w});
  p.batch = x.size(0);
  const int64_t channels = x.size(1);
  TG_CHECK(w.size(0) % a.groups == 0, ShapeError, "the first dimension of weight must be divisible by groups, got ", w.size(0),
      " and groups=", a.groups, Named{"input", a.x}, Named{"weight", w});
  if (a.transposed) {
    TG_CHECK(channels == w.size(0), ShapeError, "input must have as many channels as the first dimension of weight, got ",
        channels, " and ", w.size(0), Named{"input", a.x}, Named{"weight", w}, channels_marked(a.x, w, dims, 0), last_hint(a.x, dims, w.size(0)));
    p.in_channels = w.size(1) * a.groups, p.out_channels = channels;
  } else {
    TG_CHECK(channels == w.size(1) * a.groups, ShapeError, "input must have ", w.size(1) * a.groups,
        " channels (second dimension of weight times groups), got ", channels,
             Named{"input", a.x}, Named{"weight", w}, channels_marked(a.x, w, dims, 1), last_hint(a.x, dims, w.size(1) * a.groups));
    p.in_channels = channels, p.out_channels = w.size(0);
  }
  const int64_t result_channels = a.transposed ? p.in_channels : p.out_channels;
  if (a.bias.defined())
    TG_CHECK(a.bias.dim() == 1 && a.bias.size(0) == result_channels, ShapeError, "bias must have shape [", result_channels,
        "], got ", a.bias.sizes(), Named{"weight", w}, Named{"bias", a.bias});
  for (int d = first; d < 3; d++) {
    const int64_t size = x.size(d - 3 + x.dim());
    win.kernel[d] = w.size(d - 3 + w.dim());
    TG_CHECK(win.kernel[d] > 0, ShapeError, "weight must have a kernel without empty dimensions, got ", w.sizes(),
        Named{"input", a.x}, Named{"weight", w});
    TG_CHECK(size < kWindowLimit && win.kernel[d] < kWindowLimit, ShapeError, "dimensions of space must be smaller than 2^31",
        Named{"input", a.x}, Named{"weight", w});
    const int64_t reach = win.dilation[d] * (win.kernel[d] - 1) + 1;
    if (a.transposed) {
      TG_CHECK(extra[d] < win.stride[d] || extra[d] < win.dilation[d], ValueError,
          "output_padding must be smaller than stride or dilation, got ", a.output_padding, ", ", a.stride, " and ", a.dilation);
      win.out[d] = size;
      win.in[d] = (size - 1) * win.stride[d] - 2 * win.pad[d] + reach + extra[d];
      TG_CHECK(win.in[d] > 0, ShapeError, "the result would have a dimension of size ", win.in[d], Named{"input", a.x}, Named{"weight", w});
    } else {
      TG_CHECK(reach <= size + 2 * win.pad[d], ShapeError, "kernel size can't be greater than actual input size, got ", reach,
          " (with dilation) and ", size + 2 * win.pad[d], " (with padding) in dimension ",
               d - 3, Named{"input", a.x}, Named{"weight", w});
      win.in[d] = size;
      win.out[d] = (size + 2 * win.pad[d] - reach) / win.stride[d] + 1;
    }
  }
  return p;
}

Tensor convolution(int dims, const Arguments& a);
// (xr + i xi) (wr + i wi) by three real convolutions.
Tensor complex_convolution(int dims, const Arguments& a) {
  const auto conv = [&](const Tensor& x, const Tensor& w) {
    return convolution(dims, {x, w, Tensor(), a.stride, a.padding, a.dilation, a.groups, a.transposed, a.output_padding});
  };
  const Tensor xr = real(a.x), xi = imag(a.x), wr = real(a.weight), wi = imag(a.weight);
  const Tensor rr = conv(xr, wr), ii = conv(xi, wi), out = complex(rr - ii, conv(xr + xi, wr + wi) - rr - ii);
  if (!a.bias.defined()) return out;
  TG_CHECK(a.bias.dim() == 1 && a.bias.size(0) == out.size(-1 - dims), ShapeError, "bias must have shape [", out.size(-1 - dims),
      "], got ", a.bias.sizes(), Named{"weight", a.weight}, Named{"bias", a.bias});
  return out + by_channel(a.bias, dims);
}

Tensor convolution(int dims, const Arguments& a) {
  check_types(a);
  if (a.x.is_complex()) return complex_convolution(dims, a);
  TG_CHECK(a.x.dim() == dims + 2 || a.x.dim() == dims + 1, ShapeError, "input must have ", dims + 2, " dimensions, or ",
      dims + 1, " without a batch, got ", a.x.dim(), Named{"input", a.x},
           Named{"weight", a.weight});
  const bool batched = a.x.dim() == dims + 2;
  const Tensor x = batched ? a.x : unsqueeze(a.x, 0);
  const Tensor y = convolve(a.transposed ? Pass::Data : Pass::Forward, plan(dims, a, x), x, a.weight, a.bias);
  return batched ? y : squeeze(y, 0);
}

// "same": as much zero padding as keeps the size; when that is odd, one more at the end.
Tensor padded_convolution(int dims, const Tensor& x, const Tensor& w, const Tensor& bias, IntList stride, Padding padding,
    IntList dilation, int64_t groups) {
  if (padding == Padding::Valid) return convolution(dims, {x, w, bias, stride, 0, dilation, groups, false, {}});
  for (int64_t s : stride) TG_CHECK(s == 1, ValueError, "padding='same' needs stride 1, got ", stride);
  TG_CHECK(w.dim() == dims + 2, ShapeError, "weight must have ", dims + 2, " dimensions, got ", w.dim(), Named{"input", x},
      Named{"weight", w});
  int64_t step[3];
  spread_list(dilation, dims, "dilation", 1, step);
  Shape both, more;
  bool odd = false;
  for (int d = 0; d < dims; d++) {
    const int64_t total = step[d] * (w.size(d + 2) - 1);
    both.push_back(total / 2);
    odd |= total % 2;
  }
  for (int d = dims; d-- > 0;) more.push_back(0), more.push_back(step[d] * (w.size(d + 2) - 1) % 2);
  return convolution(dims, {odd ? pad(x, more) : x, w, bias, stride, both, dilation, groups, false, {}});
}

}  // namespace

Tensor conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias, IntList stride, IntList padding, IntList dilation,
    int64_t groups) {
  OpScope op("conv1d");
  return convolution(1, {x, weight, bias, stride, padding, dilation, groups, false, {}});
}
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, IntList stride, IntList padding, IntList dilation,
    int64_t groups) {
  OpScope op("conv2d");
  return convolution(2, {x, weight, bias, stride, padding, dilation, groups, false, {}});
}
Tensor conv3d(const Tensor& x, const Tensor& weight, const Tensor& bias, IntList stride, IntList padding, IntList dilation,
    int64_t groups) {
  OpScope op("conv3d");
  return convolution(3, {x, weight, bias, stride, padding, dilation, groups, false, {}});
}
Tensor conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias, IntList stride, Padding padding, IntList dilation,
    int64_t groups) {
  OpScope op("conv1d");
  return padded_convolution(1, x, weight, bias, stride, padding, dilation, groups);
}
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, IntList stride, Padding padding, IntList dilation,
    int64_t groups) {
  OpScope op("conv2d");
  return padded_convolution(2, x, weight, bias, stride, padding, dilation, groups);
}
Tensor conv3d(const Tensor& x, const Tensor& weight, const Tensor& bias, IntList stride, Padding padding, IntList dilation,
    int64_t groups) {
  OpScope op("conv3d");
  return padded_convolution(3, x, weight, bias, stride, padding, dilation, groups);
}
Tensor conv_transpose1d(const Tensor& x, const Tensor& weight, const Tensor& bias, IntList stride, IntList padding,
    IntList output_padding, int64_t groups, IntList dilation) {
  OpScope op("conv_transpose1d");
  return convolution(1, {x, weight, bias, stride, padding, dilation, groups, true, output_padding});
}
Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias, IntList stride, IntList padding,
    IntList output_padding, int64_t groups, IntList dilation) {
  OpScope op("conv_transpose2d");
  return convolution(2, {x, weight, bias, stride, padding, dilation, groups, true, output_padding});
}
Tensor conv_transpose3d(const Tensor& x, const Tensor& weight, const Tensor& bias, IntList stride, IntList padding,
    IntList output_padding, int64_t groups, IntList dilation) {
  OpScope op("conv_transpose3d");
  return convolution(3, {x, weight, bias, stride, padding, dilation, groups, true, output_padding});
}

// ---- rows
namespace {
using Conv = Tensor (*)(const Tensor&, const Tensor&, const Tensor&, IntList, IntList, IntList, int64_t);
using ConvNamed = Tensor (*)(const Tensor&, const Tensor&, const Tensor&, IntList, Padding, IntList, int64_t);
// The form that Python calls with a word.
template <ConvNamed conv, int dims> Tensor in_words(const Tensor& x, const Tensor& weight, const Tensor& bias, IntList stride,
    std::string_view padding, IntList dilation, int64_t groups) {
  OpScope op(dims == 1 ? "conv1d" : dims == 2 ? "conv2d" : "conv3d");
  TG_CHECK(padding == "same" || padding == "valid", ValueError, "padding must be 'valid', 'same' or numbers, got '", padding, "'");
  return conv(x, weight, bias, stride, padding == "same" ? Padding::Same : Padding::Valid, dilation, groups);
}
constexpr const char* kConvDoc =
    "Cross-correlation of input (N, C, …) with weight (K, C / groups, kernel…), plus bias (K): each output pixel is the sum of "
    "a window of the input times the "
    "weights. Without a batch N is left out. The result has (n + 2·padding - dilation·(kernel - 1) - 1) / stride + 1 pixels per "
    "dimension, rounded down.";
constexpr const char* kSameDoc = "As above with padding 'valid' (none) or 'same' (zeros that keep the size; stride 1 only).";
constexpr const char* kTransposeDoc =
    "Transposed convolution: spreads each pixel of input (N, C, …) over a window by weight (C, K / groups, kernel…), plus bias "
    "(K). The result has "
    "(n - 1)·stride - 2·padding + dilation·(kernel - 1) + output_padding + 1 pixels per dimension.";
}  // namespace

void conv_ops(OpTable& t) {
  t.add("conv1d(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, int[1] padding=0, int[1] dilation=1, int "
      "groups=1)", Conv(&conv1d), kConvDoc)
      .functional().samples({"T(2, 3, 7), T(4, 3, 3), T(4)", "T(3, 7), T(2, 3, 2), None, 2, 1",
      "T(2, 4, 9), T(4, 2, 3), T(4), dilation=2, groups=2", "T(0, 2, 5), T(3, 2, 3)"});
  t.add("conv1d(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, str padding='valid', int[1] dilation=1, int "
      "groups=1)", &in_words<ConvNamed(&conv1d), 1>, kSameDoc)
      .functional().samples({"T(2, 3, 7), T(4, 3, 4), None, 1, 'same'"});
  t.add("conv2d(Tensor input, Tensor weight, Tensor? bias=None, int[2] stride=1, int[2] padding=0, int[2] dilation=1, int "
      "groups=1)", Conv(&conv2d), kConvDoc)
      .functional()
      .samples({"T(2, 3, 5, 6), T(4, 3, 3, 2), T(4)", "T(2, 3, 6, 5), T(4, 3, 3, 3), T(4), 2, 1",
      "T(3, 5, 6), T(2, 3, 3, 3), None, (1, 2), (2, 1)", "T(1, 4, 6, 7), T(6, 2, 3, 2), T(6), 1, 1, 2, 2",
                "T(2, 3, 6, 6), T(6, 1, 3, 3), T(6), padding=1, groups=3", "T(2, 3, 4, 4), T(5, 3, 1, 1), T(5)",
                "T(0, 2, 4, 4), T(3, 2, 3, 3), T(3)"});
  t.add("conv2d(Tensor input, Tensor weight, Tensor? bias=None, int[2] stride=1, str padding='valid', int[2] dilation=1, int "
      "groups=1)", &in_words<ConvNamed(&conv2d), 2>, kSameDoc)
      .functional().samples({"T(1, 2, 5, 6), T(3, 2, 3, 2), T(3), 1, 'same'", "T(1, 2, 5, 6), T(3, 2, 3, 3), padding='valid'"});
  t.add("conv3d(Tensor input, Tensor weight, Tensor? bias=None, int[3] stride=1, int[3] padding=0, int[3] dilation=1, int "
      "groups=1)", Conv(&conv3d), kConvDoc)
      .functional().samples({"T(1, 2, 3, 4, 5), T(3, 2, 2, 2, 3), T(3)",
      "T(1, 2, 4, 4, 4), T(2, 1, 3, 2, 2), None, (1, 2, 1), (1, 0, 1), groups=2", "T(2, 3, 4, 4), T(2, 2, 2, 2, 2)"});
  t.add("conv3d(Tensor input, Tensor weight, Tensor? bias=None, int[3] stride=1, str padding='valid', int[3] dilation=1, int "
      "groups=1)", &in_words<ConvNamed(&conv3d), 3>, kSameDoc)
      .functional().samples({"T(1, 2, 3, 4, 5), T(3, 2, 3, 2, 1), None, 1, 'same'"});
  t.add("conv_transpose1d(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, int[1] padding=0, int[1] "
      "output_padding=0, int groups=1, int[1] dilation=1)", &conv_transpose1d, kTransposeDoc)
      .functional().samples({"T(2, 3, 5), T(3, 4, 3), T(4)", "T(3, 5), T(3, 2, 3), None, 2, 1, 1",
      "T(1, 4, 5), T(4, 2, 3), T(4), 2, 0, 1, 2, 2"});
  t.add("conv_transpose2d(Tensor input, Tensor weight, Tensor? bias=None, int[2] stride=1, int[2] padding=0, int[2] "
      "output_padding=0, int groups=1, int[2] dilation=1)", &conv_transpose2d, kTransposeDoc)
      .functional().samples({"T(2, 3, 4, 5), T(3, 4, 3, 2), T(4)", "T(3, 4, 5), T(3, 2, 3, 3), None, 2, 1, (0, 1)",
      "T(1, 4, 3, 4), T(4, 1, 3, 3), T(4), 2, 1, 1, 4", "T(1, 3, 4, 4), T(3, 2, 1, 1), T(2)"});
  t.add("conv_transpose3d(Tensor input, Tensor weight, Tensor? bias=None, int[3] stride=1, int[3] padding=0, int[3] "
      "output_padding=0, int groups=1, int[3] dilation=1)", &conv_transpose3d, kTransposeDoc)
      .functional().samples({"T(1, 2, 3, 3, 2), T(2, 3, 2, 2, 2), T(3)", "T(1, 2, 2, 3, 2), T(2, 2, 2, 3, 2), None, 2, 0, 1"});
}

}  // namespace tapegrad
