// Optimisers. First the arithmetic of one step over all parameters, shared by the C++ classes and by Python's tapegrad.optim.
#pragma once
#include <string>

#include "tapegrad/nn.h"

namespace tapegrad {

// ## fused steps: src/optim/step.cpp
// Each updates `params` and the lists of states in place, never records, and gives PyTorch's numbers. params[k], grads[k] and
// state[k] have one shape and one floating dtype; a list of states that the variant does not use is empty. Throws ShapeError,
// DtypeError, ValueError.

/// Without momentum pass no buffers. `first`: the buffers are unset and start as the gradient.
TG_API void sgd_step(TensorList params, TensorList grads, TensorList momentum_buffers, double lr, double momentum = 0, double dampening = 0, double weight_decay = 0, bool nesterov = false, bool maximize = false, bool first = false);
/// Adam; `decoupled` weight decay makes it AdamW; with max_exp_avg_sqs it is AMSGrad. `step` counts from 1.
TG_API void adam_step(TensorList params, TensorList grads, TensorList exp_avgs, TensorList exp_avg_sqs, TensorList max_exp_avg_sqs, double lr, double beta1, double beta2, double eps, double weight_decay, bool decoupled, bool maximize, int64_t step);
/// grad_avgs: centered; momentum_buffers: momentum > 0.
TG_API void rmsprop_step(TensorList params, TensorList grads, TensorList square_avgs, TensorList grad_avgs, TensorList momentum_buffers, double lr, double alpha, double eps, double weight_decay, double momentum, bool maximize);
/// `lr` with its decay applied.
TG_API void adagrad_step(TensorList params, TensorList grads, TensorList sums, double lr, double eps, double weight_decay, bool maximize);
TG_API void adadelta_step(TensorList params, TensorList grads, TensorList square_avgs, TensorList acc_deltas, double lr, double rho, double eps, double weight_decay, bool maximize);
TG_API void adamax_step(TensorList params, TensorList grads, TensorList exp_avgs, TensorList exp_infs, double lr, double beta1, double beta2, double eps, double weight_decay, bool maximize, int64_t step);
/// mu, mu_next and mu_product: the momentum schedule at this step, at the next, and its product so far.
TG_API void nadam_step(TensorList params, TensorList grads, TensorList exp_avgs, TensorList exp_avg_sqs, double lr, double beta1, double beta2, double eps, double weight_decay, bool decoupled, bool maximize, double mu, double mu_next, double mu_product, int64_t step);
TG_API void radam_step(TensorList params, TensorList grads, TensorList exp_avgs, TensorList exp_avg_sqs, double lr, double beta1, double beta2, double eps, double weight_decay, bool decoupled, bool maximize, int64_t step);


namespace optim {

/// What all optimisers share: parameters in groups with one learning rate each, and state tensors for each parameter.
///   optim::Adam adam(net.parameters(), {.lr = 1e-3});
///   adam.zero_grad();  loss.backward();  adam.step();
class TG_API Optimizer {
 public:
  struct Group {
    std::vector<Tensor> params;
    double lr;
    double initial_lr;  // what schedules start from
  };
  virtual ~Optimizer();
  Optimizer(const Optimizer&) = delete;
  /// Updates each parameter that has a gradient.
  void step();
  void zero_grad();
  void add_param_group(std::vector<Tensor> params, double lr);
  std::vector<Group>& groups() { return groups_; }
  double lr() const { return groups_[0].lr; }
  void set_lr(double lr);
  /// State by name and number, "exp_avg.3", and "step.3"; parameters are numbered through the groups.
  StateDict state_dict() const;
  void load_state_dict(const StateDict& from);

 protected:
  struct State {
    std::vector<Tensor> tensors;  // as many as slot_names(); undefined until the first step
    int64_t step = 0;
  };
  explicit Optimizer(std::vector<Tensor> params, double lr);
  /// Names of the state tensors: "exp_avg", …
  virtual std::vector<std::string> slot_names() const = 0;
  /// Parameters of one group that have a gradient and have been stepped equally often; slots[k] are their k-th state tensors.
  struct Batch {
    std::vector<Tensor> params, grads;
    std::vector<std::vector<Tensor>> slots;
    int64_t step;  // counts from 1
    double lr;
  };
  virtual void update(const Batch& batch) = 0;
  virtual double initial_state() const { return 0; }  // what new state tensors are filled with

 private:
  Batch& batch_of(size_t& used, const Group& group, const State& state);
  std::vector<Group> groups_;
  std::vector<State> states_;   // one a parameter
  std::vector<Batch> batches_;  // of the running step; empty but for their memory otherwise
};

struct SGDOptions { double lr = 1e-3, momentum = 0, dampening = 0, weight_decay = 0; bool nesterov = false, maximize = false; };
class TG_API SGD final : public Optimizer {
  SGDOptions options_;
 public:
  explicit SGD(std::vector<Tensor> params, SGDOptions options = {});
 protected:
  std::vector<std::string> slot_names() const override;
  void update(const Batch& batch) override;
};

struct AdamOptions { double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0; bool amsgrad = false, maximize = false; };
class TG_API Adam : public Optimizer {
 public:
  explicit Adam(std::vector<Tensor> params, AdamOptions options = {}) : Adam(std::move(params), options, false) {}
 protected:
  Adam(std::vector<Tensor> params, AdamOptions options, bool decoupled);
  std::vector<std::string> slot_names() const override;
  void update(const Batch& batch) override;
 private:
  AdamOptions options_;
  bool decoupled_;
};
struct AdamWOptions { double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0.01; bool amsgrad = false, maximize = false; };
/// Adam with weight decay apart from the gradient.
class TG_API AdamW final : public Adam {
 public:
  explicit AdamW(std::vector<Tensor> params, AdamWOptions o = {})
      : Adam(std::move(params), {o.lr, o.beta1, o.beta2, o.eps, o.weight_decay, o.amsgrad, o.maximize}, true) {}
};

struct RMSpropOptions { double lr = 1e-2, alpha = 0.99, eps = 1e-8, weight_decay = 0, momentum = 0; bool centered = false, maximize = false; };
class TG_API RMSprop final : public Optimizer {
  RMSpropOptions options_;
 public:
  explicit RMSprop(std::vector<Tensor> params, RMSpropOptions options = {});
 protected:
  std::vector<std::string> slot_names() const override;
  void update(const Batch& batch) override;
};

struct AdagradOptions { double lr = 1e-2, lr_decay = 0, weight_decay = 0, initial_accumulator_value = 0, eps = 1e-10; bool maximize = false; };
class TG_API Adagrad final : public Optimizer {
  AdagradOptions options_;
 public:
  explicit Adagrad(std::vector<Tensor> params, AdagradOptions options = {});
 protected:
  std::vector<std::string> slot_names() const override;
  void update(const Batch& batch) override;
  double initial_state() const override { return options_.initial_accumulator_value; }
};

// ---- schedules: call step() once an epoch, after the optimiser's

class TG_API LRScheduler {
 public:
  explicit LRScheduler(Optimizer& optimizer) : optimizer_(optimizer) {}  // which must outlive it
  virtual ~LRScheduler();
  void step();
  int64_t last_epoch() const { return epoch_; }
 protected:
  /// The rate of a group that started with `initial` after `epoch` epochs.
  virtual double rate(double initial, int64_t epoch) const = 0;
 private:
  Optimizer& optimizer_;
  int64_t epoch_ = 0;
};
/// lr · gamma every step_size epochs.
class TG_API StepLR final : public LRScheduler {
  int64_t step_size_;
  double gamma_;
 public:
  StepLR(Optimizer& optimizer, int64_t step_size, double gamma = 0.1) : LRScheduler(optimizer), step_size_(step_size), gamma_(gamma) {}
 protected:
  double rate(double initial, int64_t epoch) const override;
};
/// Half a cosine from lr down to eta_min over T_max epochs.
class TG_API CosineAnnealingLR final : public LRScheduler {
  int64_t t_max_;
  double eta_min_;
 public:
  CosineAnnealingLR(Optimizer& optimizer, int64_t t_max, double eta_min = 0) : LRScheduler(optimizer), t_max_(t_max), eta_min_(eta_min) {}
 protected:
  double rate(double initial, int64_t epoch) const override;
};

}  // namespace optim
}  // namespace tapegrad
