// A device whose memory is numbers and whose events happen when a test says so.
#pragma once
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <vector>

#include "src/cuda/runtime/driver.h"

namespace tapegrad::cuda {

struct FakeDriver : Driver {
  struct FakeEvent { int device; bool timing; uint64_t moment; };
  uint64_t capacity;                  // of each device
  uint64_t in_use = 0, host_in_use = 0, now = 0, finished = 0;
  std::map<char*, size_t> live, host_live;
  std::vector<std::pair<int, int>> streams;  // device and priority
  std::vector<FakeEvent*> all_events;
  std::vector<std::pair<char*, size_t>> fills;
  int waits = 0;
  explicit FakeDriver(uint64_t capacity = uint64_t(1) << 40) : capacity(capacity) {}
  ~FakeDriver() override { for (FakeEvent* e : all_events) delete e; }

  void finish_all() { finished = now; }
  uint64_t next_address = uint64_t(1) << 32;
  char* take(std::map<char*, size_t>& from, size_t bytes) {
    char* p = reinterpret_cast<char*>(next_address);
    next_address += (bytes + 0xfffff) & ~uint64_t(0xfffff);
    from[p] = bytes;
    return p;
  }
  char* alloc(int, size_t bytes) override {
    if (in_use + bytes > capacity) return nullptr;
    in_use += bytes;
    return take(live, bytes);
  }
  void free(int, char* p) noexcept override {
    ASSERT_TRUE(live.count(p));
    in_use -= live[p];
    live.erase(p);
  }
  char* host_alloc(size_t bytes) override {
    if (host_in_use + bytes > capacity) return nullptr;
    host_in_use += bytes;
    return take(host_live, bytes);
  }
  void host_free(char* p) noexcept override {
    ASSERT_TRUE(host_live.count(p));
    host_in_use -= host_live[p];
    host_live.erase(p);
  }
  void memory_info(int, uint64_t* free, uint64_t* total) override { *free = capacity - in_use, *total = capacity; }
  void fill(char* p, int byte, size_t bytes, int, Stream) noexcept override {
    EXPECT_EQ(byte, 0xff);
    fills.push_back({p, bytes});
  }
  Stream make_stream(int device, int priority) override {
    streams.push_back({device, priority});
    return reinterpret_cast<Stream>(streams.size());
  }
  int device_of(Stream s) noexcept override { return streams.empty() ? 0 : streams[reinterpret_cast<size_t>(s) - 1].first; }
  bool failed = false;
  void* make_event(int device, bool timing) noexcept override {
    if (failed) return nullptr;
    all_events.push_back(new FakeEvent{device, timing, 0});
    return all_events.back();
  }
  void record(void* e, Stream) noexcept override { static_cast<FakeEvent*>(e)->moment = ++now; }
  bool done(void* e) noexcept override { return static_cast<FakeEvent*>(e)->moment <= finished; }
  void wait(void* e) noexcept override {
    waits++;
    finished = std::max(finished, static_cast<FakeEvent*>(e)->moment);
  }
};

inline Stream stream(int i) { return reinterpret_cast<Stream>(size_t(i)); }

}  // namespace tapegrad::cuda
