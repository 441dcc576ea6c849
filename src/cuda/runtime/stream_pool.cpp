#include "src/cuda/runtime/stream_pool.h"

namespace tapegrad::cuda {

Stream StreamPool::default_stream(int device) {
  if (Stream s = default_[device].load(std::memory_order_acquire)) return s;
  std::lock_guard g(lock_);
  if (Stream s = default_[device].load(std::memory_order_relaxed)) return s;
  Stream s = driver_.make_stream(device, 0);
  default_[device].store(s, std::memory_order_release);
  return s;
}

Stream StreamPool::next(int device, int priority) {
  std::lock_guard g(lock_);
  Ring& r = rings_[{device, priority}];
  Stream& s = r.stream[r.next];
  if (!s) s = driver_.make_stream(device, priority);
  r.next = (r.next + 1) % kStreams;
  return s;
}

Event* EventPool::get(int device, bool timing) noexcept {
  std::lock_guard g(lock_);
  auto& free = free_[device][timing];
  if (!free.empty()) {
    Event* e = free.back();
    free.pop_back();
    return e;
  }
  void* handle = driver_.make_event(device, timing);
  if (!handle) return nullptr;
  all_.push_back({handle, device, timing});
  return &all_.back();
}

void EventPool::put(Event* e) {
  std::lock_guard g(lock_);
  free_[e->device][e->timing].push_back(e);
}

}  // namespace tapegrad::cuda
