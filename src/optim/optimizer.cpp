// What optimisers share: groups, states, batches of parameters for one call of a fused step.
#include <algorithm>
#include <string>
#include <unordered_set>

#include "src/tensor/ledger.h"
#include "tapegrad/optim_optimizer.h"

namespace tapegrad::optim {

Optimizer::~Optimizer() = default;
Optimizer::Options::~Options() = default;

void Optimizer::add_group(std::vector<Tensor> params, Ref<Options> options) {
  OpScope op("optimizer");
  TG_CHECK(!params.empty(), ValueError, "there must be at least one parameter");
  std::unordered_set<TensorImpl*> known;
  for (const Group& g : groups_)
    for (const Tensor& p : g.params) known.insert(p.get());
  for (const Tensor& p : params) {
    TG_CHECK(p.defined() && p.is_leaf(), ValueError, "can only optimise leaf tensors", Named{"parameter", p});
    TG_CHECK(known.insert(p.get()).second, ValueError, "a parameter appears twice", Named{"parameter", p});
  }
  states_.resize(states_.size() + params.size());
  groups_.push_back({std::move(params), std::move(options), {}});
}
const Optimizer::Group& Optimizer::at(size_t group) const {
  TG_CHECK(group < groups_.size(), IndexError, "group ", group, " of an optimiser with ", groups_.size());
  return groups_[group];
}
std::optional<double>& Optimizer::initial_lr(size_t group) {
  at(group);
  return groups_[group].initial_lr;
}
void Optimizer::zero_grad() {
  OpScope op("zero_grad");
  for (const Group& g : groups_)
    for (const Tensor& p : g.params) p.set_grad({});
}
void Optimizer::set_lr(double value) {
  for (size_t g = 0; g < groups_.size(); g++) lr(g) = value;
}
Tensor Optimizer::new_slot(size_t, size_t, const Tensor& p) const { return zeros_like(detach(p)); }
std::vector<std::string> Optimizer::number_names() const { return {}; }

// The running step's batch for parameters of this age. Batches are reused with their memory: a step allocates nothing.
Optimizer::Batch& Optimizer::batch_of(size_t& used, const State& state) {
  for (size_t b = 0; b < used; b++)
    if (batches_[b].step == state.step + 1 && batches_[b].slots.size() == state.tensors.size()) return batches_[b];
  if (used == batches_.size()) batches_.emplace_back();
  Batch& b = batches_[used++];
  b.params.clear(), b.grads.clear(), b.states.clear(), b.slots.resize(state.tensors.size());
  for (std::vector<Tensor>& slot : b.slots) slot.clear();
  b.step = state.step + 1;
  return b;
}
void Optimizer::step() {
  NoGrad no_grad;
  struct Cleared {  // gradients must not live on: the next backward wants their memory
    std::vector<Batch>& batches;
    ~Cleared() { for (Batch& b : batches) b.grads.clear(); }
  } cleared{batches_};
  size_t k = 0;
  for (size_t group = 0; group < groups_.size(); group++) {
    size_t used = 0;
    for (const Tensor& p : groups_[group].params) {
      State& state = states_[k++];
      const Tensor g = p.grad();
      if (!g.defined()) continue;
      if (state.step == 0) {
        const size_t count = slot_names(group, p).size();
        for (size_t slot = state.tensors.size(); slot < count; slot++) {
          state.tensors.push_back(new_slot(group, slot, p));
          own_with(*state.tensors.back()->storage, *p->storage, MemoryRole::Optimizer);
        }
        state.numbers.resize(number_names().size(), 1);
      }
      Batch& batch = batch_of(used, state);
      batch.params.push_back(p);
      batch.grads.push_back(g);
      batch.states.push_back(&state);
      for (size_t s = 0; s < batch.slots.size(); s++) batch.slots[s].push_back(state.tensors[s]);
    }
    for (size_t b = 0; b < used; b++) {
      update(group, batches_[b]);
      for (State* state : batches_[b].states) state->step++;  // only now: a step that could not get memory may be tried again
    }
  }
}
Tensor Optimizer::step_with(Closure closure) {
  Tensor loss;
  {
    EnableGrad grad;
    loss = closure.call(closure.self);
  }
  step();
  return loss;
}

// ---- saving

StateDict Optimizer::state_dict() {
  StateDict out;
  const auto put = [&](const std::string& name, double value) {
    out.emplace_back(name, full({}, value, Dtype::Float64));
  };
  const std::vector<std::string> numbers = number_names();
  size_t k = 0;
  for (size_t group = 0; group < groups_.size(); group++)
    for (const Tensor& p : groups_[group].params) {
      const State& s = states_[k];
      const std::string suffix = "." + std::to_string(k++);
      if (s.step == 0) continue;
      if (counts_steps()) out.emplace_back("step" + suffix, full({}, s.step, Dtype::Int64));
      const std::vector<std::string> slots = slot_names(group, p);  // fewer where an option has been switched off since
      for (size_t i = 0; i < std::min(slots.size(), s.tensors.size()); i++) out.emplace_back(slots[i] + suffix, s.tensors[i]);
      for (size_t i = 0; i < s.numbers.size(); i++) put(numbers[i] + suffix, s.numbers[i]);
    }
  for (size_t group = 0; group < groups_.size(); group++) {
    const std::string prefix = "group." + std::to_string(group);
    put(prefix + ".lr", lr(group));
    if (const double* m = momentum(group)) put(prefix + ".momentum", *m);
    if (groups_[group].initial_lr) put(prefix + ".initial_lr", *groups_[group].initial_lr);
  }
  return out;
}
// "exp_avg.3" and 10: "exp_avg" and 3; throws when the number is not below `count`.
static std::pair<std::string, size_t> numbered(const std::string& key, size_t count) {
  const size_t dot = key.rfind('.');
  size_t k = count;
  if (dot != std::string::npos && dot + 1 < key.size() &&
      key.find_first_not_of("0123456789", dot + 1) == std::string::npos && key.size() - dot < 9)
    k = size_t(std::stoul(key.substr(dot + 1)));
  TG_CHECK(k < count, ValueError, "no parameter or group for state \"", key, "\"; there are ", count);
  return {key.substr(0, dot), k};
}
void Optimizer::load_state_dict(const StateDict& from) {
  OpScope op("load_state_dict");
  NoGrad no_grad;
  std::vector<std::pair<size_t, Tensor>> params;  // group, parameter
  for (size_t g = 0; g < groups_.size(); g++)
    for (const Tensor& p : groups_[g].params) params.emplace_back(g, p);
  const std::vector<std::string> numbers = number_names();
  std::vector<State> states(states_.size());
  const auto place_in = [](const std::vector<std::string>& names, const std::string& name) {
    return size_t(std::find(names.begin(), names.end(), name) - names.begin());
  };
  for (auto& [key, value] : from) {
    TG_CHECK(value.defined(), ValueError, "state \"", key, "\" is undefined");
    if (key.rfind("group.", 0) == 0) {
      const auto [prefix, g] = numbered(key.substr(0, key.rfind('.')), groups_.size());
      const std::string what = key.substr(key.rfind('.') + 1);
      if (what == "lr") lr(g) = value.item<double>();
      else if (what == "initial_lr") groups_[g].initial_lr = value.item<double>();
      else if (double* m = momentum(g); m && what == "momentum") *m = value.item<double>();
      else TG_CHECK(false, ValueError, "this optimiser has no state \"", key, "\"");
      continue;
    }
    const auto [name, k] = numbered(key, states.size());
    const auto& [group, p] = params[k];
    if (name == "step") {
      const int64_t step = value.item<int64_t>();
      TG_CHECK(step >= 0 && step < INT64_MAX, ValueError, "state \"", key, "\" must be a number of steps, got ", step);
      states[k].step = step;
      continue;
    }
    if (const size_t i = place_in(numbers, name); i < numbers.size()) {
      states[k].numbers.resize(numbers.size(), 1);
      states[k].numbers[i] = value.item<double>();
      continue;
    }
    const std::vector<std::string> slots = slot_names(group, p);
    const size_t i = place_in(slots, name);
    TG_CHECK(i < slots.size(), ValueError, "this optimiser has no state \"", name, "\"");
    const Tensor fresh = new_slot(group, i, p);
    TG_CHECK(value.sizes() == fresh.sizes(), ShapeError, "state \"", key, "\" does not fit its parameter",
             Named{"state", value}, Named{"parameter", p});
    copy_(fresh, value);
    states[k].tensors.resize(slots.size());
    states[k].tensors[i] = fresh;
    if (!counts_steps()) states[k].step = 1;
  }
  for (size_t k = 0; k < states.size(); k++) {
    const State& s = states[k];
    if (s.step > 0 || !s.tensors.empty())
      TG_CHECK(s.step > 0 && s.tensors.size() == slot_names(params[k].first, params[k].second).size() &&
                   s.numbers.size() == numbers.size() &&
                   std::all_of(s.tensors.begin(), s.tensors.end(), [](const Tensor& t) { return t.defined(); }),
               ValueError, "states of parameter ", k, " are missing");
  }
  states_ = std::move(states);
}

}  // namespace tapegrad::optim
