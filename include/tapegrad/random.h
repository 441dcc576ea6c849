// Random numbers: Philox4x32-10, counter = element index, so the same seed gives the same numbers for any thread count and
// on any device (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
#pragma once
#include "tapegrad/tensor.h"

namespace tapegrad {

/// A stream of random numbers: seed and offset. Copies share the stream. Thread-safe.
/// Example: const Generator g(7), h(7); assert(equal(randn({3}, {}, {}, false, &g), randn({3}, {}, {}, false, &h)));
class TG_API Generator {
 public:
  struct State : Counted {
    uint64_t seed, offset = 0;
    explicit State(uint64_t s) : seed(s) {}
    static void destroy(State* s) { delete s; }
  };
  explicit Generator(uint64_t seed = 67280421310721);  ///< PyTorch's default seed
  uint64_t seed() const { return state_->seed; }       ///< the seed it was started with
  void manual_seed(uint64_t seed) const;
  uint64_t reseed() const;                             ///< from the system's entropy; returns the new seed
  /// Reserves `counters` Philox blocks (4 words each) and returns the first.
  uint64_t advance(uint64_t counters) const;
  Tensor get_state() const;                            ///< uint8[16]: seed, offset, little endian
  void set_state(const Tensor& state) const;
  State* get() const { return state_.get(); }
 private:
  Ref<State> state_;
};
/// The one used when an op gets none.
TG_API const Generator& default_generator();
TG_API void manual_seed(uint64_t seed);

}  // namespace tapegrad
