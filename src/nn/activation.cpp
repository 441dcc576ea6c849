// Activations and dropout as modules.
#include <cstdio>
#include <string>

#include "tapegrad/nn.h"

namespace tapegrad::nn {

static std::string text(double v) {
  char s[32];
  std::snprintf(s, sizeof s, "%.12g", v);
  return s;
}

Tensor ReLU::operator()(const Tensor& x) const { return relu(x); }
Tensor Tanh::operator()(const Tensor& x) const { return tanh(x); }
Tensor Sigmoid::operator()(const Tensor& x) const { return sigmoid(x); }
Tensor SiLU::operator()(const Tensor& x) const { return silu(x); }

GELU::GELU(std::string a) : Module("GELU", "approximate='" + a + "'"), approximate(std::move(a)) {}
Tensor GELU::operator()(const Tensor& x) const { return gelu(x, approximate); }
LeakyReLU::LeakyReLU(double slope) : Module("LeakyReLU", "negative_slope=" + text(slope)), negative_slope(slope) {}
Tensor LeakyReLU::operator()(const Tensor& x) const { return leaky_relu(x, negative_slope); }
Softmax::Softmax(int64_t d) : Module("Softmax", "dim=" + std::to_string(d)), dim(d) {}
Tensor Softmax::operator()(const Tensor& x) const { return softmax(x, dim); }
LogSoftmax::LogSoftmax(int64_t d) : Module("LogSoftmax", "dim=" + std::to_string(d)), dim(d) {}
Tensor LogSoftmax::operator()(const Tensor& x) const { return log_softmax(x, dim); }
Dropout::Dropout(double q) : Module("Dropout", "p=" + text(q) + ", inplace=False"), p(q) {}
Tensor Dropout::operator()(const Tensor& x) const { return dropout(x, p, is_training()); }

}  // namespace tapegrad::nn
