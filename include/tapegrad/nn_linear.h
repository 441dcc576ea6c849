// Layers: linear maps, embeddings, distances, and those that only rearrange or resample.
#pragma once
#include "tapegrad/nn_module.h"

namespace tapegrad::nn {

struct TG_API Identity : ModuleOf<Identity> {
  Tensor forward(const Tensor& x) const { return x; }
};
/// x weightᵀ + bias
struct TG_API Linear : ModuleOf<Linear> {
  Tensor weight, bias;
  Linear(int64_t in_features, int64_t out_features, bool bias = true);
  Tensor forward(const Tensor& x) const;

 protected:
  Linear(std::string name, int64_t in_features, int64_t out_features, bool bias);
  friend struct MultiheadAttention;
};
/// x1ᵀ W x2 + bias
struct TG_API Bilinear : ModuleOf<Bilinear> {
  Tensor weight, bias;
  Bilinear(int64_t in1_features, int64_t in2_features, int64_t out_features, bool bias = true);
  Tensor forward(const Tensor& x1, const Tensor& x2) const;
};

// ---- embedding: with max_norm the rows that are used are scaled down in place first

struct EmbeddingOptions {
  std::optional<int64_t> padding_idx = {};  ///< this row starts as zeros and gets no gradient
  std::optional<double> max_norm = {};
  double norm_type = 2;
  bool scale_grad_by_freq = false;
};
struct TG_API Embedding : ModuleOf<Embedding> {
  Tensor weight;
  EmbeddingOptions options;
  Embedding(int64_t num_embeddings, int64_t embedding_dim, EmbeddingOptions options = {});
  Tensor forward(const Tensor& indices) const;
  /// Over a given table (num, dim), frozen unless told otherwise.
  static Embedding from_pretrained(const Tensor& embeddings, bool freeze = true, EmbeddingOptions options = {});

 private:
  Embedding(const Tensor& table, EmbeddingOptions options);
};
struct EmbeddingBagOptions {
  std::optional<double> max_norm = {};
  double norm_type = 2;
  bool scale_grad_by_freq = false;
  std::string mode = "mean";  ///< "sum", "mean" or "max"
  bool include_last_offset = false;
  std::optional<int64_t> padding_idx = {};
};
struct TG_API EmbeddingBag : ModuleOf<EmbeddingBag> {
  Tensor weight;
  EmbeddingBagOptions options;
  EmbeddingBag(int64_t num_embeddings, int64_t embedding_dim, EmbeddingBagOptions options = {});
  Tensor forward(const Tensor& indices, const Tensor& offsets = {}, const Tensor& per_sample_weights = {}) const;
};

// ---- distances

struct TG_API CosineSimilarity : ModuleOf<CosineSimilarity> {
  int64_t dim;
  double eps;
  explicit CosineSimilarity(int64_t dim = 1, double eps = 1e-8);
  Tensor forward(const Tensor& x1, const Tensor& x2) const;
};
/// ‖x1 - x2 + eps‖p over the last dimension
struct TG_API PairwiseDistance : ModuleOf<PairwiseDistance> {
  double p, eps;
  bool keepdim;
  explicit PairwiseDistance(double p = 2, double eps = 1e-6, bool keepdim = false);
  Tensor forward(const Tensor& x1, const Tensor& x2) const;
};

// ---- shape

struct TG_API Flatten : ModuleOf<Flatten> {
  int64_t start_dim, end_dim;
  explicit Flatten(int64_t start_dim = 1, int64_t end_dim = -1);
  Tensor forward(const Tensor& x) const;
};
struct TG_API Unflatten : ModuleOf<Unflatten> {
  int64_t dim;
  Dims unflattened_size;
  Unflatten(int64_t dim, Dims unflattened_size);
  Tensor forward(const Tensor& x) const;
};
/// (…, C r², H, W) to (…, C, H r, W r), and back.
struct TG_API PixelShuffle : ModuleOf<PixelShuffle> {
  int64_t upscale_factor;
  explicit PixelShuffle(int64_t upscale_factor);
  Tensor forward(const Tensor& x) const;
};
struct TG_API PixelUnshuffle : ModuleOf<PixelUnshuffle> {
  int64_t downscale_factor;
  explicit PixelUnshuffle(int64_t downscale_factor);
  Tensor forward(const Tensor& x) const;
};
struct TG_API ChannelShuffle : ModuleOf<ChannelShuffle> {
  int64_t groups;
  explicit ChannelShuffle(int64_t groups);
  Tensor forward(const Tensor& x) const;
};

/// `size` or `scale_factor` ({2} or one for each dimension), one of them; the modes are interpolate's.
struct UpsampleOptions {
  std::optional<Dims> size = {};
  std::vector<double> scale_factor = {};
  std::string mode = "nearest";
  std::optional<bool> align_corners = {}, recompute_scale_factor = {};
};
struct TG_API Upsample : ModuleOf<Upsample> {
  UpsampleOptions options;
  explicit Upsample(UpsampleOptions o) : Upsample("Upsample", std::move(o)) {}
  Tensor forward(const Tensor& x) const;

 protected:
  Upsample(std::string name, UpsampleOptions options);
};
struct TG_API UpsamplingNearest2d : Upsample {
  explicit UpsamplingNearest2d(std::optional<Dims> size, std::vector<double> scale_factor = {});
};
struct TG_API UpsamplingBilinear2d : Upsample {
  explicit UpsamplingBilinear2d(std::optional<Dims> size, std::vector<double> scale_factor = {});
};

}  // namespace tapegrad::nn
