// Makes every module and writes what tests/python/test_cpp_modules.py compares with Python's, bit by bit, into a safetensors
// file: how it prints, its initial state, and the outputs and gradients of a call in training and of one in eval mode.
//   every_module FILE
#include <cmath>
#include <cstdio>

#include "tapegrad/io.h"
#include "tapegrad/nn.h"
#include "tapegrad/nn_parametrize.h"
#include "tapegrad/nn_prune.h"

using namespace tapegrad;

namespace {

StateDict out;
Metadata texts;
int cases = 0;

void put_state(const std::string& id, const nn::Module& m) {
  std::string names;
  for (auto& [name, t] : m.state_dict()) {
    out.emplace_back(id + "state." + name, t.clone());
    names += name + " ";
  }
  texts.emplace_back(id + "names", names);  // a file has an order of its own
}
/// `python` makes the same module there.
template <class Make, class... In> void check(const char* python, Make make, const In&... inputs) {
  const std::string id = std::to_string(cases++) + ".";
  const auto put = [&](const std::string& name, const Tensor& t) {
    out.emplace_back(id + name, t.defined() ? detach(t).clone() : zeros({0}));
  };
  texts.emplace_back(id + "python", python);
  manual_seed(1);
  const auto m = make();
  texts.emplace_back(id + "repr", to_string(m));
  put_state(id, m);
  int k = 0;
  (put("input." + std::to_string(k++), inputs), ...);
  for (const bool training : {true, false}) {
    const std::string mode = training ? "train" : "eval";
    m.train(training);
    manual_seed(2);
    auto result = m(inputs.clone()...);
    std::vector<Tensor> results;
    nn::detail::for_each_tensor(result, [&](Tensor& t) { results.push_back(t); });
    for (size_t i = 0; i < results.size(); i++) put(mode + "." + std::to_string(i), results[i]);
    if (training && results[0].requires_grad()) {
      results[0].sum().backward();
      for (auto& [name, p] : m.named_parameters()) put("grad." + name, p.grad());
    }
  }
  texts.emplace_back(id + "called", to_string(m));
}
Tensor x(IntList size) { return randn(size); }
Tensor u(IntList size) { return rand(size) * 0.9 + 0.05; }
Tensor classes(IntList size, int64_t n) { return randint(0, n, size); }
Tensor signs(IntList size) { return randint(0, 2, size).to(float32) * 2 - 1; }

void linear() {
  check("Identity()", [] { return nn::Identity(); }, x({2, 3}));
  check("Linear(3, 4)", [] { return nn::Linear(3, 4); }, x({2, 3}));
  check("Linear(3, 4, bias=False)", [] { return nn::Linear(3, 4, false); }, x({2, 3}));
  check("Bilinear(3, 4, 5)", [] { return nn::Bilinear(3, 4, 5); }, x({2, 3}), x({2, 4}));
  check("Bilinear(3, 4, 5, bias=False)", [] { return nn::Bilinear(3, 4, 5, false); }, x({2, 3}), x({2, 4}));
  check("Embedding(6, 3)", [] { return nn::Embedding(6, 3); }, classes({2, 4}, 6));
  check("Embedding(6, 3, padding_idx=-2, max_norm=1.5, norm_type=1.0, scale_grad_by_freq=True)",
        [] { return nn::Embedding(6, 3, {.padding_idx = -2, .max_norm = 1.5, .norm_type = 1, .scale_grad_by_freq = true}); }, classes({2, 4}, 6));
  check("EmbeddingBag(6, 3)", [] { return nn::EmbeddingBag(6, 3); }, classes({2, 4}, 6));
  check("EmbeddingBag(6, 3, mode='sum', padding_idx=1, scale_grad_by_freq=True, max_norm=2.0)",
        [] { return nn::EmbeddingBag(6, 3, {.max_norm = 2, .scale_grad_by_freq = true, .mode = "sum", .padding_idx = 1}); }, classes({2, 4}, 6));
  check("EmbeddingBag(6, 3, mode='max', include_last_offset=True)", [] { return nn::EmbeddingBag(6, 3, {.mode = "max", .include_last_offset = true}); },
        classes({6}, 6), tensor({0, 2, 6}, int64));
  check("CosineSimilarity()", [] { return nn::CosineSimilarity(); }, x({2, 3}), x({2, 3}));
  check("CosineSimilarity(0, 1e-3)", [] { return nn::CosineSimilarity(0, 1e-3); }, x({2, 3}), x({2, 3}));
  check("PairwiseDistance()", [] { return nn::PairwiseDistance(); }, x({2, 3}), x({2, 3}));
  check("PairwiseDistance(1.0, 1e-3, True)", [] { return nn::PairwiseDistance(1, 1e-3, true); }, x({2, 3}), x({2, 3}));
  check("Flatten()", [] { return nn::Flatten(); }, x({2, 3, 4}));
  check("Flatten(0, 1)", [] { return nn::Flatten(0, 1); }, x({2, 3, 4}));
  check("Unflatten(1, (2, 3))", [] { return nn::Unflatten(1, {2, 3}); }, x({2, 6}));
  check("PixelShuffle(2)", [] { return nn::PixelShuffle(2); }, x({1, 8, 2, 3}));
  check("PixelUnshuffle(2)", [] { return nn::PixelUnshuffle(2); }, x({1, 2, 4, 6}));
  check("ChannelShuffle(2)", [] { return nn::ChannelShuffle(2); }, x({1, 6, 2, 2}));
  check("Upsample(scale_factor=2)", [] { return nn::Upsample({.scale_factor = {2}}); }, x({1, 2, 3, 3}));
  check("Upsample(size=(5, 4), mode='bilinear', align_corners=True)",
        [] { return nn::Upsample({.size = nn::Dims{5, 4}, .mode = "bilinear", .align_corners = true}); }, x({1, 2, 3, 3}));
  check("Upsample(scale_factor=(1.5, 2.0))", [] { return nn::Upsample({.scale_factor = {1.5, 2}}); }, x({1, 2, 4, 3}));
  check("UpsamplingNearest2d(6)", [] { return nn::UpsamplingNearest2d(6); }, x({1, 2, 3, 3}));
  check("UpsamplingBilinear2d(scale_factor=2)", [] { return nn::UpsamplingBilinear2d({}, {2}); }, x({1, 2, 3, 3}));
}

void convolution() {
  check("Conv1d(2, 4, 3)", [] { return nn::Conv1d(2, 4, 3); }, x({2, 2, 7}));
  check("Conv2d(2, 4, 3)", [] { return nn::Conv2d(2, 4, 3); }, x({2, 2, 6, 7}));
  check("Conv3d(2, 4, 2)", [] { return nn::Conv3d(2, 4, 2); }, x({1, 2, 3, 4, 5}));
  check("Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=2, groups=2, bias=False)",
        [] { return nn::Conv2d(4, 6, {3, 2}, {.stride = {2, 1}, .padding = {1, 0}, .dilation = 2, .groups = 2, .bias = false}); }, x({2, 4, 8, 8}));
  check("Conv2d(2, 3, (3, 4), padding='same')", [] { return nn::Conv2d(2, 3, {3, 4}, {.padding = Padding::Same}); }, x({1, 2, 6, 6}));
  check("Conv1d(2, 3, 3, padding='valid')", [] { return nn::Conv1d(2, 3, 3, {.padding = Padding::Valid}); }, x({2, 6}));
  check("Conv2d(2, 3, 3, padding=1, padding_mode='reflect')", [] { return nn::Conv2d(2, 3, 3, {.padding = 1, .padding_mode = "reflect"}); }, x({1, 2, 6, 6}));
  check("Conv1d(2, 3, 4, padding='same', padding_mode='circular')", [] { return nn::Conv1d(2, 3, 4, {.padding = Padding::Same, .padding_mode = "circular"}); }, x({1, 2, 6}));
  check("Conv3d(1, 2, 3, padding=(1, 0, 2), padding_mode='replicate')", [] { return nn::Conv3d(1, 2, 3, {.padding = {1, 0, 2}, .padding_mode = "replicate"}); },
        x({1, 1, 4, 4, 4}));
  check("ConvTranspose1d(2, 4, 3)", [] { return nn::ConvTranspose1d(2, 4, 3); }, x({2, 2, 5}));
  check("ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2, bias=False, dilation=2)",
        [] { return nn::ConvTranspose2d(4, 6, 3, {.stride = 2, .padding = 1, .output_padding = 1, .groups = 2, .bias = false, .dilation = 2}); }, x({2, 4, 4, 5}));
  check("ConvTranspose2d(2, 3, 3)", [] { return nn::ConvTranspose2d(2, 3, 3); }, x({1, 2, 4, 4}));
  check("ConvTranspose3d(2, 3, 2)", [] { return nn::ConvTranspose3d(2, 3, 2); }, x({1, 2, 2, 3, 3}));
  check("Unfold(2)", [] { return nn::Unfold(2); }, x({1, 2, 4, 4}));
  check("Unfold((2, 3), dilation=1, padding=1, stride=2)", [] { return nn::Unfold({2, 3}, 1, 1, 2); }, x({1, 2, 4, 5}));
  check("Fold((4, 4), 2)", [] { return nn::Fold({4, 4}, 2); }, x({1, 8, 9}));
  check("CircularPad1d(1)", [] { return nn::CircularPad1d(1); }, x({1, 2, 4}));
  check("CircularPad2d((1, 0, 2, 1))", [] { return nn::CircularPad2d({1, 0, 2, 1}); }, x({1, 2, 4, 4}));
  check("CircularPad3d(1)", [] { return nn::CircularPad3d(1); }, x({1, 2, 3, 3, 3}));
  check("ReflectionPad1d(2)", [] { return nn::ReflectionPad1d(2); }, x({1, 2, 4}));
  check("ReflectionPad2d((1, 0, 2, 1))", [] { return nn::ReflectionPad2d({1, 0, 2, 1}); }, x({1, 2, 4, 4}));
  check("ReflectionPad3d(1)", [] { return nn::ReflectionPad3d(1); }, x({1, 2, 3, 3, 3}));
  check("ReplicationPad1d(2)", [] { return nn::ReplicationPad1d(2); }, x({1, 2, 4}));
  check("ReplicationPad2d((1, 0, 2, 1))", [] { return nn::ReplicationPad2d({1, 0, 2, 1}); }, x({1, 2, 4, 4}));
  check("ReplicationPad3d(1)", [] { return nn::ReplicationPad3d(1); }, x({1, 2, 3, 3, 3}));
  check("ZeroPad1d(2)", [] { return nn::ZeroPad1d(2); }, x({1, 2, 4}));
  check("ZeroPad2d((1, 0, 2, 1))", [] { return nn::ZeroPad2d({1, 0, 2, 1}); }, x({1, 2, 4, 4}));
  check("ZeroPad3d(1)", [] { return nn::ZeroPad3d(1); }, x({1, 2, 3, 3, 3}));
  check("ConstantPad1d(2, 0.5)", [] { return nn::ConstantPad1d(2, 0.5); }, x({1, 2, 4}));
  check("ConstantPad2d((1, 0, 2, 1), 2.5)", [] { return nn::ConstantPad2d({1, 0, 2, 1}, 2.5); }, x({1, 2, 4, 4}));
  check("ConstantPad3d(1, -1.0)", [] { return nn::ConstantPad3d(1, -1); }, x({1, 2, 3, 3, 3}));
}

void pooling() {
  check("MaxPool1d(2)", [] { return nn::MaxPool1d(2); }, x({2, 3, 7}));
  check("MaxPool2d(2)", [] { return nn::MaxPool2d(2); }, x({2, 3, 6, 7}));
  check("MaxPool3d(2)", [] { return nn::MaxPool3d(2); }, x({1, 3, 4, 4, 5}));
  check("MaxPool2d((3, 2), stride=(2, 1), padding=1, dilation=1, ceil_mode=True)",
        [] { return nn::MaxPool2d({3, 2}, {.stride = nn::Dims{2, 1}, .padding = 1, .dilation = 1, .ceil_mode = true}); }, x({2, 3, 6, 7}));
  check("MaxUnpool1d(2)", [] { return nn::MaxUnpool1d(2); }, x({1, 1, 3}), tensor({0, 3, 4}, int64).view({1, 1, 3}));
  check("MaxUnpool2d(2, stride=(2, 2), padding=0)", [] { return nn::MaxUnpool2d(2, nn::Dims{2, 2}, 0); }, x({1, 1, 2, 2}), tensor({0, 3, 9, 15}, int64).view({1, 1, 2, 2}));
  check("MaxUnpool2d(2)", [] { return nn::MaxUnpool2d(2); }, x({1, 1, 2, 2}), tensor({0, 3, 9, 15}, int64).view({1, 1, 2, 2}));
  check("MaxUnpool3d(2)", [] { return nn::MaxUnpool3d(2); }, x({1, 1, 1, 2, 1}), tensor({0, 9}, int64).view({1, 1, 1, 2, 1}));
  check("AvgPool1d(2)", [] { return nn::AvgPool1d(2); }, x({2, 3, 7}));
  check("AvgPool2d(2)", [] { return nn::AvgPool2d(2); }, x({2, 3, 6, 7}));
  check("AvgPool3d(2)", [] { return nn::AvgPool3d(2); }, x({1, 3, 4, 4, 5}));
  check("AvgPool1d(3, stride=2, padding=1, ceil_mode=True, count_include_pad=False)",
        [] { return nn::AvgPool1d(3, {.stride = 2, .padding = 1, .ceil_mode = true, .count_include_pad = false}); }, x({2, 3, 6}));
  check("AvgPool2d((3, 2), stride=2, padding=(1, 0), divisor_override=5)",
        [] { return nn::AvgPool2d({3, 2}, {.stride = 2, .padding = {1, 0}, .divisor_override = 5}); }, x({2, 3, 6, 7}));
  check("LPPool1d(2.0, 3)", [] { return nn::LPPool1d(2, 3); }, u({2, 3, 7}));
  check("LPPool2d(2.0, 2)", [] { return nn::LPPool2d(2, 2); }, u({2, 3, 4, 4}));
  check("LPPool2d(1.5, 2, stride=1, ceil_mode=True)", [] { return nn::LPPool2d(1.5, 2, 1, true); }, u({2, 3, 6, 7}));
  check("LPPool3d(2.0, 2)", [] { return nn::LPPool3d(2, 2); }, u({1, 3, 4, 4, 5}));
  check("AdaptiveAvgPool1d(3)", [] { return nn::AdaptiveAvgPool1d(3); }, x({2, 3, 7}));
  check("AdaptiveAvgPool2d((None, 2))", [] { return nn::AdaptiveAvgPool2d({-1, 2}); }, x({2, 3, 6, 7}));
  check("AdaptiveAvgPool3d(2)", [] { return nn::AdaptiveAvgPool3d(2); }, x({1, 3, 4, 4, 5}));
  check("AdaptiveMaxPool1d(3)", [] { return nn::AdaptiveMaxPool1d(3); }, x({2, 3, 7}));
  check("AdaptiveMaxPool2d((2, None))", [] { return nn::AdaptiveMaxPool2d({2, -1}); }, x({2, 3, 6, 7}));
  check("AdaptiveMaxPool3d(2)", [] { return nn::AdaptiveMaxPool3d(2); }, x({1, 3, 4, 4, 5}));
  check("FractionalMaxPool2d(2, output_size=(3, 4))", [] { return nn::FractionalMaxPool2d(2, {.output_size = nn::Dims{3, 4}}); }, x({1, 2, 7, 8}));
  check("FractionalMaxPool3d(2, output_ratio=0.5)", [] { return nn::FractionalMaxPool3d(2, {.output_ratio = {0.5}}); }, x({1, 2, 6, 7, 6}));
}

void normalisation() {
  check("BatchNorm1d(3)", [] { return nn::BatchNorm1d(3); }, x({4, 3}));
  check("BatchNorm2d(3)", [] { return nn::BatchNorm2d(3); }, x({2, 3, 4, 4}));
  check("BatchNorm3d(3)", [] { return nn::BatchNorm3d(3); }, x({2, 3, 2, 2, 2}));
  check("SyncBatchNorm(3)", [] { return nn::SyncBatchNorm(3); }, x({2, 3, 4}));
  check("BatchNorm1d(3, eps=1e-3, momentum=None, bias=False)", [] { return nn::BatchNorm1d(3, {.eps = 1e-3, .momentum = {}, .bias = false}); }, x({4, 3, 5}));
  check("BatchNorm2d(3, affine=False, track_running_stats=False)", [] { return nn::BatchNorm2d(3, {.affine = false, .track_running_stats = false}); }, x({2, 3, 4, 4}));
  check("InstanceNorm1d(3)", [] { return nn::InstanceNorm1d(3); }, x({2, 3, 5}));
  check("InstanceNorm2d(3, affine=True, track_running_stats=True)", [] { return nn::InstanceNorm2d(3, {.affine = true, .track_running_stats = true}); }, x({2, 3, 4, 4}));
  check("InstanceNorm2d(3)", [] { return nn::InstanceNorm2d(3); }, x({2, 3, 4, 4}));
  check("InstanceNorm3d(3)", [] { return nn::InstanceNorm3d(3); }, x({3, 2, 3, 2}));
  check("LayerNorm(4)", [] { return nn::LayerNorm(4); }, x({2, 3, 4}));
  check("LayerNorm((3, 4), eps=1e-3, bias=False)", [] { return nn::LayerNorm({3, 4}, 1e-3, true, false); }, x({2, 3, 4}));
  check("LayerNorm(4, elementwise_affine=False)", [] { return nn::LayerNorm(4, 1e-5, false); }, x({2, 3, 4}));
  check("RMSNorm(4)", [] { return nn::RMSNorm(4); }, x({2, 3, 4}));
  check("RMSNorm((3, 4), eps=1e-6, elementwise_affine=False)", [] { return nn::RMSNorm({3, 4}, 1e-6, false); }, x({2, 3, 4}));
  check("GroupNorm(2, 4)", [] { return nn::GroupNorm(2, 4); }, x({2, 4, 3}));
  check("GroupNorm(2, 4, eps=1e-3, affine=False)", [] { return nn::GroupNorm(2, 4, 1e-3, false); }, x({2, 4, 3}));
  check("LocalResponseNorm(3)", [] { return nn::LocalResponseNorm(3); }, x({2, 5, 4}));
  check("LocalResponseNorm(2, alpha=0.1, beta=0.5, k=2.0)", [] { return nn::LocalResponseNorm(2, 0.1, 0.5, 2); }, x({2, 5, 4, 3}));
  check("CrossMapLRN2d(3)", [] { return nn::CrossMapLRN2d(3); }, x({2, 5, 4, 3}));
  check("Dropout()", [] { return nn::Dropout(); }, x({4, 5}));
  check("Dropout(0.25, inplace=True)", [] { return nn::Dropout(0.25, true); }, x({4, 5}));
  check("Dropout1d()", [] { return nn::Dropout1d(); }, x({4, 5, 3}));
  check("Dropout1d(0.3)", [] { return nn::Dropout1d(0.3); }, x({5, 3}));
  check("Dropout2d()", [] { return nn::Dropout2d(); }, x({4, 5, 3, 3}));
  check("Dropout3d()", [] { return nn::Dropout3d(); }, x({4, 3, 2, 2}));
  check("AlphaDropout()", [] { return nn::AlphaDropout(); }, x({4, 5}));
  check("FeatureAlphaDropout()", [] { return nn::FeatureAlphaDropout(); }, x({4, 5, 3}));
}

void lazy() {
  check("LazyLinear(4)", [] { return nn::LazyLinear(4); }, x({2, 3}));
  check("LazyLinear(4, bias=False)", [] { return nn::LazyLinear(4, false); }, x({2, 5, 3}));
  check("LazyConv1d(4, 3)", [] { return nn::LazyConv1d(4, 3); }, x({2, 2, 7}));
  check("LazyConv2d(6, (3, 2), stride=2, groups=2, bias=False)", [] { return nn::LazyConv2d(6, {3, 2}, {.stride = 2, .groups = 2, .bias = false}); }, x({2, 4, 6, 7}));
  check("LazyConv2d(4, 3, padding=1, padding_mode='reflect')", [] { return nn::LazyConv2d(4, 3, {.padding = 1, .padding_mode = "reflect"}); }, x({2, 6, 7}));
  check("LazyConv3d(4, 2)", [] { return nn::LazyConv3d(4, 2); }, x({1, 2, 3, 4, 5}));
  check("LazyConv2d(4, 3)", [] { return nn::LazyConv2d(4, 3); }, x({1, 2, 5, 5}));
  check("LazyConvTranspose1d(4, 3)", [] { return nn::LazyConvTranspose1d(4, 3); }, x({2, 2, 5}));
  check("LazyConvTranspose2d(4, 3)", [] { return nn::LazyConvTranspose2d(4, 3); }, x({2, 2, 5, 5}));
  check("LazyConvTranspose2d(6, 3, stride=2, output_padding=1, groups=2)",
        [] { return nn::LazyConvTranspose2d(6, 3, {.stride = 2, .output_padding = 1, .groups = 2}); }, x({2, 4, 4, 5}));
  check("LazyConvTranspose3d(3, 2)", [] { return nn::LazyConvTranspose3d(3, 2); }, x({1, 2, 2, 3, 3}));
  check("LazyBatchNorm1d()", [] { return nn::LazyBatchNorm1d(); }, x({4, 3}));
  check("LazyBatchNorm2d()", [] { return nn::LazyBatchNorm2d(); }, x({2, 3, 4, 4}));
  check("LazyBatchNorm2d(affine=False, momentum=None)", [] { return nn::LazyBatchNorm2d({.momentum = {}, .affine = false}); }, x({2, 3, 4, 4}));
  check("LazyBatchNorm3d(eps=1e-3, track_running_stats=False)", [] { return nn::LazyBatchNorm3d({.eps = 1e-3, .track_running_stats = false}); }, x({2, 3, 2, 2, 2}));
  check("LazyBatchNorm3d()", [] { return nn::LazyBatchNorm3d(); }, x({2, 3, 2, 2, 2}));
  check("LazyInstanceNorm1d()", [] { return nn::LazyInstanceNorm1d(); }, x({2, 3, 5}));
  check("LazyInstanceNorm2d()", [] { return nn::LazyInstanceNorm2d(); }, x({3, 4, 4}));
  check("LazyInstanceNorm2d(affine=True, track_running_stats=True)", [] { return nn::LazyInstanceNorm2d({.affine = true, .track_running_stats = true}); }, x({2, 3, 4, 4}));
  check("LazyInstanceNorm3d()", [] { return nn::LazyInstanceNorm3d(); }, x({3, 2, 3, 2}));
}

struct Symmetric : nn::ModuleOf<Symmetric> {
  Tensor forward(const Tensor& w) const { return w.triu() + w.triu(1).mT(); }
};
void parametrizations() {
  using namespace nn::utils::parametrizations;
  using nn::utils::parametrize::register_parametrization;
  check("utils.parametrizations.weight_norm(Linear(3, 4))", [] { return weight_norm(nn::Linear(3, 4)); }, x({2, 3}));
  check("utils.parametrizations.weight_norm(Conv2d(2, 4, 3), dim=None)", [] { return weight_norm(nn::Conv2d(2, 4, 3), &nn::Conv2d::weight, {}); }, x({1, 2, 5, 5}));
  check("utils.parametrizations.weight_norm(Linear(3, 4), 'bias', dim=0)", [] { return weight_norm(nn::Linear(3, 4), &nn::Linear::bias, 0); }, x({2, 3}));
  check("utils.parametrizations.spectral_norm(Linear(3, 4))", [] { return spectral_norm(nn::Linear(3, 4)); }, x({2, 3}));
  check("utils.parametrizations.spectral_norm(ConvTranspose1d(2, 4, 3), n_power_iterations=2)",
        [] { return spectral_norm(nn::ConvTranspose1d(2, 4, 3), &nn::ConvTranspose1d::weight, 2); }, x({2, 2, 5}));
  check("utils.parametrizations.spectral_norm(Conv2d(2, 4, 3), eps=1e-3, dim=1)",
        [] { return spectral_norm(nn::Conv2d(2, 4, 3), &nn::Conv2d::weight, 1, 1e-3, 1); }, x({1, 2, 5, 5}));
  check("utils.parametrize.register_parametrization(Linear(3, 3), 'weight', Symmetric())",
        [] { return register_parametrization(nn::Linear(3, 3), &nn::Linear::weight, Symmetric()); }, x({2, 3}));
  check("utils.parametrizations.spectral_norm(utils.parametrize.register_parametrization(Linear(3, 3), 'weight', Symmetric()))", [] {
    auto both = register_parametrization(nn::Linear(3, 3), &nn::Linear::weight, Symmetric());
    both.add(&nn::Linear::weight, SpectralNorm(both.layer().weight, 1, 1e-12, 0));
    return both;
  }, x({2, 3}));
  check("utils.parametrize.remove_parametrizations(utils.parametrizations.weight_norm(Linear(3, 4)), 'weight')",
        [] { return nn::utils::parametrize::remove_parametrizations(weight_norm(nn::Linear(3, 4))); }, x({2, 3}));
  check("utils.parametrizations.orthogonal(Linear(4, 4))", [] { return orthogonal(nn::Linear(4, 4)); }, x({2, 4}));
  check("utils.parametrizations.orthogonal(Linear(3, 5))", [] { return orthogonal(nn::Linear(3, 5)); }, x({2, 3}));
  check("utils.parametrizations.orthogonal(Conv2d(2, 4, (3, 5)))", [] { return orthogonal(nn::Conv2d(2, 4, {3, 5})); }, x({1, 2, 5, 6}));
  for (const char* map : {"matrix_exp", "cayley", "householder"})
    for (const bool trivial : {true, false}) {
      const std::string text = std::string("utils.parametrizations.orthogonal(Linear(5, 3), orthogonal_map='") + map +
                               "', use_trivialization=" + (trivial ? "True)" : "False)");
      check(text.c_str(), [&] { return orthogonal(nn::Linear(5, 3), &nn::Linear::weight, map, trivial); }, x({2, 5}));
    }
  check("utils.parametrizations.orthogonal(utils.parametrize.register_parametrization(Linear(3, 3), 'weight', Symmetric()))", [] {
    auto both = register_parametrization(nn::Linear(3, 3), &nn::Linear::weight, Symmetric());
    both.add(&nn::Linear::weight, Orthogonal(both.layer().weight, "", true));
    return both;
  }, x({2, 3}));
  check("utils.parametrize.remove_parametrizations(utils.parametrizations.orthogonal(Linear(3, 4)), 'weight')",
        [] { return nn::utils::parametrize::remove_parametrizations(orthogonal(nn::Linear(3, 4))); }, x({2, 3}));
}

void pruning() {
  using namespace nn::utils::prune;
  const auto weight = &nn::Linear::weight;
  const Tensor scores = x({4, 5}), mask = randint(0, 2, {4, 5});
  out.emplace_back("scores", scores), out.emplace_back("mask", mask);
  const auto linear = [](auto f) { return [f] { return f(nn::Linear(5, 4)); }; };
  check("utils.prune.identity(Linear(5, 4), 'weight')", linear([&](auto m) { return identity(m, weight); }), x({2, 5}));
  check("utils.prune.random_unstructured(Linear(5, 4), 'weight', 0.3)",
        linear([&](auto m) { return random_unstructured(m, weight, 0.3); }), x({2, 5}));
  check("utils.prune.l1_unstructured(Linear(5, 4), 'bias', 2)", linear([&](auto m) { return l1_unstructured(m, &nn::Linear::bias, 2); }), x({2, 5}));
  check("utils.prune.l1_unstructured(Linear(5, 4), 'weight', 0.125, importance_scores=scores)",
        linear([&](auto m) { return l1_unstructured(m, weight, 0.125, scores); }), x({2, 5}));
  check("utils.prune.random_structured(Linear(5, 4), 'weight', 2, dim=1)",
        linear([&](auto m) { return random_structured(m, weight, 2, 1); }), x({2, 5}));
  check("utils.prune.ln_structured(Linear(5, 4), 'weight', 0.5, n=2, dim=-2)",
        linear([&](auto m) { return ln_structured(m, weight, 0.5, 2, -2); }), x({2, 5}));
  check("utils.prune.ln_structured(Conv2d(2, 4, 3), 'weight', 1, float('inf'), 0)",
        [] { return ln_structured(nn::Conv2d(2, 4, 3), &nn::Conv2d::weight, 1, INFINITY, 0); }, x({1, 2, 5, 5}));
  check("utils.prune.custom_from_mask(Linear(5, 4), 'weight', mask)",
        linear([&](auto m) { return custom_from_mask(m, weight, mask); }), x({2, 5}));
  check("utils.prune.ln_structured(utils.prune.l1_unstructured(utils.prune.random_structured(Linear(5, 4), 'weight', 1, 0), 'weight', 4),"
        " 'weight', 0.5, 1, 1)",
        linear([&](auto m) { return ln_structured(l1_unstructured(random_structured(m, weight, 1, 0), weight, 4), weight, 0.5, 1, 1); }), x({2, 5}));
  check("utils.prune.remove(utils.prune.l1_unstructured(utils.prune.random_unstructured(Linear(5, 4), 'bias', 1), 'weight', 0.3), 'weight')",
        linear([&](auto m) { return remove(l1_unstructured(random_unstructured(m, &nn::Linear::bias, 1), weight, 0.3), weight); }), x({2, 5}));
  check("globally_pruned(Sequential(Linear(5, 4), Linear(4, 3)), scores)", [&] {
    const nn::Pruned one(nn::Linear(5, 4)), two(nn::Linear(4, 3));
    const nn::Sequential model{one, two};
    global_unstructured({{one, weight}, {two, weight}, {two, &nn::Linear::bias}}, L1Unstructured(0.4));
    global_unstructured({{one, weight}, {two, weight}}, RandomUnstructured(5), {scores, {}});
    return model;
  }, x({2, 5}));
}

void activations() {
  const auto y = [] { return x({3, 4}) * 3; };
  check("ReLU()", [] { return nn::ReLU(); }, y());
  check("ReLU(inplace=True)", [] { return nn::ReLU(true); }, y());
  check("ReLU6()", [] { return nn::ReLU6(); }, y());
  check("ReLU6(inplace=True)", [] { return nn::ReLU6(true); }, y());
  check("SELU()", [] { return nn::SELU(); }, y());
  check("SiLU()", [] { return nn::SiLU(); }, y());
  check("SiLU(inplace=True)", [] { return nn::SiLU(true); }, y());
  check("Mish()", [] { return nn::Mish(); }, y());
  check("Hardswish()", [] { return nn::Hardswish(); }, y());
  check("Hardswish(inplace=True)", [] { return nn::Hardswish(true); }, y());
  check("Hardsigmoid()", [] { return nn::Hardsigmoid(); }, y());
  check("LeakyReLU()", [] { return nn::LeakyReLU(); }, y());
  check("LeakyReLU(0.2, inplace=True)", [] { return nn::LeakyReLU(0.2, true); }, y());
  check("ELU()", [] { return nn::ELU(); }, y());
  check("ELU(0.5, True)", [] { return nn::ELU(0.5, true); }, y());
  check("CELU()", [] { return nn::CELU(); }, y());
  check("GELU()", [] { return nn::GELU(); }, y());
  check("GELU('tanh')", [] { return nn::GELU("tanh"); }, y());
  check("GLU()", [] { return nn::GLU(); }, y());
  check("Sigmoid()", [] { return nn::Sigmoid(); }, y());
  check("Tanh()", [] { return nn::Tanh(); }, y());
  check("LogSigmoid()", [] { return nn::LogSigmoid(); }, y());
  check("Softsign()", [] { return nn::Softsign(); }, y());
  check("Tanhshrink()", [] { return nn::Tanhshrink(); }, y());
  check("Softplus()", [] { return nn::Softplus(); }, y());
  check("Softplus(2.0, 1.0)", [] { return nn::Softplus(2, 1); }, y());
  check("Softshrink()", [] { return nn::Softshrink(); }, y());
  check("Hardshrink()", [] { return nn::Hardshrink(); }, y());
  check("Hardtanh()", [] { return nn::Hardtanh(); }, y());
  check("Threshold(0.1, 2.0)", [] { return nn::Threshold(0.1, 2); }, y());
  check("PReLU()", [] { return nn::PReLU(); }, y());
  check("PReLU(4, 0.5)", [] { return nn::PReLU(4, 0.5); }, y());
  check("RReLU()", [] { return nn::RReLU(); }, y());
  check("Softmax()", [] { return nn::Softmax(); }, y());
  check("Softmax(0)", [] { return nn::Softmax(0); }, y());
  check("LogSoftmax()", [] { return nn::LogSoftmax(); }, y());
  check("LogSoftmax(dim=1)", [] { return nn::LogSoftmax(1); }, y());
  check("Softmin()", [] { return nn::Softmin(); }, x({2, 3, 4}));
  check("Softmax2d()", [] { return nn::Softmax2d(); }, x({2, 3, 2, 2}));
}

void losses() {
  const Tensor a = x({3, 5}), b = x({3, 5}), c = x({3, 5}), y = classes({3}, 5), w = u({5});
  out.emplace_back("w", w);
  check("L1Loss()", [] { return nn::L1Loss(); }, a, b);
  check("L1Loss(reduction='sum')", [] { return nn::L1Loss("sum"); }, a, b);
  check("MSELoss()", [] { return nn::MSELoss(); }, a, b);
  check("SmoothL1Loss()", [] { return nn::SmoothL1Loss(); }, a, b);
  check("SmoothL1Loss(reduction='none', beta=0.5)", [] { return nn::SmoothL1Loss("none", 0.5); }, a, b);
  check("HuberLoss()", [] { return nn::HuberLoss(); }, a, b);
  check("HuberLoss('sum', 0.5)", [] { return nn::HuberLoss("sum", 0.5); }, a, b);
  check("CrossEntropyLoss()", [] { return nn::CrossEntropyLoss(); }, a, y);
  check("CrossEntropyLoss(w, ignore_index=1, reduction='sum', label_smoothing=0.1)",
        [&] { return nn::CrossEntropyLoss({.weight = w, .ignore_index = 1, .reduction = "sum", .label_smoothing = 0.1}); }, a, y);
  check("NLLLoss()", [] { return nn::NLLLoss(); }, a, y);
  check("NLLLoss(w, reduction='none')", [&] { return nn::NLLLoss({.weight = w, .reduction = "none"}); }, a, y);
  check("BCELoss()", [] { return nn::BCELoss(); }, u({3, 5}), u({3, 5}));
  check("BCEWithLogitsLoss()", [] { return nn::BCEWithLogitsLoss(); }, a, u({3, 5}));
  check("BCEWithLogitsLoss(w, pos_weight=w)", [&] { return nn::BCEWithLogitsLoss({.weight = w, .pos_weight = w}); }, a, u({3, 5}));
  check("KLDivLoss()", [] { return nn::KLDivLoss(); }, a, u({3, 5}));
  check("KLDivLoss(reduction='batchmean', log_target=True)", [] { return nn::KLDivLoss("batchmean", true); }, a, b);
  check("PoissonNLLLoss()", [] { return nn::PoissonNLLLoss(); }, a, u({3, 5}) * 4);
  check("PoissonNLLLoss(False, True, eps=1e-3)", [] { return nn::PoissonNLLLoss(false, true, 1e-3); }, u({3, 5}), u({3, 5}) * 4);
  check("GaussianNLLLoss()", [] { return nn::GaussianNLLLoss(); }, a, b, u({3, 5}));
  check("HingeEmbeddingLoss()", [] { return nn::HingeEmbeddingLoss(); }, a, signs({3, 5}));
  check("MarginRankingLoss()", [] { return nn::MarginRankingLoss(); }, a, b, signs({3, 5}));
  check("MarginRankingLoss(0.5, reduction='none')", [] { return nn::MarginRankingLoss(0.5, "none"); }, a, b, signs({3, 5}));
  check("SoftMarginLoss()", [] { return nn::SoftMarginLoss(); }, a, signs({3, 5}));
  check("CosineEmbeddingLoss()", [] { return nn::CosineEmbeddingLoss(); }, a, b, signs({3}));
  check("TripletMarginLoss()", [] { return nn::TripletMarginLoss(); }, a, b, c);
  check("TripletMarginLoss(0.5, p=1.0, swap=True)", [] { return nn::TripletMarginLoss({.margin = 0.5, .p = 1, .swap = true}); }, a, b, c);
  check("TripletMarginWithDistanceLoss()", [] { return nn::TripletMarginWithDistanceLoss(); }, a, b, c);
  check("TripletMarginWithDistanceLoss(margin=2.0, swap=True, reduction='sum')",
        [] { return nn::TripletMarginWithDistanceLoss({.margin = 2, .swap = true, .reduction = "sum"}); }, a, b, c);
  check("MultiMarginLoss()", [] { return nn::MultiMarginLoss(); }, a, y);
  check("MultiMarginLoss(2, 0.5, w, reduction='sum')", [&] { return nn::MultiMarginLoss({.p = 2, .margin = 0.5, .weight = w, .reduction = "sum"}); }, a, y);
  check("MultiLabelMarginLoss()", [] { return nn::MultiLabelMarginLoss(); }, a, tensor({0, 3, -1, 1, 2, 4, -1, 0, 0, 0, 1, 2, 3, 4, -1}, int64).view({3, 5}));
  check("MultiLabelSoftMarginLoss()", [] { return nn::MultiLabelSoftMarginLoss(); }, a, u({3, 5}));
  check("CTCLoss()", [] { return nn::CTCLoss(); }, x({6, 2, 5}).log_softmax(2), classes({2, 3}, 4) + 1, tensor({6, 5}, int64), tensor({3, 2}, int64));
  check("CTCLoss(blank=4, reduction='sum', zero_infinity=True)", [] { return nn::CTCLoss(4, "sum", true); }, x({6, 2, 5}).log_softmax(2), classes({2, 3}, 4), tensor({6, 5}, int64),
        tensor({3, 2}, int64));
  check("LinearCrossEntropyLoss(4, 5)", [] { return nn::LinearCrossEntropyLoss(4, 5); }, x({3, 4}), y);
  check("LinearCrossEntropyLoss(4, 5, out_features=(2,), bias=True, reduction='sum', weight=w, label_smoothing=0.1)",
        [&] { return nn::LinearCrossEntropyLoss(4, 5, {.out_features = {2}, .bias = true, .reduction = "sum", .weight = w, .label_smoothing = 0.1}); }, x({3, 4}), classes({3, 2}, 5));
  check("AdaptiveLogSoftmaxWithLoss(16, 10, [3, 6])", [] { return nn::AdaptiveLogSoftmaxWithLoss(16, 10, {3, 6}); }, x({6, 16}), tensor({0, 9, 4, 2, 5, 7}, int64));
  check("AdaptiveLogSoftmaxWithLoss(16, 10, [3], div_value=2.0, head_bias=True)", [] { return nn::AdaptiveLogSoftmaxWithLoss(16, 10, {3}, 2, true); }, x({3, 16}),
        tensor({0, 1, 2}, int64));
}

void recurrent() {
  check("RNN(3, 4)", [] { return nn::RNN(3, 4); }, x({5, 2, 3}));
  check("RNN(3, 4, 2, nonlinearity='relu', bias=False, batch_first=True, dropout=0.5, bidirectional=True)",
        [] { return nn::RNN(3, 4, {.num_layers = 2, .nonlinearity = "relu", .bias = false, .batch_first = true, .dropout = 0.5, .bidirectional = true}); }, x({2, 5, 3}));
  check("LSTM(3, 4)", [] { return nn::LSTM(3, 4); }, x({5, 2, 3}));
  check("LSTM(3, 4, 2, batch_first=True, bidirectional=True, proj_size=2)",
        [] { return nn::LSTM(3, 4, {.num_layers = 2, .batch_first = true, .bidirectional = true, .proj_size = 2}); }, x({2, 5, 3}));
  check("LSTM(3, 4, batch_first=True)", [] { return nn::LSTM(3, 4, {.batch_first = true}); }, x({5, 3}));
  check("GRU(3, 4)", [] { return nn::GRU(3, 4); }, x({5, 2, 3}), x({1, 2, 4}));
  check("GRU(3, 4, 2, bidirectional=True)", [] { return nn::GRU(3, 4, {.num_layers = 2, .bidirectional = true}); }, x({5, 3}), x({4, 4}));
  check("RNNCell(3, 4)", [] { return nn::RNNCell(3, 4); }, x({2, 3}));
  check("RNNCell(3, 4, False, 'relu')", [] { return nn::RNNCell(3, 4, false, "relu"); }, x({3}), x({4}));
  check("LSTMCell(3, 4)", [] { return nn::LSTMCell(3, 4); }, x({2, 3}));
  check("LSTMCell(3, 4, bias=False)", [] { return nn::LSTMCell(3, 4, false); }, x({3}));
  check("GRUCell(3, 4)", [] { return nn::GRUCell(3, 4); }, x({2, 3}), x({2, 4}));
}

void transformers() {
  check("MultiheadAttention(8, 2)", [] { return nn::MultiheadAttention(8, 2); }, x({4, 2, 8}), x({3, 2, 8}), x({3, 2, 8}));
  check("MultiheadAttention(8, 2, dropout=0.5, bias=False, add_bias_kv=True, add_zero_attn=True, kdim=5, vdim=6, batch_first=True)",
        [] { return nn::MultiheadAttention(8, 2, {.dropout = 0.5, .bias = false, .add_bias_kv = true, .add_zero_attn = true, .kdim = 5, .vdim = 6, .batch_first = true}); },
        x({2, 4, 8}), x({2, 3, 5}), x({2, 3, 6}), tensor({0, 0, 1, 0, 0, 0}, bool_).view({2, 3}));
  check("TransformerEncoderLayer(8, 2)", [] { return nn::TransformerEncoderLayer(8, 2); }, x({4, 2, 8}));
  check("TransformerEncoderLayer(8, 2, 16, 0.0, 'gelu', 1e-3, True, True, False)",
        [] { return nn::TransformerEncoderLayer(8, 2, {16, 0, "gelu", 1e-3, true, true, false}); }, x({2, 4, 8}), triu(ones({4, 4}), 1) > 0);
  check("TransformerDecoderLayer(8, 2)", [] { return nn::TransformerDecoderLayer(8, 2); }, x({4, 2, 8}), x({3, 2, 8}));
  check("TransformerDecoderLayer(8, 2, 16, 0.3, norm_first=True, batch_first=True)",
        [] { return nn::TransformerDecoderLayer(8, 2, {.dim_feedforward = 16, .dropout = 0.3, .batch_first = true, .norm_first = true}); }, x({2, 4, 8}), x({2, 3, 8}));
  check("TransformerEncoder(TransformerEncoderLayer(8, 2, 16), 3)",
        [] { return nn::TransformerEncoder(nn::TransformerEncoderLayer(8, 2, {.dim_feedforward = 16}), 3); }, x({4, 2, 8}));
  check("TransformerDecoder(TransformerDecoderLayer(8, 2, 16), 2, LayerNorm(8))",
        [] { return nn::TransformerDecoder(nn::TransformerDecoderLayer(8, 2, {.dim_feedforward = 16}), 2, nn::LayerNorm(8)); }, x({4, 2, 8}), x({3, 2, 8}));
  check("TransformerDecoder(TransformerDecoderLayer(8, 2, 16), 2)",
        [] { return nn::TransformerDecoder(nn::TransformerDecoderLayer(8, 2, {.dim_feedforward = 16}), 2); }, x({4, 2, 8}), x({3, 2, 8}));
  check("Transformer(8, 2, 2, 1, 16)",
        [] { return nn::Transformer({.d_model = 8, .nhead = 2, .num_encoder_layers = 2, .num_decoder_layers = 1, .dim_feedforward = 16}); }, x({4, 2, 8}), x({3, 2, 8}));
}

void containers() {
  check("Sequential(Linear(3, 4), ReLU(), Linear(4, 2))", [] { return nn::Sequential{nn::Linear(3, 4), nn::ReLU(), nn::Linear(4, 2)}; }, x({2, 3}));
}

/// What cannot be called: name, printing and state only.
template <class Make> void check_state(const char* python, Make make) {
  const std::string id = std::to_string(cases++) + ".";
  texts.emplace_back(id + "python", python);
  manual_seed(1);
  const auto m = make();
  texts.emplace_back(id + "repr", to_string(m));
  put_state(id, m);
}
void lists() {
  check_state("ModuleList([Linear(2, 3), Linear(2, 3), ReLU()])", [] { return nn::ModuleList<>{nn::Linear(2, 3), nn::Linear(2, 3), nn::ReLU()}; });
  check_state("ModuleDict(dict(a=Linear(2, 3), b=ReLU()))", [] { return nn::ModuleDict<>({{"a", nn::Linear(2, 3)}, {"b", nn::ReLU()}}); });
  check_state("ParameterList([ones(2, 3), zeros(4)])", [] { return nn::ParameterList({ones({2, 3}), zeros({4})}); });
  check_state("ParameterDict(dict(a=ones(2, 3), b=zeros(4)))", [] { return nn::ParameterDict({{"a", ones({2, 3})}, {"b", zeros({4})}}); });
}

/// nn.init: `python` fills t in the same way.
template <class Fill> void check_init(const char* python, Fill fill, IntList size = {6, 3}) {
  const std::string id = "init" + std::to_string(cases++) + ".";
  texts.emplace_back(id + "init", python);
  manual_seed(1);
  const Tensor t = zeros(size);
  fill(t);
  out.emplace_back(id + "t", t);
}
void initial_values() {
  check_init("uniform_(t)", [](const Tensor& t) { nn::init::uniform_(t); });
  check_init("normal_(t, 1.0, 2.0)", [](const Tensor& t) { nn::init::normal_(t, 1, 2); });
  check_init("trunc_normal_(t, std=0.5)", [](const Tensor& t) { nn::init::trunc_normal_(t, 0, 0.5); });
  check_init("eye_(t)", [](const Tensor& t) { nn::init::eye_(t); });
  check_init("dirac_(t, 2)", [](const Tensor& t) { nn::init::dirac_(t, 2); }, {4, 2, 3});
  check_init("xavier_uniform_(t, gain=2.0)", [](const Tensor& t) { nn::init::xavier_uniform_(t, 2); });
  check_init("xavier_normal_(t)", [](const Tensor& t) { nn::init::xavier_normal_(t); }, {4, 2, 3});
  check_init("kaiming_uniform_(t)", [](const Tensor& t) { nn::init::kaiming_uniform_(t); });
  check_init("kaiming_normal_(t, 0.2, 'fan_out')", [](const Tensor& t) { nn::init::kaiming_normal_(t, 0.2, "fan_out"); });
  check_init("kaiming_normal_(t, nonlinearity='tanh')", [](const Tensor& t) { nn::init::kaiming_normal_(t, 0, "fan_in", "tanh"); });
  check_init("orthogonal_(t)", [](const Tensor& t) { nn::init::orthogonal_(t); });
  check_init("orthogonal_(t, 2.0)", [](const Tensor& t) { nn::init::orthogonal_(t, 2); }, {3, 2, 4});
  check_init("sparse_(t, 0.4)", [](const Tensor& t) { nn::init::sparse_(t, 0.4); });
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2) return std::fprintf(stderr, "usage: every_module FILE\n"), 2;
  manual_seed(0);
  linear();
  convolution();
  pooling();
  normalisation();
  lazy();
  parametrizations();
  pruning();
  activations();
  losses();
  recurrent();
  transformers();
  containers();
  lists();
  initial_values();
  save(out, argv[1], texts);
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "every_module: %s\n", e.what());
  return 1;
}
