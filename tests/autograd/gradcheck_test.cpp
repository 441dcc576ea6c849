// gradcheck finds wrong derivatives, and the smallest inputs that show them.
#include <gtest/gtest.h>

#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

// The derivative of x³ but for elements above 1, where a factor is missing.
struct WrongCube : Function<WrongCube> {
  static std::vector<Tensor> forward(FunctionContext& ctx, const Tensor& x) {
    ctx.save_for_backward({x});
    return {x * x * x};
  }
  static std::vector<Tensor> backward(FunctionContext& ctx, std::vector<Tensor> grads) {
    const Tensor x = ctx.saved_tensors()[0];
    return {where(x > 1, x * x, 3 * x * x) * grads[0]};
  }
};

}  // namespace

TEST(Gradcheck, PassesWhatIsRight) {
  const Tensor x = linspace(-2, 2, 6, float64).view({2, 3}).set_requires_grad();
  EXPECT_EQ(gradcheck([](auto& in) { return in[0].sin() * in[0]; }, {x}, {.second_order = true}), "");
}

TEST(Gradcheck, ShrinksWhatFails) {
  const Tensor x = (linspace(1.6, 2.9, 20, float64).view({4, 5}) + 0.0317).set_requires_grad(), w = linspace(1, 2, 10, float64).view({5, 2}).set_requires_grad();
  const std::string wrong = gradcheck([](auto& in) { return matmul(WrongCube::apply(in[0])[0], in[1]); }, {x, w});
  EXPECT_EQ(wrong.substr(0, 37), "gradcheck: input 0, element 0: the ta") << wrong;
  EXPECT_NE(wrong.find("\n  input 0: tensor([[2.]], dtype=tapegrad.float64)\n  input 1: tensor([[1.]], dtype=tapegrad.float64)"), std::string::npos) << wrong;
}

TEST(Gradcheck, KeepsWhatCannotShrink) {
  const Tensor x = (ones({3, 3}, float64) * 0.5 + 2 * eye(3, {}, float64)).set_requires_grad();
  const std::string wrong = gradcheck([](auto& in) {
    TG_CHECK(in[0].size(0) == 3 && in[0].size(1) == 3, ShapeError, "3 x 3 only");
    return WrongCube::apply(in[0])[0];
  }, {x});
  EXPECT_NE(wrong.find("element 0"), std::string::npos);
  EXPECT_EQ(wrong.find("smallest inputs"), std::string::npos) << wrong;
}
