// How elementwise walks are cut for 32-bit offsets and grouped for wide loads.
#include "src/cuda/ops/pieces.h"

#include <gtest/gtest.h>

#include <vector>

namespace tapegrad::cuda {
namespace {

CudaWalk walk(std::vector<int64_t> shape, std::vector<std::vector<int64_t>> strides, std::vector<Dtype> dtypes, uintptr_t base = 4096) {
  CudaWalk w{};
  w.args = int(strides.size()), w.dims = int(shape.size()), w.numel = 1;
  for (int d = 0; d < w.dims; d++) w.shape[d] = shape[size_t(d)], w.numel *= shape[size_t(d)];
  for (int k = 0; k < w.args; k++) {
    w.arg[k].data = reinterpret_cast<char*>(base), w.arg[k].dtype = dtypes[size_t(k)];
    for (int d = 0; d < w.dims; d++) w.arg[k].stride[d] = strides[size_t(k)][size_t(d)];
  }
  return w;
}

TEST(Pieces, TakeEveryElementOnce) {
  const CudaWalk w = walk({7, 130, 3}, {{1, 7, 910}, {0, 3, -390}}, {Dtype::Bool, Dtype::Bool});
  for (int64_t most : {1, 2, 5, 33, 100, 1000, 3000}) {
    std::vector<int> seen(2730);
    for_pieces(w, [&](const CudaWalk& p) {
      EXPECT_LE(p.numel, most);
      EXPECT_EQ(p.numel, p.shape[0] * p.shape[1] * p.shape[2]);
      const int64_t at = p.arg[0].data - w.arg[0].data;  // both operands are cut at one place
      const int64_t i = at % 7, j = at / 7 % 130, k = at / 910;
      EXPECT_EQ(p.arg[1].data - w.arg[1].data, j * 3 - k * 390 + i * 0);
      for (int64_t c = 0; c < p.shape[2]; c++)
        for (int64_t b = 0; b < p.shape[1]; b++)
          for (int64_t a = 0; a < p.shape[0]; a++) seen[size_t(at + a + b * 7 + c * 910)]++;
    }, most);
    for (int n : seen) ASSERT_EQ(n, 1);
  }
}
TEST(Pieces, AreAddressable) {
  const int64_t n = (int64_t(1) << 33) + 12345;  // 32 GiB
  int64_t all = 0;
  int count = 0;
  uint32_t first;
  for_pieces(walk({n}, {{4}, {2}}, {Dtype::Float32, Dtype::Float16}), [&](const CudaWalk& p) {
    EXPECT_TRUE(is_addressable(p));
    EXPECT_TRUE(can_group(p, 4, &first));
    EXPECT_EQ(first, 0u);
    all += p.numel, count++;
  });
  EXPECT_EQ(all, n);
  EXPECT_LE(count, 32);
  all = 0;  // few elements, far apart
  for_pieces(walk({3, 5}, {{int64_t(1) << 30, int64_t(1) << 33}}, {Dtype::UInt8}), [&](const CudaWalk& p) {
    EXPECT_TRUE(is_addressable(p));
    all += p.numel;
  });
  EXPECT_EQ(all, 15);
}
TEST(Groups, NeedOneAlignment) {
  uint32_t first;
  auto dense = [](uintptr_t a, uintptr_t b, Dtype d = Dtype::Float32) {
    CudaWalk w = walk({1000}, {{int64_t(item_size(d))}, {int64_t(item_size(d))}}, {d, d}, a);
    w.arg[1].data = reinterpret_cast<char*>(b);
    return w;
  };
  EXPECT_TRUE(can_group(dense(64, 128), 4, &first));
  EXPECT_EQ(first, 0u);
  EXPECT_TRUE(can_group(dense(72, 152), 4, &first));
  EXPECT_EQ(first, 2u);
  EXPECT_FALSE(can_group(dense(72, 156), 4, &first));
  EXPECT_FALSE(can_group(dense(64, 128), 8, &first)) << "32 bytes at once";
  EXPECT_TRUE(can_group(dense(64, 128, Dtype::BFloat16), 8, &first));
  // Rows: each has to begin where a group may.
  const std::vector<Dtype> f32{Dtype::Float32, Dtype::Float32};
  EXPECT_TRUE(can_group(walk({48, 5}, {{4, 192}, {4, 0}}, f32), 4, &first)) << "a row for all rows";
  EXPECT_TRUE(can_group(walk({48, 5}, {{4, 192}, {0, 4}}, f32), 4, &first)) << "a number for each row";
  EXPECT_FALSE(can_group(walk({47, 5}, {{4, 188}, {4, 0}}, f32), 4, &first));
  EXPECT_FALSE(can_group(walk({48, 5}, {{4, 196}, {4, 0}}, f32), 4, &first));
  EXPECT_FALSE(can_group(walk({48, 5}, {{4, 192}, {8, 0}}, f32), 4, &first));
  EXPECT_FALSE(can_group(walk({48, 5}, {{4, 192}, {4, 192}}, f32, 4100), 4, &first));
}

}  // namespace
}  // namespace tapegrad::cuda
