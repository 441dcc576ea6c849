// The tree of modules: registration, walking, state dicts, printing.
#include <algorithm>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "src/nn/layer.h"
#include "src/tensor/ledger.h"

namespace tapegrad::nn {

// ---- paths

static thread_local const ModuleState* running = nullptr;

// "encoder.2": what `parent` calls s, itself or through modules that were not called (lists). "" if it does not know s.
static std::string name_in(const ModuleState& parent, const ModuleState* s) {
  std::vector<std::pair<std::string, const ModuleState*>> left{{"", &parent}};
  std::unordered_set<const ModuleState*> seen;
  while (!left.empty()) {
    const auto [prefix, m] = std::move(left.back());
    left.pop_back();
    for (size_t k = m->children.size(); k--;) {
      const auto& [name, child] = m->children[k];
      if (child.get() == s) return prefix + name;
      if (seen.insert(child.get()).second) left.emplace_back(prefix + name + ".", child.get());
    }
  }
  return {};
}
static uint16_t new_path(ModuleState& s) {
  std::string name = running ? name_in(*running, &s) : s.name;
  const uint16_t path = module_path(tls.module, name.empty() ? s.name : name);
  for (auto& [_, p] : s.parameters) set_owner_module(*p->storage, path);
  return path;
}
detail::InModule::InModule(ModuleState& s) : outer_(running), before_(tls.module) {
  uint32_t path = __atomic_load_n(&s.path, __ATOMIC_RELAXED);
  if (!path || path >> 16 != before_) [[unlikely]] {
    path = uint32_t(before_) << 16 | new_path(s);
    __atomic_store_n(&s.path, path, __ATOMIC_RELAXED);
  }
  running = &s, tls.module = uint16_t(path);
}
detail::InModule::~InModule() { running = outer_, tls.module = before_; }

// ---- the tree

Module::Module(std::string name, std::string details) : state_(Ref<ModuleState>::steal(new ModuleState)) {
  state_->name = std::move(name);
  state_->details = std::move(details);
}
Module::Module(Ref<ModuleState> state) : state_(std::move(state)) {}
Module::Module(const Module&) = default;
Module& Module::operator=(const Module&) = default;
Module::~Module() = default;

// The text after the last "::" of the type that stands behind "T = "; template arguments are left out.
std::string detail::class_name(const char* pretty_function) {
  std::string_view s = pretty_function;
  s = s.substr(s.find("T = ") + 4);
  size_t first = 0, last = 0;
  for (int depth = 0; last < s.size() && (depth > 0 || (s[last] != ';' && s[last] != ']')); last++) {
    depth += s[last] == '<' || s[last] == '(';
    depth -= s[last] == '>' || s[last] == ')';
    if (depth == 0 && s.substr(last, 2) == "::") first = last + 2;
  }
  s = s.substr(first, last - first);
  return std::string(s.substr(0, s.find('<')));
}

static void check_name(const ModuleState& s, const std::string& name) {
  const auto is_it = [&](const auto& entry) { return entry.first == name; };
  const bool taken = std::any_of(s.parameters.begin(), s.parameters.end(), is_it) ||
                     std::any_of(s.children.begin(), s.children.end(), is_it) ||
                     std::any_of(s.buffers.begin(), s.buffers.end(), [&](const auto& b) { return b.name == name; });
  TG_CHECK(!name.empty() && name.find('.') == std::string::npos, ValueError,
           "a module's name for a part may not be empty or contain \".\", got \"", name, "\"");
  TG_CHECK(!taken, ValueError, s.name, " has a part named \"", name, "\" already");
}

void Module::add_child(std::string name, const Module& child) {
  check_name(*state_, name);
  TG_CHECK(child.state_.get() != state_.get() && name_in(*child.state_, state_.get()).empty(), ValueError, state_->name,
           " cannot have ", child.name(), " as its part \"", name, "\": it would hold itself");
  state_->children.emplace_back(std::move(name), child.state_);
}
Tensor Module::register_parameter(std::string name, const Tensor& t) {
  check_name(*state_, name);
  if (!t.defined()) return t;
  TG_CHECK(t.is_leaf(), GradError, "parameter ", name, " must be a leaf; detach() it first");
  t.set_requires_grad(is_floating(t.dtype()));
  set_role(*t->storage, MemoryRole::Parameter);
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
    if (seen.insert(&s).second)
      out.emplace_back(prefix.substr(0, prefix.empty() ? 0 : prefix.size() - 1), Module(Ref<ModuleState>::share(&s)));
  });
  return out;
}
std::vector<std::pair<std::string, Module>> Module::named_children() const {
  std::vector<std::pair<std::string, Module>> out;
  std::unordered_set<ModuleState*> seen;
  for (auto& [name, child] : state_->children)
    if (seen.insert(child.get()).second) out.emplace_back(name, Module(child));
  return out;
}

// The second of each pair.
template <class T> static std::vector<T> values_of(const std::vector<std::pair<std::string, T>>& named) {
  std::vector<T> out;
  for (auto& [name, value] : named) out.push_back(value);
  return out;
}
std::vector<Tensor> Module::parameters() const { return values_of(named_parameters()); }
std::vector<Tensor> Module::buffers() const { return values_of(named_buffers()); }
std::vector<Module> Module::modules() const { return values_of(named_modules()); }
std::vector<Module> Module::children() const { return values_of(named_children()); }

Module Module::get_submodule(std::string_view path) const {
  Module m = *this;
  while (!path.empty()) {
    const std::string_view part = path.substr(0, path.find('.'));
    auto& children = m.state_->children;
    const auto it = std::find_if(children.begin(), children.end(), [&](const auto& c) { return c.first == part; });
    TG_CHECK(it != children.end(), ValueError, m.name(), " has no module \"", part, "\"");
    m = Module(it->second);
    path.remove_prefix(std::min(path.size(), part.size() + 1));
  }
  return m;
}
// The module that a dotted path ends in, and the last part of the path.
static std::pair<Module, std::string_view> owner_of(const Module& m, std::string_view path) {
  const size_t dot = path.rfind('.');
  if (dot == std::string_view::npos) return {m, path};
  return {m.get_submodule(path.substr(0, dot)), path.substr(dot + 1)};
}
Tensor Module::get_parameter(std::string_view path) const {
  const auto [owner, last] = owner_of(*this, path);
  for (auto& [name, t] : owner.state_->parameters)
    if (name == last) return t;
  TG_CHECK(false, ValueError, owner.name(), " has no parameter \"", last, "\"");
  __builtin_unreachable();
}
Tensor Module::get_buffer(std::string_view path) const {
  const auto [owner, last] = owner_of(*this, path);
  for (auto& b : owner.state_->buffers)
    if (b.name == last) return b.tensor;
  TG_CHECK(false, ValueError, owner.name(), " has no buffer \"", last, "\"");
  __builtin_unreachable();
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
  for (auto& [name, t] : from) {
    TG_CHECK(t.defined(), ValueError, "the state's \"", name, "\" is undefined");
    given.emplace(name, &t);
  }
  walk(*state_, "", [&](const std::string& prefix, ModuleState& s) {
    const Ref<detail::Unsized> lazy = s.hooks ? s.hooks->lazy : Ref<detail::Unsized>();
    if (!lazy || (s.parameters.empty() && s.buffers.empty())) return;
    const auto it = given.find(prefix + (s.parameters.empty() ? s.buffers[0].name : s.parameters[0].first));
    if (it != given.end() && it->second->numel() != 0) lazy->size_from(*it->second, false);
  });
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
    if (value.sizes() != t.sizes())
      complain(name + ": the module has shape " + to_string(t.sizes()) + ", the state " + to_string(value.sizes()));
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
  OpScope op("zero_grad");
  for (const Tensor& p : parameters()) p.set_grad({});
}
void Module::requires_grad_(bool on) const {
  for (const Tensor& p : parameters()) p.set_requires_grad(on);
}

// Both have up to six dimensions, or the same number.
void detail::become(const Tensor& t, const Tensor& value) {
  TensorImpl& a = *t.get();
  TensorImpl& b = *value.get();
  t.set_grad({});
  std::swap(a.storage, b.storage);
  std::swap(a.data, b.data);
  std::swap(a.dtype, b.dtype);
  std::swap(a.device, b.device);
  std::swap(a.contiguous, b.contiguous);
  for (int d = 0; d < std::max(a.ndim, b.ndim); d++)
    std::swap(a.sizes[d], b.sizes[d]), std::swap(a.strides[d], b.strides[d]);
  std::swap(a.ndim, b.ndim);
  std::swap(a.numel, b.numel);
}
void Module::to(Dtype dtype) const {
  TG_CHECK(is_floating(dtype), DtypeError, "to: modules can only become a floating dtype, got ", dtype);
  NoGrad no_grad;
  StateDict all = named_parameters();
  for (auto& b : named_buffers()) all.push_back(b);
  for (auto& [name, t] : all)
    if (is_floating(t.dtype()) && t.dtype() != dtype) detail::become(t, tapegrad::to(t, dtype, true));
}

static std::string indented(std::string text) {
  for (size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 3) text.replace(at, 1, "\n  ");
  return text;
}
// As Python's repr: name(details), or a line for each child.
static std::string text_of(const ModuleState& s) {
  if (s.children.empty() && s.details.find('\n') == std::string::npos) return s.name + "(" + s.details + ")";
  std::string out = s.name + "(";
  if (!s.details.empty()) out += "\n  " + indented(s.details);
  for (size_t first = 0, last; first < s.children.size(); first = last) {
    const std::string text = text_of(*s.children[first].second), name = s.children[first].first;
    last = first + 1;
    while (s.merges_equal && last < s.children.size() && text_of(*s.children[last].second) == text) last++;
    if (last - first == 1) out += "\n  (" + name + "): " + indented(text);
    else
      out += "\n  (" + name + "-" + s.children[last - 1].first + "): " + std::to_string(last - first) + " x " +
             indented(text);
  }
  return out + "\n)";
}
std::string to_string(const Module& m) { return text_of(*m.state_); }

}  // namespace tapegrad::nn
