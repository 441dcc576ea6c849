#include <gtest/gtest.h>

#include <cmath>

#include "tapegrad/tapegrad.h"

using namespace tapegrad;

static Tensor noise(IntList size, uint64_t seed = 3) {
  const Generator g(seed);
  return randn(size, Dtype::Float64, {}, false, &g);
}
static const GradcheckOptions kTwice{.second_order = true};
template <class F> static void check(F f, std::vector<Tensor> in) {
  for (const Tensor& t : in) t.set_requires_grad();
  EXPECT_EQ(gradcheck(f, in, kTwice), "");
}
using In = const std::vector<Tensor>&;

TEST(Loss, Gradients) {
  for (const char* r : {"mean", "sum", "none"}) {
    const Tensor a = noise({3, 4}), b = noise({3, 4}, 4), p = sigmoid(noise({3, 4}, 5)), q = sigmoid(noise({3, 4}, 6)), w = exp(noise({4}, 7));
    check([&](In x) { return mse_loss(x[0], x[1], r); }, {a, b});
    check([&](In x) { return l1_loss(x[0], x[1], r); }, {a, b});
    check([&](In x) { return smooth_l1_loss(x[0], x[1], r, 0.7); }, {a, b});
    check([&](In x) { return huber_loss(x[0], x[1], r, 0.7); }, {a, b});
    check([&](In x) { return binary_cross_entropy(x[0], x[1], w, r); }, {detach(p), detach(q)});
    check([&](In x) { return binary_cross_entropy_with_logits(x[0], x[1], w, {}, r); }, {a, detach(q)});
    check([&](In x) { return binary_cross_entropy_with_logits(x[0], x[1], {}, w, r); }, {a, detach(q)});
    check([&](In x) { return kl_div(x[0], x[1], r); }, {a, detach(p)});
    check([&](In x) { return kl_div(x[0], x[1], r, true); }, {a, b});
    check([&](In x) { return poisson_nll_loss(x[0], x[1], true, true, 1e-8, r); }, {a, exp(detach(b))});
    check([&](In x) { return gaussian_nll_loss(x[0], x[1], x[2], true, 1e-6, r); }, {a, b, detach(p)});
    const Tensor sign = tensor({1, -1, 1}, Dtype::Float64);
    check([&](In x) { return cosine_embedding_loss(x[0], x[1], sign, 0.1, r); }, {a, b});
    check([&](In x) { return triplet_margin_loss(x[0], x[1], x[2], 1, 2, 1e-6, true, r); }, {a, b, detach(p)});
    check([&](In x) { return soft_margin_loss(x[0], x[1], r); }, {a, b});
    check([&](In x) { return multilabel_soft_margin_loss(x[0], detach(q), w, r); }, {a});
  }
  check([&](In x) { return cosine_similarity(x[0], x[1]); }, {noise({3, 4}), noise({3, 4}, 4)});
  check([&](In x) { return kl_div(x[0], x[1], "batchmean", true); }, {noise({3, 4}), noise({3, 4}, 4)});
}
TEST(Loss, SurvivesTheEdges) {
  const Tensor x = tensor({0, 1, 0, 1}, Dtype::Float32).set_requires_grad(), t = tensor({0, 1, 1, 0}, Dtype::Float32);
  const Tensor l = binary_cross_entropy(x, t);
  EXPECT_FLOAT_EQ(l.item<float>(), 50);
  l.backward();
  EXPECT_TRUE(all(isfinite(x.grad())).item<bool>());
  EXPECT_FLOAT_EQ(binary_cross_entropy_with_logits(tensor({1000, -1000}, Dtype::Float32), tensor({0, 1}, Dtype::Float32)).item<float>(), 1000);
}
TEST(Loss, Refuses) {
  const Tensor a = zeros({2, 3}), b = zeros({3, 2});
  EXPECT_THROW(mse_loss(a, a, "average"), ValueError);
  EXPECT_THROW(binary_cross_entropy(a, b), ShapeError);
  EXPECT_THROW(binary_cross_entropy(full({2}, 1.5), zeros({2})), ValueError);
  EXPECT_THROW(huber_loss(a, a, "mean", 0), ValueError);
  try {
    l1_loss(a, a, "average");
    FAIL();
  } catch (const ValueError& e) {
    EXPECT_NE(std::string(e.what()).find("'average'"), std::string::npos) << e.what();
  }
}
