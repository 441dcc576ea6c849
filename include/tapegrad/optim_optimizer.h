// Optimisers. First the arithmetic of one step over all parameters, shared by the C++ classes and by Python's tapegrad.optim.
#pragma once
#include "tapegrad/nn_module.h"

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

/// What all optimisers share: parameters in groups, each with its options, and a state for each parameter.
///   optim::Adam adam(net.parameters(), {.lr = 1e-3});
///   adam.zero_grad();  loss.backward();  adam.step();
class TG_API Optimizer {
 public:
  virtual ~Optimizer();
  Optimizer(const Optimizer&) = delete;
  /// Updates each parameter that has a gradient.
  void step();
  /// With a closure that computes the loss and its gradients anew; returns its loss.
  template <class F> Tensor step(F&& closure) {
    return step_with({&closure, [](void* f) -> Tensor { return (*static_cast<std::remove_reference_t<F>*>(f))(); }});
  }
  void zero_grad();

  size_t group_count() const { return groups_.size(); }
  const std::vector<Tensor>& params(size_t group = 0) const { return at(group).params; }
  /// The learning rate of a group, to read and to write.
  virtual double& lr(size_t group = 0) = 0;
  /// Its beta1 or else its momentum, which some schedules change with the rate; null without.
  virtual double* momentum(size_t group = 0) = 0;
  /// The rate that schedules started from; theirs.
  std::optional<double>& initial_lr(size_t group = 0);
  /// The rate of all groups.
  void set_lr(double lr);

  /// State by name and number, "exp_avg.3", and "step.3", parameters being numbered through the groups; rates as "group.0.lr".
  StateDict state_dict();
  void load_state_dict(const StateDict& from);

 protected:
  struct Closure { void* self; Tensor (*call)(void* self); };
  /// Of one parameter.
  struct State {
    std::vector<Tensor> tensors;       // as slot_names() says; none until the first step
    std::vector<double> numbers;       // as number_names() says
    int64_t step = 0;
  };
  /// Parameters of one group that have a gradient and have been stepped equally often; slots[k] are their k-th state tensors.
  struct Batch {
    std::vector<Tensor> params, grads;
    std::vector<std::vector<Tensor>> slots;
    std::vector<State*> states;
    int64_t step;  // counts from 1
  };
  /// A group's options, of the type that OptimizerOf knows.
  struct Options : Counted {
    virtual ~Options();
    static void destroy(Options* o) { delete o; }
  };
  Optimizer() = default;
  void add_group(std::vector<Tensor> params, Ref<Options> options);
  Options& options_of(size_t group) const { return *at(group).options; }
  /// Names of p's state tensors: "exp_avg", …; what a new one holds; names of the numbers, which start as 1.
  virtual std::vector<std::string> slot_names(size_t group, const Tensor& p) const = 0;
  virtual Tensor new_slot(size_t group, size_t slot, const Tensor& p) const;
  virtual std::vector<std::string> number_names() const;
  /// Does its state have the number of steps, as Python's?
  virtual bool counts_steps() const { return true; }
  virtual void update(size_t group, const Batch& batch) = 0;
  virtual Tensor step_with(Closure closure);

 private:
  struct Group {
    std::vector<Tensor> params;
    Ref<Options> options;
    std::optional<double> initial_lr;
  };
  const Group& at(size_t group) const;  // IndexError
  Batch& batch_of(size_t& used, const State& state);
  std::vector<Group> groups_;
  std::vector<State> states_;   // one a parameter
  std::vector<Batch> batches_;  // of the running step; empty but for their memory otherwise
};

/// An optimiser with options of type O.
template <class O> class OptimizerOf : public Optimizer {
  struct Stored final : Options {
    O value;
    explicit Stored(const O& o) : value(o) {}
  };
 public:
  /// A group's options, to read and to write.
  O& options(size_t group = 0) { return static_cast<Stored&>(options_of(group)).value; }
  const O& options(size_t group = 0) const { return static_cast<Stored&>(options_of(group)).value; }
  void add_param_group(std::vector<Tensor> params, const O& o) {
    check(o);
    add_group(std::move(params), Ref<Options>::steal(new Stored(o)));
  }
  double& lr(size_t group = 0) final { return options(group).lr; }
  double* momentum(size_t group = 0) final {
    O& o = options(group);
    if constexpr (requires { o.beta1; }) return &o.beta1;
    else if constexpr (requires { o.momentum; }) return &o.momentum;
    else return nullptr;
  }

 protected:
  virtual void check(const O& o) const = 0;  // throws ValueError
};

struct SGDOptions { double lr = 1e-3, momentum = 0, dampening = 0, weight_decay = 0; bool nesterov = false, maximize = false; };
struct AdamOptions {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;
  bool amsgrad = false, maximize = false, decoupled_weight_decay = false;
};
struct AdamWOptions {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0.01;
  bool amsgrad = false, maximize = false;
};
struct AdamaxOptions { double lr = 2e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0; bool maximize = false; };
struct NAdamOptions {
  double lr = 2e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0, momentum_decay = 4e-3;
  bool decoupled_weight_decay = false, maximize = false;
};
struct RAdamOptions {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;
  bool decoupled_weight_decay = false, maximize = false;
};
struct RMSpropOptions {
  double lr = 1e-2, alpha = 0.99, eps = 1e-8, weight_decay = 0, momentum = 0;
  bool centered = false, maximize = false;
};
struct AdagradOptions {
  double lr = 1e-2, lr_decay = 0, weight_decay = 0, initial_accumulator_value = 0, eps = 1e-10;
  bool maximize = false;
};
struct AdadeltaOptions { double lr = 1, rho = 0.9, eps = 1e-6, weight_decay = 0; bool maximize = false; };
struct ASGDOptions { double lr = 1e-2, lambd = 1e-4, alpha = 0.75, t0 = 1e6, weight_decay = 0; bool maximize = false; };
struct RpropOptions { double lr = 1e-2, shrink = 0.5, grow = 1.2, smallest = 1e-6, largest = 50; bool maximize = false; };
struct AdafactorOptions {
  double lr = 1e-2, beta2_decay = -0.8;
  std::optional<double> eps1 = {};
  double eps2 = 1e-3, d = 1, weight_decay = 0;
  bool maximize = false;
};
struct MuonOptions {
  double lr = 1e-3, weight_decay = 0.1, momentum = 0.95;
  bool nesterov = true;
  double a = 3.4445, b = -4.775, c = 2.0315, eps = 1e-7;
  int64_t ns_steps = 5;
  bool match_rms_adamw = false;
};
struct LBFGSOptions {
  double lr = 1;
  int64_t max_iter = 20;
  std::optional<int64_t> max_eval = {};
  double tolerance_grad = 1e-7, tolerance_change = 1e-9;
  int64_t history_size = 100;
  bool strong_wolfe = false;
};

/// p -= lr d with d = grad + weight_decay p, through a buffer b = momentum b + (1 - dampening) d; nesterov takes d + momentum b.
class TG_API SGD final : public OptimizerOf<SGDOptions> {
 public:
  explicit SGD(std::vector<Tensor> params, SGDOptions options = {});
 protected:
  void check(const SGDOptions& o) const override;
  std::vector<std::string> slot_names(size_t group, const Tensor& p) const override;
  bool counts_steps() const override { return false; }
  void update(size_t group, const Batch& batch) override;
};
/// p -= lr m / (sqrt(v) + eps) with bias-corrected running means of gradient and square; amsgrad keeps the largest v.
class TG_API Adam : public OptimizerOf<AdamOptions> {
 public:
  explicit Adam(std::vector<Tensor> params, AdamOptions options = {});
 protected:
  void check(const AdamOptions& o) const override;
  std::vector<std::string> slot_names(size_t group, const Tensor& p) const override;
  void update(size_t group, const Batch& batch) override;
};
/// Adam with weight decay apart from the gradient.
class TG_API AdamW final : public Adam {
 public:
  explicit AdamW(std::vector<Tensor> params, AdamWOptions options = {});
};
/// Adam with the infinity norm.
class TG_API Adamax final : public OptimizerOf<AdamaxOptions> {
 public:
  explicit Adamax(std::vector<Tensor> params, AdamaxOptions options = {});
 protected:
  void check(const AdamaxOptions& o) const override;
  std::vector<std::string> slot_names(size_t group, const Tensor& p) const override;
  void update(size_t group, const Batch& batch) override;
};
/// Adam with Nesterov momentum, whose schedule momentum_decay governs.
class TG_API NAdam final : public OptimizerOf<NAdamOptions> {
 public:
  explicit NAdam(std::vector<Tensor> params, NAdamOptions options = {});
 protected:
  void check(const NAdamOptions& o) const override;
  std::vector<std::string> slot_names(size_t group, const Tensor& p) const override;
  std::vector<std::string> number_names() const override;
  void update(size_t group, const Batch& batch) override;
};
/// Adam whose adaptive step is rectified, and left out while its variance is unknown.
class TG_API RAdam final : public OptimizerOf<RAdamOptions> {
 public:
  explicit RAdam(std::vector<Tensor> params, RAdamOptions options = {});
 protected:
  void check(const RAdamOptions& o) const override;
  std::vector<std::string> slot_names(size_t group, const Tensor& p) const override;
  void update(size_t group, const Batch& batch) override;
};
/// p -= lr grad / (sqrt(v) + eps), v the running mean of the squares; centered subtracts the squared mean.
class TG_API RMSprop final : public OptimizerOf<RMSpropOptions> {
 public:
  explicit RMSprop(std::vector<Tensor> params, RMSpropOptions options = {});
 protected:
  void check(const RMSpropOptions& o) const override;
  std::vector<std::string> slot_names(size_t group, const Tensor& p) const override;
  void update(size_t group, const Batch& batch) override;
};
/// p -= lr / (1 + (t - 1) lr_decay) grad / (sqrt(sum of squares) + eps).
class TG_API Adagrad final : public OptimizerOf<AdagradOptions> {
 public:
  explicit Adagrad(std::vector<Tensor> params, AdagradOptions options = {});
 protected:
  void check(const AdagradOptions& o) const override;
  std::vector<std::string> slot_names(size_t group, const Tensor& p) const override;
  Tensor new_slot(size_t group, size_t slot, const Tensor& p) const override;
  void update(size_t group, const Batch& batch) override;
};
/// Steps sized by the ratio of the running means of squared updates and squared gradients.
class TG_API Adadelta final : public OptimizerOf<AdadeltaOptions> {
 public:
  explicit Adadelta(std::vector<Tensor> params, AdadeltaOptions options = {});
 protected:
  void check(const AdadeltaOptions& o) const override;
  std::vector<std::string> slot_names(size_t group, const Tensor& p) const override;
  void update(size_t group, const Batch& batch) override;
};
/// Averaged SGD (Polyak & Juditsky 1992): state "ax" is the mean of p over the steps after t0.
class TG_API ASGD final : public OptimizerOf<ASGDOptions> {
 public:
  explicit ASGD(std::vector<Tensor> params, ASGDOptions options = {});
 protected:
  void check(const ASGDOptions& o) const override;
  std::vector<std::string> slot_names(size_t group, const Tensor& p) const override;
  std::vector<std::string> number_names() const override;
  void update(size_t group, const Batch& batch) override;
};
/// Only the gradient's sign counts (Riedmiller & Braun 1993): each element's step grows while it stays and shrinks when it turns.
class TG_API Rprop final : public OptimizerOf<RpropOptions> {
 public:
  explicit Rprop(std::vector<Tensor> params, RpropOptions options = {});
 protected:
  void check(const RpropOptions& o) const override;
  std::vector<std::string> slot_names(size_t group, const Tensor& p) const override;
  Tensor new_slot(size_t group, size_t slot, const Tensor& p) const override;
  void update(size_t group, const Batch& batch) override;
};
/// Second moments as row and column means (Shazeer & Stern 2018). No eps1: the dtype's epsilon.
class TG_API Adafactor final : public OptimizerOf<AdafactorOptions> {
 public:
  explicit Adafactor(std::vector<Tensor> params, AdafactorOptions options = {});
 protected:
  void check(const AdafactorOptions& o) const override;
  std::vector<std::string> slot_names(size_t group, const Tensor& p) const override;
  Tensor new_slot(size_t group, size_t slot, const Tensor& p) const override;
  void update(size_t group, const Batch& batch) override;
};
/// Momentum, orthogonalised by a Newton-Schulz iteration with a, b, c in bfloat16 (Jordan 2024); for matrices.
class TG_API Muon final : public OptimizerOf<MuonOptions> {
 public:
  explicit Muon(std::vector<Tensor> params, MuonOptions options = {});
 protected:
  void check(const MuonOptions& o) const override;
  std::vector<std::string> slot_names(size_t group, const Tensor& p) const override;
  bool counts_steps() const override { return false; }
  void update(size_t group, const Batch& batch) override;
};
/// Quasi-Newton steps from the last changes of the gradient (Liu & Nocedal 1989): step(closure) evaluates the closure, which computes
/// the loss and its gradients, several times. One group of parameters; its state is not part of state_dict().
class TG_API LBFGS final : public OptimizerOf<LBFGSOptions> {
 public:
  explicit LBFGS(std::vector<Tensor> params, LBFGSOptions options = {});
  ~LBFGS() override;
 protected:
  void check(const LBFGSOptions& o) const override;
  std::vector<std::string> slot_names(size_t group, const Tensor& p) const override;
  void update(size_t group, const Batch& batch) override;
  Tensor step_with(Closure closure) override;
 private:
  struct History;
  Ref<History> history_;
};

}  // namespace optim
}  // namespace tapegrad
