// Activations as modules. Each takes and returns any shape and is the function of the same name unless said otherwise; with
// `inplace` the result is written into the input.
#pragma once
#include "tapegrad/nn_module.h"

namespace tapegrad::nn {

struct TG_API ReLU : ModuleOf<ReLU> {
  bool inplace;
  explicit ReLU(bool inplace = false);
  Tensor forward(const Tensor& x) const;
};
struct TG_API ReLU6 : ModuleOf<ReLU6> {
  bool inplace;
  explicit ReLU6(bool inplace = false);
  Tensor forward(const Tensor& x) const;
};
struct TG_API SELU : ModuleOf<SELU> {
  bool inplace;
  explicit SELU(bool inplace = false);
  Tensor forward(const Tensor& x) const;
};
struct TG_API SiLU : ModuleOf<SiLU> {
  bool inplace;
  explicit SiLU(bool inplace = false);
  Tensor forward(const Tensor& x) const;
};
struct TG_API Mish : ModuleOf<Mish> {
  bool inplace;
  explicit Mish(bool inplace = false);
  Tensor forward(const Tensor& x) const;
};
struct TG_API Hardswish : ModuleOf<Hardswish> {
  bool inplace;
  explicit Hardswish(bool inplace = false);
  Tensor forward(const Tensor& x) const;
};
struct TG_API Hardsigmoid : ModuleOf<Hardsigmoid> {
  bool inplace;
  explicit Hardsigmoid(bool inplace = false);
  Tensor forward(const Tensor& x) const;
};
struct TG_API LeakyReLU : ModuleOf<LeakyReLU> {
  double negative_slope;
  bool inplace;
  explicit LeakyReLU(double negative_slope = 0.01, bool inplace = false);
  Tensor forward(const Tensor& x) const;
};
struct TG_API ELU : ModuleOf<ELU> {
  double alpha;
  bool inplace;
  explicit ELU(double alpha = 1, bool inplace = false);
  Tensor forward(const Tensor& x) const;
};
struct TG_API CELU : ModuleOf<CELU> {
  double alpha;
  bool inplace;
  explicit CELU(double alpha = 1, bool inplace = false);
  Tensor forward(const Tensor& x) const;
};
/// approximate: "none" or "tanh"
struct TG_API GELU : ModuleOf<GELU> {
  std::string approximate;
  explicit GELU(std::string approximate = "none");
  Tensor forward(const Tensor& x) const;
};
struct TG_API GLU : ModuleOf<GLU> {
  int64_t dim;
  explicit GLU(int64_t dim = -1);
  Tensor forward(const Tensor& x) const;
};
struct TG_API Sigmoid : ModuleOf<Sigmoid> {
  Tensor forward(const Tensor& x) const;
};
struct TG_API Tanh : ModuleOf<Tanh> {
  Tensor forward(const Tensor& x) const;
};
struct TG_API LogSigmoid : ModuleOf<LogSigmoid> {
  Tensor forward(const Tensor& x) const;
};
struct TG_API Softsign : ModuleOf<Softsign> {
  Tensor forward(const Tensor& x) const;
};
struct TG_API Tanhshrink : ModuleOf<Tanhshrink> {
  Tensor forward(const Tensor& x) const;
};
struct TG_API Softplus : ModuleOf<Softplus> {
  double beta;
  double threshold;
  explicit Softplus(double beta = 1, double threshold = 20);
  Tensor forward(const Tensor& x) const;
};
struct TG_API Softshrink : ModuleOf<Softshrink> {
  double lambd;
  explicit Softshrink(double lambd = 0.5);
  Tensor forward(const Tensor& x) const;
};
struct TG_API Hardshrink : ModuleOf<Hardshrink> {
  double lambd;
  explicit Hardshrink(double lambd = 0.5);
  Tensor forward(const Tensor& x) const;
};
struct TG_API Hardtanh : ModuleOf<Hardtanh> {
  double min_val;
  double max_val;
  bool inplace;
  explicit Hardtanh(double min_val = -1, double max_val = 1, bool inplace = false);
  Tensor forward(const Tensor& x) const;
};
struct TG_API Threshold : ModuleOf<Threshold> {
  double threshold;
  double value;
  bool inplace;
  Threshold(double threshold, double value, bool inplace = false);
  Tensor forward(const Tensor& x) const;
};
/// leaky_relu with one learnt slope, or one for each channel (dimension 1).
struct TG_API PReLU : ModuleOf<PReLU> {
  Tensor weight;
  explicit PReLU(int64_t num_parameters = 1, double init = 0.25);
  Tensor forward(const Tensor& x) const;
};
/// Draws the slopes while training, takes their mean otherwise.
struct TG_API RReLU : ModuleOf<RReLU> {
  double lower;
  double upper;
  bool inplace;
  explicit RReLU(double lower = 1. / 8, double upper = 1. / 3, bool inplace = false);
  Tensor forward(const Tensor& x) const;
};
/// Without a dim: 0 for 0, 1 and 3 dimensions, else 1; so in the next two.
struct TG_API Softmax : ModuleOf<Softmax> {
  std::optional<int64_t> dim;
  explicit Softmax(std::optional<int64_t> dim = {});
  Tensor forward(const Tensor& x) const;
};
struct TG_API LogSoftmax : ModuleOf<LogSoftmax> {
  std::optional<int64_t> dim;
  explicit LogSoftmax(std::optional<int64_t> dim = {});
  Tensor forward(const Tensor& x) const;
};
/// softmax(-x)
struct TG_API Softmin : ModuleOf<Softmin> {
  std::optional<int64_t> dim;
  explicit Softmin(std::optional<int64_t> dim = {});
  Tensor forward(const Tensor& x) const;
};
/// Over the channels of (N, C, H, W) or (C, H, W).
struct TG_API Softmax2d : ModuleOf<Softmax2d> {
  Tensor forward(const Tensor& x) const;
};

}  // namespace tapegrad::nn
