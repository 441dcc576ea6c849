// One element's step of each optimiser, for the CPU's loops and CUDA's kernels: p is the parameter, g its gradient, a, b and c the states
// that the method uses (bits of `states`: 1, 2 and 4; the others are not read). C is float or double. The same bits everywhere as long as
// nothing is fused (-ffp-contract=off, nvcc's -fmad=false).
#pragma once
#include "src/ops/cpu/optim.h"
#include "src/ops/cpu/scalar.h"

namespace tapegrad { inline namespace TG_NS {

/// The gradient, or its negative when maximizing, plus weight decay: what every method starts from.
template <class C> struct OptimGradient {
  C sign, decay;
  OptimGradient(bool maximize, double weight_decay) : sign(C(maximize ? -1 : 1)), decay(C(weight_decay)) {}
  TG_HD C operator()(C g, C p) const { return g * sign + decay * p; }
};

enum class SgdBuffer { None, First, Later };  // First: it starts as the gradient itself
template <class C, SgdBuffer buffer> struct SgdFormula {
  static constexpr int states = buffer == SgdBuffer::None ? 0 : 1;
  OptimGradient<C> gradient;
  C step, mu, keep;
  bool nesterov;
  explicit SgdFormula(const SgdStep& s)
      : gradient(s.maximize, s.weight_decay), step(C(-s.lr)), mu(C(s.momentum)), keep(C(1 - s.dampening)), nesterov(s.nesterov) {}
  TG_HD void operator()(C& p, C g, C& a, C&, C&) const {
    const C d = gradient(g, p);
    if constexpr (buffer == SgdBuffer::None) {
      p = p + step * d;
    } else {
      a = buffer == SgdBuffer::First ? d : mu * a + keep * d;
      p = p + step * (nesterov ? d + mu * a : a);
    }
  }
};

template <class C, bool amsgrad> struct AdamFormula {
  static constexpr int states = amsgrad ? 7 : 3;
  OptimGradient<C> gradient;
  C shrink, w1, b2, w2, size, scale, e;
  explicit AdamFormula(const AdamStep& s)
      : gradient(s.maximize, s.decoupled ? 0 : s.weight_decay), shrink(C(s.decoupled ? 1 - s.lr * s.weight_decay : 1)), w1(C(1 - s.beta1)),
        b2(C(s.beta2)), w2(C(1 - s.beta2)), size(C(-s.lr / s.correction1)), scale(C(1 / s.correction2)), e(C(s.eps)) {}
  TG_HD void operator()(C& p, C g, C& m, C& v, C& most) const {
    const C d = gradient(g, p);
    m = m + w1 * (d - m);
    v = v * b2 + w2 * d * d;
    if constexpr (amsgrad) most = most < v ? v : most;
    p = p * shrink + size * (m / (sqrt(amsgrad ? most : v) * scale + e));
  }
};

template <class C, bool centred, bool momentum> struct RmspropFormula {
  static constexpr int states = 1 | (centred ? 2 : 0) | (momentum ? 4 : 0);
  OptimGradient<C> gradient;
  C keep, w, e, step, mu;
  explicit RmspropFormula(const RmspropStep& o)
      : gradient(o.maximize, o.weight_decay), keep(C(o.alpha)), w(C(1 - o.alpha)), e(C(o.eps)), step(C(-o.lr)), mu(C(o.momentum)) {}
  TG_HD void operator()(C& p, C g, C& square, C& mean, C& buffer) const {
    const C d = gradient(g, p);
    square = square * keep + w * d * d;
    C around = square;
    if constexpr (centred) {
      mean = mean + w * (d - mean);
      around = square - mean * mean;
    }
    C move = d / (sqrt(around) + e);
    if constexpr (momentum) move = buffer = mu * buffer + move;
    p = p + step * move;
  }
};

template <class C> struct AdagradFormula {
  static constexpr int states = 1;
  OptimGradient<C> gradient;
  C step, e;
  explicit AdagradFormula(const AdagradStep& o) : gradient(o.maximize, o.weight_decay), step(C(-o.lr)), e(C(o.eps)) {}
  TG_HD void operator()(C& p, C g, C& sum, C&, C&) const {
    const C d = gradient(g, p);
    sum = sum + d * d;
    p = p + step * (d / (sqrt(sum) + e));
  }
};

template <class C> struct AdadeltaFormula {
  static constexpr int states = 3;
  OptimGradient<C> gradient;
  C step, e, r, w;
  explicit AdadeltaFormula(const AdadeltaStep& o)
      : gradient(o.maximize, o.weight_decay), step(C(-o.lr)), e(C(o.eps)), r(C(o.rho)), w(C(1 - o.rho)) {}
  TG_HD void operator()(C& p, C g, C& square, C& steps, C&) const {
    const C d = gradient(g, p);
    square = square * r + w * d * d;
    const C delta = sqrt(steps + e) / sqrt(square + e) * d;
    steps = steps * r + w * delta * delta;
    p = p + step * delta;
  }
};

template <class C> struct AdamaxFormula {
  static constexpr int states = 3;
  OptimGradient<C> gradient;
  C w1, b2, e, move;
  explicit AdamaxFormula(const AdamaxStep& o)
      : gradient(o.maximize, o.weight_decay), w1(C(1 - o.beta1)), b2(C(o.beta2)), e(C(o.eps)), move(C(-o.size)) {}
  TG_HD void operator()(C& p, C g, C& m, C& most, C&) const {
    const C d = gradient(g, p);
    m = m + w1 * (d - m);
    const C decayed = most * b2, now = abs(d) + e;
    most = decayed < now ? now : decayed;
    p = p + move * (m / most);
  }
};

template <class C> struct NadamFormula {
  static constexpr int states = 3;
  OptimGradient<C> gradient;
  C shrink, w1, b2, w2, scale, e, from_grad, from_mean;
  explicit NadamFormula(const NadamStep& o)
      : gradient(o.maximize, o.decoupled ? 0 : o.weight_decay), shrink(C(o.decoupled ? 1 - o.lr * o.weight_decay : 1)), w1(C(1 - o.beta1)),
        b2(C(o.beta2)), w2(C(1 - o.beta2)), scale(C(1 / o.correction2)), e(C(o.eps)), from_grad(C(o.from_grad)), from_mean(C(o.from_mean)) {}
  TG_HD void operator()(C& p, C g, C& m, C& v, C&) const {
    const C d = gradient(g, p);
    m = m + w1 * (d - m);
    v = v * b2 + w2 * d * d;
    const C under = sqrt(v * scale) + e;
    p = p * shrink + from_grad * (d / under) + from_mean * (m / under);
  }
};

template <class C> struct RadamFormula {
  static constexpr int states = 3;
  OptimGradient<C> gradient;
  C shrink, w1, b2, w2, move, e;
  bool adapt;
  explicit RadamFormula(const RadamStep& o)
      : gradient(o.maximize, o.decoupled ? 0 : o.weight_decay), shrink(C(o.decoupled ? 1 - o.lr * o.weight_decay : 1)), w1(C(1 - o.beta1)),
        b2(C(o.beta2)), w2(C(1 - o.beta2)), move(C(o.move)), e(C(o.eps)), adapt(o.adapt) {}
  TG_HD void operator()(C& p, C g, C& m, C& v, C&) const {
    const C d = gradient(g, p);
    m = m + w1 * (d - m);
    v = v * b2 + w2 * d * d;
    p = p * shrink + move * (adapt ? m / (sqrt(v) + e) : m);
  }
};

/// Calls f(formula): the variant for these numbers and for which states there are (bits as in `states`).
template <class C, class F> void sgd_formula(const SgdStep& s, int states, F f) {
  if (!(states & 1)) f(SgdFormula<C, SgdBuffer::None>(s));
  else if (s.first) f(SgdFormula<C, SgdBuffer::First>(s));
  else f(SgdFormula<C, SgdBuffer::Later>(s));
}
template <class C, class F> void adam_formula(const AdamStep& s, int states, F f) {
  if (states & 4) f(AdamFormula<C, true>(s)); else f(AdamFormula<C, false>(s));
}
template <class C, class F> void rmsprop_formula(const RmspropStep& s, int states, F f) {
  switch (states & 6) {
    case 0: return f(RmspropFormula<C, false, false>(s));
    case 2: return f(RmspropFormula<C, true, false>(s));
    case 4: return f(RmspropFormula<C, false, true>(s));
    default: return f(RmspropFormula<C, true, true>(s));
  }
}

}}  // namespace tapegrad
