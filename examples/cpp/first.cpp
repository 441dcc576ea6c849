// Fits a line to noisy points: tensors, the tape, a module and an optimiser in one screen.
#include <tapegrad/optim.h>

#include <iostream>

using namespace tapegrad;

int main() {
  manual_seed(0);
  const Tensor x = linspace(-1, 1, 200).view({200, 1});
  const Tensor y = 3 * x + 0.5 + 0.1 * randn({200, 1});

  nn::Linear line(1, 1);
  optim::SGD sgd(line.parameters(), {.lr = 0.5});
  for (int step = 0; step < 100; step++) {
    sgd.zero_grad();
    const Tensor loss = (line(x) - y).square().mean();
    loss.backward();
    sgd.step();
  }
  std::cout << to_string(line.weight) << "\n" << to_string(line.bias) << "\n";
}
