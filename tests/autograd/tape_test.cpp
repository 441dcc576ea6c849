// Reading the tape: its steps, their sizes, what they saved, the table, the observer.
#include "tapegrad/tape.h"

#include <gtest/gtest.h>

#include "tapegrad/nn.h"

using namespace tapegrad;

static Tensor leaf(IntList size) { return ones(size).set_requires_grad(); }
static bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

TEST(Tape, IsATable) {
  const Tensor w = leaf({2, 3}), h = exp(w * 2), loss = sum(h);
  const std::string text = tape(loss, {{"w", w}, {"h", h}, {"loss", loss}});
  EXPECT_TRUE(has(text, "step  op            output           inputs  saved  line\n")) << text;
  EXPECT_TRUE(has(text, "   0  MulBackward0  float32[2, 3]    w, -")) << text;
  EXPECT_TRUE(has(text, "   1  ExpBackward0  h float32[2, 3]  #0       24 B")) << text;
  EXPECT_TRUE(has(text, "   2  SumBackward0  loss float32[]   #1")) << text;
  EXPECT_TRUE(has(text, "3 steps; ") && has(text, " saved for backward, leaves not counted\nleaves: w float32[2, 3]\n")) << text;
}
TEST(Tape, LeavesGradientsAndHooksAlone) {
  const Tensor w = leaf({3});
  int calls = 0;
  Tensor y = w;
  for (int k = 0; k < 3; k++) y = linear(reshape(y, {1, 3}), leaf({3, 3}));
  register_hook(y, make_hook([&](const Tensor&) { calls++; }));
  const Tensor loss = sum(y * w);
  loss.backward({}, true);
  const Tensor before = clone(w.grad());
  calls = 0;
  const Tape t = read_tape(loss);
  EXPECT_EQ(t.problem, "");
  EXPECT_EQ(calls, 0);
  EXPECT_TRUE(equal(w.grad(), before));
  for (const TapeStep& s : t.steps) EXPECT_TRUE(s.outputs[0].known) << s.op;
  loss.backward();
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(equal(w.grad(), before + before));
}
TEST(Tape, SharedWeightsKeepTheirGradient) {  // nodes that add to a leaf's gradient themselves do not do so on the side
  const Tensor w = leaf({4, 4});
  Tensor y = ones({1, 4});
  for (int k = 0; k < 3; k++) y = linear(y, w);
  const Tensor loss = sum(y);
  loss.backward({}, true);
  const Tensor before = clone(w.grad());
  struct Sum : TapeVisitor {
    Tensor leaf_gradient;
    void step(const Tape&, size_t, TensorList, TensorList) override {}
    void leaf(const Tape&, size_t, const Tensor& g) override { leaf_gradient = g; }
  } sum_of;
  read_tape(loss, {}, &sum_of);
  EXPECT_TRUE(equal(w.grad(), before));
  EXPECT_TRUE(equal(sum_of.leaf_gradient, before));
}
TEST(Tape, SaysWhatWasFreedAndChanged) {
  const Tensor w = leaf({2}), a = w * 3, loss = sum(a * a);
  add_(a, Tensor(1.0));
  EXPECT_EQ(saved_tensors(*grad_fn(loss * loss)).size(), 2u);
  const Tape changed = read_tape(loss);
  EXPECT_TRUE(has(changed.problem, "modified by an inplace operation")) << changed.problem;
  EXPECT_EQ(changed.steps[1].saved[0].state, TapeStep::Saved::changed);
  const Tensor other = sum(exp(w));
  other.backward();
  EXPECT_TRUE(has(tape(other), "freed")) << tape(other);
}
TEST(Tape, NeedsAHistory) {
  EXPECT_THROW(tape(ones({2})), GradError);
  EXPECT_EQ(read_tape(leaf({2})).leaves.size(), 1u);
}
TEST(Tape, AttentionAndCtcShowAllTheySaved) {
  const Tensor q = leaf({1, 2, 32, 8}), y = scaled_dot_product_attention(q, q, q);
  const Tape t = read_tape(sum(y));
  EXPECT_EQ(t.problem, "");
  size_t most = 0;
  for (const TapeStep& s : t.steps) most = std::max(most, s.saved.size());
  EXPECT_GE(most, 2u);
  sum(y).backward();
  EXPECT_TRUE(q.grad().defined());
}
TEST(Tape, CallsAnObserver) {
  struct Seen : TapeObserver {
    std::vector<std::string> names;
    void recorded(const Tensor&, Node& n, uint32_t) override { names.push_back(n.name()); }
  } seen;
  const Tensor w = leaf({2});
  TapeObserver* before = set_tape_observer(&seen);
  const Tensor y = exp(w) + 1;
  EXPECT_EQ(set_tape_observer(before), &seen);
  const Tensor z = y * 2;
  EXPECT_EQ(seen.names, (std::vector<std::string>{"ExpBackward0", "AddBackward0"}));
}
