// Schedules. The order of the arithmetic is Python's, so that rates are equal to the last bit.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "tapegrad/optim_schedules.h"

namespace tapegrad::optim {

// ---- the base

LRScheduler::~LRScheduler() = default;
LRScheduler::LRScheduler(Optimizer& optimizer, int64_t last_epoch)
    : optimizer_(optimizer), last_epoch_(double(last_epoch)) {
  for (size_t g = 0; g < optimizer.group_count(); g++) {
    std::optional<double>& initial = optimizer.initial_lr(g);
    TG_CHECK(last_epoch == -1 || initial, ValueError, "LRScheduler: group ", g,
             " has no initial_lr, which is needed to resume");
    if (!initial) initial = optimizer.lr(g);
    base_lrs_.push_back(*initial);
  }
}
void LRScheduler::start() {
  step_count_ = 0;
  starting_ = true;
  step();
  starting_ = false;
}
// Python's ZeroDivisionError, where a schedule has no steps or a factor of 0.
static double finite(double rate, size_t group) {
  TG_CHECK(std::isfinite(rate), ValueError, "the schedule gives group ", group, " the rate ", rate);
  return rate;
}
void LRScheduler::step() {
  step_count_++, last_epoch_++;
  std::vector<double> rates;
  for (size_t g = 0; g < base_lrs_.size(); g++) rates.push_back(finite(rate(g, optimizer_.lr(g), base_lrs_[g]), g));
  for (size_t g = 0; g < rates.size(); g++) optimizer_.lr(g) = rates[g];
}
void LRScheduler::step(int64_t epoch) {
  step_count_++, last_epoch_ = double(epoch);
  for (size_t g = 0; g < base_lrs_.size(); g++)
    optimizer_.lr(g) = finite(closed_form(g, optimizer_.lr(g), base_lrs_[g]), g);
}
double LRScheduler::closed_form(size_t group, double lr, double base) { return rate(group, lr, base); }
static std::vector<double> rates_of(Optimizer& optimizer) {
  std::vector<double> out;
  for (size_t g = 0; g < optimizer.group_count(); g++) out.push_back(optimizer.lr(g));
  return out;
}
std::vector<double> LRScheduler::get_last_lr() const { return rates_of(optimizer_); }

std::vector<std::pair<std::string, double*>> LRScheduler::numbers() {
  std::vector<std::pair<std::string, double*>> out = {{"last_epoch", &last_epoch_}, {"step_count", &step_count_}};
  for (size_t g = 0; g < base_lrs_.size(); g++) out.emplace_back("base_lr." + std::to_string(g), &base_lrs_[g]);
  return out;
}
StateDict LRScheduler::state_dict() {
  StateDict out;
  for (auto& [name, value] : numbers()) out.emplace_back(name, full({}, *value, Dtype::Float64));
  return out;
}
void LRScheduler::load_state_dict(const StateDict& from) {
  for (auto& [name, value] : numbers()) {
    const auto it = std::find_if(from.begin(), from.end(), [&n = name](const auto& entry) { return entry.first == n; });
    TG_CHECK(it != from.end(), ValueError, "load_state_dict: the schedule's state has no \"", name, "\"");
    *value = it->second.item<double>();
  }
}
double* LRScheduler::momentum_of(size_t group, const char* schedule) const {
  double* m = optimizer_.momentum(group);
  TG_CHECK(m, ValueError, schedule, ": the optimiser has neither momentum nor beta1; set cycle_momentum = false");
  return m;
}
std::vector<double> LRScheduler::for_groups(const Optimizer& optimizer, const char* name, const PerGroup& values) {
  const size_t n = optimizer.group_count();
  TG_CHECK(values.size() == 1 || values.size() == n, ValueError, name, " must be one number or one for each of the ", n,
           " groups, got ", values.size());
  if (values.size() == n) return values;
  return std::vector<double>(n, values[0]);
}

// ---- factors

static std::vector<EpochFunction> functions_for(const Optimizer& optimizer, std::vector<EpochFunction> f) {
  for (const EpochFunction& each : f) TG_CHECK(each, ValueError, "a schedule's function is empty");
  TG_CHECK(f.size() == optimizer.group_count(), ValueError, "there must be one function for each of the ",
           optimizer.group_count(), " groups, got ", f.size());
  return f;
}
static std::vector<EpochFunction> functions_for(const Optimizer& optimizer, EpochFunction f) {
  return functions_for(optimizer, std::vector<EpochFunction>(optimizer.group_count(), f));
}

LambdaLR::LambdaLR(Optimizer& o, EpochFunction f, int64_t last)
    : LRScheduler(o, last), f_(functions_for(o, std::move(f))) {
  start();
}
LambdaLR::LambdaLR(Optimizer& o, std::vector<EpochFunction> f, int64_t last)
    : LRScheduler(o, last), f_(functions_for(o, std::move(f))) {
  start();
}
double LambdaLR::rate(size_t group, double, double base) { return base * f_[group](last_epoch()); }

MultiplicativeLR::MultiplicativeLR(Optimizer& o, EpochFunction f, int64_t last)
    : LRScheduler(o, last), f_(functions_for(o, std::move(f))) {
  start();
}
MultiplicativeLR::MultiplicativeLR(Optimizer& o, std::vector<EpochFunction> f, int64_t last)
    : LRScheduler(o, last), f_(functions_for(o, std::move(f))) {
  start();
}
double MultiplicativeLR::rate(size_t group, double lr, double) { return starting_ ? lr : lr * f_[group](last_epoch()); }

StepLR::StepLR(Optimizer& o, int64_t size, double gamma, int64_t last)
    : LRScheduler(o, last), step_size_(size), gamma_(gamma) {
  TG_CHECK(size > 0, ValueError, "StepLR: step_size must be positive, got ", size);
  start();
}
double StepLR::rate(size_t, double lr, double) {
  return last_epoch() == 0 || last_epoch() % step_size_ ? lr : lr * gamma_;
}
double StepLR::closed_form(size_t, double, double base) {
  return base * std::pow(gamma_, double(last_epoch() / step_size_));
}

MultiStepLR::MultiStepLR(Optimizer& o, std::vector<int64_t> milestones, double gamma, int64_t last)
    : LRScheduler(o, last), milestones_(std::move(milestones)), gamma_(gamma) {
  std::sort(milestones_.begin(), milestones_.end());
  start();
}
double MultiStepLR::rate(size_t, double lr, double) {
  return lr * std::pow(gamma_, double(std::count(milestones_.begin(), milestones_.end(), last_epoch())));
}
double MultiStepLR::closed_form(size_t, double, double base) {
  return base * std::pow(gamma_, double(std::upper_bound(milestones_.begin(), milestones_.end(), last_epoch()) -
                                        milestones_.begin()));
}

ConstantLR::ConstantLR(Optimizer& o, double factor, int64_t total, int64_t last)
    : LRScheduler(o, last), factor_(factor), total_iters_(total) {
  TG_CHECK(factor >= 0 && factor <= 1, ValueError, "ConstantLR: factor must be between 0 and 1, got ", factor);
  start();
}
double ConstantLR::rate(size_t, double lr, double) {
  if (last_epoch() == 0) return lr * factor_;
  return last_epoch() == total_iters_ ? lr * (1 / factor_) : lr;
}
double ConstantLR::closed_form(size_t, double, double base) {
  return base * (factor_ + (last_epoch() >= total_iters_) * (1 - factor_));
}

LinearLR::LinearLR(Optimizer& o, double start_factor, double end_factor, int64_t total, int64_t last)
    : LRScheduler(o, last), start_factor_(start_factor), end_factor_(end_factor), total_iters_(total) {
  TG_CHECK(start_factor > 0 && start_factor <= 1 && end_factor >= 0 && end_factor <= 1, ValueError,
           "LinearLR: start_factor must lie in (0, 1] and end_factor in [0, 1], got ", start_factor, " and ",
           end_factor);
  start();
}
double LinearLR::rate(size_t, double lr, double) {
  if (last_epoch() == 0) return lr * start_factor_;
  if (starting_ || last_epoch() > total_iters_) return lr;
  const double rise = end_factor_ - start_factor_;
  return lr * (1 + rise / (double(total_iters_) * start_factor_ + (last_epoch_ - 1) * rise));
}
double LinearLR::closed_form(size_t, double, double base) {
  return base * (start_factor_ +
                 (end_factor_ - start_factor_) * (double(std::min(total_iters_, last_epoch())) / double(total_iters_)));
}

ExponentialLR::ExponentialLR(Optimizer& o, double gamma, int64_t last) : LRScheduler(o, last), gamma_(gamma) {
  start();
}
double ExponentialLR::rate(size_t, double lr, double) { return starting_ ? lr : lr * gamma_; }
double ExponentialLR::closed_form(size_t, double, double base) { return base * std::pow(gamma_, last_epoch_); }

PolynomialLR::PolynomialLR(Optimizer& o, int64_t total, double power, int64_t last)
    : LRScheduler(o, last), total_iters_(total), power_(power) {
  start();
}
double PolynomialLR::rate(size_t, double lr, double) {
  if (starting_ || last_epoch() > total_iters_) return lr;
  const double total = double(total_iters_), left = 1 - last_epoch_ / total, before = 1 - (last_epoch_ - 1) / total;
  return lr * std::pow(left / before, power_);
}
double PolynomialLR::closed_form(size_t, double, double base) {
  return base * std::pow(1 - double(std::min(total_iters_, last_epoch())) / double(total_iters_), power_);
}

// ---- cosines

CosineAnnealingLR::CosineAnnealingLR(Optimizer& o, int64_t t_max, double eta_min, int64_t last)
    : LRScheduler(o, last), t_max_(t_max), eta_min_(eta_min) {
  TG_CHECK(t_max > 0, ValueError, "CosineAnnealingLR: T_max must be positive, got ", t_max);
  start();
}
double CosineAnnealingLR::rate(size_t group, double lr, double base) {
  const double total = double(t_max_);
  if (starting_) return lr;
  if (step_count_ == 1 && last_epoch() > 0) return closed_form(group, lr, base);
  if ((last_epoch() - 1 - t_max_) % (2 * t_max_) == 0) return lr + (base - eta_min_) * (1 - std::cos(M_PI / total)) / 2;
  const double now = 1 + std::cos(M_PI * last_epoch_ / total), before = 1 + std::cos(M_PI * (last_epoch_ - 1) / total);
  return now / before * (lr - eta_min_) + eta_min_;
}
double CosineAnnealingLR::closed_form(size_t, double, double base) {
  return eta_min_ + (base - eta_min_) * (1 + std::cos(M_PI * last_epoch_ / double(t_max_))) / 2;
}

CosineAnnealingWarmRestarts::CosineAnnealingWarmRestarts(Optimizer& o, int64_t t_0, int64_t t_mult, double eta_min,
                                                         int64_t last)
    : LRScheduler(o, last),
      t_0_(double(t_0)),
      t_mult_(double(t_mult)),
      eta_min_(eta_min),
      t_i_(double(t_0)),
      t_cur_(double(last)) {
  TG_CHECK(t_0 > 0 && t_mult >= 1, ValueError,
           "CosineAnnealingWarmRestarts: T_0 must be positive and T_mult at least 1, got ", t_0, " and ", t_mult);
  start();
}
double CosineAnnealingWarmRestarts::rate(size_t, double, double base) {
  return eta_min_ + (base - eta_min_) * (1 + std::cos(M_PI * t_cur_ / t_i_)) / 2;
}
void CosineAnnealingWarmRestarts::step() {
  if (last_epoch_ < 0) return step(0.);
  last_epoch_++, step_count_++, t_cur_++;
  if (t_cur_ >= t_i_) t_cur_ -= t_i_, t_i_ *= t_mult_;
  for (size_t g = 0; g < base_lrs_.size(); g++) optimizer_.lr(g) = rate(g, 0, base_lrs_[g]);
}
void CosineAnnealingWarmRestarts::step(double epoch) {
  TG_CHECK(epoch >= 0, ValueError, "CosineAnnealingWarmRestarts: the epoch must not be negative, got ", epoch);
  if (epoch < t_0_) {
    t_i_ = t_0_, t_cur_ = epoch;
  } else if (t_mult_ == 1) {
    t_cur_ = std::fmod(epoch, t_0_);
  } else {
    const double n = std::floor(std::log(epoch / t_0_ * (t_mult_ - 1) + 1) / std::log(t_mult_)),
                 power = std::pow(t_mult_, n);
    t_cur_ = epoch - t_0_ * (power - 1) / (t_mult_ - 1);
    t_i_ = t_0_ * power;
  }
  step_count_++, last_epoch_ = std::floor(epoch);
  for (size_t g = 0; g < base_lrs_.size(); g++) optimizer_.lr(g) = rate(g, 0, base_lrs_[g]);
}
std::vector<std::pair<std::string, double*>> CosineAnnealingWarmRestarts::numbers() {
  auto out = LRScheduler::numbers();
  out.emplace_back("T_i", &t_i_);
  out.emplace_back("T_cur", &t_cur_);
  return out;
}

// ---- several at once

// The base's numbers and those of the parts, with a prefix each.
using Numbers = std::vector<std::pair<std::string, double*>>;
static void append(Numbers& out, size_t k, const Numbers& part) {
  for (auto& [name, value] : part) out.emplace_back(std::to_string(k) + "." + name, value);
}
SequentialLR::SequentialLR(Optimizer& o, std::vector<LRScheduler*> schedulers, std::vector<int64_t> milestones)
    : LRScheduler(o), schedulers_(std::move(schedulers)), milestones_(std::move(milestones)) {
  TG_CHECK(!schedulers_.empty() && milestones_.size() + 1 == schedulers_.size(), ValueError,
           "SequentialLR: there must be one schedule more than milestones, got ", schedulers_.size(), " and ",
           milestones_.size());
  for (const LRScheduler* s : schedulers_)
    TG_CHECK(s && &s->optimizer_ == &o, ValueError, "SequentialLR: all schedules must belong to its optimiser");
  for (LRScheduler* s : schedulers_) s->last_epoch_--;
  last_epoch_ = 0;
  for (size_t g = 0; g < o.group_count(); g++)
    o.lr(g) = *o.initial_lr(g);  // undoes the first steps of all but the first schedule
  schedulers_[0]->start();
}
void SequentialLR::step() {
  last_epoch_++;
  const size_t at = size_t(std::upper_bound(milestones_.begin(), milestones_.end(), last_epoch()) - milestones_.begin());
  if (at > 0 && milestones_[at - 1] == last_epoch()) schedulers_[at]->step(int64_t(0));
  else schedulers_[at]->step();
}
double SequentialLR::rate(size_t, double lr, double) { return lr; }
Numbers SequentialLR::numbers() {
  Numbers out = LRScheduler::numbers();
  for (size_t k = 0; k < schedulers_.size(); k++) append(out, k, schedulers_[k]->numbers());
  return out;
}

static Optimizer& optimizer_of(Optimizer* first) {
  TG_CHECK(first, ValueError, "ChainedScheduler: there must be at least one schedule, and none that is null");
  return *first;
}
ChainedScheduler::ChainedScheduler(std::vector<LRScheduler*> schedulers)
    : LRScheduler(optimizer_of(schedulers.empty() || !schedulers[0] ? nullptr : &schedulers[0]->optimizer_)),
      schedulers_(std::move(schedulers)) {
  for (LRScheduler* s : schedulers_)
    TG_CHECK(s && &s->optimizer_ == &optimizer_, ValueError,
             "ChainedScheduler: all schedules must belong to one optimiser");
}
void ChainedScheduler::step() {
  for (LRScheduler* s : schedulers_) s->step();
}
double ChainedScheduler::rate(size_t, double lr, double) { return lr; }
Numbers ChainedScheduler::numbers() {
  Numbers out = LRScheduler::numbers();
  for (size_t k = 0; k < schedulers_.size(); k++) append(out, k, schedulers_[k]->numbers());
  return out;
}

// ---- by a metric

ReduceLROnPlateau::ReduceLROnPlateau(Optimizer& optimizer, ReduceLROnPlateauOptions o)
    : optimizer_(optimizer), options_(std::move(o)) {
  const std::string &mode = options_.mode, &threshold = options_.threshold_mode;
  const size_t n = optimizer.group_count();
  TG_CHECK(options_.factor < 1, ValueError, "ReduceLROnPlateau: factor must be below 1, got ", options_.factor);
  TG_CHECK(mode == "min" || mode == "max", ValueError, "ReduceLROnPlateau: mode must be min or max, got \"", mode, "\"");
  TG_CHECK(threshold == "rel" || threshold == "abs", ValueError,
           "ReduceLROnPlateau: threshold_mode must be rel or abs, got \"", threshold, "\"");
  TG_CHECK(options_.min_lr.size() == 1 || options_.min_lr.size() == n, ValueError,
           "ReduceLROnPlateau: min_lr must be one number or one for each of the ", n, " groups");
  min_lrs_ = options_.min_lr;
  min_lrs_.resize(n, min_lrs_[0]);
  best_ = mode == "min" ? std::numeric_limits<double>::infinity() : -std::numeric_limits<double>::infinity();
}
void ReduceLROnPlateau::step(double metric) {
  const ReduceLROnPlateauOptions& o = options_;
  const bool relative = o.threshold_mode == "rel";
  const bool better = o.mode == "min" ? metric < (relative ? best_ * (1 - o.threshold) : best_ - o.threshold)
                                      : metric > (relative ? best_ * (1 + o.threshold) : best_ + o.threshold);
  if (better) best_ = metric, bad_epochs_ = 0;
  else bad_epochs_++;
  if (cooldown_left_ > 0) cooldown_left_--, bad_epochs_ = 0;
  if (bad_epochs_ <= o.patience) return;
  for (size_t g = 0; g < min_lrs_.size(); g++) {
    const double old = optimizer_.lr(g), next = std::max(old * o.factor, min_lrs_[g]);
    if (old - next > o.eps) optimizer_.lr(g) = next;
  }
  cooldown_left_ = o.cooldown, bad_epochs_ = 0;
}
std::vector<double> ReduceLROnPlateau::get_last_lr() const { return rates_of(optimizer_); }
StateDict ReduceLROnPlateau::state_dict() const {
  return {{"best", full({}, best_, Dtype::Float64)},
          {"num_bad_epochs", full({}, bad_epochs_, Dtype::Int64)},
          {"cooldown_counter", full({}, cooldown_left_, Dtype::Int64)}};
}
void ReduceLROnPlateau::load_state_dict(const StateDict& from) {
  for (auto& [name, value] : from) {
    if (name == "best") best_ = value.item<double>();
    else if (name == "num_bad_epochs") bad_epochs_ = value.item<int64_t>();
    else if (name == "cooldown_counter") cooldown_left_ = value.item<int64_t>();
  }
}

// ---- cycles

// The optimiser with these rates: what the base is to find as initial ones.
static Optimizer& with_rates(Optimizer& optimizer, const std::vector<double>& rates) {
  for (size_t g = 0; g < rates.size(); g++) optimizer.lr(g) = rates[g];
  return optimizer;
}

CyclicLR::CyclicLR(Optimizer& optimizer, PerGroup base_lr, PerGroup max_lr, CyclicLROptions o)
    : LRScheduler(o.last_epoch == -1 ? with_rates(optimizer, for_groups(optimizer, "base_lr", base_lr)) : optimizer,
                  o.last_epoch),
      options_(std::move(o)),
      high_(for_groups(optimizer, "max_lr", max_lr)),
      low_momentum_(for_groups(optimizer, "base_momentum", options_.base_momentum)),
      high_momentum_(for_groups(optimizer, "max_momentum", options_.max_momentum)) {
  const std::string& mode = options_.mode;
  TG_CHECK(options_.scale_fn || mode == "triangular" || mode == "triangular2" || mode == "exp_range", ValueError,
           "CyclicLR: unknown mode \"", mode, "\"");
  TG_CHECK(options_.step_size_up > 0 && options_.step_size_down.value_or(1) >= 0, ValueError,
           "CyclicLR: step_size_up must be positive and step_size_down not negative, got ", options_.step_size_up,
           " and ", options_.step_size_down.value_or(options_.step_size_up));
  const double up = double(options_.step_size_up);
  total_size_ = up + double(options_.step_size_down.value_or(options_.step_size_up));
  step_ratio_ = up / total_size_;
  if (!options_.scale_fn) options_.scale_mode = mode == "exp_range" ? "iterations" : "cycle";
  if (options_.cycle_momentum && options_.last_epoch == -1)
    for (size_t g = 0; g < high_momentum_.size(); g++) *momentum_of(g, "CyclicLR") = high_momentum_[g];
  start();
  base_lrs_ = for_groups(optimizer, "base_lr", base_lr);
}
double CyclicLR::rate(size_t group, double, double base) {
  const CyclicLROptions& o = options_;
  const double cycle = std::floor(1 + last_epoch_ / total_size_), x = 1 + last_epoch_ / total_size_ - cycle;
  const double height = x <= step_ratio_ ? x / step_ratio_ : (x - 1) / (step_ratio_ - 1);
  const int64_t count = o.scale_mode == "cycle" ? int64_t(cycle) : last_epoch();
  const double scale = o.scale_fn                ? o.scale_fn(count)
                       : o.mode == "triangular2" ? 1 / std::pow(2., double(count - 1))
                       : o.mode == "exp_range"   ? std::pow(o.gamma, double(count))
                                                 : 1;
  if (o.cycle_momentum)
    *momentum_of(group, "CyclicLR") =
        high_momentum_[group] - (high_momentum_[group] - low_momentum_[group]) * height * scale;
  return base + (high_[group] - base) * height * scale;
}

static int64_t total_steps_of(const OneCycleLROptions& o) {
  TG_CHECK(o.total_steps || (o.epochs && o.steps_per_epoch), ValueError,
           "OneCycleLR: give total_steps, or epochs and steps_per_epoch");
  TG_CHECK(o.total_steps || (*o.epochs > 0 && *o.steps_per_epoch > 0), ValueError,
           "OneCycleLR: epochs and steps_per_epoch must be positive, got ", o.epochs.value_or(0), " and ",
           o.steps_per_epoch.value_or(0));
  const int64_t total = o.total_steps ? *o.total_steps : *o.epochs * *o.steps_per_epoch;
  TG_CHECK(total > 0, ValueError, "OneCycleLR: the number of steps must be positive, got ", total);
  TG_CHECK(o.pct_start >= 0 && o.pct_start <= 1, ValueError, "OneCycleLR: pct_start must be between 0 and 1, got ",
           o.pct_start);
  TG_CHECK(o.anneal_strategy == "cos" || o.anneal_strategy == "linear", ValueError,
           "OneCycleLR: anneal_strategy must be cos or linear, got \"", o.anneal_strategy, "\"");
  return total;
}
OneCycleLR::OneCycleLR(Optimizer& optimizer, PerGroup max_lr, OneCycleLROptions o)
    : LRScheduler(optimizer, o.last_epoch),
      options_(std::move(o)),
      total_steps_(total_steps_of(options_)),
      highest_(for_groups(optimizer, "max_lr", max_lr)),
      low_momentum_(for_groups(optimizer, "base_momentum", options_.base_momentum)),
      high_momentum_(for_groups(optimizer, "max_momentum", options_.max_momentum)) {
  for (size_t g = 0; g < highest_.size(); g++) {
    first_.push_back(highest_[g] / options_.div_factor);
    last_.push_back(first_[g] / options_.final_div_factor);
    if (options_.last_epoch != -1) continue;
    optimizer.initial_lr(g) = base_lrs_[g] = first_[g];
    if (options_.cycle_momentum) *momentum_of(g, "OneCycleLR") = high_momentum_[g];
  }
  const double total = double(total_steps_), up = options_.pct_start * total - 1;
  phases_.push_back({up, &first_, &highest_, &high_momentum_, &low_momentum_});
  if (options_.three_phase) {
    phases_.push_back({2 * options_.pct_start * total - 2, &highest_, &first_, &low_momentum_, &high_momentum_});
    phases_.push_back({total - 1, &first_, &last_, &high_momentum_, &high_momentum_});
  } else {
    phases_.push_back({total - 1, &highest_, &last_, &low_momentum_, &high_momentum_});
  }
  start();
}
double OneCycleLR::between(double from, double to, double part) const {
  if (options_.anneal_strategy == "linear") return (to - from) * part + from;
  return to + (from - to) / 2 * (std::cos(M_PI * part) + 1);
}
double OneCycleLR::rate(size_t group, double, double) {
  TG_CHECK(last_epoch() <= total_steps_, ValueError, "OneCycleLR: step ", last_epoch(), " of ", total_steps_);
  size_t k = 0;
  while (k + 1 < phases_.size() && last_epoch_ > phases_[k].end) k++;
  const Phase& p = phases_[k];
  const double begin = k ? phases_[k - 1].end : 0, part = (last_epoch_ - begin) / (p.end - begin);
  if (options_.cycle_momentum)
    *momentum_of(group, "OneCycleLR") = between((*p.momentum_from)[group], (*p.momentum_to)[group], part);
  return between((*p.lr_from)[group], (*p.lr_to)[group], part);
}

SWALR::SWALR(Optimizer& optimizer, PerGroup swa_lr, int64_t anneal_epochs, std::string_view strategy, int64_t last)
    : LRScheduler(optimizer, last),
      swa_lrs_(for_groups(optimizer, "swa_lr", swa_lr)),
      anneal_epochs_(anneal_epochs),
      linear_(strategy == "linear") {
  TG_CHECK(linear_ || strategy == "cos", ValueError, "SWALR: anneal_strategy must be cos or linear, got \"", strategy,
           "\"");
  TG_CHECK(anneal_epochs >= 0, ValueError, "SWALR: anneal_epochs must not be negative, got ", anneal_epochs);
  start();
}
// How much of swa_lr there is in the rate after `step` steps.
double SWALR::share(double step) const {
  const double t = std::max(0., std::min(1., step / double(std::max<int64_t>(1, anneal_epochs_))));
  return linear_ ? t : (1 - std::cos(M_PI * t)) / 2;
}
// Out of the present rate and its share come the rate at the start, and the next one.
double SWALR::rate(size_t group, double lr, double) {
  const double step = anneal_epochs_ == 0 ? std::max(1., step_count_ - 1) : step_count_ - 1;
  const double before = share(step - 1), now = share(step), swa_lr = swa_lrs_[group];
  const double start = before == 1 ? swa_lr : (lr - before * swa_lr) / (1 - before);
  return swa_lr * now + start * (1 - now);
}

}  // namespace tapegrad::optim
