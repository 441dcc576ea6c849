// Functions that only layers need, put together from ops.
#include <cmath>

#include "src/nn/layer.h"
#include "tapegrad/nn_init.h"

namespace tapegrad::nn {

Tensor reduced(const Tensor& loss, std::string_view reduction) {
  if (reduction == "mean") return mean(loss);
  if (reduction == "sum") return sum(loss);
  TG_CHECK(reduction == "none", ValueError, "reduction must be \"mean\", \"sum\" or \"none\", got \"", reduction, "\"");
  return loss;
}

namespace functional {

Tensor lp_pool(const Tensor& x, double p, IntList kernel, IntList stride, bool ceil_mode) {
  OpScope op("lp_pool");
  TG_CHECK(kernel.size() >= 1 && kernel.size() <= 3, ShapeError, "kernel_size must have 1 to 3 numbers, got ", kernel);
  int64_t elements = 1;
  for (const int64_t k : kernel) elements *= k;
  const Tensor powers = pow(x, p);
  if (kernel.size() == 3) {
    const Tensor mean = avg_pool3d(powers, kernel, stride, 0, ceil_mode);
    return pow(sign(mean) * abs(mean) * elements, 1 / p);
  }
  const Tensor mean = kernel.size() == 1 ? avg_pool1d(powers, kernel, stride, 0, ceil_mode)
                                         : avg_pool2d(powers, kernel, stride, 0, ceil_mode);
  return pow(sign(mean) * relu(abs(mean)) * elements, 1 / p);
}

Tensor max_unpool(const Tensor& x, const Tensor& indices, IntList kernel, IntList stride, IntList padding,
                  IntList output_size) {
  OpScope op("max_unpool");
  const int64_t n = int64_t(kernel.size());
  TG_CHECK((x.dim() == n + 1 || x.dim() == n + 2) && x.sizes() == indices.sizes(), ShapeError,
           "input and indices must have one shape, (N, C, spatial…) or (C, spatial…) with ", n, " spatial dimensions",
           Named{"input", x}, Named{"indices", indices});
  Shape size, all(x.sizes());
  int64_t plane = 1;
  for (int64_t d = 0; d < n; d++) {
    const size_t k = size_t(d);
    const int64_t usual = (x.size(d - n) - 1) * stride[k] + kernel[k] - 2 * padding[k];
    const int64_t wanted = output_size.empty() ? usual : output_size[output_size.size() - size_t(n) + k];
    TG_CHECK(output_size.empty() || (wanted > usual - stride[k] && wanted < usual + stride[k]), ValueError,
             "output_size ", output_size, " must be within the stride of ", usual, " in dimension ", d);
    size.push_back(wanted);
    plane *= wanted;
    all.pop_back();
  }
  all.push_back(plane);
  const Tensor flat = scatter(zeros(all, x.dtype(), x.device()), -1, flatten(indices, -n), flatten(x, -n));
  return unflatten(flat, -1, size);
}

std::tuple<Tensor, Tensor> fractional_max_pool(const Tensor& input, IntList kernel, IntList out,
                                               const Tensor& random_samples) {
  OpScope op("fractional_max_pool");
  const int64_t dims = int64_t(kernel.size());
  const bool batched = input.dim() == dims + 2;
  TG_CHECK((batched || input.dim() == dims + 1) && int64_t(out.size()) == dims, ShapeError,
           "input must be (N, C, spatial…) or (C, spatial…) with ", dims,
           " spatial dimensions, and output_size have as many", Named{"input", input});
  for (int64_t d = 0; d < dims; d++) {
    const int64_t k = kernel[size_t(d)], o = out[size_t(d)];
    TG_CHECK(o >= 1 && k >= 1 && o + k - 1 <= input.size(d - dims), ShapeError, "output ", out, " and kernel ", kernel,
             " are too large", Named{"input", input});
  }
  const Tensor x = batched ? input : unsqueeze(input, 0);
  const Tensor u = random_samples.defined() ? random_samples : rand({x.size(0), x.size(1), dims}, x.dtype());
  Tensor index;  // of each window's elements in the plane: (N, C, out…, kernel…)
  for (int64_t d = 0; d < dims; d++) {
    const int64_t n = x.size(d - dims), k = kernel[size_t(d)], o = out[size_t(d)];
    const Tensor sample = unsqueeze(select(u, -1, dims == 2 ? 1 - d : d), -1);  // the 2-d samples are ordered x, y
    const double step = o > 1 ? double(n - k) / double(o - 1) : 0;
    const Tensor start = to((arange(o, u.dtype()) + sample) * step, int64) - to(sample * step, int64);
    fill_(select(start, -1, o - 1), n - k);
    const Tensor places = unsqueeze(start, -1) + arange(k);
    Shape shape{places.size(0), places.size(1)};
    for (int64_t i = 0; i < 2 * dims; i++) shape.push_back(i == d ? o : i == dims + d ? k : 1);
    const Tensor here = reshape(places, shape);
    index = index.defined() ? index * n + here : here;
  }
  Shape windows{x.size(0), x.size(1)};
  for (const int64_t o : out) windows.push_back(o);
  windows.push_back(-1);
  const ValuesIndices best = max(reshape(gather(flatten(x, 2), 2, flatten(index, 2)), windows), -1);
  const Tensor places = squeeze(gather(flatten(index, 2 + dims), -1, unsqueeze(best.indices, -1)), -1);
  if (batched) return {best.values, places};
  return {squeeze(best.values, 0), squeeze(places, 0)};
}

Tensor local_response_norm(const Tensor& x, int64_t size, double alpha, double beta, double k) {
  OpScope op("local_response_norm");
  const Tensor squares = pad(transpose(square(x), 1, -1), {size / 2, (size - 1) / 2});
  const Tensor means = transpose(mean(unfold(squares, -1, size, 1), -1), 1, -1);
  return x / pow(means * alpha + k, beta);
}

Tensor feature_alpha_dropout(const Tensor& x, double p, bool training) {
  OpScope op("feature_alpha_dropout");
  if (!training || p == 0) return x;
  TG_CHECK(x.dim() >= 2, ShapeError, "input must be (N, C, …)", Named{"input", x});
  const double drop = -1.7580993408473766;
  const double a = p == 1 ? 0 : std::pow((1 - p) * (1 + p * std::pow(1.7580993408473766, 2)), -0.5);
  Shape channels{x.size(0), x.size(1)};
  while (int64_t(channels.size()) < x.dim()) channels.push_back(1);
  const Tensor kept = rand(channels, x.dtype()) >= p;
  return where(kept, x, Tensor(drop)) * a - drop * a * p;
}

void embedding_renorm_(const Tensor& weight, const Tensor& indices, double max_norm, double norm_type) {
  OpScope op("embedding_renorm_");
  NoGrad no_grad;
  const Tensor rows = std::get<0>(unique(reshape(indices, {-1})));
  const Tensor used = index_select(weight, 0, rows);
  index_copy_(weight, 0, rows, used * clamp(max_norm / (norm(used, norm_type, -1, true) + 1e-7), {}, 1.));
}

Tensor multi_margin_loss(const Tensor& input, const Tensor& target, int64_t p, double margin, const Tensor& weight,
                         std::string_view reduction) {
  OpScope op("multi_margin_loss");
  const bool batched = input.dim() == 2;
  const Tensor x = batched ? input : reshape(input, {1, -1}), y = unsqueeze(batched ? target : reshape(target, {1}), 1);
  Tensor loss = pow(clamp(margin - gather(x, 1, y) + x, 0), p);
  if (weight.defined()) loss = loss * unsqueeze(index_select(weight, 0, squeeze(y, 1)), 1);
  loss = sum(scatter(loss, 1, y, zeros_like(loss)), 1) / x.size(1);
  return reduced(batched ? loss : squeeze(loss, 0), reduction);
}
Tensor multilabel_margin_loss(const Tensor& input, const Tensor& target, std::string_view reduction) {
  OpScope op("multilabel_margin_loss");
  const bool batched = input.dim() == 2;
  const Tensor x = batched ? input : reshape(input, {1, -1}), y = batched ? target : reshape(target, {1, -1});
  const Tensor valid = cumsum(to(y < 0, int64), 1) == 0, labels = clamp(y, 0);
  const Tensor is_label = scatter_add(zeros_like(x), 1, labels, to(valid, x.dtype())) > 0;
  const Tensor pairs = clamp(1 - unsqueeze(gather(x, 1, labels), 2) + unsqueeze(x, 1), 0);  // N, label, class
  const Tensor loss = sum(pairs * to(unsqueeze(valid, 2) & ~unsqueeze(is_label, 1), x.dtype()), {1, 2}) / x.size(1);
  return reduced(batched ? loss : squeeze(loss, 0), reduction);
}

}  // namespace functional
}  // namespace tapegrad::nn
