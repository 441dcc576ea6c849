// The less common ops from C++: special functions, sampling, CTC, bags, quantiles and selections; values by hand.
#include <gtest/gtest.h>

#include <cmath>

#include "tapegrad/fft.h"
#include "tapegrad/linalg.h"
#include "tapegrad/special.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {
Tensor floats(std::initializer_list<double> v) { return tensor(std::vector<double>(v)); }
Tensor ints(std::initializer_list<int64_t> v) { return tensor(std::vector<int64_t>(v)); }
void close(const Tensor& a, const Tensor& b, double tolerance = 1e-14) { EXPECT_TRUE(allclose(a, b, tolerance, tolerance, true)) << to_string(a) << " and " << to_string(b); }
}  // namespace

TEST(Special, ValuesAndIdentities) {
  close(special::ndtr(floats({0})), floats({0.5}));
  close(special::ndtri(special::ndtr(floats({-7, -0.3, 2}))), floats({-7, -0.3, 2}), 1e-13);
  close(igamma(floats({1, 30}), floats({2, 31})) + igammac(floats({1, 30}), floats({2, 31})), floats({1, 1}));
  close(special::zeta(floats({2}), floats({1})), floats({M_PI * M_PI / 6}));
  const Tensor x = floats({0.5, 3, 24.9, 25.1});  // the Wronskian J1 Y0 - J0 Y1 = 2 / (pi x)
  close(special::bessel_j1(x) * special::bessel_y0(x) - special::bessel_j0(x) * special::bessel_y1(x), 2 / (x * M_PI));
  close(special::chebyshev_polynomial_t(cos(x), ints({0, 5, 64, 65})), cos(x * floats({0, 5, 64, 65})), 1e-11);
}
TEST(Special, FollowsTheTape) {
  const Tensor x = floats({-1.5, 0.25, 2}).set_requires_grad();
  const auto f = [](const std::vector<Tensor>& v) { return i0(v[0]) * special::ndtr(v[0]) + special::erfcx(v[0]); };
  EXPECT_EQ(gradcheck(f, {x}, {.second_order = true}), "");
}
TEST(GridSample, TheIdentityGridGivesTheImageBack) {
  const Tensor x = reshape(arange(Scalar(24), Dtype::Float64), {1, 2, 3, 4}), identity = reshape(floats({1, 0, 0, 0, 1, 0}), {1, 2, 3});
  for (bool align : {false, true}) close(grid_sample(x, affine_grid(identity, {1, 2, 3, 4}, align), "bilinear", "zeros", align), x, 1e-12);
  close(grid_sample(x, full({1, 1, 1, 2}, 9.0, Dtype::Float64), "bilinear", "border"), reshape(floats({11, 23}), {1, 2, 1, 1}));
}
TEST(CtcLoss, SumsOverAlignments) {
  const Tensor lp = full({3, 1, 2}, std::log(0.5), Dtype::Float64);  // "1" in three steps: 1 1 1, 1 1 -, - 1 1, 1 - -, - 1 -, - - 1
  close(ctc_loss(lp, reshape(ints({1}), {1, 1}), ints({3}), ints({1})), floats({-std::log(6 * 0.125)})[0]);
}
TEST(EmbeddingBag, EmptyBagsAreZero) {
  const Tensor w = reshape(arange(Scalar(6), Dtype::Float64), {3, 2});
  close(embedding_bag(ints({2, 0, 1}), w, ints({0, 0, 2}), "mean"), reshape(floats({0, 0, 2, 3, 2, 3}), {3, 2}));
}
TEST(Statistics, QuantilesAndHistograms) {
  const Tensor x = floats({4, 1, 3, 2});
  close(quantile(x, Tensor(0.5)), floats({2.5})[0]);
  close(quantile(x, floats({0, 0.4}), {}, false, "lower"), floats({1, 2}));
  close(std::get<0>(histogram(x, 3)), floats({1, 1, 2}));
  close(segment_reduce(x, "max", ints({1, 3})), floats({4, 3}));
}
TEST(Selection, WritesAndReads) {
  const Tensor x = zeros({2, 2}, Dtype::Float64);
  fill_diagonal_(x, 3);
  close(put(x, ints({1, -2}), floats({5, 6})), reshape(floats({3, 5, 6, 3}), {2, 2}));
  close(index_reduce(x, 0, ints({1}), reshape(floats({2, 2}), {1, 2}), "prod"), reshape(floats({3, 0, 0, 6}), {2, 2}));
  EXPECT_EQ(combinations(floats({1, 2, 3}))->sizes[0], 3);
  EXPECT_EQ(unravel_index(ints({5}), {2, 3})[1].item<int64_t>(), 2);
  EXPECT_EQ(gcd(ints({12}), ints({-18})).item<int64_t>(), 6);
}
