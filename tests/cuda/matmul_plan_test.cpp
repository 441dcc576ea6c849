// How products are put to cuBLASLt, without it: layouts, keys and the cache of plans.
#include "src/cuda/ops/matmul_plan.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>
#include <vector>

#include "src/cuda/ops/matmul_few.h"
#include "src/cuda/ops/plan_cache.h"

namespace tapegrad::cuda {
namespace {

alignas(256) char memory[4096];

CudaProduct some() {
  return {float32, false, false, 1, {memory, 3, 5, 5, 1, 0}, {memory + 1024, 5, 7, 7, 1, 0}, memory + 2048, 7, 0, nullptr};
}

TEST(MatmulPlan, RowsAreColumnsOfTheTransposed) {
  const MatmulKey key = key_of(some(), 0);
  EXPECT_EQ(key.rows, 7);
  EXPECT_EQ(key.columns, 3);
  EXPECT_EQ(key.depth, 5);
  EXPECT_EQ(key.leading[MatmulKey::kFirst], 7);
  EXPECT_EQ(key.leading[MatmulKey::kSecond], 5);
  EXPECT_EQ(key.leading[MatmulKey::kResult], 7);
  EXPECT_FALSE(key.transposed[0]);
  EXPECT_FALSE(key.transposed[1]);
  CudaProduct p = some();
  p.a = {memory, 3, 5, 1, 3, 0};  // a by columns
  EXPECT_TRUE(key_of(p, 0).transposed[MatmulKey::kSecond]);
  EXPECT_EQ(key_of(p, 0).leading[MatmulKey::kSecond], 3);
}

// The key's terms, read as cuBLASLt reads them, lead to the numbers that the strides lead to.
TEST(MatmulPlan, EveryElementIsWhereItWas) {
  std::mt19937 random(1);
  const auto upto = [&](int n) { return int64_t(random() % unsigned(n)); };
  for (int round = 0; round < 3000; round++) {
    const auto matrix = [&](int64_t rows, int64_t cols) {
      CudaMatrix m{memory, rows, cols, 0, 0, 0};
      if (random() % 2) m.row = cols + upto(3), m.col = 1;
      else m.row = 1, m.col = rows + upto(3);
      if (rows == 1) m.row = upto(9);  // not taken
      if (cols == 1) m.col = upto(9);
      return m;
    };
    const int64_t m = 1 + upto(4), n = 1 + upto(4), k = 1 + upto(4);
    CudaProduct p = some();
    p.a = matrix(m, k), p.b = matrix(k, n), p.c_row = n;
    const CudaMatrix before[2] = {p.b, p.a};
    const auto readable = [](CudaMatrix& x) {
      const int64_t row = x.row, col = x.col;
      if (!make_readable(x.rows, x.cols, x.row, x.col)) return false;
      EXPECT_TRUE(x.rows == 1 || x.row == row);
      EXPECT_TRUE(x.cols == 1 || x.col == col);
      return true;
    };
    if (!readable(p.a) || !readable(p.b)) {
      const bool a = p.a.rows == 1 || p.a.cols == 1, b = p.b.rows == 1 || p.b.cols == 1;
      EXPECT_TRUE(a || b);  // a vector whose stride is 0
      continue;
    }
    const MatmulKey key = key_of(p, 0);
    for (const int i : {0, 1}) {
      const int64_t rows = i ? key.depth : key.rows, cols = i ? key.columns : key.depth;  // of op(operand)
      EXPECT_GE(key.leading[i], key.transposed[i] ? cols : rows);
      for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < cols; c++)
          ASSERT_EQ(key.transposed[i] ? r * key.leading[i] + c : c * key.leading[i] + r, c * before[i].row + r * before[i].col);
    }
  }
}

TEST(MatmulPlan, WhatCannotBeReadAsItLies) {
  const auto readable = [](int64_t rows, int64_t cols, int64_t row, int64_t col) { return make_readable(rows, cols, row, col); };
  EXPECT_TRUE(readable(3, 5, 5, 1));
  EXPECT_TRUE(readable(3, 5, 1, 3));
  EXPECT_TRUE(readable(3, 5, 8, 1));
  EXPECT_FALSE(readable(3, 5, 10, 2));             // every second number
  EXPECT_FALSE(readable(3, 5, 1, 1));              // windows over a vector
  EXPECT_FALSE(readable(3, 5, 0, 1));              // one row, expanded
  EXPECT_FALSE(readable(3, 5, 1, 0));
  EXPECT_FALSE(readable(3, 5, 0, 0));
  EXPECT_TRUE(readable(1, 5, 0, 1));
  EXPECT_TRUE(readable(1, 5, 0, 3));
  EXPECT_TRUE(readable(5, 1, 3, 0));
  EXPECT_FALSE(readable(1, 5, 1, 0));              // one number, expanded
  EXPECT_TRUE(readable(1, 1, 0, 0));
}

TEST(MatmulPlan, KeysDifferWhereAlgorithmsMay) {
  const auto same = [](const MatmulKey& a, const MatmulKey& b) { return memcmp(&a, &b, sizeof a) == 0; };
  const CudaProduct p = some();
  const MatmulKey key = key_of(p, 0);
  EXPECT_TRUE(same(key, key_of(p, 0)));
  EXPECT_FALSE(same(key, key_of(p, 1)));
  const auto differs = [&](auto change) {
    CudaProduct q = p;
    change(q);
    return !same(key, key_of(q, 0));
  };
  EXPECT_TRUE(differs([](CudaProduct& q) { q.dtype = bfloat16; }));
  EXPECT_TRUE(differs([](CudaProduct& q) { q.tf32 = true; }));
  EXPECT_TRUE(differs([](CudaProduct& q) { q.a.rows = 4; }));
  EXPECT_TRUE(differs([](CudaProduct& q) { q.a.row = 6; }));
  EXPECT_TRUE(differs([](CudaProduct& q) { q.b.row = 1, q.b.col = 5; }));
  EXPECT_TRUE(differs([](CudaProduct& q) { q.c_row = 8; }));
  EXPECT_TRUE(differs([](CudaProduct& q) { q.a.data += 4; }));
  EXPECT_TRUE(differs([](CudaProduct& q) { q.bias = memory; }));
  EXPECT_TRUE(differs([](CudaProduct& q) { q.gelu = true; }));
  EXPECT_TRUE(differs([](CudaProduct& q) { q.before_gelu = memory; }));
  EXPECT_TRUE(differs([](CudaProduct& q) { q.row_sums = memory; }));
  EXPECT_TRUE(differs([](CudaProduct& q) { q.count = 2; }));
  EXPECT_FALSE(differs([](CudaProduct& q) { q.add = true; }));           // only the numbers before the matrices
  EXPECT_FALSE(differs([](CudaProduct& q) { q.a.data += 256; }));
  EXPECT_FALSE(differs([](CudaProduct& q) { q.a.batch = 99; }));         // one product has no next
  CudaProduct q = p, batched = p;
  q.dtype = batched.dtype = float64, q.tf32 = true;                      // which is about float32
  EXPECT_TRUE(same(key_of(q, 0), key_of(batched, 0)));
  batched.count = 2, q = batched, q.b.batch = 35;
  EXPECT_FALSE(same(key_of(q, 0), key_of(batched, 0)));
}

TEST(MatmulPlan, WhatIsForFewRows) {
  const auto few = [](int64_t m, int64_t n, int64_t k, Dtype d = float32) {
    CudaProduct p = some();
    p.dtype = d, p.a.rows = m, p.a.cols = p.b.rows = k, p.b.cols = n;
    return has_few(p);
  };
  EXPECT_TRUE(few(1, 1000, 1000));
  EXPECT_TRUE(few(1000, 8, 1000));
  EXPECT_FALSE(few(9, 9, 9));
  EXPECT_FALSE(few(4, 4, 1 << 20));  // two warps would do it all
  EXPECT_FALSE(few(4, 400, 400, complex64));
  for (const int64_t depth : {1, 64, 1000, 100000})
    for (const int64_t n : {1, 64, 5000, 1000000}) {
      const int64_t pieces = few_pieces(depth, n, 1);
      EXPECT_GE(pieces, 1);
      EXPECT_LE(pieces, 512);
      EXPECT_LE(pieces, (depth + 63) / 64);
    }
}

TEST(MatmulPlan, Alignment) {
  const int64_t at[][2] = {{0, 256}, {1, 1}, {2, 2}, {4, 4}, {8, 8}, {12, 4}, {16, 16}, {48, 16}, {128, 16}, {512, 256}};
  for (const auto& [offset, alignment] : at) EXPECT_EQ(alignment_of(memory + offset), alignment) << offset;
}

TEST(PlanCache, KeepsWhatWasUsedLast) {
  PlanCache<int64_t, int64_t, 3> cache;
  int made = 0;
  const auto get = [&](int64_t k) { return *cache.get(k, [&] { return made++, std::make_shared<int64_t>(k * k); }); };
  EXPECT_EQ(get(1), 1);
  EXPECT_EQ(get(2), 4);
  EXPECT_EQ(get(3), 9);
  EXPECT_EQ(get(1), 1);
  EXPECT_EQ(made, 3);
  const std::shared_ptr<int64_t> held = cache.get(2, [] { return std::shared_ptr<int64_t>(); });
  EXPECT_EQ(get(1), 1);
  EXPECT_EQ(get(4), 16);  // 3 goes
  EXPECT_EQ(cache.size(), 3u);
  EXPECT_EQ(made, 4);
  EXPECT_EQ(get(2), 4);
  EXPECT_EQ(made, 4);
  EXPECT_EQ(get(3), 9);
  EXPECT_EQ(made, 5);
  for (int k = 10; k < 20; k++) get(k);
  EXPECT_EQ(*held, 4);  // still its user's
  EXPECT_EQ(cache.size(), 3u);
}
TEST(PlanCache, ThreadsShareIt) {
  PlanCache<int64_t, int64_t, 16> cache;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; t++)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5000; i++) {
        const int64_t k = (i * 7 + t) % 40;
        EXPECT_EQ(*cache.get(k, [&] { return std::make_shared<int64_t>(k + 1); }), k + 1);
      }
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(cache.size(), 16u);
}

}  // namespace
}  // namespace tapegrad::cuda
