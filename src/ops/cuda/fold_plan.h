// How reductions and scans are laid over the threads of a device. Host arithmetic that knows no device: what meets what, and in which
// order, depends on shapes, strides and item sizes alone, so results have the same bits on every device.
#pragma once
#include <stdint.h>

#include "tapegrad/types.h"

namespace tapegrad {

/// A dimension of the input: its stride there and among the results, in elements.
struct FoldDim {
  int64_t size, from, to;
};

/// Blocks of kThreads, `lanes` of them for each result; lane l takes the elements l, l + lanes, l + 2 lanes … (or packets of so many)
/// of the block's chunk. Grid: (results / (kThreads / lanes), chunks). More than one chunk: a second pass joins what each of them gave.
struct FoldPlan {
  static constexpr int kThreads = 256;
  bool rows;              // a result's lanes are neighbours, else neighbouring threads have neighbouring results
  int lanes;              // a power of two; rows: up to 32, or 256
  int packet;             // elements read at once, 1 or as many as are in 16 bytes; a chunk is a multiple of them
  int64_t results, each;  // each result is of so many elements
  int64_t chunk, chunks;
  int kept, reduced;
  FoldDim keep[kMaxDims], reduce[kMaxDims];  // innermost first

  /// Can the kernels run it? If not, what is reduced has to be brought together first.
  bool fits() const { return reduced < 2 || (reduced == 2 && each < int64_t(1) << 31); }

  constexpr int64_t blocks() const { return (results + kThreads / lanes - 1) / (kThreads / lanes); }
};

namespace plan {

constexpr int64_t kEnoughBlocks = 1024;  // a large device holds about as many of 256 threads

constexpr int64_t divide_up(int64_t n, int64_t by) { return (n + by - 1) / by; }
constexpr int64_t round_up(int64_t n, int64_t to) { return divide_up(n, to) * to; }
constexpr int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
constexpr int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }
/// The power of two that is at least n, up to `limit`.
constexpr int power_of_two(int64_t n, int limit) {
  int p = 1;
  while (p < n && p < limit) p *= 2;
  return p;
}
/// Sorted by the input's strides, smallest first (repeated dims outermost), neighbours merged where one step goes through both.
inline int simplify(FoldDim* d, int n) {
  auto before = [](const FoldDim& a, const FoldDim& b) { return uint64_t(a.from - 1) < uint64_t(b.from - 1); };
  for (int i = 1; i < n; i++)
    for (int k = i; k > 0 && before(d[k], d[k - 1]); k--) {
      const FoldDim t = d[k];
      d[k] = d[k - 1], d[k - 1] = t;
    }
  int m = 0;
  for (int i = 0; i < n; i++) {
    if (m && d[i].from == d[m - 1].from * d[m - 1].size && d[i].to == d[m - 1].to * d[m - 1].size)
      d[m - 1].size *= d[i].size;
    else d[m++] = d[i];
  }
  return m;
}

}  // namespace plan

/// x's dims, outermost first; bit d of `reduced` is set for those that are reduced. Results lie row-major.
inline FoldPlan plan_fold(const int64_t* size, const int64_t* stride, int dims, uint32_t reduced, int item) {
  using namespace plan;
  FoldPlan p{};
  p.results = p.each = 1;
  for (int d = dims; d-- > 0;) {
    const bool gone = reduced >> d & 1;
    if (size[d] != 1) (gone ? p.reduce[p.reduced++] : p.keep[p.kept++]) = {size[d], stride[d], gone ? 0 : p.results};
    (gone ? p.each : p.results) *= size[d];
  }
  p.kept = simplify(p.keep, p.kept), p.reduced = simplify(p.reduce, p.reduced);
  p.rows = p.results == 1 || !p.reduced || (p.reduce[0].from && p.reduce[0].from < p.keep[0].from) || !p.keep[0].from;
  p.packet = 1;
  const int fit = 16 / item;
  if (p.rows && p.reduced && p.reduce[0].from == 1 && (p.reduced == 1 || p.reduce[0].size % fit == 0)) p.packet = fit;
  int64_t enough;  // elements of a chunk
  if (p.rows) {
    p.lanes = p.each > 1024 ? FoldPlan::kThreads : power_of_two(divide_up(p.each, p.packet), 32);
    enough = 8 * FoldPlan::kThreads * p.packet;
  } else {
    const int side_by_side = power_of_two(p.results, 32);
    p.lanes = int(least(FoldPlan::kThreads / side_by_side, power_of_two(divide_up(p.each, 4), FoldPlan::kThreads)));
    enough = 32 * p.lanes;
  }
  const int64_t wanted =
      p.lanes < 8 ? 1 : least(divide_up(p.each, enough), divide_up(kEnoughBlocks, most(1, p.blocks())));
  p.chunk = wanted > 1 ? round_up(divide_up(p.each, wanted), p.lanes * p.packet) : most(1, p.each);
  p.chunks = most(1, divide_up(p.each, p.chunk));
  return p;
}
/// The second pass: `chunks` numbers of 8 bytes for each result, one after another.
inline FoldPlan plan_join(const FoldPlan& first) {
  const int64_t size[2] = {first.results, first.chunks}, stride[2] = {first.chunks, 1};
  return plan_fold(size, stride, 2, 2, 8);
}

/// Lines of n elements, row-major [outer, n, inner]. inner == 1: `lanes` threads for a line (32 or 256, kEach elements each at a time);
/// else a thread for a line, whose neighbours are its block's neighbours. Long lines are cut into chunks, which two passes go over.
struct ScanPlan {
  static constexpr int kThreads = 256, kEach = 4;
  int64_t outer, n, inner;
  int lanes;
  int64_t chunk, chunks;  // chunks <= kThreads

  constexpr int64_t lines() const { return outer * inner; }
  constexpr int64_t blocks() const { return plan::divide_up(lines(), kThreads / lanes); }
};
inline ScanPlan plan_scan(int64_t outer, int64_t n, int64_t inner) {
  using namespace plan;
  ScanPlan p{outer, n, inner, 1, n, 1};
  int64_t wanted;
  if (inner == 1) {
    p.lanes = n > 512 ? ScanPlan::kThreads : 32;
    wanted = n > 512 ? least(divide_up(n, 8192), divide_up(kEnoughBlocks, most(1, outer))) : 1;
  } else {
    wanted = least(divide_up(n, 256), divide_up(kEnoughBlocks, most(1, p.blocks())));
  }
  wanted = least(wanted, ScanPlan::kThreads);
  if (wanted > 1)
    p.chunk = round_up(divide_up(n, wanted), ScanPlan::kThreads * ScanPlan::kEach / (inner == 1 ? 1 : 16));
  p.chunks = p.chunk ? most(1, divide_up(n, p.chunk)) : 1;
  return p;
}

}  // namespace tapegrad
