// Reductions and scans: src/cuda/ops/reduce_*.cu, scan_*.cu.
#pragma once
#include "src/ops/cpu/reduce.h"
#include "src/ops/cuda/fold_plan.h"
#include "src/ops/cuda/walk.h"

namespace tapegrad {

/// x, of dtype bool, uint8, int32, int64 or a float, folded as src/ops/cpu/reduce.h says. With plan.chunks > 1 `out` gets an accumulator
/// for each chunk, [results, chunks] of accumulator_dtype, as they are.
struct CudaFold {
  FoldKind kind;
  Dtype in, out;
  const char* x;
  char* out_data;
  const double* shift;  // one for each result, or null: subtracted from the elements of kSumSquares and kSumExp
  double divide;
  bool root;
  FoldPlan plan;
};
/// What meets in the second pass: int64 for integers and counts, else float64.
constexpr Dtype accumulator_dtype(FoldKind kind, Dtype in) {
  return is_floating(in) && kind != kCount && kind != kAll ? Dtype::Float64 : Dtype::Int64;
}

/// The largest (smallest) of each result's elements and which one it is: NaN wins, of equals the first.
struct CudaPlace {
  bool smallest;
  Dtype dtype;  // bool, uint8, int32, int64 or a float
  const char* x;
  char* value;
  int64_t* index;
  char* parts;    // chunks > 1: room for 16 bytes for each result and chunk
  FoldPlan plan;  // of one reduced dimension
};

enum ScanKind { kScanSum, kScanProd, kScanRecurrence, kScanLogSumExp, kScanMax, kScanMin };
/// Along the lines of row-major [outer, n, inner] x to y, of dtype float32, float64, int64 (not kScanRecurrence, kScanLogSumExp) or
/// complex128 (the first three). kScanRecurrence: y[i] = a[i] y[i-1] + x[i]. kScanMax and kScanMin: index[i] is where y[i] comes from,
/// of equals the last; NaN stays.
struct CudaScan {
  ScanKind kind;
  Dtype dtype;
  const char *x, *a;
  char* y;
  int64_t* index;
  bool back;     // from the end of each line
  char* totals;  // chunks > 1: room for kTotal bytes for each line and chunk
  ScanPlan plan;
  static constexpr int64_t kTotal = 32;
};

struct CudaReduce {
  void (*fold)(const CudaFold& f);
  void (*place)(const CudaPlace& p);
  void (*scan)(const CudaScan& s);
};

}  // namespace tapegrad
