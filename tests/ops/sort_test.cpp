// sort and its kin, unique, searching, pad, interpolate: values, ties, NaN, gradients to second order, error texts.
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

bool same(const Tensor& a, const Tensor& b) { return a.sizes() == b.sizes() && all(eq(a, b)).item<bool>(); }
Tensor ints(std::initializer_list<int64_t> v) { return tensor(std::vector<int64_t>(v)); }
Tensor floats(std::initializer_list<double> v) { return tensor(std::vector<double>(v)); }
Tensor numbers(IntList size) {
  int64_t n = 1;
  for (int64_t s : size) n *= s;
  return reshape(arange(Scalar(n), Dtype::Float64), size).set_requires_grad();
}
template <class F> void check(F f, Tensor x) {
  EXPECT_EQ(gradcheck([&](const std::vector<Tensor>& v) { const Tensor y = f(v[0]); return mul(y, y); }, {x}, {.second_order = true}), "");
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

TEST(Sort, IsStableBothWaysAndPutsNanLast) {
  const Tensor x = floats({2, NAN, 1, 2, -0.0, 0.0});
  EXPECT_TRUE(same(sort(x).indices, ints({4, 5, 2, 0, 3, 1})));
  EXPECT_TRUE(same(sort(x, -1, true).indices, ints({1, 0, 3, 2, 4, 5})));
  EXPECT_TRUE(same(sort(ints({3, -1, 2})).values, ints({-1, 2, 3})));
}
TEST(Sort, LongLinesOfAllTypes) {
  for (Dtype d : {Dtype::UInt8, Dtype::Int16, Dtype::Int64, Dtype::Float16, Dtype::Float32, Dtype::Float64}) {
    const Tensor x = to(sub(remainder(mul(arange(5000), Tensor(7919)), Tensor(101)), Tensor(d == Dtype::UInt8 ? 0 : 50)), d);
    const auto [values, indices] = sort(reshape(x, {1, 5000}), 1);
    EXPECT_TRUE(all(le(slice(values, 1, 0, -1), slice(values, 1, 1))).item<bool>());
    EXPECT_TRUE(same(reshape(gather(reshape(x, {1, 5000}), 1, indices), {1, 5000}), values));
    const Tensor ties = eq(slice(values, 1, 0, -1), slice(values, 1, 1)), up = lt(slice(indices, 1, 0, -1), slice(indices, 1, 1));
    EXPECT_TRUE(all(masked_select(up, ties)).item<bool>()) << name(d);
  }
}
TEST(Sort, FamilyHasGradients) {
  const Tensor x = reshape(floats({3, 1, 2, 6, 5, 4}), {2, 3}).set_requires_grad();
  check([](const Tensor& v) { return sort(v, 0, true).values; }, x);
  check([](const Tensor& v) { return topk(v, 2).values; }, x);
  check([](const Tensor& v) { return kthvalue(v, 2, 1, true).values; }, x);
  check([](const Tensor& v) { return median(v, 0).values; }, x);
  check([](const Tensor& v) { return median(v); }, x);
  check([](const Tensor& v) { return mode(v).values; }, x);
}
TEST(Topk, TakesTheLargestWithNanFirst) {
  EXPECT_TRUE(same(topk(floats({1, 5, 5, NAN}), 3).indices, ints({3, 1, 2})));
  EXPECT_TRUE(same(topk(floats({4, 1, 3}), 2, 0, false).values, floats({1, 3})));
  EXPECT_NE(message<ValueError>([] { topk(floats({1}), 2); }).find("topk: k must be in [0, 1], the size of dimension 0, got 2"), std::string::npos);
}
TEST(Median, IsTheLowerOneAndSeesNan) {
  EXPECT_EQ(median(floats({4, 1, 3, 2})).item<double>(), 2);
  EXPECT_TRUE(std::isnan(median(floats({1, NAN})).item<double>()));
  EXPECT_EQ(nanmedian(floats({1, NAN, 5})).item<double>(), 1);
  EXPECT_EQ(mode(ints({3, 1, 1, 3})).values.item<int64_t>(), 1);
}
TEST(Unique, ReturnsInverseAndCounts) {
  const auto [values, inverse, counts] = unique(reshape(ints({3, 1, 3, 2}), {2, 2}), true, true, true);
  EXPECT_TRUE(same(values, ints({1, 2, 3})));
  EXPECT_TRUE(same(inverse, reshape(ints({2, 0, 2, 1}), {2, 2})));
  EXPECT_TRUE(same(counts, ints({1, 1, 2})));
  EXPECT_TRUE(same(std::get<0>(unique(reshape(ints({2, 0, 1, 9, 2, 0}), {3, 2}), true, false, false, 0)), reshape(ints({1, 9, 2, 0}), {2, 2})));
  EXPECT_TRUE(same(std::get<0>(unique_consecutive(ints({3, 3, 1, 3}))), ints({3, 1, 3})));
  EXPECT_EQ(std::get<0>(unique(zeros({0}))).numel(), 0);
}
TEST(Search, FindsPlaces) {
  EXPECT_TRUE(same(searchsorted(ints({1, 3, 5}), ints({0, 3, 9})), ints({0, 1, 3})));
  EXPECT_TRUE(same(searchsorted(ints({1, 3, 5}), ints({0, 3, 9}), true), ints({0, 2, 3})));
  EXPECT_TRUE(same(bucketize(floats({-2, 0.5}), floats({-1, 1})), ints({0, 1})));
  EXPECT_TRUE(same(isin(ints({1, 2, 3}), ints({3, 1})), ne(ints({1, 0, 1}), Tensor(0))));
  EXPECT_TRUE(same(bincount(ints({0, 2, 2}), {}, 4), ints({1, 0, 2, 0})));
}
TEST(Pad, AllModesHaveGradients) {
  check([](const Tensor& v) { return pad(v, {1, -1, 0, 2}, "constant", 1.5); }, numbers({2, 3}));
  check([](const Tensor& v) { return pad(v, {2, 1}, "reflect"); }, numbers({2, 4}));
  check([](const Tensor& v) { return pad(v, {2, 1, 0, 3}, "replicate"); }, numbers({2, 2, 3}));
  check([](const Tensor& v) { return pad(v, {3, 2}, "circular"); }, numbers({2, 3}));
  EXPECT_TRUE(same(pad(reshape(floats({1, 2, 3}), {1, 3}), {2, 2}, "reflect"), reshape(floats({3, 2, 1, 2, 3, 2, 1}), {1, 7})));
  EXPECT_TRUE(same(pad(reshape(floats({1, 2, 3}), {1, 3}), {1, 2}, "circular"), reshape(floats({3, 1, 2, 3, 1, 2}), {1, 6})));
  EXPECT_NE(message<ShapeError>([] { pad(zeros({1, 3}), {3, 0}, "reflect"); }).find("pad: padding of dimension 1 must be 2 or less, got [3, 0]"), std::string::npos);
  EXPECT_THROW(pad(zeros({3}), {1, 1}, "reflect"), ShapeError);
  EXPECT_THROW(pad(zeros({3}), {1}), ValueError);
}
TEST(Interpolate, AllModesHaveGradients) {
  for (const char* mode : {"nearest", "nearest-exact", "bilinear", "bicubic", "area"})
    for (bool down : {false, true})
      check([&](const Tensor& v) { return interpolate(v, down ? IntList({2, 3}) : IntList({5, 7}), {}, mode); }, numbers({1, 2, 3, 4}));
  check([](const Tensor& v) { return interpolate(v, {7}, {}, "linear", true); }, numbers({1, 2, 4}));
  check([](const Tensor& v) { return interpolate(v, {2, 2}, {}, "bilinear", {}, {}, true); }, numbers({1, 1, 5, 6}));
}
TEST(Interpolate, KnownValues) {
  const Tensor x = reshape(floats({1, 3}), {1, 1, 2});
  EXPECT_TRUE(same(interpolate(x, {4}, {}, "linear"), reshape(floats({1, 1.5, 2.5, 3}), {1, 1, 4})));
  EXPECT_TRUE(same(interpolate(x, {3}, {}, "linear", true), reshape(floats({1, 2, 3}), {1, 1, 3})));
  EXPECT_TRUE(same(interpolate(x, {4}), reshape(floats({1, 1, 3, 3}), {1, 1, 4})));
  EXPECT_THROW(interpolate(x, {4, 4}), ValueError);
  EXPECT_THROW(interpolate(x, {4}, {}, "bilinear"), NotImplementedError);
}
TEST(PixelShuffle, IsUndone) {
  const Tensor x = numbers({2, 8, 3, 2});
  EXPECT_EQ(to_string(pixel_shuffle(x, 2).sizes()), "[2, 2, 6, 4]");
  EXPECT_TRUE(same(pixel_unshuffle(pixel_shuffle(x, 2), 2), x));
}
