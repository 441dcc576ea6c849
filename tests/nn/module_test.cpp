#include <gtest/gtest.h>

#include <cmath>

#include "tapegrad/nn.h"

using namespace tapegrad;

namespace {
struct Net : nn::Module {
  nn::Conv2d conv = register_module("conv", nn::Conv2d(1, 4, 3, {.padding = 1}));
  nn::BatchNorm2d norm = register_module("norm", nn::BatchNorm2d(4));
  nn::Linear fc = register_module("fc", nn::Linear(4 * 4 * 4, 3, false));
  Net() : Module("Net") {}
  Tensor operator()(const Tensor& x) const { return fc(flatten(max_pool2d(relu(norm(conv(x))), 2), 1)); }
};
std::vector<std::string> keys(const StateDict& s) {
  std::vector<std::string> out;
  for (auto& [name, t] : s) out.push_back(name);
  return out;
}
}  // namespace

TEST(Module, HasPyTorchsKeysInPyTorchsOrder) {
  const Net net;
  EXPECT_EQ(keys(net.state_dict()), (std::vector<std::string>{"conv.weight", "conv.bias", "norm.weight", "norm.bias", "norm.running_mean", "norm.running_var",
                                                              "norm.num_batches_tracked", "fc.weight"}));
  EXPECT_EQ(keys(net.named_parameters()), (std::vector<std::string>{"conv.weight", "conv.bias", "norm.weight", "norm.bias", "fc.weight"}));
  EXPECT_EQ(net.named_modules().size(), 4u);
}

TEST(Module, PrintsAsPyTorch) {
  EXPECT_EQ(to_string(Net()),
            "Net(\n"
            "  (conv): Conv2d(1, 4, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))\n"
            "  (norm): BatchNorm2d(4, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)\n"
            "  (fc): Linear(in_features=64, out_features=3, bias=False)\n"
            ")");
  EXPECT_EQ(to_string(nn::Sequential(nn::Linear(2, 3), nn::ReLU())),
            "Sequential(\n  (0): Linear(in_features=2, out_features=3, bias=True)\n  (1): ReLU()\n)");
}

TEST(Module, TrainsAndEvaluates) {
  const Net net;
  const Tensor x = randn({5, 1, 8, 8});
  net(x).sum().backward();
  for (auto& [name, p] : net.named_parameters()) EXPECT_TRUE(p.grad().defined()) << name;
  EXPECT_EQ(net.norm.num_batches_tracked.item<int64_t>(), 1);
  net.zero_grad();
  for (const Tensor& p : net.parameters()) EXPECT_FALSE(p.grad().defined());
  net.eval();
  EXPECT_FALSE(net.norm.is_training());
  EXPECT_TRUE(equal(net(x), net(x)));
}

TEST(Module, CopiesShareEverything) {
  const Net net;
  const Net copy = net;
  copy.eval();
  EXPECT_FALSE(net.is_training());
  EXPECT_TRUE(copy.fc.weight.is_same(net.fc.weight));
}

TEST(Module, LoadsAStateAndSaysWhatDoesNotFit) {
  const Net a, b;
  b.load_state_dict(a.state_dict());
  for (size_t i = 0; i < a.state_dict().size(); i++) EXPECT_TRUE(equal(a.state_dict()[i].second, b.state_dict()[i].second));
  StateDict wrong = a.state_dict();
  wrong[0].second = zeros({2});
  wrong[1].first = "conv.other";
  try {
    b.load_state_dict(wrong);
    FAIL();
  } catch (const Error& e) {
    EXPECT_TRUE(std::string(e.what()).starts_with("load_state_dict: the state does not fit Net\n  conv.weight: the module has shape [4, 1, 3, 3], the state [2]\n"
                                                  "  missing: conv.bias\n  unexpected: conv.other")) << e.what();
  }
}

TEST(Module, ChangesDtypeInPlace) {
  const Net net;
  const Tensor handle = net.fc.weight;
  net.to(float64);
  EXPECT_EQ(handle.dtype(), float64);
  EXPECT_EQ(net(randn({1, 1, 8, 8}, float64)).dtype(), float64);
  EXPECT_EQ(net.norm.num_batches_tracked.dtype(), int64);
}

TEST(Module, RefusesNamesTwice) {
  struct Twice : nn::Module {
    nn::ReLU a = register_module("a", nn::ReLU()), b = register_module("a", nn::ReLU());
  };
  EXPECT_THROW(Twice(), ValueError);
}

TEST(Module, StartsAsKaimingUniform) {
  manual_seed(0);
  const nn::Linear a(300, 200);
  manual_seed(0);
  const nn::Linear b(300, 200);
  EXPECT_TRUE(equal(a.weight, b.weight));
  const double bound = 1 / std::sqrt(300.);
  EXPECT_LE(max(a.weight).item<double>(), bound);
  EXPECT_NEAR(a.weight.std().item<double>(), bound / std::sqrt(3.), 1e-3);
}

TEST(Module, LazyLayersKeepTheirHandles) {
  const nn::Sequential net{nn::LazyConv2d(4, 3), nn::LazyBatchNorm2d(), nn::ReLU(), nn::Flatten(), nn::LazyLinear(2)};
  const nn::Sequential copy = net;
  const std::vector<Tensor> before = net.parameters();  // what an optimiser would hold
  EXPECT_EQ(to_string(net[4]), "LazyLinear(in_features=0, out_features=2, bias=True)");
  EXPECT_THROW(net[0](randn({3, 3})), ShapeError);  // and it waits on
  net(randn({5, 3, 6, 6})).sum().backward();
  EXPECT_EQ(to_string(copy[4]), "Linear(in_features=64, out_features=2, bias=True)");
  EXPECT_EQ(before[0].sizes(), (Shape{4, 3, 3, 3}));
  EXPECT_EQ(before[4].grad().sizes(), (Shape{2, 64}));
  EXPECT_TRUE(before[4].is_same(copy.parameters()[4]));
  EXPECT_THROW(net(randn({5, 2, 6, 6})), ShapeError);  // an ordinary layer now

  const nn::Sequential fresh{nn::LazyConv2d(4, 3), nn::LazyBatchNorm2d(), nn::ReLU(), nn::Flatten(), nn::LazyLinear(2)};
  fresh.to(float64);
  fresh.load_state_dict(net.state_dict());
  EXPECT_EQ(to_string(fresh), to_string(net));
  EXPECT_EQ(fresh.parameters()[0].dtype(), float64);
  EXPECT_TRUE(equal(fresh.parameters()[4], net.parameters()[4].to(float64)));
  const nn::Linear plain = nn::LazyLinear(3);  // a handle of the base class waits as well
  EXPECT_EQ(plain(ones({1, 7})).size(1), 3);
  EXPECT_EQ(plain.weight.sizes(), (Shape{3, 7}));
}

TEST(Module, DoesNotHoldItself) {
  nn::Sequential inner{nn::Linear(2, 2)}, outer;
  outer.push_back(inner);
  EXPECT_THROW(inner.push_back(inner), ValueError);
  EXPECT_THROW(inner.push_back(outer), ValueError);
  EXPECT_EQ(outer.parameters().size(), 2u);
}

TEST(Module, RefusesWhatIsMissingOrOfTheWrongLength) {
  const nn::Linear fc(2, 2);
  EXPECT_THROW(fc.load_state_dict({{"weight", Tensor()}, {"bias", Tensor()}}), ValueError);
  EXPECT_THROW(nn::ParameterList({Tensor()}), ValueError);
  EXPECT_THROW(nn::Conv3d(1, 1, {3, 3}), ShapeError);
  EXPECT_THROW(nn::ConvTranspose2d(1, 1, 3, {.stride = {1, 2, 3}})(ones({1, 1, 4, 4}), nn::Dims{6, 6}), ShapeError);
  EXPECT_THROW(nn::FractionalMaxPool3d(2, {.output_ratio = {0.5, 0.5}}), ShapeError);
  const nn::Sequential net{fc};
  EXPECT_THROW(net[1], IndexError);
}

TEST(Module, KnowsTheNamesOfLocalClasses) {
  const auto name = [] {
    struct Here : nn::ModuleOf<Here> {};
    return Here().name();
  }();
  EXPECT_EQ(name, "Here");
  EXPECT_EQ(nn::ModuleList<nn::Linear>().name(), "ModuleList");
}

TEST(Module, LayersOfAStackAreFrozenAsTheirPattern) {
  const nn::TransformerEncoderLayer layer(4, 2, {.dim_feedforward = 8});
  layer.linear1.requires_grad_(false);
  const nn::TransformerEncoder encoder(layer, 2);
  EXPECT_FALSE(encoder.layers[1].linear1.weight.requires_grad());
  EXPECT_TRUE(encoder.layers[1].linear2.weight.requires_grad());
}
