// Losses as modules: the functions of ops.h with settings. `reduction`: "mean", "sum" or "none".
#pragma once
#include "tapegrad/nn_linear.h"

namespace tapegrad::nn {

// ---- with a reduction only

/// |input - target|
struct TG_API L1Loss : ModuleOf<L1Loss> {
  std::string reduction;
  explicit L1Loss(std::string reduction = "mean");
  Tensor forward(const Tensor& input, const Tensor& target) const;
};
/// (input - target)²
struct TG_API MSELoss : ModuleOf<MSELoss> {
  std::string reduction;
  explicit MSELoss(std::string reduction = "mean");
  Tensor forward(const Tensor& input, const Tensor& target) const;
};
/// log(1 + exp(-target · input))
struct TG_API SoftMarginLoss : ModuleOf<SoftMarginLoss> {
  std::string reduction;
  explicit SoftMarginLoss(std::string reduction = "mean");
  Tensor forward(const Tensor& input, const Tensor& target) const;
};
/// Margin loss for several labels a sample: target holds class indices up to the first -1.
struct TG_API MultiLabelMarginLoss : ModuleOf<MultiLabelMarginLoss> {
  std::string reduction;
  explicit MultiLabelMarginLoss(std::string reduction = "mean");
  Tensor forward(const Tensor& input, const Tensor& target) const;
};

// ---- with weights, which are buffers

struct CrossEntropyLossOptions {
  Tensor weight = {};
  int64_t ignore_index = -100;
  std::string reduction = "mean";
  double label_smoothing = 0;
};
/// -log softmax(input)[target]: input (N, C, …), target classes (N, …) or probabilities like input.
struct TG_API CrossEntropyLoss : ModuleOf<CrossEntropyLoss> {
  CrossEntropyLossOptions options;
  explicit CrossEntropyLoss(CrossEntropyLossOptions options = {});
  Tensor forward(const Tensor& input, const Tensor& target) const;
};
struct NLLLossOptions {
  Tensor weight = {};
  int64_t ignore_index = -100;
  std::string reduction = "mean";
};
struct TG_API NLLLoss : ModuleOf<NLLLoss> {
  NLLLossOptions options;
  explicit NLLLoss(NLLLossOptions options = {});
  Tensor forward(const Tensor& input, const Tensor& target) const;
};
struct BCELossOptions {
  Tensor weight = {};
  std::string reduction = "mean";
};
struct TG_API BCELoss : ModuleOf<BCELoss> {
  BCELossOptions options;
  explicit BCELoss(BCELossOptions options = {});
  Tensor forward(const Tensor& input, const Tensor& target) const;
};
struct BCEWithLogitsLossOptions {
  Tensor weight = {};
  std::string reduction = "mean";
  Tensor pos_weight = {};
};
struct TG_API BCEWithLogitsLoss : ModuleOf<BCEWithLogitsLoss> {
  BCEWithLogitsLossOptions options;
  explicit BCEWithLogitsLoss(BCEWithLogitsLossOptions options = {});
  Tensor forward(const Tensor& input, const Tensor& target) const;
};
struct MultiMarginLossOptions {
  int64_t p = 1;
  double margin = 1;
  Tensor weight = {};
  std::string reduction = "mean";
};
/// Sum over the wrong classes of max(0, margin - x[y] + x[i])^p / C.
struct TG_API MultiMarginLoss : ModuleOf<MultiMarginLoss> {
  MultiMarginLossOptions options;
  explicit MultiMarginLoss(MultiMarginLossOptions options = {});
  Tensor forward(const Tensor& input, const Tensor& target) const;
};
/// Binary cross entropy with logits, averaged over the classes.
struct TG_API MultiLabelSoftMarginLoss : ModuleOf<MultiLabelSoftMarginLoss> {
  BCELossOptions options;
  explicit MultiLabelSoftMarginLoss(BCELossOptions options = {});
  Tensor forward(const Tensor& input, const Tensor& target) const;
};

// ---- with other settings

struct TG_API SmoothL1Loss : ModuleOf<SmoothL1Loss> {
  std::string reduction;
  double beta;
  explicit SmoothL1Loss(std::string reduction = "mean", double beta = 1);
  Tensor forward(const Tensor& input, const Tensor& target) const;
};
struct TG_API HuberLoss : ModuleOf<HuberLoss> {
  std::string reduction;
  double delta;
  explicit HuberLoss(std::string reduction = "mean", double delta = 1);
  Tensor forward(const Tensor& input, const Tensor& target) const;
};
/// target · (log target - input); also "batchmean".
struct TG_API KLDivLoss : ModuleOf<KLDivLoss> {
  std::string reduction;
  bool log_target;
  explicit KLDivLoss(std::string reduction = "mean", bool log_target = false);
  Tensor forward(const Tensor& input, const Tensor& target) const;
};
struct TG_API PoissonNLLLoss : ModuleOf<PoissonNLLLoss> {
  bool log_input, full;
  double eps;
  std::string reduction;
  explicit PoissonNLLLoss(bool log_input = true, bool full = false, double eps = 1e-8, std::string reduction = "mean");
  Tensor forward(const Tensor& input, const Tensor& target) const;
};
struct TG_API GaussianNLLLoss : ModuleOf<GaussianNLLLoss> {
  bool full;
  double eps;
  std::string reduction;
  explicit GaussianNLLLoss(bool full = false, double eps = 1e-6, std::string reduction = "mean");
  Tensor forward(const Tensor& input, const Tensor& target, const Tensor& var) const;
};
/// input where target is 1, max(0, margin - input) where it is -1.
struct TG_API HingeEmbeddingLoss : ModuleOf<HingeEmbeddingLoss> {
  double margin;
  std::string reduction;
  explicit HingeEmbeddingLoss(double margin = 1, std::string reduction = "mean");
  Tensor forward(const Tensor& input, const Tensor& target) const;
};
/// max(0, -target · (input1 - input2) + margin)
struct TG_API MarginRankingLoss : ModuleOf<MarginRankingLoss> {
  double margin;
  std::string reduction;
  explicit MarginRankingLoss(double margin = 0, std::string reduction = "mean");
  Tensor forward(const Tensor& input1, const Tensor& input2, const Tensor& target) const;
};
/// 1 - cos where target is 1, max(0, cos - margin) where it is -1.
struct TG_API CosineEmbeddingLoss : ModuleOf<CosineEmbeddingLoss> {
  double margin;
  std::string reduction;
  explicit CosineEmbeddingLoss(double margin = 0, std::string reduction = "mean");
  Tensor forward(const Tensor& input1, const Tensor& input2, const Tensor& target) const;
};
struct TripletMarginLossOptions {
  double margin = 1, p = 2, eps = 1e-6;
  bool swap = false;
  std::string reduction = "mean";
};
/// max(0, ‖anchor - positive‖ - ‖anchor - negative‖ + margin)
struct TG_API TripletMarginLoss : ModuleOf<TripletMarginLoss> {
  TripletMarginLossOptions options;
  explicit TripletMarginLoss(TripletMarginLossOptions options = {});
  Tensor forward(const Tensor& anchor, const Tensor& positive, const Tensor& negative) const;
};
struct TripletMarginWithDistanceLossOptions {
  Tensor (*distance_function)(const Tensor&, const Tensor&) = nullptr;  ///< none: PairwiseDistance
  double margin = 1;
  bool swap = false;
  std::string reduction = "mean";
};
struct TG_API TripletMarginWithDistanceLoss : ModuleOf<TripletMarginWithDistanceLoss> {
  TripletMarginWithDistanceLossOptions options;
  explicit TripletMarginWithDistanceLoss(TripletMarginWithDistanceLossOptions options = {});
  Tensor forward(const Tensor& anchor, const Tensor& positive, const Tensor& negative) const;
};
/// Minus the log-probability of label sequences over all alignments with blanks: ctc_loss.
struct TG_API CTCLoss : ModuleOf<CTCLoss> {
  int64_t blank;
  std::string reduction;
  bool zero_infinity;
  explicit CTCLoss(int64_t blank = 0, std::string reduction = "mean", bool zero_infinity = false);
  Tensor forward(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths,
                 const Tensor& target_lengths) const;
};

// ---- with a layer inside

struct LinearCrossEntropyLossOptions {
  std::vector<int64_t> out_features = {};
  bool bias = false;
  std::string reduction = "mean";
  Tensor weight = {};
  std::optional<int64_t> ignore_index = {};
  double label_smoothing = 0;
};
/// Cross entropy of a linear layer's outputs: input (N, in_features), target (N, *out_features).
struct TG_API LinearCrossEntropyLoss : ModuleOf<LinearCrossEntropyLoss> {
  int64_t num_classes;
  LinearCrossEntropyLossOptions options;
  Linear linear;
  LinearCrossEntropyLoss(int64_t in_features, int64_t num_classes, LinearCrossEntropyLossOptions options = {});
  Tensor forward(const Tensor& input, const Tensor& target) const;
};
/// log softmax in clusters (Grave et al. 2017): classes below cutoffs[0] in the head, each later cluster behind one more class of
/// the head and a projection to in_features / div_value^k. Classes must be sorted by falling frequency.
struct TG_API AdaptiveLogSoftmaxWithLoss : ModuleOf<AdaptiveLogSoftmaxWithLoss> {
  std::vector<int64_t> cutoffs;  ///< and n_classes at the end
  Linear head;
  std::vector<std::pair<Linear, Linear>> tail;
  AdaptiveLogSoftmaxWithLoss(int64_t in_features, int64_t n_classes, std::vector<int64_t> cutoffs, double div_value = 4,
                             bool head_bias = false);
  /// The log-probabilities of the targets, and minus their mean.
  std::tuple<Tensor, Tensor> forward(const Tensor& input, const Tensor& target) const;
  /// (N, n_classes), of all classes.
  Tensor log_prob(const Tensor& input) const;
  /// The most probable class of each row.
  Tensor predict(const Tensor& input) const;
};

}  // namespace tapegrad::nn
