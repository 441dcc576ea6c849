// The texts are PyTorch 2.13.0's, but for the name before the dtype. tests/parity/test_print.py compares thousands, live.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "tapegrad/tapegrad.h"

using namespace tapegrad;

static Tensor counting(IntList size) {
  Tensor t = empty(size, Dtype::Float32);
  std::iota(t.data_ptr<float>(), t.data_ptr<float>() + t.numel(), 0.f);
  return t;
}

TEST(Print, ChoosesOneNotationForAllNumbers) {
  EXPECT_EQ(to_string(tensor({1, 2, 3}, float32)), "tensor([1., 2., 3.])");
  EXPECT_EQ(to_string(tensor({1.5, 1000.25}, float32)), "tensor([   1.5000, 1000.2500])");
  EXPECT_EQ(to_string(tensor({1e-5, 1}, float32)), "tensor([1.0000e-05, 1.0000e+00])");
  EXPECT_EQ(to_string(tensor({1e8, 1}, float32)), "tensor([1.0000e+08, 1.0000e+00])");
  EXPECT_EQ(to_string(tensor({1, -200, 30}, int64)), "tensor([   1, -200,   30])");
  EXPECT_EQ(to_string(tensor({1, 0}, bool_)), "tensor([ True, False])");
}

TEST(Print, KeepsNanAndInfinityOutOfTheWidth) {
  EXPECT_EQ(to_string(tensor({1, std::nan("")}, float32)), "tensor([1., nan])");
  EXPECT_EQ(to_string(tensor({1.5, INFINITY}, float32)), "tensor([1.5000,    inf])");
  EXPECT_EQ(to_string(tensor({-std::nan(""), -INFINITY}, float32)), "tensor([nan, -inf])");
}

TEST(Print, NamesDtypesThatAreNotTheDefault) {
  EXPECT_EQ(to_string(tensor({1, 2}, float64)), "tensor([1., 2.], dtype=tapegrad.float64)");
  EXPECT_EQ(to_string(tensor({1, 2}, int32)), "tensor([1, 2], dtype=tapegrad.int32)");
  EXPECT_EQ(to_string(empty({3, 0}, int64)), "tensor([], size=(3, 0), dtype=tapegrad.int64)");
}

TEST(Print, ShowsScalarsAndEmptyTensors) {
  Tensor x = empty({}, float32);
  *x.data_ptr<float>() = 3.5;
  EXPECT_EQ(to_string(x), "tensor(3.5000)");
  EXPECT_EQ(to_string(empty({0}, float32)), "tensor([])");
  EXPECT_EQ(to_string(empty({0, 3}, float32)), "tensor([], size=(0, 3))");
}

TEST(Print, NestsBracketsAndFollowsStrides) {
  EXPECT_EQ(to_string(counting({2, 2, 2})), "tensor([[[0., 1.],\n         [2., 3.]],\n\n        [[4., 5.],\n         [6., 7.]]])");
  const Tensor x = counting({2, 3});
  EXPECT_EQ(to_string(alias(x, {3, 2}, {1, 3}, 0, false)), "tensor([[0., 3.],\n        [1., 4.],\n        [2., 5.]])");
}

TEST(Print, SummarisesWhatIsBeyondTheThreshold) {
  EXPECT_EQ(to_string(counting({1001})), "tensor([   0.,    1.,    2.,  ...,  998.,  999., 1000.])");
  EXPECT_EQ(to_string(counting({334, 3})),
            "tensor([[0.0000e+00, 1.0000e+00, 2.0000e+00],\n        [3.0000e+00, 4.0000e+00, 5.0000e+00],\n"
            "        [6.0000e+00, 7.0000e+00, 8.0000e+00],\n        ...,\n        [9.9300e+02, 9.9400e+02, 9.9500e+02],\n"
            "        [9.9600e+02, 9.9700e+02, 9.9800e+02],\n        [9.9900e+02, 1.0000e+03, 1.0010e+03]])");
}

TEST(Print, SaysWhatTheTapeKnows) {
  const Tensor x = tensor({1, 2}, float32);
  x.set_requires_grad();
  EXPECT_EQ(to_string(x), "tensor([1., 2.], requires_grad=True)");
  EXPECT_EQ(to_string(x + x), "tensor([2., 4.], grad_fn=<AddBackward0>)");
}

TEST(Print, ObeysItsOptions) {
  const PrintOptions before = print_options();
  print_options().precision = 2, print_options().sci_mode = true;
  EXPECT_EQ(to_string(tensor({1, 2}, float32)), "tensor([1.00e+00, 2.00e+00])");
  print_options() = before;
  print_options().threshold = 3, print_options().edgeitems = 1;
  EXPECT_EQ(to_string(counting({2, 4})), "tensor([[0.,  ..., 3.],\n        [4.,  ..., 7.]])");
  print_options() = before;
}
