// x[…], gather, scatter and their kin: values, where the index dimensions go, gradients, error texts.
#include <gtest/gtest.h>

#include <string>

#include "src/tensor/parallel.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

Tensor numbers(IntList size) {
  int64_t n = 1;
  for (int64_t s : size) n *= s;
  return reshape(arange(Scalar(n), Dtype::Float64), size).set_requires_grad();
}
Tensor ints(std::initializer_list<int64_t> v) { return tensor(std::vector<int64_t>(v)); }
Tensor at(const Tensor& x, std::initializer_list<Index> entries) { return index(x, {entries.begin(), entries.size()}); }
bool same(const Tensor& a, const Tensor& b) { return a.sizes() == b.sizes() && all(eq(a, b)).item<bool>(); }
template <class F> void check(F f, std::vector<Tensor> in) {
  EXPECT_EQ(gradcheck([&](const std::vector<Tensor>& v) { return f(v); }, in, {.second_order = true}), "");
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

TEST(Index, MixesAllKindsOfEntries) {
  const Tensor x = numbers({2, 3, 4, 5});
  EXPECT_EQ(to_string(at(x, {0, Slice(), -1}).sizes()), "[3, 5]");
  EXPECT_EQ(to_string(at(x, {Ellipsis, None, 2}).sizes()), "[2, 3, 4, 1]");
  EXPECT_EQ(to_string(at(x, {Slice(), ints({0, 1, 2, 0, 1, 2}), ints({3})}).sizes()), "[2, 6, 5]");
  EXPECT_EQ(to_string(at(x, {Slice(), ints({0, 1}), Slice(), ints({3, 3})}).sizes()), "[2, 2, 4]");  // not adjacent: in front
  EXPECT_EQ(to_string(at(x, {true}).sizes()), "[1, 2, 3, 4, 5]");
  EXPECT_EQ(to_string(at(x, {false}).sizes()), "[0, 2, 3, 4, 5]");
  EXPECT_EQ(to_string(at(x, {Ellipsis, gt(at(x, {0, 0}), Tensor(3))}).sizes()), "[2, 3, 16]");
  EXPECT_EQ(at(x, {1, ints({-1}), 2, -2}).item<double>(), 60 + 40 + 10 + 3);
}
TEST(Index, ErrorsNameIndexDimensionAndSize) {
  const Tensor x = zeros({2, 3});
  EXPECT_NE(message<IndexError>([&] { at(x, {0, 3}); }).find("index 3 is out of bounds for dimension 0 with size 3"), std::string::npos);
  EXPECT_NE(message<IndexError>([&] { at(x, {Slice(), ints({0, -4})}); }).find("index: index -4 is out of bounds for dimension 1 with size 3"), std::string::npos);
  EXPECT_NE(message<IndexError>([&] { at(x, {0, 0, 0}); }).find("too many indices for tensor of dimension 2"), std::string::npos);
  EXPECT_NE(message<IndexError>([&] { at(x, {ones({3}, Dtype::Bool)}); }).find("the shape of the mask [3] at index 0 does not match"), std::string::npos);
  EXPECT_THROW(at(x, {Tensor(zeros({2}))}), IndexError);
  EXPECT_THROW(at(x, {Ellipsis, Ellipsis}), IndexError);
  EXPECT_THROW(at(x, {Slice({}, {}, -1)}), ValueError);
}
TEST(Index, HasGradientsToSecondOrder) {
  check([](auto& v) { return mul(at(v[0], {Slice(), ints({0, 2, 0})}), at(v[0], {Slice(), ints({1, 1, 1})})); }, {numbers({2, 3})});
  check([](auto& v) { const Tensor y = at(v[0], {ints({0, 1}), Slice(), ints({1, 1})}); return mul(y, y); }, {numbers({2, 3, 2})});
  check([](auto& v) { const Tensor y = at(v[0], {gt(detach(v[0]), Tensor(2.5))}); return mul(y, y); }, {numbers({2, 3})});
}
TEST(IndexSet, WritesViewsAndScattered) {
  const Tensor x = zeros({3, 4});
  const auto set = [&](std::initializer_list<Index> e, const Tensor& v) { index_set(x, {e.begin(), e.size()}, v); };
  set({0}, Tensor(1));
  set({Slice(), ints({1, 3})}, Tensor(2));
  set({eq(x, Tensor(0))}, Tensor(7));
  set({2, Slice(0, 2)}, tensor({8, 9}, Dtype::Float32));
  EXPECT_TRUE(same(x, reshape(tensor({1, 2, 1, 2, 7, 2, 7, 2, 8, 9, 7, 2}, Dtype::Float32), {3, 4})));
  set({ints({0, 0}), ints({0, 1})}, ones({1, 1, 2}));  // leading ones are dropped
  EXPECT_THROW(set({ints({0, 1})}, ones({3})), ShapeError);
}
TEST(IndexSet, IsDifferentiable) {
  check([](auto& v) {
    Tensor y = mul(v[0], Tensor(1.0));
    const Index e[] = {ints({0, 2})};
    index_set(y, e, v[1]);
    const Index f[] = {1, Slice(1)};
    index_set(y, f, select(v[1], 0, 0));
    return mul(y, y);
  }, {numbers({3, 3}), numbers({2, 1})});
}
TEST(IndexPut, AccumulatesRepeatedIndices) {
  const Tensor x = zeros({3});
  index_put_(x, {ints({1, 1, -1})}, tensor({1, 2, 4}, Dtype::Float32), true);
  EXPECT_TRUE(same(x, tensor({0, 3, 4}, Dtype::Float32)));
  check([](auto& v) { const Tensor y = index_put(v[0], {ints({0, 0, 2})}, v[1], true); return mul(y, y); }, {numbers({3, 2}), numbers({3, 2})});
  check([](auto& v) { const Tensor y = index_put(v[0], {ints({2, 1})}, v[1]); return mul(y, y); }, {numbers({3, 2}), numbers({2})});
  EXPECT_THROW(index_put_(x, {ints({0})}, ones({1}, Dtype::Float64)), DtypeError);
}
TEST(IndexPut, SumsDoNotDependOnThreads) {
  const Tensor index = repeat(arange(50), {400}), values = sqrt(reshape(arange(Scalar(20000 * 33), Dtype::Float32), {20000, 33}));
  const int before = num_threads();
  set_num_threads(1);
  const Tensor one = index_add(zeros({50, 33}), 0, index, values);
  set_num_threads(4);
  const Tensor four = index_add(zeros({50, 33}), 0, index, values);
  set_num_threads(before);
  EXPECT_TRUE(same(one, four));
}
TEST(Gather, AndScatterInvert) {
  const Tensor i = reshape(ints({0, 2, 1, 1, 0, 2}), {2, 3});
  check([&](auto& v) { const Tensor y = gather(v[0], 1, i); return mul(y, y); }, {numbers({2, 3})});
  check([&](auto& v) { const Tensor y = scatter_add(v[0], 0, reshape(ints({0, 1, 1, 1, 0, 0}), {2, 3}), v[1]); return mul(y, y); }, {numbers({2, 3}), numbers({3, 4})});
  check([&](auto& v) { const Tensor y = scatter(v[0], 1, i, v[1]); return mul(y, y); }, {numbers({2, 3}), numbers({2, 3})});
  check([&](auto& v) { const Tensor y = scatter(v[0], 1, i, Scalar(3)); return mul(y, y); }, {numbers({2, 3})});
  EXPECT_NE(message<IndexError>([&] { gather(zeros({2, 2}), 1, i); }).find("gather: index 2 is out of bounds for dimension 1 with size 2"), std::string::npos);
}
TEST(IndexSelect, FamilyHasGradients) {
  const Tensor i = ints({2, 0, 2});
  check([&](auto& v) { const Tensor y = index_select(v[0], 1, i); return mul(y, y); }, {numbers({2, 3})});
  check([&](auto& v) { const Tensor y = index_add(v[0], 0, i, v[1], 2); return mul(y, y); }, {numbers({3, 2}), numbers({3, 2})});
  check([&](auto& v) { const Tensor y = index_copy(v[0], 0, ints({2, 0}), v[1]); return mul(y, y); }, {numbers({3, 2}), numbers({2, 2})});
  check([&](auto& v) { const Tensor y = index_fill(v[0], 0, ints({2, 0}), v[1]); return mul(y, y); }, {numbers({3, 2}), numbers({})});
}
TEST(Embedding, LeavesThePaddingRowAlone) {
  const Tensor w = numbers({4, 2});
  sum(embedding(w, reshape(ints({0, 1, 1, 3}), {2, 2}), 3)).backward();
  EXPECT_TRUE(same(w.grad(), reshape(tensor({1, 1, 2, 2, 0, 0, 0, 0}, Dtype::Float64), {4, 2})));
  check([](auto& v) { const Tensor y = embedding(v[0], ints({1, 1, 0})); return mul(y, y); }, {numbers({3, 2})});
}
TEST(Masked, OpsHaveGradients) {
  const Tensor m = gt(detach(numbers({2, 3})), Tensor(2.5));
  check([&](auto& v) { const Tensor y = masked_fill(v[0], m, v[1]); return mul(y, y); }, {numbers({2, 3}), numbers({})});
  check([&](auto& v) { const Tensor y = masked_select(v[0], m); return mul(y, y); }, {numbers({2, 3})});
  check([&](auto& v) { const Tensor y = masked_scatter(v[0], m, v[1]); return mul(y, y); }, {numbers({2, 3}), numbers({6})});
}
TEST(Masked, NonzeroListsPositions) {
  EXPECT_TRUE(same(nonzero(reshape(ints({0, 1, 2, 0}), {2, 2})), reshape(ints({0, 1, 1, 0}), {2, 2})));
  EXPECT_EQ(to_string(nonzero(ones({})).sizes()), "[1, 0]");
  EXPECT_EQ(to_string(nonzero(zeros({3, 2})).sizes()), "[0, 2]");
}
TEST(Index, InPlaceThroughAViewOfALeafIsRefused) {
  const Tensor x = zeros({2, 3}).set_requires_grad();
  EXPECT_THROW(select(x, 0, 0).add_(Tensor(1.0)), GradError);
}
