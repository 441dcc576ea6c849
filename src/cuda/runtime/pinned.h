// Pinned host memory: a device copies from and to it without the host waiting. Getting some from CUDA takes as long as a small
// training step, so blocks are kept; a freed one is given out again when the copies that were recorded on it are done.
#pragma once
#include <deque>
#include <map>
#include <mutex>
#include <vector>

#include "src/cuda/runtime/driver.h"
#include "src/cuda/runtime/stream_pool.h"

namespace tapegrad::cuda {

class PinnedPool {
 public:
  struct Block {
    char* data;
    size_t size;
    bool used = false;
    std::vector<Stream> users;   // streams with a copy of it under way
    std::vector<Event*> events;  // after it was freed
  };
  PinnedPool(Driver& d, EventPool& e) : driver_(d), events_(e) {}
  /// Null when the host has none.
  Block* alloc(size_t bytes);
  void free(Block* b) noexcept;
  /// `s` has been given work on the memory at p. False: p is not of this pool.
  bool record(const void* p, Stream s);
  bool owns(const void* p);
  /// Gives all free blocks back, after waiting for their copies.
  void empty_cache();
  /// A quarter of a power of two at a time: at most a quarter is wasted.
  static size_t rounded(size_t bytes);

 private:
  Block* find(const void* p);
  bool done(Block& b, bool wait);

  Driver& driver_;
  EventPool& events_;
  std::mutex lock_;
  std::map<const char*, Block> blocks_;             // all, by address
  std::map<size_t, std::deque<Block*>> free_;       // by size; the first to have been freed comes first
};

}  // namespace tapegrad::cuda
