// How C++ reads and writes elements: indices in brackets, x(i, j), spans, numbers in braces, streams.
#include <gtest/gtest.h>

#include <sstream>

#include "tapegrad/tapegrad.h"

using namespace tapegrad;

TEST(Access, BracketsReadLikePython) {
  const Tensor x = arange(24).view({2, 3, 4});
  EXPECT_TRUE(equal(x[1], select(x, 0, 1)));
  EXPECT_TRUE(equal(x[Slice(1, 2)], x.narrow(0, 1, 1)));
  EXPECT_TRUE(equal(x[{0, 2}], x[0][2]));
  EXPECT_TRUE(equal(x[{1}], x[1]));
  EXPECT_TRUE(equal(x[{Ellipsis, -1}], x.select(2, 3)));
  EXPECT_TRUE(equal(x[{Slice(0, 2), None, Ellipsis}], x.unsqueeze(1)));
  EXPECT_TRUE(equal(x[{Slice({}, {}, 2), Slice(1)}], x.index({Slice({}, {}, 2), Slice(1, {})})));
  EXPECT_EQ(x[None].sizes(), IntList({1, 2, 3, 4}));
  EXPECT_TRUE(equal(x[x > 20], arange(21, 24)));
  EXPECT_TRUE(equal(x[{x > 20}], arange(21, 24)));
  EXPECT_TRUE(equal(x[{tensor({1, 0}), 2}], stack({x[1][2], x[0][2]})));
  EXPECT_THROW((x[{0, 0, 0, 0}]), IndexError);
  EXPECT_THROW(x[2], IndexError);
}

TEST(Access, ParenthesesGiveNumbers) {
  const Tensor x = arange(6).view({2, 3}).to(float32).t();
  EXPECT_EQ(x(2, 1), 5);
  EXPECT_EQ(x(-1, -2), 2.0);
  EXPECT_EQ(float(x(1, 1)), 4.0f);
  EXPECT_EQ(tensor(7)(), 7);
  EXPECT_TRUE(bool((x > 4)(2, 1)));
  EXPECT_EQ(tensor({Complex<double>(1, 2)})(0), Scalar(Complex<double>(1, 2)));
  EXPECT_THROW(x(3, 0), IndexError);
  EXPECT_THROW(x(0), IndexError);
}

TEST(Access, SpansAreCheckedAndCountWrites) {
  const Tensor x = zeros({2, 2});
  const uint32_t before = x.version();
  double sum = 0;
  for (const float v : x.span<const float>()) sum += v;
  EXPECT_EQ(x.version(), before);
  x.span<float>()[3] = 2;
  EXPECT_EQ(x(1, 1), 2);
  EXPECT_GT(x.version(), before);
  EXPECT_THROW(x.span<double>(), DtypeError);
  EXPECT_THROW(x.t().span<const float>(), ValueError);
}

TEST(Access, NumbersInBraces) {
  EXPECT_TRUE(equal(tensor({{1, 2, 3}, {4, 5, 6}}), arange(1, 7).view({2, 3})));
  EXPECT_EQ(tensor({1, 2}).dtype(), int64);
  EXPECT_EQ(tensor({1, 2.5}).dtype(), float32);
  EXPECT_EQ(tensor({true, false}).dtype(), bool_);
  EXPECT_EQ(tensor({Complex<float>(0, 1), 2}).dtype(), complex64);
  EXPECT_EQ(tensor({1, 2}, float64).dtype(), float64);
  EXPECT_EQ(tensor(3).dim(), 0);
  EXPECT_EQ(tensor({{1}, {2}}).sizes(), IntList({2, 1}));
  EXPECT_EQ(tensor({{{1.5}}}).sizes(), IntList({1, 1, 1}));
  EXPECT_EQ(tensor({}, float32).sizes(), IntList({0}));
  EXPECT_TRUE(equal(tensor(std::vector<int64_t>{3, 4}), arange(3, 5)));
  EXPECT_THROW(tensor({{1, 2}, {3}}), ShapeError);
  EXPECT_THROW(tensor({{1, 2}, 3}), ShapeError);
}

TEST(Access, Streams) {
  std::ostringstream s;
  s << tensor({1, 2}) << " " << float32 << " " << Device("cpu") << " " << Shape{2, 3} << " " << Scalar(2.5);
  EXPECT_EQ(s.str(), "tensor([1, 2]) float32 cpu [2, 3] 2.5");
}
