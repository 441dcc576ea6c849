// Ops on CUDA tensors that are kernels of their own: what the families call where x.is_cuda(). Arguments have been checked; nothing here is
// recorded. Results are on the device of the first tensor.
#pragma once
#include "src/ops/cuda/kernels.h"
#include "src/ops/index_rows.h"
#include "src/ops/random.h"
#include "src/tensor/cuda.h"

namespace tapegrad {

// ---- rows (rows.cpp)

Tensor cuda_softmax(const Tensor& x, int64_t dim, bool log);
Tensor cuda_softmax_backward(const Tensor& g, const Tensor& y, int64_t dim, bool log);
/// A normalisation over rows of n elements, with weights by place (channels 0) or for each of so many channels.
struct CudaNormCall {
  int64_t n, channels;
  double eps;
  bool centred;
};
/// *stats: for the backward.
Tensor cuda_norm(const CudaNormCall& c, const Tensor& x, const Tensor& weight, const Tensor& bias, Tensor* stats);
/// The gradients that are wanted, of x, weight and bias; the last two have `own` sizes.
void cuda_norm_backward(const CudaNormCall& c, const Tensor& g, const Tensor& x, const Tensor& weight, const Tensor& stats, IntList own,
                        const bool (&wanted)[3], Tensor* dx);
struct CudaLossCall {
  int64_t ignore_index;
  double smoothing;
  bool logits, mean, each;  // each: a loss for every row
};
/// x (N, C), classes (N). *stats and *divide: for the backward.
Tensor cuda_class_loss(const CudaLossCall& c, const Tensor& x, const Tensor& classes, const Tensor& weight, Tensor* stats, Tensor* divide);
Tensor cuda_class_loss_backward(const CudaLossCall& c, const Tensor& g, const Tensor& x, const Tensor& classes, const Tensor& weight,
                                const Tensor& stats, const Tensor& divide);

// ---- indexing (index.cpp)

/// Sets rows.offsets and what goes with them, for indices that have been broadcast to one shape; `dims` are theirs in x.
void cuda_offsets(const Tensor& x, Rows& rows, TensorList indices, IntList dims);
Tensor cuda_get_rows(const Tensor& x, const Rows& rows);
void cuda_put_rows(const Tensor& x, const Rows& rows, const Tensor& values, Put what, Scalar alpha);
/// `index` is int64 and contiguous in these two.
Tensor cuda_gather(const Tensor& x, int64_t dim, const Tensor& index);
void cuda_scatter(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src, CudaPut how);
/// CudaIndex::fill_bags and bag_entries of tensors: int64 and row-major, starts, scale and kept may be undefined.
void cuda_fill_bags(EmbeddingBags p, const Tensor& index, const Tensor& starts, const Tensor& weight, const Tensor& scale, const Tensor& out,
                    const Tensor& kept);
void cuda_bag_entries(EmbeddingBags p, const Tensor& index, const Tensor& starts, const Tensor& row, const Tensor& bag);

// ---- random numbers (random.cpp): into row-major memory

void cuda_real(const Tensor& out, const CudaReal& law, const Generator* g);
void cuda_whole(const Tensor& out, int64_t low, uint64_t range, const Generator* g);
void cuda_chance(const Tensor& out, uint32_t threshold, const Generator* g);
void cuda_bernoulli(const Tensor& out, const Tensor& p, const Generator* g);
/// Poisson counts of rates a, or with p, of one shape, binomial ones of a trials; all are float64.
void cuda_counts(const Tensor& out, const Tensor& a, const Tensor& p, const Generator* g);
/// Recorded, unlike the others: its gradient is the same of g, with the same numbers drawn again.
Tensor cuda_dropout(const Tensor& x, double p);

}  // namespace tapegrad
