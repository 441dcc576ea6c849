// Weak stand-ins for what the Python bindings call and another family is about to define; goes when all have landed.
#include "tapegrad/ops.h"

namespace tapegrad {
[[gnu::weak]] Tensor index(const Tensor&, std::span<const Index>) { throw NotImplementedError("index"); }
[[gnu::weak]] void index_set(const Tensor&, std::span<const Index>, const Tensor&) { throw NotImplementedError("index_set"); }
[[gnu::weak]] Tensor flip(const Tensor&, IntList) { throw NotImplementedError("flip"); }
[[gnu::weak]] Tensor matmul(const Tensor&, const Tensor&) { throw NotImplementedError("matmul"); }
[[gnu::weak]] Generator::Generator(uint64_t s) : state_(Ref<State>::steal(new State(s))) {}
[[gnu::weak]] void Generator::manual_seed(uint64_t) const {}
[[gnu::weak]] uint64_t Generator::reseed() const { return 0; }
[[gnu::weak]] Tensor Generator::get_state() const { throw NotImplementedError("get_state"); }
[[gnu::weak]] void Generator::set_state(const Tensor&) const {}
[[gnu::weak]] const Generator& default_generator() {
  static const Generator g;
  return g;
}
}  // namespace tapegrad
