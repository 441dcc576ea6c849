#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "src/tensor/parallel.h"
#include "tapegrad/ops.h"

using namespace tapegrad;

namespace {

Tensor counted(IntList size, Dtype dtype = float64) {  // small numbers, none alike
  Tensor x = empty(size, dtype);
  for (int64_t i = 0; i < x.numel(); i++) {
    const double v = std::sin(double(i) * 1.7 + 1);
    if (dtype == float64) reinterpret_cast<double*>(x->data)[i] = v;
    else if (dtype == float32) reinterpret_cast<float*>(x->data)[i] = float(v);
    else reinterpret_cast<int64_t*>(x->data)[i] = int64_t(v * 5);
  }
  return x;
}
Tensor leaf(IntList size) {
  Tensor x = counted(size);
  x.set_requires_grad();
  return x;
}
double at(const Tensor& x, IntList index) {
  const char* p = x->data;
  for (size_t d = 0; d < index.size(); d++) p += index[d] * x->strides[d] * int64_t(item_size(x.dtype()));
  return x.dtype() == float64 ? *reinterpret_cast<const double*>(p) : x.dtype() == float32 ? *reinterpret_cast<const float*>(p)
      : double(*reinterpret_cast<const int64_t*>(p));
}
void expect_product(const Tensor& a, const Tensor& b, const Tensor& c) {
  ASSERT_EQ(c.size(0), a.size(0));
  ASSERT_EQ(c.size(1), b.size(1));
  for (int64_t i = 0; i < a.size(0); i++)
    for (int64_t j = 0; j < b.size(1); j++) {
      double s = 0;
      for (int64_t p = 0; p < a.size(1); p++) s += at(a, {i, p}) * at(b, {p, j});
      ASSERT_NEAR(at(c, {i, j}), s, 1e-4 + 1e-6 * std::abs(s)) << i << "," << j << " of "
          "" << a.size(0) << "x" << a.size(1) << "x" << b.size(1);
    }
}
const GradcheckOptions twice{.second_order = true};
const auto product2 = [](const std::vector<Tensor>& x) { return matmul(x[0], x[1]); };

TEST(Matmul, AllSizesAndLayoutsAgreeWithTheDefinition) {
  for (Dtype dtype : {float32, float64, int64})
    for (int64_t m : {1, 2, 5, 8, 33}) for (int64_t k : {1, 3, 8, 20}) for (int64_t n : {1, 4, 7, 8, 9, 50}) {
      const Tensor a = counted({m, k}, dtype), b = counted({k, n}, dtype);
      const Tensor at = counted({k, m}, dtype), bt = counted({n, k}, dtype);
      expect_product(a, b, mm(a, b));
      expect_product(a, transpose(bt, 0, 1), linear(a, bt));
      expect_product(transpose(at, 0, 1), b, mm(transpose(at, 0, 1), b));
      expect_product(transpose(at, 0, 1), transpose(bt, 0, 1), mm(transpose(at, 0, 1), transpose(bt, 0, 1)));
      const Tensor wide = counted({m, 2 * k, 3}, dtype), any = slice(select(wide, 2, 1), 1, 0, 2 * k, 2);  // no stride is 1
      expect_product(any, b, mm(any, b));
      expect_product(expand(counted({1, k}, dtype), {m, k}), b, mm(expand(counted({1, k}, dtype), {m, k}), b));
    }
}
TEST(Matmul, LargeProductsAreCutCorrectly) {
  for (auto [m, k, n] : {std::tuple{200, 130, 170}, {37, 3000, 61}, {1, 3000, 900}, {900, 3000, 1}, {97, 400, 97}}) {
    const Tensor a = counted({m, k}, float32), b = counted({n, k}, float32), c = counted({k, m}, float32);
    expect_product(a, transpose(b, 0, 1), matmul(a, transpose(b, 0, 1)));
    expect_product(transpose(c, 0, 1), transpose(b, 0, 1), matmul(transpose(c, 0, 1), transpose(b, 0, 1)));
  }
}
TEST(Matmul, ResultDoesNotDependOnThreads) {
  const Tensor a = counted({300, 200}, float32), b = counted({200, 333}, float32);
  const Tensor two = matmul(a, b);
  const Tensor x = counted({40, 64, 30}, float32), y = counted({40, 30, 20}, float32);
  const Tensor z = matmul(x, y);
  set_num_threads(1);
  const Tensor one = matmul(a, b), w = matmul(x, y);
  set_num_threads(2);
  EXPECT_EQ(std::memcmp(one->data, two->data, size_t(one.nbytes())), 0);
  EXPECT_EQ(std::memcmp(z->data, w->data, size_t(z.nbytes())), 0);
}
TEST(Matmul, BroadcastsLeadingDimensions) {
  EXPECT_EQ(matmul(counted({2, 1, 3, 4}), counted({5, 4, 2})).sizes(), (Shape{2, 5, 3, 2}));
  EXPECT_EQ(matmul(counted({4}), counted({5, 4, 2})).sizes(), (Shape{5, 2}));
  EXPECT_EQ(matmul(counted({5, 2, 4}), counted({4})).sizes(), (Shape{5, 2}));
  EXPECT_EQ(matmul(counted({4}), counted({4})).dim(), 0);
  EXPECT_EQ(matmul(counted({0, 3}), counted({3, 2})).sizes(), (Shape{0, 2}));
  const Tensor zero = matmul(counted({2, 0}), counted({0, 3}));
  EXPECT_EQ(at(zero, {1, 2}), 0);
  const Tensor a = counted({2, 1, 3, 4}), b = counted({5, 4, 2}), c = matmul(a, b);
  expect_product(select(select(a, 0, 1), 0, 0), select(b, 0, 3), select(select(c, 0, 1), 0, 3));
  const Tensor folded = counted({4, 1, 3, 6}), t = transpose(folded, 0, 2), w = counted({6, 2});
  expect_product(select(select(t, 0, 2), 0, 0), w, select(select(matmul(t, w), 0, 2), 0, 0));
}
TEST(Matmul, GradientsOfAllRanks) {
  const std::pair<Shape, Shape> cases[] = {{{2, 3}, {3, 4}}, {{3}, {3}}, {{2, 3}, {3}}, {{3}, {3, 2}}, {{2, 2, 3}, {3, 2}},
      {{2, 1, 2, 3}, {3, 3, 2}},
                                           {{2, 3}, {2, 3, 2}}, {{3}, {2, 3, 2}}, {{2, 2, 3}, {3}}, {{2, 2, 3}, {2, 3, 2}}};
  for (const auto& [a, b] : cases) EXPECT_EQ(gradcheck(product2, {leaf(a), leaf(b)}, twice), "") << to_string(a) << to_string(b);
}
TEST(Matmul, GradientsThroughTransposedViews) {
  const auto f = [](const std::vector<Tensor>& x) { return matmul(transpose(x[0], 0, 1), transpose(x[1], 0, 1)); };
  EXPECT_EQ(gradcheck(f, {leaf({3, 2}), leaf({4, 3})}, twice), "");
}
TEST(Matmul, SaysWhatDoesNotFit) {
  try {
    matmul(counted({32, 64}, float32), counted({10, 64}, float32));
    FAIL();
  } catch (const ShapeError& e) {
    EXPECT_EQ(std::string(e.what()).find("matmul: last dimension of input must equal second-to-last of other, got 64 and 10\n"
                                         "  input: float32[32, 64] cpu\n  other: float32[10, 64] cpu\n"
                                         "    input      32  64\n"
                                         "    other          10  64\n"
                                         "                    ^\n"
                                         "  hint: other.T has shape [64, 10] and would fit\n  called at "), 0u) << e.what();
  }
  EXPECT_THROW(matmul(counted({2, 3}), counted({3, 4}, float32)), DtypeError);
  EXPECT_THROW(matmul(counted({2, 2, 3}), counted({3, 3, 4})), ShapeError);
  EXPECT_THROW(matmul(counted({}), counted({1})), ShapeError);
  EXPECT_THROW(mm(counted({2}), counted({2})), ShapeError);
  EXPECT_THROW(bmm(counted({2, 3, 4}), counted({3, 4, 5})), ShapeError);
  EXPECT_THROW(dot(counted({2}), counted({3})), ShapeError);
}

TEST(Linear, HasGradients) {
  const auto f = [](const std::vector<Tensor>& x) { return linear(x[0], x[1], x.size() > 2 ? x[2] : Tensor()); };
  EXPECT_EQ(gradcheck(f, {leaf({2, 3}), leaf({4, 3}), leaf({4})}, twice), "");
  EXPECT_EQ(gradcheck(f, {leaf({3}), leaf({4, 3}), leaf({4})}, twice), "");
  EXPECT_EQ(gradcheck(f, {leaf({2, 2, 3}), leaf({4, 3}), leaf({4})}, twice), "");
  EXPECT_EQ(gradcheck(f, {leaf({2, 3}), leaf({4, 3})}, twice), "");
  EXPECT_THROW(linear(counted({2, 3}), counted({4, 2})), ShapeError);
}
TEST(Addmm, FamilyHasGradients) {
  const auto f = [](const std::vector<Tensor>& x) { return addmm(x[0], x[1], x[2], 2, 0.5); };
  EXPECT_EQ(gradcheck(f, {leaf({2, 4}), leaf({2, 3}), leaf({3, 4})}, twice), "");
  EXPECT_EQ(gradcheck(f, {leaf({1}), leaf({2, 3}), leaf({3, 4})}, twice), "");
  const auto one = [](const std::vector<Tensor>& x) { return addmm(x[0], x[1], x[2]); };
  EXPECT_EQ(gradcheck(one, {leaf({4}), leaf({2, 3}), leaf({3, 4})}, twice), "");
  const auto g = [](const std::vector<Tensor>& x) { return addbmm(x[0], x[1], x[2], 2, 3); };
  EXPECT_EQ(gradcheck(g, {leaf({2, 2}), leaf({3, 2, 4}), leaf({3, 4, 2})}, twice), "");
  const auto h = [](const std::vector<Tensor>& x) { return bilinear(x[0], x[1], x[2], x[3]); };
  EXPECT_EQ(gradcheck(h, {leaf({2, 3}), leaf({2, 4}), leaf({5, 3, 4}), leaf({5})}, twice), "");
}
TEST(Einsum, AgreesWithMatmulAndHasGradients) {
  const Tensor a = counted({2, 3}), b = counted({3, 4});
  expect_product(a, b, transpose(einsum("ij,jk->ki", {a, b}), 0, 1));
  expect_product(a, b, einsum("ij,jk", {a, b}));
  const char* equations[] = {"ij,kj->ik", "ij,jk->", "ij,ij->i", "ii,ij->j", "...j,j->...", "i...,j...->ij", "ba,cd->dac"};
  const std::pair<Shape, Shape> shapes[] = {{{2, 3}, {4, 3}}, {{2, 3}, {3, 2}}, {{2, 3}, {2, 3}}, {{3, 3}, {3, 2}},
      {{2, 2, 3}, {3}}, {{2, 3}, {2, 3}}, {{2, 2}, {2, 3}}};
  for (int k = 0; k < 7; k++) {
    const auto f = [&](const std::vector<Tensor>& x) { return einsum(equations[k], {x[0], x[1]}); };
    EXPECT_EQ(gradcheck(f, {leaf(shapes[k].first), leaf(shapes[k].second)}, twice), "") << equations[k];
  }
  EXPECT_THROW(einsum("ij,jk->iz", {a, b}), ValueError);
  EXPECT_THROW(einsum("ij,jk", {a}), ValueError);
  EXPECT_THROW(einsum("ij,jk", {a, a}), ShapeError);
  EXPECT_THROW(einsum("ijk,jk", {a, b}), ShapeError);
}

}  // namespace
