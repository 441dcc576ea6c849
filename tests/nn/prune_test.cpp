// What every_module.cpp, which compares the masks with Python's, does not: pruning while training, and what is refused.
#include <gtest/gtest.h>

#include "tapegrad/nn.h"
#include "tapegrad/nn_parametrize.h"
#include "tapegrad/nn_prune.h"

using namespace tapegrad;
namespace prune = nn::utils::prune;

TEST(Prune, PrunedWeightsStayZeroWhileTheOthersTrain) {
  const nn::Pruned fc(nn::Linear(4, 3));
  EXPECT_FALSE(prune::is_pruned(nn::Sequential{fc}));
  EXPECT_EQ(fc.state_dict()[0].first, "weight");
  prune::l1_unstructured(fc, &nn::Linear::weight, 0.5);  // all handles to the layer are pruned
  EXPECT_TRUE(prune::is_pruned(nn::Sequential{fc}));
  EXPECT_EQ(fc.state_dict()[1].first, "weight_orig");
  fc(ones({2, 4})).sum().backward();
  EXPECT_TRUE(equal(fc.get_parameter("weight_orig").grad() != 0, fc.get_buffer("weight_mask") != 0));
  prune::random_structured(fc, &nn::Linear::weight, 1, 0);  // of the rows that have something left
  EXPECT_GE(sum(fc.layer().weight == 0).item<int>(), 6);
  const Tensor before = fc.layer().weight, x = randn({5, 4}), y = fc(x);
  prune::remove(fc, &nn::Linear::weight);
  EXPECT_FALSE(prune::is_pruned(fc));
  EXPECT_TRUE(equal(fc.get_parameter("weight"), before) && equal(fc(x), y));
}

TEST(Prune, RefusesWhatCannotBePruned) {
  const nn::Pruned fc(nn::Linear(4, 3, false));
  EXPECT_THROW(prune::remove(fc, &nn::Linear::weight), ValueError);
  EXPECT_THROW(prune::identity(fc, &nn::Linear::bias), ValueError);
  EXPECT_THROW(prune::l1_unstructured(fc, &nn::Linear::weight, 1.5), ValueError);
  EXPECT_THROW(prune::l1_unstructured(fc, &nn::Linear::weight, 13), ValueError);
  EXPECT_THROW(prune::ln_structured(fc, &nn::Linear::weight, 1, 2, 2), IndexError);
  EXPECT_THROW(prune::custom_from_mask(fc, &nn::Linear::weight, ones({3, 3})), ShapeError);
  EXPECT_THROW(prune::l1_unstructured(fc, &nn::Linear::weight, 1, ones({3})), ShapeError);
  EXPECT_THROW(prune::global_unstructured({{fc, &nn::Linear::weight}}, prune::RandomStructured(1)), ValueError);
}

TEST(Parametrize, RefusesAsSecondWhatTakesTwoTensors) {
  auto fc = nn::utils::parametrizations::orthogonal(nn::Linear(4, 4));
  EXPECT_THROW(fc.add(&nn::Linear::weight, nn::utils::parametrizations::WeightNorm(0)), ValueError);
  EXPECT_THROW(nn::utils::parametrizations::orthogonal(nn::Linear(4, 4), &nn::Linear::weight, "qr"), ValueError);
  EXPECT_THROW(nn::utils::parametrizations::orthogonal(nn::Linear(4, 4), &nn::Linear::bias), ValueError);
}

TEST(Parametrize, LeavesTheLayerAsItIsWhenItRefuses) {
  struct Sum : nn::ModuleOf<Sum> {
    Tensor forward(const Tensor& x) const { return x.sum(); }
  };
  nn::Parametrized<nn::Linear> fc(nn::Linear(4, 3));
  EXPECT_THROW(fc.add(&nn::Linear::weight, Sum()), ShapeError);
  EXPECT_EQ(fc.state_dict()[0].first, "weight");
  EXPECT_EQ(fc.name(), "Linear");
  EXPECT_EQ(fc(ones({2, 4})).size(1), 3);
  EXPECT_THROW(nn::utils::parametrizations::weight_norm(nn::Linear(4, 3), &nn::Linear::weight, 7), IndexError);
  const auto all = nn::utils::parametrizations::weight_norm(nn::Linear(4, 3), &nn::Linear::weight, -1);
  EXPECT_EQ(all.get_parameter("parametrizations.weight.original0").dim(), 0);
}

TEST(Parametrize, FrozenWeightsStayFrozen) {
  const nn::Linear fc(3, 3);
  fc.requires_grad_(false);
  nn::Parametrized<nn::Linear> p = nn::utils::parametrizations::weight_norm(fc);
  for (const Tensor& t : p.parameters()) EXPECT_FALSE(t.requires_grad());
  EXPECT_FALSE(p.remove().weight.requires_grad());
  const nn::Linear other(3, 3);
  other.requires_grad_(false);
  for (const Tensor& t : nn::utils::parametrizations::orthogonal(other).parameters()) EXPECT_FALSE(t.requires_grad());
}

TEST(Parametrize, OtherPartsMayComeAfter) {
  nn::Parametrized<nn::Bilinear> b(nn::Bilinear(2, 2, 3));
  b.add(&nn::Bilinear::weight, nn::utils::parametrizations::WeightNorm(0));
  b.register_module("later", nn::ReLU());
  b.add(&nn::Bilinear::bias, nn::utils::parametrizations::WeightNorm(0));
  const nn::Bilinear plain = b.remove();
  EXPECT_EQ(plain.parameters().size(), 2u);
  EXPECT_EQ(plain.children().size(), 1u);
}
