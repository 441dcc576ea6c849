// Views: geometry, gradients to second order, in-place writes through views, error texts.
#include <gtest/gtest.h>

#include <string>

#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

Tensor numbers(IntList size) {  // 0, 1, 2 … as float64 that needs a gradient
  int64_t n = 1;
  for (int64_t s : size) n *= s;
  return reshape(arange(Scalar(n), Dtype::Float64), size).set_requires_grad();
}
bool same(const Tensor& a, const Tensor& b) { return a.sizes() == b.sizes() && all(eq(a, b)).item<bool>(); }
template <class F> void check(F f, std::vector<Tensor> in) {
  EXPECT_EQ(gradcheck([&](const std::vector<Tensor>& v) { return f(v[0]); }, in, {.second_order = true}), "");
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

TEST(View, SharesMemoryAndInfersOneSize) {
  const Tensor x = arange(12), y = view(x, {3, -1});
  EXPECT_EQ(to_string(y.sizes()), "[3, 4]");
  EXPECT_EQ(y->storage, x->storage);
  EXPECT_TRUE(y.is_view());
}
TEST(View, ShowsWhatStridesAllowAndRefusesTheRest) {
  const Tensor x = zeros({2, 3, 4});
  EXPECT_EQ(to_string(view(transpose(x, 0, 1), {3, 2, 2, 2}).strides()), "[4, 12, 2, 1]");
  EXPECT_EQ(to_string(view(expand(zeros({1, 3}), {5, 3}), {5, 3, 1}).strides()), "[0, 1, 1]");
  const std::string text = message<ShapeError>([&] { view(transpose(x, 0, 1), {6, 4}); });
  EXPECT_NE(text.find("view: no strides can show input of strides [4, 12, 1] as shape [6, 4]"), std::string::npos) << text;
  EXPECT_NE(text.find("reshape"), std::string::npos);
}
TEST(View, RefusesWrongSizes) {
  const Tensor x = zeros({2, 3});
  EXPECT_NE(message<ShapeError>([&] { view(x, {4, 2}); }).find("view: shape [4, 2] is invalid for input of size 6"), std::string::npos);
  EXPECT_NE(message<ShapeError>([&] { view(x, {-1, 4}); }).find("invalid for input of size 6"), std::string::npos);
  EXPECT_NE(message<ShapeError>([&] { view(x, {-1, -1}); }).find("only one dimension can be inferred"), std::string::npos);
  EXPECT_NE(message<ShapeError>([&] { view(zeros({0, 3}), {-1, 0}); }).find("cannot infer"), std::string::npos);
}
TEST(View, EmptyAndZeroDimensional) {
  EXPECT_EQ(to_string(view(zeros({0, 3}), {3, 0, 2}).sizes()), "[3, 0, 2]");
  EXPECT_EQ(to_string(view(zeros({}), {1, 1}).sizes()), "[1, 1]");
  EXPECT_EQ(view(zeros({1}), IntList()).dim(), 0);
}
TEST(View, OfBitsAsAnotherDtype) {
  const Tensor x = ones({2, 4}, Dtype::Float32);
  EXPECT_EQ(view(x, Dtype::Int32).data_ptr<int32_t>()[0], 0x3f800000);
  EXPECT_EQ(to_string(view(x, Dtype::Float64).sizes()), "[2, 2]");
  EXPECT_EQ(to_string(view(x, Dtype::UInt8).sizes()), "[2, 16]");
  EXPECT_THROW(view(ones({3}, Dtype::Float32), Dtype::Float64), ShapeError);
}
TEST(Reshape, CopiesOnlyWhereItMust) {
  const Tensor x = zeros({2, 3});
  EXPECT_EQ(reshape(x, {3, 2})->storage, x->storage);
  EXPECT_NE(reshape(transpose(x, 0, 1), {6})->storage, x->storage);
  check([](const Tensor& v) { return mul(reshape(transpose(v, 0, 1), {2, 3}), v); }, {numbers({2, 3})});
}
TEST(Flatten, JoinsDims) {
  EXPECT_EQ(to_string(flatten(zeros({2, 3, 4, 5}), 1, 2).sizes()), "[2, 12, 5]");
  EXPECT_EQ(to_string(flatten(zeros({})).sizes()), "[1]");
  EXPECT_EQ(to_string(unflatten(zeros({2, 12}), -1, {3, -1}).sizes()), "[2, 3, 4]");
  EXPECT_THROW(unflatten(zeros({2, 12}), 1, {5, -1}), ShapeError);
}
TEST(Views, HaveGradientsToSecondOrder) {
  const auto sq = [](const Tensor& v) { return mul(v, v); };
  check([&](const Tensor& v) { return sq(transpose(v, 0, -1)); }, {numbers({2, 3, 2})});
  check([&](const Tensor& v) { return sq(permute(v, {2, 0, 1})); }, {numbers({2, 3, 2})});
  check([&](const Tensor& v) { return sq(movedim(v, {0, 1}, {2, 0})); }, {numbers({2, 3, 2})});
  check([&](const Tensor& v) { return sq(squeeze(v)); }, {numbers({2, 1, 3})});
  check([&](const Tensor& v) { return sq(unsqueeze(v, -1)); }, {numbers({2, 3})});
  check([&](const Tensor& v) { return sq(expand(v, {2, 3, 2})); }, {numbers({3, 1})});
  check([&](const Tensor& v) { return sq(select(v, 1, -1)); }, {numbers({2, 3})});
  check([&](const Tensor& v) { return sq(slice(v, 1, 1, {}, 2)); }, {numbers({2, 5})});
  check([&](const Tensor& v) { return sq(narrow(v, 0, 1, 2)); }, {numbers({3, 2})});
  check([&](const Tensor& v) { return sq(diagonal(v, 1)); }, {numbers({3, 4})});
  check([&](const Tensor& v) { return sq(unfold(v, 0, 3, 2)); }, {numbers({7})});
  check([&](const Tensor& v) { return sq(unfold(v, 1, 3, 1)); }, {numbers({2, 5})});
  check([&](const Tensor& v) { return sq(as_strided(v, {2, 2}, {2, 1}, 1)); }, {numbers({6})});
  check([&](const Tensor& v) { return mul(split(v, 2)[0], split(v, 2)[1]); }, {numbers({4, 2})});
  check([&](const Tensor& v) { return sq(split(v, 2)[1]); }, {numbers({5, 2})});
  check([&](const Tensor& v) { return mul(unbind(v, 1)[0], unbind(v, 1)[2]); }, {numbers({2, 3})});
  check([&](const Tensor& v) { return sq(tensor_split(v, IntList({1, 3}))[1]); }, {numbers({5})});
}
TEST(Views, NamesAreTheUsual) {
  const Tensor x = numbers({2, 3});
  const auto name = [](const Tensor& t) { return std::string(grad_fn(t)->name()); };
  EXPECT_EQ(name(x.view({3, 2})), "ViewBackward0");
  EXPECT_EQ(name(x.transpose(0, 1)), "TransposeBackward0");
  EXPECT_EQ(name(tapegrad::t(x)), "TBackward0");
  EXPECT_EQ(name(permute(x, {1, 0})), "PermuteBackward0");
  EXPECT_EQ(name(select(x, 0, 0)), "SelectBackward0");
  EXPECT_EQ(name(slice(x, 0, 0, 1)), "SliceBackward0");
  EXPECT_EQ(name(split(x, 1)[0]), "SplitBackward0");
  EXPECT_EQ(name(unbind(x)[0]), "UnbindBackward0");
  EXPECT_EQ(name(expand(unsqueeze(x, 0), {2, 2, 3})), "ExpandBackward0");
}
TEST(Views, InPlaceWritesReachTheBase) {
  const Tensor leaf = numbers({2, 3}), x = mul(leaf, Tensor(2.0));
  const Tensor row = select(x, 0, 0);
  row.mul_(Tensor(3.0));
  sum(x).backward();
  EXPECT_TRUE(same(leaf.grad(), reshape(tensor({6, 6, 6, 2, 2, 2}, Dtype::Float64), {2, 3})));
}
TEST(Views, InPlaceOnTheBaseReachesViews) {
  const Tensor leaf = numbers({2, 3}), x = mul(leaf, Tensor(2.0));
  const Tensor column = select(x, 1, 1);
  mul_(x, add(detach(x), Tensor(0.0)));
  sum(column).backward();
  EXPECT_TRUE(same(leaf.grad(), reshape(tensor({0, 4, 0, 0, 16, 0}, Dtype::Float64), {2, 3})));
}
TEST(Views, PiecesOfASplitCanBeWritten) {
  const Tensor leaf = numbers({4}), x = mul(leaf, Tensor(1.0));
  split(x, 2)[1].mul_(Tensor(5.0));
  sum(x).backward();
  EXPECT_TRUE(same(leaf.grad(), tensor({1, 1, 5, 5}, Dtype::Float64)));
}
TEST(Views, ChangeGeometryInPlace) {
  const Tensor leaf = numbers({2, 3}), x = mul(leaf, Tensor(1.0));
  transpose_(x, 0, 1);
  EXPECT_EQ(to_string(x.sizes()), "[3, 2]");
  unsqueeze_(x, 0);
  EXPECT_EQ(to_string(x.sizes()), "[1, 3, 2]");
  squeeze_(x);
  sum(mul(x, reshape(arange(Scalar(6), Dtype::Float64), {3, 2}))).backward();
  EXPECT_TRUE(same(leaf.grad(), reshape(tensor({0, 2, 4, 1, 3, 5}, Dtype::Float64), {2, 3})));
  const Tensor many = zeros({1, 1, 1, 1, 1, 2});  // past the inline dims and back
  unsqueeze_(many, 0);
  EXPECT_EQ(many.dim(), 7);
  squeeze_(many);
  EXPECT_EQ(to_string(many.sizes()), "[2]");
}
TEST(Slice, ErrorsNameIndexDimensionAndSize) {
  const Tensor x = zeros({2, 3});
  EXPECT_NE(message<IndexError>([&] { select(x, 1, 3); }).find("select: index 3 is out of bounds for dimension 1 with size 3"), std::string::npos);
  EXPECT_NE(message<IndexError>([&] { select(x, 2, 0); }).find("dimension out of range, expected to be in [-2, 1], got 2"), std::string::npos);
  EXPECT_NE(message<ValueError>([&] { slice(x, 0, {}, {}, -1); }).find("slice: step must be greater than zero, got -1"), std::string::npos);
  EXPECT_THROW(select(zeros({}), 0, 0), IndexError);
}
TEST(Slice, ClampsAsPython) {
  const Tensor x = arange(5);
  EXPECT_EQ(slice(x, 0, -2).numel(), 2);
  EXPECT_EQ(slice(x, 0, 3, 100).numel(), 2);
  EXPECT_EQ(slice(x, 0, 4, 2).numel(), 0);
  EXPECT_EQ(slice(x, 0, {}, {}, 2).numel(), 3);
}
TEST(Split, CoversAll) {
  EXPECT_EQ(split(zeros({5}), 2).size(), 3u);
  EXPECT_EQ(chunk(zeros({5}), 3).size(), 3u);
  EXPECT_EQ(chunk(zeros({3}), 5).size(), 3u);
  EXPECT_EQ(tensor_split(zeros({2}), 3).size(), 3u);
  EXPECT_THROW(split(zeros({5}), IntList({2, 2})), ShapeError);
}
TEST(Expand, RefusesWhatDoesNotRepeat) {
  EXPECT_NE(message<ShapeError>([] { expand(zeros({3}), {2}); }).find("expand: dimension 0 of size must be 3 as in input, got [2]"), std::string::npos);
  EXPECT_THROW(expand(zeros({3}), {-1, 3}), ShapeError);
}
