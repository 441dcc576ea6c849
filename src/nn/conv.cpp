// Convolutions, patches, padding.
#include "src/nn/layer.h"
#include "tapegrad/nn_conv.h"
#include "tapegrad/nn_init.h"

namespace tapegrad::nn {

namespace {

bool all_are(IntList d, int64_t value) {
  for (const int64_t v : d)
    if (v != value) return false;
  return true;
}
std::string layer_name(const char* kind, int n) { return kind + std::to_string(n) + "d"; }

std::string padding_text(const ConvPadding& p, size_t n) {
  if (p.kind) return *p.kind == Padding::Same ? "same" : "valid";
  return tuple_repr(p, n);
}
/// What both kinds of convolution print.
std::string conv_text(int n, int64_t in, int64_t out, const Dims& kernel, const Dims& stride,
                      const ConvPadding& padding, const Dims& dilation, const Dims& output_padding, int64_t groups,
                      bool bias, const std::string& mode) {
  const size_t dims = size_t(n);
  std::string s = repr(in) + ", " + repr(out) + ", kernel_size=" + tuple_repr(kernel, dims) +
                  ", stride=" + tuple_repr(stride, dims);
  if (padding.kind || !all_are(padding, 0)) s += ", padding=" + padding_text(padding, dims);
  if (!all_are(dilation, 1)) s += ", dilation=" + tuple_repr(dilation, dims);
  if (!all_are(output_padding, 0)) s += ", output_padding=" + tuple_repr(output_padding, dims);
  if (groups != 1) s += ", groups=" + repr(groups);
  if (!bias) s += ", bias=False";
  return mode == "zeros" ? s : s + ", padding_mode=" + mode;
}
/// (a, b / groups, kernel…)
Shape weight_shape(int n, int64_t a, int64_t b, int64_t groups, const Dims& kernel) {
  TG_CHECK(groups > 0 && a % groups == 0 && b % groups == 0, ValueError,
           "in_channels and out_channels must be divisible by groups, got ", a, ", ", b, " and ", groups);
  TG_CHECK(kernel.size() == 1 || int(kernel.size()) == n, ShapeError, "kernel_size must have 1 or ", n,
           " numbers, got ", IntList(kernel));
  Shape s{a, b / groups};
  for (const int64_t k : repeated(kernel, size_t(n))) s.push_back(k);
  return s;
}
Tensor draw(Tensor weight) { return init::kaiming_uniform_(weight, std::sqrt(5.)); }
Tensor draw(Tensor bias, const Tensor& weight) {
  const double bound = bound_of(weight.size(0) ? weight.numel() / weight.size(0) : 0);
  return init::uniform_(bias, -bound, bound);
}
/// The padding of both sides, last dimension first, as pad() wants it.
Shape both_sides(const ConvOptions& o, IntList kernel) {
  Shape out;
  const Shape dilation = repeated(o.dilation, kernel.size()), padding = repeated(o.padding, kernel.size());
  for (size_t d = kernel.size(); d-- > 0;) {
    const int64_t total = dilation[d] * (kernel[d] - 1);
    const bool same = o.padding.kind == Padding::Same;
    out.push_back(same ? total / 2 : padding[d]);
    out.push_back(same ? total - total / 2 : padding[d]);
  }
  return out;
}
template <int N, class P>
Tensor convolve(const Tensor& x, const Tensor& w, const Tensor& b, const ConvOptions& o, P padding) {
  if constexpr (N == 1) return conv1d(x, w, b, o.stride, padding, o.dilation, o.groups);
  else if constexpr (N == 2) return conv2d(x, w, b, o.stride, padding, o.dilation, o.groups);
  else return conv3d(x, w, b, o.stride, padding, o.dilation, o.groups);
}

}  // namespace

// ---- convolution

template <int N> Conv<N>::Conv(int64_t in, int64_t out, Dims kernel, ConvOptions o)
    : Conv::ModuleOf(layer_name("Conv", N), conv_text(N, in, out, kernel, o.stride, o.padding, o.dilation, 0, o.groups,
                                                      o.bias, o.padding_mode)),
      options(std::move(o)) {
  const std::string& mode = options.padding_mode;
  TG_CHECK(mode == "zeros" || mode == "reflect" || mode == "replicate" || mode == "circular", ValueError, this->name(),
           ": padding_mode must be zeros, reflect, replicate or circular, got \"", mode, "\"");
  TG_CHECK(options.padding.kind != Padding::Same || all_are(options.stride, 1), ValueError, this->name(),
           ": padding=Same needs stride 1");
  weight = draw(this->register_parameter("weight", uninitialised(weight_shape(N, out, in, options.groups, kernel))));
  if (options.bias) bias = draw(this->register_parameter("bias", uninitialised({out})), weight);
  if (mode != "zeros") edges_ = both_sides(options, repeated(kernel, N));
}
template <int N> Tensor Conv<N>::forward(const Tensor& x) const {
  if (!edges_.empty())
    return convolve<N>(pad(x, edges_, options.padding_mode), weight, bias, options, IntList(Dims(0)));
  if (options.padding.kind) return convolve<N>(x, weight, bias, options, *options.padding.kind);
  return convolve<N>(x, weight, bias, options, IntList(options.padding));
}
template struct Conv<1>;
template struct Conv<2>;
template struct Conv<3>;

template <int N> ConvTranspose<N>::ConvTranspose(int64_t in, int64_t out, Dims kernel, ConvTransposeOptions o)
    : ConvTranspose::ModuleOf(
          layer_name("ConvTranspose", N),
          conv_text(N, in, out, kernel, o.stride, o.padding, o.dilation, o.output_padding, o.groups, o.bias, "zeros")),
      options(std::move(o)) {
  weight = draw(this->register_parameter("weight", uninitialised(weight_shape(N, in, out, options.groups, kernel))));
  if (options.bias) bias = draw(this->register_parameter("bias", uninitialised({out})), weight);
}
template <int N> static Tensor transposed(const Tensor& x, const Tensor& w, const Tensor& b,
                                          const ConvTransposeOptions& o, IntList output_padding) {
  if constexpr (N == 1) return conv_transpose1d(x, w, b, o.stride, o.padding, output_padding, o.groups, o.dilation);
  else if constexpr (N == 2)
    return conv_transpose2d(x, w, b, o.stride, o.padding, output_padding, o.groups, o.dilation);
  else return conv_transpose3d(x, w, b, o.stride, o.padding, output_padding, o.groups, o.dilation);
}
template <int N> Tensor ConvTranspose<N>::forward(const Tensor& x) const {
  return transposed<N>(x, weight, bias, options, options.output_padding);
}
template <int N> Tensor ConvTranspose<N>::forward(const Tensor& x, const Dims& output_size) const {
  TG_CHECK(output_size.size() == N || int64_t(output_size.size()) == x.dim(), ValueError, this->name(),
           ": output_size must have ", N, " or ", x.dim(), " numbers, got ", IntList(output_size));
  const Shape stride = repeated(options.stride, N), padding = repeated(options.padding, N),
              dilation = repeated(options.dilation, N);
  Shape extra;
  for (int d = 0; d < N; d++) {
    const int64_t low = (x.size(d - N) - 1) * stride[d] - 2 * padding[d] + dilation[d] * (weight.size(2 + d) - 1) + 1;
    const int64_t wanted = output_size[output_size.size() - N + d];
    TG_CHECK(wanted >= low && wanted < low + stride[d], ValueError, this->name(), ": output_size ",
             IntList(output_size), " cannot be had: dimension ", d, " must lie between ", low, " and ",
             low + stride[d] - 1, Named{"input", x});
    extra.push_back(wanted - low);
  }
  return transposed<N>(x, weight, bias, options, extra);
}
template struct ConvTranspose<1>;
template struct ConvTranspose<2>;
template struct ConvTranspose<3>;

Unfold::Unfold(Dims kernel, Dims d, Dims p, Dims s)
    : ModuleOf(details("kernel_size", kernel, "dilation", d, "padding", p, "stride", s)),
      kernel_size(kernel),
      dilation(d),
      padding(p),
      stride(s) {}
Tensor Unfold::forward(const Tensor& x) const { return im2col(x, kernel_size, dilation, padding, stride); }
Fold::Fold(Dims size, Dims kernel, Dims d, Dims p, Dims s)
    : ModuleOf(details("output_size", size, "kernel_size", kernel, "dilation", d, "padding", p, "stride", s)),
      output_size(size),
      kernel_size(kernel),
      dilation(d),
      padding(p),
      stride(s) {}
Tensor Fold::forward(const Tensor& x) const { return col2im(x, output_size, kernel_size, dilation, padding, stride); }

// ---- padding

template <PadKind K, int N> Pad<K, N>::Pad(Dims p)
    : Pad::ModuleOf(layer_name(K == PadKind::Circular      ? "CircularPad"
                               : K == PadKind::Reflection  ? "ReflectionPad"
                               : K == PadKind::Replication ? "ReplicationPad"
                                                           : "ZeroPad",
                               N),
                    tuple_repr(p, 2 * N)),
      padding(repeated(p, 2 * N)) {}
template <PadKind K, int N> Tensor Pad<K, N>::forward(const Tensor& x) const {
  constexpr const char* mode = K == PadKind::Circular      ? "circular"
                               : K == PadKind::Reflection  ? "reflect"
                               : K == PadKind::Replication ? "replicate"
                                                           : "constant";
  return pad(x, padding, mode);
}
template struct Pad<PadKind::Circular, 1>;
template struct Pad<PadKind::Circular, 2>;
template struct Pad<PadKind::Circular, 3>;
template struct Pad<PadKind::Reflection, 1>;
template struct Pad<PadKind::Reflection, 2>;
template struct Pad<PadKind::Reflection, 3>;
template struct Pad<PadKind::Replication, 1>;
template struct Pad<PadKind::Replication, 2>;
template struct Pad<PadKind::Replication, 3>;
template struct Pad<PadKind::Zero, 1>;
template struct Pad<PadKind::Zero, 2>;
template struct Pad<PadKind::Zero, 3>;

template <int N> ConstantPad<N>::ConstantPad(Dims p, double v)
    : ConstantPad::ModuleOf(layer_name("ConstantPad", N),
                            "padding=" + tuple_repr(p, 2 * N) + ", " + details("value", v)),
      padding(repeated(p, 2 * N)),
      value(v) {}
template <int N> Tensor ConstantPad<N>::forward(const Tensor& x) const { return pad(x, padding, "constant", value); }
template struct ConstantPad<1>;
template struct ConstantPad<2>;
template struct ConstantPad<3>;

}  // namespace tapegrad::nn
