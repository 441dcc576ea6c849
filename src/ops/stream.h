// Big results leave the caches before anything reads them again, so they are written past them: through a block in L1 and
// non-temporal stores, which need no read of the memory that they overwrite.
#pragma once
#include <cstring>

#include "src/ops/cpu/moves.h"
#include "src/ops/cpu/table.h"

namespace tapegrad {

constexpr int64_t kStreamBytes = 12 << 20;  // with an input as long, more than the share of the last-level cache that one program has
constexpr int64_t kStreamBlock = 1024;      // bytes of an elementwise result at a time
constexpr int64_t kLongRow = 2048;          // bytes of which all but a few are whole lines
inline bool is_past_caches(int64_t bytes) { return bytes >= kStreamBytes; }

/// What a piece of work writes its part of a result through. `past` is the same for all pieces of one result. Where one copy goes on
/// where the last one ended, the line between them is written whole.
class Streamed {
  static constexpr int64_t kLine = 64;
  bool past_;
  int64_t held_ = 0;       // bytes of a line that wait for the rest of it
  char* line_ = nullptr;   // where it belongs
  alignas(kLine) char bytes_[kLine];

  void release() {
    std::memcpy(line_, bytes_, size_t(held_));
    held_ = 0;
  }
  void stream(char* to, const char* from, int64_t bytes, const char* next) {
    if (!held_ && !((reinterpret_cast<intptr_t>(to) | bytes) & (kLine - 1))) return moves_tables[kernel_set]->stream(to, from, bytes, next);
    if (held_ && to != line_ + held_) release();
    if (held_) {
      const int64_t n = bytes < kLine - held_ ? bytes : kLine - held_;
      std::memcpy(bytes_ + held_, from, size_t(n));
      to += n, from += n, bytes -= n, held_ += n;
      if (held_ < kLine) return;
      moves_tables[kernel_set]->stream(line_, bytes_, kLine, next);
      held_ = 0;
    }
    const int64_t before = -reinterpret_cast<intptr_t>(to) & (kLine - 1), head = before < bytes ? before : bytes;
    const int64_t whole = (bytes - head) & -kLine, rest = bytes - head - whole;
    moves_tables[kernel_set]->stream(to, from, head + whole, next);
    line_ = to + head + whole, held_ = rest;
    std::memcpy(bytes_, from + head + whole, size_t(rest));
  }

 public:
  explicit Streamed(bool past) : past_(past) {}
  ~Streamed() {
    if (!past_) return;
    if (held_) release();
    moves_tables[kernel_set]->fence();
  }
  Streamed(const Streamed&) = delete;
  bool past() const { return past_; }

  /// `next`: where the copy after this one will read, if elsewhere.
  void copy(char* to, const char* from, int64_t bytes, const char* next = nullptr) {
    if (past_) stream(to, from, bytes, next ? next : from); else std::memcpy(to, from, size_t(bytes));
  }
  /// write(where) puts `bytes` bytes there: to `to`, or to a block that is then copied to it.
  template <class F> void put(char* to, int64_t bytes, F write) {
    constexpr int64_t kBlock = 1 << 15;
    if (!past_ || bytes > kBlock) return write(to);
    alignas(kLine) char block[kBlock];
    write(static_cast<char*>(block));
    stream(to, block, bytes, block);
  }
  /// write(where, past) for kernels that write past the caches themselves (src/ops/cpu/past.h): long rows straight to their place.
  template <class F> void put_row(char* to, int64_t bytes, F write) {
    if (bytes >= kLongRow) write(to, past_); else put(to, bytes, [&](char* where) { write(where, false); });
  }
};

}  // namespace tapegrad
