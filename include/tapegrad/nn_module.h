// Module: a tree of named parameters and buffers, with hooks round its calls. nn.h has the layers.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "tapegrad/ops.h"

namespace tapegrad {

/// Named tensors in a fixed order: what modules save and load.
using StateDict = std::vector<std::pair<std::string, Tensor>>;

namespace nn {

class Module;

namespace detail {
/// A hook of any kind; `a` and `b` are what its kind sees, and what it may change.
struct TG_API ModuleHook : Counted {
  uint64_t id = 0;
  virtual void operator()(const Module& m, std::vector<Tensor>& a, std::vector<Tensor>& b) = 0;
  virtual ~ModuleHook();
  static void destroy(ModuleHook* h) { delete h; }
};
template <class F> Ref<ModuleHook> make_hook(F f) {
  struct Lambda final : ModuleHook {
    F f;
    explicit Lambda(F x) : f(std::move(x)) {}
    void operator()(const Module& m, std::vector<Tensor>& a, std::vector<Tensor>& b) override { f(m, a, b); }
  };
  return Ref<ModuleHook>::steal(new Lambda(std::move(f)));
}
/// One that takes the first list only.
template <class F> Ref<ModuleHook> make_pre_hook(F f) {
  return make_hook([f = std::move(f)](const Module& m, std::vector<Tensor>& a, std::vector<Tensor>&) mutable { f(m, a); });
}
using ModuleHooks = std::vector<Ref<ModuleHook>>;
/// What a lazy layer waits for (nn_lazy.h): a tensor that shows its size, its first input or its first entry in a state.
struct TG_API Unsized : Counted {
  virtual void size_from(const Tensor& t, bool is_input) = 0;
  virtual ~Unsized();
  static void destroy(Unsized* u) { delete u; }
};
/// The hooks of one module, in calling order.
struct TG_API Hooks : Counted {
  ModuleHooks forward_pre, forward, backward_pre, backward;
  Ref<Unsized> lazy;
  bool empty() const { return forward_pre.empty() && forward.empty() && backward_pre.empty() && backward.empty() && !lazy; }
  static void destroy(Hooks* h) { delete h; }
};
struct BackwardHooks;
class ParametrizationList;
TG_API extern Hooks* global_hooks;  // those of all modules; null without any
}  // namespace detail

/// What the copies of one module share.
struct TG_API ModuleState : Counted {
  std::string name, details;  // "Linear", "in_features=2, out_features=3, bias=True"
  bool training = true;
  bool calls_hooks = false;   // its class derives from ModuleOf
  bool mean_of_all = false;   // a batch norm: the running statistics are means over all batches, whatever its momentum (update_bn)
  bool merges_equal = false;  // prints equal neighbours among its children as one (ModuleList)
  Ref<detail::Hooks> hooks;   // none until the first is registered
  std::vector<std::pair<std::string, Tensor>> parameters;
  struct Buffer {
    std::string name;
    Tensor tensor;
    bool persistent;
  };
  std::vector<Buffer> buffers;
  std::vector<std::pair<std::string, Ref<ModuleState>>> children;
  uint32_t path = 0;  // its path when it was called last, and in the upper half that of the module that called it
  static void destroy(ModuleState* s) { delete s; }
};

/// Takes a hook away again.
class TG_API HookHandle {
  Ref<detail::Hooks> hooks_;
  uint64_t id_ = 0;
 public:
  HookHandle() = default;
  HookHandle(Ref<detail::Hooks> hooks, uint64_t id) : hooks_(std::move(hooks)), id_(id) {}
  void remove();
};

/// Example: struct Net : nn::Module {
///     nn::Linear one = register_module("one", nn::Linear(4, 8));
///     Tensor operator()(const Tensor& x) const { return one(x).relu(); }
///   };
///   const Net net; assert(net.parameters().size() == 2 && net.state_dict()[0].first == "one.weight");
///   assert(net(randn({3, 4})).size(1) == 8);
class TG_API Module {
 public:
  /// `name` and `details` are for printing: name(details).
  explicit Module(std::string name = "Module", std::string details = "");
  ~Module();
  Module(const Module&);
  Module& operator=(const Module&);

  // Building; each returns what it was given. An undefined tensor stands for "none" and is not registered.
  template <class M> M register_module(std::string name, M child) {
    add_child(std::move(name), child);
    return child;
  }
  Tensor register_parameter(std::string name, const Tensor& t);
  Tensor register_buffer(std::string name, const Tensor& t, bool persistent = true);

  // Looking. Names are dotted paths: "conv1.weight"; tensors and modules used twice come once.
  std::vector<Tensor> parameters() const;
  std::vector<Tensor> buffers() const;
  std::vector<Module> modules() const;
  std::vector<Module> children() const;
  StateDict named_parameters() const;
  StateDict named_buffers() const;
  /// This module and all below it, parents first; its own name is "".
  std::vector<std::pair<std::string, Module>> named_modules() const;
  std::vector<std::pair<std::string, Module>> named_children() const;
  /// What is at a dotted path; "" is the module itself. ValueError when there is nothing.
  Module get_submodule(std::string_view path) const;
  Tensor get_parameter(std::string_view path) const;
  Tensor get_buffer(std::string_view path) const;
  const std::string& name() const { return state_->name; }
  bool is_training() const { return state_->training; }

  /// Parameters and persistent buffers: the tensors themselves, detached.
  StateDict state_dict() const;
  /// Copies values in. Throws Error that lists missing, unexpected (both only when strict) and misshapen entries.
  void load_state_dict(const StateDict& from, bool strict = true) const;

  // Changing, for this module and all below it
  void train(bool on = true) const;
  void eval() const { train(false); }
  void zero_grad() const;
  void requires_grad_(bool on = true) const;
  /// Floating parameters and buffers become `dtype`, in place: every handle to them sees it. Gradients are dropped.
  void to(Dtype dtype) const;
  /// f(Module&) for each module, children first.
  template <class F> void apply(F&& f) const {
    for (auto& [child_name, child] : named_children()) child.apply(f);
    Module self = *this;
    f(self);
  }

  // Hooks run when the module is called, in the order in which they came (prepend: before the others). They are functions
  // of a const Module& and lists of tensors: those among the arguments and results, in order. To change a value, write into
  // the list. NotImplementedError for modules that define operator() themselves: only ModuleOf can run hooks.
  /// f(m, std::vector<Tensor>& inputs), before forward.
  template <class F> HookHandle register_forward_pre_hook(F f, bool prepend = false) const {
    return add_hook(&detail::Hooks::forward_pre, detail::make_pre_hook(std::move(f)), prepend);
  }
  /// f(m, const std::vector<Tensor>& inputs, std::vector<Tensor>& outputs), after forward.
  template <class F> HookHandle register_forward_hook(F f, bool prepend = false) const {
    return add_hook(&detail::Hooks::forward, detail::make_hook(std::move(f)), prepend);
  }
  /// f(m, std::vector<Tensor>& grad_outputs), when the gradients of the outputs are known.
  template <class F> HookHandle register_full_backward_pre_hook(F f, bool prepend = false) const {
    return add_hook(&detail::Hooks::backward_pre, detail::make_pre_hook(std::move(f)), prepend);
  }
  /// f(m, std::vector<Tensor>& grad_inputs, const std::vector<Tensor>& grad_outputs), when the gradients of the inputs are
  /// known; undefined where an input needs none.
  template <class F> HookHandle register_full_backward_hook(F f, bool prepend = false) const {
    return add_hook(&detail::Hooks::backward, detail::make_hook(std::move(f)), prepend);
  }

  friend TG_API std::string to_string(const Module& m);
  friend class HookedCall;
  friend class MeanStatistics;
  friend class detail::ParametrizationList;

 protected:
  Ref<ModuleState> state_;
  void add_child(std::string name, const Module& child);

 private:
  explicit Module(Ref<ModuleState> state);
  HookHandle add_hook(detail::ModuleHooks detail::Hooks::* kind, Ref<detail::ModuleHook> hook, bool prepend) const;
};
TG_API std::string to_string(const Module& m);

// Hooks of all modules that derive from ModuleOf; they run before a module's own.
namespace detail {
TG_API HookHandle add_global_hook(ModuleHooks Hooks::* kind, Ref<ModuleHook> hook);
}
template <class F> HookHandle register_module_forward_pre_hook(F f) {
  return detail::add_global_hook(&detail::Hooks::forward_pre, detail::make_pre_hook(std::move(f)));
}
template <class F> HookHandle register_module_forward_hook(F f) {
  return detail::add_global_hook(&detail::Hooks::forward, detail::make_hook(std::move(f)));
}
template <class F> HookHandle register_module_full_backward_pre_hook(F f) {
  return detail::add_global_hook(&detail::Hooks::backward_pre, detail::make_pre_hook(std::move(f)));
}
template <class F> HookHandle register_module_full_backward_hook(F f) {
  return detail::add_global_hook(&detail::Hooks::backward, detail::make_hook(std::move(f)));
}

/// One call of a module with hooks.
class TG_API HookedCall {
  const Module& module_;
  Ref<detail::Hooks> hooks_;  // the module's own, if it has any
  Ref<detail::BackwardHooks> backward_;  // what waits for gradients
 public:
  explicit HookedCall(const Module& m);
  ~HookedCall();
  void before(std::vector<Tensor>& inputs);
  void after(std::vector<Tensor>& inputs, std::vector<Tensor>& outputs);
  Tensor run(const Tensor& x, Tensor (*forward)(const Module&, const Tensor&));
 private:
  detail::ModuleHooks hooks(detail::ModuleHooks detail::Hooks::* kind) const;
};

namespace detail {
/// Calls f with each Tensor in x: x itself, or the parts of a tuple, a vector, an optional or a struct with for_each_tensor.
template <class T, class F> void for_each_tensor(T& x, F&& f) {
  if constexpr (std::is_same_v<T, Tensor>) f(x);
  else if constexpr (requires { x.for_each_tensor(f); }) x.for_each_tensor(f);
  else if constexpr (requires { std::tuple_size<T>::value; }) std::apply([&](auto&... part) { (for_each_tensor(part, f), ...); }, x);
  else if constexpr (std::is_same_v<T, std::vector<Tensor>>) for (Tensor& t : x) f(t);
  else if constexpr (std::is_same_v<T, std::optional<Tensor>>) { if (x) f(*x); }
}
/// Sets ThreadState::module, for errors and the memory ledger, while a module's forward runs.
class TG_API InModule {
  const ModuleState* outer_;
  uint16_t before_;
 public:
  explicit InModule(ModuleState& s);
  ~InModule();
  InModule(const InModule&) = delete;
};
/// "Linear" of a function's __PRETTY_FUNCTION__ with T = tapegrad::nn::Linear.
TG_API std::string class_name(const char* pretty_function);
template <class T> std::string class_name() { return class_name(__PRETTY_FUNCTION__); }
}  // namespace detail

/// Base of modules that are called: derive `struct Net : nn::ModuleOf<Net>` and define `forward`, with any arguments and any
/// result. net(x) runs the hooks, if there are any, and forward; net prints under the name of its class.
template <class Self> class ModuleOf : public Module {
 public:
  template <class... A, class S = Self> requires requires(const S& s, const A&... a) { s.forward(a...); }
  auto operator()(const A&... args) const {
    const Self& self = static_cast<const Self&>(*this);
    const detail::InModule in(*state_);
    if (!state_->hooks && !detail::global_hooks) [[likely]] return self.forward(args...);
    using Result = decltype(self.forward(args...));
    if constexpr (std::is_same_v<Result, Tensor> && std::is_same_v<std::tuple<A...>, std::tuple<Tensor>>)  // most are
      return HookedCall(self).run(args..., [](const Module& m, const Tensor& x) { return static_cast<const Self&>(m).forward(x); });
    else return with_hooks(self, std::tuple<Kept<A>...>(args...));
  }

 protected:
  explicit ModuleOf(std::string details = "") : ModuleOf(detail::class_name<Self>(), std::move(details)) {}
  ModuleOf(std::string name, std::string details) : Module(std::move(name), std::move(details)) { state_->calls_hooks = true; }

 private:
  /// An argument as hooks may change it: a copy, if there can be one.
  template <class A> using Kept = std::conditional_t<std::is_copy_constructible_v<std::decay_t<const A>>, std::decay_t<const A>, const A&>;
  template <class Args> static auto with_hooks(const Self& self, Args args) {
    HookedCall call(self);
    std::vector<Tensor> inputs, outputs;
    detail::for_each_tensor(args, [&](Tensor& t) { inputs.push_back(t); });
    call.before(inputs);
    size_t k = 0;
    detail::for_each_tensor(args, [&](Tensor& t) { t = inputs[k++]; });
    const auto forward = [&] { return std::apply([&](const auto&... a) { return self.forward(a...); }, args); };
    if constexpr (std::is_void_v<decltype(forward())>) {
      forward();
      call.after(inputs, outputs);
    } else {
      auto result = forward();
      detail::for_each_tensor(result, [&](Tensor& t) { outputs.push_back(t); });
      call.after(inputs, outputs);
      k = 0;
      detail::for_each_tensor(result, [&](Tensor& t) { t = outputs[k++]; });
      return result;
    }
  }
};

/// Sizes for one to three dimensions: `3` or `{3, 5}`.
struct Dims : Shape {
  Dims(int64_t n) : Shape({n}) {}
  Dims(std::initializer_list<int64_t> l) : Shape(l) {}
  Dims(IntList l) : Shape(l) {}
};

}  // namespace nn
}  // namespace tapegrad
