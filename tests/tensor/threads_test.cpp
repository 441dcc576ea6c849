// Many threads at once: the pool, the allocator, graphs that share parts, forks in the middle, and ends from outside.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "src/autograd/watch.h"
#include "src/tensor/interrupt.h"
#include "tapegrad/interrupt.h"
#include "tapegrad/optim.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

struct Threads {  // computes with n threads while it lives
  int before = num_threads();
  explicit Threads(int n) { set_num_threads(n); }
  ~Threads() { set_num_threads(before); }
};
template <class F> void together(int n, F f) {  // f(k) on n threads at once
  std::vector<std::thread> threads;
  std::atomic<int> waiting{n};
  for (int k = 0; k < n; k++)
    threads.emplace_back([&, k] {
      for (waiting--; waiting > 0;) std::this_thread::yield();
      f(k);
    });
  for (std::thread& t : threads) t.join();
}
std::vector<float> bits(const Tensor& t) {
  const Tensor dense = contiguous(detach(t));
  return {dense.data_ptr<float>(), dense.data_ptr<float>() + dense.numel()};
}
Tensor drawn(IntList size, uint64_t seed) {
  const Generator g(seed);
  return randn(size, {}, {}, false, &g);
}
std::vector<float> trained(uint64_t seed) {
  const Tensor x = drawn({96, 80}, seed), y = drawn({96, 40}, seed + 1);
  Tensor w = (drawn({80, 40}, seed + 2) * 0.1).set_requires_grad();
  optim::SGD step({w}, {.lr = 0.05});
  for (int k = 0; k < 12; k++) {
    step.zero_grad();
    mean(square(tanh(matmul(x, w)) - y)).backward();
    step.step();
  }
  return bits(w);
}

}  // namespace

TEST(ManyThreads, TrainOnTheirOwnAsOneDoes) {
  const Threads pool(3);
  std::vector<std::vector<float>> alone, at_once(4);
  for (uint64_t k = 0; k < 4; k++) alone.push_back(trained(k));
  together(4, [&](int k) { at_once[size_t(k)] = trained(uint64_t(k)); });
  EXPECT_EQ(alone, at_once);
}
TEST(ManyThreads, ShareLeaves) {
  const Threads pool(2);
  Tensor w = zeros({300, 200}, float64).set_requires_grad(), v = zeros({200}, float64).set_requires_grad();
  together(4, [&](int k) {
    for (int i = 0; i < 10; i++) sum((w + v) * double(k + 1)).backward();
  });
  EXPECT_TRUE(all(eq(w.grad(), full({300, 200}, 100, float64))).item<bool>());
  EXPECT_TRUE(all(eq(v.grad(), full({200}, 30000, float64))).item<bool>());
}
TEST(ManyThreads, ShareAGraph) {
  for (int round = 0; round < 20; round++) {
    Tensor x = arange(1000).to(float64).set_requires_grad();
    const Tensor shared = sin(x * 3.0) * x, a = sum(shared * 2.0), b = sum(shared * 5.0);
    const Tensor expected = grad(sum(shared), x, {}, {.retain_graph = true})[0] * 7.0;
    together(2, [&](int k) { (k ? a : b).backward({}, true); });
    EXPECT_TRUE(allclose(x.grad(), expected));
  }
}
TEST(ManyThreads, DropWhatOthersMade) {
  std::vector<Tensor> made(4);
  together(4, [&](int k) {
    Tensor x = ones({100}).set_requires_grad();
    for (int i = 0; i < 200; i++) x = x * 1.0 + zeros({i % 7 + 1, 100})[0];
    made[size_t(k)] = x;
  });
  together(4, [&](int k) { made[size_t((k + 1) % 4)] = {}; });  // whole graphs, of threads that have ended
}
TEST(ManyThreads, ChangeTheSizeOfThePool) {
  const Threads pool(2);
  const Tensor x = drawn({300, 400}, 1);
  const std::vector<float> expected = bits(sum(x, 0));
  together(3, [&](int k) {
    for (int i = 0; i < 50; i++) {
      if (k == 0) set_num_threads(i % 4 + 1);
      else EXPECT_EQ(bits(sum(x, 0)), expected);
    }
  });
}

TEST(ManyThreads, AWatcherCanLeaveThem) {
  struct : Watcher {
    void opened(const OpScope&) noexcept override { std::this_thread::yield(); }  // so that somebody is always inside
  } watcher;
  const Tensor x = ones({4});
  std::atomic<bool> left{false};
  add_watcher(&watcher);
  together(5, [&](int k) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    if (k == 0) {
      remove_watcher(&watcher);
      left = std::chrono::steady_clock::now() < end;
    }
    while (!left && std::chrono::steady_clock::now() < end) x + x;
  });
  EXPECT_TRUE(left);
}

#ifndef __SANITIZE_THREAD__  // which does not let a child of several threads start any
TEST(ManyThreads, ForkWhileOthersCompute) {
  const Threads pool(3);
  const Tensor x = drawn({200, 300}, 1), y = drawn({300, 250}, 2);
  Tensor w = drawn({300, 250}, 3).set_requires_grad();
  const std::vector<float> expected = bits(matmul(x, y));
  std::atomic<bool> stop{false};
  std::vector<std::thread> busy;
  for (int k = 0; k < 3; k++)
    busy.emplace_back([&] {
      while (!stop) sum(matmul(x, w) + zeros({20000})[0]).backward(), matmul(x, y);
    });
  for (int round = 0; round < 12; round++) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(60);  // SIGALRM, should it hang
      bool good = bits(matmul(x, y)) == expected;
      Tensor v = zeros({300, 250}).set_requires_grad();
      sum(matmul(x, v)).backward(), sum(w * 2.0).backward();
      good = good && v.grad().defined();
      _exit(good ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0) << "round " << round;
  }
  stop = true;
  for (std::thread& t : busy) t.join();
}

// Forks 10 times while f runs again and again on two threads; g in the child must come to its end.
template <class F, class G> static void fork_while(F f, G g) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> busy;
  for (int k = 0; k < 2; k++)
    busy.emplace_back([&] {
      while (!stop) f();
    });
  int bad = 0;
  for (int round = 0; round < 10 && !bad; round++) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(20);
      g();
      _exit(0);
    }
    waitpid(child, &bad, 0);
  }
  EXPECT_EQ(bad, 0);
  stop = true;
  for (std::thread& t : busy) t.join();
}
TEST(Fork, WhileOtherThreadsNotePlaces) {
  static const char places[100] = {};
  const auto note_all = [] {
    for (const char& c : places) make_note("fork", {&c, -1});
  };
  fork_while(note_all, note_all);
}
TEST(Fork, WhileOtherThreadsAreWatched) {
  struct : Watcher {
    void opened(const OpScope&) noexcept override { std::this_thread::yield(); }
  } watcher;
  add_watcher(&watcher);
  const Tensor x = ones({4});
  fork_while([&] { x + x; }, [&] { remove_watcher(&watcher); });
  remove_watcher(&watcher);
}
#endif

// ---- interrupts

namespace {
struct Stop : std::runtime_error {
  Stop() : std::runtime_error("stop") {}
};
std::atomic<bool> wanted{false};
struct Interrupts {  // check_interrupt throws Stop once `wanted`
  void (*before)() = check_interrupt;
  Interrupts() {
    check_interrupt = [] {
      if (wanted.exchange(false)) throw Stop();
    };
  }
  ~Interrupts() { check_interrupt = before, wanted = false; }
};
}  // namespace

TEST(Interrupt, EndsAProductAndNothingIsLost) {
  const Interrupts on;
  const Tensor a = drawn({600, 600}, 1), b = drawn({600, 600}, 2);
  const std::vector<float> expected = bits(matmul(a, b));
  for (int n : {1, 3}) {
    const Threads pool(n);
    const int64_t in_use = memory_stats().in_use;
    for (int round = 0; round < 3; round++) {
      std::this_thread::sleep_for(std::chrono::milliseconds(110));  // it is asked for every 100 ms
      wanted = true;
      EXPECT_THROW(matmul(a, b), Stop);
      EXPECT_EQ(memory_stats().in_use, in_use);
      EXPECT_EQ(bits(matmul(a, b)), expected);
    }
  }
}
TEST(Interrupt, EndsABackward) {
  const Interrupts on;
  Tensor x = ones({8}).set_requires_grad(), y = x;
  for (int k = 0; k < 100; k++) y = y * 1.0;
  const Tensor loss = sum(y);
  std::this_thread::sleep_for(std::chrono::milliseconds(110));
  wanted = true;
  EXPECT_THROW(loss.backward({}, true), Stop);
  EXPECT_FALSE(x.grad().defined());
  loss.backward();  // the graph was to be retained
  EXPECT_EQ(bits(x.grad()), std::vector<float>(8, 1));
}
TEST(Interrupt, LeavesPiecesThatAreWrittenInPlaceAlone) {
  const Interrupts on;
  const Threads pool(2);
  Tensor x = zeros({1 << 20});
  std::this_thread::sleep_for(std::chrono::milliseconds(110));
  wanted = true;
  add_(x, ones({1 << 20}));
  EXPECT_TRUE(all(eq(x, ones({1 << 20}))).item<bool>());
}
