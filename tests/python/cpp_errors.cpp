// What test_error_lines.py compiles with and without debug info: errors name the lines that end in a comment.
#include <cstdio>
#include <string>

#include "tapegrad/tapegrad.h"

using namespace tapegrad;

template <class F> void show(const char* title, F&& f) {
  try {
    f();
    std::printf("%s: no error\n", title);
  } catch (const Error& e) { std::printf("%s: %s\n", title, e.what()); }
}

struct Wrong : Function<Wrong> {
  static std::vector<Tensor> forward(FunctionContext&, const Tensor& x) { return {x * 2}; }
  static std::vector<Tensor> backward(FunctionContext&, std::vector<Tensor> g) { return {matmul(g[0], ones({7}))}; }
};

struct WrongForward : Function<WrongForward> {
  static std::vector<Tensor> forward(FunctionContext&, const Tensor& x) { return {matmul(x, x)}; }
  static std::vector<Tensor> backward(FunctionContext&, std::vector<Tensor> g) { return g; }
};

int main() {
  const Tensor x = ones({2, 3}).set_requires_grad();
  show("in place", [&] {
    const Tensor h = x * 2;
    const Tensor y = (h * h).sum();  // saves h
    h.add_(Tensor(1));  // changes h
    y.backward();
  });
  show("twice", [&] {
    const Tensor y = (x * x).sum();  // forward
    y.backward();  // first
    y.backward();
  });
  show("custom", [&] {
    const Tensor y = Wrong::apply(x)[0];  // applied
    y.sum().backward();
  });
  show("custom forward", [&] { WrongForward::apply(x); });  // applied, too
  show("shape", [&] { matmul(x, x); });  // shape
  std::printf("detached: %s\n", explain(detach(x)).c_str());  // detached
  {
    const NoGrad off;  // off
    std::printf("recording off: %s\n", explain(x * 2).c_str());
  }
  std::printf("not reached: %s\n", explain(ones({2}).set_requires_grad()).c_str());
}
