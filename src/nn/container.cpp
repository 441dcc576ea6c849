// Containers.
#include "src/nn/layer.h"
#include "tapegrad/nn_container.h"

namespace tapegrad::nn {

void AnyModule::no_call(const Module& m) {
  TG_CHECK(false, NotImplementedError, m.name(),
           " does not give one tensor for one tensor: take it out with as<…>() and call that");
  __builtin_unreachable();
}
void AnyModule::not_a(const std::string& wanted) const {
  TG_CHECK(false, ValueError, "the module is a ", name(), ", not a ", wanted);
  __builtin_unreachable();
}

void Sequential::push_back(std::string name, const AnyModule& m) {
  add_child(std::move(name), m);
  shared_->items.push_back(m);
}
Tensor Sequential::forward(const Tensor& x) const {
  Tensor y = x;
  for (const AnyModule& m : *this) y = m(y);
  return y;
}

// "  (name): Parameter containing: [tapegrad.float32 of size 2x3]", a line for each.
static void describe(std::string& text, const std::string& name, const Tensor& t, const std::string& kind) {
  std::string size;
  for (const int64_t n : t.sizes()) size += (size.empty() ? "" : "x") + std::to_string(n);
  text += (text.empty() ? "  (" : "\n  (") + name + "): " + (t.is_floating_point() ? "Parameter" : "Tensor") +
          " containing: [" + kind + " of size " + size + "]";
}
// What Tensor.type() says in Python: "tapegrad.FloatTensor".
static std::string type_name(Dtype d) {
  switch (d) {
    case Dtype::Float16: return "tapegrad.HalfTensor";
    case Dtype::BFloat16: return "tapegrad.BFloat16Tensor";
    case Dtype::Float32: return "tapegrad.FloatTensor";
    case Dtype::Float64: return "tapegrad.DoubleTensor";
    default: return std::string("tapegrad.") + tapegrad::name(d);
  }
}

ParameterList::ParameterList(std::initializer_list<Tensor> values) : Container("ParameterList") {
  for (const Tensor& t : values) push_back(t);
}
void ParameterList::push_back(const Tensor& t) {
  const std::string name = std::to_string(size());
  TG_CHECK(t.defined(), ValueError, "ParameterList: the parameter is undefined");
  shared_->items.push_back(register_parameter(name, t));
  describe(state_->details, name, t, std::string("tapegrad.") + tapegrad::name(t.dtype()));
}
ParameterDict::ParameterDict(std::initializer_list<std::pair<std::string, Tensor>> values)
    : Container("ParameterDict") {
  for (auto& [key, t] : values) insert(key, t);
}
void ParameterDict::insert(std::string key, const Tensor& t) {
  TG_CHECK(t.defined(), ValueError, "ParameterDict: parameter \"", key, "\" is undefined");
  register_parameter(key, t);
  describe(state_->details, key, t, type_name(t.dtype()));
  shared_->items.emplace_back(std::move(key), t);
}
bool ParameterDict::contains(std::string_view key) const {
  for (auto& [k, t] : *this)
    if (k == key) return true;
  return false;
}
const Tensor& ParameterDict::operator[](std::string_view key) const {
  for (auto& [k, t] : *this)
    if (k == key) return t;
  TG_CHECK(false, IndexError, "ParameterDict has no parameter \"", key, "\"");
  __builtin_unreachable();
}

}  // namespace tapegrad::nn
