// What the scripted sessions of gdb and lldb look at.
#include "tapegrad/nn.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

struct Net : nn::Module {
  nn::Linear fc = register_module("fc", nn::Linear(2, 1));
  nn::BatchNorm1d norm = register_module("norm", nn::BatchNorm1d(1));
  Net() : Module("Net") {}
};

// One of each kind of tensor, of a shape and of a model.
[[gnu::noinline]] int look(const Tensor& made) {
  const Tensor t = arange(12).to(float32).view({3, 4}).transpose(0, 1), undefined, empty = zeros({0, 3});
  const Tensor half = tensor({1.5, -2}, float16), brain = tensor({1.5, -2}, bfloat16), truth = tensor({1, 0}, bool_);
  const Tensor small = tensor({-1, 127}, int8), large = tensor({1, -5}, int64), number(3.5);
  const Tensor turned = complex(tensor({1, 2}, float32), tensor({-1, 0.5}, float32)), nan = tensor({0, 1, 2, 3}, float64) / 0.0;
  const Shape shape{2, 3, 4};
  Net net;
  const StateDict state = net.state_dict();
  alignas(Tensor) char garbage[2][sizeof(Tensor)] = {{1, 2, 3, 4, 5, 6, 7}, {}};
  const auto& wild = reinterpret_cast<const Tensor&>(garbage[0]);
  const Shape* stray = reinterpret_cast<const Shape*>(&wild);
  for (int k = 0; k < int(sizeof(char*)); k++) garbage[1][k] = reinterpret_cast<const char*>(&stray)[k];
  const auto& false_friend = reinterpret_cast<const Tensor&>(garbage[1]);  // points at memory that is no tensor
  return made.defined() + int(shape.size()) + int(state.size()) + (&wild == &false_friend);  // all are looked at here
}

int main() {
  const Tensor a = tensor({1, 2, 3}, float32).set_requires_grad(), b = tensor({4, 5, 6}, float32);
  const Tensor c = a + b;
  const Tensor d = exp(c);
  const Tensor e = sum(d * a);
  look(e);
  d.backward(b);
  return a.grad().defined() ? 0 : 1;
}
