// Losses element by element, then averaged or summed. Those whose gradient is simpler than the ops they are made of, or must be
// safe at the edges, have a node of their own, written in ops, so that it can be differentiated again.
#include <cmath>

#include "src/ops/loss.h"
#include "src/ops/op_info.h"
#include "src/ops/reduce.h"

namespace tapegrad {

static void floating(const Tensor& x) { TG_CHECK(is_floating(x.dtype()), DtypeError, "input must be of a floating dtype, got ", x.dtype(), Named{"input", x}); }
static void same_size(const Tensor& input, const Tensor& target) {
  TG_CHECK(input.sizes() == target.sizes(), ShapeError, "target must have the input's size", Named{"input", input}, Named{"target", target});
}

// ---- mse_loss
struct MseLossBackward final : NodeOf<2> {
  SavedTensor a, b;
  double scale;
  MseLossBackward(const Tensor& x, const Tensor& y, double s) : NodeOf(x, y), a(x), b(y), scale(s) {}
  const char* name() const override { return "MseLossBackward0"; }
  void free_saved() override { a.reset(), b.reset(); }
  void backward(Tensor g, Tensor* dx) override {
    const Tensor d = (a.unpack(*this) - b.unpack(*this)) * (g * Tensor(scale));
    if (needs(0)) dx[0] = d;
    if (needs(1)) dx[1] = neg(d);
  }
};
Tensor mse_loss(const Tensor& input, const Tensor& target, std::string_view reduction) {
  OpScope op("mse_loss");
  const Reduction how = reduction_of(reduction);
  floating(input);
  if (how == Reduction::None || input.sizes() != target.sizes() || input.dtype() != target.dtype())
    return reduce_loss(square(input - target), how);
  Tensor out;
  const double n = how == Reduction::Mean ? double(input.numel()) : 1;
  {
    NoGrad off;
    const Tensor d = input - target;
    out = fold(kSumSquares, d, reduced_dims(d, {}), false, d.dtype(), {.divide = n});
  }
  if (recording(input, target)) record<MseLossBackward>(out, input, target, 2 / n);
  return out;
}

// ---- absolute differences
Tensor l1_loss(const Tensor& input, const Tensor& target, std::string_view reduction) {
  OpScope op("l1_loss");
  const Reduction how = reduction_of(reduction);
  return reduce_loss(abs(input - target), how);
}
// h(d) = d² / 2 near zero, then a line of slope `delta`: huber_loss; smooth_l1_loss is that divided by beta.
static Tensor huber(const Tensor& input, const Tensor& target, double delta) {
  const Tensor d = input - target, a = abs(d);
  return where(a < Tensor(delta), square(d) * Tensor(0.5), (a - Tensor(0.5 * delta)) * Tensor(delta));
}
Tensor smooth_l1_loss(const Tensor& input, const Tensor& target, std::string_view reduction, double beta) {
  OpScope op("smooth_l1_loss");
  const Reduction how = reduction_of(reduction);
  floating(input);
  TG_CHECK(beta >= 0, ValueError, "beta must not be negative, got ", beta);
  return beta == 0 ? l1_loss(input, target, reduction) : reduce_loss(huber(input, target, beta) / Tensor(beta), how);
}
Tensor huber_loss(const Tensor& input, const Tensor& target, std::string_view reduction, double delta) {
  OpScope op("huber_loss");
  const Reduction how = reduction_of(reduction);
  floating(input);
  TG_CHECK(delta > 0, ValueError, "delta must be positive, got ", delta);
  return reduce_loss(huber(input, target, delta), how);
}

// ---- binary_cross_entropy: the logarithms are cut at -100 and the gradient's denominator at 1e-12
struct BceBackward final : NodeOf<2> {
  SavedTensor x, t;
  BceBackward(const Tensor& a, const Tensor& b) : NodeOf(a, b), x(a), t(b) {}
  const char* name() const override { return "BinaryCrossEntropyBackward0"; }
  void free_saved() override { x.reset(), t.reset(); }
  void backward(Tensor g, Tensor* dx) override {
    const Tensor in = x.unpack(*this), target = t.unpack(*this);
    if (needs(0)) dx[0] = g * (in - target) / clamp_min(in * (Tensor(1.0) - in), Scalar(1e-12));
    if (needs(1)) dx[1] = g * (clamp_min(log1p(neg(in)), Scalar(-100.0)) - clamp_min(log(in), Scalar(-100.0)));
  }
};
Tensor binary_cross_entropy(const Tensor& input, const Tensor& target, const Tensor& weight, std::string_view reduction) {
  OpScope op("binary_cross_entropy");
  const Reduction how = reduction_of(reduction);
  same_size(input, target);
  Tensor each;
  {
    NoGrad off;
    TG_CHECK(all(logical_and(input >= Tensor(0.0), input <= Tensor(1.0))).item<bool>(), ValueError, "all elements of input must be between 0 and 1", Named{"input", input});
    const Tensor yes = clamp_min(log(input), Scalar(-100.0)), no = clamp_min(log1p(neg(input)), Scalar(-100.0));
    each = (target - Tensor(1.0)) * no - target * yes;
  }
  if (recording(input, target)) record<BceBackward>(each, input, target);
  return reduce_loss(weight.defined() ? each * weight : each, how);
}

// ---- with logits: (1 - t) x - (1 + (w - 1) t) log sigmoid(x), w = pos_weight
struct BceLogitsBackward final : NodeOf<2> {
  SavedTensor x, t, w;
  BceLogitsBackward(const Tensor& a, const Tensor& b, const Tensor& p) : NodeOf(a, b), x(a), t(b), w(p) {}
  const char* name() const override { return "BinaryCrossEntropyWithLogitsBackward0"; }
  void free_saved() override { x.reset(), t.reset(), w.reset(); }
  void backward(Tensor g, Tensor* dx) override {
    const Tensor in = x.unpack(*this), target = t.unpack(*this), pos = w.unpack(*this);
    if (!pos.defined()) {
      if (needs(0)) dx[0] = (sigmoid(in) - target) * g;
      if (needs(1)) dx[1] = neg(in) * g;
      return;
    }
    const Tensor wt = pos * target;
    if (needs(0)) dx[0] = (sigmoid(in) * (wt + Tensor(1.0) - target) - wt) * g;
    if (needs(1)) dx[1] = (neg(in) - (pos - Tensor(1.0)) * logsigmoid(in)) * g;
  }
};
Tensor binary_cross_entropy_with_logits(const Tensor& input, const Tensor& target, const Tensor& weight, const Tensor& pos_weight, std::string_view reduction) {
  OpScope op("binary_cross_entropy_with_logits");
  const Reduction how = reduction_of(reduction);
  same_size(input, target);
  Tensor each;
  {
    NoGrad off;
    const Tensor one(1.0), yes = logsigmoid(input);
    each = (one - target) * input - (pos_weight.defined() ? yes * ((pos_weight - one) * target + one) : yes);
  }
  TG_CHECK(each.sizes() == input.sizes(), ShapeError, "pos_weight must broadcast to the input's size", Named{"input", input}, Named{"pos_weight", pos_weight});
  if (recording(input, target)) record<BceLogitsBackward>(each, input, target, pos_weight);
  return reduce_loss(weight.defined() ? each * weight : each, how);
}

// ---- kl_div: input are log-probabilities
Tensor kl_div(const Tensor& input, const Tensor& target, std::string_view reduction, bool log_target) {
  OpScope op("kl_div");
  const Reduction how = reduction == "batchmean" ? Reduction::Sum : reduction_of(reduction);
  floating(input);
  const Tensor each = log_target ? exp(target) * (target - input) : xlogy(target, target) - target * input;
  const Tensor out = reduce_loss(each, how);
  return reduction == "batchmean" && input.dim() ? out / Tensor(double(input.size(0))) : out;
}

// ---- composites
Tensor soft_margin_loss(const Tensor& input, const Tensor& target, std::string_view reduction) {
  OpScope op("soft_margin_loss");
  floating(input);
  const Tensor each = neg(logsigmoid(input * target));
  TG_CHECK(each.sizes() == input.sizes(), ShapeError, "target must broadcast to the input's size", Named{"input", input}, Named{"target", target});
  return reduce_loss(each, reduction_of(reduction));
}
Tensor multilabel_soft_margin_loss(const Tensor& input, const Tensor& target, const Tensor& weight, std::string_view reduction) {
  OpScope op("multilabel_soft_margin_loss");
  const Reduction how = reduction_of(reduction);
  TG_CHECK(input.dim() >= 1, ShapeError, "input must have a dimension of classes", Named{"input", input});
  const Tensor yes = target * logsigmoid(input), no = (Tensor(1.0) - target) * logsigmoid(neg(input)), each = neg(yes + no);
  return reduce_loss(mean(weight.defined() ? each * weight : each, -1), how);
}
Tensor poisson_nll_loss(const Tensor& input, const Tensor& target, bool log_input, bool full, double eps, std::string_view reduction) {
  OpScope op("poisson_nll_loss");
  const Reduction how = reduction_of(reduction);
  Tensor each = log_input ? exp(input) - target * input : input - target * log(input + Tensor(eps));
  if (full) {
    const Tensor t = where(target > Tensor(1.0), target, Tensor(1.0));
    each = each + where(target > Tensor(1.0), t * log(t) - t + log(t * Tensor(6.283185307179586)) * Tensor(0.5), Tensor(0.0));
  }
  return reduce_loss(each, how);
}
Tensor gaussian_nll_loss(const Tensor& input, const Tensor& target, const Tensor& var, bool full, double eps, std::string_view reduction) {
  OpScope op("gaussian_nll_loss");
  const Reduction how = reduction_of(reduction);
  floating(input);
  Tensor v = var;
  if (input.sizes() != var.sizes() && input.dim() == var.dim() + 1) v = unsqueeze(var, -1);  // one variance a row
  TG_CHECK(v.dim() == input.dim(), ShapeError, "var must have the input's size, or lack or have 1 in the last dimension", Named{"input", input}, Named{"var", var});
  Tensor safe;
  {
    NoGrad off;
    TG_CHECK(!any(v < Tensor(0.0)).item<bool>(), ValueError, "var must not be negative", Named{"var", var});
    safe = clamp_min(v, Scalar(eps)) - v;
  }
  v = v + safe;  // the cut is not differentiated
  Tensor each = (log(v) + square(input - target) / v) * Tensor(0.5);
  if (full) each = each + Tensor(0.9189385332046727);
  return reduce_loss(each, how);
}
Tensor hinge_embedding_loss(const Tensor& input, const Tensor& target, double margin, std::string_view reduction) {
  OpScope op("hinge_embedding_loss");
  const Reduction how = reduction_of(reduction);
  floating(input);
  const Tensor zero(0.0), apart = where(target == Tensor(1.0), zero, clamp_min(Tensor(margin) - input, Scalar(0.0)));
  return reduce_loss(apart + where(target == Tensor(-1.0), zero, input), how);
}
Tensor margin_ranking_loss(const Tensor& input1, const Tensor& input2, const Tensor& target, double margin, std::string_view reduction) {
  OpScope op("margin_ranking_loss");
  TG_CHECK(input1.dim() == input2.dim() && input1.dim() == target.dim(), ShapeError, "input1, input2 and target must have as many dimensions", Named{"input1", input1}, Named{"input2", input2}, Named{"target", target});
  return reduce_loss(clamp_min(neg(target) * (input1 - input2) + Tensor(margin), Scalar(0.0)), reduction_of(reduction));
}
Tensor pairwise_distance(const Tensor& x1, const Tensor& x2, double p, double eps, bool keepdim) {
  OpScope op("pairwise_distance");
  return norm(x1 - x2 + Tensor(eps), p, -1, keepdim);
}
Tensor cosine_similarity(const Tensor& x1, const Tensor& x2, int64_t dim, double eps) {
  OpScope op("cosine_similarity");
  TG_CHECK(!is_complex(x1.dtype()) && !is_complex(x2.dtype()), DtypeError, "not implemented for complex numbers", Named{"x1", x1}, Named{"x2", x2});
  const std::vector<Tensor> both = broadcast_tensors({x1, x2});
  auto unit = [&](const Tensor& x) {
    const Tensor n = norm(x, 2, dim, true);
    return x / where(n < Tensor(eps), Tensor(eps), n);
  };
  return sum(unit(both[0]) * unit(both[1]), dim);
}
Tensor cosine_embedding_loss(const Tensor& input1, const Tensor& input2, const Tensor& target, double margin, std::string_view reduction) {
  OpScope op("cosine_embedding_loss");
  const Reduction how = reduction_of(reduction);
  TG_CHECK(target.dim() <= 1 && input1.dim() == target.dim() + 1 && input2.dim() == target.dim() + 1, ShapeError, "input1 and input2 must be (N, D) with target (N), or (D) with a 0-d target", Named{"input1", input1}, Named{"input2", input2}, Named{"target", target});
  const Tensor dot = sum(input1 * input2, -1), tiny(1e-12);
  const Tensor cosine = dot / sqrt((sum(square(input1), -1) + tiny) * (sum(square(input2), -1) + tiny)), zero(0.0);
  const Tensor same = where(target == Tensor(1.0), Tensor(1.0) - cosine, zero);
  return reduce_loss(same + where(target == Tensor(-1.0), clamp_min(cosine - Tensor(margin), Scalar(0.0)), zero), how);
}
Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative, double margin, double p, double eps, bool swap, std::string_view reduction) {
  OpScope op("triplet_margin_loss");
  const Reduction how = reduction_of(reduction);
  TG_CHECK(anchor.dim() == positive.dim() && anchor.dim() == negative.dim(), ShapeError, "anchor, positive and negative must have as many dimensions", Named{"anchor", anchor}, Named{"positive", positive}, Named{"negative", negative});
  const Tensor near = pairwise_distance(anchor, positive, p, eps, false);
  Tensor far = pairwise_distance(anchor, negative, p, eps, false);
  if (swap) far = minimum(far, pairwise_distance(positive, negative, p, eps, false));
  return reduce_loss(clamp_min(near - far + Tensor(margin), Scalar(0.0)), how);
}

void loss_elementwise_ops(OpTable& t) {
  t.add("mse_loss(Tensor input, Tensor target, str reduction='mean')", &mse_loss, "(input - target)^2.")
      .functional_only().samples({"T(2, 3), T(2, 3)", "T(2, 3), T(2, 3), reduction='sum'", "T(2, 3), T(2, 3), reduction='none'", "T(), T()"});
  t.add("l1_loss(Tensor input, Tensor target, str reduction='mean')", &l1_loss, "|input - target|.")
      .functional_only().complex().samples({"T(2, 3), T(2, 3)", "T(2, 3), T(2, 3), reduction='sum'", "T(2, 3), T(2, 3), reduction='none'"});
  t.add("smooth_l1_loss(Tensor input, Tensor target, str reduction='mean', float beta=1.0)", &smooth_l1_loss, "d^2 / (2 beta) where d = |input - target| is below beta, else d - beta / 2.")
      .functional_only().samples({"T(2, 3), T(2, 3)", "T(2, 3), T(2, 3), reduction='sum', beta=0.5", "T(2, 3), T(2, 3), reduction='none'", "T(2, 3), T(2, 3), beta=0.0"});
  t.add("huber_loss(Tensor input, Tensor target, str reduction='mean', float delta=1.0)", &huber_loss, "d^2 / 2 where d = |input - target| is below delta, else delta (d - delta / 2).")
      .functional_only().samples({"T(2, 3), T(2, 3)", "T(2, 3), T(2, 3), reduction='sum', delta=0.5", "T(2, 3), T(2, 3), reduction='none'"});
  t.add("binary_cross_entropy(Tensor input, Tensor target, Tensor? weight=None, str reduction='mean')", &binary_cross_entropy,
        "-(target log input + (1 - target) log(1 - input)) for probabilities; the logarithms are cut at -100.")
      .functional_only().samples({"T(2, 3, lo=0.1, hi=0.9), T(2, 3, lo=0.1, hi=0.9)", "T(2, 3, lo=0.1, hi=0.9), T(2, 3, lo=0.1, hi=0.9), C([0.5, 1., 2.])", "T(2, 3, lo=0.1, hi=0.9), T(2, 3, lo=0.1, hi=0.9), reduction='none'"});
  t.add("binary_cross_entropy_with_logits(Tensor input, Tensor target, Tensor? weight=None, Tensor? pos_weight=None, str reduction='mean')", &binary_cross_entropy_with_logits,
        "binary_cross_entropy of sigmoid(input), without overflow; pos_weight multiplies the first term.")
      .functional_only().samples({"T(2, 3), T(2, 3, lo=0.1, hi=0.9)", "T(2, 3), T(2, 3, lo=0.1, hi=0.9), C([0.5, 1., 2.])", "T(2, 3), T(2, 3, lo=0.1, hi=0.9), pos_weight=C([0.5, 1., 2.])", "T(2, 3), T(2, 3, lo=0.1, hi=0.9), reduction='sum'"});
  t.add("kl_div(Tensor input, Tensor target, str reduction='mean', bool log_target=False)", &kl_div,
        "target (log target - input) for log-probabilities input; 'batchmean' divides the sum by the batch.")
      .functional_only().samples({"T(2, 3), P(2, 3), reduction='sum'", "T(2, 3), P(2, 3), reduction='batchmean'", "T(2, 3), P(2, 3), reduction='none'", "T(2, 3), T(2, 3), reduction='sum', log_target=True"});
  t.add("soft_margin_loss(Tensor input, Tensor target, str reduction='mean')", &soft_margin_loss, "log(1 + exp(-target input)) for targets 1 and -1.")
      .functional_only().samples({"T(3), C([1., -1., 1.])"});
  t.add("multilabel_soft_margin_loss(Tensor input, Tensor target, Tensor? weight=None, str reduction='mean')", &multilabel_soft_margin_loss,
        "binary_cross_entropy_with_logits averaged over the classes.").functional_only().samples({"T(2, 3), C([[1., 0., 1.], [0., 0., 1.]])"});
  t.add("poisson_nll_loss(Tensor input, Tensor target, bool log_input=True, bool full=False, float eps=1e-08, str reduction='mean')", &poisson_nll_loss,
        "exp(input) - target input; full adds Stirling's terms.").functional_only().complex().samples({"T(2, 3), P(2, 3)", "P(2, 3), P(2, 3), False"});
  t.add("gaussian_nll_loss(Tensor input, Tensor target, Tensor var, bool full=False, float eps=1e-06, str reduction='mean')", &gaussian_nll_loss,
        "(log var + (input - target)^2 / var) / 2, var cut at eps.").functional_only().samples({"T(2, 3), T(2, 3), P(2, 3)", "T(2, 3), T(2, 3), P(2, 1), True"});
  t.add("hinge_embedding_loss(Tensor input, Tensor target, float margin=1.0, str reduction='mean')", &hinge_embedding_loss,
        "input where target is 1, max(0, margin - input) where it is -1.").functional_only().samples({"T(3), C([1., -1., 1.])"});
  t.add("margin_ranking_loss(Tensor input1, Tensor input2, Tensor target, float margin=0.0, str reduction='mean')", &margin_ranking_loss,
        "max(0, margin - target (input1 - input2)).").functional_only().samples({"T(3), T(3), C([1., -1., 1.]), 0.5"});
  t.add("pairwise_distance(Tensor x1, Tensor x2, float p=2.0, float eps=1e-06, bool keepdim=False)", &pairwise_distance,
        "norm(x1 - x2 + eps, p) along the last dimension.").functional().complex().samples({"T(2, 3), T(2, 3)", "T(2, 3), T(2, 3), 1.0, keepdim=True"});
  t.add("cosine_similarity(Tensor x1, Tensor x2, int dim=1, float eps=1e-08)", &cosine_similarity,
        "x1 · x2 / (max(|x1|, eps) max(|x2|, eps)) along dim.").functional().samples({"T(2, 3), T(2, 3)", "T(2, 3), T(3), dim=-1"});
  t.add("cosine_embedding_loss(Tensor input1, Tensor input2, Tensor target, float margin=0.0, str reduction='mean')", &cosine_embedding_loss,
        "1 - cosine where target is 1, max(0, cosine - margin) where it is -1.").functional_only().samples({"T(3, 4), T(3, 4), C([1., -1., 1.])"});
  t.add("triplet_margin_loss(Tensor anchor, Tensor positive, Tensor negative, float margin=1.0, float p=2.0, float eps=1e-06, bool swap=False, str reduction='mean')", &triplet_margin_loss,
        "max(0, |anchor - positive| - |anchor - negative| + margin).").functional_only().complex().samples({"T(3, 4), T(3, 4), T(3, 4)", "T(3, 4), T(3, 4), T(3, 4), swap=True"});
}

}  // namespace tapegrad
