// Streams and events, made when first asked for and never destroyed: a stream may still be in use somewhere, and CUDA may be gone
// before our destructors run.
#pragma once
#include <atomic>
#include <deque>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "src/cuda/runtime/driver.h"

namespace tapegrad::cuda {

class StreamPool {
 public:
  static constexpr int kStreams = 32;  // of each device and priority
  explicit StreamPool(Driver& d) : driver_(d) {}
  Stream default_stream(int device);
  /// A stream of the pool, each in turn.
  Stream next(int device, int priority);

 private:
  struct Ring {
    Stream stream[kStreams] = {};
    int next = 0;
  };
  Driver& driver_;
  std::mutex lock_;
  std::atomic<Stream> default_[kMaxDevices] = {};
  std::map<std::pair<int, int>, Ring> rings_;  // by device and priority
};

struct Event {
  void* handle;
  int device;
  bool timing;
};

class EventPool {
 public:
  explicit EventPool(Driver& d) : driver_(d) {}
  /// Null on a device that has failed.
  Event* get(int device, bool timing) noexcept;
  void put(Event* e);

 private:
  Driver& driver_;
  std::mutex lock_;
  std::deque<Event> all_;
  std::vector<Event*> free_[kMaxDevices][2];
};

}  // namespace tapegrad::cuda
