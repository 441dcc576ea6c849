#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "tapegrad/data.h"
#include "tapegrad/optim.h"

using namespace tapegrad;

namespace {
Tensor parameter() { return tensor({1, -2, 3}, float64).set_requires_grad(); }
// Minimises sum(p²) for some steps and returns p.
template <class O> Tensor run(O&& o, const Tensor& p, int steps) {
  for (int i = 0; i < steps; i++) {
    o.zero_grad();
    (p * p).sum().backward();
    o.step();
  }
  return p;
}
double first(const Tensor& p) { return p.data_ptr<double>()[0]; }
}  // namespace

// The numbers are PyTorch's after three steps.
TEST(Optimizer, StepsAsPyTorch) {
  Tensor p = parameter();
  EXPECT_NEAR(first(run(optim::SGD({p}, {.lr = 0.1, .momentum = 0.9}), p, 3)), 0.0619999999999999, 1e-12);
  p = parameter();
  EXPECT_NEAR(first(run(optim::Adam({p}, {.lr = 0.1}), p, 3)), 0.7015862729460302, 1e-12);
  p = parameter();
  EXPECT_NEAR(first(run(optim::AdamW({p}, {.lr = 0.1}), p, 3)), 0.6989111831582322, 1e-12);
  p = parameter();
  EXPECT_NEAR(first(run(optim::RMSprop({p}, {.lr = 0.1, .momentum = 0.9, .centered = true}), p, 3)), -1.0394789855961653, 1e-12);
  p = parameter();
  EXPECT_NEAR(first(run(optim::Adagrad({p}, {.lr = 0.1}), p, 3)), 0.7804561813568098, 1e-12);
}

TEST(Optimizer, ResumesExactly) {
  const Tensor a = parameter(), b = parameter();
  optim::Adam one({a}, {.lr = 0.1, .amsgrad = true});
  run(one, a, 3);
  optim::Adam two({b}, {.lr = 0.1, .amsgrad = true});
  two.load_state_dict(one.state_dict());
  NoGrad no_grad;
  copy_(b, a);
  tls.no_grad = false;
  EXPECT_TRUE(equal(run(one, a, 2), run(two, b, 2)));
}

TEST(Optimizer, RefusesNonsense) {
  const Tensor p = parameter();
  EXPECT_THROW(optim::SGD({}, {}), ValueError);
  EXPECT_THROW(optim::SGD({p, p}, {}), ValueError);
  EXPECT_THROW(optim::SGD({p}, {.lr = -1}), ValueError);
  EXPECT_THROW(optim::SGD({p}, {.lr = 1, .nesterov = true}), ValueError);
  EXPECT_THROW(optim::SGD({p * 2}, {}), ValueError);
}

TEST(Optimizer, OptionsThatBringStatesGoOffButNotOn) {
  const Tensor p = parameter();
  optim::SGD sgd({p}, {.lr = 0.1, .momentum = 0.9});
  run(sgd, p, 2);
  sgd.options().momentum = 0;
  run(sgd, p, 1);
  EXPECT_EQ(sgd.state_dict()[0].first, "group.0.lr");
  optim::Adam adam({p}), ams({p}, {.amsgrad = true});
  run(adam, p, 1), run(ams, p, 1);
  adam.options().amsgrad = true;
  EXPECT_THROW(run(adam, p, 1), ValueError);
  ams.options().amsgrad = false;
  run(ams, p, 1);
  EXPECT_EQ(ams.state_dict()[2].first, "exp_avg_sq.0");
  EXPECT_EQ(ams.state_dict()[3].first, "group.0.lr");
  optim::RMSprop rms({p});
  run(rms, p, 1);
  rms.options().momentum = 0.5;
  EXPECT_THROW(run(rms, p, 1), ValueError);
  rms.options() = {.centered = true};
  EXPECT_THROW(run(rms, p, 1), ValueError);
}

TEST(Optimizer, RefusesStatesThatItCannotGoOnWith) {
  const Tensor p = parameter(), none;
  optim::Adam adam({p});
  const auto refuses = [&](const StateDict& state) {
    EXPECT_THROW(adam.load_state_dict(state), ValueError);
    run(adam, p, 1);  // and goes on with its own
  };
  refuses({{"step.0", tensor(int64_t(-5))}});
  refuses({{"step.0", none}});
  refuses({{"exp_avg.0", zeros({3}, float64)}});
  refuses({{"step.0", tensor(int64_t(0))}, {"exp_avg.0", zeros({3}, float64)}});
  refuses({{"group.0.weight_decay", tensor(0.5)}});
  EXPECT_EQ(adam.options().beta1, 0.9);
  EXPECT_THROW(adam.lr(1), IndexError);
  EXPECT_THROW(optim::LBFGS({p}, {.history_size = 0}), ValueError);
}

TEST(Schedules, RefuseRatesThatAreNoNumbers) {
  optim::SGD sgd({parameter()}, {.lr = 1});
  EXPECT_THROW(optim::CyclicLR(sgd, 0.1, 0.2, {.step_size_up = 0, .cycle_momentum = false}), ValueError);
  EXPECT_THROW(optim::OneCycleLR(sgd, 0.1, {.epochs = -1, .steps_per_epoch = -5, .cycle_momentum = false}), ValueError);
  EXPECT_THROW(optim::LambdaLR(sgd, optim::EpochFunction()), ValueError);
  EXPECT_THROW(optim::SequentialLR(sgd, {nullptr}, {}), ValueError);
  EXPECT_THROW(optim::ChainedScheduler({nullptr}), ValueError);
  EXPECT_THROW(optim::LinearLR(sgd, 1, 1, 0).step(int64_t(3)), ValueError);
  optim::ConstantLR nothing(sgd, 0, 1);
  EXPECT_THROW(nothing.step(), ValueError);
  EXPECT_EQ(sgd.lr(), 0);
}

TEST(Schedules, FollowPyTorchs) {
  const Tensor p = parameter();
  optim::SGD sgd({p}, {.lr = 1});
  optim::StepLR step(sgd, 2, 0.1);
  step.step();
  EXPECT_DOUBLE_EQ(sgd.lr(), 1);
  step.step();
  EXPECT_DOUBLE_EQ(sgd.lr(), 0.1);
  optim::SGD other({p}, {.lr = 1});
  optim::CosineAnnealingLR cosine(other, 10, 0.5);
  for (int i = 0; i < 5; i++) cosine.step();
  EXPECT_DOUBLE_EQ(other.lr(), 0.75);
  for (int i = 0; i < 5; i++) cosine.step();
  EXPECT_DOUBLE_EQ(other.lr(), 0.5);
}

TEST(AveragedModels, UpdateBatchNorms) {
  const nn::Sequential model{nn::BatchNorm1d(3), nn::Linear(3, 2)};
  const nn::BatchNorm1d mean(3, {.momentum = {}});
  model.eval();
  const data::DataLoader loader(data::TensorDataset{randn({10, 3}) + 1, zeros({10})}, {.batch_size = 4});
  optim::update_bn(loader, model);
  for (const auto& [x, y] : loader) mean(x);
  const nn::BatchNorm1d& norm = model[0].as<nn::BatchNorm1d>();
  EXPECT_TRUE(equal(norm.running_mean, mean.running_mean));
  EXPECT_TRUE(equal(norm.running_var, mean.running_var));
  EXPECT_EQ(norm.num_batches_tracked.item<int64_t>(), 3);
  EXPECT_FALSE(model.is_training());
  optim::update_bn(std::vector<Tensor>{ones({2, 3})}, model);
  EXPECT_TRUE(equal(norm.running_mean, ones({3})));
}

TEST(Optimizer, LbfgsPutsBackWhatItMovedWhenTheClosureThrows) {
  const auto run = [](int64_t throws_at) {
    const Tensor x = tensor({3.0, -2.0}).set_requires_grad();
    optim::LBFGS optimizer({x}, {.max_iter = 3});
    int64_t calls = 0;
    auto loss = [&] {
      if (++calls == throws_at) throw std::runtime_error("no");
      optimizer.zero_grad();
      const Tensor l = (x * x * tensor({1.0, 10.0})).sum();
      l.backward();
      return l;
    };
    optimizer.step(loss);
    const Tensor before = clone(detach(x));
    if (throws_at) {
      EXPECT_THROW(optimizer.step(loss), std::runtime_error);
      EXPECT_TRUE(equal(detach(x), before));
    }
    optimizer.step(loss);
    return clone(detach(x));
  };
  const Tensor undisturbed = run(0);
  for (const int64_t call : {4, 5, 6}) EXPECT_TRUE(equal(run(call), undisturbed)) << call;
}
