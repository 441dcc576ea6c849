// Modules made of modules, lists and dicts of parameters.
#pragma once
#include "tapegrad/nn_module.h"

namespace tapegrad::nn {

namespace detail {
template <class M> inline char type_tag = 0;  // its address stands for M
}

/// Any module: a handle that remembers how to call it, with a Tensor for a Tensor.
class TG_API AnyModule : public Module {
  struct Call : Counted {
    const void* type;
    explicit Call(const void* t) : type(t) {}
    virtual Tensor run(const Tensor& x) const = 0;
    virtual ~Call() = default;
    static void destroy(Call* c) { delete c; }
  };
  template <class M> struct CallOf final : Call {
    M module;
    explicit CallOf(const M& m) : Call(&detail::type_tag<M>), module(m) {}
    Tensor run(const Tensor& x) const override {
      if constexpr (std::is_invocable_r_v<Tensor, const M&, const Tensor&>) return module(x);
      else no_call(module);
    }
  };
  Ref<Call> call_;
  [[noreturn]] static void no_call(const Module& m);
  [[noreturn]] void not_a(const std::string& wanted) const;
 public:
  template <class M> requires std::is_base_of_v<Module, M> && (!std::is_same_v<M, AnyModule>)
  AnyModule(const M& m) : Module(m), call_(Ref<Call>::steal(new CallOf<M>(m))) {}
  Tensor operator()(const Tensor& x) const { return call_->run(x); }
  /// The module itself: model[0].as<nn::Linear>().weight. ValueError when its class is another one.
  template <class M> const M& as() const {
    if (call_->type != &detail::type_tag<M>) not_a(detail::class_name<M>());
    return static_cast<const CallOf<M>&>(*call_).module;
  }
};

namespace detail {
/// A vector that the copies of a container share.
template <class T> struct Shared : Counted {
  std::vector<T> items;
  static void destroy(Shared* s) { delete s; }
};
/// Numbered or named children of one type, in order.
template <class Self, class T> class Container : public ModuleOf<Self> {
 protected:
  Ref<Shared<T>> shared_ = Ref<Shared<T>>::steal(new Shared<T>);
  explicit Container(std::string name) : ModuleOf<Self>(std::move(name), "") {}
  const T& at(size_t i) const {
    TG_CHECK(i < size(), IndexError, this->name(), ": index ", i, " of ", size());
    return shared_->items[i];
  }
 public:
  size_t size() const { return shared_->items.size(); }
  bool empty() const { return shared_->items.empty(); }
  auto begin() const { return shared_->items.cbegin(); }
  auto end() const { return shared_->items.cend(); }
};
}  // namespace detail

/// One module after the other; children are named "0", "1", …, unless names are given. Write Sequential{a(), b()} with braces:
/// then a is made before b, as in Python, and gets the same initial values; between parentheses the compiler may choose.
class TG_API Sequential : public detail::Container<Sequential, AnyModule> {
 public:
  template <class... M> explicit Sequential(const M&... modules) : Container("Sequential") { (push_back(modules), ...); }
  void push_back(const AnyModule& m) { push_back(std::to_string(size()), m); }
  void push_back(std::string name, const AnyModule& m);
  const AnyModule& operator[](size_t i) const { return at(i); }  ///< IndexError beyond the last
  Tensor forward(const Tensor& x) const;
};

/// A list of modules, of one class or of any: nn::ModuleList<nn::Linear>, nn::ModuleList<>. It has no forward of its own.
template <class M = AnyModule> class ModuleList : public detail::Container<ModuleList<M>, M> {
 public:
  template <class... Ms> explicit ModuleList(const Ms&... modules) : detail::Container<ModuleList<M>, M>("ModuleList") {
    this->state_->merges_equal = true;
    (push_back(modules), ...);
  }
  void push_back(const M& m) {
    this->add_child(std::to_string(this->size()), m);
    this->shared_->items.push_back(m);
  }
  const M& operator[](size_t i) const { return this->at(i); }
};

/// A dict of modules, in the order in which they came. It has no forward of its own.
template <class M = AnyModule> class ModuleDict : public detail::Container<ModuleDict<M>, std::pair<std::string, M>> {
 public:
  ModuleDict(std::initializer_list<std::pair<std::string, M>> modules = {})
      : detail::Container<ModuleDict<M>, std::pair<std::string, M>>("ModuleDict") {
    for (auto& [key, m] : modules) insert(key, m);
  }
  void insert(std::string key, const M& m) {
    this->add_child(key, m);
    this->shared_->items.emplace_back(std::move(key), m);
  }
  bool contains(std::string_view key) const {
    for (auto& [k, m] : *this) if (k == key) return true;
    return false;
  }
  /// IndexError when there is none.
  const M& operator[](std::string_view key) const {
    for (auto& [k, m] : *this) if (k == key) return m;
    TG_CHECK(false, IndexError, "ModuleDict has no module \"", key, "\"");
  }
};

class TG_API ParameterList : public detail::Container<ParameterList, Tensor> {
 public:
  ParameterList(std::initializer_list<Tensor> values = {});
  void push_back(const Tensor& t);
  const Tensor& operator[](size_t i) const { return at(i); }
};
class TG_API ParameterDict : public detail::Container<ParameterDict, std::pair<std::string, Tensor>> {
 public:
  ParameterDict(std::initializer_list<std::pair<std::string, Tensor>> values = {});
  void insert(std::string key, const Tensor& t);
  bool contains(std::string_view key) const;
  /// IndexError when there is none.
  const Tensor& operator[](std::string_view key) const;
};

}  // namespace tapegrad::nn
