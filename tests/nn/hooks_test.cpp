#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "tapegrad/nn.h"

using namespace tapegrad;

namespace {
struct Net : nn::ModuleOf<Net> {
  nn::Linear fc = register_module("fc", nn::Linear(3, 2));
  Tensor forward(const Tensor& x) const { return fc(x).relu(); }
};
struct Pair : nn::ModuleOf<Pair> {
  std::tuple<Tensor, Tensor> forward(const Tensor& a, const Tensor& b = {}, double scale = 2) const {
    return {a * scale, b.defined() ? b : a};
  }
};
}  // namespace

TEST(Hooks, SeeAndChangeInputsAndOutputs) {
  const Net net;
  const Tensor x = ones({1, 3});
  std::string order;
  nn::HookHandle pre = net.fc.register_forward_pre_hook([&](const nn::Module& m, std::vector<Tensor>& in) {
    order += m.name() + "<";
    in[0] = in[0] * 0;
  });
  nn::HookHandle post =
      net.fc.register_forward_hook([&](const nn::Module&, const std::vector<Tensor>& in, std::vector<Tensor>& out) {
        order += ">";
        EXPECT_TRUE(equal(in[0], zeros({1, 3})));
        out[0] = out[0] + 100;
      });
  Net copy = net;  // a handle: it has the hooks, too
  EXPECT_TRUE(equal(copy(x), net.fc.bias.view({1, 2}) + 100));
  EXPECT_EQ(order, "Linear<>");
  pre.remove();
  post.remove();
  post.remove();
  EXPECT_TRUE(equal(net(x), linear(x, net.fc.weight, net.fc.bias).relu()));
  EXPECT_EQ(order, "Linear<>");
}

TEST(Hooks, PrependedOnesComeFirst) {
  const Net net;
  std::string order;
  const auto note = [&](char c) { return [&order, c](const nn::Module&, std::vector<Tensor>&) { order += c; }; };
  net.register_forward_pre_hook(note('a'));
  net.register_forward_pre_hook(note('b'));
  net.register_forward_pre_hook(note('c'), true);
  net(ones({1, 3}));
  EXPECT_EQ(order, "cab");
}

TEST(Hooks, SeeAndChangeGradients) {
  const nn::Linear fc(3, 2);
  const Tensor x = randn({4, 3}).set_requires_grad();
  const auto gradient = [&] {
    x.set_grad({});
    fc(x).sum().backward();
    return x.grad();
  };
  const Tensor plain = gradient();
  int calls = 0;
  nn::HookHandle hook = fc.register_full_backward_hook(
      [&](const nn::Module& m, std::vector<Tensor>& grad_in, const std::vector<Tensor>& grad_out) {
        calls++;
        EXPECT_EQ(m.name(), "Linear");
        EXPECT_TRUE(equal(grad_in[0], plain));
        EXPECT_TRUE(equal(grad_out[0], ones({4, 2})));
        grad_in[0] = grad_in[0] * 3;
      });
  EXPECT_TRUE(equal(gradient(), plain * 3));
  EXPECT_EQ(calls, 1);
  hook.remove();
  hook = fc.register_full_backward_pre_hook(
      [](const nn::Module&, std::vector<Tensor>& grad_out) { grad_out[0] = grad_out[0] * 2; });
  EXPECT_TRUE(equal(gradient(), plain * 2));
  hook.remove();
  // Without an input that needs a gradient the hook still runs, with the gradients of the outputs.
  bool ran = false;
  fc.register_full_backward_hook(
      [&](const nn::Module&, std::vector<Tensor>& grad_in, const std::vector<Tensor>& grad_out) {
        ran = true;
        EXPECT_FALSE(grad_in[0].defined());
        EXPECT_TRUE(grad_out[0].defined());
      });
  fc(detach(x)).sum().backward();
  EXPECT_TRUE(ran);
}

TEST(Hooks, TakeAnyArguments) {
  Pair pair;
  EXPECT_TRUE(equal(std::get<0>(pair(ones({2}))), full({2}, 2.)));
  pair.register_forward_pre_hook([](const nn::Module&, std::vector<Tensor>& in) { in[0] = in[0] + 1; });
  pair.register_forward_hook(
      [](const nn::Module&, const std::vector<Tensor>&, std::vector<Tensor>& out) { out[1] = out[1] * 10; });
  auto [a, b] = pair(ones({2}), zeros({2}) + 3, 5.);
  EXPECT_TRUE(equal(a, full({2}, 10.)));
  EXPECT_TRUE(equal(b, full({2}, 30.)));
  nn::LSTM lstm(2, 3);
  int states = 0;
  lstm.register_forward_hook([&](const nn::Module&, const std::vector<Tensor>& in, std::vector<Tensor>& out) {
    states = int(in.size() * 10 + out.size());
  });
  lstm(randn({4, 1, 2}), nn::LSTM::State(zeros({1, 1, 3}), zeros({1, 1, 3})));
  EXPECT_EQ(states, 33);
}

TEST(Hooks, DoNotNarrowWhatForwardMayTake) {
  struct Odd : nn::ModuleOf<Odd> {
    void forward(const Tensor& x, const char* text, const std::unique_ptr<std::string>& out, const std::optional<Tensor>& y = {}) const {
      *out = text + std::to_string(x.dim() + (y ? y->dim() : 0));
    }
  };
  const Odd odd;
  int calls = 0;
  odd.register_forward_hook([&](auto&, auto& in, auto& out) { calls += in.size() == 1 && out.empty(); });
  const auto out = std::make_unique<std::string>();
  odd(ones({1, 3}), "dims: ", out);
  EXPECT_EQ(*out, "dims: 2");
  EXPECT_EQ(calls, 1);
  odd.register_forward_pre_hook([](auto&, auto& in) { in.at(1) = ones({1, 1, 1}); });
  odd(ones({1, 3}), "dims: ", out, std::optional<Tensor>(ones({1})));
  EXPECT_EQ(*out, "dims: 5");
}

TEST(Hooks, MayNotMakeListsShorter) {
  const Tensor x = ones({1, 3}).set_requires_grad();
  const auto refuses = [&](auto register_one) {
    const Net net;
    register_one(net.fc);
    EXPECT_THROW(net(x).sum().backward(), ValueError);
  };
  refuses([](const nn::Linear& fc) { fc.register_forward_pre_hook([](auto&, auto& in) { in.clear(); }); });
  refuses([](const nn::Linear& fc) { fc.register_forward_hook([](auto&, auto&, auto& out) { out.clear(); }); });
  refuses([](const nn::Linear& fc) { fc.register_full_backward_pre_hook([](auto&, auto& out) { out.clear(); }); });
  refuses([](const nn::Linear& fc) { fc.register_full_backward_hook([](auto&, auto& in, auto&) { in.push_back({}); }); });
}

TEST(Hooks, AreRefusedWhereTheyCouldNotRun) {
  struct Own : nn::Module {
    Tensor operator()(const Tensor& x) const { return x; }
  } own;
  EXPECT_THROW(own.register_forward_pre_hook([](const nn::Module&, std::vector<Tensor>&) {}), NotImplementedError);
}

TEST(Containers, HoldModulesOfAnyClass) {
  nn::Sequential model{nn::Linear(3, 4), nn::ReLU()};
  model.push_back("head", nn::Linear(4, 2));
  EXPECT_EQ(model(ones({1, 3})).sizes(), IntList({1, 2}));
  EXPECT_EQ(model[0].as<nn::Linear>().weight.sizes(), IntList({4, 3}));
  EXPECT_THROW(model[1].as<nn::Linear>(), ValueError);
  EXPECT_EQ(model.parameters().size(), 4u);
  EXPECT_TRUE(model.get_parameter("head.bias").is_same(model[2].as<nn::Linear>().bias));
  EXPECT_THROW(model.get_parameter("head.nothing"), ValueError);

  nn::ModuleList<nn::Linear> list;
  for (int k = 0; k < 3; k++) list.push_back(nn::Linear(2, 2));
  Tensor x = ones({1, 2});
  for (const nn::Linear& layer : list) x = layer(x);
  EXPECT_EQ(list.state_dict().size(), 6u);
  const nn::ModuleList<nn::Linear> same = list;
  list.push_back(nn::Linear(2, 2));
  EXPECT_EQ(same.size(), 4u);

  const nn::ModuleList<> two{nn::Bilinear(2, 2, 3)};  // cannot be called with one tensor
  EXPECT_THROW(two[0](ones({1, 2})), NotImplementedError);
  EXPECT_EQ(two[0].as<nn::Bilinear>()(ones({1, 2}), ones({1, 2})).size(1), 3);
  const nn::ModuleDict<> dict({{"up", nn::Linear(2, 3)}, {"rnn", nn::LSTM(2, 3)}});
  EXPECT_TRUE(dict.contains("up"));
  EXPECT_EQ(dict["up"](ones({1, 2})).size(1), 3);
  EXPECT_THROW(dict["rnn"](ones({1, 2})), NotImplementedError);
  EXPECT_EQ(std::get<0>(dict["rnn"].as<nn::LSTM>()(ones({1, 1, 2}))).size(2), 3);
  EXPECT_THROW(dict["down"], IndexError);
}

TEST(Utils, ClipAndFlatten) {
  nn::Linear fc(3, 2);
  fc(ones({1, 3})).sum().backward();
  const double before = nn::utils::clip_grad_norm_(fc.parameters(), 1).item<double>();
  EXPECT_NEAR(before, std::sqrt(8.), 1e-5);
  EXPECT_NEAR(nn::utils::get_total_norm({fc.weight.grad(), fc.bias.grad()}).item<double>(), 1, 1e-4);
  const Tensor all = nn::utils::parameters_to_vector(fc.parameters());
  EXPECT_EQ(all.numel(), 8);
  nn::utils::vector_to_parameters(detach(all) * 0 + 1, fc.parameters());
  EXPECT_TRUE(equal(fc.weight, ones({2, 3})));
}

TEST(Hooks, OfAllModulesRunBeforeAModulesOwn) {
  const nn::Sequential net{nn::Linear(3, 2), nn::ReLU()};
  const Tensor x = randn({4, 3}).set_requires_grad(), expected = net(x);
  std::string order;
  const auto note = [&](const char* what) {
    return [&order, what](const nn::Module& m, const std::vector<Tensor>&, const std::vector<Tensor>&) { order += m.name() + what; };
  };
  nn::HookHandle own = net[1].register_forward_hook(note("! "));
  nn::HookHandle pre = nn::register_module_forward_pre_hook([&](const nn::Module& m, std::vector<Tensor>&) { order += m.name() + "< "; });
  nn::HookHandle post = nn::register_module_forward_hook(note("> "));
  EXPECT_TRUE(equal(net(x), expected));
  EXPECT_EQ(order, "Sequential< Linear< Linear> ReLU< ReLU> ReLU! Sequential> ");
  pre.remove();
  post.remove();
  own.remove();
  order.clear();
  nn::HookHandle back = nn::register_module_full_backward_hook(note("b "));
  nn::HookHandle back_pre = nn::register_module_full_backward_pre_hook([&](const nn::Module& m, std::vector<Tensor>&) { order += m.name() + "p "; });
  net(x).sum().backward();
  EXPECT_EQ(order, "Sequentialp ReLUp ReLUb Linearp Linearb Sequentialb ");
  back.remove();
  back_pre.remove();
  order.clear();
  net(x).sum().backward();
  EXPECT_EQ(order, "");
}
