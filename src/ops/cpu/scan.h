// Running sums. Floats are added in double, eight at a time by a fixed tree, so that all instruction sets give the same bits.
#pragma once
#include <stdint.h>

namespace tapegrad {

struct RunningSum {
  // y[i] = x[0] + … + x[i]; back: x[i] + … + x[n - 1].
  void (*row)(const void* x, void* y, int64_t n, bool back);
  // The same down each of `cols` (at most 256) columns.
  void (*cols)(const void* x, void* y, int64_t n, int64_t stride, int64_t cols, bool back);
};
struct ScanTable {
  RunningSum sum[5];  // float, double, int64, float16, bfloat16
};

}  // namespace tapegrad
