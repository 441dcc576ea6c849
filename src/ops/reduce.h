// The driver of all reductions: which elements meet in which order, over any dims, strides and dtypes. See cpu/reduce.h for
// the folds themselves. Work is cut by the shape only, so results do not depend on the number of threads.
#pragma once
#include "src/ops/cpu/reduce.h"
#include "src/ops/view.h"
#include "tapegrad/ops.h"

namespace tapegrad {

const ReduceTable& reduce_kernels();
inline FoldType fold_compute(Dtype d) { return d == Dtype::Float64 ? kFoldF64 : is_floating(d) ? kFoldF32 : kFoldI64; }

/// kFoldTypes when no kernel reads runs of d as they are.
inline FoldType fold_stored(Dtype d) {
  return d == Dtype::Float16 ? kFoldF16 : d == Dtype::BFloat16 ? kFoldBF16 : is_floating(d) || d == Dtype::Int64 ? fold_compute(d) : kFoldTypes;
}

/// Bit d is set when dimension d is reduced; an empty list means all. Throws IndexError (range) and ValueError (repeats).
uint32_t reduced_dims(const Tensor& x, IntList dim);
Shape reduced_shape(IntList sizes, uint32_t dims, bool keepdim);
/// How many elements meet in one result.
int64_t reduced_count(const Tensor& x, uint32_t dims);

struct FoldFinish {
  double divide = 1;             // result = accumulator / divide …
  bool root = false;             // … or its square root
  const Tensor* shift = nullptr; // float64, contiguous, one number per result: subtracted first (kSumSquares, kSumExp)
};
/// x folded over `dims` into `out`: row-major, as many elements as results, any dtype (bool: accumulator != 0). Records nothing.
/// An empty reduction gives the fold's neutral element.
void fold_into(const Tensor& out, FoldKind kind, const Tensor& x, uint32_t dims, FoldFinish finish = {});
inline Tensor fold(FoldKind kind, const Tensor& x, uint32_t dims, bool keepdim, Dtype dtype, FoldFinish finish = {}) {
  Tensor out = empty(reduced_shape(x.sizes(), dims, keepdim), dtype, x.device());
  fold_into(out, kind, x, dims, finish);
  return out;
}

/// sum(x, dims) / divide in x's dtype, recorded. With no dims: x / divide.
Tensor sum_over(const Tensor& x, uint32_t dims, bool keepdim, double divide = 1);
/// g, of the shape that `dims` reduce `sizes` to, repeated (stride 0) along them: the gradient of a sum. Recorded.
Tensor spread(const Tensor& g, IntList sizes, uint32_t dims, bool keepdim);

}  // namespace tapegrad
