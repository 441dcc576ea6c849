// The tape: recording, backward, views and in-place writes, hooks, deep graphs, threads.
#include <gtest/gtest.h>

#include <thread>

#include "tapegrad/tapegrad.h"

using namespace tapegrad;

static Tensor leaf(std::initializer_list<double> v) { return tensor(std::vector<double>(v)).set_requires_grad(); }
static std::vector<double> values(const Tensor& t) {
  const Tensor dense = contiguous(to(detach(t), float64));
  return {dense.data_ptr<double>(), dense.data_ptr<double>() + dense.numel()};
}
using V = std::vector<double>;

TEST(Backward, SumsOverAllPaths) {
  Tensor x = leaf({1, 2, 3}), y = add(mul(x, x), x);
  sum(y).backward();
  EXPECT_EQ(values(x.grad()), (V{3, 5, 7}));
  sum(mul(x, x)).backward();  // accumulates
  EXPECT_EQ(values(x.grad()), (V{5, 9, 13}));
}
TEST(Backward, AWeightSharedByStepsSumsInOneBuffer) {
  const Tensor x = reshape(arange(6), {2, 3}).to(float64), start = leaf({1, 0, 2, 1, 1, 0, 0, 2, 1});
  const auto loss_of = [&](const Tensor& w, int steps) {
    Tensor y = x;
    for (int k = 0; k < steps; k++) y = linear(y, w);
    return sum(y);
  };
  const auto weight = [&] { return reshape(detach(start), {3, 3}).clone().set_requires_grad(); };
  Tensor w = weight(), parts = zeros({3, 3}, float64);
  for (int k = 1; k <= 3; k++) parts = add(parts, grad(loss_of(w, k), w)[0]);
  for (int k = 1; k <= 3; k++) loss_of(w, k).backward();
  EXPECT_EQ(values(w.grad()), values(parts));
  const Tensor held = w.grad();  // somebody else's too: still one tensor, changed in place
  loss_of(w, 1).backward();
  EXPECT_TRUE(held.is_same(w.grad()));
  w = weight();  // recorded, the sum is a new tensor each time
  loss_of(w, 3).backward({}, false, true);
  EXPECT_NE(grad_fn(w.grad()), nullptr);
  EXPECT_EQ(values(w.grad()), values(grad(loss_of(w, 3), w)[0]));
  w.set_grad({});  // which leads back to w
}
TEST(Backward, NamesWhatIsWrong) {
  Tensor x = leaf({1, 2});
  EXPECT_THROW(mul(x, x).backward(), GradError);            // not a scalar
  EXPECT_THROW(tensor({1}, float64).backward(), GradError);  // no graph
  Tensor y = sum(mul(x, x));
  y.backward();
  try {
    y.backward();
    FAIL();
  } catch (const GradError& e) {
    EXPECT_NE(std::string(e.what()).find("a second time"), std::string::npos) << e.what();
    EXPECT_NE(std::string(e.what()).find("MulBackward0"), std::string::npos) << e.what();
  }
}
TEST(Backward, RetainGraphAllowsASecondTime) {
  Tensor x = leaf({3}), y = sum(mul(x, x));
  y.backward({}, true);
  y.backward();
  EXPECT_EQ(values(x.grad()), V{12});
}
TEST(Backward, NoGradRecordsNothing) {
  Tensor x = leaf({1});
  NoGrad guard;
  EXPECT_FALSE(mul(x, x).requires_grad());
}
TEST(Grad, ReturnsGradientsAndTouchesNoLeaf) {
  Tensor x = leaf({2}), y = leaf({5}), unused = leaf({1});
  Tensor z = mul(mul(x, x), y);
  auto g = grad(z, {x, y});
  EXPECT_EQ(values(g[0]), V{20});
  EXPECT_EQ(values(g[1]), V{4});
  EXPECT_FALSE(x.grad().defined());
  EXPECT_THROW(grad(mul(x, y), unused), GradError);
  EXPECT_FALSE(grad(mul(x, y), unused, {}, {.allow_unused = true})[0].defined());
}
TEST(Grad, OfANonLeafAndOfAGradient) {
  Tensor x = leaf({2}), h = mul(x, x), y = mul(h, h);  // x^4
  EXPECT_EQ(values(grad(y, h, {}, {.retain_graph = true})[0]), V{8});
  Tensor d1 = grad(y, x, {}, {.create_graph = true})[0];
  EXPECT_EQ(values(d1), V{32});
  Tensor d2 = grad(d1, x, {}, {.create_graph = true})[0];
  EXPECT_EQ(values(d2), V{48});
  EXPECT_EQ(values(grad(d2, x)[0]), V{48});
}
TEST(Grad, NodesComputeOnlyWhatIsWanted) {
  static std::vector<bool> asked;
  struct Product final : NodeOf<2> {
    Tensor a, b;
    Product(const Tensor& x, const Tensor& y) : NodeOf(x, y), a(detach(x)), b(detach(y)) {}
    const char* name() const override { return "Product"; }
    void backward(Tensor g, Tensor* dx) override {
      asked = {needs(0), needs(1)};
      if (needs(0)) dx[0] = g * b;
      if (needs(1)) dx[1] = g * a;
    }
  };
  const Tensor x = leaf({3, 3}), y = leaf({5, 5});
  auto product = [&] {
    const NoGrad off;
    Tensor out = x * y;
    const EnableGrad on;
    record<Product>(out, x, y);
    return out;
  };
  EXPECT_EQ(grad({product().sum()}, {y})[0][0].item<double>(), 3);
  EXPECT_EQ(asked, (std::vector<bool>{false, true}));
  EXPECT_EQ(grad({product().sum()}, {x})[0][0].item<double>(), 5);
  EXPECT_EQ(asked, (std::vector<bool>{true, false}));
  product().sum().backward();  // and a backward afterwards wants all again
  EXPECT_EQ(asked, (std::vector<bool>{true, true}));
}

TEST(InPlace, LeavesAreProtected) {
  Tensor x = leaf({1, 2});
  EXPECT_THROW(add_(x, x), GradError);
  EXPECT_THROW(add_(alias(x, {1}, {1}, 0, true), Tensor(1)), GradError);
  NoGrad guard;
  add_(x, Tensor(1));
  EXPECT_EQ(values(x), (V{2, 3}));
}
TEST(InPlace, ChangingASavedValueIsFound) {
  Tensor x = leaf({1, 2}), h = mul(x, Tensor(2.0)), y = sum(mul(h, h));
  add_(h, Tensor(1.0));
  try {
    y.backward();
    FAIL();
  } catch (const GradError& e) {
    EXPECT_NE(std::string(e.what()).find("modified by an inplace operation"), std::string::npos) << e.what();
  }
}
TEST(InPlace, WritingIntoAViewChangesTheBasesHistory) {
  Tensor x = leaf({1, 2, 3}), w = leaf({10});
  Tensor base = mul(x, Tensor(1.0));
  Tensor view = record_view(base, alias(base, {1}, {1}, 1, true), "SliceBackward0");
  add_(view, w);  // base is now {x0, x1 + w, x2}
  EXPECT_EQ(values(base), (V{1, 12, 3}));
  EXPECT_STREQ(grad_fn(base)->name(), "CopySlices");
  sum(mul(base, base)).backward();
  EXPECT_EQ(values(x.grad()), (V{2, 24, 6}));
  EXPECT_EQ(values(w.grad()), V{24});
}
TEST(InPlace, ViewsSeeWritesIntoTheirBase) {
  Tensor x = leaf({1, 2, 3}), base = mul(x, Tensor(1.0));
  Tensor view = record_view(base, alias(base, {2}, {1}, 1, true), "SliceBackward0");
  mul_(base, Tensor(3.0));
  sum(mul(view, view)).backward();  // 9 x^2 on the last two
  EXPECT_EQ(values(x.grad()), (V{0, 36, 54}));
}
TEST(InPlace, ABaseWithoutHistoryGetsOneThroughItsView) {
  Tensor base = zeros({3}, float64), w = leaf({7});
  Tensor before = alias(base, {3}, {1}, 0, true), view = alias(base, {1}, {1}, 2, true);
  copy_(view, w);
  EXPECT_TRUE(base.requires_grad());
  EXPECT_TRUE(needs_grad(before));
  sum(mul(before, before)).backward();
  EXPECT_EQ(values(w.grad()), V{14});
}
TEST(InPlace, MultiplyingByItselfDoesNotLeak) {
  const int64_t before = memory_stats().nodes;
  {
    Tensor x = leaf({2, 3}), h = mul(x, Tensor(1.0));
    mul_(h, h);
    EXPECT_EQ(values(h), (V{4, 9}));
  }
  EXPECT_EQ(memory_stats().nodes, before);
}
TEST(Hooks, SeeAndReplaceGradients) {
  Tensor x = leaf({1, 2}), h = mul(x, Tensor(3.0));
  int leaf_calls = 0;
  register_hook(h, make_hook([](const Tensor& g) { return mul(g, Tensor(10.0)); }));
  register_hook(x, make_hook([&](const Tensor&) { leaf_calls++; }));
  const uint64_t id = register_hook(x, make_hook([](const Tensor& g) { return mul(g, Tensor(100.0)); }));
  register_post_accumulate_hook(x, make_hook([&](const Tensor& t) { EXPECT_TRUE(t.grad().defined()); leaf_calls += 10; }));
  sum(add(h, mul(x, h))).backward({}, true);
  EXPECT_EQ(leaf_calls, 11);
  remove_hook(id, x);
  EXPECT_EQ(values(x.grad()), (V{(30 + 30 + 3) * 100., (60 + 30 + 6) * 100.}));
}
TEST(Hooks, RetainGradKeepsTheGradientOfANonLeaf) {
  Tensor x = leaf({2}), h = mul(x, x);
  retain_grad(h);
  mul(h, h).backward();
  EXPECT_EQ(values(h.grad()), V{8});
  { Tensor k = mul(x, x); retain_grad(k); x = mul(k, k); }  // the retained tensor dies first
  x.backward();
}
TEST(Tape, AMillionOpsDeep) {
  const MemoryStats before = memory_stats();
  {
    Tensor x = leaf({1}), y = x, one = tensor({1}, float64);
    for (int k = 0; k < 1000000; k++) y = add(y, one);
    y.backward();
    EXPECT_EQ(values(x.grad()), V{1});
  }
  { Tensor x = leaf({1}), y = x; for (int k = 0; k < 1000000; k++) y = mul(y, y); }  // destroyed without a backward
  EXPECT_EQ(memory_stats().nodes, before.nodes);
  EXPECT_EQ(memory_stats().tensors, before.tensors);
}
TEST(Tape, DisjointGraphsInThreads) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; t++)
    threads.emplace_back([t] {
      for (int k = 0; k < 300; k++) {
        Tensor x = leaf({double(t), double(k)}), y = sum(mul(x, mul(x, x)));
        y.backward();
        ASSERT_EQ(values(x.grad()), (V{3.0 * t * t, 3.0 * k * k}));
      }
    });
  for (auto& t : threads) t.join();
}
TEST(Tape, OneGraphDifferentiatedByTwoThreadsIntoOneLeaf) {
  for (int round = 0; round < 100; round++) {
    Tensor x = leaf({1}), h = x;
    for (int k = 0; k < 50; k++) h = add(h, mul(x, Tensor(1.0)));
    Tensor y = sum(mul(h, h));
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; t++) threads.emplace_back([&] { y.backward({}, true); });
    for (auto& t : threads) t.join();
    ASSERT_EQ(values(x.grad()), V{2 * 2.0 * 51 * 51});
  }
}
TEST(Tape, ABackwardInsideABackward) {
  struct Inner : Function<Inner> {
    static std::vector<Tensor> forward(FunctionContext& ctx, const Tensor& x) { ctx.save_for_backward(x); return {mul(x, x)}; }
    static std::vector<Tensor> backward(FunctionContext& ctx, std::vector<Tensor> g) {
      EnableGrad on;
      Tensor x = detach(ctx.saved_tensors()[0]).set_requires_grad();
      tapegrad::backward(mul(x, x), g[0]);
      return {x.grad()};
    }
  };
  Tensor x = leaf({3});
  sum(mul(Inner::apply(x)[0], Tensor(2.0))).backward();
  EXPECT_EQ(values(x.grad()), V{12});
}
TEST(Tape, AnExceptionInBackwardLeavesACleanGraph) {
  struct Bad : Function<Bad> {
    static std::vector<Tensor> forward(FunctionContext&, const Tensor& x) { return {mul(x, Tensor(1.0))}; }
    static std::vector<Tensor> backward(FunctionContext&, std::vector<Tensor>) { throw ValueError("on purpose"); }
  };
  Tensor x = leaf({1}), h = mul(x, x), y = add(sum(h), sum(Bad::apply(x)[0]));
  EXPECT_THROW(y.backward({}, true), ValueError);
  sum(h).backward();
  EXPECT_TRUE(x.grad().defined());
}
TEST(Tape, AnomalyModeNamesTheOpThatMadeNaN) {
  Tensor x = leaf({0.0});
  AnomalyMode on;
  Tensor y = mul(sqrt(x), Tensor(0.0));  // 0 * inf
  try {
    y.backward();
    FAIL();
  } catch (const GradError& e) {
    EXPECT_NE(std::string(e.what()).find("SqrtBackward0"), std::string::npos) << e.what();
  }
}
TEST(Function, RecordsUserGradientsAndChecksThem) {
  struct Cube : Function<Cube> {
    static std::vector<Tensor> forward(FunctionContext& ctx, const Tensor& x) { ctx.save_for_backward(x); return {mul(x, mul(x, x))}; }
    static std::vector<Tensor> backward(FunctionContext& ctx, std::vector<Tensor> g) {
      Tensor x = ctx.saved_tensors()[0];
      return {mul(g[0], mul(Tensor(3.0), mul(x, x)))};
    }
  };
  Tensor x = leaf({2, -1});
  EXPECT_EQ(gradcheck([](const std::vector<Tensor>& in) { return Cube::apply(in[0]); }, {x}, {.second_order = true}), "");
  struct Wrong : Function<Wrong> {
    static std::vector<Tensor> forward(FunctionContext& ctx, const Tensor& x) { return Cube::forward(ctx, x); }
    static std::vector<Tensor> backward(FunctionContext&, std::vector<Tensor> g) { return {g[0], g[0]}; }
  };
  EXPECT_THROW(sum(Wrong::apply(x)[0]).backward(), GradError);
}
TEST(Function, TakesAndGivesUndefinedTensors) {
  struct Affine : Function<Affine> {
    static std::vector<Tensor> forward(FunctionContext& ctx, const Tensor& x, const Tensor& bias) {
      ctx.save_for_backward({x, bias});
      return {bias.defined() ? x * x + bias : x * x, Tensor()};
    }
    static std::vector<Tensor> backward(FunctionContext& ctx, std::vector<Tensor> g) {
      EXPECT_FALSE(g[1].defined());
      const std::vector<Tensor> saved = ctx.saved_tensors();
      return {2 * saved[0] * g[0], saved[1].defined() ? g[0] : Tensor()};
    }
  };
  const Tensor x = leaf({2, -1}), bias = leaf({1, 1});
  const std::vector<Tensor> out = Affine::apply(x, Tensor());
  EXPECT_FALSE(out[1].defined());
  EXPECT_EQ(gradcheck([](const std::vector<Tensor>& in) { return Affine::apply(in[0], Tensor())[0]; }, {x}, {.second_order = true}), "");
  EXPECT_EQ(gradcheck([](const std::vector<Tensor>& in) { return Affine::apply(in[0], in[1])[0]; }, {x, bias}), "");
}
TEST(Gradcheck, FindsAWrongGradient) {
  struct Off : Function<Off> {
    static std::vector<Tensor> forward(FunctionContext&, const Tensor& x) { return {mul(x, x)}; }
    static std::vector<Tensor> backward(FunctionContext&, std::vector<Tensor> g) { return {g[0]}; }
  };
  EXPECT_NE(gradcheck([](const std::vector<Tensor>& in) { return Off::apply(in[0]); }, {leaf({2, 3})}), "");
}
TEST(Places, ErrorsAndNodesKnowTheCaller) {
  Tensor x = leaf({1}), y = mul(x, x);
  const std::string place = describe(grad_fn(y)->place);
  EXPECT_TRUE(place.find("+0x") != std::string::npos || place.find("engine_test.cpp:") != std::string::npos) << place;  // the line where there is debug info
  EXPECT_EQ(place.find("libtapegrad"), std::string::npos) << place;
}
