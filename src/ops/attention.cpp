// Scaled dot-product attention: the fused blocks of attention_blocks.cpp, or a composition of products and a softmax.
#include "src/ops/attention.h"

#include <cmath>
#include <limits>

#include "src/ops/matmul.h"
#include "src/ops/op_info.h"

namespace tapegrad {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();

// What a bool mask adds to the scores: 0 where true, -inf elsewhere.
Tensor penalty(const Tensor& allowed, Dtype dtype) {
  NoGrad off;
  return masked_fill(zeros(allowed.sizes(), dtype, allowed.device()), logical_not(allowed), Tensor(kNever));
}
// Query i sees keys 0 to i.
Tensor causal(int64_t queries, int64_t keys, Dtype dtype, Device device) {
  NoGrad off;
  return penalty(tril(ones({queries, keys}, bool_, device)), dtype);
}
// Heads of k or v repeated until there are as many as query heads.
Tensor repeat_heads(const Tensor& x, int64_t times) {
  if (times == 1) return x;
  Shape wide = x.sizes(), size = x.sizes();
  wide.insert(wide.size() - 2, times);
  size[size.size() - 3] *= times;
  return reshape(expand(unsqueeze(x, -3), wide), size);
}
// A row that may see no key gives zeros, not NaN, and no gradient.
Tensor safe_softmax(const Tensor& scores) {
  Tensor blind;
  {
    NoGrad off;
    blind = eq(amax(scores, -1, true), Tensor(kNever));
    if (!any(blind).item<bool>()) blind = {};
  }
  if (!blind.defined()) return softmax(scores, -1);
  const Tensor zero(0.0);
  return masked_fill(softmax(masked_fill(scores, blind, zero), -1), blind, zero);
}

Shape leading(const Tensor& x) { return IntList(x->sizes, size_t(x->ndim - 2)); }
// Sums over many keys do not bear 8 or 11 bits: 16-bit floats are computed in float32.
Tensor widened(const Tensor& x) { return item_size(x.dtype()) == 2 ? to(x, float32) : x; }

}  // namespace

Tensor attention_composed(const Tensor& q, const Tensor& k, const Tensor& v, const Attention& how, double dropout_p) {
  Tensor scores = product(mul(q, Tensor(how.scale)), false, k, true);
  if (how.causal) scores = add(scores, causal(q.size(-2), k.size(-2), q.dtype(), q.device()));
  else if (how.mask.defined()) scores = add(scores, how.mask);
  Tensor weights = how.mask.defined() && scores.numel() > 0 ? safe_softmax(scores) : softmax(scores, -1);
  if (dropout_p > 0) weights = dropout(weights, dropout_p, true);
  return product(weights, false, v, false);
}

Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& attn_mask,
    double dropout_p, bool is_causal, std::optional<double> scale, bool enable_gqa) {
  OpScope op("scaled_dot_product_attention");
  const Named names[] = {{"query", query}, {"key", key}, {"value", value}};
  for (const Named& n : names) {
    TG_CHECK(n.tensor.dim() >= 2, ShapeError, n.name, " must have at least 2 dimensions, got ", n.tensor.dim(), names[0],
        names[1], names[2]);
    TG_CHECK(is_floating(n.tensor.dtype()) && n.tensor.dtype() == query.dtype(), DtypeError,
        "query, key and value must have the same floating dtype, got ", query.dtype(), ", ", key.dtype(), " and ",
             value.dtype(), names[0], names[1], names[2]);
  }
  TG_CHECK(query.size(-1) == key.size(-1), ShapeError, "query and key must have the same last dimension, got ", query.size(-1),
      " and ", key.size(-1), names[0], names[1], names[2]);
  TG_CHECK(key.size(-2) == value.size(-2), ShapeError, "key and value must have the same second-to-last dimension, got ",
      key.size(-2), " and ", value.size(-2), names[0], names[1], names[2]);
  TG_CHECK(!(is_causal && attn_mask.defined()), ValueError, "attn_mask must not be given when is_causal is True",
      Named{"attn_mask", attn_mask});
  TG_CHECK(dropout_p >= 0 && dropout_p <= 1, ValueError, "dropout_p must lie between 0 and 1, got ", dropout_p);
  if (attn_mask.defined())
    TG_CHECK(attn_mask.dtype() == bool_ || attn_mask.dtype() == query.dtype(), DtypeError,
        "attn_mask must be bool or of query's dtype, got ", attn_mask.dtype(), names[0], Named{"attn_mask", attn_mask});

  Tensor k = key, v = value;
  if (enable_gqa) {
    TG_CHECK(query.dim() >= 3 && key.dim() >= 3 && value.dim() >= 3, ShapeError, "enable_gqa needs a dimension of heads",
        names[0], names[1], names[2]);
    const int64_t heads = query.size(-3);
    TG_CHECK(key.size(-3) > 0 && value.size(-3) > 0 && heads % key.size(-3) == 0 && heads % value.size(-3) == 0, ShapeError,
        "query heads must be a multiple of key and value heads, got ", heads, ", ",
             key.size(-3), " and ", value.size(-3), names[0], names[1], names[2]);
    k = repeat_heads(key, heads / key.size(-3)), v = repeat_heads(value, heads / value.size(-3));
  }
  Attention how{{}, is_causal, scale ? *scale : 1 / std::sqrt(double(query.size(-1)))};
  if (attn_mask.defined()) how.mask = attn_mask.dtype() == bool_ ? penalty(attn_mask, query.dtype()) : attn_mask;
  const Shape lead = leading(query);
  const bool alike = lead == leading(k) && lead == leading(v), empty = query.numel() == 0 || k.numel() == 0 || v.numel() == 0;
  if (!alike || empty || dropout_p > 0 || recording(how.mask) || query.is_cuda()) return attention_composed(query, k, v, how, dropout_p);
  if (how.mask.defined()) {
    Shape size = lead;
    size.push_back(query.size(-2)), size.push_back(key.size(-2));
    how.mask = expand(widened(how.mask), size);
  }
  return to(attention_blocks(widened(query), widened(k), widened(v), how), query.dtype());
}

void attention_ops(OpTable& t) {
  t.add("scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask=None, float dropout_p=0.0, bool "
      "is_causal=False, *, float? scale=None, bool enable_gqa=False)",
        &scaled_dot_product_attention,
        "softmax(query keyᵀ · scale + mask) value, with scale 1/√E unless given: (…, L, E), (…, S, E), (…, S, Ev) -> (…, L, "
        "Ev). A bool attn_mask keeps what is True, a float "
        "one is added; is_causal lets query i see keys 0 to i; a query that sees no key gives zeros. With enable_gqa heads of "
        "key and value are shared by several query heads.")
      .functional_only()
      .samples({"T(2, 3, 4), T(2, 5, 4), T(2, 5, 6)", "T(2, 2, 3, 4), T(2, 2, 3, 4), T(2, 2, 3, 4), is_causal=True",
      "T(2, 3, 4), T(2, 3, 4), T(2, 3, 4), B(3, 3)",
                "T(2, 3, 4), T(2, 5, 4), T(2, 5, 4), T(3, 5), scale=.3",
                "T(1, 4, 3, 2), T(1, 2, 3, 2), T(1, 2, 3, 2), enable_gqa=True", "T(3, 4), T(5, 4), T(5, 2)"});
}

}  // namespace tapegrad
