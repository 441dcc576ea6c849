// L-BFGS, with a line search for the strong Wolfe conditions if wanted.
#include <algorithm>
#include <cmath>
#include <vector>

#include "tapegrad/optim_optimizer.h"

namespace tapegrad::optim {

struct LBFGS::History : Counted {
  std::vector<Tensor> changes, steps;  // of the gradient and of the parameters
  std::vector<double> ro;              // 1 / (change · step)
  double diagonal = 1;
  Tensor direction, gradient;  // of the last step
  double t = 0;
  int64_t iterations = 0;
  static void destroy(History* h) { delete h; }
};

namespace {

/// A place on the search line: x + t d, the loss there, its gradient and the gradient's part along d.
struct Point {
  double t, loss;
  Tensor grad;
  double slope;
};
struct Bounds {
  double low, high;
};

/// The minimum of the cubic through both points' losses and slopes, within the bounds.
double cubic_minimum(Point a, Point b, Bounds within) {
  if (a.t > b.t) std::swap(a, b);
  const double s = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t), square = s * s - a.slope * b.slope;
  if (!(square >= 0)) return (within.low + within.high) / 2;
  const double root = std::pow(square, 0.5), bottom = b.slope - a.slope + 2 * root;
  if (bottom == 0) return (within.low + within.high) / 2;
  return std::min(std::max(b.t - (b.t - a.t) * (b.slope + root - s) / bottom, within.low), within.high);
}

/// A step that lowers the loss enough and leaves a small slope (Nocedal & Wright 2006, algorithms 3.5 and 3.6), and how many
/// evaluations it took. `reach` is the largest element of the direction.
template <class Evaluate> std::pair<Point, int64_t> strong_wolfe(Evaluate evaluate, const Point& start, double first_t,
                                                                 double reach, double tolerance, int64_t max_evals) {
  const auto too_high = [&](const Point& p) { return p.loss > start.loss + 1e-4 * p.t * start.slope; };
  const auto flat = [&](const Point& p) { return std::abs(p.slope) <= -0.9 * start.slope; };

  // Steps out until a minimum is bracketed.
  Point before = start, now = evaluate(first_t);
  int64_t rounds = 0;
  bool bracketed = false;
  while (rounds < max_evals) {
    if (too_high(now) || (rounds > 1 && now.loss >= before.loss)) {
      bracketed = true;
      break;
    }
    if (flat(now)) return {now, rounds + 1};
    if (now.slope >= 0) {
      bracketed = true;
      break;
    }
    const double t = cubic_minimum(before, now, {now.t + 0.01 * (now.t - before.t), now.t * 10});
    before = now, now = evaluate(t);
    rounds++;
  }
  int64_t evals = rounds + 1;
  Point bracket[2] = {bracketed ? before : start, now};

  // Narrows the bracket. `stuck`: the last trial was close to an end.
  const auto lower = [&] { return bracket[0].loss <= bracket[1].loss ? 0 : 1; };
  int low = lower();
  bool stuck = false;
  while (rounds < max_evals) {
    const Bounds ends = {std::min(bracket[0].t, bracket[1].t), std::max(bracket[0].t, bracket[1].t)};
    if ((ends.high - ends.low) * reach < tolerance) break;
    double t = cubic_minimum(bracket[0], bracket[1], ends);
    const double margin = 0.1 * (ends.high - ends.low);
    if (std::min(ends.high - t, t - ends.low) < margin) {
      if (stuck || t >= ends.high || t <= ends.low) {
        t = std::abs(t - ends.high) < std::abs(t - ends.low) ? ends.high - margin : ends.low + margin;
        stuck = false;
      } else {
        stuck = true;
      }
    } else {
      stuck = false;
    }
    now = evaluate(t);
    rounds++, evals++;
    if (too_high(now) || now.loss >= bracket[low].loss) {
      bracket[1 - low] = now;
      low = lower();
      continue;
    }
    const bool done = flat(now);
    if (!done && now.slope * (bracket[1 - low].t - bracket[low].t) >= 0) bracket[1 - low] = bracket[low];
    bracket[low] = now;
    if (done) break;
  }
  return {bracket[low], evals};
}

double number(const Tensor& t) { return t.item<double>(); }

/// All gradients as one vector, zeros where there is none.
Tensor gradient_of(const std::vector<Tensor>& params) {
  std::vector<Tensor> parts;
  for (const Tensor& p : params) parts.push_back(reshape(p.grad().defined() ? p.grad() : zeros_like(p), {-1}));
  return cat(parts);
}
void move(const std::vector<Tensor>& params, double t, const Tensor& direction) {
  int64_t at = 0;
  for (const Tensor& p : params) {
    add_(p, narrow(direction, 0, at, p.numel()).view(p.sizes()), t);
    at += p.numel();
  }
}

/// One step of several iterations; gives the first loss.
template <class History, class Evaluate>
Tensor minimise(const LBFGSOptions& o, const std::vector<Tensor>& all, History& h, Evaluate evaluate) {
  const int64_t max_eval = o.max_eval.value_or(o.max_iter * 5 / 4);
  const Tensor first_loss = evaluate();
  double loss = number(first_loss);
  int64_t evals = 1;
  Tensor grad = gradient_of(all);
  const auto converged = [&] { return number(max(abs(grad))) <= o.tolerance_grad; };
  if (converged()) return first_loss;
  for (int64_t iteration = 1; iteration <= o.max_iter; iteration++) {
    const bool first = h.iterations++ == 0;
    Tensor d = -grad;
    if (!first) {  // minus the approximate inverse Hessian times the gradient, by the two loops; the last step is taken in first
      const Tensor change = grad - h.gradient, step = h.direction * h.t;
      const double curvature = number(dot(change, step));
      if (curvature > 1e-10) {
        if (int64_t(h.changes.size()) == o.history_size)
          h.changes.erase(h.changes.begin()), h.steps.erase(h.steps.begin()), h.ro.erase(h.ro.begin());
        h.changes.push_back(change), h.steps.push_back(step), h.ro.push_back(1 / curvature);
        h.diagonal = curvature / number(dot(change, change));
      }
      std::vector<double> weights(h.changes.size());
      for (size_t i = weights.size(); i-- > 0;) {
        weights[i] = number(dot(h.steps[i], d)) * h.ro[i];
        add_(d, h.changes[i], -weights[i]);
      }
      mul_(d, Tensor(h.diagonal));
      for (size_t i = 0; i < weights.size(); i++)
        add_(d, h.steps[i], weights[i] - number(dot(h.changes[i], d)) * h.ro[i]);
    }
    h.direction = d, h.gradient = grad.clone();
    double t = first ? std::min(1., 1 / number(sum(abs(grad)))) * o.lr : o.lr;
    const double slope = number(dot(grad, d)), before = loss;
    h.t = t;
    if (slope > -o.tolerance_change) break;
    int64_t count = 0;
    if (o.strong_wolfe) {
      std::vector<Tensor> start;
      for (const Tensor& p : all) start.push_back(p.clone());
      const auto at = [&](double step) {
        move(all, step, d);
        const double value = number(evaluate());
        const Tensor g = gradient_of(all);
        for (size_t k = 0; k < all.size(); k++) copy_(all[k], start[k]);
        return Point{step, value, g, number(dot(g, d))};
      };
      const auto [found, needed] =
          strong_wolfe(at, {0, loss, grad, slope}, t, number(max(abs(d))), o.tolerance_change, max_eval - evals);
      move(all, found.t, d);
      loss = found.loss, grad = found.grad, t = h.t = found.t, count = needed;
    } else {
      move(all, t, d);
      if (iteration != o.max_iter) loss = number(evaluate()), grad = gradient_of(all), count = 1;
    }
    evals += count;
    if (evals >= max_eval || converged()) break;
    if (number(max(abs(d))) * std::abs(t) <= o.tolerance_change || std::abs(loss - before) < o.tolerance_change) break;
  }
  return first_loss;
}

}  // namespace

LBFGS::LBFGS(std::vector<Tensor> params, LBFGSOptions o) : history_(Ref<History>::steal(new History)) {
  add_param_group(std::move(params), o);
}
LBFGS::~LBFGS() = default;
void LBFGS::check(const LBFGSOptions& o) const {
  TG_CHECK(o.lr >= 0, ValueError, "LBFGS: lr must not be negative, got ", o.lr);
  TG_CHECK(o.history_size > 0, ValueError, "LBFGS: history_size must be positive, got ", o.history_size);
  TG_CHECK(group_count() == 0, ValueError, "LBFGS: takes one group of parameters");
}
std::vector<std::string> LBFGS::slot_names(size_t, const Tensor&) const { return {}; }
void LBFGS::update(size_t, const Batch&) {
  TG_CHECK(false, ValueError, "LBFGS: step needs a closure that computes the loss and its gradients");
}

Tensor LBFGS::step_with(Closure closure) {
  NoGrad no_grad;
  std::vector<Tensor> before;
  for (const Tensor& p : params()) before.push_back(p.clone());
  History kept = *history_;
  try {
    return minimise(options(), params(), *history_, [&] {
      EnableGrad grad;
      return closure.call(closure.self);
    });
  } catch (...) {  // as if it had not been called
    for (size_t k = 0; k < before.size(); k++) copy_(params()[k], before[k]);
    *history_ = std::move(kept);
    throw;
  }
}

}  // namespace tapegrad::optim
