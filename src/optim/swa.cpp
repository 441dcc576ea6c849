// Averages of models.
#include <vector>

#include "tapegrad/optim_swa.h"

namespace tapegrad::optim {

void update_average(const nn::Module& average, const nn::Module& model, const Tensor& count,
                    const AveragedModelOptions& o) {
  NoGrad no_grad;
  const auto tensors = [&](const nn::Module& m) {
    std::vector<Tensor> out = m.parameters();
    if (o.use_buffers) for (const Tensor& b : m.buffers()) out.push_back(b);
    return out;
  };
  const std::vector<Tensor> averages = tensors(average), current = tensors(model);
  TG_CHECK(averages.size() == current.size(), ValueError, "update_parameters: the averaged model has ", averages.size(),
           " tensors, the model ", current.size());
  const bool first = count.item<int64_t>() == 0;
  for (size_t k = 0; k < averages.size(); k++) {
    const Tensor &a = averages[k], &c = current[k];
    if (first) copy_(a, c);
    else if (o.ema_decay) copy_(a, *o.ema_decay * a + (1 - *o.ema_decay) * c);
    else copy_(a, a + (c - a) / (count + 1));
  }
  if (!o.use_buffers) {
    const std::vector<Tensor> to = average.buffers(), from = model.buffers();
    for (size_t k = 0; k < to.size() && k < from.size(); k++) copy_(to[k], from[k]);
  }
  add_(count, Tensor(1));
}

}  // namespace tapegrad::optim
