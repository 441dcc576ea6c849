// Streams, events and pinned memory, over a fake device.
#include <gtest/gtest.h>

#include "src/cuda/runtime/pinned.h"
#include "tests/cuda/fake_driver.h"

using namespace tapegrad::cuda;

TEST(CudaStreams, EachDeviceHasOneDefaultStream) {
  FakeDriver d;
  StreamPool pool(d);
  EXPECT_EQ(d.streams.size(), 0u);
  Stream a = pool.default_stream(0), b = pool.default_stream(1);
  EXPECT_NE(a, b);
  EXPECT_EQ(pool.default_stream(0), a);
  EXPECT_EQ(d.device_of(b), 1);
  EXPECT_EQ(d.streams.size(), 2u);
}

TEST(CudaStreams, GoesRoundInAPoolOfEachPriority) {
  FakeDriver d;
  StreamPool pool(d);
  std::set<Stream> seen;
  Stream first = pool.next(0, 0);
  seen.insert(first);
  for (int i = 1; i < StreamPool::kStreams; i++) seen.insert(pool.next(0, 0));
  EXPECT_EQ(seen.size(), size_t(StreamPool::kStreams));
  EXPECT_EQ(pool.next(0, 0), first);
  EXPECT_FALSE(seen.count(pool.next(0, -1)));
  EXPECT_FALSE(seen.count(pool.next(1, 0)));
  EXPECT_EQ(d.streams.back(), std::make_pair(1, 0));
  EXPECT_EQ(d.streams[32], std::make_pair(0, -1));
}

TEST(CudaStreams, EventsAreUsedAgainByDeviceAndKind) {
  FakeDriver d;
  EventPool pool(d);
  Event* a = pool.get(0, false);
  Event* b = pool.get(0, true);
  pool.put(a);
  EXPECT_EQ(pool.get(0, false), a);
  pool.put(b);
  EXPECT_NE(pool.get(0, false), b);
  EXPECT_NE(pool.get(1, true), b);
  EXPECT_EQ(pool.get(0, true), b);
}

TEST(CudaPinned, RoundsToAQuarterOfAPowerOfTwo) {
  EXPECT_EQ(PinnedPool::rounded(1), 4096u);
  EXPECT_EQ(PinnedPool::rounded(4097), 5120u);
  EXPECT_EQ(PinnedPool::rounded(8192), 8192u);
  EXPECT_EQ(PinnedPool::rounded(100000), 114688u);
  for (size_t n = 4097; n < 100000; n += 97) {
    EXPECT_GE(PinnedPool::rounded(n), n);
    EXPECT_LE(PinnedPool::rounded(n), n + n / 4);
    EXPECT_EQ(PinnedPool::rounded(PinnedPool::rounded(n)), PinnedPool::rounded(n));
  }
}

TEST(CudaPinned, GivesAFreedBlockAgainOnceItsCopiesAreDone) {
  FakeDriver d;
  d.streams = {{0, 0}, {1, 0}};
  EventPool events(d);
  PinnedPool pool(d, events);
  PinnedPool::Block* a = pool.alloc(5000);
  EXPECT_TRUE(pool.owns(a->data));
  EXPECT_TRUE(pool.owns(a->data + 4999));
  EXPECT_FALSE(pool.owns(a->data + a->size));
  EXPECT_TRUE(pool.record(a->data + 8, stream(1)));
  EXPECT_TRUE(pool.record(a->data, stream(2)));
  EXPECT_TRUE(pool.record(a->data, stream(1)));
  pool.free(a);
  EXPECT_FALSE(pool.owns(a->data));
  EXPECT_EQ(d.now, 2u);
  PinnedPool::Block* b = pool.alloc(5000);
  EXPECT_NE(b, a);
  d.finish_all();
  EXPECT_EQ(pool.alloc(4500), a);  // of the same size class
  EXPECT_FALSE(pool.record(&d, stream(1)));
}

TEST(CudaPinned, EmptyCacheWaitsAndGivesBack) {
  FakeDriver d;
  EventPool events(d);
  PinnedPool pool(d, events);
  PinnedPool::Block *a = pool.alloc(1 << 20), *b = pool.alloc(1 << 20);
  pool.record(a->data, stream(1));
  pool.free(a);
  pool.empty_cache();
  EXPECT_EQ(d.waits, 1);
  EXPECT_EQ(d.host_in_use, b->size);
  pool.free(b);
  pool.empty_cache();
  EXPECT_EQ(d.host_in_use, 0u);
}

TEST(CudaPinned, SaysWhenTheHostHasNoMore) {
  FakeDriver d(1 << 20);
  EventPool events(d);
  PinnedPool pool(d, events);
  EXPECT_TRUE(pool.alloc(1 << 20));
  EXPECT_EQ(pool.alloc(4096), nullptr);
}
