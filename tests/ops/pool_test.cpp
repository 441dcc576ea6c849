#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tapegrad/ops.h"

using namespace tapegrad;

namespace {

Tensor counted(IntList size) {
  Tensor x = empty(size, float64);
  for (int64_t i = 0; i < x.numel(); i++) x.data_ptr<double>()[i] = std::sin(double(i) * 1.7 + 1) + 1e-3 * double(i % 97);
  return x;
}
Tensor leaf(IntList size) {
  Tensor x = counted(size);
  x.set_requires_grad();
  return x;
}
const GradcheckOptions twice{.second_order = true};
const double nan_ = std::numeric_limits<double>::quiet_NaN();

struct Case {
  int64_t h, w;
  Shape kernel, stride, pad{0, 0}, dilation{1, 1};
  bool ceil = false;
};
const Case cases[] = {
    {6, 8, {2, 2}, {2, 2}}, {7, 20, {3, 3}, {2, 2}, {1, 1}}, {9, 7, {3, 2}, {1, 3}, {1, 0}, {1, 1}, true}, {9, 30, {3, 3},
        {1, 2}, {1, 1}, {2, 2}}, {5, 5, {5, 5}, {1, 1}}, {3, 600, {2, 3}, {1, 2}, {1, 1}},
    {5, 11, {2, 2}, {2, 2}, {0, 0}, {1, 1}, true}, {4, 4, {3, 3}, {5, 5}, {1, 1}, {1, 1}, true},
};
TEST(MaxPool, AgreesWithTheDefinition) {
  for (const Case& c : cases) {
    Tensor x = counted({2, 3, c.h, c.w});
    x.data_ptr<double>()[4] = nan_;
    const auto [y, index] = max_pool2d_with_indices(x, c.kernel, c.stride, c.pad, c.dilation, c.ceil);
    const Tensor only = max_pool2d(x, c.kernel, c.stride, c.pad, c.dilation, c.ceil), single = max_pool2d(to(x, float32),
        c.kernel, c.stride, c.pad, c.dilation, c.ceil);
    const int64_t oh = y.size(2), ow = y.size(3);
    for (int64_t p = 0; p < 6; p++) for (int64_t i = 0; i < oh; i++) for (int64_t j = 0; j < ow; j++) {
      double best = -INFINITY;
      int64_t place = -1;
      for (int64_t r = 0; r < c.kernel[0]; r++) for (int64_t q = 0; q < c.kernel[1]; q++) {
        const int64_t h = i * c.stride[0] - c.pad[0] + r * c.dilation[0], v = j * c.stride[1] - c.pad[1] + q * c.dilation[1];
        if (h < 0 || h >= c.h || v < 0 || v >= c.w) continue;
        const double value = x.data_ptr<double>()[(p * c.h + h) * c.w + v];
        if (value > best || std::isnan(value)) best = value, place = h * c.w + v;
      }
      const int64_t at = (p * oh + i) * ow + j;
      ASSERT_EQ(index.data_ptr<int64_t>()[at], place);
      if (std::isnan(best)) {
        ASSERT_TRUE(std::isnan(y.data_ptr<double>()[at]) && std::isnan(only.data_ptr<double>()[at]) &&
            std::isnan(single.data_ptr<float>()[at]));
      } else {
        ASSERT_EQ(y.data_ptr<double>()[at], best);
        ASSERT_EQ(only.data_ptr<double>()[at], best);
        ASSERT_EQ(single.data_ptr<float>()[at], float(best));
      }
    }
  }
}
TEST(AvgPool, AgreesWithTheDefinition) {
  for (const Case& c : cases) {
    if (c.dilation[0] > 1) continue;
    for (bool include : {true, false}) {
      const Tensor x = counted({2, 3, c.h, c.w}), y = avg_pool2d(x, c.kernel, c.stride, c.pad, c.ceil, include);
      const int64_t oh = y.size(2), ow = y.size(3);
      for (int64_t p = 0; p < 6; p++) for (int64_t i = 0; i < oh; i++) for (int64_t j = 0; j < ow; j++) {
        double sum = 0;
        int64_t seen = 0, padded = 0;
        for (int64_t r = 0; r < c.kernel[0]; r++) for (int64_t q = 0; q < c.kernel[1]; q++) {
          const int64_t h = i * c.stride[0] - c.pad[0] + r, v = j * c.stride[1] - c.pad[1] + q;
          padded += h < c.h + c.pad[0] && v < c.w + c.pad[1];
          if (h < 0 || h >= c.h || v < 0 || v >= c.w) continue;
          sum += x.data_ptr<double>()[(p * c.h + h) * c.w + v], seen++;
        }
        ASSERT_NEAR(y.data_ptr<double>()[(p * oh + i) * ow + j], sum / double(include ? padded : seen), 1e-12);
      }
    }
  }
}
TEST(Pool, HasGradients) {
  const auto max2 = [](const std::vector<Tensor>& x) { return max_pool2d(x[0], {2, 3}, {1, 2}, {1, 1}); };
  EXPECT_EQ(gradcheck(max2, {leaf({2, 2, 4, 9})}, twice), "");
  const auto max1 = [](const std::vector<Tensor>& x) { return max_pool1d(x[0], 2, 1, 0, 2); };
  EXPECT_EQ(gradcheck(max1, {leaf({2, 7})}, twice), "");
  const auto max3 = [](const std::vector<Tensor>& x) { return max_pool3d(x[0], 2, 2, 0, 1, true); };
  EXPECT_EQ(gradcheck(max3, {leaf({1, 3, 2, 5})}, twice), "");
  const auto avg2 = [](const std::vector<Tensor>& x) { return avg_pool2d(x[0], {3, 2}, {2, 1}, 1, true, false); };
  EXPECT_EQ(gradcheck(avg2, {leaf({2, 4, 8})}, twice), "");
  const auto avg3 = [](const std::vector<Tensor>& x) { return avg_pool3d(x[0], 2, 1, 1, false, true, 5); };
  EXPECT_EQ(gradcheck(avg3, {leaf({1, 2, 3, 3})}, twice), "");
  const auto adaptive = [](const std::vector<Tensor>& x) { return adaptive_avg_pool2d(x[0], {2, 3}); };
  EXPECT_EQ(gradcheck(adaptive, {leaf({2, 5, 4})}, twice), "");
  const auto largest = [](const std::vector<Tensor>& x) { return adaptive_max_pool2d(x[0], {3, 2}); };
  EXPECT_EQ(gradcheck(largest, {leaf({2, 5, 5})}, twice), "");
}
TEST(Pool, IntegersAndEmptyBatches) {
  Tensor x = arange(16);
  x = view(x, {1, 4, 4});
  const Tensor y = max_pool2d(x, 2);
  EXPECT_EQ(y.dtype(), int64);
  EXPECT_EQ(y.data_ptr<int64_t>()[3], 15);
  EXPECT_EQ(max_pool2d(counted({0, 3, 4, 4}), 2).sizes(), (Shape{0, 3, 2, 2}));
  EXPECT_EQ(adaptive_avg_pool2d(counted({2, 3, 4, 4}), 0).sizes(), (Shape{2, 3, 0, 0}));
}
TEST(Pool, SaysWhatDoesNotFit) {
  EXPECT_THROW(max_pool2d(counted({1, 1, 4, 4}), 6), ShapeError);
  EXPECT_THROW(max_pool2d(counted({1, 1, 4, 4}), 2, 2, 2), ShapeError);
  EXPECT_THROW(max_pool2d(counted({4}), 2), ShapeError);
  EXPECT_THROW(max_pool2d(counted({1, 0, 4, 4}), 2), ShapeError);
  EXPECT_THROW(avg_pool2d(counted({1, 4, 4}), 2, 2, 0, false, true, 0), ValueError);
  EXPECT_THROW(avg_pool2d(to(counted({1, 4, 4}), int32), 2), DtypeError);
  EXPECT_THROW(adaptive_avg_pool2d(counted({1, 4, 4}), {1, 2, 3}), ShapeError);
}

}  // namespace
