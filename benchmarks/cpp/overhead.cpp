// What one small op costs from C++. The same source is compiled against either library (-DWITH_TORCH); prints "name ns" lines.
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
#else
#include <tapegrad/tapegrad.h>
namespace lib = tapegrad;
static lib::Tensor ones(int64_t n, bool grad = false) { return lib::ones({n}, {}, {}, grad); }
static lib::Tensor ones2(int64_t n, bool grad = false) { return lib::ones({n, n}, {}, {}, grad); }
using NoGrad = lib::NoGrad;
static void one_thread() { lib::set_num_threads(1); }
#endif

template <class F> void time_of(const char* name, F f, int n = 20000) {
  using clock = std::chrono::steady_clock;
  double best = 1e30;
  for (int i = 0; i < n / 4; i++) f();
  for (int round = 0; round < 9; round++) {
    const auto start = clock::now();
    for (int i = 0; i < n; i++) f();
    best = std::min(best, std::chrono::duration<double, std::nano>(clock::now() - start).count() / n);
  }
  std::printf("%s %.2f\n", name, best);
}

int main() {
  one_thread();
  const lib::Tensor a = ones(4), b = ones(4), ag = ones(4, true), m = ones2(4), mg = ones2(4, true);
  time_of("a + b, 4 elements", [&] { lib::Tensor c = a + b; });
  time_of("a + b, 4 elements, recorded", [&] { lib::Tensor c = ag + b; });
  time_of("a + b under NoGrad", [&] { NoGrad guard; lib::Tensor c = ag + b; });
  time_of("a * 2.0", [&] { lib::Tensor c = a * 2.0; });
  time_of("exp(a)", [&] { lib::Tensor c = lib::exp(a); });
  time_of("sum(a)", [&] { lib::Tensor c = lib::sum(a); });
  time_of("matmul 4x4", [&] { lib::Tensor c = lib::matmul(m, m); });
  time_of("matmul 4x4, recorded", [&] { lib::Tensor c = lib::matmul(mg, m); });
  time_of("transpose", [&] { lib::Tensor c = m.transpose(0, 1); });
  time_of("sum(a * b) and backward", [&] { lib::sum(ag * b).backward(); }, 5000);
  time_of("100 adds and backward", [&] {
    lib::Tensor c = ag;
    for (int i = 0; i < 100; i++) c = c + b;
    lib::sum(c).backward();
  }, 200);
}
