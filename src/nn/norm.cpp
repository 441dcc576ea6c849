// Normalisation and dropout.
#include "src/nn/layer.h"
#include "tapegrad/nn_init.h"
#include "tapegrad/nn_norm.h"

namespace tapegrad::nn {

// ---- with running statistics

void NormParts::make(Module& owner, int64_t n) {
  if (options.affine) weight = owner.register_parameter("weight", ones({n}));
  if (options.affine && options.bias) bias = owner.register_parameter("bias", zeros({n}));
  if (!options.track_running_stats) return;
  running_mean = owner.register_buffer("running_mean", zeros({n}));
  running_var = owner.register_buffer("running_var", ones({n}));
  num_batches_tracked = owner.register_buffer("num_batches_tracked", zeros({}, Dtype::Int64));
}
void NormParts::reset_running_stats() const {
  if (!running_mean.defined()) return;
  zero_(running_mean);
  fill_(running_var, 1);
  zero_(num_batches_tracked);
}
static std::string norm_text(int64_t n, const BatchNormOptions& o) {
  return repr(n) + ", " +
         details("eps", o.eps, "momentum", o.momentum, "affine", o.affine, "bias", o.affine && o.bias,
                 "track_running_stats", o.track_running_stats);
}

template <int N> BatchNorm<N>::BatchNorm(int64_t n, BatchNormOptions o)
    : BatchNorm::ModuleOf(N ? "BatchNorm" + std::to_string(N) + "d" : "SyncBatchNorm", norm_text(n, o)), NormParts(o) {
  make(*this, n);
}
template <int N> Tensor BatchNorm<N>::forward(const Tensor& x) const {
  const bool fits = N == 0 ? x.dim() >= 2 : x.dim() == N + 2 || (N == 1 && x.dim() == 2);
  TG_CHECK(fits, ShapeError, this->name(), ": input has the wrong number of dimensions", Named{"input", x});
  const bool training = this->is_training();
  double momentum = options.momentum.value_or(0);
  if (training && num_batches_tracked.defined()) {
    add_(num_batches_tracked, Tensor(1));
    if (!options.momentum || this->state_->mean_of_all) momentum = 1 / num_batches_tracked.item<double>();
  }
  return batch_norm(x, running_mean, running_var, weight, bias, training || !running_mean.defined(), momentum,
                    options.eps);
}
template struct BatchNorm<0>;
template struct BatchNorm<1>;
template struct BatchNorm<2>;
template struct BatchNorm<3>;

MeanStatistics::MeanStatistics(const Module& model) : model_(model), was_training_(model.is_training()) {
  model_.train();
  for (const Module& m : model_.modules())
    if (m.name().starts_with("BatchNorm") || m.name() == "SyncBatchNorm") {
      for (auto& b : m.state_->buffers)
        if (b.name == "running_var") fill_(b.tensor, 1);
        else if (b.name == "running_mean" || b.name == "num_batches_tracked") zero_(b.tensor);
      m.state_->mean_of_all = true;
      norms_.push_back(m);
    }
}
MeanStatistics::~MeanStatistics() {
  for (const Module& m : norms_) m.state_->mean_of_all = false;
  model_.train(was_training_);
}

static BatchNormOptions as_batch(const InstanceNormOptions& o) {
  return {o.eps, o.momentum, o.affine, o.track_running_stats, o.bias};
}
template <int N> InstanceNorm<N>::InstanceNorm(int64_t n, InstanceNormOptions o)
    : InstanceNorm::ModuleOf("InstanceNorm" + std::to_string(N) + "d", norm_text(n, as_batch(o))),
      NormParts(as_batch(o)) {
  make(*this, n);
}
template <int N> Tensor InstanceNorm<N>::forward(const Tensor& x) const {
  TG_CHECK(x.dim() == N + 1 || x.dim() == N + 2, ShapeError, this->name(), ": input must have ", N + 1, " or ", N + 2,
           " dimensions", Named{"input", x});
  const bool batched = x.dim() == N + 2;
  const Tensor y =
      instance_norm(batched ? x : unsqueeze(x, 0), running_mean, running_var, weight, bias,
                    this->is_training() || !options.track_running_stats, options.momentum.value_or(0), options.eps);
  return batched ? y : squeeze(y, 0);
}
template struct InstanceNorm<1>;
template struct InstanceNorm<2>;
template struct InstanceNorm<3>;

// ---- without

LayerNorm::LayerNorm(Dims shape, double e, bool affine, bool with_bias)
    : ModuleOf(tuple_repr(shape) + ", " + details("eps", e, "elementwise_affine", affine, "bias", affine && with_bias)),
      normalized_shape(shape),
      eps(e) {
  if (affine) weight = register_parameter("weight", ones(shape));
  if (affine && with_bias) bias = register_parameter("bias", zeros(shape));
}
Tensor LayerNorm::forward(const Tensor& x) const { return layer_norm(x, normalized_shape, weight, bias, eps); }

RMSNorm::RMSNorm(Dims shape, std::optional<double> e, bool affine)
    : ModuleOf(tuple_repr(shape) + ", " + details("eps", e, "elementwise_affine", affine)),
      normalized_shape(shape),
      eps(e) {
  if (affine) weight = register_parameter("weight", ones(shape));
}
Tensor RMSNorm::forward(const Tensor& x) const { return rms_norm(x, normalized_shape, weight, eps); }

GroupNorm::GroupNorm(int64_t groups, int64_t channels, double e, bool affine, bool with_bias)
    : ModuleOf(repr(groups) + ", " + repr(channels) + ", " +
               details("eps", e, "affine", affine, "bias", affine && with_bias)),
      num_groups(groups),
      eps(e) {
  TG_CHECK(groups > 0 && channels % groups == 0, ValueError,
           "GroupNorm: num_channels must be divisible by num_groups, got ", channels, " and ", groups);
  if (affine) weight = register_parameter("weight", ones({channels}));
  if (affine && with_bias) bias = register_parameter("bias", zeros({channels}));
}
Tensor GroupNorm::forward(const Tensor& x) const { return group_norm(x, num_groups, weight, bias, eps); }

LocalResponseNorm::LocalResponseNorm(int64_t n, double a, double b, double c)
    : ModuleOf(repr(n) + ", " + details("alpha", a, "beta", b, "k", c)), size(n), alpha(a), beta(b), k(c) {}
Tensor LocalResponseNorm::forward(const Tensor& x) const {
  return functional::local_response_norm(x, size, alpha, beta, k);
}

CrossMapLRN2d::CrossMapLRN2d(int64_t n, double a, double b, double c)
    : ModuleOf(repr(n) + ", " +
               details("alpha", a, "beta", b, "k", c == std::floor(c) ? repr(int64_t(c)).c_str() : repr(c).c_str())),
      size(n),
      alpha(a),
      beta(b),
      k(c) {}
Tensor CrossMapLRN2d::forward(const Tensor& x) const {
  const int64_t reach = (size - 1) / 2;
  const Tensor squares = unfold(pad(x.square(), {0, 0, 0, 0, reach, reach}), 1, 2 * reach + 1, 1).sum(-1);
  return x / (squares * (alpha / double(size)) + k).pow(beta);
}

// ---- dropout

static constexpr const char* kDropoutNames[] = {"Dropout",   "Dropout1d",    "Dropout2d",
                                                "Dropout3d", "AlphaDropout", "FeatureAlphaDropout"};
template <DropoutKind K> DropoutOf<K>::DropoutOf(double q, bool in)
    : DropoutOf::ModuleOf(kDropoutNames[int(K)], details("p", q, "inplace", in)), p(q), inplace(in) {
  TG_CHECK(q >= 0 && q <= 1, ValueError, this->name(), ": p must be between 0 and 1, got ", q);
}
// feature_dropout takes the first two dimensions as batch and channels; without a batch one is put in front.
static Tensor drop_channels(const Tensor& x, double p, bool training, int64_t unbatched_dims) {
  if (x.dim() != unbatched_dims) return feature_dropout(x, p, training);
  return squeeze(feature_dropout(unsqueeze(x, 0), p, training), 0);
}
template <DropoutKind K> Tensor DropoutOf<K>::forward(const Tensor& x) const {
  const bool training = this->is_training();
  Tensor y;
  if constexpr (K == DropoutKind::Elements) y = dropout(x, p, training);
  else if constexpr (K == DropoutKind::Channels1d) y = drop_channels(x, p, training, 2);
  else if constexpr (K == DropoutKind::Channels2d) y = feature_dropout(x, p, training);
  else if constexpr (K == DropoutKind::Channels3d) y = drop_channels(x, p, training, 4);
  else if constexpr (K == DropoutKind::Alpha) y = alpha_dropout(x, p, training);
  else return functional::feature_alpha_dropout(x, p, training);
  return inplace && !y.is_same(x) ? copy_(x, y) : y;
}
template struct DropoutOf<DropoutKind::Elements>;
template struct DropoutOf<DropoutKind::Channels1d>;
template struct DropoutOf<DropoutKind::Channels2d>;
template struct DropoutOf<DropoutKind::Channels3d>;
template struct DropoutOf<DropoutKind::Alpha>;
template struct DropoutOf<DropoutKind::FeatureAlpha>;

}  // namespace tapegrad::nn
