// What the reduction kernels of one instruction set offer. Plain C types only: shared by every instruction set.
//
// A fold turns runs of one compute type (float, double or int64) into 8-byte accumulators: double for the two float types,
// int64 for integers. 16-bit floats are folded as the same floats would be, by
// the most usual folds alone. A fold only ever joins into its accumulators, so a long reduction may be fed piece by piece.
#pragma once
#include <stdint.h>

namespace tapegrad {

enum FoldKind { kSum, kSumSquares, kSumAbs, kSumExp, kProd, kMax, kMin, kMaxAbs, kMinAbs, kCount, kAll, kFolds };
/// What runs are stored in. The first three are also what is computed in, as Compute in elementwise.h.
enum FoldType { kFoldF32, kFoldF64, kFoldI64, kFoldF16, kFoldBF16, kFoldTypes };

struct FoldKernel {
  // acc[r] = join(acc[r], x[r * row_stride + i] for i < n), r < rows
  void (*rows)(const void* x, int64_t n, int64_t rows, int64_t row_stride, const double* shift, void* acc);
  // acc[c] = join(acc[c], x[r * row_stride + c] for r < rows), c < cols
  void (*cols)(const void* x, int64_t cols, int64_t rows, int64_t row_stride, const double* shift, void* acc);
};
/// Extremes and their first places. Fewer than 2^31 elements meet.
struct PlaceKernel {
  void (*rows)(const void* x, int64_t n, int64_t rows, int64_t row_stride, void* value, int64_t* index);
  void (*cols)(const void* x, int64_t cols, int64_t rows, int64_t row_stride, void* value, int64_t* index);
};
struct ReduceTable {
  FoldKernel fold[kFolds][kFoldTypes];    // null where there is none
  PlaceKernel place[2][kFoldTypes];  // largest, smallest
};

}  // namespace tapegrad
