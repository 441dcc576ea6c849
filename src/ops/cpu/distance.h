// Distances of all pairs of rows, and their gradient. For float and double; pointers are to elements of that type.
#pragma once
#include <stdint.h>

namespace tapegrad {

struct DistanceKernels {
  // r[i, j] = |x[i] - y[j]| of norm p >= 0. x (m, k), y (n, k); the rows of r are `stride` elements apart.
  void (*forward)(double p, const void* x, const void* y, void* r, int64_t m, int64_t n, int64_t k, int64_t stride);
  // dx[i] = the sum over j of w[i, j] f(x[i] - y[j]), where f is sign(t) |t|^(p - 1), 0 for 0; for p = inf it is sign(t) where |t| is the
  // distance r[i, j]. Where w and r have w[i, j]: i * row + j * col.
  void (*backward)(double p, const void* w, const void* r, int64_t row, int64_t col, const void* x, const void* y, void* dx, int64_t m, int64_t n, int64_t k);
};
struct DistanceTable {
  DistanceKernels f32, f64;
};

}  // namespace tapegrad
