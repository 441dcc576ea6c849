// Averages of models over training: stochastic weight averaging (Izmailov et al. 2018) and exponential moving averages.
#pragma once
#include "tapegrad/nn_norm.h"

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

/// Makes the running statistics of all batch norms anew: their mean over one pass through `loader`, whose batches are inputs, or
/// begin with them: a tensor, a pair, a tuple, a data::Batch.
template <class Loader, class M> void update_bn(const Loader& loader, const M& model) {
  const nn::MeanStatistics mean(model);
  const NoGrad no_grad;
  for (const auto& batch : loader) {
    if constexpr (requires { batch.sizes(); }) model(batch);
    else if constexpr (requires { batch.data; }) model(batch.data);
    else model(std::get<0>(batch));
  }
}

}  // namespace tapegrad::optim
