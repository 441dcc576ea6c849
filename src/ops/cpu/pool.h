// Pooling over planes, one instruction set. Plain data only: see table.h.
#pragma once
#include "src/ops/cpu/window.h"

namespace tapegrad {

/// The cells of a pooling: output o of dimension d covers inputs start[d][o], + step[d], … below end[d][o], all inside the plane
/// and at least one (max) or perhaps none (average). `window` says the same where it is regular, for the row-wise way.
struct Cells {
  Window window;
  bool regular;
  const long *start[3], *end[3];
  long step[3];
  const long* count[3];  // average: the divisor is the product of the three, or `divisor` when not 0
  double divisor;
};

template <class T> struct PoolKernels {
  /// The largest of each cell and, unless null, its place in the plane. NaN is larger than all.
  void (*max)(const Cells& c, const T* x, T* y, long* index);
  /// The mean of each cell.
  void (*mean)(const Cells& c, const T* x, T* y);
  /// dx += the gradient of mean.
  void (*mean_spread)(const Cells& c, const T* dy, T* dx);
};
struct PoolTable {
  PoolKernels<float> f32;
  PoolKernels<double> f64;
  PoolKernels<long> i64;
};

}  // namespace tapegrad
