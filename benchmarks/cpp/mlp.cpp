// One small program for either library (-DWITH_TORCH), for compare.py: `mlp start` makes a tensor and ends; `mlp` trains and prints
// what an op and a training step cost.
#include <algorithm>
#include <chrono>
#include <cstdio>
#ifdef WITH_TORCH
#include <torch/torch.h>
namespace lib = torch;
namespace nn = torch::nn;
using lib::Tensor;
// user module {
struct NetImpl : nn::Module {
  nn::Linear one = nullptr, two = nullptr;
  NetImpl() {
    one = register_module("one", nn::Linear(784, 128));
    two = register_module("two", nn::Linear(128, 10));
  }
  Tensor forward(const Tensor& x) { return two(torch::relu(one(x))); }
};
TORCH_MODULE(Net);
// } user module
static lib::optim::SGD sgd(Net& net) { return lib::optim::SGD(net->parameters(), lib::optim::SGDOptions(1e-3)); }
static Tensor loss_of(const Tensor& x, const Tensor& y) { return nn::functional::cross_entropy(x, y); }
static Tensor labels(int64_t n) { return lib::randint(0, 10, {n}, lib::kLong); }
#else
#include <tapegrad/optim.h>
#include <tapegrad/tapegrad.h>
namespace lib = tapegrad;
namespace nn = tapegrad::nn;
using lib::Tensor;
// user module {
struct Net : nn::Module {
  nn::Linear one = register_module("one", nn::Linear(784, 128));
  nn::Linear two = register_module("two", nn::Linear(128, 10));
  Tensor operator()(const Tensor& x) const { return two(one(x).relu()); }
};
// } user module
static lib::optim::SGD sgd(Net& net) { return lib::optim::SGD(net.parameters(), {.lr = 1e-3}); }
static Tensor loss_of(const Tensor& x, const Tensor& y) { return lib::cross_entropy(x, y); }
static Tensor labels(int64_t n) { return lib::randint(0, 10, {n}); }
#endif

template <class F> static double best_ns(int repeats, F f) {
  double best = 1e18;
  for (int round = 0; round < 15; round++) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < repeats; i++) f();
    best = std::min(best, std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count() / repeats);
  }
  return best;
}

[[gnu::noinline]] static void look(const Tensor& tensor) { std::printf("dimensions %d\n", int(tensor.dim())); }

int main(int argc, char**) {
  if (argc > 1) {
    look(lib::arange(6).view({2, 3}));
    return 0;
  }
  lib::set_num_threads(1);
  const Tensor a = lib::ones({4}), b = lib::ones({4});
  std::printf("op %.0f\n", best_ns(20000, [&] { (void)(a + b); }));
  Net net;
  auto optimizer = sgd(net);
  const Tensor x = lib::randn({32, 784}), y = labels(32);
  std::printf("step %.1f\n", best_ns(100, [&] {
    optimizer.zero_grad();
#ifdef WITH_TORCH
    loss_of(net->forward(x), y).backward();
#else
    loss_of(net(x), y).backward();
#endif
    optimizer.step();
  }) / 1000);
}
