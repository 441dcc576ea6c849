// batch_norm: each channel of (N, C, ...) normalised over all samples and places, or by running statistics.
#include <cmath>

#include "src/ops/norm.h"
#include "src/ops/op_info.h"
#include "src/ops/reduce.h"
#include "src/tensor/parallel.h"

namespace tapegrad {

namespace {

uint32_t all_but_channels(const Tensor& x) { return ((uint32_t(1) << x.dim()) - 1) & ~2u; }
Shape channel_shape(const Tensor& x) {
  Shape s(size_t(x.dim()), 1);
  s[1] = x.size(1);
  return s;
}

// stats is float64 (2, C): mean and 1 / root of the variance. With one place a channel (N, C) the work runs along the channels,
// which broadcasting ops do well; else row by row.
struct BatchNormBackward final : NodeOf<3> {
  SavedTensor x, weight, stats;
  double eps;
  bool training;
  BatchNormBackward(const Tensor& in, const Tensor& w, const Tensor& b, const Tensor& s, double e, bool t)
      : NodeOf(in, w, b), x(in), weight(w), stats(s), eps(e), training(t) {}
  const char* name() const override { return "NativeBatchNormBackward0"; }
  void free_saved() override { x.reset(), weight.reset(), stats.reset(); }

  void backward(Tensor g, Tensor* dx) override {
    const Tensor in = x.unpack(*this), w = weight.unpack(*this), s = stats.unpack(*this);
    if (grad_enabled() || in.dim() == 2 || in.is_cuda() || !in.numel()) formula(g, in, w, s, dx); else fused(g, in, w, doubles(s), dx);
  }
  void formula(const Tensor& g, const Tensor& in, const Tensor& w, const Tensor& s, Tensor* dx) const {
    const Shape channel = channel_shape(in);
    Shape others;
    for (int64_t d = 0; d < in.dim(); d++) if (d != 1) others.push_back(d);
    const Tensor gw = w.defined() ? g * reshape(w, channel) : g;
    Tensor n, d;
    if (training) {
      d = normalized_gradient(in, gw, others, eps, true, &n);
    } else {
      const Tensor m = to(reshape(select(s, 0, 0), channel), in.dtype()), r = to(reshape(select(s, 0, 1), channel), in.dtype());
      d = gw * r, n = (in - m) * r;
    }
    if (needs(0)) dx[0] = d;
    if (needs(1)) dx[1] = sum(g * n, others);
    if (needs(2)) dx[2] = sum(g, others);
  }
  void fused(const Tensor& grad, const Tensor& input, const Tensor& weight_in, const double* s, Tensor* dx) const {
    const Dtype t = input.dtype();
    const Tensor in = row_major(input, t), g = row_major(grad, t), w = row_major(weight_in, row_dtype(t));
    const int64_t batch = in->sizes[0], channels = in->sizes[1], n = in.numel() / batch / channels, grain = std::max<int64_t>(1, (1 << 14) / n);
    const double count = double(batch * n);
    const NormKernels& k = norm_kernels(t);
    Tensor out = needs(0) ? empty(in.sizes(), t, in.device()) : Tensor(), dots = empty({2, batch, channels}, Dtype::Float64);
    double *sum_g = doubles(dots), *sum_gx = sum_g + batch * channels;
    LongKernel unlocked(in.numel() * 2);
    parallel_for(batch * channels, grain, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; r++) k.dots(row_of(g, r, n), row_of(in, r, n), nullptr, n, s[r % channels], sum_g + r, sum_gx + r);
    });
    for (int64_t r = channels; r < batch * channels; r++) sum_g[r % channels] += sum_g[r], sum_gx[r % channels] += sum_gx[r];
    if (needs(0)) {
      parallel_for(batch * channels, grain, [&](int64_t begin, int64_t end) {
        Streamed result(is_past_caches(out));
        for (int64_t r = begin; r < end; r++) {
          const int64_t c = r % channels;
          const double m = s[c], a = s[channels + c], f = w.defined() ? element(w, c) : 1;
          const double b = training ? -a * a * a * f * sum_gx[c] / count : 0, shift = training ? -a * f * sum_g[c] / count : 0;
          result.put_row(row_of(out, r, n), row_bytes(out, n), [&](char* to, bool past) {
            k.mix(row_of(g, r, n), row_of(in, r, n), nullptr, n, m, a * f, b, shift, to, past);
          });
        }
      });
      dx[0] = out;
    }
    const Dtype own = weight_in.defined() ? weight_in.dtype() : t;
    auto result = [&](const double* v, const double* scale) {
      Tensor all = empty({channels}, Dtype::Float64);
      for (int64_t c = 0; c < channels; c++) doubles(all)[c] = v[c] * (scale ? scale[c] : 1);
      return cast_back(all, own);
    };
    if (needs(1)) dx[1] = result(sum_gx, s + channels);
    if (needs(2)) dx[2] = result(sum_g, nullptr);
  }
};

}  // namespace

Tensor batch_norm(const Tensor& input, const Tensor& running_mean, const Tensor& running_var, const Tensor& weight, const Tensor& bias, bool training, double momentum, double eps) {
  OpScope op("batch_norm");
  TG_CHECK(is_floating(input.dtype()), DtypeError, "input must be of a floating dtype, got ", input.dtype(), Named{"input", input});
  TG_CHECK(input.dim() >= 2, ShapeError, "input must be (N, C, ...), got ", input.dim(), " dimensions", Named{"input", input});
  const int64_t channels = input.size(1);
  for (auto [t, name] : {std::pair{&running_mean, "running_mean"}, {&running_var, "running_var"}, {&weight, "weight"}, {&bias, "bias"}})
    check_channels(input, *t, name);
  TG_CHECK(training || (running_mean.defined() && running_var.defined()), ValueError, "expected running_mean and running_var to be defined when training=False");
  const uint32_t dims = all_but_channels(input);
  const int64_t count = reduced_count(input, dims);
  TG_CHECK(!training || count > 1 || !input.numel(), ValueError, "expected more than 1 value per channel when training, got input size ", input.sizes());

  Tensor mean, var, stats;
  if (training && !input.numel()) {  // nothing to learn from: the running statistics stay
    mean = zeros({channels}, Dtype::Float64, input.device()), var = ones({channels}, Dtype::Float64, input.device());
  } else if (training) {
    mean = fold(kSum, input, dims, false, Dtype::Float64, {.divide = double(count)});
    var = fold(kSumSquares, input, dims, false, Dtype::Float64, {.divide = double(count), .shift = &mean});
    NoGrad off;
    update_running(running_mean, mean, momentum);
    update_running(running_var, var * (double(count) / double(count - 1)), momentum);
  } else {
    mean = row_major(running_mean, Dtype::Float64), var = row_major(running_var, Dtype::Float64);
  }
  if (input.is_cuda()) {
    NoGrad off;
    stats = stack({mean, 1 / sqrt(var + eps)});
  } else {
    stats = empty({2, channels}, Dtype::Float64);
    for (int64_t c = 0; c < channels; c++) doubles(stats)[c] = doubles(mean)[c], doubles(stats)[channels + c] = 1 / std::sqrt(doubles(var)[c] + eps);
  }

  const Dtype t = input.dtype(), d = row_dtype(t);
  const Tensor x = row_major(input, t), w = row_major(weight, d), b = row_major(bias, d);
  Tensor y;
  if (x.dim() == 2 || x.is_cuda()) {
    NoGrad off;
    const Shape channel = channel_shape(x);
    Tensor scale = to(select(stats, 0, 1), d);
    if (w.defined()) scale = scale * w;
    y = (to(x, d) - reshape(to(select(stats, 0, 0), d), channel)) * reshape(scale, channel);
    if (b.defined()) y = y + reshape(b, channel);
    y = to(y, t);
  } else {
    const double *m = doubles(stats), *r = m + channels;
    y = empty(x.sizes(), t, x.device());
    const int64_t n = x.numel() ? x.numel() / x->sizes[0] / channels : 0;
    const NormKernels& k = norm_kernels(t);
    LongKernel unlocked(x.numel());
    parallel_for(n ? x->sizes[0] * channels : 0, std::max<int64_t>(1, (1 << 15) / std::max<int64_t>(1, n)), [&](int64_t begin, int64_t end) {
      Streamed result(is_past_caches(y));
      for (int64_t q = begin; q < end; q++) {
        const int64_t c = q % channels;
        const double scale = r[c] * (w.defined() ? element(w, c) : 1), shift = b.defined() ? element(b, c) : 0;
        result.put_row(row_of(y, q, n), row_bytes(y, n), [&](char* to, bool past) { k.affine(row_of(x, q, n), n, m[c], scale, shift, to, past); });
      }
    });
  }
  if (recording(input, weight, bias)) record<BatchNormBackward>(y, input, weight, bias, stats, eps, training);
  return y;
}

void norm_batch_ops(OpTable& t) {
  t.add("batch_norm(Tensor input, Tensor? running_mean, Tensor? running_var, Tensor? weight=None, Tensor? bias=None, bool training=False, float momentum=0.1, float eps=1e-05)", &batch_norm,
        "(x - mean) / sqrt(var + eps) * weight + bias for each channel of (N, C, ...). Training takes mean and variance from the input and moves the running ones by momentum.")
      .functional().samples({"T(4, 3), None, None, T(3), T(3), True", "T(2, 3, 4), None, None, None, None, True", "T(2, 3, 4, 2), None, None, T(3), T(3), True",
               "T(2, 3, 4), C([0.1, 0.2, 0.3]), C([1., 2., 3.]), T(3), T(3)", "T(4, 3), C([0.1, 0.2, 0.3]), C([1., 2., 3.])"});
}

}  // namespace tapegrad
