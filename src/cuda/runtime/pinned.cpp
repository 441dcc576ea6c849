#include "src/cuda/runtime/pinned.h"

#include <algorithm>
#include <bit>

namespace tapegrad::cuda {

constexpr size_t kLooks = 4;  // where the blocks freed first are not done yet, later ones hardly are

size_t PinnedPool::rounded(size_t bytes) {
  constexpr size_t kLeast = 4096;
  if (bytes <= kLeast) return kLeast;
  const size_t step = std::bit_floor(bytes - 1) / 4;
  return (bytes + step - 1) / step * step;
}

PinnedPool::Block* PinnedPool::alloc(size_t bytes) {
  std::lock_guard g(lock_);
  const size_t size = rounded(bytes);
  auto& free = free_[size];
  for (size_t i = 0; i < free.size() && i < kLooks; i++) {
    Block* b = free[i];
    if (!done(*b, false)) continue;
    free.erase(free.begin() + ptrdiff_t(i));
    b->used = true;
    return b;
  }
  char* data = driver_.host_alloc(size);
  if (!data) return nullptr;
  return &(blocks_[data] = {data, size, true, {}, {}});
}

void PinnedPool::free(Block* b) noexcept {
  std::lock_guard g(lock_);
  b->used = false;
  for (Stream s : b->users) {
    Event* e = events_.get(driver_.device_of(s), false);
    if (!e) continue;
    driver_.record(e->handle, s);
    b->events.push_back(e);
  }
  b->users.clear();
  free_[b->size].push_back(b);
}

bool PinnedPool::record(const void* p, Stream s) {
  std::lock_guard g(lock_);
  Block* b = find(p);
  if (b && std::find(b->users.begin(), b->users.end(), s) == b->users.end()) b->users.push_back(s);
  return b;
}

bool PinnedPool::owns(const void* p) {
  std::lock_guard g(lock_);
  return find(p);
}

void PinnedPool::empty_cache() {
  std::lock_guard g(lock_);
  for (auto& [size, free] : free_) {
    for (Block* b : free) {
      done(*b, true);
      driver_.host_free(b->data);
      blocks_.erase(b->data);
    }
  }
  free_.clear();
}

PinnedPool::Block* PinnedPool::find(const void* p) {
  const char* c = static_cast<const char*>(p);
  auto at = blocks_.upper_bound(c);
  if (at == blocks_.begin()) return nullptr;
  Block* b = &(--at)->second;
  return b->used && c < b->data + b->size ? b : nullptr;
}

bool PinnedPool::done(Block& b, bool wait) {
  while (!b.events.empty()) {
    Event* e = b.events.back();
    if (wait) driver_.wait(e->handle);
    else if (!driver_.done(e->handle)) return false;
    events_.put(e);
    b.events.pop_back();
  }
  return true;
}

}  // namespace tapegrad::cuda
