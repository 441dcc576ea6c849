// explain() and the lines that errors name; tests/python/test_explain.py has every reason, test_error_lines.py programs with debug info.
#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "tapegrad/explain.h"
#include "tapegrad/ops.h"

using namespace tapegrad;

static Tensor leaf() { return ones({3}, float64).set_requires_grad(); }
#define SAYS(text, words) EXPECT_NE((text).find(words), std::string::npos) << (text)

TEST(Explain, WhyItDoesNotRequireGrad) {
  const Tensor x = leaf();
  SAYS(explain(detach(x)), "cut from the graph by detach()");
  const Tensor y = x * 2;
  detach_(y);
  SAYS(explain(y), "detach_()");
  const Tensor w = leaf();
  w.set_requires_grad(false);
  SAYS(explain(w), "requires_grad was set to False");
  SAYS(explain(ones({2})), "requires_grad_() was not called on it");
  SAYS(explain(tensor({1, 2})), "have no gradient");
  EXPECT_EQ(explain(Tensor()), "there is no tensor");
  {
    const NoGrad off;
    SAYS(explain(x * 2), "inside no_grad");
    const EnableGrad on;
    SAYS(explain(ones({2})), "requires_grad_() was not called on it");
  }
  const InferenceMode off;
  SAYS(explain(x * 2), "inside inference_mode");
}
TEST(Explain, WhyItHasNoGradient) {
  const Tensor x = leaf(), other = leaf(), y = x * 2, loss = y.sum();
  loss.backward();
  SAYS(explain(other), "did not reach it");
  SAYS(explain(y), "not a leaf");
  SAYS(explain(loss), "its graph was freed by the backward");
  SAYS(explain(x), "has a .grad");
  SAYS(explain(x.grad()), "create_graph");
  x.set_grad({});
  SAYS(explain(x), ".grad was set to None");
  grad((other * other).sum(), other);
  SAYS(explain(other), "grad()");
}
TEST(Explain, ABackwardOfWhatDoesNotRequireGradSaysWhy) {
  const Tensor x = detach(leaf());
  try {
    x.sum().backward();
    FAIL();
  } catch (const GradError& e) { SAYS(std::string(e.what()), "does not require grad: "); }
}
TEST(Explain, WhatOneBackwardFreedAnotherThreadMayAskAbout) {
  const Tensor x = leaf(), y = (x * x).sum();
  std::thread([&] { y.backward(); }).join();
  SAYS(explain(y), "freed by the backward");
}
TEST(Notes, AWriteIntoASavedTensorIsNamed) {
  const Tensor x = leaf(), h = x * 2, y = (h * h).sum();
  h.add_(Tensor(1.0));
  try {
    y.backward();
    FAIL();
  } catch (const GradError& e) {
    const std::string text = e.what();
    SAYS(text, "saved at");
    SAYS(text, "changed by add_ at");
    EXPECT_EQ(std::string(e.what()), text);  // made once
  }
}
