// Losses as modules.
#include <algorithm>

#include "src/nn/layer.h"
#include "tapegrad/nn_init.h"
#include "tapegrad/nn_loss.h"
#include "tapegrad/ops_more.h"

namespace tapegrad::nn {

// ---- with a reduction only

L1Loss::L1Loss(std::string r) : reduction(std::move(r)) {}
Tensor L1Loss::forward(const Tensor& input, const Tensor& target) const { return l1_loss(input, target, reduction); }
MSELoss::MSELoss(std::string r) : reduction(std::move(r)) {}
Tensor MSELoss::forward(const Tensor& input, const Tensor& target) const { return mse_loss(input, target, reduction); }
SoftMarginLoss::SoftMarginLoss(std::string r) : reduction(std::move(r)) {}
Tensor SoftMarginLoss::forward(const Tensor& input, const Tensor& target) const {
  return soft_margin_loss(input, target, reduction);
}
MultiLabelMarginLoss::MultiLabelMarginLoss(std::string r) : reduction(std::move(r)) {}
Tensor MultiLabelMarginLoss::forward(const Tensor& input, const Tensor& target) const {
  return functional::multilabel_margin_loss(input, target, reduction);
}

// ---- with weights

CrossEntropyLoss::CrossEntropyLoss(CrossEntropyLossOptions o) : options(std::move(o)) {
  register_buffer("weight", options.weight);
}
Tensor CrossEntropyLoss::forward(const Tensor& input, const Tensor& target) const {
  return cross_entropy(input, target, options.weight, options.ignore_index, options.reduction, options.label_smoothing);
}
NLLLoss::NLLLoss(NLLLossOptions o) : options(std::move(o)) { register_buffer("weight", options.weight); }
Tensor NLLLoss::forward(const Tensor& input, const Tensor& target) const {
  return nll_loss(input, target, options.weight, options.ignore_index, options.reduction);
}
BCELoss::BCELoss(BCELossOptions o) : options(std::move(o)) { register_buffer("weight", options.weight); }
Tensor BCELoss::forward(const Tensor& input, const Tensor& target) const {
  return binary_cross_entropy(input, target, options.weight, options.reduction);
}
BCEWithLogitsLoss::BCEWithLogitsLoss(BCEWithLogitsLossOptions o) : options(std::move(o)) {
  register_buffer("weight", options.weight);
  register_buffer("pos_weight", options.pos_weight);
}
Tensor BCEWithLogitsLoss::forward(const Tensor& input, const Tensor& target) const {
  return binary_cross_entropy_with_logits(input, target, options.weight, options.pos_weight, options.reduction);
}
MultiMarginLoss::MultiMarginLoss(MultiMarginLossOptions o) : options(std::move(o)) {
  register_buffer("weight", options.weight);
}
Tensor MultiMarginLoss::forward(const Tensor& input, const Tensor& target) const {
  return functional::multi_margin_loss(input, target, options.p, options.margin, options.weight, options.reduction);
}
MultiLabelSoftMarginLoss::MultiLabelSoftMarginLoss(BCELossOptions o) : options(std::move(o)) {
  register_buffer("weight", options.weight);
}
Tensor MultiLabelSoftMarginLoss::forward(const Tensor& input, const Tensor& target) const {
  return multilabel_soft_margin_loss(input, target, options.weight, options.reduction);
}

// ---- with other settings

SmoothL1Loss::SmoothL1Loss(std::string r, double b) : reduction(std::move(r)), beta(b) {}
Tensor SmoothL1Loss::forward(const Tensor& input, const Tensor& target) const {
  return smooth_l1_loss(input, target, reduction, beta);
}
HuberLoss::HuberLoss(std::string r, double d) : reduction(std::move(r)), delta(d) {}
Tensor HuberLoss::forward(const Tensor& input, const Tensor& target) const {
  return huber_loss(input, target, reduction, delta);
}
KLDivLoss::KLDivLoss(std::string r, bool log) : reduction(std::move(r)), log_target(log) {}
Tensor KLDivLoss::forward(const Tensor& input, const Tensor& target) const {
  if (reduction != "batchmean") return kl_div(input, target, reduction, log_target);
  const Tensor sum = kl_div(input, target, "sum", log_target);
  return input.dim() ? sum / double(input.size(0)) : sum;
}
PoissonNLLLoss::PoissonNLLLoss(bool log, bool f, double e, std::string r)
    : log_input(log), full(f), eps(e), reduction(std::move(r)) {}
Tensor PoissonNLLLoss::forward(const Tensor& input, const Tensor& target) const {
  return poisson_nll_loss(input, target, log_input, full, eps, reduction);
}
GaussianNLLLoss::GaussianNLLLoss(bool f, double e, std::string r) : full(f), eps(e), reduction(std::move(r)) {}
Tensor GaussianNLLLoss::forward(const Tensor& input, const Tensor& target, const Tensor& var) const {
  return gaussian_nll_loss(input, target, var, full, eps, reduction);
}
HingeEmbeddingLoss::HingeEmbeddingLoss(double m, std::string r) : margin(m), reduction(std::move(r)) {}
Tensor HingeEmbeddingLoss::forward(const Tensor& input, const Tensor& target) const {
  return hinge_embedding_loss(input, target, margin, reduction);
}
MarginRankingLoss::MarginRankingLoss(double m, std::string r) : margin(m), reduction(std::move(r)) {}
Tensor MarginRankingLoss::forward(const Tensor& a, const Tensor& b, const Tensor& target) const {
  return margin_ranking_loss(a, b, target, margin, reduction);
}
CosineEmbeddingLoss::CosineEmbeddingLoss(double m, std::string r) : margin(m), reduction(std::move(r)) {}
Tensor CosineEmbeddingLoss::forward(const Tensor& a, const Tensor& b, const Tensor& target) const {
  return cosine_embedding_loss(a, b, target, margin, reduction);
}
TripletMarginLoss::TripletMarginLoss(TripletMarginLossOptions o) : options(std::move(o)) {}
Tensor TripletMarginLoss::forward(const Tensor& anchor, const Tensor& positive, const Tensor& negative) const {
  const TripletMarginLossOptions& o = options;
  return triplet_margin_loss(anchor, positive, negative, o.margin, o.p, o.eps, o.swap, o.reduction);
}

TripletMarginWithDistanceLoss::TripletMarginWithDistanceLoss(TripletMarginWithDistanceLossOptions o)
    : options(std::move(o)) {
  TG_CHECK(options.margin > 0, ValueError, "TripletMarginWithDistanceLoss: margin must be positive, got ",
           options.margin);
  if (!options.distance_function) register_module("distance_function", PairwiseDistance());
}
Tensor TripletMarginWithDistanceLoss::forward(const Tensor& anchor, const Tensor& positive,
                                              const Tensor& negative) const {
  TG_CHECK(anchor.dim() == positive.dim() && anchor.dim() == negative.dim(), ShapeError,
           "TripletMarginWithDistanceLoss: the inputs must have the same number of dimensions", Named{"anchor", anchor},
           Named{"positive", positive}, Named{"negative", negative});
  const auto distance = [&](const Tensor& a, const Tensor& b) {
    return options.distance_function ? options.distance_function(a, b) : pairwise_distance(a, b);
  };
  const Tensor near = distance(anchor, positive);
  Tensor far = distance(anchor, negative);
  if (options.swap) far = minimum(far, distance(positive, negative));
  return reduced(clamp(options.margin + near - far, 0), options.reduction);
}

CTCLoss::CTCLoss(int64_t b, std::string r, bool zero) : blank(b), reduction(std::move(r)), zero_infinity(zero) {}
Tensor CTCLoss::forward(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths,
                        const Tensor& target_lengths) const {
  return ctc_loss(log_probs, targets, input_lengths, target_lengths, blank, reduction, zero_infinity);
}

// ---- with a layer inside

static int64_t rows_of(int64_t classes, const std::vector<int64_t>& more) {
  for (const int64_t n : more) classes *= n;
  return classes;
}
static std::string linear_loss_text(int64_t in, int64_t classes, const LinearCrossEntropyLossOptions& o) {
  const std::string shape = o.out_features.empty() ? "()" : tuple_repr(o.out_features);
  return details("in_features", in, "num_classes", classes) + ", out_features=" + shape + ", " +
         details("bias", o.bias) + ", reduction=" + o.reduction + ", " +
         details("ignore_index", o.ignore_index, "label_smoothing", o.label_smoothing) + ", options=None";
}
LinearCrossEntropyLoss::LinearCrossEntropyLoss(int64_t in, int64_t classes, LinearCrossEntropyLossOptions o)
    : ModuleOf(linear_loss_text(in, classes, o)),
      num_classes(classes),
      options(std::move(o)),
      linear(in, rows_of(classes, options.out_features), options.bias) {
  register_buffer("weight", options.weight);
  register_module("linear", linear);
}
Tensor LinearCrossEntropyLoss::forward(const Tensor& input, const Tensor& target) const {
  Tensor logits = linear(input);
  Shape shape(input.sizes());
  shape.back() = num_classes;
  for (const int64_t n : options.out_features) shape.push_back(n);
  logits = logits.reshape(shape);
  TG_CHECK(!options.ignore_index || target.sizes() != logits.sizes(), ValueError,
           "LinearCrossEntropyLoss: ignore_index cannot be given with probabilities as target");
  return cross_entropy(logits, target, options.weight, options.ignore_index.value_or(-100), options.reduction,
                       options.label_smoothing);
}

// How many classes the head has: those of its own and one for each cluster.
static int64_t head_size(const std::vector<int64_t>& cutoffs) {
  TG_CHECK(!cutoffs.empty(), ValueError, "AdaptiveLogSoftmaxWithLoss: cutoffs must not be empty");
  return cutoffs[0] + int64_t(cutoffs.size());
}
AdaptiveLogSoftmaxWithLoss::AdaptiveLogSoftmaxWithLoss(int64_t in, int64_t n_classes, std::vector<int64_t> c,
                                                       double div_value, bool head_bias)
    : cutoffs(std::move(c)), head(in, head_size(cutoffs), head_bias) {
  cutoffs.push_back(n_classes);
  TG_CHECK(cutoffs[0] > 0 && std::adjacent_find(cutoffs.begin(), cutoffs.end(),
                                                [](int64_t a, int64_t b) { return a >= b; }) == cutoffs.end(),
           ValueError, "AdaptiveLogSoftmaxWithLoss: cutoffs must be increasing and between 1 and n_classes - 1, got ",
           IntList(cutoffs));
  register_module("head", head);
  Module list("ModuleList");
  for (size_t k = 0; k + 1 < cutoffs.size(); k++) {
    const int64_t width = int64_t(std::floor(double(in) / std::pow(div_value, double(k + 1))));
    tail.push_back({Linear(in, width, false), Linear(width, cutoffs[k + 1] - cutoffs[k], false)});
    Module pair("Sequential");
    pair.register_module("0", tail[k].first);
    pair.register_module("1", tail[k].second);
    list.register_module(std::to_string(k), pair);
  }
  register_module("tail", list);
}
static Tensor log_probs_within(const std::pair<Linear, Linear>& cluster, const Tensor& x) {
  return log_softmax(cluster.second(cluster.first(x)), 1);
}

std::tuple<Tensor, Tensor> AdaptiveLogSoftmaxWithLoss::forward(const Tensor& input, const Tensor& target) const {
  if (input.dim() == 1 && target.dim() == 0) {
    auto [output, loss] = forward(unsqueeze(input, 0), unsqueeze(target, 0));
    return {squeeze(output, 0), loss};
  }
  TG_CHECK(target.dim() == 1 && input.dim() == 2 && input.size(0) == target.size(0), ShapeError,
           "AdaptiveLogSoftmaxWithLoss: input must be (N, in_features) and target (N)", Named{"input", input},
           Named{"target", target});
  TG_CHECK(!any((target < 0) | (target >= cutoffs.back())).item<bool>(), ValueError,
           "AdaptiveLogSoftmaxWithLoss: targets must be within 0 and ", cutoffs.back() - 1);
  Tensor in_head = clamp(target, {}, cutoffs[0] - 1);
  std::vector<std::pair<Tensor, Tensor>> later;  // rows, their log-probability within the cluster
  for (size_t k = 0; k < tail.size(); k++) {
    const Tensor rows = squeeze(nonzero((target >= cutoffs[k]) & (target < cutoffs[k + 1])), 1);
    if (rows.numel() == 0) continue;
    const Tensor within = log_probs_within(tail[k], index_select(input, 0, rows));
    later.emplace_back(rows, squeeze(gather(within, 1, unsqueeze(index_select(target, 0, rows) - cutoffs[k], 1)), 1));
    in_head = index_fill(in_head, 0, rows, cutoffs[0] + int64_t(k));
  }
  Tensor output = squeeze(gather(log_softmax(head(input), 1), 1, unsqueeze(in_head, 1)), 1);
  for (auto& [rows, within] : later) output = index_add(output, 0, rows, within);
  return {output, (-output).mean()};
}
Tensor AdaptiveLogSoftmaxWithLoss::log_prob(const Tensor& input) const {
  const Tensor of_head = log_softmax(head(input), 1);
  std::vector<Tensor> parts = {narrow(of_head, 1, 0, cutoffs[0])};
  for (size_t k = 0; k < tail.size(); k++)
    parts.push_back(log_probs_within(tail[k], input) + unsqueeze(select(of_head, 1, cutoffs[0] + int64_t(k)), 1));
  return cat(parts, 1);
}
Tensor AdaptiveLogSoftmaxWithLoss::predict(const Tensor& input) const {
  const Tensor best = argmax(head(input), 1);
  const Tensor rows = squeeze(nonzero(best >= cutoffs[0]), 1);
  return rows.numel() == 0 ? best : index_copy(best, 0, rows, argmax(log_prob(index_select(input, 0, rows)), 1));
}

}  // namespace tapegrad::nn
