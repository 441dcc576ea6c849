// Memory and metadata: making tensors, views, strides, the allocator.
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "tapegrad/tapegrad.h"

using namespace tapegrad;

TEST(Tensor, EmptyHasRowMajorStrides) {
  Tensor t = empty({2, 3, 4}, float32);
  EXPECT_EQ(to_string(t.strides()), "[12, 4, 1]");
  EXPECT_EQ(t.numel(), 24);
  EXPECT_TRUE(t.is_contiguous());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(t->data) % 64, 0u);
  EXPECT_EQ(empty({}, float32).numel(), 1);
  EXPECT_EQ(empty({0, 3}, float32).numel(), 0);
  EXPECT_EQ(to_string(empty({0, 3}, float32).strides()), "[3, 1]");
}
TEST(Tensor, ManyDimensionsLiveOutOfLine) {
  Shape s(12, 1);
  s[3] = 5;
  Tensor t = empty(s, float64), v = alias(t, s, t.strides(), 0, true);
  EXPECT_EQ(v.size(3), 5);
  EXPECT_TRUE(v.is_contiguous());
  EXPECT_THROW(empty(Shape(16, 1), float32).size(16), IndexError);
}
TEST(Tensor, RefusesSizesThatCannotBe) {
  EXPECT_THROW(empty({2, -1}, float32), ShapeError);
  EXPECT_THROW(empty({int64_t(1) << 60}, uint8), OutOfMemoryError);
  EXPECT_THROW(empty({int64_t(1) << 62, 8}, float32), OutOfMemoryError);
  EXPECT_THROW(empty({0, int64_t(1) << 62, int64_t(1) << 62}, float32), OutOfMemoryError);
  EXPECT_THROW(empty({2}, float32, Device("cuda")), DeviceError);
  const std::vector<int64_t> seventeen(17, 1);
  EXPECT_THROW(empty(seventeen, float32), ShapeError);
}
TEST(Tensor, StridedAndChannelsLast) {
  Tensor t = empty_strided({2, 3}, {1, 2}, float32);
  EXPECT_FALSE(t.is_contiguous());
  EXPECT_EQ(to_string(empty_like(t).strides()), "[1, 2]");
  Tensor x = empty({2, 3, 4, 5}, float32), y = empty_like(x, MemoryFormat::ChannelsLast);
  EXPECT_EQ(to_string(y.strides()), "[60, 1, 15, 3]");
  EXPECT_TRUE(y.is_contiguous(MemoryFormat::ChannelsLast));
  EXPECT_FALSE(y.is_contiguous());
  EXPECT_EQ(to_string(empty_like(y).strides()), "[60, 1, 15, 3]");
  EXPECT_THROW(empty_like(t, MemoryFormat::ChannelsLast), ShapeError);
  EXPECT_THROW(empty_strided({2}, {-1}, float32), ShapeError);
}
TEST(Tensor, BorrowedMemoryCallsItsDeleterOnce) {
  float data[6] = {0, 1, 2, 3, 4, 5};
  int calls = 0;
  {
    Tensor t = from_blob(data, {2, 3}, {3, 1}, float32, [](void* n) { ++*static_cast<int*>(n); }, &calls);
    Tensor v = alias(t, {3}, {1}, 3, true);
    t = Tensor();
    EXPECT_EQ(v.data_ptr<float>()[2], 5);
    EXPECT_EQ(calls, 0);
  }
  EXPECT_EQ(calls, 1);
}
TEST(Tensor, ItemAndPointersCheckTheirType) {
  EXPECT_EQ(tensor({2.5}, float16).item<double>(), 2.5);
  EXPECT_EQ(tensor({3}, tapegrad::int64).item<int>(), 3);
  EXPECT_THROW(tensor({1, 2}, float32).item(), ValueError);
  EXPECT_THROW(tensor({1, 2}, float32).data_ptr<double>(), DtypeError);
}
#ifndef TG_NO_POOL
TEST(Allocator, FreedBuffersAreReusedAndCounted) {
  empty_cache();
  const MemoryStats before = memory_stats();
  void* p;
  { Tensor t = empty({1 << 20}, float32); p = t->data; EXPECT_EQ(memory_stats().tensors, before.tensors + 1); }
  EXPECT_GT(memory_stats().cached, before.cached);
  { Tensor t = empty({1 << 20}, float32); EXPECT_EQ(t->data, p); }
  EXPECT_EQ(memory_stats().in_use, before.in_use);
  empty_cache();
  EXPECT_EQ(memory_stats().cached, 0);
  EXPECT_EQ(memory_stats().tensors, before.tensors);
}
#endif
TEST(Allocator, ThreadsMayFreeWhatOthersMade) {
  const int64_t before = memory_stats().tensors;
  std::vector<Tensor> made;
  std::thread([&] { for (int k = 0; k < 5000; k++) made.push_back(empty({k % 50}, float32)); }).join();
  std::thread([&] { made.clear(); }).join();
  EXPECT_EQ(memory_stats().tensors, before);
}
