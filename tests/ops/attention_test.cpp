#include <gtest/gtest.h>

#include <cmath>

#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

Tensor counted(IntList size, double phase = 1) {
  Tensor x = empty(size, float64);
  for (int64_t i = 0; i < x.numel(); i++) x.data_ptr<double>()[i] = std::sin(double(i) * 1.7 + phase);
  return x;
}
Tensor leaf(IntList size, double phase) {
  Tensor x = counted(size, phase);
  x.set_requires_grad();
  return x;
}
const GradcheckOptions twice{.second_order = true};

TEST(Attention, AgreesWithTheDefinition) {
  const int64_t L = 3, S = 5, E = 4, V = 2;
  const Tensor q = counted({2, L, E}), k = counted({2, S, E}, 2), v = counted({2, S, V}, 3), mask = counted({L, S}, 4);
  for (int kind = 0; kind < 3; kind++) {
    const Tensor y = scaled_dot_product_attention(q, k, v, kind == 1 ? mask : Tensor(), 0, kind == 2);
    for (int64_t b = 0; b < 2; b++) for (int64_t i = 0; i < L; i++) {
      double weight[5], total = 0;
      for (int64_t j = 0; j < S; j++) {
        double s = 0;
        for (int64_t e = 0; e < E; e++) s += q.data_ptr<double>()[(b * L + i) * E + e] * k.data_ptr<double>()[(b * S + j) * E + e];
        weight[j] = kind == 2 && j > i ? 0 : std::exp(s / 2 + (kind == 1 ? mask.data_ptr<double>()[i * S + j] : 0));
        total += weight[j];
      }
      for (int64_t e = 0; e < V; e++) {
        double s = 0;
        for (int64_t j = 0; j < S; j++) s += weight[j] / total * v.data_ptr<double>()[(b * S + j) * V + e];
        EXPECT_NEAR(y.data_ptr<double>()[(b * L + i) * V + e], s, 1e-12);
      }
    }
  }
}
TEST(Attention, HasGradients) {
  const auto f = [](const std::vector<Tensor>& x) { return scaled_dot_product_attention(x[0], x[1], x[2], x.size() > 3 ? x[3]
      : Tensor()); };
  EXPECT_EQ(gradcheck(f, {leaf({2, 3, 4}, 1), leaf({2, 3, 4}, 2), leaf({2, 3, 2}, 3), leaf({3, 3}, 4)}, twice), "");
  const auto causal = [](const std::vector<Tensor>& x) { return scaled_dot_product_attention(x[0], x[1], x[2], {}, 0, true, 0.3); };
  EXPECT_EQ(gradcheck(causal, {leaf({2, 3, 4}, 1), leaf({2, 3, 4}, 2), leaf({2, 3, 2}, 3)}, twice), "");
  const auto shared = [](const std::vector<Tensor>& x) { return scaled_dot_product_attention(x[0], x[1], x[2], {}, 0, false, {}, true); };
  EXPECT_EQ(gradcheck(shared, {leaf({1, 4, 2, 2}, 1), leaf({1, 2, 3, 2}, 2), leaf({1, 2, 3, 2}, 3)}, twice), "");
}
TEST(Attention, AQueryThatSeesNothingGivesZeros) {
  const Tensor q = leaf({2, 4}, 1), k = leaf({3, 4}, 2), v = leaf({3, 2}, 3);
  Tensor mask = ones({2, 3}, bool_);
  for (int j = 0; j < 3; j++) mask.data_ptr<bool>()[3 + j] = false;
  const Tensor y = scaled_dot_product_attention(q, k, v, mask);
  EXPECT_EQ(y.data_ptr<double>()[2], 0);
  sum(y).backward();
  for (int e = 0; e < 4; e++) EXPECT_EQ(q.grad().data_ptr<double>()[4 + e], 0);
  EXPECT_FALSE(std::isnan(k.grad().data_ptr<double>()[0]));
}
// Lengths that take several blocks of queries and of keys, few heads and many, against products and a softmax.
TEST(Attention, BlocksAgreeWithTheWholeMatrix) {
  for (const int64_t heads : {1, 9})
    for (const auto& [queries, keys] : {std::pair<int64_t, int64_t>{70, 600}, {600, 70}, {300, 300}})
      for (int kind = 0; kind < 3; kind++) {
        const Tensor x[] = {leaf({heads, queries, 5}, 1), leaf({heads, keys, 5}, 2), leaf({heads, keys, 3}, 3)}, g = counted({heads, queries, 3}, 4);
        Tensor hidden = zeros({queries, keys}, bool_), mask;
        if (kind == 1) hidden = logical_not(tril(ones({queries, keys}, bool_)));
        if (kind == 2) hidden = gt(counted({queries, keys}, 5), Tensor(0.9)), mask = logical_not(hidden);
        const Tensor scores = matmul(x[0], transpose(x[1], -2, -1)) * Tensor(0.4);
        const Tensor whole = matmul(softmax(masked_fill(scores, hidden, Tensor(-INFINITY)), -1), x[2]);
        const Tensor blocks = scaled_dot_product_attention(x[0], x[1], x[2], mask, 0, kind == 1, 0.4);
        EXPECT_TRUE(allclose(blocks, whole, 1e-11, 1e-12)) << heads << " " << queries << " " << keys << " " << kind;
        const auto want = grad(whole, {x[0], x[1], x[2]}, g), got = grad(blocks, {x[0], x[1], x[2]}, g);
        for (size_t i = 0; i < 3; i++) EXPECT_TRUE(allclose(got[i], want[i], 1e-10, 1e-11)) << i << " of " << heads << " " << queries << " " << keys << " " << kind;
      }
}
TEST(Attention, HasTheSameBitsWithAnyNumberOfThreads) {
  const int before = num_threads();
  for (const int64_t heads : {2, 12}) {
    std::vector<Tensor> results;
    for (const int threads : {1, 3}) {
      set_num_threads(threads);
      const Tensor x = to(counted({heads, 200, 16}), float32).set_requires_grad();
      const Tensor y = scaled_dot_product_attention(x, x, x, {}, 0, true);
      results.push_back(y), results.push_back(grad(sum(y * y), x)[0]);
    }
    EXPECT_TRUE(equal(results[0], results[2]) && equal(results[1], results[3]));
  }
  set_num_threads(before);
}
TEST(Attention, SaysWhatDoesNotFit) {
  const Tensor q = counted({2, 3, 4});
  EXPECT_THROW(scaled_dot_product_attention(q, counted({2, 3, 5}), q), ShapeError);
  EXPECT_THROW(scaled_dot_product_attention(q, q, counted({2, 4, 4})), ShapeError);
  EXPECT_THROW(scaled_dot_product_attention(counted({4}), q, q), ShapeError);
  EXPECT_THROW(scaled_dot_product_attention(q, q, q, counted({3, 3}), 0, true), ValueError);
  EXPECT_THROW(scaled_dot_product_attention(q, q, to(q, float32)), DtypeError);
}

}  // namespace
