// Device and pinned memory of this process.
#pragma once
#include "src/cuda/runtime/allocator.h"
#include "src/cuda/runtime/pinned.h"

namespace tapegrad::cuda {

CachingAllocator& allocator(int device);
PinnedPool& pinned();
/// Of all devices that have been used, and of the host: gives back what no tensor uses.
void empty_caches();
/// All segments and blocks, as JSON.
std::string snapshot();

/// `bytes` for use in the current stream of `device`; throws OutOfMemoryError. Null for 0 bytes.
Block* alloc(int device, size_t bytes);

/// Memory of the current device for kernels in its current stream, given back (in the stream's order) at the end of the scope.
class Scratch {
  Block* block_;
 public:
  explicit Scratch(size_t bytes);
  Scratch(const Scratch&) = delete;
  ~Scratch();
  template <class T = char> T* data() const { return reinterpret_cast<T*>(block_ ? block_->data : nullptr); }
};

}  // namespace tapegrad::cuda
