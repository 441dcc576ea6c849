// The optimisers: which states each has, and its step. The rarer ones are written with tensor ops, one parameter at a time.
#include <algorithm>
#include <cmath>
#include <string>

#include "tapegrad/optim_optimizer.h"

namespace tapegrad::optim {

using Names = std::vector<std::string>;

template <class O> static void check_common(const char* name, const O& o) {
  TG_CHECK(o.lr >= 0, ValueError, name, ": lr must not be negative, got ", o.lr);
  TG_CHECK(o.weight_decay >= 0, ValueError, name, ": weight_decay must not be negative, got ", o.weight_decay);
  if constexpr (requires { o.eps; }) TG_CHECK(o.eps >= 0, ValueError, name, ": eps must not be negative, got ", o.eps);
  if constexpr (requires { o.momentum; })
    TG_CHECK(o.momentum >= 0, ValueError, name, ": momentum must not be negative, got ", o.momentum);
  if constexpr (requires { o.beta1; })
    TG_CHECK(o.beta1 >= 0 && o.beta1 < 1 && o.beta2 >= 0 && o.beta2 < 1, ValueError, name,
             ": beta1 and beta2 must lie in [0, 1), got ", o.beta1, " and ", o.beta2);
}
// An option may be switched off after the first step, but not on: its states are missing.
static void check_slots(size_t have, size_t needed, const char* options) {
  TG_CHECK(have >= needed, ValueError, options, " cannot be switched on after the first step");
}
// The gradient to go down.
static Tensor downhill(const Tensor& grad, bool maximize) { return maximize ? -grad : grad; }

// ---- fused

SGD::SGD(std::vector<Tensor> params, SGDOptions o) { add_param_group(std::move(params), o); }
void SGD::check(const SGDOptions& o) const {
  check_common("SGD", o);
  TG_CHECK(!o.nesterov || (o.momentum > 0 && o.dampening == 0), ValueError,
           "SGD: nesterov needs momentum > 0 and dampening 0");
}
Names SGD::slot_names(size_t group, const Tensor&) const {
  return options(group).momentum == 0 ? Names{} : Names{"momentum_buffer"};
}
void SGD::update(size_t group, const Batch& b) {
  const SGDOptions& o = options(group);
  const auto step = [&](TensorList buffers, bool first) {
    sgd_step(b.params, b.grads, buffers, o.lr, o.momentum, o.dampening, o.weight_decay, o.nesterov, o.maximize, first);
  };
  if (o.momentum == 0) return step({}, false);
  if (!b.slots.empty()) return step(b.slots[0], b.step == 1);
  std::vector<Tensor> buffers;  // a schedule gave it momentum after steps without
  for (size_t k = 0; k < b.params.size(); k++)
    b.states[k]->tensors = {buffers.emplace_back(empty_like(detach(b.params[k])))};
  step(buffers, true);
}

Adam::Adam(std::vector<Tensor> params, AdamOptions o) { add_param_group(std::move(params), o); }
AdamW::AdamW(std::vector<Tensor> params, AdamWOptions o)
    : Adam(std::move(params), {o.lr, o.beta1, o.beta2, o.eps, o.weight_decay, o.amsgrad, o.maximize, true}) {}
void Adam::check(const AdamOptions& o) const { check_common("Adam", o); }
Names Adam::slot_names(size_t group, const Tensor&) const {
  return options(group).amsgrad ? Names{"exp_avg", "exp_avg_sq", "max_exp_avg_sq"} : Names{"exp_avg", "exp_avg_sq"};
}
void Adam::update(size_t group, const Batch& b) {
  const AdamOptions& o = options(group);
  check_slots(b.slots.size(), o.amsgrad ? 3 : 2, "Adam: amsgrad");
  adam_step(b.params, b.grads, b.slots[0], b.slots[1], o.amsgrad ? TensorList(b.slots[2]) : TensorList(), o.lr, o.beta1,
            o.beta2, o.eps, o.weight_decay, o.decoupled_weight_decay, o.maximize, b.step);
}

Adamax::Adamax(std::vector<Tensor> params, AdamaxOptions o) { add_param_group(std::move(params), o); }
void Adamax::check(const AdamaxOptions& o) const { check_common("Adamax", o); }
Names Adamax::slot_names(size_t, const Tensor&) const { return {"exp_avg", "exp_inf"}; }
void Adamax::update(size_t group, const Batch& b) {
  const AdamaxOptions& o = options(group);
  adamax_step(b.params, b.grads, b.slots[0], b.slots[1], o.lr, o.beta1, o.beta2, o.eps, o.weight_decay, o.maximize,
              b.step);
}

NAdam::NAdam(std::vector<Tensor> params, NAdamOptions o) { add_param_group(std::move(params), o); }
void NAdam::check(const NAdamOptions& o) const {
  check_common("NAdam", o);
  TG_CHECK(o.momentum_decay >= 0, ValueError, "NAdam: momentum_decay must not be negative, got ", o.momentum_decay);
}
Names NAdam::slot_names(size_t, const Tensor&) const { return {"exp_avg", "exp_avg_sq"}; }
Names NAdam::number_names() const { return {"mu_product"}; }
void NAdam::update(size_t group, const Batch& b) {
  const NAdamOptions& o = options(group);
  const auto mu_at = [&](int64_t t) { return o.beta1 * (1 - 0.5 * std::pow(0.96, double(t) * o.momentum_decay)); };
  const double mu = mu_at(b.step), next = mu_at(b.step + 1);
  for (State* s : b.states) s->numbers[0] *= mu;
  nadam_step(b.params, b.grads, b.slots[0], b.slots[1], o.lr, o.beta1, o.beta2, o.eps, o.weight_decay,
             o.decoupled_weight_decay, o.maximize, mu, next, b.states[0]->numbers[0], b.step);
}

RAdam::RAdam(std::vector<Tensor> params, RAdamOptions o) { add_param_group(std::move(params), o); }
void RAdam::check(const RAdamOptions& o) const { check_common("RAdam", o); }
Names RAdam::slot_names(size_t, const Tensor&) const { return {"exp_avg", "exp_avg_sq"}; }
void RAdam::update(size_t group, const Batch& b) {
  const RAdamOptions& o = options(group);
  radam_step(b.params, b.grads, b.slots[0], b.slots[1], o.lr, o.beta1, o.beta2, o.eps, o.weight_decay,
             o.decoupled_weight_decay, o.maximize, b.step);
}

RMSprop::RMSprop(std::vector<Tensor> params, RMSpropOptions o) { add_param_group(std::move(params), o); }
void RMSprop::check(const RMSpropOptions& o) const {
  check_common("RMSprop", o);
  TG_CHECK(o.alpha >= 0, ValueError, "RMSprop: alpha must not be negative, got ", o.alpha);
}
Names RMSprop::slot_names(size_t group, const Tensor&) const {
  Names names = {"square_avg"};
  if (options(group).centered) names.push_back("grad_avg");
  if (options(group).momentum > 0) names.push_back("momentum_buffer");
  return names;
}
void RMSprop::update(size_t group, const Batch& b) {
  const RMSpropOptions& o = options(group);
  check_slots(b.slots.size(), size_t(1 + o.centered + (o.momentum > 0)), "RMSprop: centered and momentum");
  rmsprop_step(b.params, b.grads, b.slots[0], o.centered ? TensorList(b.slots[1]) : TensorList(),
               o.momentum > 0 ? TensorList(b.slots.back()) : TensorList(), o.lr, o.alpha, o.eps, o.weight_decay,
               o.momentum, o.maximize);
}

Adagrad::Adagrad(std::vector<Tensor> params, AdagradOptions o) { add_param_group(std::move(params), o); }
void Adagrad::check(const AdagradOptions& o) const {
  check_common("Adagrad", o);
  TG_CHECK(o.lr_decay >= 0 && o.initial_accumulator_value >= 0, ValueError,
           "Adagrad: lr_decay and initial_accumulator_value must not be negative");
}
Names Adagrad::slot_names(size_t, const Tensor&) const { return {"sum"}; }
Tensor Adagrad::new_slot(size_t group, size_t, const Tensor& p) const {
  return full_like(detach(p), options(group).initial_accumulator_value);
}
void Adagrad::update(size_t group, const Batch& b) {
  const AdagradOptions& o = options(group);
  adagrad_step(b.params, b.grads, b.slots[0], o.lr / (1 + double(b.step - 1) * o.lr_decay), o.eps, o.weight_decay,
               o.maximize);
}

Adadelta::Adadelta(std::vector<Tensor> params, AdadeltaOptions o) { add_param_group(std::move(params), o); }
void Adadelta::check(const AdadeltaOptions& o) const {
  check_common("Adadelta", o);
  TG_CHECK(o.rho >= 0 && o.rho <= 1, ValueError, "Adadelta: rho must lie in [0, 1], got ", o.rho);
}
Names Adadelta::slot_names(size_t, const Tensor&) const { return {"square_avg", "acc_delta"}; }
void Adadelta::update(size_t group, const Batch& b) {
  const AdadeltaOptions& o = options(group);
  adadelta_step(b.params, b.grads, b.slots[0], b.slots[1], o.lr, o.rho, o.eps, o.weight_decay, o.maximize);
}

// ---- with tensor ops

// Nothing of a batch is written before all of it is computed: a step that finds no memory has changed nothing.
namespace {
struct Writes {
  std::vector<std::pair<Tensor, Tensor>> all;  // a tensor, its new values
  void add(const Tensor& to, const Tensor& values) { all.emplace_back(to, values); }
  void run() const {
    for (auto& [to, values] : all) copy_(to, values);
  }
};
}  // namespace

ASGD::ASGD(std::vector<Tensor> params, ASGDOptions o) { add_param_group(std::move(params), o); }
void ASGD::check(const ASGDOptions& o) const { check_common("ASGD", o); }
Names ASGD::slot_names(size_t, const Tensor&) const { return {"ax"}; }
Names ASGD::number_names() const { return {"eta", "mu"}; }
void ASGD::update(size_t group, const Batch& b) {
  const ASGDOptions& o = options(group);
  Writes writes;
  for (size_t k = 0; k < b.params.size(); k++) {
    const Tensor &p = b.params[k], &ax = b.slots[0][k];
    const double eta = b.step == 1 ? o.lr : b.states[k]->numbers[0], mu = b.states[k]->numbers[1];
    Tensor grad = downhill(b.grads[k], o.maximize);
    if (o.weight_decay != 0) grad = add(grad, p, o.weight_decay);
    const Tensor to = add(p * Tensor(1 - o.lambd * eta), grad, -eta);
    writes.add(p, to);
    writes.add(ax, mu == 1 ? to : lerp(ax, to, mu));
  }
  writes.run();
  for (State* s : b.states) {
    s->numbers[0] = o.lr / std::pow(1 + o.lambd * o.lr * double(b.step), o.alpha);
    s->numbers[1] = 1 / std::max(1., double(b.step) - o.t0);
  }
}

Rprop::Rprop(std::vector<Tensor> params, RpropOptions o) { add_param_group(std::move(params), o); }
void Rprop::check(const RpropOptions& o) const {
  TG_CHECK(o.lr >= 0, ValueError, "Rprop: lr must not be negative, got ", o.lr);
  TG_CHECK(0 < o.shrink && o.shrink < 1 && 1 < o.grow, ValueError,
           "Rprop: shrink must lie in (0, 1) and grow above 1, got ", o.shrink, " and ", o.grow);
}
Names Rprop::slot_names(size_t, const Tensor&) const { return {"prev", "step_size"}; }
Tensor Rprop::new_slot(size_t group, size_t slot, const Tensor& p) const {
  return full_like(detach(p), slot == 0 ? 0 : options(group).lr);
}
void Rprop::update(size_t group, const Batch& b) {
  const RpropOptions& o = options(group);
  Writes writes;
  for (size_t k = 0; k < b.params.size(); k++) {
    const Tensor &p = b.params[k], &prev = b.slots[0][k];
    Tensor grad = downhill(b.grads[k], o.maximize);
    const Tensor turned = grad * prev;
    const Tensor factor = masked_fill_(masked_fill_(ones_like(turned), turned > 0, o.grow), turned < 0, o.shrink);
    const Tensor size = clamp(b.slots[1][k] * factor, o.smallest, o.largest);
    grad = masked_fill(grad, turned < 0, 0.);
    writes.add(p, addcmul(p, sign(grad), size, -1));
    writes.add(b.slots[1][k], size);
    writes.add(prev, grad);
  }
  writes.run();
}

Adafactor::Adafactor(std::vector<Tensor> params, AdafactorOptions o) { add_param_group(std::move(params), o); }
void Adafactor::check(const AdafactorOptions& o) const {
  check_common("Adafactor", o);
  TG_CHECK(o.beta2_decay <= 0 && o.eps1.value_or(0) >= 0 && o.eps2 >= 0 && o.d >= 1, ValueError,
           "Adafactor: needs beta2_decay <= 0, eps1 >= 0, eps2 >= 0 and d >= 1");
}
Names Adafactor::slot_names(size_t, const Tensor& p) const {
  return p.dim() < 2 ? Names{"variance"} : Names{"row_var", "col_var"};
}
Tensor Adafactor::new_slot(size_t, size_t slot, const Tensor& p) const {
  Shape size(p.sizes());
  if (p.dim() >= 2) size[size.size() - (slot == 0 ? 1 : 2)] = 1;
  return p.dim() < 2 ? zeros_like(detach(p)) : zeros(size, p.dtype(), p.device());
}
// What separates 1 from the next number.
static double epsilon_of(Dtype d) {
  return std::ldexp(1., d == Dtype::Float16 ? -10 : d == Dtype::BFloat16 ? -7 : d == Dtype::Float32 ? -23 : -52);
}
void Adafactor::update(size_t group, const Batch& b) {
  const AdafactorOptions& o = options(group);
  const double t = double(b.step), weight = std::pow(t, o.beta2_decay);
  Writes writes;
  for (size_t k = 0; k < b.params.size(); k++) {
    const Tensor& p = b.params[k];
    const std::vector<Tensor>& state = b.states[k]->tensors;
    const Tensor grad = downhill(b.grads[k], o.maximize);
    const double eps1 = o.eps1.value_or(epsilon_of(p.dtype())),
                 size = std::pow(double(std::max<int64_t>(1, p.numel())), 0.5);
    const double alpha = std::min(o.lr, 1 / std::pow(t, 0.5)) * std::max(o.eps2, norm(p, 2).item<double>() / size);
    const Tensor squares = square(grad);
    Tensor variance;
    if (p.dim() < 2) {
      variance = lerp(state[0], squares, weight);
      writes.add(state[0], variance);
    } else {
      const Tensor rows = lerp(state[0], mean(squares, -1, true), weight),
                   columns = lerp(state[1], mean(squares, -2, true), weight);
      variance = matmul(rows, columns) / clamp(mean(rows, -2, true), eps1);
      writes.add(state[0], rows);
      writes.add(state[1], columns);
    }
    const Tensor update = rsqrt(clamp(variance, eps1 * eps1)) * grad;
    const Tensor decayed = o.weight_decay != 0 ? p * Tensor(1 - o.lr * o.weight_decay) : p;
    writes.add(p, add(decayed, update, -alpha / std::max(1., norm(update, 2).item<double>() / (size * o.d))));
  }
  writes.run();
}

Muon::Muon(std::vector<Tensor> params, MuonOptions o) { add_param_group(std::move(params), o); }
void Muon::check(const MuonOptions& o) const {
  check_common("Muon", o);
  TG_CHECK(o.ns_steps < 100, ValueError, "Muon: ns_steps must be below 100, got ", o.ns_steps);
}
Names Muon::slot_names(size_t, const Tensor& p) const {
  TG_CHECK(p.dim() == 2, ShapeError, "Muon: only takes matrices", Named{"parameter", p});
  return {"momentum_buffer"};
}
// x with singular values near 1: X <- a X + (b A + c A²) X with A = X Xᵀ, wide matrices only, so tall ones are turned.
static Tensor orthogonal(const Tensor& momentum, const MuonOptions& o) {
  const bool tall = momentum.size(0) > momentum.size(1);
  Tensor x = to(tall ? momentum.t() : momentum, Dtype::BFloat16);
  x = x / clamp(norm(x), o.eps);
  for (int64_t k = 0; k < o.ns_steps; k++) {
    const Tensor gram = matmul(x, x.t());
    x = addmm(x, addmm(gram, gram, gram, o.b, o.c), x, o.a);
  }
  return tall ? x.t() : x;
}
void Muon::update(size_t group, const Batch& b) {
  const MuonOptions& o = options(group);
  Writes writes;
  for (size_t k = 0; k < b.params.size(); k++) {
    const Tensor &p = b.params[k], &grad = b.grads[k], buffer = lerp(b.slots[0][k], grad, 1 - o.momentum);
    const Tensor update = orthogonal(o.nesterov ? lerp(grad, buffer, o.momentum) : buffer, o);
    const double rows = double(p.size(0)), columns = double(p.size(1));
    const double ratio =
        o.match_rms_adamw ? 0.2 * std::sqrt(std::max(rows, columns)) : std::sqrt(std::max(1., rows / columns));
    writes.add(p, add(p * Tensor(1 - o.lr * o.weight_decay), to(update, p.dtype()), -o.lr * ratio));
    writes.add(b.slots[0][k], buffer);
  }
  writes.run();
}

}  // namespace tapegrad::optim
