// Kernels that move elements: past the caches, and across a transposed plane. Plain C types only.
#pragma once
#include <stdint.h>

namespace tapegrad {

struct MoveTable {
  /// Copies with non-temporal stores, which do not read the lines that they overwrite; meanwhile as many bytes from `next` on come into
  /// the second cache. After the last one of a piece of work: fence.
  void (*stream)(char* to, const char* from, int64_t bytes, const char* next);
  void (*fence)();
  /// to[c * to_stride + r] = from[r * from_stride + c] for r < rows, c < cols; strides in bytes. Elements of 4 and of 8 bytes.
  void (*transpose[2])(const char* from, int64_t from_stride, char* to, int64_t to_stride, int64_t rows, int64_t cols);
  /// Are n indices all in [0, size)?
  bool (*within)(const int64_t* index, int64_t n, int64_t size);
};

}  // namespace tapegrad
