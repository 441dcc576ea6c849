// The ledger from C++, the search for the first NaN, and training steps in which each allocation fails in turn.
#include "src/tensor/ledger.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "tapegrad/nn.h"
#include "tapegrad/optim.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

// operator new that fails at its n-th call in this thread.
static thread_local int64_t news = 0, news_until_failure = -1;
void* operator new(size_t n) {
  news++;
  if (news_until_failure > 0 && --news_until_failure == 0) throw std::bad_alloc();
  if (void* p = std::malloc(n ? n : 1)) return p;
  throw std::bad_alloc();
}
void* operator new(size_t n, const std::nothrow_t&) noexcept {
  news++;
  return news_until_failure > 0 && --news_until_failure == 0 ? nullptr : std::malloc(n ? n : 1);
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, size_t) noexcept { std::free(p); }

namespace {

int64_t ledger_bytes() {
  int64_t sum = 0;
  for (const Owner& o : read_ledger().blocks) sum += int64_t(o.bytes);
  return sum;
}

struct Mlp : nn::ModuleOf<Mlp> {
  nn::Linear one = register_module("one", nn::Linear(24, 40)), two = register_module("two", nn::Linear(40, 3));
  Tensor forward(const Tensor& x) const { return two(one(x).tanh()); }
};
struct Conv : nn::ModuleOf<Conv> {
  nn::Conv2d conv = register_module("conv", nn::Conv2d(2, 4, 3));
  nn::Linear out = register_module("out", nn::Linear(4 * 36, 3));
  Tensor forward(const Tensor& x) const { return out(conv(x).relu().flatten(1)); }
};

struct Counts {
  int64_t tensors, nodes, in_use, small = 0;
  Counts() {
    const MemoryStats s = memory_stats();
    tensors = s.tensors, nodes = s.nodes, in_use = s.in_use;
    for (int64_t n : read_ledger().small) small += n;
  }
  bool operator==(const Counts&) const = default;
};

template <class Net, class Method = optim::Adam> void every_allocation_fails(const Tensor& x, bool operator_new) {
  const Tensor y = randint(0, 3, {x.size(0)});
  Net net;
  std::vector<Tensor> start;
  for (const Tensor& p : net.parameters()) start.push_back(clone(detach(p)));
  const auto begin = [&] {
    NoGrad off;
    size_t k = 0;
    for (const Tensor& p : net.parameters()) copy_(p, start[k++]), p.set_grad({});
  };
  const auto step = [&](Method& method) {
    method.zero_grad();
    cross_entropy(net(x), y).backward();
    method.step();
    method.zero_grad();
  };
  const auto weights = [&] {
    std::vector<Tensor> w;
    for (const Tensor& p : net.parameters()) w.push_back(clone(detach(p)));
    return w;
  };
  begin();
  std::vector<Tensor> expected;
  int64_t allocations;
  {
    Method warm(net.parameters(), {.lr = 0.01});
    step(warm);
    begin();
    Method method(net.parameters(), {.lr = 0.01});
    const int64_t before = news;
    fail_allocation_at(int64_t(1) << 40);
    step(method);
    allocations = fail_allocation_at(0);
    if (operator_new) allocations = news - before;
    expected = weights();
  }
  EXPECT_GT(allocations, 3);
  int64_t failures = 0;
  for (int64_t n = 1; n <= allocations; n++) {
    begin();
    {
      Method trial(net.parameters(), {.lr = 0.01});
      if (operator_new) news_until_failure = n;
      else fail_allocation_at(n);
      bool failed = true;
      try {
        step(trial);
        failed = false;  // a note of a line may be left out
      } catch (const std::bad_alloc&) {
      } catch (const OutOfMemoryError&) {}
      news_until_failure = -1;
      if (!operator_new) fail_allocation_at(0);
      failures += failed;
      if (failed) step(trial);
      const std::vector<Tensor> got = weights();
      for (size_t k = 0; k < got.size(); k++) ASSERT_TRUE(equal(got[k], expected[k])) << "after allocation " << n << " of " << allocations;
    }
    begin();
    const Counts before;
    {
      Method trial(net.parameters(), {.lr = 0.01});
      if (operator_new) news_until_failure = n;
      else fail_allocation_at(n);
      try {
        step(trial);
      } catch (const std::bad_alloc&) {
      } catch (const OutOfMemoryError&) {}
      news_until_failure = -1;
      if (!operator_new) fail_allocation_at(0);
    }
    for (const Tensor& p : net.parameters()) p.set_grad({});
    const Counts after;
    EXPECT_TRUE(after == before) << "allocation " << n << " of " << allocations << ": tensors " << after.tensors - before.tensors << ", nodes "
                                 << after.nodes - before.nodes << ", bytes " << after.in_use - before.in_use << ", small blocks " << after.small - before.small;
  }
  EXPECT_GE(failures, allocations - (operator_new ? 3 : 0));
}

}  // namespace

TEST(Ledger, AddsUpAndNamesOwners) {
  Mlp net;
  const Tensor x = randn({64, 24});
  optim::Adam adam(net.parameters(), {.lr = 0.01});
  for (int k = 0; k < 3; k++) {
    Tensor loss = net(x).square().sum();
    EXPECT_EQ(ledger_bytes(), memory_stats().in_use);
    loss.backward();
    EXPECT_EQ(ledger_bytes(), memory_stats().in_use);
    adam.step();
    EXPECT_EQ(ledger_bytes(), memory_stats().in_use);
  }
  int64_t found[5] = {};
  for (const Owner& o : read_ledger().blocks)
    if (module_path_text(o.module) == "Mlp.one") found[int(o.role)] += int64_t(o.bytes);
  EXPECT_GE(found[int(MemoryRole::Parameter)], 24 * 40 * 4);
  EXPECT_GE(found[int(MemoryRole::Gradient)], 24 * 40 * 4);
  EXPECT_GE(found[int(MemoryRole::Optimizer)], 2 * 24 * 40 * 4);
  const std::string text = memory_summary();
  EXPECT_NE(text.find("Mlp.one"), text.npos);
  EXPECT_NE(text.find("in use in"), text.npos);
}

TEST(Ledger, OutOfMemoryShowsTheLargest) {
  const Tensor x = ones({1000, 1000});
  try {
    empty({int64_t(1) << 44}, float32);
    FAIL();
  } catch (const OutOfMemoryError& e) { EXPECT_NE(std::string(e.what()).find("the largest owners"), std::string::npos) << e.what(); }
}

TEST(Nonfinite, NamesTheFirstOp) {
  const DetectNonfinite on;
  const Tensor x = tensor({0.0, 1.0}).set_requires_grad();
  try {
    log(x);
    FAIL();
  } catch (const GradError& e) { EXPECT_NE(std::string(e.what()).find("log made float32[2]"), std::string::npos) << e.what(); }
  const Tensor loss = sqrt(x).sum();
  try {
    loss.backward();
    FAIL();
  } catch (const GradError& e) { EXPECT_NE(std::string(e.what()).find("the backward of SqrtBackward0"), std::string::npos) << e.what(); }
}

TEST(AllocationFailure, EveryBlockOfAStep) {
  every_allocation_fails<Mlp>(randn({12, 24}), false);
  every_allocation_fails<Conv>(randn({12, 2, 8, 8}), false);
}
TEST(AllocationFailure, EveryBlockOfAStepOfTensorOps) {
  const Tensor x = randn({12, 24});
  every_allocation_fails<Mlp, optim::ASGD>(x, false);
  every_allocation_fails<Mlp, optim::Rprop>(x, false);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(AllocationFailure, EveryNewOfAStep) {
  every_allocation_fails<Mlp>(randn({12, 24}), true);
  every_allocation_fails<Conv>(randn({12, 2, 8, 8}), true);
}
#endif
