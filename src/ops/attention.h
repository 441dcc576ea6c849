// Attention without its matrix of weights: src/ops/attention_blocks.cpp.
#pragma once
#include "tapegrad/ops.h"

namespace tapegrad {

struct Attention {
  Tensor mask;   // added to the scores, (…, queries, keys) with the leading dimensions of the query; may be undefined
  bool causal;   // query i sees keys 0 to i
  double scale;
};
/// softmax(q kᵀ · scale + mask) v, recorded as one node. All of one dtype, float32 or float64, and of the same leading dimensions;
/// none is empty and the mask needs no gradient.
Tensor attention_blocks(const Tensor& q, const Tensor& k, const Tensor& v, const Attention& how);
/// The same as a composition of differentiable ops, for gradients of gradients.
Tensor attention_composed(const Tensor& q, const Tensor& k, const Tensor& v, const Attention& how, double dropout_p);

}  // namespace tapegrad
