// Plans of NVIDIA's libraries, kept by the bytes of what they were made for. No CUDA in here: tests run it on any machine.
#pragma once
#include <stdint.h>
#include <string.h>

#include <list>
#include <memory>
#include <mutex>
#include <type_traits>
#include <unordered_map>

namespace tapegrad::cuda {

/// The `capacity` plans used last. Threads share it, and a plan lives on while one of them uses it.
template <class Key, class Plan, size_t capacity> class PlanCache {
  static_assert(std::has_unique_object_representations_v<Key>, "equal keys must have equal bytes: no padding, no floats");
  struct Hash {
    size_t operator()(const Key& key) const {
      uint64_t h = 0x9e3779b97f4a7c15, words[(sizeof(Key) + 7) / 8] = {};
      memcpy(words, &key, sizeof(Key));
      for (const uint64_t w : words) h = (h ^ w) * 0xd6e8feb86659fd93, h ^= h >> 32;
      return size_t(h);
    }
  };
  struct Equal {
    bool operator()(const Key& a, const Key& b) const { return memcmp(&a, &b, sizeof(Key)) == 0; }
  };
  using Entry = std::pair<Key, std::shared_ptr<Plan>>;
  std::mutex lock_;
  std::list<Entry> recent_;  // the last used first
  std::unordered_map<Key, typename std::list<Entry>::iterator, Hash, Equal> at_;

 public:
  static bool equal(const Key& a, const Key& b) { return Equal()(a, b); }
  /// The plan kept for `key`, or the one that make() returns, a std::shared_ptr<Plan>. Two threads may both make one at first.
  template <class Make> std::shared_ptr<Plan> get(const Key& key, Make&& make) {
    {
      std::lock_guard guard(lock_);
      if (const auto found = at_.find(key); found != at_.end()) {
        recent_.splice(recent_.begin(), recent_, found->second);
        return found->second->second;
      }
    }
    std::shared_ptr<Plan> plan = make();
    std::lock_guard guard(lock_);
    if (const auto found = at_.find(key); found != at_.end()) return found->second->second;
    recent_.emplace_front(key, plan);
    at_[key] = recent_.begin();
    if (recent_.size() > capacity) at_.erase(recent_.back().first), recent_.pop_back();
    return plan;
  }
  size_t size() {
    std::lock_guard guard(lock_);
    return recent_.size();
  }
};

}  // namespace tapegrad::cuda
