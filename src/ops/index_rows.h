// The one loop under all indexing with integers: x[…, offsets, …] seen as rows at given element offsets. index, index_put_,
// index_select, index_add_, index_copy_, index_fill_ and embedding differ only in how they make the offsets and what they do.
#pragma once
#include "src/ops/typed.h"
#include "src/ops/view.h"

namespace tapegrad {

struct Rows {
  Walk<1> before, after;  // the dimensions left and right of the index, strides in x
  Tensor offsets;         // int64, contiguous: where in x each index points, in elements
  Shape size;             // before, index, after: of the result
  // On CUDA: the offsets, or (bounds) the index itself, yet to be checked against the size of `dim`; times stride. Fewer than `places`.
  int64_t stride = 1, places = 0;
  int dim = 0;
  bool bounds = false;
  bool from_end = true;  // (bounds) may count from the end
};
/// Integer tensors for some dimensions of x (undefined: all of that dimension); they broadcast together. The index dimensions
/// stand where the indexed ones were, or in front when those are not adjacent. Throws IndexError naming index, dimension, size.
Rows plan_rows(const Tensor& x, TensorList indices);
/// One vector of indices along dim, which must be of integer dtype; from_end: negative ones count from the end, or are out of bounds.
Rows plan_rows(const Tensor& x, int64_t dim, const Tensor& index, bool from_end = false);

/// x's rows as a new row-major tensor of rows.size. Records nothing, as all here.
Tensor get_rows(const Tensor& x, const Rows& rows);
enum class Put : uint8_t { Set, Add };
/// Writes values (rows.size, or one element for all) into x in index order: the last of equal indices wins, or all are added
/// one after the other, so results do not depend on threads. Same dtype as x.
void put_rows(const Tensor& x, const Rows& rows, const Tensor& values, Put what, Scalar alpha = 1);

/// Positions of the elements that are not zero: int64[mask.dim(), n], a row per dimension.
Tensor nonzero_columns(const Tensor& mask);
/// x's elements where mask, a bool or uint8 tensor of its size, is set, as a vector. Records nothing.
Tensor get_set(const Tensor& x, const Tensor& mask);
/// The same, recorded; `title` is the node's name.
Tensor select_set(const Tensor& x, const Tensor& mask, const char* title);
/// Masks become integer tensors, others int64; checked against x's dimensions. `dim` is where the first stands.
std::vector<Tensor> integer_indices(const Tensor& x, TensorList indices);

}  // namespace tapegrad
