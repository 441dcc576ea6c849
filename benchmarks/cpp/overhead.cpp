// What one small op and one small training step cost from C++. The same source is compiled against either library
// (-DWITH_TORCH); prints lines of "name mark ns", where the mark is the ratio to reach.
#include <algorithm>
#include <chrono>
#include <cstdio>
#ifdef WITH_TORCH
#include <torch/torch.h>
namespace lib = torch;
static lib::Tensor ones(int64_t n, bool grad = false) { return torch::ones({n}, torch::TensorOptions().requires_grad(grad)); }
static lib::Tensor ones2(int64_t n, bool grad = false) { return torch::ones({n, n}, torch::TensorOptions().requires_grad(grad)); }
using NoGrad = torch::NoGradGuard;
static void one_thread() { torch::set_num_threads(1); }
static lib::Tensor view4(const lib::Tensor& t) { return t.view({4}); }
static lib::Tensor loss_of(const lib::Tensor& x, const lib::Tensor& labels) { return torch::nn::functional::cross_entropy(x, labels); }
struct Mlp : torch::nn::Module {
  torch::nn::Linear one{784, 128}, two{128, 10};
  Mlp() { register_module("one", one), register_module("two", two); }
  lib::Tensor operator()(const lib::Tensor& x) { return two(torch::relu(one(x))); }
};
static torch::optim::SGD sgd(Mlp& net) { return torch::optim::SGD(net.parameters(), torch::optim::SGDOptions(1e-3)); }
#else
#include <tapegrad/optim.h>
#include <tapegrad/tapegrad.h>
namespace lib = tapegrad;
static lib::Tensor ones(int64_t n, bool grad = false) { return lib::ones({n}, {}, {}, grad); }
static lib::Tensor ones2(int64_t n, bool grad = false) { return lib::ones({n, n}, {}, {}, grad); }
using NoGrad = lib::NoGrad;
static void one_thread() { lib::set_num_threads(1); }
static lib::Tensor view4(const lib::Tensor& t) { return t.view({4}); }
static lib::Tensor loss_of(const lib::Tensor& x, const lib::Tensor& labels) { return lib::cross_entropy(x, labels); }
struct Mlp : lib::nn::Module {
  lib::nn::Linear one = register_module("one", lib::nn::Linear(784, 128)), two = register_module("two", lib::nn::Linear(128, 10));
  lib::Tensor operator()(const lib::Tensor& x) const { return two(lib::relu(one(x))); }
};
static lib::optim::SGD sgd(Mlp& net) { return lib::optim::SGD(net.parameters(), {.lr = 1e-3}); }
#endif

template <class F> void time_of(const char* name, double mark, F f, int n = 20000) {
  using clock = std::chrono::steady_clock;
  double best = 1e30;
  for (int i = 0; i < n / 4; i++) f();
  for (int round = 0; round < 9; round++) {
    const auto start = clock::now();
    for (int i = 0; i < n; i++) f();
    best = std::min(best, std::chrono::duration<double, std::nano>(clock::now() - start).count() / n);
  }
  std::printf("%s;%g;%.2f\n", name, mark, best);
}

int main() {
  one_thread();
  const lib::Tensor a = ones(4), b = ones(4), ag = ones(4, true), m = ones2(4), mg = ones2(4, true), square = ones2(2);
  time_of("a + b, 4 elements", 18, [&] { lib::Tensor c = a + b; });
  time_of("a + b, 4 elements, recorded", 25, [&] { lib::Tensor c = ag + b; });
  time_of("a + b under NoGrad", 18, [&] { NoGrad guard; lib::Tensor c = ag + b; });
  time_of("a * 2.0", 18, [&] { lib::Tensor c = a * 2.0; });
  time_of("relu(a)", 15, [&] { lib::Tensor c = lib::relu(a); });
  time_of("exp(a)", 1, [&] { lib::Tensor c = lib::exp(a); });
  time_of("sum(a)", 1, [&] { lib::Tensor c = lib::sum(a); });
  time_of("matmul 4x4", 10, [&] { lib::Tensor c = lib::matmul(m, m); });
  time_of("matmul 4x4, recorded", 10, [&] { lib::Tensor c = lib::matmul(mg, m); });
  time_of("m.view({4})", 12, [&] { lib::Tensor c = view4(square); });
  time_of("m.transpose(0, 1)", 12, [&] { lib::Tensor c = m.transpose(0, 1); });
  time_of("a[0]", 15, [&] { lib::Tensor c = a[0]; });
  time_of("sum(a * b) and backward", 25, [&] { lib::sum(ag * b).backward(); }, 5000);
  time_of("100 adds and backward", 40, [&] {
    lib::Tensor c = ag;
    for (int i = 0; i < 100; i++) c = c + b;
    lib::sum(c).backward();
  }, 200);

  Mlp net;
  auto optimizer = sgd(net);
  const lib::Tensor x = lib::randn({32, 784}), labels = lib::randint(0, 10, {32});
  time_of("MLP 784-128-10, batch 32, SGD: a training step", 1.35, [&] {
    optimizer.zero_grad();
    loss_of(net(x), labels).backward();
    optimizer.step();
  }, 200);
}
