// The tree of modules: registration, walking, state dicts, printing.
#include <algorithm>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "tapegrad/nn.h"

namespace tapegrad::nn {

Module::Module(std::string name, std::string details) : state_(Ref<ModuleState>::steal(new ModuleState)) {
  state_->name = std::move(name);
  state_->details = std::move(details);
}
Module::~Module() = default;

static void check_name(const ModuleState& s, const std::string& name) {
  const auto is_it = [&](const auto& entry) { return entry.first == name; };
  const bool taken = std::any_of(s.parameters.begin(), s.parameters.end(), is_it) || std::any_of(s.children.begin(), s.children.end(), is_it) ||
                     std::any_of(s.buffers.begin(), s.buffers.end(), [&](const auto& b) { return b.name == name; });
  TG_CHECK(!name.empty() && name.find('.') == std::string::npos, ValueError, "a module's name for a part may not be empty or contain \".\", got \"", name, "\"");
  TG_CHECK(!taken, ValueError, s.name, " has a part named \"", name, "\" already");
}

void Module::add_child(std::string name, const Module& child) {
  check_name(*state_, name);
  state_->children.emplace_back(std::move(name), child.state_);
}
Tensor Module::register_parameter(std::string name, const Tensor& t) {
  check_name(*state_, name);
  if (!t.defined()) return t;
  TG_CHECK(t.is_leaf(), GradError, "parameter ", name, " must be a leaf; detach() it first");
  t.set_requires_grad(is_floating(t.dtype()));
  state_->parameters.emplace_back(std::move(name), t);
  return t;
}
Tensor Module::register_buffer(std::string name, const Tensor& t, bool persistent) {
  check_name(*state_, name);
  if (t.defined()) state_->buffers.push_back({std::move(name), t, persistent});
  return t;
}

// Calls f(prefix, state) for each module, parents first; a module that is used twice is visited twice.
template <class F> static void walk(ModuleState& s, const std::string& prefix, F&& f) {
  f(prefix, s);
  for (auto& [name, child] : s.children) walk(*child, prefix + name + ".", f);
}

StateDict Module::named_parameters() const {
  StateDict out;
  std::unordered_set<TensorImpl*> seen;
  walk(*state_, "", [&](const std::string& prefix, ModuleState& s) {
    for (auto& [name, t] : s.parameters)
      if (seen.insert(t.get()).second) out.emplace_back(prefix + name, t);
  });
  return out;
}
std::vector<Tensor> Module::parameters() const {
  std::vector<Tensor> out;
  for (auto& [name, t] : named_parameters()) out.push_back(t);
  return out;
}
StateDict Module::named_buffers() const {
  StateDict out;
  std::unordered_set<TensorImpl*> seen;
  walk(*state_, "", [&](const std::string& prefix, ModuleState& s) {
    for (auto& b : s.buffers)
      if (seen.insert(b.tensor.get()).second) out.emplace_back(prefix + b.name, b.tensor);
  });
  return out;
}
std::vector<std::pair<std::string, Module>> Module::named_modules() const {
  std::vector<std::pair<std::string, Module>> out;
  std::unordered_set<ModuleState*> seen;
  walk(*state_, "", [&](const std::string& prefix, ModuleState& s) {
    if (seen.insert(&s).second) out.emplace_back(prefix.substr(0, prefix.empty() ? 0 : prefix.size() - 1), Module(Ref<ModuleState>::share(&s)));
  });
  return out;
}
std::vector<std::pair<std::string, Module>> Module::named_children() const {
  std::vector<std::pair<std::string, Module>> out;
  for (auto& [name, child] : state_->children) out.emplace_back(name, Module(child));
  return out;
}

StateDict Module::state_dict() const {
  StateDict out;
  walk(*state_, "", [&](const std::string& prefix, ModuleState& s) {
    for (auto& [name, t] : s.parameters) out.emplace_back(prefix + name, detach(t));
    for (auto& b : s.buffers)
      if (b.persistent) out.emplace_back(prefix + b.name, detach(b.tensor));
  });
  return out;
}

void Module::load_state_dict(const StateDict& from, bool strict) const {
  OpScope op("load_state_dict");
  NoGrad no_grad;
  std::unordered_map<std::string_view, const Tensor*> given;
  for (auto& [name, t] : from) given.emplace(name, &t);
  const StateDict mine = state_dict();
  std::string problems;
  const auto complain = [&](const std::string& line) { problems += "\n  " + line; };
  for (auto& [name, t] : mine) {
    const auto it = given.find(name);
    if (it == given.end()) {
      if (strict) complain("missing: " + name);
      continue;
    }
    const Tensor& value = *it->second;
    if (value.sizes() != t.sizes()) complain(name + ": the module has shape " + to_string(t.sizes()) + ", the state " + to_string(value.sizes()));
  }
  if (strict) {
    std::unordered_set<std::string_view> known;
    for (auto& [name, t] : mine) known.insert(name);
    for (auto& [name, t] : from)
      if (!known.count(name)) complain("unexpected: " + name);
  }
  TG_CHECK(problems.empty(), Error, "the state does not fit ", state_->name, problems);
  for (auto& [name, t] : mine)
    if (const auto it = given.find(name); it != given.end()) copy_(t, *it->second);
}

void Module::train(bool on) const {
  walk(*state_, "", [&](const std::string&, ModuleState& s) { s.training = on; });
}
void Module::zero_grad() const {
  for (const Tensor& p : parameters()) p.set_grad({});
}
void Module::requires_grad_(bool on) const {
  for (const Tensor& p : parameters()) p.set_requires_grad(on);
}

// Gives t the memory and dtype of `value`, keeping its identity.
static void become(const Tensor& t, const Tensor& value) {
  TensorImpl& a = *t.get();
  TensorImpl& b = *value.get();
  t.set_grad({});
  std::swap(a.storage, b.storage);
  std::swap(a.data, b.data);
  std::swap(a.dtype, b.dtype);
  std::swap(a.device, b.device);
  std::swap(a.contiguous, b.contiguous);
  for (int d = 0; d < a.ndim; d++) std::swap(a.strides[d], b.strides[d]);
}
void Module::to(Dtype dtype) const {
  TG_CHECK(is_floating(dtype), DtypeError, "to: modules can only become a floating dtype, got ", dtype);
  NoGrad no_grad;
  StateDict all = named_parameters();
  for (auto& b : named_buffers()) all.push_back(b);
  for (auto& [name, t] : all)
    if (is_floating(t.dtype()) && t.dtype() != dtype) become(t, tapegrad::to(t, dtype, true));
}

static void put_module(std::string& out, const ModuleState& s, size_t indent) {
  out += s.name + "(" + s.details;
  for (auto& [name, child] : s.children) {
    out += "\n" + std::string(indent + 2, ' ') + "(" + name + "): ";
    put_module(out, *child, indent + 2);
  }
  if (!s.children.empty()) out += "\n" + std::string(indent, ' ');
  out += ")";
}
std::string to_string(const Module& m) {
  std::string out;
  put_module(out, *m.state_, 0);
  return out;
}

}  // namespace tapegrad::nn
