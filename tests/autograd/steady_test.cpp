// A training step that has run before allocates nothing: small blocks, buffers, nodes and the engine's heap are all reused.
// Counted by a malloc of our own, so not under sanitizers (which have one too).
#include <gtest/gtest.h>

#include <cstdlib>

#include "tapegrad/optim.h"
#include "tapegrad/tapegrad.h"

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(TG_NO_POOL) && defined(__GLIBC__)
extern "C" void* __libc_malloc(size_t);
extern "C" void* __libc_memalign(size_t, size_t);
static int64_t mallocs = 0;
extern "C" void* malloc(size_t n) { mallocs++; return __libc_malloc(n); }
extern "C" void* aligned_alloc(size_t a, size_t n) { mallocs++; return __libc_memalign(a, n); }

using namespace tapegrad;

template <class F> static void expect_no_malloc(F step) {
  int64_t before = 0;
  for (int k = 0; k < 1100; k++) {  // one call: each line of a program that makes tensors is noted once (memory_summary)
    if (k == 100) before = mallocs;
    step();
  }
  EXPECT_EQ(mallocs - before, 0);
}

TEST(Steady, ATrainingStepCallsMallocZeroTimes) {
  Tensor x = ones({8, 16}, float32), w = full({16, 4}, 0.1).set_requires_grad(), b = zeros({4}).set_requires_grad();
  auto step = [&] {
    Tensor loss = sum(relu(add(matmul(x, w), b)));
    loss.backward();
    NoGrad guard;
    sub_(w, w.grad(), 0.001), sub_(b, b.grad(), 0.001);
    w.set_grad({}), b.set_grad({});
  };
  expect_no_malloc(step);
}

TEST(Steady, SoDoesOneWithARecurrentLayer) {
  Tensor x = ones({5, 2, 16}, float32), h = zeros({1, 2, 8}, float32);
  std::vector<Tensor> w = {full({32, 16}, 0.1).set_requires_grad(), full({32, 8}, 0.1).set_requires_grad()};
  auto step = [&] {
    sum(std::get<0>(lstm(x, {h, h}, w, false, 1, 0, false, false, false))).backward();
    for (Tensor& p : w) p.set_grad({});
  };
  expect_no_malloc(step);
}

TEST(Steady, SoDoesOneWithCellsStepByStep) {
  Tensor x = ones({5, 2, 8}, float32), start = zeros({2, 8}, float32);
  Tensor w = full({32, 8}, 0.1).set_requires_grad(), u = full({32, 8}, 0.1).set_requires_grad(), b = zeros({32}).set_requires_grad();
  optim::SGD sgd({w, u, b}, {.lr = 1e-3, .momentum = 0.9});
  expect_no_malloc([&] {
    Tensor h = start, c = start;
    for (int64_t t = 0; t < 5; t++) std::tie(h, c) = lstm_cell(select(x, 0, t), {h, c}, w, u, b, b);
    sgd.zero_grad();
    sum(h).backward();
    sgd.step();
  });
}

TEST(Steady, SoDoesOneOfATransformer) {
  const int64_t batch = 2, length = 16, heads = 2, width = 16;
  auto leaf = [](Shape size) { return full(size, 0.1).set_requires_grad(); };
  Tensor words = leaf({10, width}), scale = leaf({width}), shift = leaf({width}), qkv = leaf({3 * width, width}), out = leaf({width, width}),
         up = leaf({4 * width, width}), up_bias = leaf({4 * width}), down = leaf({width, 4 * width}), mask = tril(ones({length, length}, bool_));
  const Tensor text = zeros({batch, length}, int64), next = ones({batch * length}, int64);
  optim::AdamW adam({words, scale, shift, qkv, out, up, up_bias, down});
  const auto step_with = [&](bool fused) {
    Tensor x = embedding(words, text);
    const Tensor all = view(linear(layer_norm(x, {width}, scale, shift), qkv), {batch, length, 3, heads, width / heads});
    const auto part = [&](int64_t k) { return transpose(select(all, 2, k), 1, 2); };
    Tensor a;
    if (fused) {
      a = scaled_dot_product_attention(part(0), part(1), part(2), {}, 0, true);
    } else {
      const Tensor scores = mul(matmul(part(0), transpose(part(1), -2, -1)), Tensor(0.35));
      a = matmul(softmax(masked_fill(scores, logical_not(mask), Tensor(-1e9)), -1), part(2));
    }
    x = add(x, linear(view(contiguous(transpose(a, 1, 2)), {batch, length, width}), out));
    x = add(x, linear(gelu(linear(layer_norm(x, {width}, scale, shift), up, up_bias)), down));
    adam.zero_grad();
    cross_entropy(view(linear(x, words), {batch * length, 10}), next).backward();
    adam.step();
  };
  expect_no_malloc([&] { step_with(true); });
  expect_no_malloc([&] { step_with(false); });
}
#endif
