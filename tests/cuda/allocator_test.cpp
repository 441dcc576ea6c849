// The caching allocator's policy, over a fake device.
#include "src/cuda/runtime/allocator.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/cuda/fake_driver.h"

using namespace tapegrad;
using namespace tapegrad::cuda;

namespace {

constexpr size_t MiB = size_t(1) << 20;

struct Fixture {
  FakeDriver driver;
  EventPool events{driver};
  CachingAllocator memory;
  explicit Fixture(size_t capacity = size_t(64) << 30, bool poison = false) : driver(capacity), memory(driver, events, 0, poison) {}
  CudaMemory stats() {
    CudaMemory m;
    memory.memory(&m);
    return m;
  }
};

}  // namespace

TEST(CudaAllocator, RoundsSizesAndSegments) {
  EXPECT_EQ(CachingAllocator::rounded(1), 512u);
  EXPECT_EQ(CachingAllocator::rounded(513), 1024u);
  EXPECT_EQ(CachingAllocator::segment_size(512), 2 * MiB);
  EXPECT_EQ(CachingAllocator::segment_size(MiB), 2 * MiB);
  EXPECT_EQ(CachingAllocator::segment_size(MiB + 512), 20 * MiB);
  EXPECT_EQ(CachingAllocator::segment_size(10 * MiB), 10 * MiB);
  EXPECT_EQ(CachingAllocator::segment_size(11 * MiB + 512), 12 * MiB);
}

TEST(CudaAllocator, GivesAFreedBlockToTheSameStreamOnly) {
  Fixture f;
  Block* a = f.memory.alloc(100, stream(1));
  char* const data = a->data;
  EXPECT_EQ(a->size, 512u);
  f.memory.free(a);
  EXPECT_NE(f.memory.alloc(300, stream(2))->data, data);
  EXPECT_EQ(f.memory.alloc(300, stream(1))->data, data);
  EXPECT_EQ(f.stats().segments, 2u);
  EXPECT_EQ(f.stats().hits, 1u);
}

TEST(CudaAllocator, TakesTheBestFit) {
  Fixture f;
  Block* large = f.memory.alloc(600 << 10, stream(1));
  Block* between = f.memory.alloc(512, stream(1));
  Block* small = f.memory.alloc(100 << 10, stream(1));
  f.memory.alloc(512, stream(1));
  char* const data = small->data;
  f.memory.free(large);
  f.memory.free(small);
  EXPECT_EQ(f.memory.alloc(90 << 10, stream(1))->data, data);
  f.memory.free(between);
}

TEST(CudaAllocator, SplitsAndMergesInEveryOrder) {
  const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  for (auto& order : orders) {
    Fixture f;
    Block* b[3];
    for (Block*& x : b) x = f.memory.alloc(4 * MiB, stream(1));
    EXPECT_EQ(f.stats().segments, 1u);
    EXPECT_EQ(b[1]->data, b[0]->data + 4 * MiB);
    for (int i : order) f.memory.free(b[i]);
    EXPECT_EQ(f.stats().largest_free, 20 * MiB);
    f.memory.empty_cache();
    EXPECT_EQ(f.driver.in_use, 0u);
  }
}

TEST(CudaAllocator, WaitsForTheStreamsThatUseABlock) {
  Fixture f;
  f.driver.streams = {{0, 0}, {0, 0}, {0, 0}};
  Block* a = f.memory.alloc(10 * MiB, stream(1));
  char* const data = a->data;
  f.memory.record(a, stream(1));  // its own: nothing to wait for
  f.memory.record(a, stream(2));
  f.memory.record(a, stream(2));
  f.memory.record(a, stream(3));
  f.memory.free(a);
  EXPECT_EQ(f.driver.now, 2u);  // an event in each of the two streams
  EXPECT_EQ(f.stats().used, 0u);
  Block* b = f.memory.alloc(10 * MiB, stream(1));
  EXPECT_NE(b->data, data);
  f.driver.finished = 1;
  Block* c = f.memory.alloc(10 * MiB, stream(1));
  EXPECT_NE(c->data, data);
  f.driver.finished = 2;
  EXPECT_EQ(f.memory.alloc(10 * MiB, stream(1))->data, data);
  EXPECT_EQ(f.driver.waits, 0);
}

TEST(CudaAllocator, DoesNotMergeWithABlockThatWaits) {
  Fixture f;
  Block* a = f.memory.alloc(4 * MiB, stream(1));
  Block* b = f.memory.alloc(4 * MiB, stream(1));
  f.memory.record(a, stream(2));
  f.memory.free(a);
  f.memory.free(b);
  EXPECT_EQ(f.stats().largest_free, 16 * MiB);
  f.driver.finish_all();
  f.memory.alloc(512, stream(1));  // asks the events
  EXPECT_EQ(f.stats().largest_free, 20 * MiB);
}

// Tensors are freed after the device has failed too, in destructors.
TEST(CudaAllocator, FreesOnAFailedDevice) {
  Fixture f;
  Block* a = f.memory.alloc(4 * MiB, stream(1));
  f.memory.record(a, stream(2));
  f.driver.failed = true;
  f.memory.free(a);
  EXPECT_EQ(f.stats().largest_free, 20 * MiB);
}

TEST(CudaAllocator, GivesTheCacheBackBeforeItFails) {
  Fixture f(64 * MiB);
  f.memory.free(f.memory.alloc(40 * MiB, stream(1)));
  Block* a = f.memory.alloc(60 * MiB, stream(1), "matmul");
  ASSERT_TRUE(a);
  EXPECT_EQ(f.stats().retries, 1u);
  EXPECT_EQ(f.memory.alloc(30 * MiB, stream(1)), nullptr);
  EXPECT_EQ(f.stats().out_of_memory, 1u);
  EXPECT_EQ(f.memory.out_of_memory(30 * MiB),
            "CUDA out of memory: asked for 30.00 MiB on cuda:0, which has 4.00 MiB of 64.00 MiB free; tapegrad holds 60.00 MiB (60.00 MiB in "
            "tensors, 0 bytes cached, largest free block 0 bytes). The largest in use: 60.00 MiB by matmul. Free tensors or make batches smaller; "
            "tapegrad.cuda.memory_summary() says more.");
}

TEST(CudaAllocator, NamesTheFiveLargest) {
  Fixture f(256 * MiB);
  for (int i = 1; i <= 7; i++) f.memory.alloc(size_t(i) * MiB, stream(1), i == 4 ? nullptr : i == 5 ? "a \"name\" of more than thirty-one letters" : "add");
  f.memory.free(f.memory.alloc(90 * MiB, stream(1), "freed"));
  EXPECT_NE(f.memory.out_of_memory(1).find(
    "The largest in use: 7.00 MiB by add, 6.00 MiB by add, 5.00 MiB by a _name_ of more than thirty-on, 4.00 MiB, 3.00 MiB by add. Free"),
    std::string::npos) << f.memory.out_of_memory(1);
}

TEST(CudaAllocator, WaitsForOtherStreamsBeforeItFails) {
  Fixture f(64 * MiB);
  Block* a = f.memory.alloc(40 * MiB, stream(1));
  f.memory.record(a, stream(2));
  f.memory.free(a);
  EXPECT_TRUE(f.memory.alloc(50 * MiB, stream(1)));
  EXPECT_EQ(f.driver.waits, 1);
}

TEST(CudaAllocator, TakesASmallSegmentWhereTheUsualOneDoesNotFit) {
  Fixture f(8 * MiB);
  Block* a = f.memory.alloc(5 * MiB, stream(1));
  ASSERT_TRUE(a);
  EXPECT_EQ(f.driver.in_use, 6 * MiB);
}

TEST(CudaAllocator, AbsurdSizesFailWithoutOverflow) {
  Fixture f;
  EXPECT_EQ(f.memory.alloc(~size_t(0), stream(1)), nullptr);
  EXPECT_EQ(f.memory.alloc(~size_t(0) / 2, stream(1)), nullptr);
}

TEST(CudaAllocator, KeepsTheLimit) {
  Fixture f;
  f.memory.set_limit(40 * MiB);
  Block* a = f.memory.alloc(30 * MiB, stream(1));
  EXPECT_EQ(f.memory.alloc(20 * MiB, stream(1)), nullptr);
  EXPECT_NE(f.memory.out_of_memory(20 * MiB).find(" and may hold 40.00 MiB. The largest in use: 30.00 MiB. Free"), std::string::npos);
  f.memory.free(a);
  EXPECT_TRUE(f.memory.alloc(40 * MiB, stream(1)));  // the cached 30 went back first
  EXPECT_EQ(f.stats().limit, 40 * MiB);
  f.memory.set_limit(0);
  EXPECT_TRUE(f.memory.alloc(20 * MiB, stream(1)));
}

TEST(CudaAllocator, ReadsLimits) {
  uint64_t v = 0;
  EXPECT_TRUE(parse_limit("0.5", 1000, &v));
  EXPECT_EQ(v, 500u);
  EXPECT_TRUE(parse_limit("1", 1000, &v));
  EXPECT_EQ(v, 1000u);
  EXPECT_TRUE(parse_limit("3000000000", 1000, &v));
  EXPECT_EQ(v, 3000000000u);
  for (const char* bad : {"", "0", "-1", "half", "0.5x", "nan", "1e30"}) EXPECT_FALSE(parse_limit(bad, 1000, &v)) << bad;
}

TEST(CudaAllocator, CountsWhatIsAskedUsedAndReserved) {
  Fixture f;
  Block* a = f.memory.alloc(1000, stream(1));
  Block* b = f.memory.alloc(3 * MiB, stream(1));
  CudaMemory m = f.stats();
  EXPECT_EQ(m.asked, 1000 + 3 * MiB);
  EXPECT_EQ(m.used, 1024 + 3 * MiB);
  EXPECT_EQ(m.reserved, 22 * MiB);
  EXPECT_EQ(m.segments, 2u);
  EXPECT_EQ(m.largest_free, 17 * MiB);
  f.memory.free(b);
  f.memory.free(a);
  m = f.stats();
  EXPECT_EQ(m.asked + m.used, 0u);
  EXPECT_EQ(m.peak_asked, 1000 + 3 * MiB);
  EXPECT_EQ(m.peak_used, 1024 + 3 * MiB);
  EXPECT_EQ(m.allocations, 2u);
  EXPECT_EQ(m.frees, 2u);
  f.memory.empty_cache();
  f.memory.reset_peaks();
  m = f.stats();
  EXPECT_EQ(m.peak_asked + m.peak_used + m.peak_reserved + m.reserved + m.segments, 0u);
}

TEST(CudaAllocator, PoisonsWhatItGivesAndTakes) {
  Fixture f(64 * MiB, true);
  Block* a = f.memory.alloc(1000, stream(1));
  f.memory.free(a);
  ASSERT_EQ(f.driver.fills.size(), 2u);
  EXPECT_EQ(f.driver.fills[0].second, 1024u);
  EXPECT_EQ(f.driver.fills[0], f.driver.fills[1]);
}

TEST(CudaAllocator, SnapshotNamesEveryBlock) {
  Fixture f;
  Block* a = f.memory.alloc(1000, stream(1), "add");
  Block* b = f.memory.alloc(2 * MiB, stream(2));
  f.memory.record(b, stream(1));
  f.memory.free(b);
  std::string json;
  f.memory.snapshot(json);
  const std::string first = std::to_string(reinterpret_cast<size_t>(a->data)), rest = std::to_string(reinterpret_cast<size_t>(a->data) + 1024);
  EXPECT_NE(json.find("{\"device\": 0, \"address\": " + first + ", \"total_size\": 2097152, \"allocated_size\": 1024, \"active_size\": 1024, "
                      "\"requested_size\": 1000, \"stream\": 1, \"segment_type\": \"small\", \"blocks\": [{\"address\": " + first +
                      ", \"size\": 1024, \"requested_size\": 1000, \"state\": \"active_allocated\", \"op\": \"add\"}, {\"address\": " + rest +
                      ", \"size\": 2096128, \"requested_size\": 0, \"state\": \"inactive\", \"op\": \"\"}]}"), std::string::npos) << json;
  EXPECT_NE(json.find("}, {\"device\": 0"), std::string::npos);
  EXPECT_NE(json.find("\"state\": \"active_pending_free\", \"op\": \"\"}"), std::string::npos);
  EXPECT_NE(json.find("\"segment_type\": \"large\""), std::string::npos);
}

TEST(CudaAllocator, NeverGivesMemoryTwice) {
  Fixture f(size_t(8) << 30);
  f.driver.streams = {{0, 0}, {0, 0}, {0, 0}};
  std::mt19937 random(1);
  std::vector<Block*> live;
  std::map<char*, size_t> owned;
  size_t asked = 0;
  for (int i = 0; i < 200000; i++) {
    if (live.size() < 200 && (random() & 1)) {
      const size_t bytes = size_t(1) << (random() % 25);
      Block* b = f.memory.alloc(bytes, stream(1 + random() % 2));
      ASSERT_TRUE(b);
      auto next = owned.upper_bound(b->data);
      ASSERT_TRUE(next == owned.end() || b->data + b->size <= next->first);
      ASSERT_TRUE(next == owned.begin() || std::prev(next)->first + std::prev(next)->second <= b->data);
      owned[b->data] = b->size;
      live.push_back(b);
      asked += bytes;
      if (random() % 8 == 0) f.memory.record(b, stream(1 + random() % 3));
    } else if (!live.empty()) {
      const size_t k = random() % live.size();
      asked -= live[k]->asked;
      owned.erase(live[k]->data);
      f.memory.free(live[k]);
      live[k] = live.back();
      live.pop_back();
    }
    if (random() % 16 == 0) f.driver.finished += random() % (f.driver.now - f.driver.finished + 1);
    if (random() % 20000 == 0) f.memory.empty_cache();
  }
  EXPECT_EQ(f.stats().asked, asked);
  for (Block* b : live) f.memory.free(b);
  f.memory.empty_cache();
  EXPECT_EQ(f.driver.in_use, 0u);
  EXPECT_EQ(f.stats().used, 0u);
  EXPECT_LT(f.driver.all_events.size(), 1000u);  // events are used again
}
