// cat, stack, repeat, flip, roll, triangles and grids: values, gradients to second order, error texts.
#include <gtest/gtest.h>

#include <string>

#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

Tensor numbers(IntList size) {
  int64_t n = 1;
  for (int64_t s : size) n *= s;
  return reshape(arange(Scalar(n), Dtype::Float64), size).set_requires_grad();
}
bool same(const Tensor& a, const Tensor& b) { return a.sizes() == b.sizes() && all(eq(a, b)).item<bool>(); }
template <class F> void check(F f, std::vector<Tensor> in) {
  EXPECT_EQ(gradcheck([&](const std::vector<Tensor>& v) { const Tensor y = f(v); return mul(y, y); }, in, {.second_order = true}), "");
}
template <class E, class F> std::string message(F f) {
  try {
    f();
  } catch (const E& e) {
    return e.what();
  }
  return "(no error)";
}

}  // namespace

TEST(Cat, JoinsPromotesAndSkipsEmpties) {
  const Tensor y = cat({ones({2, 1}), zeros({0}), zeros({2, 2}, Dtype::Int64)}, 1);
  EXPECT_EQ(to_string(y.sizes()), "[2, 3]");
  EXPECT_EQ(y.dtype(), Dtype::Float32);
  EXPECT_NE(message<ShapeError>([] { cat({ones({2, 1}), ones({3, 2})}, 1); }).find("cat: sizes must match except in dimension 1, got [2, 1] and [3, 2]"), std::string::npos);
  EXPECT_THROW(cat({}), ValueError);
  EXPECT_THROW(cat({ones({})}), ShapeError);
}
TEST(Cat, ManyRowsOnSeveralThreads) {
  const Tensor a = reshape(arange(210000), {700, 300}), b = reshape(arange(210000), {300, 700});
  const Tensor y = cat({a, transpose(b, 0, 1)}, 1);
  EXPECT_TRUE(same(narrow(y, 1, 0, 300), a));
  EXPECT_TRUE(same(narrow(y, 1, 300, 300), transpose(b, 0, 1)));
}
TEST(Shape, OpsHaveGradientsToSecondOrder) {
  check([](auto& v) { return cat({v[0], v[1]}, -1); }, {numbers({2, 3}), numbers({2, 1})});
  check([](auto& v) { return stack({v[0], v[1]}, 1); }, {numbers({2, 3}), numbers({2, 3})});
  check([](auto& v) { return repeat(v[0], {2, 1, 3}); }, {numbers({2, 3})});
  check([](auto& v) { return repeat_interleave(v[0], 2, 1); }, {numbers({2, 3})});
  check([](auto& v) { return repeat_interleave(v[0], tensor({2, 0, 1}, Dtype::Int64), 1); }, {numbers({2, 3})});
  check([](auto& v) { return flip(v[0], {0, -1}); }, {numbers({2, 3, 2})});
  check([](auto& v) { return roll(v[0], {1, -2}, {0, 1}); }, {numbers({2, 3})});
  check([](auto& v) { return rot90(v[0], 1); }, {numbers({2, 3})});
  check([](auto& v) { return tril(v[0], -1); }, {numbers({3, 4})});
  check([](auto& v) { return triu(v[0], 1); }, {numbers({2, 3, 3})});
  check([](auto& v) { return diag(v[0], 1); }, {numbers({3})});
  check([](auto& v) { return diag(v[0]); }, {numbers({3, 4})});
  check([](auto& v) { return diag_embed(v[0], -1, 0, 2); }, {numbers({2, 3})});
  check([](auto& v) { return slice_scatter(v[0], v[1], 0, 1, 3); }, {numbers({4, 2}), numbers({2, 2})});
  check([](auto& v) { return mul(meshgrid({v[0], v[1]})[0], meshgrid({v[0], v[1]}, "xy")[1].transpose(0, 1)); }, {numbers({2}), numbers({3})});
}
TEST(Shape, EmptyAndZeroDimensional) {
  EXPECT_EQ(to_string(repeat(ones({2, 3}), {0, 2}).sizes()), "[0, 6]");
  EXPECT_EQ(to_string(flip(ones({0, 2}), {0}).sizes()), "[0, 2]");
  EXPECT_EQ(to_string(roll(ones({0, 2}), 1, 0).sizes()), "[0, 2]");
  EXPECT_EQ(to_string(tril(ones({0, 3})).sizes()), "[0, 3]");
  EXPECT_EQ(to_string(tile(ones({}), {2, 2}).sizes()), "[2, 2]");
}
TEST(Tril, WorksInPlaceOnViews) {
  const Tensor leaf = numbers({3, 3}), x = mul(leaf, Tensor(1.0));
  tril_(transpose(x, 0, 1));
  sum(x).backward();
  EXPECT_TRUE(same(leaf.grad(), triu(ones({3, 3}, Dtype::Float64))));
}
