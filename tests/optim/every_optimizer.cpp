// Takes some steps with every optimiser and every schedule and writes what tests/python/test_cpp_optim.py compares with Python's,
// bit by bit.
//   every_optimizer FILE
#include <cstdio>
#include <memory>

#include "tapegrad/io.h"
#include "tapegrad/optim.h"

using namespace tapegrad;
using namespace tapegrad::optim;

namespace {

StateDict out;
Metadata texts;
int cases = 0;

struct Problem {
  Tensor a, b, c;
  Problem() {
    manual_seed(3);
    a = randn({3, 4}).set_requires_grad(), b = randn({5}).set_requires_grad(), c = randn({4, 2});
  }
  Tensor loss() const {  // in Python's order, in which backward adds the gradients of a up
    const Tensor first = (a - 1).square().sum(), second = (b * b * b * b).sum();
    return first + second + matmul(a, c).cos().sum();
  }
  std::vector<Tensor> params(bool matrix_only) const {
    return matrix_only ? std::vector<Tensor>{a} : std::vector<Tensor>{a, b};
  }
};
/// `python` makes the same optimiser there, of `params`.
template <class Make> void check(const std::string& python, Make make) {
  const std::string id = std::to_string(cases++) + ".";
  texts.emplace_back(id + "optimizer", python);
  const Problem p;
  auto optimizer = make(p.params(python.rfind("Muon", 0) == 0));
  for (int k = 0; k < 7; k++) {
    const Tensor loss = optimizer.step([&] {
      optimizer.zero_grad();
      const Tensor loss = p.loss();
      loss.backward();
      return loss;
    });
    for (auto& [name, t] : StateDict{{"a", p.a}, {"b", p.b}, {"loss", loss}})
      out.emplace_back(id + name + std::to_string(k), detach(t).clone());
  }
}

/// The rates and momenta of 30 steps: `run` makes a schedule and returns its step.
template <class O, class Make> void check_schedule(const std::string& python, const char* optimizer, O&& o, Make make) {
  const std::string id = std::to_string(cases++) + ".";
  texts.emplace_back(id + "schedule", python);
  texts.emplace_back(id + "of", optimizer);
  std::vector<double> rows;
  const auto note = [&] {
    for (size_t g = 0; g < 2; g++) rows.push_back(o.lr(g)), rows.push_back(*o.momentum(g));
  };
  const auto step = make(o);
  note();
  for (int k = 0; k < 30; k++) {
    o.step();
    step(k);
    note();
  }
  Tensor t = zeros({int64_t(rows.size())}, float64);
  for (size_t k = 0; k < rows.size(); k++) t.data_ptr<double>()[k] = rows[k];
  out.emplace_back(id + "rows", t);
}
template <class Make> void check_schedule(const std::string& python, Make make) {
  const Problem p;
  SGD sgd({p.a}, {.lr = 0.1, .momentum = 0.9});
  sgd.add_param_group({p.b}, {.lr = 0.03, .momentum = 0.5});
  check_schedule(python, "SGD([dict(params=[a]), dict(params=[b], lr=0.03, momentum=0.5)], lr=0.1, momentum=0.9)", sgd,
                 make);
}
/// A schedule of class S made of (optimiser, args…).
template <class S, class... A> auto schedule(const A&... args) {
  return [=](Optimizer& o) { return [s = std::shared_ptr<S>(new S(o, args...))](int) { s->step(); }; };
}

void optimizers() {
  check("SGD(params)", [](auto p) { return SGD(p); });
  check("SGD(params, lr=0.01, momentum=0.9, weight_decay=0.1, nesterov=True)",
        [](auto p) { return SGD(p, {.lr = 0.01, .momentum = 0.9, .weight_decay = 0.1, .nesterov = true}); });
  check("SGD(params, lr=0.01, momentum=0.9, dampening=0.2, maximize=True)",
        [](auto p) { return SGD(p, {.lr = 0.01, .momentum = 0.9, .dampening = 0.2, .maximize = true}); });
  check("Adam(params)", [](auto p) { return Adam(p); });
  check("Adam(params, lr=0.1, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1, amsgrad=True)", [](auto p) {
    return Adam(p, {.lr = 0.1, .beta1 = 0.8, .beta2 = 0.95, .eps = 1e-6, .weight_decay = 0.1, .amsgrad = true});
  });
  check("AdamW(params)", [](auto p) { return AdamW(p); });
  check("AdamW(params, lr=0.1, weight_decay=0.3, maximize=True)",
        [](auto p) { return AdamW(p, {.lr = 0.1, .weight_decay = 0.3, .maximize = true}); });
  check("Adamax(params)", [](auto p) { return Adamax(p); });
  check("Adamax(params, lr=0.1, weight_decay=0.3)", [](auto p) { return Adamax(p, {.lr = 0.1, .weight_decay = 0.3}); });
  check("NAdam(params)", [](auto p) { return NAdam(p); });
  check("NAdam(params, lr=0.1, weight_decay=0.3, momentum_decay=0.01, decoupled_weight_decay=True)", [](auto p) {
    return NAdam(p, {.lr = 0.1, .weight_decay = 0.3, .momentum_decay = 0.01, .decoupled_weight_decay = true});
  });
  check("RAdam(params)", [](auto p) { return RAdam(p); });
  check("RAdam(params, lr=0.1, weight_decay=0.3, decoupled_weight_decay=True)",
        [](auto p) { return RAdam(p, {.lr = 0.1, .weight_decay = 0.3, .decoupled_weight_decay = true}); });
  check("RMSprop(params)", [](auto p) { return RMSprop(p); });
  check("RMSprop(params, lr=0.1, alpha=0.9, weight_decay=0.1, momentum=0.8, centered=True)", [](auto p) {
    return RMSprop(p, {.lr = 0.1, .alpha = 0.9, .weight_decay = 0.1, .momentum = 0.8, .centered = true});
  });
  check("Adagrad(params)", [](auto p) { return Adagrad(p); });
  check("Adagrad(params, lr=0.1, lr_decay=0.1, weight_decay=0.1, initial_accumulator_value=0.5)", [](auto p) {
    return Adagrad(p, {.lr = 0.1, .lr_decay = 0.1, .weight_decay = 0.1, .initial_accumulator_value = 0.5});
  });
  check("Adadelta(params)", [](auto p) { return Adadelta(p); });
  check("Adadelta(params, lr=0.5, rho=0.8, weight_decay=0.1)",
        [](auto p) { return Adadelta(p, {.lr = 0.5, .rho = 0.8, .weight_decay = 0.1}); });
  check("ASGD(params)", [](auto p) { return ASGD(p); });
  check("ASGD(params, lr=0.1, lambd=0.01, t0=2.0, weight_decay=0.1)",
        [](auto p) { return ASGD(p, {.lr = 0.1, .lambd = 0.01, .t0 = 2, .weight_decay = 0.1}); });
  check("Rprop(params)", [](auto p) { return Rprop(p); });
  check("Rprop(params, lr=0.5, etas=(0.4, 1.5), step_sizes=(1e-3, 1.0), maximize=True)", [](auto p) {
    return Rprop(p, {.lr = 0.5, .shrink = 0.4, .grow = 1.5, .smallest = 1e-3, .largest = 1, .maximize = true});
  });
  check("Adafactor(params)", [](auto p) { return Adafactor(p); });
  check("Adafactor(params, lr=0.1, eps=(1e-5, 0.01), d=2.0, weight_decay=0.1)",
        [](auto p) { return Adafactor(p, {.lr = 0.1, .eps1 = 1e-5, .eps2 = 0.01, .d = 2, .weight_decay = 0.1}); });
  check("Muon(params)", [](auto p) { return Muon(p); });
  check("Muon(params, lr=0.1, nesterov=False, adjust_lr_fn='match_rms_adamw')",
        [](auto p) { return Muon(p, {.lr = 0.1, .nesterov = false, .match_rms_adamw = true}); });
  check("LBFGS(params)", [](auto p) { return LBFGS(p, {}); });
  check("LBFGS(params, lr=0.5, max_iter=5, history_size=3, line_search_fn='strong_wolfe')", [](auto p) {
    return LBFGS(p, {.lr = 0.5, .max_iter = 5, .history_size = 3, .strong_wolfe = true});
  });
}

void schedules() {
  const auto half = [](int64_t epoch) { return 1. / double(1 + epoch); };
  const auto slow = [](int64_t) { return 0.95; };
  check_schedule("LambdaLR(opt, lambda e: 1.0 / (1 + e))", schedule<LambdaLR>(EpochFunction(half)));
  check_schedule("LambdaLR(opt, [lambda e: 1.0 / (1 + e), lambda e: 0.95])",
                 schedule<LambdaLR>(std::vector<EpochFunction>{half, slow}));
  check_schedule("MultiplicativeLR(opt, lambda e: 0.95)", schedule<MultiplicativeLR>(EpochFunction(slow)));
  check_schedule("StepLR(opt, 4)", schedule<StepLR>(4));
  check_schedule("StepLR(opt, 3, gamma=0.7)", schedule<StepLR>(3, 0.7));
  check_schedule("MultiStepLR(opt, [8, 3, 3])", schedule<MultiStepLR>(std::vector<int64_t>{8, 3, 3}));
  check_schedule("ConstantLR(opt)", schedule<ConstantLR>());
  check_schedule("ConstantLR(opt, 0.3, 8)", schedule<ConstantLR>(0.3, 8));
  check_schedule("LinearLR(opt)", schedule<LinearLR>());
  check_schedule("LinearLR(opt, 0.9, 0.1, 12)", schedule<LinearLR>(0.9, 0.1, 12));
  check_schedule("ExponentialLR(opt, 0.93)", schedule<ExponentialLR>(0.93));
  check_schedule("PolynomialLR(opt)", schedule<PolynomialLR>());
  check_schedule("PolynomialLR(opt, 17, 1.7)", schedule<PolynomialLR>(17, 1.7));
  check_schedule("CosineAnnealingLR(opt, 9)", schedule<CosineAnnealingLR>(9));
  check_schedule("CosineAnnealingLR(opt, 12, eta_min=0.01)", schedule<CosineAnnealingLR>(12, 0.01));
  check_schedule("CosineAnnealingWarmRestarts(opt, 4)", schedule<CosineAnnealingWarmRestarts>(4));
  check_schedule("CosineAnnealingWarmRestarts(opt, 3, T_mult=2, eta_min=0.001)",
                 schedule<CosineAnnealingWarmRestarts>(3, 2, 0.001));
  check_schedule("CyclicLR(opt, 0.01, 0.2)", schedule<CyclicLR>(PerGroup(0.01), PerGroup(0.2)));
  check_schedule("CyclicLR(opt, [0.01, 0.02], [0.1, 0.3], step_size_up=4, step_size_down=3, mode='triangular2')",
                 schedule<CyclicLR>(PerGroup{0.01, 0.02}, PerGroup{0.1, 0.3},
                                    CyclicLROptions{.step_size_up = 4, .step_size_down = 3, .mode = "triangular2"}));
  check_schedule("CyclicLR(opt, 0.01, 0.2, step_size_up=5, mode='exp_range', gamma=0.97, cycle_momentum=False)",
                 schedule<CyclicLR>(
                     PerGroup(0.01), PerGroup(0.2),
                     CyclicLROptions{.step_size_up = 5, .mode = "exp_range", .gamma = 0.97, .cycle_momentum = false}));
  check_schedule("CyclicLR(opt, 0.01, 0.2, step_size_up=5, scale_fn=lambda e: 1.0 / (1 + e), scale_mode='iterations')",
                 schedule<CyclicLR>(PerGroup(0.01), PerGroup(0.2),
                                    CyclicLROptions{.step_size_up = 5, .scale_fn = half, .scale_mode = "iterations"}));
  check_schedule("OneCycleLR(opt, 0.3, total_steps=31)",
                 schedule<OneCycleLR>(PerGroup(0.3), OneCycleLROptions{.total_steps = 31}));
  check_schedule(
      "OneCycleLR(opt, [0.3, 0.5], epochs=8, steps_per_epoch=4, anneal_strategy='linear', three_phase=True)",
      schedule<OneCycleLR>(
          PerGroup{0.3, 0.5},
          OneCycleLROptions{.epochs = 8, .steps_per_epoch = 4, .anneal_strategy = "linear", .three_phase = true}));
  check_schedule("SWALR(opt, 0.05)", schedule<SWALR>(PerGroup(0.05)));
  check_schedule("SWALR(opt, [0.05, 0.2], anneal_epochs=6, anneal_strategy='linear')",
                 schedule<SWALR>(PerGroup{0.05, 0.2}, 6, "linear"));
  check_schedule(
      "SequentialLR(opt, [LinearLR(opt, 0.1, total_iters=4), CosineAnnealingLR(opt, 10), StepLR(opt, 3)], [5, 15])",
      [](Optimizer& o) {
        const auto a = std::make_shared<LinearLR>(o, 0.1, 1, 4);
        const auto b = std::make_shared<CosineAnnealingLR>(o, 10);
        const auto c = std::make_shared<StepLR>(o, 3);
        const auto s = std::make_shared<SequentialLR>(o, std::vector<LRScheduler*>{a.get(), b.get(), c.get()},
                                                      std::vector<int64_t>{5, 15});
        return [a, b, c, s](int) { s->step(); };
      });
  check_schedule("ChainedScheduler([ConstantLR(opt, 0.1, 4), ExponentialLR(opt, 0.9)])", [](Optimizer& o) {
    const auto a = std::make_shared<ConstantLR>(o, 0.1, 4);
    const auto b = std::make_shared<ExponentialLR>(o, 0.9);
    const auto s = std::make_shared<ChainedScheduler>(std::vector<LRScheduler*>{a.get(), b.get()});
    return [a, b, s](int) { s->step(); };
  });
  check_schedule("ReduceLROnPlateau(opt, patience=2)", [](Optimizer& o) {
    return [s = std::make_shared<ReduceLROnPlateau>(o, ReduceLROnPlateauOptions{.patience = 2})](int k) {
      s->step(double(k * 7 % 5));
    };
  });
  check_schedule("ReduceLROnPlateau(opt, 'max', 0.5, 1, 0.1, 'abs', 2, [0.01, 0.02])", [](Optimizer& o) {
    const ReduceLROnPlateauOptions options = {.mode = "max",
                                              .factor = 0.5,
                                              .patience = 1,
                                              .threshold = 0.1,
                                              .threshold_mode = "abs",
                                              .cooldown = 2,
                                              .min_lr = {0.01, 0.02}};
    return [s = std::make_shared<ReduceLROnPlateau>(o, options)](int k) { s->step(double(k * 7 % 5)); };
  });
  const Problem p;
  Adam adam({p.a}, {.lr = 0.1});
  adam.add_param_group({p.b}, {.lr = 0.03});
  check_schedule("OneCycleLR(opt, 0.3, total_steps=31, pct_start=0.5)",
                 "Adam([dict(params=[a]), dict(params=[b], lr=0.03)], lr=0.1)", adam,
                 schedule<OneCycleLR>(PerGroup(0.3), OneCycleLROptions{.total_steps = 31, .pct_start = 0.5}));
}

void averages() {
  const auto check = [](const char* python, AveragedModelOptions options) {
    const std::string id = std::to_string(cases++) + ".";
    texts.emplace_back(id + "average", python);
    manual_seed(1);
    const nn::Sequential model{nn::Linear(3, 4), nn::BatchNorm1d(4)};
    const AveragedModel<nn::Sequential> average(nn::Sequential{nn::Linear(3, 4), nn::BatchNorm1d(4)}, options);
    for (int k = 0; k < 4; k++) {
      average.update_parameters(model);
      const NoGrad no_grad;
      for (const Tensor& p : model.parameters()) add_(p, Tensor(0.3 * k));
    }
    for (auto& [name, t] : average.state_dict()) out.emplace_back(id + name, t.clone());
  };
  check("AveragedModel(model)", {});
  check("AveragedModel(model, avg_fn=get_ema_avg_fn(0.9))", {.ema_decay = 0.9});
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2) return std::fprintf(stderr, "usage: every_optimizer FILE\n"), 2;
  optimizers();
  schedules();
  averages();
  save(out, argv[1], texts);
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "every_optimizer: %s\n", e.what());
  return 1;
}
