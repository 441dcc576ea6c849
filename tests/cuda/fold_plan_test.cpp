// Every element of a reduction or scan is met exactly once, by the threads that FoldPlan and ScanPlan say, and what a plan is depends on
// the shape alone. The loops here are those of src/cuda/ops/fold.cuh and scan.cuh.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "src/ops/cuda/fold_plan.h"

namespace tapegrad {
namespace {

using List = std::vector<int64_t>;

FoldPlan plan_of(const List& size, const List& stride, uint32_t reduced, int item) {
  return plan_fold(size.data(), stride.data(), int(size.size()), reduced, item);
}
List row_major(const List& size) {
  List s(size.size(), 1);
  for (size_t d = size.size(); d-- > 1;) s[d - 1] = s[d] * size[d];
  return s;
}
int64_t offset(const FoldDim* dim, int dims, int64_t i, int64_t FoldDim::*stride) {
  int64_t at = 0;
  for (int d = 0; d < dims; d++) at += (d + 1 < dims ? i % dim[d].size : i) * dim[d].*stride, i /= dim[d].size;
  return at;
}
// The offsets that each result meets, in the order of the threads.
std::map<int64_t, std::multiset<int64_t>> met(const FoldPlan& p) {
  std::map<int64_t, std::multiset<int64_t>> all;
  const int side_by_side = FoldPlan::kThreads / p.lanes;
  for (int64_t block = 0; block < p.blocks(); block++)
    for (int64_t chunk = 0; chunk < p.chunks; chunk++)
      for (int t = 0; t < FoldPlan::kThreads; t++) {
        const int64_t r = block * side_by_side + (p.rows ? t / p.lanes : t % side_by_side);
        const int lane = p.rows ? t % p.lanes : t / side_by_side;
        if (r >= p.results) continue;
        const int64_t begin = chunk * p.chunk, end = std::min(begin + p.chunk, p.each);
        std::multiset<int64_t>& own = all[offset(p.keep, p.kept, r, &FoldDim::to)];
        for (int64_t i = begin + lane * p.packet; i < end; i += int64_t(p.lanes) * p.packet)
          for (int64_t k = i; k < std::min(i + p.packet, end); k++)
            own.insert(offset(p.keep, p.kept, r, &FoldDim::from) + offset(p.reduce, p.reduced, k, &FoldDim::from));
      }
  return all;
}
std::map<int64_t, std::multiset<int64_t>> expected(const List& size, const List& stride, uint32_t reduced) {
  std::map<int64_t, std::multiset<int64_t>> all;
  int64_t n = 1;
  for (int64_t s : size) n *= s;
  for (int64_t i = 0; i < n; i++) {
    int64_t rest = i, at = 0, to = 0, step = 1;
    for (size_t d = size.size(); d-- > 0; rest /= size[d]) {
      at += rest % size[d] * stride[d];
      if (!(reduced >> d & 1)) to += rest % size[d] * step, step *= size[d];
    }
    all[to].insert(at);
  }
  return all;
}
void check(const List& size, const List& stride, uint32_t reduced, int item) {
  const FoldPlan p = plan_of(size, stride, reduced, item);
  SCOPED_TRACE(testing::Message() << testing::PrintToString(size) << " strides " << testing::PrintToString(stride)
                                  << " reduced " << reduced << " item " << item << ": lanes " << p.lanes << " chunks "
                                  << p.chunks << " packet " << p.packet);
  ASSERT_TRUE(p.lanes >= 1 && p.lanes <= FoldPlan::kThreads && (p.lanes & (p.lanes - 1)) == 0);
  ASSERT_TRUE(!p.rows || p.lanes <= 32 || p.lanes == FoldPlan::kThreads);  // a warp, or a block
  ASSERT_LE(p.chunks, plan::kEnoughBlocks);
  ASSERT_EQ(p.chunk % p.packet == 0 || p.chunks == 1, true);
  if (p.packet > 1 && p.reduced > 1) {
    ASSERT_EQ(p.reduce[0].size % p.packet, 0);  // no packet crosses from one run to the next
  }
  ASSERT_EQ(met(p), expected(size, stride, reduced));
}

TEST(FoldPlan, MeetsEveryElementOnceAtTheBordersOfItsCases) {
  for (int item : {1, 2, 4, 8})
    for (int64_t n : {1, 2, 3, 7, 8, 31, 32, 33, 127, 128, 129, 1023, 1024, 1025, 4097}) {
      check({n}, {1}, 1, item);
      check({3, n}, {n, 1}, 2, item);
      check({n, 3}, {3, 1}, 1, item);
      check({n, 40}, {40, 1}, 1, item);
      check({5, n}, {1, 5}, 2, item);
      check({2, n, 3}, row_major({2, n, 3}), 5, item);
    }
}
TEST(FoldPlan, CutsLongReductions) {
  EXPECT_GT(plan_of({1 << 18}, {1}, 1, 4).chunks, 1);
  EXPECT_GT(plan_of({1 << 15, 8}, {8, 1}, 1, 4).chunks, 1);
  EXPECT_EQ(plan_of({1 << 15, 8}, {8, 1}, 2, 4).chunks, 1);
  check({70000}, {1}, 1, 2);
  check({70001}, {1}, 1, 4);
  check({30000, 3}, {3, 1}, 1, 4);
  check({2, 20000}, {20000, 1}, 2, 8);
  const FoldPlan p = plan_join(plan_of({7, 100000}, {100000, 1}, 2, 4));
  EXPECT_EQ(p.chunks, 1);
  EXPECT_EQ(p.results, 7);
}
TEST(FoldPlan, HoldsForAnyDimsAndStrides) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; round++) {
    const size_t dims = 1 + random() % 4;
    List size(dims), stride(dims), order(dims);
    for (size_t d = 0; d < dims; d++) size[d] = int64_t(1 + random() % 9), order[d] = int64_t(d);
    std::shuffle(order.begin(), order.end(), random);
    int64_t step = 1 + random() % 2;
    for (int64_t d : order) stride[size_t(d)] = random() % 8 ? step : 0, step *= size[size_t(d)];
    const uint32_t reduced = uint32_t(random() % (1u << dims));
    check(size, stride, reduced, 1 << random() % 4);
  }
}

// The elements of a line that its chunks and threads take, in order.
void check_scan(int64_t outer, int64_t n, int64_t inner) {
  const ScanPlan p = plan_scan(outer, n, inner);
  SCOPED_TRACE(testing::Message() << outer << " x " << n << " x " << inner << ": lanes " << p.lanes << " chunks "
                                  << p.chunks << " of " << p.chunk);
  ASSERT_LE(p.chunks, ScanPlan::kThreads);  // a thread for each chunk before
  ASSERT_TRUE(p.chunks == 1 || p.lanes == (inner == 1 ? ScanPlan::kThreads : 1));
  ASSERT_TRUE(inner == 1 ? p.lanes == 32 || p.lanes == ScanPlan::kThreads : p.lanes == 1);
  ASSERT_GE(p.blocks() * (ScanPlan::kThreads / p.lanes), outer * inner);
  int64_t next = 0;
  for (int64_t c = 0; c < p.chunks; c++) {
    ASSERT_LT(c * p.chunk, std::max<int64_t>(n, 1));
    for (int64_t i = c * p.chunk; i < std::min((c + 1) * p.chunk, n); i++) ASSERT_EQ(i, next++);
  }
  ASSERT_EQ(next, n);
}
TEST(ScanPlan, CutsLinesWithoutGaps) {
  for (int64_t outer : {1, 3, 2000})
    for (int64_t inner : {1, 5, 300})
      for (int64_t n : {1, 31, 32, 33, 511, 512, 513, 1024, 8191, 8193, 70000}) check_scan(outer, n, inner);
  check_scan(1, 30000000, 1);
}

}  // namespace
}  // namespace tapegrad
