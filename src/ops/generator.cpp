// Generator: a seed and an atomic counter.
#include <cstring>
#include <random>

#include "src/ops/cpu/table.h"
#include "src/ops/random.h"

namespace tapegrad {

Generator::Generator(uint64_t seed) : state_(Ref<State>::steal(new State(seed))) {}
void Generator::manual_seed(uint64_t seed) const {
  __atomic_store_n(&state_->seed, seed, __ATOMIC_RELAXED);
  __atomic_store_n(&state_->offset, uint64_t(0), __ATOMIC_RELAXED);
}
uint64_t Generator::reseed() const {
  std::random_device device;
  const uint64_t seed = uint64_t(device()) << 32 | device();
  manual_seed(seed);
  return seed;
}
uint64_t Generator::advance(uint64_t counters) const { return __atomic_fetch_add(&state_->offset, counters, __ATOMIC_RELAXED); }
Tensor Generator::get_state() const {
  const uint64_t both[2] = {__atomic_load_n(&state_->seed, __ATOMIC_RELAXED), __atomic_load_n(&state_->offset, __ATOMIC_RELAXED)};
  Tensor t = empty({16}, Dtype::UInt8);
  std::memcpy(t->host(), both, 16);
  return t;
}
void Generator::set_state(const Tensor& state) const {
  OpScope op("set_state");
  TG_CHECK(state.defined() && state.dtype() == Dtype::UInt8 && state.numel() == 16 && state->contiguous, ValueError,
           "state must be the uint8[16] that get_state returned", Named{"state", state});
  uint64_t both[2];
  std::memcpy(both, state->host(), 16);
  __atomic_store_n(&state_->seed, both[0], __ATOMIC_RELAXED);
  __atomic_store_n(&state_->offset, both[1], __ATOMIC_RELAXED);
}
const Generator& default_generator() {
  static const Generator& g = *new Generator;
  return g;
}
[[maybe_unused]] static const Generator& at_load = default_generator();  // a fork while a thread makes it would leave the child waiting
void manual_seed(uint64_t seed) { default_generator().manual_seed(seed); }

RandomStream::RandomStream(const Generator* g, int64_t blocks) {
  const Generator& from = g ? *g : default_generator();
  seed = __atomic_load_n(&from.get()->seed, __ATOMIC_RELAXED);
  first = from.advance(uint64_t(blocks));
}
const RandomTable& random_kernels() { return *random_tables[kernel_set]; }

}  // namespace tapegrad
