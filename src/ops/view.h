// What the families that move, cut and index elements share: dimension arithmetic and the geometry of views.
#pragma once
#include "tapegrad/ops.h"

namespace tapegrad {

/// dim in [0, ndim); negative ones count from the end. A 0-d tensor takes 0 and -1. Throws IndexError naming x.
inline int64_t wrap_dim(int64_t dim, int64_t ndim, const Tensor& x) {
  const int64_t n = ndim ? ndim : 1;
  TG_CHECK(dim >= -n && dim < n, IndexError, "dimension out of range, expected to be in [", -n, ", ", n - 1, "], got ", dim, Named{"input", x});
  return dim < 0 ? dim + n : dim;
}
/// Size along a wrapped dimension: a 0-d tensor has 1.
inline int64_t size_of(const Tensor& x, int64_t dim) { return x->ndim ? x->sizes[dim] : 1; }
inline int64_t product(IntList l) {
  int64_t n = 1;
  for (int64_t v : l) n *= v;
  return n;
}
inline Shape row_major_strides(IntList size) {
  Shape s(size.size(), 1);
  int64_t step = 1;
  for (size_t d = size.size(); d-- > 0;) {
    s[d] = step;
    step *= size[d] > 1 ? size[d] : 1;
  }
  return s;
}
/// `size` with its -1, if any, filled in so that there are x.numel() elements. Throws ShapeError.
Shape infer_size(const Tensor& x, IntList size);
/// The shape that all broadcast to. Throws ShapeError naming both culprits.
Shape broadcast_sizes(TensorList tensors);

/// Indices start, start + step, … (length of them) along one dimension; `drop` removes the dimension (select).
struct Part {
  Shape sizes;  // of the whole
  int64_t dim, start, step, length;
  bool drop;
};
/// The part of x as a view without history.
Tensor part_of(const Tensor& x, const Part& p, bool view);
/// zeros(p.sizes) with g in the part: the gradient of taking a part. Recorded.
Tensor embed(const Tensor& g, const Part& p);

}  // namespace tapegrad
