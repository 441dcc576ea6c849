#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "src/tensor/parallel.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

// Numbers in [-1, 1) that no summation order finds easy.
static Tensor noise(IntList size, Dtype dtype = Dtype::Float32, uint32_t seed = 1) {
  Tensor t = empty(size, Dtype::Float64);
  for (int64_t i = 0; i < t.numel(); i++) {
    seed = seed * 1664525u + 1013904223u;
    t.data_ptr<double>()[i] = double(seed >> 8) / (1 << 23) - 1;
  }
  return to(t, dtype);
}
static double at(const Tensor& t, int64_t i) { return to(contiguous(t), Dtype::Float64).data_ptr<double>()[i]; }

TEST(Sum, AgreesWithALoopOverAllDimsAndLayouts) {
  for (Dtype d : {Dtype::Float32, Dtype::Float64, Dtype::Float16, Dtype::BFloat16, Dtype::Int64, Dtype::Int32, Dtype::UInt8}) {
    Tensor base = is_floating(d) ? noise({5, 33, 70}, d) : to(noise({5, 33, 70}, Dtype::Float64) * Scalar(50), d);
    if (d == Dtype::UInt8) base = to(base == Tensor(3), d);
    for (const Tensor& x : {base, transpose(base, 0, 2), transpose(base, 1, 2), slice(base, 2, 1, 60, 3), expand(select(base, 1, 0), {4, 5, 70})})
      for (uint32_t mask = 0; mask < 8; mask++) {
        Shape dims, left;
        for (int k = 0; k < 3; k++) (mask >> k & 1 ? dims : left).push_back(k);
        const Tensor s = mask ? sum(x, dims) : sum(x);
        const Tensor wide = contiguous(to(x, Dtype::Float64));
        std::vector<double> want(size_t(s.numel()), 0.0);
        int64_t index = 0;
        for (int64_t i = 0; i < x.size(0); i++)
          for (int64_t j = 0; j < x.size(1); j++)
            for (int64_t k = 0; k < x.size(2); k++) {
              int64_t o = 0;
              const int64_t place[3] = {i, j, k};
              if (mask) for (int64_t l : left) o = o * x.size(l) + place[l];
              want[size_t(o)] += wide.data_ptr<double>()[index++];
            }
        for (int64_t o = 0; o < s.numel(); o++) {
          const double tol = d == Dtype::Float16 ? 2e-2 : d == Dtype::BFloat16 ? 0.3 : 1e-3;
          ASSERT_NEAR(at(s, o), want[size_t(o)], tol + std::fabs(want[size_t(o)]) * tol) << name(d) << " mask " << mask << " at " << o;
        }
      }
  }
}
TEST(Sum, HasTheSameBitsForAnyNumberOfThreads) {
  const Tensor x = noise({300, 1000}), y = noise({3000000});
  const int before = num_threads();
  std::vector<float> first;
  for (int n : {1, 2, 5}) {
    set_num_threads(n);
    std::vector<float> v;
    for (const Tensor& s : {sum(x), sum(x, 0), sum(x, 1), sum(y), sum(transpose(x, 0, 1), 1)})
      for (int64_t i = 0; i < s.numel(); i++) v.push_back(s.data_ptr<float>()[i]);
    if (first.empty()) first = v;
    EXPECT_EQ(first, v) << n << " threads";
  }
  set_num_threads(before);
}
TEST(Sum, KeepsPrecisionOverManyElements) {
  const Tensor x = noise({3000000});
  EXPECT_NEAR(sum(x).item<float>(), sum(to(x, Dtype::Float64)).item<double>(), 0.02);
  EXPECT_NEAR(sum(reshape(x, {1000000, 3}), 0).data_ptr<float>()[1], sum(to(reshape(x, {1000000, 3}), Dtype::Float64), 0).data_ptr<double>()[1], 0.02);
}
TEST(Sum, EmptyAndZeroDimensional) {
  EXPECT_EQ(sum(zeros({0, 3})).item<float>(), 0);
  EXPECT_EQ(sum(zeros({0, 3}), 0).shape(), IntList({3}));
  EXPECT_EQ(sum(zeros({0, 3}), 1).shape(), IntList({0}));
  EXPECT_EQ(sum(full({}, 2.5)).item<float>(), 2.5f);
  EXPECT_EQ(sum(full({}, 2.5), -1).item<float>(), 2.5f);
  EXPECT_TRUE(std::isnan(mean(zeros({0})).item<float>()));
  EXPECT_EQ(sum(full({3}, true)).dtype(), Dtype::Int64);
  EXPECT_EQ(sum(full({3}, true)).item<int64_t>(), 3);
}
TEST(Sum, RefusesBadDims) {
  EXPECT_THROW(sum(zeros({2, 3}), 2), IndexError);
  EXPECT_THROW(sum(zeros({2, 3}), {0, -2}), ValueError);
  EXPECT_THROW(mean(zeros({2}, Dtype::Int64)), DtypeError);
  EXPECT_THROW(sum_to_size(zeros({2, 3}), {2}), ShapeError);
}
TEST(Sum, Gradients) {
  const GradcheckOptions twice{.second_order = true};
  auto square = [](const Tensor& t) { return t * t; };
  for (const Tensor& x : {noise({2, 3, 4}, Dtype::Float64), transpose(noise({4, 3, 2}, Dtype::Float64), 0, 2), noise({}, Dtype::Float64), noise({0, 3}, Dtype::Float64)}) {
    x.set_requires_grad();
    EXPECT_EQ(gradcheck([&](const std::vector<Tensor>& in) { return square(sum(in[0])); }, {x}, twice), "");
    EXPECT_EQ(gradcheck([&](const std::vector<Tensor>& in) { return square(mean(in[0], -1, true)); }, {x}, twice), "");
    EXPECT_EQ(gradcheck([&](const std::vector<Tensor>& in) { return square(sum(in[0], 0)); }, {x}, twice), "");
  }
  const Tensor x = noise({2, 3, 4}, Dtype::Float64).set_requires_grad();
  EXPECT_EQ(gradcheck([&](const std::vector<Tensor>& in) { return square(sum_to_size(in[0], {3, 1})); }, {x}, twice), "");
  EXPECT_EQ(gradcheck([&](const std::vector<Tensor>& in) { return square(sum(in[0], {0, 2})); }, {x}, twice), "");
}
