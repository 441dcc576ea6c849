// Layers: normalisation and dropout.
#pragma once
#include "tapegrad/nn_module.h"

namespace tapegrad::nn {

struct BatchNormOptions {
  double eps = 1e-5;
  std::optional<double> momentum = 0.1;  ///< none: the running statistics are the mean over all batches
  bool affine = true, track_running_stats = true, bias = true;
};
struct InstanceNormOptions {
  double eps = 1e-5;
  std::optional<double> momentum = 0.1;
  bool affine = false, track_running_stats = false, bias = true;
};
/// What batch and instance norms have: one of each for each channel, undefined when left out.
struct TG_API NormParts {
  Tensor weight, bias, running_mean, running_var, num_batches_tracked;
  BatchNormOptions options;
  /// Mean 0, variance 1, no batches seen.
  void reset_running_stats() const;

 protected:
  explicit NormParts(BatchNormOptions o) : options(o) {}
  void make(Module& owner, int64_t num_features);
};
/// Of (N, C) or (N, C, L), (N, C, H, W), (N, C, D, H, W) for N = 1, 2, 3; of any of them for 0.
template <int N> struct TG_API BatchNorm : ModuleOf<BatchNorm<N>>, NormParts {
  explicit BatchNorm(int64_t num_features, BatchNormOptions options = {});
  Tensor forward(const Tensor& x) const;
};
using BatchNorm1d = BatchNorm<1>;
using BatchNorm2d = BatchNorm<2>;
using BatchNorm3d = BatchNorm<3>;
using SyncBatchNorm = BatchNorm<0>;  ///< there is one process
/// While it lives, the model trains and its batch norms, whose running statistics start anew, keep the mean over all batches.
class TG_API MeanStatistics {
  Module model_;
  std::vector<Module> norms_;
 public:
  explicit MeanStatistics(const Module& model);
  ~MeanStatistics();
  MeanStatistics(const MeanStatistics&) = delete;

 private:
  bool was_training_;
};
/// Each channel of each sample by itself; with or without a batch.
template <int N> struct TG_API InstanceNorm : ModuleOf<InstanceNorm<N>>, NormParts {
  explicit InstanceNorm(int64_t num_features, InstanceNormOptions options = {});
  Tensor forward(const Tensor& x) const;
};
using InstanceNorm1d = InstanceNorm<1>;
using InstanceNorm2d = InstanceNorm<2>;
using InstanceNorm3d = InstanceNorm<3>;

struct TG_API LayerNorm : ModuleOf<LayerNorm> {
  Tensor weight, bias;
  Dims normalized_shape;
  double eps;
  explicit LayerNorm(Dims normalized_shape, double eps = 1e-5, bool elementwise_affine = true, bool bias = true);
  Tensor forward(const Tensor& x) const;
};
struct TG_API RMSNorm : ModuleOf<RMSNorm> {
  Tensor weight;
  Dims normalized_shape;
  std::optional<double> eps;  ///< none: the dtype's epsilon
  explicit RMSNorm(Dims normalized_shape, std::optional<double> eps = {}, bool elementwise_affine = true);
  Tensor forward(const Tensor& x) const;
};
struct TG_API GroupNorm : ModuleOf<GroupNorm> {
  Tensor weight, bias;
  int64_t num_groups;
  double eps;
  GroupNorm(int64_t num_groups, int64_t num_channels, double eps = 1e-5, bool affine = true, bool bias = true);
  Tensor forward(const Tensor& x) const;
};
/// x / (k + alpha · mean of squares over `size` neighbouring channels)^beta
struct TG_API LocalResponseNorm : ModuleOf<LocalResponseNorm> {
  int64_t size;
  double alpha, beta, k;
  explicit LocalResponseNorm(int64_t size, double alpha = 1e-4, double beta = 0.75, double k = 1);
  Tensor forward(const Tensor& x) const;
};
/// The same for (N, C, H, W) with alpha / size · sum over the channels at most (size - 1) / 2 away.
struct TG_API CrossMapLRN2d : ModuleOf<CrossMapLRN2d> {
  int64_t size;
  double alpha, beta, k;
  explicit CrossMapLRN2d(int64_t size, double alpha = 1e-4, double beta = 0.75, double k = 1);
  Tensor forward(const Tensor& x) const;
};

// ---- dropout: with probability p and while training; of elements, whole channels, or such that selu's mean and variance stay

enum class TG_API DropoutKind : uint8_t { Elements, Channels1d, Channels2d, Channels3d, Alpha, FeatureAlpha };  // TG_API: as PadKind
template <DropoutKind K> struct TG_API DropoutOf : ModuleOf<DropoutOf<K>> {
  double p;
  bool inplace;
  explicit DropoutOf(double p = 0.5, bool inplace = false);
  Tensor forward(const Tensor& x) const;
};
using Dropout = DropoutOf<DropoutKind::Elements>;
using Dropout1d = DropoutOf<DropoutKind::Channels1d>;
using Dropout2d = DropoutOf<DropoutKind::Channels2d>;
using Dropout3d = DropoutOf<DropoutKind::Channels3d>;
using AlphaDropout = DropoutOf<DropoutKind::Alpha>;
using FeatureAlphaDropout = DropoutOf<DropoutKind::FeatureAlpha>;

}  // namespace tapegrad::nn
