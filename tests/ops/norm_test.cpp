#include <gtest/gtest.h>

#include <cmath>

#include "src/tensor/parallel.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

static Tensor noise(IntList size, uint64_t seed = 3, Dtype d = Dtype::Float64) {
  const Generator g(seed);
  return to(randn(size, Dtype::Float64, {}, false, &g), d);
}
static const GradcheckOptions kTwice{.second_order = true};
using In = const std::vector<Tensor>&;
// The fused gradient against differences, and the formula by way of the second order.
template <class F> static void check(F f, std::vector<Tensor> in) {
  for (const Tensor& t : in) t.set_requires_grad();
  EXPECT_EQ(gradcheck(f, in, kTwice), "");
}
static double distance(const Tensor& a, const Tensor& b) { return a.numel() ? amax(abs(to(a, Dtype::Float64) - to(b, Dtype::Float64))).item<double>() : 0; }

TEST(LayerNorm, Gradients) {
  const Tensor k = noise({2, 3, 5}, 9);
  check([&](In x) { return layer_norm(x[0], {5}, x[1], x[2]) * k; }, {noise({2, 3, 5}), noise({5}, 4), noise({5}, 5)});
  check([&](In x) { return layer_norm(x[0], {3, 5}, x[1]) * k; }, {noise({2, 3, 5}), noise({3, 5}, 4)});
  check([&](In x) { return layer_norm(x[0], {5}) * k; }, {transpose(noise({5, 3, 2}), 0, 2)});
  check([&](In x) { return layer_norm(x[0], {5}, {}, x[1]) * k; }, {noise({2, 3, 5}), noise({5}, 5)});
  check([&](In x) { return layer_norm(x[0], {5}, x[1], x[2]); }, {noise({0, 5}), noise({5}, 4), noise({5}, 5)});
  check([&](In x) { return rms_norm(x[0], {5}, x[1], 1e-5) * k; }, {noise({2, 3, 5}), noise({5}, 4)});
  check([&](In x) { return rms_norm(x[0], {5}) * k; }, {noise({2, 3, 5})});
}
TEST(LayerNorm, NormalisesRowsOfAnyLength) {
  for (Dtype d : {Dtype::Float32, Dtype::Float64, Dtype::BFloat16})
    for (int64_t n : {1, 3, 17, 64, 100, 1000}) {
      const Tensor x = noise({70, n}, 3, d), wide = to(x, Dtype::Float64);
      const Tensor want = (wide - mean(wide, -1, true)) / sqrt(var(wide, -1, 0, true) + Tensor(1e-5));
      EXPECT_LT(distance(layer_norm(x, {n}), want), d == Dtype::Float64 ? 1e-12 : d == Dtype::Float32 ? 1e-5 : 3e-2) << n;
    }
}
TEST(LayerNorm, WeightGradientIsTheSameForAnyNumberOfThreads) {
  const int before = num_threads();
  Tensor first;
  for (int n : {1, 3}) {
    set_num_threads(n);
    const Tensor x = noise({3000, 33}, 3, Dtype::Float32), w = ones({33}).set_requires_grad(), b = zeros({33}).set_requires_grad();
    sum(layer_norm(x, {33}, w, b) * x).backward();
    const Tensor both = w.grad() + b.grad();
    if (first.defined()) EXPECT_TRUE(equal(first, both));
    first = both;
  }
  set_num_threads(before);
}
TEST(GroupNorm, Gradients) {
  const Tensor k = noise({2, 4, 3}, 9);
  for (int64_t groups : {1, 2, 4}) check([&](In x) { return group_norm(x[0], groups, x[1], x[2]) * k; }, {noise({2, 4, 3}), noise({4}, 4), noise({4}, 5)});
  check([&](In x) { return group_norm(x[0], 2) * k; }, {noise({2, 4, 3})});
  check([&](In x) { return group_norm(x[0], 2, x[1], x[2]); }, {noise({3, 4}), noise({4}, 4), noise({4}, 5)});
  check([&](In x) { return instance_norm(x[0], {}, {}, x[1], x[2]) * k; }, {noise({2, 4, 3}), noise({4}, 4), noise({4}, 5)});
}
TEST(BatchNorm, Gradients) {
  const Tensor m = noise({4}, 11), v = exp(noise({4}, 12)), k = noise({3, 4, 2}, 9), flat = noise({3, 4}, 9);
  for (bool training : {true, false}) {
    check([&](In x) { return batch_norm(x[0], m, v, x[1], x[2], training, 0.0) * k; }, {noise({3, 4, 2}), noise({4}, 4), noise({4}, 5)});
    check([&](In x) { return batch_norm(x[0], m, v, x[1], x[2], training, 0.0) * flat; }, {noise({3, 4}), noise({4}, 4), noise({4}, 5)});
    check([&](In x) { return batch_norm(x[0], m, v, {}, {}, training, 0.0) * k; }, {noise({3, 4, 2})});
  }
}
TEST(BatchNorm, MovesRunningStatistics) {
  const Tensor x = noise({5, 3, 4}, 3, Dtype::Float32), m = zeros({3}), v = ones({3});
  const uint32_t version = m.version();
  batch_norm(x, m, v, {}, {}, true, 0.1);
  EXPECT_GT(m.version(), version);
  EXPECT_LT(distance(m, mean(x, {0, 2}) * Tensor(0.1)), 1e-6);
  EXPECT_LT(distance(v, var(x, {0, 2}) * Tensor(0.1) + Tensor(0.9)), 1e-6);
}
TEST(BatchNorm, Refuses) {
  EXPECT_THROW(batch_norm(zeros({1, 3}), {}, {}, {}, {}, true), ValueError);
  EXPECT_THROW(batch_norm(zeros({2, 3}), {}, {}), ValueError);
  EXPECT_THROW(batch_norm(zeros({2, 3}), zeros({2}), ones({2})), ShapeError);
  EXPECT_THROW(layer_norm(zeros({2, 3}), {2}), ShapeError);
  EXPECT_THROW(layer_norm(zeros({2, 3}), {3}, zeros({2})), ShapeError);
  EXPECT_THROW(group_norm(zeros({2, 3, 4}), 2), ValueError);
  EXPECT_THROW(instance_norm(zeros({2, 3, 1})), ValueError);
}
TEST(Normalize, Gradients) {
  check([&](In x) { return normalize(x[0], 2, -1); }, {noise({2, 3})});
  check([&](In x) { return normalize(x[0], 3, 0); }, {noise({2, 3})});
}
TEST(Dropout, KeepsAboutAShareAndScales) {
  manual_seed(1);
  for (Dtype d : {Dtype::Float32, Dtype::Float64}) {
    const Tensor x = ones({100000}, d).set_requires_grad(), y = dropout(x, 0.3);
    EXPECT_NEAR(mean(to(y > Tensor(0.0), Dtype::Float64)).item<double>(), 0.7, 0.01);
    EXPECT_NEAR(amax(y).item<double>(), 1 / 0.7, 1e-6);
    sum(y).backward();
    EXPECT_TRUE(equal(x.grad(), detach(y)));
  }
  EXPECT_TRUE(dropout(ones({3}), 0.5, false).defined());
  EXPECT_EQ(sum(dropout(ones({3}), 1.0)).item<float>(), 0);
  EXPECT_THROW(dropout(ones({3}), 1.5), ValueError);
  EXPECT_THROW(dropout(ones({3}), -0.1), ValueError);
  const Tensor f = feature_dropout(ones({50, 4, 9}), 0.5);
  EXPECT_EQ(sum(logical_and(amax(f, 2) > Tensor(0.0), amin(f, 2) == Tensor(0.0))).item<int64_t>(), 0);
  const Tensor a = alpha_dropout(noise({200000}, 3, Dtype::Float32), 0.2, true);
  EXPECT_NEAR(mean(a).item<float>(), 0, 0.02);
  EXPECT_NEAR(var(a).item<float>(), 1, 0.03);
}
TEST(Dropout, SameForAnyNumberOfThreadsAndDifferentiableTwice) {
  const int before = num_threads();
  Tensor first;
  for (int n : {1, 4}) {
    set_num_threads(n);
    manual_seed(9);
    const Tensor y = dropout(ones({100001}), 0.5);
    if (first.defined()) EXPECT_TRUE(equal(first, y));
    first = y;
  }
  set_num_threads(before);
  check([](In x) { manual_seed(2); return dropout(x[0] * x[0], 0.5); }, {noise({4, 3})});
}
