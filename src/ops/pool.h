// Pooling over cells of planes: what fixed windows and adaptive ones share. Recorded, differentiable any number of times.
#pragma once
#include "src/ops/cpu/window.h"
#include "tapegrad/ops.h"

namespace tapegrad {

struct PoolSpec {
  Window window = {{1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, {1, 1, 1}};
  int dims = 2;              // of space: the last ones of x
  bool adaptive = false;     // cells are equal parts of the plane; the window's kernel, stride and padding mean nothing
  bool include_pad = true;   // means divide by padded numbers too
  double divisor = 0;        // means divide by this when not 0
};

/// x (…, in…) -> (…, out…): the largest of each cell; with its place in the plane as int64 when `index` is given.
Tensor max_cells(const Tensor& x, const PoolSpec& s, Tensor* index);
/// The mean of each cell.
Tensor mean_cells(const Tensor& x, const PoolSpec& s);
/// Checks that x is (N, C, space…) or (C, space…), with no empty dimension but the batch; fills window.in.
void read_input(const Tensor& x, int dims, PoolSpec& s);

}  // namespace tapegrad
