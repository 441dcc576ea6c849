// Activations as modules.
#include "src/nn/layer.h"
#include "tapegrad/nn_activation.h"

namespace tapegrad::nn {

// The last of the details: nothing unless true.
static std::string if_inplace(bool inplace, std::string before = "") {
  if (inplace) before += before.empty() ? "inplace=True" : ", inplace=True";
  return before;
}
// The value in the input's memory: for ops that have no in-place form of their own.
static Tensor into(const Tensor& x, bool inplace, Tensor (*f)(const Tensor&)) {
  return inplace ? copy_(x, f(x.clone())) : f(x);
}

ReLU::ReLU(bool in) : ModuleOf(if_inplace(in)), inplace(in) {}
Tensor ReLU::forward(const Tensor& x) const { return inplace ? relu_(x) : relu(x); }
ReLU6::ReLU6(bool in) : ModuleOf(if_inplace(in)), inplace(in) {}
Tensor ReLU6::forward(const Tensor& x) const { return inplace ? hardtanh_(x, 0, 6) : relu6(x); }
SELU::SELU(bool in) : ModuleOf(if_inplace(in)), inplace(in) {}
Tensor SELU::forward(const Tensor& x) const { return inplace ? selu_(x) : selu(x); }
SiLU::SiLU(bool in) : ModuleOf(if_inplace(in)), inplace(in) {}
Tensor SiLU::forward(const Tensor& x) const { return into(x, inplace, silu); }
Mish::Mish(bool in) : ModuleOf(if_inplace(in)), inplace(in) {}
Tensor Mish::forward(const Tensor& x) const { return into(x, inplace, mish); }
Hardswish::Hardswish(bool in) : inplace(in) {}
Tensor Hardswish::forward(const Tensor& x) const { return into(x, inplace, hardswish); }
Hardsigmoid::Hardsigmoid(bool in) : inplace(in) {}
Tensor Hardsigmoid::forward(const Tensor& x) const { return into(x, inplace, hardsigmoid); }

LeakyReLU::LeakyReLU(double slope, bool in)
    : ModuleOf(if_inplace(in, details("negative_slope", slope))), negative_slope(slope), inplace(in) {}
Tensor LeakyReLU::forward(const Tensor& x) const {
  return inplace ? leaky_relu_(x, negative_slope) : leaky_relu(x, negative_slope);
}
ELU::ELU(double a, bool in) : ModuleOf(if_inplace(in, details("alpha", a))), alpha(a), inplace(in) {}
Tensor ELU::forward(const Tensor& x) const { return inplace ? elu_(x, alpha) : elu(x, alpha); }
CELU::CELU(double a, bool in) : ModuleOf(if_inplace(in, details("alpha", a))), alpha(a), inplace(in) {}
Tensor CELU::forward(const Tensor& x) const { return inplace ? celu_(x, alpha) : celu(x, alpha); }
GELU::GELU(std::string a) : ModuleOf(details("approximate", a)), approximate(std::move(a)) {}
Tensor GELU::forward(const Tensor& x) const { return gelu(x, approximate); }
GLU::GLU(int64_t d) : ModuleOf(details("dim", d)), dim(d) {}
Tensor GLU::forward(const Tensor& x) const { return glu(x, dim); }

Tensor Sigmoid::forward(const Tensor& x) const { return sigmoid(x); }
Tensor Tanh::forward(const Tensor& x) const { return tanh(x); }
Tensor LogSigmoid::forward(const Tensor& x) const { return logsigmoid(x); }
Tensor Softsign::forward(const Tensor& x) const { return softsign(x); }
Tensor Tanhshrink::forward(const Tensor& x) const { return tanhshrink(x); }

Softplus::Softplus(double b, double t) : ModuleOf(details("beta", b, "threshold", t)), beta(b), threshold(t) {}
Tensor Softplus::forward(const Tensor& x) const { return softplus(x, beta, threshold); }
Softshrink::Softshrink(double l) : ModuleOf(repr(l)), lambd(l) {}
Tensor Softshrink::forward(const Tensor& x) const { return softshrink(x, lambd); }
Hardshrink::Hardshrink(double l) : ModuleOf(repr(l)), lambd(l) {}
Tensor Hardshrink::forward(const Tensor& x) const { return hardshrink(x, lambd); }
Hardtanh::Hardtanh(double low, double high, bool in)
    : ModuleOf(if_inplace(in, details("min_val", low, "max_val", high))), min_val(low), max_val(high), inplace(in) {
  TG_CHECK(high > low, ValueError, "Hardtanh: max_val must be larger than min_val, got ", high, " and ", low);
}
Tensor Hardtanh::forward(const Tensor& x) const {
  return inplace ? hardtanh_(x, min_val, max_val) : hardtanh(x, min_val, max_val);
}
Threshold::Threshold(double t, double v, bool in)
    : ModuleOf(if_inplace(in, details("threshold", t, "value", v))), threshold(t), value(v), inplace(in) {}
Tensor Threshold::forward(const Tensor& x) const {
  return inplace ? threshold_(x, threshold, value) : tapegrad::threshold(x, threshold, value);
}

PReLU::PReLU(int64_t n, double init) : ModuleOf(details("num_parameters", n)) {
  weight = register_parameter("weight", full({n}, init));
}
Tensor PReLU::forward(const Tensor& x) const { return prelu(x, weight); }
RReLU::RReLU(double a, double b, bool in)
    : ModuleOf(if_inplace(in, details("lower", a, "upper", b))), lower(a), upper(b), inplace(in) {}
Tensor RReLU::forward(const Tensor& x) const {
  const Tensor y = rrelu(x, lower, upper, is_training());
  return inplace ? copy_(x, y) : y;
}

static int64_t dim_of(std::optional<int64_t> dim, const Tensor& x) {
  if (dim) return *dim;
  return x.dim() < 2 || x.dim() == 3 ? 0 : 1;
}
Softmax::Softmax(std::optional<int64_t> d) : ModuleOf(details("dim", d)), dim(d) {}
Tensor Softmax::forward(const Tensor& x) const { return softmax(x, dim_of(dim, x)); }
LogSoftmax::LogSoftmax(std::optional<int64_t> d) : ModuleOf(details("dim", d)), dim(d) {}
Tensor LogSoftmax::forward(const Tensor& x) const { return log_softmax(x, dim_of(dim, x)); }
Softmin::Softmin(std::optional<int64_t> d) : ModuleOf(details("dim", d)), dim(d) {}
Tensor Softmin::forward(const Tensor& x) const { return softmax(-x, dim_of(dim, x)); }
Tensor Softmax2d::forward(const Tensor& x) const {
  TG_CHECK(x.dim() == 3 || x.dim() == 4, ShapeError, "Softmax2d: input must be (N, C, H, W) or (C, H, W)",
           Named{"input", x});
  return softmax(x, -3);
}

}  // namespace tapegrad::nn
