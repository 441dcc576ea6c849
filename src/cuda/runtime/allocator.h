// The caching allocator of one device. Memory comes from CUDA in segments and is handed out in blocks: the best fit among the free
// blocks of the stream that asks, split, and merged with its free neighbours when it comes back. A block that is freed may be given
// out again at once, since work of one stream is done in order; what other streams were given to read (record) is waited for by
// events. Two kinds of segments keep small blocks from cutting up large ones. Nothing here calls CUDA: see driver.h.
#pragma once
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "src/cuda/runtime/driver.h"
#include "src/cuda/runtime/stream_pool.h"
#include "src/tensor/cuda_tables.h"

namespace tapegrad::cuda {

struct Block;
struct BySize {  // then by address
  using is_transparent = void;
  bool operator()(const Block* a, const Block* b) const;
  bool operator()(const Block* a, size_t size) const;
};
using FreeBlocks = std::set<Block*, BySize>;

class CachingAllocator;
struct Segment {
  CachingAllocator* owner;
  char* data;
  size_t size;
  Stream stream;
  bool small;
  FreeBlocks* free;
  Block* first;
};
struct Block {
  enum State : uint8_t { Free, Used, Pending };  // Pending: freed, but another stream has not done with it
  char* data;
  size_t size, asked;
  Segment* segment;
  Block *left, *right;            // neighbours in the segment
  State state = Free;
  char op[32] = "";               // what asked for it
  int events = 0;                 // that a pending block waits for
  std::vector<Stream> users = {};  // other streams that work on it
  FreeBlocks::node_type node = {};  // its place among the free, kept so that neither alloc nor free asks malloc
};

class CachingAllocator {
 public:
  static constexpr size_t kAlign = 512;
  static constexpr size_t kSmall = size_t(1) << 20, kSmallSegment = size_t(2) << 20;  // blocks up to kSmall come from small segments
  static constexpr size_t kMedium = size_t(10) << 20, kMediumSegment = size_t(20) << 20;
  static constexpr size_t kLargeStep = size_t(2) << 20;                               // from kMedium on: a segment of their own
  static size_t rounded(size_t bytes) { return bytes < kAlign ? kAlign : (bytes + kAlign - 1) / kAlign * kAlign; }
  static size_t segment_size(size_t size);

  CachingAllocator(Driver& d, EventPool& e, int device, bool poison = false) : driver_(d), events_(e), device_(device), poison_(poison) {}
  /// For use in `s`, by the op of that name. Null when there is no memory even after all that is cached was given back: see
  /// out_of_memory.
  Block* alloc(size_t bytes, Stream s, const char* op = nullptr);
  void free(Block* b) noexcept;
  /// What `s` has been given until b is freed may work on b.
  void record(Block* b, Stream s);
  /// Gives whole free segments back to CUDA.
  void empty_cache();
  /// In bytes of segments; 0: none.
  void set_limit(uint64_t bytes);
  void memory(CudaMemory* out);
  void reset_peaks();
  /// What to tell a user whose `alloc` has failed.
  std::string out_of_memory(size_t asked);
  /// Appends one JSON object for each segment, separated by commas.
  void snapshot(std::string& json);

 private:
  struct Waiting { Event* event; Block* block; };
  FreeBlocks& free_blocks(Stream s, bool small);
  Block* take(FreeBlocks& free, size_t size);
  Block* grow(FreeBlocks& free, size_t size, Stream s);
  Block* new_segment(FreeBlocks& free, size_t bytes, Stream s, bool small);
  Block* new_block(char* data, size_t size, Segment* s, Block* left, Block* right);
  void split(Block* b, size_t size);
  void absorb_right(Block* b);
  void put(Block* b);
  void finish_events(bool wait);
  void release_segments();
  uint64_t largest_free() const;
  std::string largest_used() const;

  Driver& driver_;
  EventPool& events_;
  const int device_;
  const bool poison_;
  std::mutex lock_;
  std::map<std::pair<Stream, bool>, FreeBlocks> free_;
  struct { Stream stream; FreeBlocks* free = nullptr; } last_[2];  // of the last alloc, by kind
  std::map<char*, std::unique_ptr<Segment>> segments_;             // by address
  std::deque<Block> blocks_;                                        // all that there have been
  std::vector<Block*> spare_;                                      // no longer part of a segment: to be used again
  std::map<Stream, std::deque<Waiting>> waiting_;                  // each stream's events, in the order that they will happen
  CudaMemory stats_{};
};

/// "1.50 GiB".
std::string size_text(uint64_t bytes);
/// A limit as in TAPEGRAD_CUDA_MEM_LIMIT: bytes, or a fraction (up to 1) of `total`. False: it is neither.
bool parse_limit(const char* text, uint64_t total, uint64_t* bytes);

}  // namespace tapegrad::cuda
