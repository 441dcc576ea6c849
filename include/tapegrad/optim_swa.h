// Averages of models over training: stochastic weight averaging (Izmailov et al. 2018) and exponential moving averages.
#pragma once
#include "tapegrad/nn_module.h"

namespace tapegrad::optim {

struct AveragedModelOptions {
  std::optional<double> ema_decay = {};  ///< decay · average + (1 - decay) · current; without, the mean of all models seen
  bool use_buffers = false;              ///< averages the buffers, too; else they are copied
};
/// Takes the model's parameters into the averages; the first call (count 0) copies them. Raises count.
TG_API void update_average(const nn::Module& average, const nn::Module& model, const Tensor& count, const AveragedModelOptions& options);

/// A model whose parameters are averages of another's: AveragedModel<Net> average{Net()}; call update_parameters(net) after each
/// step (or epoch) that counts. It keeps and overwrites the model it is made with.
template <class M> struct AveragedModel : nn::ModuleOf<AveragedModel<M>> {
  Tensor n_averaged;
  M module;
  AveragedModelOptions options;
  explicit AveragedModel(const M& own, AveragedModelOptions o = {})
      : n_averaged(this->register_buffer("n_averaged", zeros({}, Dtype::Int64))), module(this->register_module("module", own)), options(o) {}
  template <class... A> auto forward(const A&... args) const { return module(args...); }
  void update_parameters(const nn::Module& model) const { update_average(module, model, n_averaged, options); }
};

}  // namespace tapegrad::optim
