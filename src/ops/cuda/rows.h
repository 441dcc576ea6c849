// Rows: softmax, norms, losses: src/cuda/ops/softmax.cu, norm*.cu, cross_entropy.cu.
//
// Operands are row-major and of one floating dtype; 16-bit ones are read and written as they are and computed in float. `stats` are
// float, or double for Float64 ("C" below). A result depends on its row's length and alignment, never on the grid.
#pragma once
#include "src/ops/cuda/walk.h"

namespace tapegrad {

/// Rows of n elements, `inner` apart; there are outer * inner of them.
struct CudaRowShape {
  Dtype dtype;
  int64_t outer, n, inner;
};
/// The parts of a normalisation that both ways share. Row r is normalised as a whole; channel_size 0: weight and bias have n elements, one
/// for each place; else one for each run of channel_size elements, of which a row holds n / channel_size, and row r begins with number
/// (r * n / channel_size) % channels.
struct CudaNorm {
  Dtype dtype;
  int64_t rows, n, channel_size, channels;
  double eps;
  bool centred;            // else the mean is taken to be 0
  const void *x, *weight;  // weight: may be null
  void* stats;             // C (rows, 2): mean, 1 / root of the variance
};
struct CudaClassLoss {
  Dtype dtype;
  int64_t rows, n, ignore_index;
  double smoothing;
  bool logits;             // else x holds log-probabilities
  const void* x;
  const int64_t* target;
  const void* weight;      // C (n), or null
  const void* weight_sum;  // C, or null where there is no weight
  void* stats;             // C (rows, 2): the largest x and the sum of exp(x - it); null without logits
};

struct CudaRows {
  void (*softmax)(const CudaRowShape&, const void* x, void* y, bool log);
  void (*softmax_backward)(const CudaRowShape&, const void* g, const void* y, void* dx, bool log);
  void (*norm)(const CudaNorm&, const void* bias, void* y);  // bias: may be null
  void (*norm_backward)(const CudaNorm&, const void* g, void* dx);
  /// Sums over rows of g * (x - mean) / deviation and of g for each place of a row; either result may be null. `partial`: C, of 2 *
  /// norm_pieces(rows) * n elements.
  void (*norm_sums)(const CudaNorm&, const void* g, void* partial, void* dweight, void* dbias);
  /// Both in one pass, where norm_at_once says so. `partial`: C, of 2 * norm_shares(rows, n) * n elements.
  void (*norm_backward_sums)(const CudaNorm&, const void* g, void* dx, void* partial, void* dweight, void* dbias);
  /// norm_sums for each run of channel_size elements: C (rows * n / channel_size) each.
  void (*norm_dots)(const CudaNorm&, const void* g, void* sum_gx, void* sum_g);
  /// Each row's loss (C) and the weight of its class, 0 where ignored (C). A class out of bounds is a fault.
  void (*class_loss)(const CudaClassLoss&, void* each, void* weights);
  /// out (dtype) = the sum of `each`, divided by the sum of `weights` if `mean`, which goes to *divide (C; 1 otherwise).
  void (*class_loss_sum)(Dtype, const void* each, const void* weights, int64_t rows, bool mean, void* out, void* divide);
  /// dx of g, one number or one for each row (per_row), over *divide.
  void (*class_loss_backward)(const CudaClassLoss&, const void* g, bool per_row, const void* divide, void* dx);
};
/// Pieces that `rows` are cut into for sums over rows: a function of the shape only.
inline int64_t norm_pieces(int64_t rows) { return rows <= 64 ? 1 : rows <= 4096 ? (rows + 63) / 64 : 64; }
/// Whether norm_backward_sums takes rows of n elements: those that registers hold and that all begin alike.
inline bool norm_at_once(Dtype d, int64_t n) {
  const int64_t pack = 16 / int64_t(item_size(d)), held = d == Dtype::Float64 ? 16 : 32;
  return n % pack == 0 && n <= 256 * held - pack;
}
/// How many teams of threads share the rows there: a function of the shape only.
inline int64_t norm_shares(int64_t rows, int64_t n) {
  const int64_t most = n <= 1024 ? 1024 : 256;
  return rows < most ? rows : most;
}

}  // namespace tapegrad
