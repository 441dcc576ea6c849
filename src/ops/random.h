// A piece of a generator's stream, for ops that draw.
#pragma once
#include "src/ops/cpu/random.h"
#include "src/ops/formulas_random.h"
#include "src/ops/stream.h"
#include "src/tensor/parallel.h"
#include "tapegrad/ops.h"

namespace tapegrad {

const RandomTable& random_kernels();
/// `blocks` counters of g (or of the default generator), reserved: no other op gets them.
struct RandomStream {
  uint64_t seed, first;
  RandomStream(const Generator* g, int64_t blocks);
};
inline constexpr int kRandomBlocks = 256;  // Philox blocks made at a time

/// body(words, block, count, out) for all blocks, in parallel: `words` are the 4 * count words of blocks [block, block + count); `out` is
/// for writing the result, of `bytes` bytes.
template <class F> void each_random_block(const RandomStream& s, int64_t blocks, int64_t bytes, F body) {
  const RandomTable& k = random_kernels();
  LongKernel unlocked(blocks * 4);
  parallel_for(blocks, 16 * kRandomBlocks, [&](int64_t begin, int64_t end) {
    alignas(64) uint32_t words[4 * kRandomBlocks];
    Streamed out(is_past_caches(bytes));
    for (int64_t b = begin; b < end; b += kRandomBlocks) {
      const int64_t m = end - b < kRandomBlocks ? end - b : kRandomBlocks;
      k.words(s.seed, s.first + uint64_t(b), m, words);
      body(words, b, m, out);
    }
  });
}
/// Draws depend on their parameters by steps only: the gradient is zero.
template <int N> struct DrawBackward final : NodeOf<N> {
  const char* title;
  template <class... T> explicit DrawBackward(const char* t, const T&... inputs) : NodeOf<N>(inputs...), title(t) {}
  const char* name() const override { return title; }
  void backward(Tensor g, Tensor* dx) override { for (int k = 0; k < N; k++) if (this->needs(k)) dx[k] = zeros_like(g); }
};

}  // namespace tapegrad
