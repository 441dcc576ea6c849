// Big results leave the caches before anything reads them again, so they are written past them: through a block in L1 and
// non-temporal stores, which need no read of the memory that they overwrite.
#pragma once
#include <cstring>

#include "src/ops/cpu/moves.h"
#include "src/ops/cpu/table.h"

namespace tapegrad {

constexpr int64_t kStreamBytes = 12 << 20;  // with an input as long, more than the share of the last-level cache that one program has

constexpr int64_t kStreamBlock = 1024;      // bytes of an elementwise result at a time
inline bool is_past_caches(int64_t bytes) { return bytes >= kStreamBytes; }

/// What a piece of work writes its part of a result through. `past` is the same for all pieces of one result.
class Streamed {
  bool past_;
 public:
  explicit Streamed(bool past) : past_(past) {}
  ~Streamed() { if (past_) kernels().moves->fence(); }
  Streamed(const Streamed&) = delete;
  bool past() const { return past_; }

  void copy(char* to, const char* from, int64_t bytes) const {
    past_ ? kernels().moves->stream(to, from, bytes) : void(std::memcpy(to, from, size_t(bytes)));
  }
  /// write(where) puts `bytes` bytes there: to `to`, or to a block that is then copied to it.
  template <class F> void put(char* to, int64_t bytes, F write) const {
    constexpr int64_t kBlock = 1 << 15;
    if (!past_ || bytes > kBlock) return write(to);
    alignas(64) char block[kBlock];
    write(static_cast<char*>(block));
    kernels().moves->stream(to, block, bytes);
  }
};

}  // namespace tapegrad
