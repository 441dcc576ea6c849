// The optimiser classes: groups, state and learning rates round the fused steps of step.cpp; and the schedules.
#include <algorithm>
#include <cmath>
#include <string>
#include <unordered_set>

#include "tapegrad/optim.h"

namespace tapegrad::optim {

Optimizer::~Optimizer() = default;
Optimizer::Optimizer(std::vector<Tensor> params, double lr) { add_param_group(std::move(params), lr); }

void Optimizer::add_param_group(std::vector<Tensor> params, double lr) {
  OpScope op("optimizer");
  TG_CHECK(lr >= 0, ValueError, "lr must not be negative, got ", lr);
  TG_CHECK(!params.empty(), ValueError, "there must be at least one parameter");
  std::unordered_set<TensorImpl*> known;
  for (const Group& g : groups_) for (const Tensor& p : g.params) known.insert(p.get());
  for (const Tensor& p : params) {
    TG_CHECK(p.defined() && p.is_leaf(), ValueError, "can only optimise leaf tensors", Named{"parameter", p});
    TG_CHECK(known.insert(p.get()).second, ValueError, "a parameter appears twice", Named{"parameter", p});
  }
  states_.resize(states_.size() + params.size());
  groups_.push_back({std::move(params), lr, lr});
}
void Optimizer::zero_grad() {
  for (const Group& g : groups_) for (const Tensor& p : g.params) p.set_grad({});
}
void Optimizer::set_lr(double lr) {
  for (Group& g : groups_) g.lr = lr;
}

// The running step's batch for parameters of this age. Batches are reused with their memory: a step allocates nothing.
Optimizer::Batch& Optimizer::batch_of(size_t& used, const Group& group, const State& state) {
  for (size_t b = 0; b < used; b++) if (batches_[b].step == state.step) return batches_[b];
  if (used == batches_.size()) batches_.emplace_back();
  Batch& b = batches_[used++];
  b.params.clear(), b.grads.clear(), b.slots.resize(state.tensors.size());
  for (std::vector<Tensor>& slot : b.slots) slot.clear();
  b.step = state.step, b.lr = group.lr;
  return b;
}
void Optimizer::step() {
  NoGrad no_grad;
  size_t k = 0;
  for (const Group& group : groups_) {
    size_t used = 0;
    for (const Tensor& p : group.params) {
      State& state = states_[k++];
      const Tensor g = p.grad();
      if (!g.defined()) continue;
      if (state.step++ == 0)
        for (size_t names = slot_names().size(); state.tensors.size() < names;) state.tensors.push_back(full_like(detach(p), initial_state()));
      Batch& batch = batch_of(used, group, state);
      batch.params.push_back(p);
      batch.grads.push_back(g);
      for (size_t s = 0; s < batch.slots.size(); s++) batch.slots[s].push_back(state.tensors[s]);
    }
    for (size_t b = 0; b < used; b++) {
      update(batches_[b]);
      batches_[b].grads.clear();  // which must not live on: the next backward wants their memory
    }
  }
}

StateDict Optimizer::state_dict() const {
  StateDict out;
  const std::vector<std::string> names = slot_names();
  for (size_t k = 0; k < states_.size(); k++) {
    const State& s = states_[k];
    if (s.step == 0) continue;
    out.emplace_back("step." + std::to_string(k), full({}, s.step, Dtype::Int64));
    for (size_t i = 0; i < names.size(); i++) out.emplace_back(names[i] + "." + std::to_string(k), s.tensors[i]);
  }
  return out;
}
void Optimizer::load_state_dict(const StateDict& from) {
  OpScope op("load_state_dict");
  NoGrad no_grad;
  const std::vector<std::string> names = slot_names();
  std::vector<Tensor> params;
  for (const Group& g : groups_) params.insert(params.end(), g.params.begin(), g.params.end());
  std::vector<State> states(states_.size());
  for (auto& [key, value] : from) {
    const size_t dot = key.rfind('.');
    size_t k = states.size();
    if (dot != std::string::npos && dot + 1 < key.size() && key.find_first_not_of("0123456789", dot + 1) == std::string::npos && key.size() - dot < 9)
      k = size_t(std::stoul(key.substr(dot + 1)));
    TG_CHECK(k < states.size(), ValueError, "no parameter for state \"", key, "\"; there are ", states.size());
    const std::string slot = key.substr(0, dot);
    if (slot == "step") {
      states[k].step = value.item<int64_t>();
      continue;
    }
    size_t i = 0;
    while (i < names.size() && names[i] != slot) i++;
    TG_CHECK(i < names.size(), ValueError, "this optimiser has no state \"", slot, "\"");
    TG_CHECK(value.sizes() == params[k].sizes(), ShapeError, "state \"", key, "\" must have its parameter's shape", Named{"state", value}, Named{"parameter", params[k]});
    states[k].tensors.resize(names.size());
    states[k].tensors[i] = clone(value);
  }
  for (const State& s : states)
    if (s.step > 0)
      TG_CHECK(s.tensors.size() == names.size() && std::all_of(s.tensors.begin(), s.tensors.end(), [](const Tensor& t) { return t.defined(); }),
               ValueError, "state tensors are missing");
  states_ = std::move(states);
}

// ---- the algorithms

SGD::SGD(std::vector<Tensor> params, SGDOptions o) : Optimizer(std::move(params), o.lr), options_(o) {
  TG_CHECK(o.momentum >= 0 && o.weight_decay >= 0, ValueError, "SGD: momentum and weight_decay must not be negative");
  TG_CHECK(!o.nesterov || (o.momentum > 0 && o.dampening == 0), ValueError, "SGD: nesterov needs momentum > 0 and dampening 0");
}
std::vector<std::string> SGD::slot_names() const {
  if (options_.momentum == 0) return {};
  return {"momentum_buffer"};
}
void SGD::update(const Batch& b) {
  const SGDOptions& o = options_;
  const TensorList buffers = b.slots.empty() ? TensorList() : TensorList(b.slots[0]);
  sgd_step(b.params, b.grads, buffers, b.lr, o.momentum, o.dampening, o.weight_decay, o.nesterov, o.maximize, b.step == 1);
}

static void check_decays(const char* name, double beta1, double beta2, double eps, double weight_decay) {
  TG_CHECK(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1, ValueError, name, ": decay rates must lie in [0, 1), got ", beta1, " and ", beta2);
  TG_CHECK(eps >= 0 && weight_decay >= 0, ValueError, name, ": eps and weight_decay must not be negative");
}
Adam::Adam(std::vector<Tensor> params, AdamOptions o, bool decoupled) : Optimizer(std::move(params), o.lr), options_(o), decoupled_(decoupled) {
  check_decays("Adam", o.beta1, o.beta2, o.eps, o.weight_decay);
}
std::vector<std::string> Adam::slot_names() const {
  if (options_.amsgrad) return {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"};
  return {"exp_avg", "exp_avg_sq"};
}
void Adam::update(const Batch& b) {
  const AdamOptions& o = options_;
  adam_step(b.params, b.grads, b.slots[0], b.slots[1], o.amsgrad ? TensorList(b.slots[2]) : TensorList(), b.lr, o.beta1, o.beta2, o.eps,
            o.weight_decay, decoupled_, o.maximize, b.step);
}

RMSprop::RMSprop(std::vector<Tensor> params, RMSpropOptions o) : Optimizer(std::move(params), o.lr), options_(o) {
  check_decays("RMSprop", o.alpha, 0, o.eps, o.weight_decay);
  TG_CHECK(o.momentum >= 0, ValueError, "RMSprop: momentum must not be negative");
}
std::vector<std::string> RMSprop::slot_names() const {
  std::vector<std::string> names = {"square_avg"};
  if (options_.centered) names.push_back("grad_avg");
  if (options_.momentum > 0) names.push_back("momentum_buffer");
  return names;
}
void RMSprop::update(const Batch& b) {
  const RMSpropOptions& o = options_;
  rmsprop_step(b.params, b.grads, b.slots[0], o.centered ? TensorList(b.slots[1]) : TensorList(),
               o.momentum > 0 ? TensorList(b.slots.back()) : TensorList(), b.lr, o.alpha, o.eps, o.weight_decay, o.momentum, o.maximize);
}

Adagrad::Adagrad(std::vector<Tensor> params, AdagradOptions o) : Optimizer(std::move(params), o.lr), options_(o) {
  check_decays("Adagrad", 0, 0, o.eps, o.weight_decay);
  TG_CHECK(o.lr_decay >= 0 && o.initial_accumulator_value >= 0, ValueError, "Adagrad: lr_decay and initial_accumulator_value must not be negative");
}
std::vector<std::string> Adagrad::slot_names() const { return {"sum"}; }
void Adagrad::update(const Batch& b) {
  const AdagradOptions& o = options_;
  adagrad_step(b.params, b.grads, b.slots[0], b.lr / (1 + double(b.step - 1) * o.lr_decay), o.eps, o.weight_decay, o.maximize);
}

// ---- schedules

LRScheduler::~LRScheduler() = default;
void LRScheduler::step() {
  epoch_++;
  for (Optimizer::Group& g : optimizer_.groups()) g.lr = rate(g.initial_lr, epoch_);
}
double StepLR::rate(double initial, int64_t epoch) const { return initial * std::pow(gamma_, double(epoch / step_size_)); }
double CosineAnnealingLR::rate(double initial, int64_t epoch) const {
  return eta_min_ + (initial - eta_min_) * (1 + std::cos(M_PI * double(epoch) / double(t_max_))) / 2;
}

}  // namespace tapegrad::optim
