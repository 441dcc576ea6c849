// Sorting and selection: src/cuda/ops/sort*.cu, select.cu.
#pragma once
#include "src/ops/cuda/walk.h"

namespace tapegrad {

/// The first k of each row of n in order, and where they were in the row. Stable; NaN counts as the largest value. All row-major; the
/// first ten dtypes.
struct CudaSortRows {
  Dtype dtype;
  const char* x;
  char* values;
  int64_t* indices;
  int64_t rows, n, k;
  bool descending;
  char* scratch;  // of scratch_bytes(rows, n, dtype)
};
/// For each of `count` values where it would be inserted in its sorted row of `length` (one row for all when each == 0, else one for
/// every `each` values): before equal ones, or behind.
struct CudaSearch {
  Dtype dtype;
  const char *sorted, *values;
  int64_t* out;
  int64_t count, length, each;
  bool right;
};

struct CudaSort {
  static constexpr int64_t kMostElements = int64_t(1) << 31;  // that one call of sort_rows takes
  static constexpr int64_t kSetPiece = 4096;

  uint64_t (*scratch_bytes)(int64_t rows, int64_t n, Dtype dtype);
  void (*sort_rows)(const CudaSortRows& s);
  void (*search)(const CudaSearch& s);
  /// How many of the bytes of each piece of kSetPiece are not zero.
  void (*count_set)(const uint8_t* flags, int64_t n, int64_t* counts);
  /// Where they are: place k of dimension d goes to out[d * found + k]. ends[i]: how many are in the pieces up to the i-th.
  void (*write_set)(const uint8_t* flags, int64_t n, const int64_t* ends, int dims, const int64_t* sizes, int64_t found,
                    int64_t* out);
};

}  // namespace tapegrad
