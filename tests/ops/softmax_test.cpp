#include <gtest/gtest.h>

#include <cmath>

#include "tapegrad/tapegrad.h"

using namespace tapegrad;

static Tensor noise(IntList size, Dtype dtype = Dtype::Float64) {
  const Generator g(3);
  return to(randn(size, Dtype::Float64, {}, false, &g), dtype);
}
static double at(const Tensor& t, int64_t i) { return to(contiguous(t), Dtype::Float64).data_ptr<double>()[i]; }

TEST(Softmax, AgreesWithALoop) {
  for (Dtype d : {Dtype::Float32, Dtype::Float64, Dtype::Float16, Dtype::BFloat16})
    for (const Shape& size : {Shape({3, 5, 7}), Shape({2, 300, 3}), Shape({4, 2, 130}), Shape({2, 3, 1})})
      for (int64_t dim = 0; dim < 3; dim++) {
        const Tensor x = noise(size, d), y = softmax(x, dim), l = log_softmax(x, dim);
        const Tensor wide = transpose(to(x, Dtype::Float64), dim, 2), p = transpose(y, dim, 2), q = transpose(l, dim, 2);
        const int64_t n = x.size(dim), rows = x.numel() / n;
        const double tol = d == Dtype::Float64 ? 1e-12 : d == Dtype::Float32 ? 1e-5 : 3e-2;
        for (int64_t r = 0; r < rows; r += 7) {
          double s = 0;
          const Tensor row = contiguous(wide);
          for (int64_t i = 0; i < n; i++) s += std::exp(row.data_ptr<double>()[r * n + i]);
          for (int64_t i = 0; i < n; i += 3) {
            const double v = row.data_ptr<double>()[r * n + i];
            ASSERT_NEAR(at(p, r * n + i), std::exp(v) / s, tol);
            ASSERT_NEAR(at(q, r * n + i), v - std::log(s), tol * 10);
          }
        }
      }
}
TEST(Softmax, DoesNotOverflow) {
  const Tensor x = tensor({1000, 1001, -INFINITY}, Dtype::Float32);
  EXPECT_NEAR(at(softmax(x, 0), 1), 0.7310586, 1e-6);
  EXPECT_EQ(at(softmax(x, 0), 2), 0);
  EXPECT_NEAR(at(log_softmax(x, 0), 0), -1.3132617, 1e-6);
}
TEST(Softmax, Gradients) {
  const GradcheckOptions twice{.second_order = true};
  for (const Tensor& x : {noise({2, 5}), transpose(noise({5, 2}), 0, 1), noise({2, 3, 4}), noise({}), noise({0, 3})})
    for (int64_t dim : {int64_t(0), int64_t(-1)}) {
      const Tensor w = noise(x.sizes());
      x.set_requires_grad();
      EXPECT_EQ(gradcheck([&](const std::vector<Tensor>& in) { return softmax(in[0], dim) * w; }, {x}, twice), "");
      EXPECT_EQ(gradcheck([&](const std::vector<Tensor>& in) { return log_softmax(in[0], dim) * w; }, {x}, twice), "");
    }
}
TEST(Softmax, Refuses) {
  EXPECT_THROW(softmax(zeros({2, 3}), 2), IndexError);
  EXPECT_THROW(softmax(zeros({2, 3}, Dtype::Int64), 0), DtypeError);
}
TEST(CrossEntropy, Gradients) {
  const GradcheckOptions twice{.second_order = true};
  const Tensor t = tensor({1, 4, 0}, Dtype::Int64), w = exp(noise({5}));
  const Tensor x = noise({3, 5}).set_requires_grad();
  for (const char* reduction : {"mean", "sum", "none"})
    for (double smoothing : {0.0, 0.2})
      for (const Tensor& weight : {Tensor(), w})
        for (int64_t ignored : {-100, 4}) {
          EXPECT_EQ(gradcheck([&](const std::vector<Tensor>& in) { return cross_entropy(in[0], t, weight, ignored, reduction, smoothing); }, {x}, twice), "") << reduction << smoothing << weight.defined() << ignored;
          EXPECT_EQ(gradcheck([&](const std::vector<Tensor>& in) { return nll_loss(in[0] * in[0], t, weight, ignored, reduction); }, {x}, twice), "");
        }
  const Tensor many = noise({2, 5, 3}).set_requires_grad(), classes = randint(0, 5, {2, 3});
  EXPECT_EQ(gradcheck([&](const std::vector<Tensor>& in) { return cross_entropy(in[0], classes); }, {many}, twice), "");
  const Tensor one = noise({5}).set_requires_grad();
  EXPECT_EQ(gradcheck([&](const std::vector<Tensor>& in) { return cross_entropy(in[0], tensor({2}, Dtype::Int64).dim() ? squeeze(tensor({2}, Dtype::Int64)) : Tensor()); }, {one}, twice), "");
  const Tensor p = softmax(noise({3, 5}), 1).set_requires_grad();
  EXPECT_EQ(gradcheck([&](const std::vector<Tensor>& in) { return cross_entropy(in[0], in[1], w, -100, "mean", 0.1); }, {x, p}, twice), "");
}
TEST(CrossEntropy, IsMinusLogSoftmaxAtTheClass) {
  const Tensor x = noise({4, 7}, Dtype::Float32), t = tensor({0, 6, 3, 3}, Dtype::Int64), l = log_softmax(x, 1);
  double want = 0;
  for (int64_t r = 0; r < 4; r++) want -= at(l, r * 7 + t.data_ptr<int64_t>()[r]) / 4;
  EXPECT_NEAR(at(cross_entropy(x, t), 0), want, 1e-6);
  EXPECT_NEAR(at(nll_loss(l, t), 0), want, 1e-6);
  EXPECT_TRUE(std::isnan(at(cross_entropy(x, full({4}, -100)), 0)));
  EXPECT_EQ(cross_entropy(noise({2, 5, 3, 4}), zeros({2, 3, 4}, Dtype::Int64), {}, -100, "none").shape(), IntList({2, 3, 4}));
}
TEST(CrossEntropy, Refuses) {
  EXPECT_THROW(cross_entropy(zeros({2, 3}), full({2}, 3)), IndexError);
  EXPECT_THROW(cross_entropy(zeros({2, 3}), full({3}, 0)), ShapeError);
  EXPECT_THROW(cross_entropy(zeros({2, 3}), full({2}, 0), {}, -100, "avg"), ValueError);
  EXPECT_THROW(cross_entropy(zeros({2, 3}), full({2}, 0), zeros({2})), ShapeError);
  EXPECT_THROW(cross_entropy(zeros({2, 3}), zeros({2}, Dtype::Int32)), DtypeError);
}
