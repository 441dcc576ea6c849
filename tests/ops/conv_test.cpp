#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "src/tensor/parallel.h"
#include "tapegrad/ops.h"

using namespace tapegrad;

namespace {

Tensor counted(IntList size, double phase = 1) {
  Tensor x = empty(size, float64);
  for (int64_t i = 0; i < x.numel(); i++) x.data_ptr<double>()[i] = std::sin(double(i) * 1.7 + phase);
  return x;
}
Tensor leaf(IntList size) {
  Tensor x = counted(size);
  x.set_requires_grad();
  return x;
}
const GradcheckOptions twice{.second_order = true};

struct Case {
  Shape x, w;
  Shape stride{1, 1}, pad{0, 0}, dilation{1, 1};
  int64_t groups = 1;
};
// The definition, number by number.
Tensor reference(const Tensor& x, const Tensor& w, const Tensor& bias, const Case& c) {
  const int64_t oh = (x.size(2) + 2 * c.pad[0] - c.dilation[0] * (w.size(2) - 1) - 1) / c.stride[0] + 1, ow =
      (x.size(3) + 2 * c.pad[1] - c.dilation[1] * (w.size(3) - 1) - 1) / c.stride[1] + 1;
  Tensor y = empty({x.size(0), w.size(0), oh, ow}, float64);
  double* out = y.data_ptr<double>();
  const int64_t per_group = w.size(0) / c.groups;
  for (int64_t n = 0; n < x.size(0); n++) for (int64_t k = 0; k < w.size(0); k++) for (int64_t i = 0; i < oh;
      i++) for (int64_t j = 0; j < ow; j++) {
    double s = bias.defined() ? bias.data_ptr<double>()[k] : 0;
    for (int64_t ch = 0; ch < w.size(1); ch++) for (int64_t r = 0; r < w.size(2); r++) for (int64_t q = 0; q < w.size(3); q++) {
      const int64_t h = i * c.stride[0] - c.pad[0] + r * c.dilation[0], v = j * c.stride[1] - c.pad[1] + q * c.dilation[1];
      if (h < 0 || h >= x.size(2) || v < 0 || v >= x.size(3)) continue;
      const int64_t from = k / per_group * w.size(1) + ch;
      s += x.data_ptr<double>()[((n * x.size(1) + from) * x.size(2) + h) * x.size(3) + v] * w.data_ptr<double>()[((k * w.size(1) + ch) * w.size(2) + r) * w.size(3) + q];
    }
    *out++ = s;
  }
  return y;
}
void expect_near(const Tensor& a, const Tensor& b, double tolerance) {
  ASSERT_EQ(a.sizes(), b.sizes());
  const Tensor x = contiguous(to(a, float64)), y = contiguous(to(b, float64));
  for (int64_t i = 0; i < x.numel(); i++) ASSERT_NEAR(x.data_ptr<double>()[i], y.data_ptr<double>()[i],
      tolerance) << "at " << i << " of " << to_string(a.sizes());
}
double total(const Tensor& a, const Tensor& b) { return sum(mul(a, b)).item<double>(); }

const Case cases[] = {
    {{2, 3, 6, 7}, {4, 3, 3, 2}}, {{2, 3, 6, 7}, {4, 3, 3, 3}, {2, 1}, {1, 2}}, {{3, 4, 9, 8}, {6, 2, 3, 2}, {1, 2}, {2, 0},
        {2, 3}, 2}, {{5, 6, 7, 7}, {6, 1, 3, 3}, {1, 1}, {1, 1}, {1, 1}, 6},
    {{2, 4, 7, 9}, {8, 1, 3, 5}, {2, 3}, {2, 2}, {2, 1}, 4}, {{3, 5, 4, 4}, {6, 5, 1, 1}}, {{1, 5, 20, 30}, {6, 5, 1, 1}},
        {{2, 4, 6, 6}, {6, 2, 1, 1}, {2, 2}, {0, 0}, {1, 1}, 2}, {{20, 2, 5, 5}, {3, 2, 5, 5}},
    {{1, 3, 70, 70}, {4, 3, 3, 3}, {1, 1}, {1, 1}}, {{40, 16, 8, 8}, {20, 16, 3, 3}, {1, 1}, {1, 1}}, {{2, 33, 12, 12},
        {5, 33, 3, 3}, {1, 1}, {1, 1}}, {{2, 1, 3, 3}, {2, 1, 2, 2}, {3, 3}, {4, 4}},
};

TEST(Conv, AgreesWithTheDefinitionInBothPrecisions) {
  for (const Case& c : cases) {
    const Tensor x = counted(c.x), w = counted(c.w, 2), bias = counted({c.w[0]}, 3), want = reference(x, w, bias, c);
    expect_near(conv2d(x, w, bias, c.stride, c.pad, c.dilation, c.groups), want, 1e-11);
    expect_near(conv2d(to(x, float32), to(w, float32), to(bias, float32), c.stride, c.pad, c.dilation, c.groups), want, 1e-3);
    expect_near(conv2d(x, w, {}, c.stride, c.pad, c.dilation, c.groups), reference(x, w, {}, c), 1e-11);
  }
}
// sum(g · conv(x, w)) is linear in x and in w, so each gradient paired with its operand gives it again.
TEST(Conv, GradientsPairWithTheForward) {
  for (const Case& c : cases) {
    const Tensor x = leaf(c.x), w = leaf(c.w), y = conv2d(x, w, {}, c.stride, c.pad, c.dilation, c.groups), g = counted(y.sizes(), 5);
    y.backward(g);
    const double want = total(detach(y), g);
    EXPECT_NEAR(total(detach(x), x.grad()), want, 1e-8 * (1 + std::abs(want)));
    EXPECT_NEAR(total(detach(w), w.grad()), want, 1e-8 * (1 + std::abs(want)));
    // and so for any other operand
    const Tensor other = counted(c.w, 7);
    EXPECT_NEAR(total(other, w.grad()), total(conv2d(detach(x), other, {}, c.stride, c.pad, c.dilation, c.groups), g),
        1e-8 * (1 + std::abs(want)));
    const Tensor image = counted(c.x, 7);
    EXPECT_NEAR(total(image, x.grad()), total(conv2d(image, detach(w), {}, c.stride, c.pad, c.dilation, c.groups), g),
        1e-8 * (1 + std::abs(want)));
  }
}
TEST(Conv, Gradcheck) {
  const auto f = [](const std::vector<Tensor>& x) { return conv2d(x[0], x[1], x.size() > 2 ? x[2] : Tensor(), 2, 1, {1, 2}); };
  EXPECT_EQ(gradcheck(f, {leaf({2, 2, 5, 5}), leaf({3, 2, 3, 2}), leaf({3})}, twice), "");
  const auto grouped = [](const std::vector<Tensor>& x) { return conv2d(x[0], x[1], x[2], 1, 1, 1, 2); };
  EXPECT_EQ(gradcheck(grouped, {leaf({1, 4, 3, 3}), leaf({4, 2, 3, 3}), leaf({4})}, twice), "");
  const auto depthwise = [](const std::vector<Tensor>& x) { return conv2d(x[0], x[1], x[2], {1, 2}, 1, 1, 2); };
  EXPECT_EQ(gradcheck(depthwise, {leaf({2, 2, 3, 4}), leaf({4, 1, 3, 3}), leaf({4})}, twice), "");
  const auto one = [](const std::vector<Tensor>& x) { return conv2d(x[0], x[1], x[2]); };
  EXPECT_EQ(gradcheck(one, {leaf({2, 3, 3, 3}), leaf({2, 3, 1, 1}), leaf({2})}, twice), "");
  const auto flat = [](const std::vector<Tensor>& x) { return conv1d(x[0], x[1], x[2], 2, 1); };
  EXPECT_EQ(gradcheck(flat, {leaf({3, 6}), leaf({2, 3, 3}), leaf({2})}, twice), "");
  const auto solid = [](const std::vector<Tensor>& x) { return conv3d(x[0], x[1], x[2], {1, 2, 1}, {0, 1, 1}); };
  EXPECT_EQ(gradcheck(solid, {leaf({1, 2, 3, 3, 2}), leaf({2, 2, 2, 2, 2}), leaf({2})}, twice), "");
}
TEST(ConvTranspose, Gradcheck) {
  const auto f = [](const std::vector<Tensor>& x) { return conv_transpose2d(x[0], x[1], x[2], 2, 1, 1); };
  EXPECT_EQ(gradcheck(f, {leaf({2, 2, 3, 3}), leaf({2, 3, 3, 3}), leaf({3})}, twice), "");
  const auto grouped = [](const std::vector<Tensor>& x) { return conv_transpose2d(x[0], x[1], x[2], {2, 1}, 0, {1, 0}, 2, {1, 2}); };
  EXPECT_EQ(gradcheck(grouped, {leaf({1, 4, 2, 3}), leaf({4, 1, 2, 2}), leaf({2})}, twice), "");
  const auto one = [](const std::vector<Tensor>& x) { return conv_transpose2d(x[0], x[1], x[2]); };
  EXPECT_EQ(gradcheck(one, {leaf({2, 2, 3, 3}), leaf({2, 3, 1, 1}), leaf({3})}, twice), "");
}
TEST(Conv, WinogradAgreesWithDoublePrecision) {
  const Case wide[] = {{{3, 16, 14, 15}, {20, 16, 3, 3}, {1, 1}, {1, 1}}, {{1, 33, 40, 37}, {16, 33, 3, 3}}, {{20, 64, 4, 4},
      {64, 64, 3, 3}, {1, 1}, {2, 2}}, {{5, 17, 7, 7}, {130, 17, 3, 3}, {1, 1}, {1, 1}},
                       {{2, 128, 30, 9}, {128, 128, 3, 3}, {1, 1}, {1, 1}}};
  for (const Case& c : wide) {
    const Tensor x = leaf(c.x), w = leaf(c.w), bias = counted({c.w[0]}, 3), y = conv2d(x, w, bias, c.stride, c.pad), g =
        counted(y.sizes(), 5);
    y.backward(g);
    const Tensor x32 = to(detach(x), float32), w32 = to(detach(w), float32);
    x32.set_requires_grad(), w32.set_requires_grad();
    const Tensor y32 = conv2d(x32, w32, to(bias, float32), c.stride, c.pad);
    y32.backward(to(g, float32));
    expect_near(detach(y32), detach(y), 3e-4);
    expect_near(x32.grad(), x.grad(), 3e-4);
    expect_near(w32.grad(), w.grad(), 3e-3);
  }
}
TEST(Conv, TakesAnyLayoutAndEmptyBatches) {
  const Case c{{2, 3, 6, 7}, {4, 3, 3, 3}};
  const Tensor x = counted({7, 6, 3, 2}), w = counted({3, 3, 3, 4}), xt = permute(x, {3, 2, 1, 0}), wt = permute(w, {3, 2, 1, 0});
  expect_near(conv2d(xt, wt), reference(contiguous(xt), contiguous(wt), {}, c), 1e-11);
  EXPECT_EQ(conv2d(counted({0, 3, 6, 6}), wt).sizes(), (Shape{0, 4, 4, 4}));
  EXPECT_EQ(conv2d(counted({3, 6, 6}), wt).sizes(), (Shape{4, 4, 4}));
  const Tensor e = leaf({0, 3, 6, 6}), k = leaf({4, 3, 3, 3});
  sum(conv2d(e, k)).backward();
  expect_near(k.grad(), zeros({4, 3, 3, 3}, float64), 0);
}
TEST(Conv, ResultDoesNotDependOnThreads) {
  const Tensor x = to(counted({6, 20, 33, 31}), float32), w = to(counted({18, 20, 3, 3}), float32);
  const auto run = [&](int threads) {
    set_num_threads(threads);
    const Tensor a = detach(x), b = detach(w);
    a.set_requires_grad(), b.set_requires_grad();
    const Tensor y = conv2d(a, b, {}, 1, 1);
    y.backward(detach(y));
    return std::vector<Tensor>{detach(y), a.grad(), b.grad()};
  };
  const auto one = run(1), two = run(2);
  for (int k = 0; k < 3; k++) EXPECT_EQ(std::memcmp(one[k]->data, two[k]->data, size_t(one[k].nbytes())), 0) << k;
}
TEST(Conv, SaysWhatDoesNotFit) {
  const auto says = [](auto f, const char* text) {
    try {
      f();
      ADD_FAILURE() << "no error: " << text;
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find(text), std::string::npos) << e.what();
    }
  };
  const Tensor x = counted({1, 2, 4, 4});
  says([&] { conv2d(x, counted({3, 2, 5, 5})); },
      "conv2d: kernel size can't be greater than actual input size, got 5 (with dilation) and 4");
  says([&] { conv2d(x, counted({3, 3, 2, 2})); }, "input must have 3 channels");
  says([&] { conv2d(x, counted({3, 3, 2, 2})); }, "weight: float64[3, 3, 2, 2] cpu");
  says([&] { conv2d(x, counted({3, 1, 2, 2}), {}, 1, 0, 1, 2); }, "divisible by groups, got 3 and groups=2");
  says([&] { conv2d(x, counted({3, 2, 2, 2}), counted({2})); }, "bias must have shape [3], got [2]");
  says([&] { conv2d(x, counted({3, 2, 2})); }, "weight must have 4 dimensions, got 3");
  says([&] { conv2d(counted({2, 2}), counted({3, 2, 2, 2})); }, "input must have 4 dimensions, or 3 without a batch, got 2");
  says([&] { conv2d(x, counted({3, 2, 2, 2}), {}, 0); }, "stride must be positive, got [0]");
  says([&] { conv2d(x, counted({3, 2, 2, 2}), {}, {1, 2, 3}); }, "stride must have 1 or 2 entries, got [1, 2, 3]");
  says([&] { conv_transpose2d(x, counted({2, 2, 2, 2}), {}, 1, 0, 1); }, "output_padding must be smaller than stride or dilation");
  EXPECT_THROW(conv2d(x, to(counted({3, 2, 2, 2}), float32)), DtypeError);
}

}  // namespace
