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
Tensor flipped(const Tensor& t) {
  return record_view(t, alias(t, {t.size(1), t.size(0)}, {t.stride(1), t.stride(0)}, 0, true), "TBackward0");
}

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
  const Tensor i32 = ones({2}, int32), i64 = ones({2}, int64), f32 = ones({2}, float32), f64 = ones({2}, float64),
      b = ones({2}, bool_), u8 = ones({2}, uint8);
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
  const Tensor a = range({3, 4}).set_requires_grad(), b = range({4}, float64, 0.5).set_requires_grad(),
      c = range({4, 3}, float64, 0.7, 0.21).set_requires_grad();
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
  // What backward needs of the overwritten values is kept.
  const GradcheckOptions second{.second_order = true};
  EXPECT_EQ(gradcheck([](const std::vector<Tensor>& v) { Tensor z = v[0] * 2; sin_(z); z *= v[0]; z *= z; return z; }, {w},
      second), "");
}

// First and second gradients of every differentiable op, on plain, transposed and broadcast inputs.
using Fn1 = Tensor (*)(const Tensor&);
struct UnaryCase {
  const char* name;
  Fn1 f;
  double low = -1.7, high = 1.9;
};
const UnaryCase kUnary[] = {
    {"neg", neg}, {"abs", abs}, {"sign", sign}, {"floor", floor}, {"frac", frac}, {"square", square},
        {"sqrt", sqrt, 0.2, 3}, {"rsqrt", rsqrt, 0.2, 3},
    {"reciprocal", reciprocal, 0.3, 3}, {"exp", exp}, {"exp2", exp2}, {"expm1", expm1}, {"log", log, 0.2, 3},
        {"log2", log2, 0.2, 3},
    {"log10", log10, 0.2, 3}, {"log1p", log1p, -0.5, 3}, {"sin", sin}, {"cos", cos}, {"tan", tan, -1, 1}, {"asin", asin, -0.8, 0.8},
    {"acos", acos, -0.8, 0.8}, {"atan", atan}, {"sinh", sinh}, {"cosh", cosh}, {"tanh", tanh}, {"asinh", asinh},
        {"acosh", acosh, 1.3, 4},
    {"atanh", atanh, -0.8, 0.8}, {"sinc", sinc}, {"deg2rad", deg2rad}, {"rad2deg", rad2deg}, {"sigmoid", sigmoid},
        {"erf", erf}, {"erfc", erfc},
    {"erfinv", erfinv, -0.8, 0.8}, {"lgamma", lgamma, 0.3, 4}, {"digamma", digamma, 0.5, 4}, {"relu", relu}, {"relu6", relu6},
    {"elu", [](const Tensor& x) { return elu(x, 0.7); }}, {"selu", selu}, {"celu", [](const Tensor& x) { return celu(x, 0.6); }},
    {"gelu", [](const Tensor& x) { return gelu(x); }}, {"gelu tanh", [](const Tensor& x) { return gelu(x, "tanh"); }},
        {"silu", silu},
    {"mish", mish}, {"softplus", [](const Tensor& x) { return softplus(x, 1.5, 2); }}, {"logsigmoid", logsigmoid},
        {"softsign", softsign},
    {"hardsigmoid", hardsigmoid, -4, 4}, {"hardswish", hardswish, -4, 4}, {"tanhshrink", tanhshrink},
    {"softshrink", [](const Tensor& x) { return softshrink(x); }}, {"hardshrink", [](const Tensor& x) { return hardshrink(x); }},
    {"threshold", [](const Tensor& x) { return threshold(x, 0.1, 2); }},
        {"leaky_relu", [](const Tensor& x) { return leaky_relu(x, 0.2); }},
    {"logit", [](const Tensor& x) { return logit(x); }, 0.1, 0.9}, {"logit eps", [](const Tensor& x) { return logit(x,
        0.2); }, 0.05, 0.95},
    {"polygamma", [](const Tensor& x) { return polygamma(2, x); }, 0.8, 4},
        {"clamp", [](const Tensor& x) { return clamp(x, -0.5, 0.7); }},
    {"clamp_min", [](const Tensor& x) { return clamp_min(x, 0.1); }},
        {"clamp_max", [](const Tensor& x) { return clamp_max(x, 0.1); }},
    {"pow 2", [](const Tensor& x) { return pow(x, 2); }}, {"pow 3", [](const Tensor& x) { return pow(x, 3); }},
    {"pow -1.5", [](const Tensor& x) { return pow(x, -1.5); }, 0.3, 3}, {"2 pow", [](const Tensor& x) { return pow(2, x); }},
    {"nan_to_num", [](const Tensor& x) { return nan_to_num(x); }}, {"round", [](const Tensor& x) { return round(x); }},
    {"prelu", [](const Tensor& x) { return prelu(x, tensor({0.2}, float64)); }}, {"glu", [](const Tensor& x) { return glu(x, 1); }},
};
Tensor spread(IntList size, double low, double high) {
  Tensor t = empty(size, float64);
  for (int64_t i = 0; i < t.numel(); i++) t.data_ptr<double>()[i] = low + (high - low) * (double((i * 7) % 13) + 0.37) / 13.5;
  return t;
}
TEST(ElementwiseSweep, UnaryGradients) {
  const GradcheckOptions second{.second_order = true};
  for (const auto& c : kUnary) {
    auto f = [&](const std::vector<Tensor>& v) { return c.f(v[0]); };
    auto g = [&](const std::vector<Tensor>& v) { return c.f(flipped(v[0])); };
    EXPECT_EQ(gradcheck(f, {spread({3, 4}, c.low, c.high).set_requires_grad()}, second), "") << c.name;
    EXPECT_EQ(gradcheck(g, {spread({4, 3}, c.low, c.high).set_requires_grad()}, second), "") << c.name;
  }
}
using Fn2 = Tensor (*)(const Tensor&, const Tensor&);
struct BinaryCase {
  const char* name;
  Fn2 f;
  double low = -1.7, high = 1.9, other_low = 0.4, other_high = 2.3;
};
const BinaryCase kBinary[] = {
    {"add", [](const Tensor& a, const Tensor& b) { return add(a, b, 2.5); }},
        {"sub", [](const Tensor& a, const Tensor& b) { return sub(a, b, 2.5); }},
    {"rsub", [](const Tensor& a, const Tensor& b) { return rsub(a, b); }}, {"mul", mul},
        {"div", [](const Tensor& a, const Tensor& b) { return div(a, b); }},
    {"div floor", [](const Tensor& a, const Tensor& b) { return div(a, b, "floor"); }}, {"remainder", remainder}, {"fmod", fmod},
    {"pow", [](const Tensor& a, const Tensor& b) { return pow(a, b); }, 0.3, 2.2, -1, 2}, {"atan2", atan2},
        {"hypot", hypot}, {"copysign", copysign},
    {"logaddexp", logaddexp}, {"logaddexp2", logaddexp2}, {"xlogy", xlogy}, {"maximum", maximum, -1.7, 1.9, -1.1, 1.3},
        {"minimum", minimum, -1.7, 1.9, -1.1, 1.3},
    {"fmax", fmax, -1.7, 1.9, -1.1, 1.3}, {"fmin", fmin, -1.7, 1.9, -1.1, 1.3},
        {"lerp", [](const Tensor& a, const Tensor& b) { return lerp(a, b, 0.3); }},
    {"clamp tensor", [](const Tensor& a, const Tensor& b) { return clamp(a, b - 1.5, b - 0.5); }},
    {"lerp tensor", [](const Tensor& a, const Tensor& b) { return lerp(a, b, b * 0.3); }},
    {"addcmul", [](const Tensor& a, const Tensor& b) { return addcmul(a, b, a, 0.5); }},
        {"addcdiv", [](const Tensor& a, const Tensor& b) { return addcdiv(b, a, b, 0.5); }},
    {"where", [](const Tensor& a, const Tensor& b) { return where(a > 0.2, a * b, b); }},
};
TEST(ElementwiseSweep, BinaryGradients) {
  const GradcheckOptions second{.second_order = true};
  for (const auto& c : kBinary) {
    auto f = [&](const std::vector<Tensor>& v) { return c.f(v[0], v[1]); };
    auto g = [&](const std::vector<Tensor>& v) { return c.f(flipped(v[0]), v[1]); };
    const Tensor a = spread({3, 4}, c.low, c.high).set_requires_grad(), at = spread({4, 3}, c.low, c.high).set_requires_grad();
    const Tensor b = spread({3, 4}, c.other_low, c.other_high).set_requires_grad(),
        row = spread({4}, c.other_low + 0.05, c.other_high).set_requires_grad();
    const Tensor column = spread({3, 1}, c.other_low + 0.05, c.other_high).set_requires_grad();
    EXPECT_EQ(gradcheck(f, {a, b}, second), "") << c.name;
    EXPECT_EQ(gradcheck(f, {a, row}, second), "") << c.name << " row";
    EXPECT_EQ(gradcheck(g, {at, column}, second), "") << c.name << " column";
  }
}

TEST(Elementwise, SmallCallsInPlaceWriteTheirOwnElementsOnly) {
  for (int64_t n : {1, 3, 5, 16, 17})
    for (Dtype d : {float32, float64, int64}) {
      const Tensor whole = range({40}, d, 1, 1), head = slice(whole, 0, 0, n, 1), before = clone(whole);
      const uint32_t version = whole.version();
      add_(head, Tensor(2));
      EXPECT_EQ(whole.version(), version + 1);
      mul_(head, range({n}, d, 3, 0));
      for (int64_t i = 0; i < 40; i++) EXPECT_EQ(at(whole, {i}), i < n ? 3 * (at(before, {i}) + 2) : at(before, {i})) << n << " " << i;
    }
  const Tensor t = range({9}, float32, 1, 1), old = clone(t);
  add_(slice(t, 0, 1, 9, 1), slice(t, 0, 0, 8, 1));  // reads what it writes, shifted
  for (int64_t i = 1; i < 9; i++) EXPECT_EQ(at(t, {i}), at(old, {i}) + at(old, {i - 1}));
  mul_(t, select(t, 0, 3));  // a number out of itself
  for (int64_t i = 1; i < 9; i++) EXPECT_EQ(at(t, {i}), (at(old, {i}) + at(old, {i - 1})) * (at(old, {3}) + at(old, {2})));
}

TEST(Elementwise, GradientsThatComeAsOneNumber) {  // sum's: expanded, not written out
  for (int64_t n : {1, 4, 17, 1024, 5000}) {
    const Tensor a = range({n}, float32).set_requires_grad(), b = range({n}, float32, 2, 0.5);
    sum(mul(a, b)).backward();
    mean(mul(a, b)).backward();
    for (int64_t i = 0; i < n; i += 3) EXPECT_FLOAT_EQ(float(at(a.grad(), {i})), float(at(b, {i}) * (1 + 1 / double(n)))) << n;
  }
}

}  // namespace
}  // namespace tapegrad
