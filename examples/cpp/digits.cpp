// Trains a small CNN on handwritten digits, the model of examples/python/digits.py: the same names and initial weights, so
// that either program reads what the other saved.
//
//   digits                 trains, writes digits-cpp.safetensors
//   digits FILE            also tells the accuracy of the model in FILE
#include <tapegrad/data.h>
#include <tapegrad/io.h>
#include <tapegrad/optim.h>

#include <chrono>
#include <cstdio>

using namespace tapegrad;

struct Net : nn::ModuleOf<Net> {
  nn::Conv2d conv1 = register_module("conv1", nn::Conv2d(1, 16, 3, {.padding = 1}));
  nn::Conv2d conv2 = register_module("conv2", nn::Conv2d(16, 32, 3, {.padding = 1}));
  nn::Linear fc1 = register_module("fc1", nn::Linear(32 * 2 * 2, 64));
  nn::Linear fc2 = register_module("fc2", nn::Linear(64, 10));
  Tensor forward(const Tensor& images) const {
    Tensor x = max_pool2d(conv1(images).relu(), 2);
    x = max_pool2d(conv2(x).relu(), 2);
    return fc2(fc1(x.flatten(1)).relu());
  }
};

double accuracy(const Net& net, const data::TensorDataset& set) {
  const NoGrad no_grad;
  net.eval();
  return 100 * (net(set.data).argmax(1) == set.target).to(float32).mean().item<double>();
}

int main(int argc, char** argv) try {
  const auto started = std::chrono::steady_clock::now();
  manual_seed(0);
  const data::TensorDataset train = datasets::digits("train"), test = datasets::digits("test");
  const data::DataLoader loader(train, {.batch_size = 64, .shuffle = true});

  const Net net;
  std::printf("%s\n", to_string(net).c_str());
  constexpr int epochs = 30;
  optim::Adam adam(net.parameters(), {.lr = 2e-3});
  for (int epoch = 1; epoch <= epochs; epoch++) {
    net.train();
    double total = 0;
    for (const auto& [x, y] : loader) {
      adam.zero_grad();
      const Tensor loss = cross_entropy(net(x), y);
      loss.backward();
      adam.step();
      total += loss.item<double>() * double(x.size(0));
    }
    std::printf("epoch %2d  loss %.4f  test accuracy %.2f %%\n", epoch, total / double(train.size()), accuracy(net, test));
  }
  save(net, "digits-cpp.safetensors");

  const Net again;
  again.load_state_dict(load("digits-cpp.safetensors"));
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  std::printf("trained in %.1f s, wrote digits-cpp.safetensors, read back: test accuracy %.2f %%\n", seconds, accuracy(again, test));
  if (argc > 1) {
    again.load_state_dict(load(argv[1]));
    std::printf("%s: test accuracy %.2f %%\n", argv[1], accuracy(again, test));
  }
  return accuracy(net, test) >= 97 ? 0 : 1;
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 2;
}
