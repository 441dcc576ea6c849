// Working memory for the pieces of a parallel loop.
#pragma once
#include <atomic>

#include "tapegrad/tensor.h"

namespace tapegrad {

// Working memory of one piece. Pieces must not throw: a failure is noted, and the caller throws when all are done.
class Scratch {
  size_t bytes_;
  void* p_ = nullptr;
 public:
  Scratch(size_t bytes, std::atomic<bool>& failed) : bytes_(bytes ? bytes : 1) {
    try {
      p_ = pool_alloc(bytes_);
    } catch (const Error&) {
      failed = true;
    }
  }
  Scratch(const Scratch&) = delete;
  ~Scratch() { if (p_) pool_free(p_, bytes_); }
  template <class T> T* get() const { return static_cast<T*>(p_); }
  explicit operator bool() const { return p_; }
};
inline void check_memory(const std::atomic<bool>& failed) { TG_CHECK(!failed, OutOfMemoryError, "cannot allocate working memory"); }

}  // namespace tapegrad
