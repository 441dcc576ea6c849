// What the scripted gdb session looks at: one add, one backward.
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

int main() {
  const Tensor a = tensor({1, 2, 3}, float32).set_requires_grad(), b = tensor({4, 5, 6}, float32);
  const Tensor c = a + b;
  const Tensor d = exp(c);
  d.backward(b);
  return a.grad().defined() ? 0 : 1;
}
