#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "src/tensor/parallel.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

static std::vector<double> values(const Tensor& t) {
  const Tensor d = contiguous(to(t, Dtype::Float64));
  return {d.data_ptr<double>(), d.data_ptr<double>() + d.numel()};
}

// The same number as every other build and the CUDA kernels give: FNV-1a over the bits of the first two of each four normals.
TEST(Random, NormalsHaveGoldenBits) {
  manual_seed(42);
  const Tensor t = randn({int64_t(1) << 24});
  uint64_t h = 1469598103934665603ull;
  for (int64_t i = 0; i < t.numel(); i += 4)
    for (int64_t k = 0; k < 2; k++) {
      uint32_t bits;
      std::memcpy(&bits, t.data_ptr<float>() + i + k, 4);
      h = (h ^ bits) * 1099511628211ull;
    }
  EXPECT_EQ(h, 0x0353fb3936872c85ull);
}
TEST(Random, UniformsAreThePhiloxWords) {  // first known-answer vector of Philox4x32-10: key 0, counter 0
  manual_seed(0);
  const Tensor t = rand({4});
  const uint32_t words[4] = {0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u};
  for (int i = 0; i < 4; i++) EXPECT_EQ(t.data_ptr<float>()[i], float(words[i] >> 8) * 0x1p-24f);
}
TEST(Random, IndependentOfThreadsAndLayout) {
  const int before = num_threads();
  std::vector<std::vector<double>> first;
  for (int n : {1, 2, 5}) {
    set_num_threads(n);
    manual_seed(7);
    std::vector<std::vector<double>> v = {values(randn({100003})), values(rand({50001}, Dtype::Float64)), values(randint(-5, 1000, {70000})),
                                          values(randperm(50000)), values(bernoulli(full({70001}, 0.3))), values(poisson(full({3001}, 20.0)))};
    if (first.empty()) first = v;
    EXPECT_EQ(first, v) << n << " threads";
  }
  set_num_threads(before);
  manual_seed(3);
  const Tensor a = zeros({300, 7});
  normal_(a);
  manual_seed(3);
  const Tensor b = transpose(zeros({7, 300}), 0, 1);
  normal_(b);
  EXPECT_EQ(values(a), values(b));
}
TEST(Random, Moments) {
  manual_seed(1);
  auto check = [](const Tensor& t, double mean, double var) {
    const std::vector<double> v = values(t);
    double m = 0, s = 0;
    for (double x : v) m += x / double(v.size());
    for (double x : v) s += (x - m) * (x - m) / double(v.size());
    EXPECT_NEAR(m, mean, 4 * std::sqrt(var / double(v.size())));
    EXPECT_NEAR(s, var, 0.05 * var);
  };
  for (Dtype d : {Dtype::Float32, Dtype::Float64}) {
    check(rand({100000}, d), 0.5, 1.0 / 12);
    check(randn({100000}, d), 0, 1);
    check(exponential_(zeros({100000}, d), 2), 0.5, 0.25);
    check(poisson(full({100000}, 3.0, d)), 3, 3);
    check(poisson(full({100000}, 40.0, d)), 40, 40);
    check(bernoulli(full({100000}, 0.25, d)), 0.25, 0.1875);
    check(normal_(zeros({100000}, d), 3, 2), 3, 4);
  }
  check(randint(0, 6, {100000}), 2.5, 35.0 / 12);
  check(random_(zeros({100000}, Dtype::UInt8)), 127.5, 65535.0 / 12);
}
TEST(Random, RandpermIsAPermutation) {
  for (int64_t n : {0, 1, 5, 2047, 2048, 70000}) {
    std::vector<double> v = values(randperm(n));
    std::sort(v.begin(), v.end());
    for (int64_t i = 0; i < n; i++) ASSERT_EQ(v[size_t(i)], double(i));
  }
}
TEST(Random, MultinomialDrawsByWeight) {
  manual_seed(5);
  const Tensor w = tensor({0, 1, 3, 0}, Dtype::Float32), t = multinomial(w, 40000, true);
  int64_t count[4] = {};
  for (int64_t i = 0; i < t.numel(); i++) count[t.data_ptr<int64_t>()[i]]++;
  EXPECT_EQ(count[0] + count[3], 0);
  EXPECT_NEAR(double(count[2]), 30000, 400);
  const Tensor two = multinomial(expand(w, {500, 4}), 2);
  for (int64_t r = 0; r < 500; r++) EXPECT_EQ(two.data_ptr<int64_t>()[2 * r] + two.data_ptr<int64_t>()[2 * r + 1], 3);
}
TEST(Random, RefusesBadArguments) {
  EXPECT_THROW(multinomial(tensor({1, -1}, Dtype::Float32), 1), ValueError);
  EXPECT_THROW(multinomial(tensor({1, NAN}, Dtype::Float32), 1), ValueError);
  EXPECT_THROW(multinomial(tensor({1, INFINITY}, Dtype::Float32), 1), ValueError);
  EXPECT_THROW(multinomial(tensor({0, 0}, Dtype::Float32), 1), ValueError);
  EXPECT_THROW(multinomial(tensor({0, 1}, Dtype::Float32), 2), ValueError);
  EXPECT_THROW(multinomial(tensor({1, 1}, Dtype::Float32), 3), ValueError);
  EXPECT_THROW(bernoulli(tensor({1.5}, Dtype::Float32)), ValueError);
  EXPECT_THROW(randint(5, 5, {2}), ValueError);
  EXPECT_THROW(randint(0, 300, {2}, Dtype::UInt8), ValueError);
  EXPECT_THROW(rand({2}, Dtype::Int64), DtypeError);
  EXPECT_THROW(uniform_(zeros({2}, Dtype::Int64)), DtypeError);
  EXPECT_THROW(rand({-1}), ShapeError);
  EXPECT_THROW(uniform_(zeros({2}).set_requires_grad()), GradError);
}
TEST(Random, InPlaceOnATrackedTensorHasZeroGradient) {
  const Tensor x = ones({3}).set_requires_grad(), y = x * Tensor(2.0);
  normal_(y);
  sum(y + x).backward();
  EXPECT_EQ(values(x.grad()), (std::vector<double>{1, 1, 1}));
}
TEST(Generator, StateComesBack) {
  const Generator g(11);
  const Tensor s = g.get_state(), a = rand({5}, {}, {}, false, &g);
  rand({5}, {}, {}, false, &g);
  g.set_state(s);
  EXPECT_EQ(values(a), values(rand({5}, {}, {}, false, &g)));
  g.manual_seed(11);
  EXPECT_EQ(values(a), values(rand({5}, {}, {}, false, &g)));
  EXPECT_THROW(g.set_state(zeros({16})), ValueError);
}
