// What each consumer builds: a module of its own, a Function of its own, training, an exception caught by type, threads of its
// own beside the library's. Ends with 0 when all of it works.
#include <tapegrad/io.h>
#include <tapegrad/optim.h>

#include <cstdio>
#include <string>
#include <thread>

using namespace tapegrad;

struct Net : nn::Module {
  nn::Linear hidden = register_module("hidden", nn::Linear(2, 16));
  nn::Linear out = register_module("out", nn::Linear(16, 2));
  Net() : Module("Net") {}
  Tensor operator()(const Tensor& x) const { return out(hidden(x).relu()); }
};

struct Cube : Function<Cube> {
  static std::vector<Tensor> forward(FunctionContext& ctx, const Tensor& x) {
    ctx.save_for_backward({x});
    return {x * x * x};
  }
  static std::vector<Tensor> backward(FunctionContext& ctx, std::vector<Tensor> grads) {
    const Tensor x = ctx.saved_tensors()[0];
    return {3 * x * x * grads[0]};
  }
};

static double train() {
  const Net net;
  optim::Adam adam(net.parameters(), {.lr = 0.02});
  const Tensor x = randn({128, 2}), y = (x.sum(1) > 0).to(int64);
  double loss = 0;
  for (int step = 0; step < 60; step++) {
    adam.zero_grad();
    const Tensor l = cross_entropy(net(x), y);
    l.backward();
    adam.step();
    loss = l.item<double>();
  }
  return loss;
}

static bool throws() {
  try {
    matmul(ones({2, 3}), ones({2, 3}));
  } catch (const ShapeError& e) {
    return std::string(e.what()).find("matmul") != std::string::npos;
  }
  return false;
}

int main() {
  manual_seed(1);
  double losses[2] = {1, 1};
  std::thread other([&] { losses[0] = train(); });
  losses[1] = train();
  other.join();

  const Tensor x = linspace(-1, 1, 5, float64).set_requires_grad();
  Cube::apply(x)[0].sum().backward();
  const bool gradients = allclose(x.grad(), 3 * detach(x).square());

  long total = 0;  // with -fopenmp, the compiler's own threads
#pragma omp parallel for reduction(+ : total)
  for (int i = 0; i < 64; i++) total += ones({i + 1}).sum().item<long>();

  const bool good = losses[0] < 0.2 && losses[1] < 0.2 && gradients && throws() && total == 64 * 65 / 2;
  std::printf("losses %.3f %.3f, gradients %s, sum %ld: %s\n", losses[0], losses[1], gradients ? "right" : "wrong", total, good ? "ok" : "FAILED");
  return good ? 0 : 1;
}
