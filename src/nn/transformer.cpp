// Attention of several heads, transformer layers and stacks.
#include <limits>

#include "src/nn/layer.h"
#include "tapegrad/nn_init.h"
#include "tapegrad/nn_transformer.h"

namespace tapegrad::nn {

// ---- attention

MultiheadAttention::MultiheadAttention(int64_t embed, int64_t heads, MultiheadAttentionOptions o)
    : out_proj("NonDynamicallyQuantizableLinear", embed, embed, o.bias), embed_dim(embed), num_heads(heads), options(o) {
  TG_CHECK(embed > 0 && heads > 0 && embed % heads == 0, ValueError,
           "MultiheadAttention: embed_dim must be positive and divisible by num_heads, got ", embed, " and ", heads);
  const int64_t kdim = o.kdim.value_or(embed), vdim = o.vdim.value_or(embed);
  const auto xavier = [&](const char* name, IntList size) {
    return init::xavier_uniform_(register_parameter(name, uninitialised(size)));
  };
  if (kdim == embed && vdim == embed) {
    in_proj_weight = xavier("in_proj_weight", {3 * embed, embed});
  } else {
    q_proj_weight = xavier("q_proj_weight", {embed, embed});
    k_proj_weight = xavier("k_proj_weight", {embed, kdim});
    v_proj_weight = xavier("v_proj_weight", {embed, vdim});
  }
  if (o.bias) in_proj_bias = register_parameter("in_proj_bias", zeros({3 * embed})), init::zeros_(out_proj.bias);
  if (o.add_bias_kv) {
    bias_k = init::xavier_normal_(register_parameter("bias_k", uninitialised({1, 1, embed})));
    bias_v = init::xavier_normal_(register_parameter("bias_v", uninitialised({1, 1, embed})));
  }
  register_module("out_proj", out_proj);
}

namespace {

/// A mask that is added to the scores: a bool one has -inf where true.
Tensor additive(const Tensor& mask, const char* name, Dtype dtype) {
  if (!mask.defined() || mask.is_floating_point()) return mask;
  TG_CHECK(mask.dtype() == Dtype::Bool, DtypeError, "MultiheadAttention: ", name, " must be bool or floating",
           Named{name, mask});
  return masked_fill(zeros(mask.sizes(), dtype), mask, -std::numeric_limits<double>::infinity());
}
struct Projected {
  Tensor q, k, v;
};
/// Queries, keys and values; one product for all that are the same tensor.
Projected project(const MultiheadAttention& m, const Tensor& query, const Tensor& key, const Tensor& value) {
  const int64_t size = m.embed_dim;
  const Tensor &weight = m.in_proj_weight, &bias = m.in_proj_bias;
  if (weight.defined() && key.is_same(value)) {
    if (query.is_same(key)) {
      const std::vector<Tensor> all = chunk(linear(query, weight, bias), 3, -1);
      return {all[0], all[1], all[2]};
    }
    const std::vector<Tensor> w = split(weight, {size, 2 * size}),
                              b = bias.defined() ? split(bias, {size, 2 * size}) : std::vector<Tensor>(2);
    const Tensor q = linear(query, w[0], b[0]);
    const std::vector<Tensor> kv = chunk(linear(key, w[1], b[1]), 2, -1);
    return {q, kv[0], kv[1]};
  }
  const std::vector<Tensor> w =
      weight.defined() ? chunk(weight, 3) : std::vector<Tensor>{m.q_proj_weight, m.k_proj_weight, m.v_proj_weight};
  const std::vector<Tensor> b = bias.defined() ? chunk(bias, 3) : std::vector<Tensor>(3);
  return {linear(query, w[0], b[0]), linear(key, w[1], b[1]), linear(value, w[2], b[2])};
}

/// Query (L, N, E), key and value (S, N, …), masks with a batch dimension: (L, N, E) and weights (N, heads, L, S).
std::tuple<Tensor, Tensor> attend(const MultiheadAttention& m, const Tensor& query, const Tensor& key,
                                  const Tensor& value, Tensor key_padding_mask, bool need_weights, Tensor attn_mask) {
  const int64_t length = query.size(0), n = query.size(1), size = query.size(2), source = key.size(0),
                head = size / m.num_heads;
  TG_CHECK(size == m.embed_dim, ShapeError, "MultiheadAttention: query must have embed_dim features, ", m.embed_dim,
           Named{"query", query});
  TG_CHECK(source == value.size(0) && key.size(1) == value.size(1) && key.size(1) == n, ShapeError,
           "MultiheadAttention: key and value must have the same length, and all the same batch", Named{"query", query},
           Named{"key", key}, Named{"value", value});
  Projected p = project(m, query, key, value);
  Tensor &q = p.q, &k = p.k, &v = p.v;  // structured bindings are not for lambdas before clang 16

  if (attn_mask.defined()) {
    const Shape expected = attn_mask.dim() == 2 ? Shape{length, source} : Shape{n * m.num_heads, length, source};
    TG_CHECK(attn_mask.sizes() == expected, ShapeError, "MultiheadAttention: attn_mask must have shape ", expected,
             Named{"attn_mask", attn_mask});
  }
  if (key_padding_mask.defined())
    TG_CHECK(key_padding_mask.sizes() == Shape({n, source}), ShapeError,
             "MultiheadAttention: key_padding_mask must have shape ", Shape{n, source},
             Named{"key_padding_mask", key_padding_mask});
  attn_mask = additive(attn_mask, "attn_mask", q.dtype());
  key_padding_mask = additive(key_padding_mask, "key_padding_mask", q.dtype());

  const auto heads = [&](const Tensor& x) {
    return permute(reshape(x, {x.size(0), n, m.num_heads, head}), {1, 2, 0, 3});
  };
  const auto lengthen = [&](const Tensor& more_k, const Tensor& more_v) {  // one key and value more; masks allow them
    if (attn_mask.defined()) attn_mask = pad(attn_mask, {0, 1});
    if (key_padding_mask.defined()) key_padding_mask = pad(key_padding_mask, {0, 1});
    k = cat({k, more_k}, -2), v = cat({v, more_v}, -2);
  };
  q = heads(q), k = heads(k), v = heads(v);
  if (m.bias_k.defined()) lengthen(heads(expand(m.bias_k, {1, n, size})), heads(expand(m.bias_v, {1, n, size})));
  if (m.options.add_zero_attn) {
    const Tensor zero = zeros({n, m.num_heads, 1, head}, k.dtype());
    lengthen(zero, zero);
  }

  Tensor mask = attn_mask;
  if (mask.defined() && mask.dim() == 3) mask = reshape(mask, {n, m.num_heads, length, -1});
  if (key_padding_mask.defined()) {
    const Tensor padding = reshape(key_padding_mask, {n, 1, 1, -1});
    mask = mask.defined() ? mask + padding : padding;
  }
  const double drop = m.is_training() ? m.options.dropout : 0;
  Tensor out, weights;
  if (need_weights) {
    const Tensor scores = matmul(q * std::pow(double(head), -0.5), transpose(k, -2, -1));
    weights = softmax(mask.defined() ? scores + mask : scores, -1);
    out = matmul(drop > 0 ? dropout(weights, drop, true) : weights, v);
  } else {
    out = scaled_dot_product_attention(q, k, v, mask, drop);
  }
  return {linear(reshape(permute(out, {2, 0, 1, 3}), {length, n, size}), m.out_proj.weight, m.out_proj.bias), weights};
}

}  // namespace

std::tuple<Tensor, Tensor> MultiheadAttention::forward(const Tensor& query, const Tensor& key, const Tensor& value,
                                                       const Tensor& key_padding_mask, bool need_weights,
                                                       const Tensor& attn_mask, bool average_attn_weights,
                                                       bool is_causal) const {
  OpScope op("MultiheadAttention");
  TG_CHECK((query.dim() == 2 || query.dim() == 3) && key.dim() == query.dim() && value.dim() == query.dim(), ShapeError,
           "query, key and value must all have 3 dimensions, or 2 without a batch", Named{"query", query},
           Named{"key", key}, Named{"value", value});
  TG_CHECK(!is_causal || attn_mask.defined(), ValueError,
           "is_causal says that attn_mask is the causal one, and there is none");
  const bool batched = query.dim() == 3, turned = batched && options.batch_first;
  // One tensor stays one tensor: its projections are one product.
  const auto arrange = [&](const Tensor& x) { return !batched ? unsqueeze(x, 1) : turned ? transpose(x, 0, 1) : x; };
  const Tensor q = arrange(query), k = key.is_same(query) ? q : arrange(key),
               v = value.is_same(key) ? k : arrange(value);
  const Tensor padding = key_padding_mask.defined() && !batched ? unsqueeze(key_padding_mask, 0) : key_padding_mask;
  auto [out, weights] = attend(*this, q, k, v, padding, need_weights, attn_mask);
  if (weights.defined() && average_attn_weights) weights = mean(weights, 1);
  if (batched) return {turned ? transpose(out, 0, 1) : out, weights};
  return {squeeze(out, 1), weights.defined() ? squeeze(weights, 0) : weights};
}

// ---- layers

namespace {

MultiheadAttention attention(int64_t d_model, int64_t nhead, const TransformerLayerOptions& o) {
  return MultiheadAttention(d_model, nhead, {.dropout = o.dropout, .bias = o.bias, .batch_first = o.batch_first});
}
LayerNorm layer_norm_of(int64_t d_model, double eps, bool bias) { return LayerNorm(d_model, eps, true, bias); }
template <class Block> Tensor residual(const Tensor& x, const LayerNorm& norm, bool norm_first, Block block) {
  return norm_first ? x + block(norm(x)) : norm(x + block(x));
}
Tensor attend_to(const MultiheadAttention& m, const Dropout& drop, const Tensor& x, const Tensor& memory,
                 const Tensor& mask, const Tensor& padding, bool is_causal) {
  return drop(std::get<0>(m(x, memory, memory, padding, false, mask, true, is_causal)));
}
template <class Layer> Tensor feed_forward(const Layer& m, const Tensor& x, const Dropout& drop) {
  const Tensor h = m.linear1(x);
  return drop(m.linear2(m.dropout(m.options.activation == "gelu" ? gelu(h) : relu(h))));
}
void check_activation(const std::string& f) {
  TG_CHECK(f == "relu" || f == "gelu", ValueError, "the activation of a transformer layer must be relu or gelu, got \"",
           f, "\"");
}
/// A layer like this one with values of its own; draws no random numbers.
template <class Layer> Layer copy_of(const Layer& layer) {
  const Tensor random = default_generator().get_state();
  Layer copy(layer.d_model, layer.nhead, layer.options);
  default_generator().set_state(random);
  copy.to(layer.linear1.weight.dtype());
  copy.load_state_dict(layer.state_dict());
  copy.train(layer.is_training());
  const std::vector<Tensor> from = layer.parameters(), to = copy.parameters();
  for (size_t k = 0; k < from.size(); k++) to[k].set_requires_grad(from[k].requires_grad());
  return copy;
}

}  // namespace

TransformerEncoderLayer::TransformerEncoderLayer(int64_t d, int64_t heads, TransformerLayerOptions o)
    : d_model(d),
      nhead(heads),
      options(std::move(o)),
      self_attn(register_module("self_attn", attention(d, heads, options))),
      linear1(register_module("linear1", Linear(d, options.dim_feedforward, options.bias))),
      dropout(register_module("dropout", Dropout(options.dropout))),
      linear2(register_module("linear2", Linear(options.dim_feedforward, d, options.bias))),
      norm1(register_module("norm1", layer_norm_of(d, options.layer_norm_eps, options.bias))),
      norm2(register_module("norm2", layer_norm_of(d, options.layer_norm_eps, options.bias))),
      dropout1(register_module("dropout1", Dropout(options.dropout))),
      dropout2(register_module("dropout2", Dropout(options.dropout))) {
  check_activation(options.activation);
}
Tensor TransformerEncoderLayer::forward(const Tensor& src, const Tensor& mask, const Tensor& padding,
                                        bool is_causal) const {
  const bool first = options.norm_first;
  const Tensor x = residual(src, norm1, first, [&](const Tensor& x) {
    return attend_to(self_attn, dropout1, x, x, mask, padding, is_causal);
  });
  return residual(x, norm2, first, [&](const Tensor& x) { return feed_forward(*this, x, dropout2); });
}

TransformerDecoderLayer::TransformerDecoderLayer(int64_t d, int64_t heads, TransformerLayerOptions o)
    : d_model(d),
      nhead(heads),
      options(std::move(o)),
      self_attn(register_module("self_attn", attention(d, heads, options))),
      multihead_attn(register_module("multihead_attn", attention(d, heads, options))),
      linear1(register_module("linear1", Linear(d, options.dim_feedforward, options.bias))),
      dropout(register_module("dropout", Dropout(options.dropout))),
      linear2(register_module("linear2", Linear(options.dim_feedforward, d, options.bias))),
      norm1(register_module("norm1", layer_norm_of(d, options.layer_norm_eps, options.bias))),
      norm2(register_module("norm2", layer_norm_of(d, options.layer_norm_eps, options.bias))),
      norm3(register_module("norm3", layer_norm_of(d, options.layer_norm_eps, options.bias))),
      dropout1(register_module("dropout1", Dropout(options.dropout))),
      dropout2(register_module("dropout2", Dropout(options.dropout))),
      dropout3(register_module("dropout3", Dropout(options.dropout))) {
  check_activation(options.activation);
}
Tensor TransformerDecoderLayer::forward(const Tensor& tgt, const Tensor& memory, const Tensor& tgt_mask,
                                        const Tensor& memory_mask, const Tensor& tgt_padding,
                                        const Tensor& memory_padding, bool tgt_is_causal, bool memory_is_causal) const {
  const bool first = options.norm_first;
  Tensor x = residual(tgt, norm1, first, [&](const Tensor& x) {
    return attend_to(self_attn, dropout1, x, x, tgt_mask, tgt_padding, tgt_is_causal);
  });
  x = residual(x, norm2, first, [&](const Tensor& x) {
    return attend_to(multihead_attn, dropout2, x, memory, memory_mask, memory_padding, memory_is_causal);
  });
  return residual(x, norm3, first, [&](const Tensor& x) { return feed_forward(*this, x, dropout3); });
}

// ---- stacks

TransformerEncoder::TransformerEncoder(const TransformerEncoderLayer& layer, int64_t count, std::optional<LayerNorm> n)
    : norm(std::move(n)) {
  for (int64_t k = 0; k < count; k++) layers.push_back(copy_of(layer));
  register_module("layers", layers);
  if (norm) register_module("norm", *norm);
}
Tensor TransformerEncoder::forward(const Tensor& src, const Tensor& mask, const Tensor& padding, bool is_causal) const {
  Tensor x = src;
  for (const TransformerEncoderLayer& layer : layers) x = layer(x, mask, padding, is_causal);
  return norm ? (*norm)(x) : x;
}
TransformerDecoder::TransformerDecoder(const TransformerDecoderLayer& layer, int64_t count, std::optional<LayerNorm> n)
    : norm(std::move(n)) {
  for (int64_t k = 0; k < count; k++) layers.push_back(copy_of(layer));
  register_module("layers", layers);
  if (norm) register_module("norm", *norm);
}
Tensor TransformerDecoder::forward(const Tensor& tgt, const Tensor& memory, const Tensor& tgt_mask,
                                   const Tensor& memory_mask, const Tensor& tgt_padding, const Tensor& memory_padding,
                                   bool tgt_is_causal, bool memory_is_causal) const {
  Tensor x = tgt;
  for (const TransformerDecoderLayer& layer : layers)
    x = layer(x, memory, tgt_mask, memory_mask, tgt_padding, memory_padding, tgt_is_causal, memory_is_causal);
  return norm ? (*norm)(x) : x;
}

static TransformerLayerOptions of_layer(const TransformerOptions& o) {
  return {o.dim_feedforward, o.dropout, o.activation, o.layer_norm_eps, o.batch_first, o.norm_first, o.bias};
}
Transformer::Transformer(TransformerOptions o)
    : options(std::move(o)),
      encoder(TransformerEncoderLayer(options.d_model, options.nhead, of_layer(options)), options.num_encoder_layers,
              layer_norm_of(options.d_model, options.layer_norm_eps, options.bias)),
      decoder(TransformerDecoderLayer(options.d_model, options.nhead, of_layer(options)), options.num_decoder_layers,
              layer_norm_of(options.d_model, options.layer_norm_eps, options.bias)) {
  register_module("encoder", encoder);
  register_module("decoder", decoder);
  for (const Tensor& p : parameters())
    if (p.dim() > 1) init::xavier_uniform_(p);
}
Tensor Transformer::forward(const Tensor& src, const Tensor& tgt, const TransformerMasks& m) const {
  const int64_t batch = options.batch_first ? 0 : 1;
  TG_CHECK(src.dim() == tgt.dim() && (src.dim() == 2 || src.dim() == 3) && src.size(-1) == options.d_model &&
               tgt.size(-1) == options.d_model && (src.dim() == 2 || src.size(batch) == tgt.size(batch)),
           ShapeError, "Transformer: src and tgt must both have 3 dimensions, or 2 without a batch, d_model features (",
           options.d_model, ") and one batch size", Named{"src", src}, Named{"tgt", tgt});
  const Tensor memory = encoder(src, m.src_mask, m.src_key_padding_mask, m.src_is_causal);
  return decoder(tgt, memory, m.tgt_mask, m.memory_mask, m.tgt_key_padding_mask, m.memory_key_padding_mask,
                 m.tgt_is_causal, m.memory_is_causal);
}
Tensor Transformer::generate_square_subsequent_mask(int64_t size) {
  return triu(full({size, size}, -std::numeric_limits<double>::infinity()), 1);
}

}  // namespace tapegrad::nn
