// What the normalisations share.
#pragma once
#include "src/ops/rows.h"

namespace tapegrad {

/// The formula on Tensors, for when the gradient is to be differentiated again. x is normalised over `dims`; gw is the
/// gradient times the scale. Gives the gradient of x and, if wanted, x normalised.
inline Tensor normalized_gradient(const Tensor& x, const Tensor& gw, IntList dims, double eps, bool centred, Tensor* normalized) {
  const Tensor c = centred ? x - mean(x, dims, true) : x;
  const Tensor r = Tensor(1.0) / sqrt(mean(c * c, dims, true) + Tensor(eps)), n = c * r;
  if (normalized) *normalized = n;
  const Tensor along = n * mean(gw * n, dims, true);
  return r * (centred ? gw - mean(gw, dims, true) - along : gw - along);
}
/// A parameter that has one element a channel, on the input's device, or is not given.
void check_channels(const Tensor& input, const Tensor& t, const char* name);
/// running = (1 - momentum) running + momentum value, in place, in float64. Nothing when undefined.
void update_running(const Tensor& running, const Tensor& value, double momentum);
void update_running(const Tensor& running, const double* value, double momentum);
/// Pieces that rows are cut into when each piece sums on its own: a function of the shape only.
inline int64_t row_pieces(int64_t rows) { return rows < 64 ? 1 : rows < 1024 ? 4 : 16; }
inline double* doubles(const Tensor& t) { return t->host<double>(); }

}  // namespace tapegrad
