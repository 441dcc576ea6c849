// Attention and transformer layers. Tensors are (length, N, features), (N, length, features) with batch_first, or without N.
// In masks true (or -inf) forbids; Tensor() stands for no mask.
#pragma once
#include "tapegrad/nn_container.h"
#include "tapegrad/nn_linear.h"
#include "tapegrad/nn_norm.h"

namespace tapegrad::nn {

struct MultiheadAttentionOptions {
  double dropout = 0;
  bool bias = true, add_bias_kv = false, add_zero_attn = false;
  std::optional<int64_t> kdim = {}, vdim = {};
  bool batch_first = false;
};
struct TG_API MultiheadAttention : ModuleOf<MultiheadAttention> {
  Tensor in_proj_weight, q_proj_weight, k_proj_weight, v_proj_weight, in_proj_bias, bias_k,
      bias_v;  ///< those that exist
  Linear out_proj;
  int64_t embed_dim, num_heads;
  MultiheadAttentionOptions options;
  MultiheadAttention(int64_t embed_dim, int64_t num_heads, MultiheadAttentionOptions options = {});
  /// The output, like the query, and the weights (N, L, S) averaged over the heads; undefined without need_weights.
  /// key_padding_mask (N, S), attn_mask (L, S) or (N · heads, L, S); is_causal only says that attn_mask is the causal one.
  std::tuple<Tensor, Tensor> forward(const Tensor& query, const Tensor& key, const Tensor& value,
                                     const Tensor& key_padding_mask = {}, bool need_weights = true,
                                     const Tensor& attn_mask = {}, bool average_attn_weights = true,
                                     bool is_causal = false) const;
};

struct TransformerLayerOptions {
  int64_t dim_feedforward = 2048;
  double dropout = 0.1;
  std::string activation = "relu";  ///< or "gelu"
  double layer_norm_eps = 1e-5;
  bool batch_first = false, norm_first = false, bias = true;
};
/// Self attention and feed forward, each with a residual and a LayerNorm.
struct TG_API TransformerEncoderLayer : ModuleOf<TransformerEncoderLayer> {
  int64_t d_model, nhead;
  TransformerLayerOptions options;
  MultiheadAttention self_attn;
  Linear linear1;
  Dropout dropout;
  Linear linear2;
  LayerNorm norm1, norm2;
  Dropout dropout1, dropout2;
  TransformerEncoderLayer(int64_t d_model, int64_t nhead, TransformerLayerOptions options = {});
  Tensor forward(const Tensor& src, const Tensor& src_mask = {}, const Tensor& src_key_padding_mask = {},
                 bool is_causal = false) const;
};
/// Self attention, attention over the memory, feed forward.
struct TG_API TransformerDecoderLayer : ModuleOf<TransformerDecoderLayer> {
  int64_t d_model, nhead;
  TransformerLayerOptions options;
  MultiheadAttention self_attn, multihead_attn;
  Linear linear1;
  Dropout dropout;
  Linear linear2;
  LayerNorm norm1, norm2, norm3;
  Dropout dropout1, dropout2, dropout3;
  TransformerDecoderLayer(int64_t d_model, int64_t nhead, TransformerLayerOptions options = {});
  Tensor forward(const Tensor& tgt, const Tensor& memory, const Tensor& tgt_mask = {}, const Tensor& memory_mask = {},
                 const Tensor& tgt_key_padding_mask = {}, const Tensor& memory_key_padding_mask = {},
                 bool tgt_is_causal = false, bool memory_is_causal = false) const;
};
/// num_layers copies of a layer, with its values, then `norm`.
struct TG_API TransformerEncoder : ModuleOf<TransformerEncoder> {
  ModuleList<TransformerEncoderLayer> layers;
  std::optional<LayerNorm> norm;
  TransformerEncoder(const TransformerEncoderLayer& layer, int64_t num_layers, std::optional<LayerNorm> norm = {});
  Tensor forward(const Tensor& src, const Tensor& mask = {}, const Tensor& src_key_padding_mask = {},
                 bool is_causal = false) const;
};
struct TG_API TransformerDecoder : ModuleOf<TransformerDecoder> {
  ModuleList<TransformerDecoderLayer> layers;
  std::optional<LayerNorm> norm;
  TransformerDecoder(const TransformerDecoderLayer& layer, int64_t num_layers, std::optional<LayerNorm> norm = {});
  Tensor forward(const Tensor& tgt, const Tensor& memory, const Tensor& tgt_mask = {}, const Tensor& memory_mask = {},
                 const Tensor& tgt_key_padding_mask = {}, const Tensor& memory_key_padding_mask = {},
                 bool tgt_is_causal = false, bool memory_is_causal = false) const;
};

struct TransformerOptions {
  int64_t d_model = 512, nhead = 8, num_encoder_layers = 6, num_decoder_layers = 6, dim_feedforward = 2048;
  double dropout = 0.1;
  std::string activation = "relu";
  double layer_norm_eps = 1e-5;
  bool batch_first = false, norm_first = false, bias = true;
};
struct TransformerMasks {
  Tensor src_mask = {}, tgt_mask = {}, memory_mask = {}, src_key_padding_mask = {}, tgt_key_padding_mask = {},
         memory_key_padding_mask = {};
  bool src_is_causal = false, tgt_is_causal = false, memory_is_causal = false;
  template <class F> void for_each_tensor(F&& f) {
    for (Tensor* t :
         {&src_mask, &tgt_mask, &memory_mask, &src_key_padding_mask, &tgt_key_padding_mask, &memory_key_padding_mask})
      f(*t);
  }
};
struct TG_API Transformer : ModuleOf<Transformer> {
  TransformerOptions options;
  TransformerEncoder encoder;
  TransformerDecoder decoder;
  explicit Transformer(TransformerOptions options = {});
  /// model(src, tgt, nn::TransformerMasks{.tgt_mask = …})
  Tensor forward(const Tensor& src, const Tensor& tgt, const TransformerMasks& masks = {}) const;
  /// (size, size) with -inf above the diagonal and 0 elsewhere: step i sees steps up to i.
  static Tensor generate_square_subsequent_mask(int64_t size);
};

}  // namespace tapegrad::nn
