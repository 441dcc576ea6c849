#include <tapegrad/tapegrad.h>

int main() {
  const tapegrad::Tensor x = tapegrad::ones({3}).set_requires_grad();
  x.square().sum().backward();
  return tapegrad::equal(x.grad(), tapegrad::full({3}, 2)) ? 0 : 1;
}
