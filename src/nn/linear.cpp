// Linear maps, embeddings, distances, rearrangements. Constructors draw from the default generator in the order of Python's,
// weight before bias.
#include "src/nn/layer.h"
#include "src/ops/embedding_bag.h"
#include "tapegrad/nn_init.h"
#include "tapegrad/nn_linear.h"
#include "tapegrad/ops_more.h"

namespace tapegrad::nn {

Linear::Linear(int64_t in, int64_t out, bool with_bias) : Linear("Linear", in, out, with_bias) {}
Linear::Linear(std::string layer, int64_t in, int64_t out, bool with_bias)
    : ModuleOf(std::move(layer), details("in_features", in, "out_features", out, "bias", with_bias)) {
  weight = register_parameter("weight", uninitialised({out, in}));
  init::kaiming_uniform_(weight, std::sqrt(5.));
  if (!with_bias) return;
  bias = register_parameter("bias", uninitialised({out}));
  init::uniform_(bias, -bound_of(in), bound_of(in));
}
Tensor Linear::forward(const Tensor& x) const { return linear(x, weight, bias); }

Bilinear::Bilinear(int64_t in1, int64_t in2, int64_t out, bool with_bias)
    : ModuleOf(details("in1_features", in1, "in2_features", in2, "out_features", out, "bias", with_bias)) {
  TG_CHECK(in1 > 0, ValueError, "Bilinear: in1_features must be positive, got ", in1);
  const double bound = bound_of(in1);
  weight = init::uniform_(register_parameter("weight", uninitialised({out, in1, in2})), -bound, bound);
  if (with_bias) bias = init::uniform_(register_parameter("bias", uninitialised({out})), -bound, bound);
}
Tensor Bilinear::forward(const Tensor& x1, const Tensor& x2) const { return bilinear(x1, x2, weight, bias); }

// ---- embedding

// padding_idx counted from 0.
static std::optional<int64_t> row_of(const char* layer, std::optional<int64_t> padding_idx, int64_t rows) {
  if (!padding_idx) return {};
  TG_CHECK(*padding_idx >= -rows && *padding_idx < rows, ValueError, layer,
           ": padding_idx must be within num_embeddings, ", rows, ", got ", *padding_idx);
  return *padding_idx < 0 ? *padding_idx + rows : *padding_idx;
}
static Tensor random_table(int64_t rows, int64_t columns, std::optional<int64_t> padding_idx) {
  const Tensor table = uninitialised({rows, columns});
  normal_(table);
  if (padding_idx) zero_(select(table, 0, *padding_idx));
  return table;
}
static std::string table_text(int64_t rows, int64_t columns) { return repr(rows) + ", " + repr(columns); }

static std::string embedding_text(int64_t rows, int64_t columns, const EmbeddingOptions& o) {
  std::string s = table_text(rows, columns);
  if (o.padding_idx) s += ", " + details("padding_idx", *row_of("Embedding", o.padding_idx, rows));
  if (o.max_norm) s += ", " + details("max_norm", *o.max_norm);
  if (o.norm_type != 2) s += ", " + details("norm_type", o.norm_type);
  return s;
}
Embedding::Embedding(int64_t rows, int64_t columns, EmbeddingOptions o)
    : ModuleOf(embedding_text(rows, columns, o)), options(o) {
  options.padding_idx = row_of("Embedding", o.padding_idx, rows);
  weight = register_parameter("weight", random_table(rows, columns, options.padding_idx));
}
Embedding::Embedding(const Tensor& table, EmbeddingOptions o)
    : ModuleOf(embedding_text(table.size(0), table.size(1), o)), options(o) {
  options.padding_idx = row_of("Embedding", o.padding_idx, table.size(0));
  weight = register_parameter("weight", table);
}
Embedding Embedding::from_pretrained(const Tensor& table, bool freeze, EmbeddingOptions o) {
  TG_CHECK(table.dim() == 2, ShapeError, "Embedding: embeddings must have 2 dimensions", Named{"embeddings", table});
  Embedding e(detach(table), o);
  e.weight.set_requires_grad(!freeze);
  return e;
}
Tensor Embedding::forward(const Tensor& indices) const {
  const EmbeddingOptions& o = options;
  if (o.max_norm) functional::embedding_renorm_(weight, indices, *o.max_norm, o.norm_type);
  return o.scale_grad_by_freq ? embedding_by_frequency(indices, weight, o.padding_idx)
                              : embedding(weight, indices, o.padding_idx);
}

static std::string bag_text(int64_t rows, int64_t columns, const EmbeddingBagOptions& o) {
  std::string s = table_text(rows, columns);
  if (o.max_norm) s += ", " + details("max_norm", *o.max_norm);
  if (o.norm_type != 2) s += ", " + details("norm_type", o.norm_type);
  if (o.scale_grad_by_freq) s += ", scale_grad_by_freq=True";
  s += ", " + details("mode", o.mode);
  if (o.padding_idx) s += ", " + details("padding_idx", *row_of("EmbeddingBag", o.padding_idx, rows));
  return s;
}
EmbeddingBag::EmbeddingBag(int64_t rows, int64_t columns, EmbeddingBagOptions o)
    : ModuleOf(bag_text(rows, columns, o)), options(std::move(o)) {
  const std::string& mode = options.mode;
  TG_CHECK(mode == "sum" || mode == "mean" || mode == "max", ValueError,
           "EmbeddingBag: mode must be sum, mean or max, got \"", mode, "\"");
  options.padding_idx = row_of("EmbeddingBag", options.padding_idx, rows);
  weight = register_parameter("weight", random_table(rows, columns, options.padding_idx));
}
Tensor EmbeddingBag::forward(const Tensor& indices, const Tensor& offsets, const Tensor& per_sample_weights) const {
  const EmbeddingBagOptions& o = options;
  if (o.max_norm) functional::embedding_renorm_(weight, indices, *o.max_norm, o.norm_type);
  return embedding_bag(indices, weight, offsets, o.mode, per_sample_weights, o.include_last_offset, o.padding_idx,
                       o.scale_grad_by_freq);
}

// ---- distances

CosineSimilarity::CosineSimilarity(int64_t d, double e) : dim(d), eps(e) {}
Tensor CosineSimilarity::forward(const Tensor& x1, const Tensor& x2) const {
  return cosine_similarity(x1, x2, dim, eps);
}
PairwiseDistance::PairwiseDistance(double norm, double e, bool keep) : p(norm), eps(e), keepdim(keep) {}
Tensor PairwiseDistance::forward(const Tensor& x1, const Tensor& x2) const {
  return pairwise_distance(x1, x2, p, eps, keepdim);
}

// ---- shape

Flatten::Flatten(int64_t start, int64_t end)
    : ModuleOf(details("start_dim", start, "end_dim", end)), start_dim(start), end_dim(end) {}
Tensor Flatten::forward(const Tensor& x) const { return flatten(x, start_dim, end_dim); }
Unflatten::Unflatten(int64_t d, Dims size)
    : ModuleOf("dim=" + repr(d) + ", unflattened_size=" + tuple_repr(size)), dim(d), unflattened_size(size) {}
Tensor Unflatten::forward(const Tensor& x) const { return unflatten(x, dim, unflattened_size); }
PixelShuffle::PixelShuffle(int64_t r) : ModuleOf(details("upscale_factor", r)), upscale_factor(r) {}
Tensor PixelShuffle::forward(const Tensor& x) const { return pixel_shuffle(x, upscale_factor); }
PixelUnshuffle::PixelUnshuffle(int64_t r) : ModuleOf(details("downscale_factor", r)), downscale_factor(r) {}
Tensor PixelUnshuffle::forward(const Tensor& x) const { return pixel_unshuffle(x, downscale_factor); }
ChannelShuffle::ChannelShuffle(int64_t g) : ModuleOf(details("groups", g)), groups(g) {}
Tensor ChannelShuffle::forward(const Tensor& x) const { return channel_shuffle(x, groups); }

static std::string upsample_text(const UpsampleOptions& o) {
  std::string what = details("size", o.size);
  if (o.scale_factor.size() == 1) what = details("scale_factor", o.scale_factor[0]);
  if (o.scale_factor.size() > 1) {
    what = "scale_factor=(";
    for (size_t i = 0; i < o.scale_factor.size(); i++) what += (i ? ", " : "") + repr(o.scale_factor[i]);
    what += ")";
  }
  return what + ", " + details("mode", o.mode);
}
Upsample::Upsample(std::string layer, UpsampleOptions o)
    : ModuleOf(std::move(layer), upsample_text(o)), options(std::move(o)) {}
Tensor Upsample::forward(const Tensor& x) const {
  const UpsampleOptions& o = options;
  return interpolate(x, o.size ? IntList(*o.size) : IntList(), o.scale_factor, o.mode, o.align_corners,
                     o.recompute_scale_factor);
}
UpsamplingNearest2d::UpsamplingNearest2d(std::optional<Dims> size, std::vector<double> factor)
    : Upsample("UpsamplingNearest2d", {.size = size,
                                       .scale_factor = std::move(factor),
                                       .mode = "nearest",
                                       .align_corners = {},
                                       .recompute_scale_factor = {}}) {}
UpsamplingBilinear2d::UpsamplingBilinear2d(std::optional<Dims> size, std::vector<double> factor)
    : Upsample("UpsamplingBilinear2d", {.size = size,
                                        .scale_factor = std::move(factor),
                                        .mode = "bilinear",
                                        .align_corners = true,
                                        .recompute_scale_factor = {}}) {}

}  // namespace tapegrad::nn
