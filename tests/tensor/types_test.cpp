// Plain values: dtypes, promotion, devices, shapes, numbers, errors.
#include <gtest/gtest.h>

#include "src/tensor/half.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

TEST(Types, PromotionFollowsPyTorch) {
  EXPECT_EQ(promote(uint8, int8), int16);
  EXPECT_EQ(promote(int8, uint8), int16);
  EXPECT_EQ(promote(uint8, int64), int64);
  EXPECT_EQ(promote(bool_, uint8), uint8);
  EXPECT_EQ(promote(int64, float16), float16);
  EXPECT_EQ(promote(float16, bfloat16), float32);
  EXPECT_EQ(promote(bfloat16, float32), float32);
  EXPECT_EQ(promote(float32, float64), float64);
  for (int d = 0; d < kDtypes; d++) EXPECT_EQ(promote(Dtype(d), Dtype(d)), Dtype(d));
}
TEST(Types, DeviceTextIsParsedAndRefused) {
  EXPECT_EQ(Device("cpu"), Device());
  EXPECT_EQ(Device("cuda:3").index, 3);
  EXPECT_EQ(to_string(Device("cuda:3")), "cuda:3");
  for (const char* bad : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:999"}) EXPECT_THROW(Device{bad}, DeviceError) << bad;
}
TEST(Types, ShapeHoldsSixteenDimensionsAndNoMore) {
  Shape s(16, 2);
  EXPECT_THROW(s.push_back(1), ShapeError);
  Shape t{1, 2, 3};
  t.insert(1, 9);
  EXPECT_EQ(to_string(t), "[1, 9, 2, 3]");
  t.erase(0);
  EXPECT_TRUE(t == (Shape{9, 2, 3}));
}
TEST(Types, ScalarKeepsItsKindAndAllBits) {
  EXPECT_EQ(Scalar(int64_t(1) << 62).to_int(), int64_t(1) << 62);
  EXPECT_EQ(Scalar(true).dtype(), bool_);
  EXPECT_EQ(Scalar(1).dtype(), tapegrad::int64);
  EXPECT_EQ(Scalar(1.5).dtype(), float32);
}
// rand({2}, float32, "cpu", &generator) would have wanted a gradient. tests/python/test_cpp_methods.py looks at every factory.
static_assert(std::is_convertible_v<bool, OnlyBool> && !std::is_convertible_v<const Generator*, OnlyBool>);
static_assert(!std::is_convertible_v<const char*, OnlyBool> && !std::is_convertible_v<const char*, Scalar>);
static_assert(std::is_invocable_v<decltype(&tapegrad::rand), IntList, Dtype, const char*, bool, const Generator*>);
static_assert(!std::is_invocable_v<decltype(&tapegrad::rand), IntList, Dtype, const char*, const Generator*, const Generator*>);

TEST(Half, AllSixteenBitPatternsRoundTrip) {
  for (uint32_t u = 0; u < 65536; u++) {
    const float h = half_to_float(uint16_t(u)), b = bfloat_to_float(uint16_t(u));
    if (h == h) EXPECT_EQ(float_to_half(h), u);
    else EXPECT_TRUE(half_to_float(float_to_half(h)) != half_to_float(float_to_half(h)));
    if (b == b) EXPECT_EQ(float_to_bfloat(b), u);
  }
}
#ifdef __FLT16_MANT_DIG__  // g++ 11 and clang 14 have no _Float16 for every processor
TEST(Half, RoundsToNearestEvenLikeTheProcessor) {
  uint32_t x = 1;
  for (int k = 0; k < 200000; k++) {
    x = x * 1664525 + 1013904223;
    float f;
    std::memcpy(&f, &x, 4);
    if (f != f) continue;
    const _Float16 want = _Float16(f);
    uint16_t bits;
    std::memcpy(&bits, &want, 2);
    ASSERT_EQ(float_to_half(f), bits) << f;
  }
}
#endif
