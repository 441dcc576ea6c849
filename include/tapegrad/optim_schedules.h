// Schedules of learning rates: call step() once an epoch (or batch), after the optimiser's. Each changes the rates relative to
// what it finds, so several may act on one optimiser.
#pragma once
#include "tapegrad/optim_optimizer.h"

namespace tapegrad::optim {

/// One number for all groups, or one for each.
struct PerGroup : std::vector<double> {
  PerGroup(double one) : vector{one} {}
  PerGroup(std::initializer_list<double> l) : vector(l) {}
};
/// Any function of an epoch.
class TG_API EpochFunction {
  struct Body : Counted {
    virtual double call(int64_t epoch) = 0;
    virtual ~Body() = default;
    static void destroy(Body* b) { delete b; }
  };
  Ref<Body> body_;
 public:
  EpochFunction() = default;
  template <class F> requires std::is_invocable_r_v<double, F&, int64_t> EpochFunction(F f) {
    struct Of final : Body {
      F f;
      explicit Of(F g) : f(std::move(g)) {}
      double call(int64_t epoch) override { return f(epoch); }
    };
    body_ = Ref<Body>::steal(new Of(std::move(f)));
  }
  explicit operator bool() const { return bool(body_); }
  double operator()(int64_t epoch) const { return body_->call(epoch); }
};

/// The base: a schedule of your own defines rate() and ends its constructor with start(). The optimiser must outlive it.
class TG_API LRScheduler {
 public:
  virtual ~LRScheduler();
  LRScheduler(const LRScheduler&) = delete;
  /// Sets the next rates.
  virtual void step();
  /// Jumps to an epoch.
  virtual void step(int64_t epoch);
  int64_t last_epoch() const { return int64_t(last_epoch_); }
  std::vector<double> get_last_lr() const;
  /// All its numbers, by name.
  StateDict state_dict();
  void load_state_dict(const StateDict& from);

 protected:
  /// last_epoch -1 starts anew; otherwise each group must have its initial_lr.
  explicit LRScheduler(Optimizer& optimizer, int64_t last_epoch = -1);
  void start();
  /// The rate of a group at last_epoch(), from its present and its initial one.
  virtual double rate(size_t group, double lr, double base) = 0;
  /// The same from the initial rate alone, for step(epoch).
  virtual double closed_form(size_t group, double lr, double base);
  virtual std::vector<std::pair<std::string, double*>> numbers();
  double* momentum_of(size_t group, const char* schedule) const;
  /// One number for each group. ValueError.
  static std::vector<double> for_groups(const Optimizer& optimizer, const char* name, const PerGroup& values);

  Optimizer& optimizer_;
  std::vector<double> base_lrs_;
  double last_epoch_, step_count_ = 0;
  bool starting_ = false;
  friend class SequentialLR;
  friend class ChainedScheduler;
};

/// initial lr · f(epoch)
class TG_API LambdaLR final : public LRScheduler {
  std::vector<EpochFunction> f_;
 public:
  LambdaLR(Optimizer& optimizer, EpochFunction f, int64_t last_epoch = -1);
  LambdaLR(Optimizer& optimizer, std::vector<EpochFunction> one_for_each_group, int64_t last_epoch = -1);
 protected:
  double rate(size_t group, double lr, double base) override;
};
/// lr · f(epoch)
class TG_API MultiplicativeLR final : public LRScheduler {
  std::vector<EpochFunction> f_;
 public:
  MultiplicativeLR(Optimizer& optimizer, EpochFunction f, int64_t last_epoch = -1);
  MultiplicativeLR(Optimizer& optimizer, std::vector<EpochFunction> one_for_each_group, int64_t last_epoch = -1);
 protected:
  double rate(size_t group, double lr, double base) override;
};
/// lr · gamma every step_size epochs
class TG_API StepLR final : public LRScheduler {
  int64_t step_size_;
  double gamma_;
 public:
  StepLR(Optimizer& optimizer, int64_t step_size, double gamma = 0.1, int64_t last_epoch = -1);
 protected:
  double rate(size_t group, double lr, double base) override;
  double closed_form(size_t group, double lr, double base) override;
};
/// lr · gamma at each milestone
class TG_API MultiStepLR final : public LRScheduler {
  std::vector<int64_t> milestones_;
  double gamma_;
 public:
  MultiStepLR(Optimizer& optimizer, std::vector<int64_t> milestones, double gamma = 0.1, int64_t last_epoch = -1);
 protected:
  double rate(size_t group, double lr, double base) override;
  double closed_form(size_t group, double lr, double base) override;
};
/// initial lr · factor for the first total_iters epochs
class TG_API ConstantLR final : public LRScheduler {
  double factor_;
  int64_t total_iters_;
 public:
  explicit ConstantLR(Optimizer& optimizer, double factor = 1. / 3, int64_t total_iters = 5, int64_t last_epoch = -1);
 protected:
  double rate(size_t group, double lr, double base) override;
  double closed_form(size_t group, double lr, double base) override;
};
/// A factor that goes from start_factor to end_factor in total_iters epochs.
class TG_API LinearLR final : public LRScheduler {
  double start_factor_, end_factor_;
  int64_t total_iters_;
 public:
  explicit LinearLR(Optimizer& optimizer, double start_factor = 1. / 3, double end_factor = 1, int64_t total_iters = 5,
                    int64_t last_epoch = -1);
 protected:
  double rate(size_t group, double lr, double base) override;
  double closed_form(size_t group, double lr, double base) override;
};
/// lr · gamma every epoch
class TG_API ExponentialLR final : public LRScheduler {
  double gamma_;
 public:
  ExponentialLR(Optimizer& optimizer, double gamma, int64_t last_epoch = -1);
 protected:
  double rate(size_t group, double lr, double base) override;
  double closed_form(size_t group, double lr, double base) override;
};
/// initial lr · (1 - epoch / total_iters)^power
class TG_API PolynomialLR final : public LRScheduler {
  int64_t total_iters_;
  double power_;
 public:
  explicit PolynomialLR(Optimizer& optimizer, int64_t total_iters = 5, double power = 1, int64_t last_epoch = -1);
 protected:
  double rate(size_t group, double lr, double base) override;
  double closed_form(size_t group, double lr, double base) override;
};
/// Half a cosine from the initial lr down to eta_min in T_max epochs.
class TG_API CosineAnnealingLR final : public LRScheduler {
  int64_t t_max_;
  double eta_min_;
 public:
  CosineAnnealingLR(Optimizer& optimizer, int64_t T_max, double eta_min = 0, int64_t last_epoch = -1);
 protected:
  double rate(size_t group, double lr, double base) override;
  double closed_form(size_t group, double lr, double base) override;
};
/// The same again after T_0 epochs, each period T_mult times as long as the one before.
class TG_API CosineAnnealingWarmRestarts final : public LRScheduler {
  double t_0_, t_mult_, eta_min_, t_i_, t_cur_;
 public:
  CosineAnnealingWarmRestarts(Optimizer& optimizer, int64_t T_0, int64_t T_mult = 1, double eta_min = 0, int64_t last_epoch = -1);
  void step() override;
  void step(int64_t epoch) override { step(double(epoch)); }
  /// To a fractional epoch, such as epoch + batch / batches.
  void step(double epoch);
 protected:
  double rate(size_t group, double lr, double base) override;
  std::vector<std::pair<std::string, double*>> numbers() override;
};

/// One schedule after another, changing at the milestones. They must outlive it.
class TG_API SequentialLR final : public LRScheduler {
  std::vector<LRScheduler*> schedulers_;
  std::vector<int64_t> milestones_;
 public:
  SequentialLR(Optimizer& optimizer, std::vector<LRScheduler*> schedulers, std::vector<int64_t> milestones);
  void step() override;
 protected:
  double rate(size_t group, double lr, double base) override;
  std::vector<std::pair<std::string, double*>> numbers() override;
};
/// Steps several schedules at once; their factors multiply. They must outlive it.
class TG_API ChainedScheduler final : public LRScheduler {
  std::vector<LRScheduler*> schedulers_;
 public:
  explicit ChainedScheduler(std::vector<LRScheduler*> schedulers);
  void step() override;
 protected:
  double rate(size_t group, double lr, double base) override;
  std::vector<std::pair<std::string, double*>> numbers() override;
};

struct ReduceLROnPlateauOptions {
  std::string mode = "min";  ///< or "max"
  double factor = 0.1;
  int64_t patience = 10;
  double threshold = 1e-4;
  std::string threshold_mode = "rel";  ///< or "abs"
  int64_t cooldown = 0;
  PerGroup min_lr = 0;
  double eps = 1e-8;
};
/// lr · factor when the metric given to step() has not improved for `patience` epochs.
class TG_API ReduceLROnPlateau {
  Optimizer& optimizer_;
  ReduceLROnPlateauOptions options_;
  std::vector<double> min_lrs_;
  double best_;
  int64_t bad_epochs_ = 0, cooldown_left_ = 0;
 public:
  explicit ReduceLROnPlateau(Optimizer& optimizer, ReduceLROnPlateauOptions options = {});
  void step(double metric);
  std::vector<double> get_last_lr() const;
  StateDict state_dict() const;
  void load_state_dict(const StateDict& from);
};

struct CyclicLROptions {
  int64_t step_size_up = 2000;
  std::optional<int64_t> step_size_down = {};
  std::string mode = "triangular";  ///< or "triangular2", "exp_range"
  double gamma = 1;
  EpochFunction scale_fn = {};        ///< instead of mode
  std::string scale_mode = "cycle";   ///< what scale_fn counts, or "iterations"
  bool cycle_momentum = true;
  PerGroup base_momentum = 0.8, max_momentum = 0.9;
  int64_t last_epoch = -1;
};
/// lr swings between base_lr and max_lr, momentum (or beta1) the other way. Step it after every batch.
class TG_API CyclicLR final : public LRScheduler {
  CyclicLROptions options_;
  std::vector<double> high_, low_momentum_, high_momentum_;
  double total_size_, step_ratio_;
 public:
  CyclicLR(Optimizer& optimizer, PerGroup base_lr, PerGroup max_lr, CyclicLROptions options = {});
 protected:
  double rate(size_t group, double lr, double base) override;
};
struct OneCycleLROptions {
  std::optional<int64_t> total_steps = {}, epochs = {}, steps_per_epoch = {};  ///< the first, or the other two
  double pct_start = 0.3;
  std::string anneal_strategy = "cos";  ///< or "linear"
  bool cycle_momentum = true;
  PerGroup base_momentum = 0.85, max_momentum = 0.95;
  double div_factor = 25, final_div_factor = 1e4;
  bool three_phase = false;
  int64_t last_epoch = -1;
};
/// One rise from max_lr / div_factor to max_lr, then a fall to the initial rate / final_div_factor; momentum (or beta1) the other
/// way. Step it after every batch.
class TG_API OneCycleLR final : public LRScheduler {
  struct Phase {
    double end;
    const std::vector<double> *lr_from, *lr_to, *momentum_from, *momentum_to;
  };
  OneCycleLROptions options_;
  int64_t total_steps_;
  std::vector<double> first_, highest_, last_, low_momentum_, high_momentum_;
  std::vector<Phase> phases_;
  double between(double start, double end, double part) const;
 public:
  OneCycleLR(Optimizer& optimizer, PerGroup max_lr, OneCycleLROptions options = {});
 protected:
  double rate(size_t group, double lr, double base) override;
};
/// From the present rates to swa_lr within anneal_epochs, by "cos" or "linear".
class TG_API SWALR final : public LRScheduler {
  std::vector<double> swa_lrs_;
  int64_t anneal_epochs_;
  bool linear_;
  double share(double step) const;
 public:
  SWALR(Optimizer& optimizer, PerGroup swa_lr, int64_t anneal_epochs = 10, std::string_view anneal_strategy = "cos",
        int64_t last_epoch = -1);
 protected:
  double rate(size_t group, double lr, double base) override;
};

}  // namespace tapegrad::optim
