// Initial values, and gradients and parameters as a whole.
#include <cmath>
#include <vector>

#include "tapegrad/nn_init.h"

namespace tapegrad::nn {

// ---- init

namespace init {

static int64_t fan(const Tensor& t, std::string_view mode) {
  TG_CHECK(t.dim() >= 2, ShapeError, "fan in and fan out need at least 2 dimensions", Named{"tensor", t});
  TG_CHECK(mode == "fan_in" || mode == "fan_out", ValueError, "mode must be fan_in or fan_out, got \"", mode, "\"");
  int64_t field = 1;
  for (int64_t d = 2; d < t.dim(); d++) field *= t.size(d);
  return t.size(mode == "fan_in" ? 1 : 0) * field;
}
static double fan_sum(const Tensor& t) { return double(fan(t, "fan_in") + fan(t, "fan_out")); }

double calculate_gain(std::string_view f, double slope) {
  if (f == "tanh") return 5. / 3;
  if (f == "relu") return std::sqrt(2.);
  if (f == "leaky_relu") return std::sqrt(2. / (1 + slope * slope));
  if (f == "selu") return 3. / 4;
  TG_CHECK(f == "linear" || f == "sigmoid" || f.substr(0, 4) == "conv", ValueError,
           "calculate_gain: unknown nonlinearity \"", f, "\"");
  return 1;
}
const Tensor& uniform_(const Tensor& t, double a, double b) {
  NoGrad no_grad;
  return tapegrad::uniform_(t, a, b);
}
const Tensor& normal_(const Tensor& t, double mean, double std) {
  NoGrad no_grad;
  return tapegrad::normal_(t, mean, std);
}
const Tensor& trunc_normal_(const Tensor& t, double mean, double std, double a, double b) {
  NoGrad no_grad;
  const auto below = [&](double x) { return (1 + std::erf((x - mean) / std / std::sqrt(2.))) / 2; };
  tapegrad::uniform_(t, 2 * below(a) - 1, 2 * below(b) - 1);
  return clamp_(t.erfinv_().mul_(Tensor(std * std::sqrt(2.))).add_(Tensor(mean)), a, b);
}
const Tensor& constant_(const Tensor& t, double value) {
  NoGrad no_grad;
  return fill_(t, value);
}
const Tensor& ones_(const Tensor& t) { return constant_(t, 1); }
const Tensor& zeros_(const Tensor& t) { return constant_(t, 0); }
const Tensor& eye_(const Tensor& t) {
  NoGrad no_grad;
  TG_CHECK(t.dim() == 2, ShapeError, "init::eye_: needs 2 dimensions", Named{"tensor", t});
  return copy_(t, eye(t.size(0), t.size(1), t.dtype()));
}
const Tensor& dirac_(const Tensor& t, int64_t groups) {
  NoGrad no_grad;
  TG_CHECK(t.dim() >= 3 && t.dim() <= 5 && groups > 0 && t.size(0) % groups == 0, ShapeError,
           "init::dirac_: needs 3 to 5 dimensions, the first divisible by groups (", groups, ")", Named{"tensor", t});
  zero_(t);
  const int64_t per_group = t.size(0) / groups;
  for (int64_t g = 0; g < groups; g++)
    for (int64_t d = 0; d < per_group && d < t.size(1); d++) {
      Tensor at = select(select(t, 0, g * per_group + d), 0, d);
      while (at.dim() > 0) at = select(at, 0, at.size(0) / 2);
      fill_(at, 1);
    }
  return t;
}
const Tensor& xavier_uniform_(const Tensor& t, double gain) {
  const double bound = gain * std::sqrt(6. / fan_sum(t));
  return init::uniform_(t, -bound, bound);
}
const Tensor& xavier_normal_(const Tensor& t, double gain) {
  return init::normal_(t, 0, gain * std::sqrt(2. / fan_sum(t)));
}
const Tensor& kaiming_uniform_(const Tensor& t, double a, std::string_view mode, std::string_view nonlinearity) {
  if (t.numel() == 0) return t;
  const double bound = std::sqrt(3.) * calculate_gain(nonlinearity, a) / std::sqrt(double(fan(t, mode)));
  return init::uniform_(t, -bound, bound);
}
const Tensor& kaiming_normal_(const Tensor& t, double a, std::string_view mode, std::string_view nonlinearity) {
  if (t.numel() == 0) return t;
  return init::normal_(t, 0, calculate_gain(nonlinearity, a) / std::sqrt(double(fan(t, mode))));
}
const Tensor& orthogonal_(const Tensor& t, double gain) {
  NoGrad no_grad;
  TG_CHECK(t.dim() >= 2, ShapeError, "init::orthogonal_: needs at least 2 dimensions", Named{"tensor", t});
  if (t.numel() == 0) return t;
  const int64_t rows = t.size(0), columns = t.numel() / rows, most = std::max(rows, columns),
                fewest = std::min(rows, columns);
  // Gram-Schmidt over the columns, twice for accuracy, in double: what QR with a positive diagonal gives.
  const Tensor start = empty({most, fewest}, float64);
  tapegrad::normal_(start);
  const Tensor m = contiguous(start.t());
  for (int64_t k = 0; k < fewest; k++) {
    Tensor v = select(m, 0, k);
    if (k > 0)
      for (int round = 0; round < 2; round++) {
        const Tensor before = narrow(m, 0, 0, k);
        v = v - matmul(before.t(), matmul(before, v));
      }
    copy_(select(m, 0, k), v / norm(v));
  }
  return copy_(t, (rows < columns ? m : m.t()).reshape(t.sizes()) * gain);
}
const Tensor& sparse_(const Tensor& t, double sparsity, double std) {
  NoGrad no_grad;
  TG_CHECK(t.dim() == 2, ShapeError, "init::sparse_: needs 2 dimensions", Named{"tensor", t});
  const int64_t rows = t.size(0), zeros = int64_t(std::ceil(sparsity * double(rows)));
  tapegrad::normal_(t, 0, std);
  for (int64_t c = 0; c < t.size(1); c++) index_fill_(select(t, 1, c), 0, narrow(randperm(rows), 0, 0, zeros), 0);
  return t;
}

}  // namespace init

// ---- utils

namespace utils {

static std::vector<Tensor> gradients(TensorList parameters) {
  std::vector<Tensor> out;
  for (const Tensor& p : parameters)
    if (const Tensor g = p.grad(); g.defined()) out.push_back(g);
  return out;
}
Tensor get_total_norm(TensorList tensors, double p, bool error_if_nonfinite) {
  if (tensors.empty()) return zeros({});
  NoGrad no_grad;
  std::vector<Tensor> norms;
  for (const Tensor& t : tensors) norms.push_back(norm(detach(t), p));
  const Tensor total = norm(stack(norms), p);
  TG_CHECK(!error_if_nonfinite || std::isfinite(total.item<double>()), ValueError, "get_total_norm: the norm is ",
           total.item<double>(), "; pass error_if_nonfinite=false to scale by it anyway");
  return total;
}
void clip_grads_with_norm_(TensorList parameters, double max_norm, const Tensor& total) {
  NoGrad no_grad;
  const Tensor scale = clamp(max_norm / (total + 1e-6), {}, 1.);
  for (const Tensor& g : gradients(parameters)) mul_(g, scale);
}
Tensor clip_grad_norm_(TensorList parameters, double max_norm, double p, bool error_if_nonfinite) {
  const Tensor total = get_total_norm(gradients(parameters), p, error_if_nonfinite);
  clip_grads_with_norm_(parameters, max_norm, total);
  return total;
}
void clip_grad_value_(TensorList parameters, double value) {
  NoGrad no_grad;
  for (const Tensor& g : gradients(parameters)) clamp_(g, -value, value);
}
Tensor parameters_to_vector(TensorList parameters) {
  std::vector<Tensor> flat;
  for (const Tensor& p : parameters) flat.push_back(reshape(p, {-1}));
  return cat(flat);
}
void vector_to_parameters(const Tensor& vector, TensorList parameters) {
  NoGrad no_grad;
  int64_t at = 0;
  for (const Tensor& p : parameters) {
    copy_(p, narrow(vector, 0, at, p.numel()).view(p.sizes()));
    at += p.numel();
  }
}

}  // namespace utils
}  // namespace tapegrad::nn
