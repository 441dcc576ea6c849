// layer_norm and rms_norm over rows, group_norm and instance_norm over groups of channels, normalize. The fused kernels go over a
// row while it is in the cache: mean, then squared deviations, then the result.
#include "src/ops/norm.h"

#include <algorithm>
#include <cmath>

#include "src/ops/cuda/calls.h"
#include "src/ops/cuda/launch.h"
#include "src/ops/op_info.h"
#include "src/ops/reduce.h"
#include "src/tensor/parallel.h"

namespace tapegrad {

// ---- layer_norm and rms_norm

// stats is float64 (rows, 2): mean (0 for rms_norm) and 1 / root of the variance.
struct RowNormBackward final : NodeOf<3> {
  SavedTensor x, weight, stats;
  double eps;
  int64_t n;
  int trailing;           // how many dims a row has
  bool centred;
  RowNormBackward(const Tensor& in, const Tensor& w, const Tensor& b, const Tensor& s, double e, int64_t length, int t, bool c)
      : NodeOf(in, w, b), x(in), weight(w), stats(s), eps(e), n(length), trailing(t), centred(c) {}
  const char* name() const override { return centred ? "NativeLayerNormBackward0" : "RmsNormBackward0"; }
  void free_saved() override { x.reset(), weight.reset(), stats.reset(); }

  void backward(Tensor g, Tensor* dx) override {
    const Tensor in = x.unpack(*this), w = weight.unpack(*this), s = stats.unpack(*this);
    const bool wanted[] = {needs(0), needs(1), needs(2)};
    if (grad_enabled()) formula(g, in, w, dx);
    else if (in.is_cuda()) cuda_norm_backward({n, 0, eps, centred}, g, in, w, s, {in.sizes().end() - trailing, size_t(trailing)}, wanted, dx);
    else fused(g, in, w, doubles(s), dx);
  }
  void formula(const Tensor& g, const Tensor& in, const Tensor& w, Tensor* dx) const {
    Shape dims;
    for (int d = trailing; d > 0; d--) dims.push_back(-d);
    const IntList own(in.sizes().end() - trailing, size_t(trailing));
    Tensor n_x, d = normalized_gradient(in, w.defined() ? g * w : g, dims, eps, centred, &n_x);
    if (needs(0)) dx[0] = d;
    if (needs(1)) dx[1] = sum_to_size(g * n_x, own);
    if (needs(2)) dx[2] = sum_to_size(g, own);
  }
  void fused(const Tensor& grad, const Tensor& input, const Tensor& weight_in, const double* s, Tensor* dx) const {
    const Dtype t = input.dtype(), d = row_dtype(t);
    const Tensor in = row_major(input, t), g = row_major(grad, t), w = row_major(weight_in, d);
    const int64_t rows = n ? in.numel() / n : 0, pieces = row_pieces(rows), each = pieces ? (rows + pieces - 1) / pieces : 0;
    const NormKernels& k = norm_kernels(t);
    const bool to_x = needs(0), to_w = needs(1), to_b = needs(2);
    Tensor out = to_x ? empty(in.sizes(), t, in.device()) : Tensor();
    Tensor sums = to_w || to_b ? zeros({2, pieces, n}, d) : Tensor();
    const void* scale = w.defined() ? w->host() : nullptr;
    const bool past = to_x && is_past_caches(out);
    auto row = [&](int64_t r, char* dw, char* db, Streamed& result) {
      const char *gr = row_of(g, r, n), *xr = row_of(in, r, n);
      const double m = s[2 * r], a = s[2 * r + 1];
      const bool together = to_x && dw && db;
      if (to_x) {
        double sum_g, sum_gx;
        k.dots(gr, xr, scale, n, m, &sum_g, &sum_gx);
        const double to_gx = -a * a * a * sum_gx / double(n), to_g = centred ? -a * sum_g / double(n) : 0;
        result.put_row(row_of(out, r, n), row_bytes(out, n), [&](char* to, bool past) {
          if (together) k.mix_gather(gr, xr, scale, n, m, a, to_gx, to_g, to, dw, db, past);
          else k.mix(gr, xr, scale, n, m, a, to_gx, to_g, to, past);
        });
      }
      if (!together && (dw || db)) k.gather(gr, xr, n, m, a, dw, db);
    };
    {
      LongKernel unlocked(rows * n * 2);
      if (!sums.defined()) {
        parallel_for(rows, std::max<int64_t>(1, (1 << 14) / std::max<int64_t>(1, n)), [&](int64_t begin, int64_t end) {
          Streamed result(past);
          for (int64_t r = begin; r < end; r++) row(r, nullptr, nullptr, result);
        });
      } else {
        parallel_for(pieces, 1, [&](int64_t begin, int64_t end) {
          Streamed result(past);
          for (int64_t p = begin; p < end; p++)
            for (int64_t r = p * each; r < std::min(rows, (p + 1) * each); r++)
              row(r, to_w ? row_of(sums, p, n) : nullptr, to_b ? row_of(sums, pieces + p, n) : nullptr, result);
        });
      }
    }
    if (to_x) dx[0] = out;
    const IntList own(input.sizes().end() - trailing, size_t(trailing));
    auto joined = [&](int64_t half) {
      Tensor all = empty(own, d, in.device());
      const Tensor part = alias(sums, {pieces, n}, {n, 1}, half * pieces * n, false);
      fold_into(all, kSum, part, 1);
      return cast_back(all, weight_in.defined() ? weight_in.dtype() : input.dtype());
    };
    if (to_w) dx[1] = joined(0);
    if (to_b) dx[2] = joined(1);
  }
};
static Tensor normalized_rows(const Tensor& input, int64_t n, const Tensor& weight, const Tensor& bias, double eps, bool centred, Tensor* stats) {
  const Dtype t = input.dtype(), d = row_dtype(t);
  const Tensor x = row_major(input, t), w = row_major(weight, d), b = row_major(bias, d);
  const int64_t rows = n ? x.numel() / n : 0;
  Tensor y = empty(x.sizes(), t, x.device());
  *stats = empty({rows, 2}, Dtype::Float64);
  double* s = doubles(*stats);
  const NormKernels& k = norm_kernels(t);
  {
    LongKernel unlocked(x.numel() * 2);
    parallel_for(rows, std::max<int64_t>(1, (is_past_caches(y) ? 1 << 17 : 1 << 14) / std::max<int64_t>(1, n)), [&](int64_t begin, int64_t end) {
      Streamed result(is_past_caches(y));
      for (int64_t r = begin; r < end; r++) {
        double var;
        k.moments(row_of(x, r, n), n, centred, s + 2 * r, &var);
        s[2 * r + 1] = 1 / std::sqrt(var + eps);
        result.put_row(row_of(y, r, n), row_bytes(y, n), [&](char* to, bool past) {
          k.affine_by(row_of(x, r, n), n, s[2 * r], s[2 * r + 1], w.defined() ? w->host() : nullptr, b.defined() ? b->host() : nullptr, to, past);
        });
      }
    });
  }
  return y;
}
static Tensor row_norm(const Tensor& input, IntList shape, const Tensor& weight, const Tensor& bias, double eps, bool centred) {
  TG_CHECK(is_floating(input.dtype()), DtypeError, "input must be of a floating dtype, got ", input.dtype(), Named{"input", input});
  const size_t m = shape.size();
  TG_CHECK(m >= 1, ShapeError, "normalized_shape must have at least one dimension");
  TG_CHECK(size_t(input.dim()) >= m && IntList(input.sizes().end() - m, m) == shape, ShapeError, "normalized_shape must be the input's last dimensions, got ", shape, Named{"input", input});
  TG_CHECK(!weight.defined() || weight.sizes() == shape, ShapeError, "weight must have normalized_shape ", shape, Named{"weight", weight});
  TG_CHECK(!bias.defined() || bias.sizes() == shape, ShapeError, "bias must have normalized_shape ", shape, Named{"bias", bias});
  for (const Tensor* t : {&weight, &bias}) if (t->defined()) check_same_device("input", input, t == &weight ? "weight" : "bias", *t);
  const int64_t n = product(shape);
  Tensor stats;
  const Tensor y = input.is_cuda() ? cuda_norm({n, 0, eps, centred}, input, weight, bias, &stats) : normalized_rows(input, n, weight, bias, eps, centred, &stats);
  if (recording(input, weight, bias)) record<RowNormBackward>(y, input, weight, bias, stats, eps, n, int(m), centred);
  return y;
}
Tensor layer_norm(const Tensor& x, IntList normalized_shape, const Tensor& weight, const Tensor& bias, double eps) {
  OpScope op("layer_norm");
  return row_norm(x, normalized_shape, weight, bias, eps, true);
}
Tensor rms_norm(const Tensor& x, IntList normalized_shape, const Tensor& weight, std::optional<double> eps) {
  OpScope op("rms_norm");
  if (x.is_complex()) {
    Shape dims;
    for (size_t k = normalized_shape.size(); k-- > 0;) {
      dims.push_back(int64_t(k) - int64_t(normalized_shape.size()));
      TG_CHECK(x.dim() + dims.back() >= 0 && x.size(dims.back()) == normalized_shape[k], ShapeError,
          "normalized_shape must be the last sizes of input, got ", normalized_shape, Named{"input", x});
    }
    const Tensor y = x * rsqrt(mean(x * x, dims, true) + eps.value_or(x.dtype() == Dtype::Complex128 ? 0x1p-52 : 0x1p-23));
    return weight.defined() ? y * weight : y;
  }
  const double smallest = x.dtype() == Dtype::Float64 ? 0x1p-52 : x.dtype() == Dtype::Float16 ? 0x1p-10 : x.dtype() == Dtype::BFloat16 ? 0x1p-7 : 0x1p-23;
  return row_norm(x, normalized_shape, weight, {}, eps.value_or(smallest), false);
}

// ---- group_norm and instance_norm

struct GroupNormBackward final : NodeOf<3> {
  SavedTensor x, weight, stats;
  double eps;
  int64_t groups;
  GroupNormBackward(const Tensor& in, const Tensor& w, const Tensor& b, const Tensor& s, double e, int64_t g)
      : NodeOf(in, w, b), x(in), weight(w), stats(s), eps(e), groups(g) {}
  const char* name() const override { return "NativeGroupNormBackward0"; }
  void free_saved() override { x.reset(), weight.reset(), stats.reset(); }

  void backward(Tensor g, Tensor* dx) override {
    const Tensor in = x.unpack(*this), w = weight.unpack(*this), s = stats.unpack(*this);
    const bool wanted[] = {needs(0), needs(1), needs(2)};
    if (grad_enabled()) formula(g, in, w, dx);
    else if (in.is_cuda()) cuda_norm_backward(on_device(in, groups, eps), g, in, w, s, {in.size(1)}, wanted, dx);
    else fused(g, in, w, doubles(s), dx);
  }
  static CudaNormCall on_device(const Tensor& in, int64_t groups, double eps) {
    return {in.numel() / std::max<int64_t>(1, in.size(0) * groups), in.size(1), eps, true};
  }
  void formula(const Tensor& g, const Tensor& in, const Tensor& w, Tensor* dx) const {
    const Shape by_group = {in.size(0), groups, in.numel() / std::max<int64_t>(1, in.size(0) * groups)};
    Shape channel(size_t(in.dim()), 1), others;
    channel[1] = in.size(1);
    for (int64_t d = 0; d < in.dim(); d++) if (d != 1) others.push_back(d);
    const Tensor gw = w.defined() ? g * reshape(w, channel) : g;
    Tensor normal;
    const Tensor d = normalized_gradient(reshape(in, by_group), reshape(gw, by_group), -1, eps, true, &normal);
    if (needs(0)) dx[0] = reshape(d, in.sizes());
    if (needs(1)) dx[1] = sum(g * reshape(normal, in.sizes()), others);
    if (needs(2)) dx[2] = sum(g, others);
  }
  void fused(const Tensor& grad, const Tensor& input, const Tensor& weight_in, const double* s, Tensor* dx) const {
    const Dtype t = input.dtype(), d = row_dtype(t);
    const Tensor in = row_major(input, t), g = row_major(grad, t), w = row_major(weight_in, d);
    const int64_t batch = in->sizes[0], channels = in->sizes[1], n = in.numel() ? in.numel() / batch / channels : 0, per = channels / groups;
    const NormKernels& k = norm_kernels(t);
    const bool to_x = needs(0);  // asked here: only the thread that runs backward knows
    Tensor out = empty(in.sizes(), t, in.device()), dots = zeros({2, batch, channels}, Dtype::Float64);
    double *sum_g = doubles(dots), *sum_gx = sum_g + batch * channels;
    auto scale = [&](int64_t c) { return w.defined() ? element(w, c) : 1; };
    {
      LongKernel unlocked(in.numel() * 2);
      parallel_for(n ? batch * groups : 0, std::max<int64_t>(1, (1 << 14) / std::max<int64_t>(1, n * per)), [&](int64_t begin, int64_t end) {
        Streamed result(is_past_caches(out));
        for (int64_t q = begin; q < end; q++) {
          const double m = s[2 * q], a = s[2 * q + 1], count = double(per * n);
          double all_g = 0, all_gx = 0;
          for (int64_t i = 0; i < per; i++) {
            const int64_t r = q * per + i;
            k.dots(row_of(g, r, n), row_of(in, r, n), nullptr, n, m, sum_g + r, sum_gx + r);
            all_g += scale(r % channels) * sum_g[r], all_gx += scale(r % channels) * sum_gx[r];
            sum_gx[r] *= a;
          }
          for (int64_t i = 0; i < per && to_x; i++) {
            const int64_t r = q * per + i;
            result.put_row(row_of(out, r, n), row_bytes(out, n), [&](char* to, bool past) {
              k.mix(row_of(g, r, n), row_of(in, r, n), nullptr, n, m, a * scale(r % channels), -a * a * a * all_gx / count, -a * all_g / count, to, past);
            });
          }
        }
      });
    }
    if (to_x) dx[0] = out;
    auto joined = [&](int64_t half) {
      return fold(kSum, alias(dots, {batch, channels}, {channels, 1}, half * batch * channels, false), 1, false, weight_in.defined() ? weight_in.dtype() : input.dtype());
    };
    if (needs(1)) dx[1] = joined(1);
    if (needs(2)) dx[2] = joined(0);
  }
};
void check_channels(const Tensor& input, const Tensor& t, const char* name) {
  if (!t.defined()) return;
  TG_CHECK(t.dim() == 1 && t.numel() == input.size(1), ShapeError, name, " must have one element a channel (", input.size(1), ")", Named{name, t}, Named{"input", input});
  check_same_device("input", input, name, t);
}
static Tensor normalized_groups(const Tensor& input, int64_t groups, const Tensor& weight, const Tensor& bias, double eps, Tensor* stats) {
  const Dtype t = input.dtype(), d = row_dtype(t);
  const Tensor x = row_major(input, t), w = row_major(weight, d), b = row_major(bias, d);
  const int64_t batch = x->sizes[0], channels = x->sizes[1], n = x.numel() ? x.numel() / batch / channels : 0, per = channels / groups;
  Tensor y = empty(x.sizes(), t, x.device());
  *stats = zeros({batch, groups, 2}, Dtype::Float64, Device());
  double* s = doubles(*stats);
  const NormKernels& k = norm_kernels(t);
  {
    LongKernel unlocked(x.numel() * 2);
    parallel_for(n ? batch * groups : 0, std::max<int64_t>(1, (1 << 14) / std::max<int64_t>(1, n * per)), [&](int64_t begin, int64_t end) {
      Streamed result(is_past_caches(y));
      for (int64_t q = begin; q < end; q++) {
        double var;
        k.moments(row_of(x, q, n * per), n * per, true, s + 2 * q, &var);
        s[2 * q + 1] = 1 / std::sqrt(var + eps);
        for (int64_t r = q * per; r < (q + 1) * per; r++) {
          const int64_t c = r % channels;
          result.put_row(row_of(y, r, n), row_bytes(y, n), [&](char* to, bool past) {
            k.affine(row_of(x, r, n), n, s[2 * q], s[2 * q + 1] * (w.defined() ? element(w, c) : 1), b.defined() ? element(b, c) : 0, to, past);
          });
        }
      }
    });
  }
  return y;
}
static Tensor by_groups(const Tensor& input, int64_t groups, const Tensor& weight, const Tensor& bias, double eps, Tensor* stats_out) {
  TG_CHECK(is_floating(input.dtype()), DtypeError, "input must be of a floating dtype, got ", input.dtype(), Named{"input", input});
  check_channels(input, weight, "weight");
  check_channels(input, bias, "bias");
  Tensor stats;
  const Tensor y = input.is_cuda() ? cuda_norm(GroupNormBackward::on_device(input, groups, eps), input, weight, bias, &stats)
                                   : normalized_groups(input, groups, weight, bias, eps, &stats);
  if (stats_out) *stats_out = stats;
  if (recording(input, weight, bias)) record<GroupNormBackward>(y, input, weight, bias, stats, eps, groups);
  return y;
}
Tensor group_norm(const Tensor& x, int64_t num_groups, const Tensor& weight, const Tensor& bias, double eps) {
  OpScope op("group_norm");
  TG_CHECK(x.dim() >= 2, ShapeError, "input must be (N, C, ...), got ", x.dim(), " dimensions", Named{"input", x});
  TG_CHECK(num_groups > 0 && x.size(1) % num_groups == 0, ValueError, "num_groups must divide the channels, got ", num_groups, " for ", x.size(1), " channels", Named{"input", x});
  TG_CHECK(x.numel() == 0 || x.numel() / x.size(0) / num_groups > 1, ValueError, "expected more than 1 value per channel when training, got input size ", x.sizes());
  return by_groups(x, num_groups, weight, bias, eps, nullptr);
}
void update_running(const Tensor& running, const Tensor& value, double momentum) {
  if (!running.defined()) return;
  NoGrad off;
  copy_(running, to(running, Dtype::Float64) * Tensor(1 - momentum) + value * Tensor(momentum));
}
void update_running(const Tensor& running, const double* value, double momentum) {
  if (!running.defined()) return;
  const Tensor v = empty(running.sizes(), Dtype::Float64);
  std::copy(value, value + running.numel(), doubles(v));
  update_running(running, v, momentum);
}
Tensor instance_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var, const Tensor& weight, const Tensor& bias, bool use_input_stats, double momentum, double eps) {
  OpScope op("instance_norm");
  TG_CHECK(x.dim() >= 2, ShapeError, "input must be (N, C, ...), got ", x.dim(), " dimensions", Named{"input", x});
  if (!use_input_stats) {
    TG_CHECK(running_mean.defined() && running_var.defined(), ValueError, "expected running_mean and running_var to be defined when use_input_stats=False");
    return batch_norm(x, running_mean, running_var, weight, bias, false, momentum, eps);
  }
  const int64_t batch = x.size(0), channels = x.size(1), n = x.numel() ? x.numel() / batch / channels : 0;
  TG_CHECK(x.numel() == 0 || n > 1, ValueError, "expected more than 1 spatial element when training, got input size ", x.sizes());
  check_channels(x, running_mean, "running_mean");
  check_channels(x, running_var, "running_var");
  if (!x.numel()) return x * Tensor(1.0);
  Tensor stats;
  const Tensor y = by_groups(x, channels, weight, bias, eps, &stats);
  if ((running_mean.defined() || running_var.defined()) && x.is_cuda()) {
    NoGrad off;
    const Tensor s = reshape(to(stats, Dtype::Float64), {batch, channels, 2});
    update_running(running_mean, mean(select(s, 2, 0), 0), momentum);
    update_running(running_var, mean(1 / square(select(s, 2, 1)) - eps, 0) * (double(n) / double(n - 1)), momentum);
  } else if (running_mean.defined() || running_var.defined()) {
    std::vector<double> m(size_t(channels), 0.0), v(size_t(channels), 0.0);
    const double* s = doubles(stats);
    for (int64_t r = 0; r < batch * channels; r++) {
      const size_t c = size_t(r % channels);
      m[c] += s[2 * r] / double(batch);
      v[c] += (1 / (s[2 * r + 1] * s[2 * r + 1]) - eps) * double(n) / double(n - 1) / double(batch);
    }
    update_running(running_mean, m.data(), momentum);
    update_running(running_var, v.data(), momentum);
  }
  return y;
}

// ---- normalize
Tensor normalize(const Tensor& x, double p, int64_t dim, double eps) {
  OpScope op("normalize");
  const Tensor length = norm(x, p, dim, true);
  return x / where(length < Tensor(eps), Tensor(eps), length);
}

void norm_ops(OpTable& t) {
  t.add("layer_norm(Tensor input, int[] normalized_shape, Tensor? weight=None, Tensor? bias=None, float eps=1e-05)", &layer_norm,
        "(x - mean) / sqrt(var + eps) * weight + bias over the last dimensions, which are normalized_shape.")
      .functional().samples({"T(2, 5), [5]", "T(2, 3, 4), [3, 4], T(3, 4), T(3, 4)", "T(3, 70), [70], T(70)", "T(2, 5), [5], None, T(5), 0.1", "T(0, 5), [5], T(5), T(5)"});
  t.add("rms_norm(Tensor input, int[] normalized_shape, Tensor? weight=None, float? eps=None)", &rms_norm,
        "x / sqrt(mean(x^2) + eps) * weight over the last dimensions; eps is the dtype's smallest step unless given.")
      .functional().samples({"T(2, 5), [5]", "T(2, 3, 4), [3, 4], T(3, 4)", "T(3, 70), [70], T(70), 1e-6"});
  t.add("group_norm(Tensor input, int num_groups, Tensor? weight=None, Tensor? bias=None, float eps=1e-05)", &group_norm,
        "Normalises groups of channels of (N, C, ...) for each sample, then scales and shifts each channel.")
      .functional().samples({"T(2, 4, 5), 2", "T(2, 4, 3, 3), 4, T(4), T(4)", "T(3, 6, 2), 1, T(6), T(6)", "T(3, 6), 2, T(6), T(6)"});
  t.add("instance_norm(Tensor input, Tensor? running_mean=None, Tensor? running_var=None, Tensor? weight=None, Tensor? bias=None, bool use_input_stats=True, float momentum=0.1, float eps=1e-05)", &instance_norm,
        "Normalises each channel of each sample of (N, C, ...), then scales and shifts it.")
      .functional_only().samples({"T(2, 3, 4)", "T(2, 3, 4, 2), None, None, T(3), T(3)"});
  t.add("normalize(Tensor input, float p=2.0, int dim=1, float eps=1e-12)", &normalize, "x / max(norm(x, p, dim), eps).")
      .functional_only().complex().with_out().samples({"T(2, 3)", "T(2, 3), 1.0, 0", "T(2, 3, 4), dim=-1"});
}

}  // namespace tapegrad
