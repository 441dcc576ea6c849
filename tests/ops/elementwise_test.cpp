// The elementwise driver: promotion, broadcasting, strides, in-place rules, gradients.
#include <gtest/gtest.h>

#include <cmath>

#include "tapegrad/tapegrad.h"

namespace tapegrad {
namespace {

Tensor range(IntList size, Dtype dtype = float64, double from = -1.3, double step = 0.37) {
  Tensor t = empty(size, float64);
  for (int64_t i = 0; i < t.numel(); i++) t.data_ptr<double>()[i] = from + step * double(i % 11);
  return to(t, dtype);
}
double at(const Tensor& t, std::initializer_list<int64_t> index) {
  int64_t offset = 0, d = 0;
  for (int64_t i : index) offset += i * t.stride(d++);
  return alias(t, {}, {}, offset, false).item().to_double();
}
Tensor flipped(const Tensor& t) { return record_view(t, alias(t, {t.size(1), t.size(0)}, {t.stride(1), t.stride(0)}, 0, true), "TBackward0"); }

TEST(Elementwise, AddsSmallAndLarge) {
  for (int64_t n : {0, 1, 3, 4, 8, 15, 16, 17, 1000, 40000, 100001}) {
    for (Dtype d : {float32, float64, int64, int32, uint8, float16, bfloat16}) {
      const Tensor a = range({n}, d, 1, 1), b = range({n}, d, 3, 1), c = a + b;
      ASSERT_EQ(c.dtype(), d);
      for (int64_t i = 0; i < n; i += 7) ASSERT_EQ(at(c, {i}), 4 + 2 * double(i % 11)) << n << name(d) << i;
    }
  }
}

TEST(Elementwise, BroadcastsAndStrides) {
  const Tensor a = range({5, 7}), b = range({7}), c = range({5, 1}), s = Tensor(2.5);
  const Tensor r = a + b, q = a * c, t = flipped(a) + range({7, 5}), u = s - a;
  for (int64_t i = 0; i < 5; i++)
    for (int64_t j = 0; j < 7; j++) {
      EXPECT_DOUBLE_EQ(at(r, {i, j}), at(a, {i, j}) + at(b, {j}));
      EXPECT_DOUBLE_EQ(at(q, {i, j}), at(a, {i, j}) * at(c, {i, 0}));
      EXPECT_DOUBLE_EQ(at(t, {j, i}), at(a, {i, j}) + at(range({7, 5}), {j, i}));
      EXPECT_DOUBLE_EQ(at(u, {i, j}), 2.5 - at(a, {i, j}));
    }
  EXPECT_EQ((range({0, 3}) + range({3})).sizes(), IntList({0, 3}));
  EXPECT_THROW(range({2}) + range({3}), ShapeError);
}

TEST(Elementwise, Copies) {
  const Tensor a = range({33, 65}, float32);
  const Tensor b = clone(flipped(a)), c = contiguous(flipped(a)), d = to(flipped(a), float64), e = to(a, int8);
  EXPECT_TRUE(c.is_contiguous());
  for (int64_t i = 0; i < 33; i += 2)
    for (int64_t j = 0; j < 65; j += 3) {
      EXPECT_EQ(at(b, {j, i}), at(a, {i, j}));
      EXPECT_EQ(at(c, {j, i}), at(a, {i, j}));
      EXPECT_EQ(at(d, {j, i}), at(a, {i, j}));
      EXPECT_EQ(at(e, {i, j}), std::trunc(at(a, {i, j})));
    }
  const Tensor f = zeros({3, 4});
  copy_(f, range({4}));
  EXPECT_EQ(at(f, {2, 1}), float(at(range({4}), {1})));
  fill_(flipped(f), 3);
  EXPECT_EQ(at(f, {2, 3}), 3);
}

TEST(Elementwise, Promotes) {
  const Tensor i32 = ones({2}, int32), i64 = ones({2}, int64), f32 = ones({2}, float32), f64 = ones({2}, float64), b = ones({2}, bool_), u8 = ones({2}, uint8);
  const Tensor f16 = ones({2}, float16), zero_d = ones({}, float64), int_0d = ones({}, int64);
  EXPECT_EQ((i32 + i64).dtype(), int64);
  EXPECT_EQ((i64 + f32).dtype(), float32);
  EXPECT_EQ((f32 + f64).dtype(), float64);
  EXPECT_EQ((f32 + zero_d).dtype(), float32);
  EXPECT_EQ((i32 + zero_d).dtype(), float64);
  EXPECT_EQ((i32 + int_0d).dtype(), int32);
  EXPECT_EQ((i32 + 1).dtype(), int32);
  EXPECT_EQ((i32 + 1.5).dtype(), float32);
  EXPECT_EQ((u8 + 1).dtype(), uint8);
  EXPECT_EQ((b + 1).dtype(), int64);
  EXPECT_EQ((b + b).dtype(), bool_);
  EXPECT_EQ((f16 + 1.5).dtype(), float16);
  EXPECT_EQ((f16 + f32).dtype(), float32);
  EXPECT_EQ((i64 / i64).dtype(), float32);
  EXPECT_EQ(at(f64 * 0.1, {0}), 0.1) << "numbers keep their digits";
  EXPECT_EQ((i64 < i64).dtype(), bool_);
  EXPECT_EQ(exp(i64).dtype(), float32);
}

TEST(Elementwise, Gradients) {
  const Tensor a = range({3, 4}).set_requires_grad(), b = range({4}, float64, 0.5).set_requires_grad(), c = range({4, 3}, float64, 0.7, 0.21).set_requires_grad();
  const GradcheckOptions second{.second_order = true};
  using V = std::vector<Tensor>;
  EXPECT_EQ(gradcheck([](const V& v) { return v[0] + v[1]; }, {a, b}, second), "");
  EXPECT_EQ(gradcheck([](const V& v) { return v[0] * v[1]; }, {a, b}, second), "");
  EXPECT_EQ(gradcheck([](const V& v) { return v[0] / v[1]; }, {a, b}, second), "");
  EXPECT_EQ(gradcheck([](const V& v) { return flipped(v[0]) * v[1]; }, {a, c}, second), "");
  EXPECT_EQ(gradcheck([](const V& v) { return exp(v[0]) - v[1] * 3; }, {a, b}, second), "");
  EXPECT_EQ(gradcheck([](const V& v) { return where(v[0] > 0, v[0], v[1]); }, {a, b}, second), "");
}

TEST(Elementwise, InPlace) {
  Tensor x = range({3, 4});
  const Tensor y = clone(x);
  x += y;
  x *= 2;
  EXPECT_DOUBLE_EQ(at(x, {1, 2}), 4 * at(y, {1, 2}));
  EXPECT_EQ(x.version(), 2u);
  Tensor i = ones({3}, int64);
  EXPECT_THROW(i += 1.5, DtypeError);
  EXPECT_THROW(add_(range({3}), range({2, 3})), ShapeError);
  Tensor leaf = range({3}).set_requires_grad();
  EXPECT_THROW(leaf += 1, GradError);
  EXPECT_THROW(alias(range({1}), {3}, {0}, 0, false) += 1, Error);
  const Tensor w = range({3}).set_requires_grad();
  EXPECT_EQ(gradcheck([](const std::vector<Tensor>& v) { Tensor z = v[0] * 2; z += v[0]; exp_(z); return z * v[0]; }, {w}), "");
}

}  // namespace
}  // namespace tapegrad
