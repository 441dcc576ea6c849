// Products: src/cuda/ops/matmul.cpp.
#pragma once
#include "src/ops/cuda/walk.h"

namespace tapegrad {

/// The matrices of a product that lie `batch` elements apart (0: one for all). Strides in elements, as make_readable leaves them.
struct CudaMatrix {
  const char* data;
  int64_t rows, cols, row, col, batch;
};
/// c = a b + bias, or its gelu, or c += a b: `count` products of row-major matrices. None of m, n, k and count is 0.
struct CudaProduct {
  Dtype dtype;             // of all four: any but bool and the wide unsigned ones
  bool tf32, add;          // tf32: float32 may be rounded to 10 bits before it is multiplied. add: then there is no bias
  int64_t count;
  CudaMatrix a, b;
  char* c;
  int64_t c_row, c_batch;  // its columns lie side by side
  const char* bias;        // a number a column, or null; null for complex numbers
  bool gelu = false;       // in its form with tanh; of floats only
  char* before_gelu = nullptr;  // for the numbers that gelu is of, in c's places
  char* row_sums = nullptr;  // for the sums of a's rows, m of `dtype`, made on the way. Then there is neither bias nor gelu
};

struct CudaMatmul {
  /// False, and nothing has been done, where there is no way to make gelu, before_gelu or row_sums on the way.
  bool (*product)(const CudaProduct& p);
};

/// Whether a matrix can be multiplied as it lies: one of its strides is 1, and the other leaves room for the dimension of that
/// stride. The stride of a dimension of size 1, which is never taken, is set to what fits.
inline bool make_readable(int64_t rows, int64_t cols, int64_t& row, int64_t& col) {
  if (rows == 1 && cols == 1) row = col = 1;
  else if (rows == 1) row = col == 1 ? cols : 1;
  else if (cols == 1) col = row == 1 ? rows : 1;
  return (col == 1 && row >= cols) || (row == 1 && col >= rows);
}

}  // namespace tapegrad
