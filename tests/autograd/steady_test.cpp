// A training step that has run before allocates nothing: small blocks, buffers, nodes and the engine's heap are all reused.
// Counted by a malloc of our own, so not under sanitizers (which have one too).
#include <gtest/gtest.h>

#include <cstdlib>

#include "tapegrad/tapegrad.h"

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(TG_NO_POOL) && defined(__GLIBC__)
extern "C" void* __libc_malloc(size_t);
extern "C" void* __libc_memalign(size_t, size_t);
static int64_t mallocs = 0;
extern "C" void* malloc(size_t n) { mallocs++; return __libc_malloc(n); }
extern "C" void* aligned_alloc(size_t a, size_t n) { mallocs++; return __libc_memalign(a, n); }

using namespace tapegrad;

TEST(Steady, ATrainingStepCallsMallocZeroTimes) {
  Tensor x = ones({8, 16}, float32), w = full({16, 4}, 0.1).set_requires_grad(), b = zeros({4}).set_requires_grad();
  auto step = [&] {
    Tensor loss = sum(relu(add(matmul(x, w), b)));
    loss.backward();
    NoGrad guard;
    sub_(w, w.grad(), 0.001), sub_(b, b.grad(), 0.001);
    w.set_grad({}), b.set_grad({});
  };
  for (int k = 0; k < 100; k++) step();
  const int64_t before = mallocs;
  for (int k = 0; k < 1000; k++) step();
  EXPECT_EQ(mallocs - before, 0);
}

TEST(Steady, SoDoesOneWithARecurrentLayer) {
  Tensor x = ones({5, 2, 16}, float32), h = zeros({1, 2, 8}, float32);
  std::vector<Tensor> w = {full({32, 16}, 0.1).set_requires_grad(), full({32, 8}, 0.1).set_requires_grad()};
  auto step = [&] {
    sum(std::get<0>(lstm(x, {h, h}, w, false, 1, 0, false, false, false))).backward();
    for (Tensor& p : w) p.set_grad({});
  };
  for (int k = 0; k < 100; k++) step();
  const int64_t before = mallocs;
  for (int k = 0; k < 1000; k++) step();
  EXPECT_EQ(mallocs - before, 0);
}
#endif
