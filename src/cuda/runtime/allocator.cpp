#include "src/cuda/runtime/allocator.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace tapegrad::cuda {

bool BySize::operator()(const Block* a, const Block* b) const { return a->size != b->size ? a->size < b->size : a->data < b->data; }
bool BySize::operator()(const Block* a, size_t size) const { return a->size < size; }

size_t CachingAllocator::segment_size(size_t size) {
  if (size <= kSmall) return kSmallSegment;
  if (size < kMedium) return kMediumSegment;
  return (size + kLargeStep - 1) / kLargeStep * kLargeStep;
}

// Copied, as the name need not live as long as the tensor; without what JSON would take for its own.
static void set_op(Block* b, const char* op) {
  size_t n = 0;
  for (; op && op[n] && n < sizeof b->op - 1; n++) b->op[n] = op[n] == '"' || op[n] == '\\' || op[n] < ' ' ? '_' : op[n];
  b->op[n] = 0;
}

Block* CachingAllocator::alloc(size_t bytes, Stream s, const char* op) {
  std::lock_guard g(lock_);
  finish_events(false);
  stats_.allocations++;
  if (bytes >> 56) { stats_.out_of_memory++; return nullptr; }  // no rounding up past 2^64
  const size_t size = rounded(bytes);
  FreeBlocks& free = free_blocks(s, size <= kSmall);
  Block* b = take(free, size);
  if (b) stats_.hits++;
  else b = grow(free, size, s);
  if (!b) {  // the ladder: what is cached, then what other streams still work on
    stats_.retries++;
    release_segments();
    b = grow(free, size, s);
  }
  if (!b) {
    finish_events(true);
    b = take(free, size);
  }
  if (!b) {
    release_segments();
    b = grow(free, size, s);
  }
  if (!b) { stats_.out_of_memory++; return nullptr; }
  split(b, size);
  b->state = Block::Used;
  b->asked = bytes;
  set_op(b, op);
  stats_.used += b->size, stats_.asked += bytes;
  stats_.peak_used = std::max(stats_.peak_used, stats_.used);
  stats_.peak_asked = std::max(stats_.peak_asked, stats_.asked);
  if (poison_) driver_.fill(b->data, 0xff, b->size, device_, s);
  return b;
}

void CachingAllocator::free(Block* b) noexcept {
  std::lock_guard g(lock_);
  stats_.frees++;
  stats_.used -= b->size, stats_.asked -= b->asked;
  if (b->users.empty()) {
    if (poison_) driver_.fill(b->data, 0xff, b->size, device_, b->segment->stream);
    return put(b);
  }
  b->state = Block::Pending;
  for (Stream s : b->users) {
    Event* e = events_.get(driver_.device_of(s), false);
    if (!e) continue;
    driver_.record(e->handle, s);
    waiting_[s].push_back({e, b});
    b->events++;
  }
  b->users.clear();
  if (b->events == 0) put(b);
}

void CachingAllocator::record(Block* b, Stream s) {
  std::lock_guard g(lock_);
  if (s != b->segment->stream && std::find(b->users.begin(), b->users.end(), s) == b->users.end()) b->users.push_back(s);
}

void CachingAllocator::empty_cache() {
  std::lock_guard g(lock_);
  finish_events(true);
  release_segments();
}

void CachingAllocator::set_limit(uint64_t bytes) {
  std::lock_guard g(lock_);
  stats_.limit = bytes;
}

// ---- blocks

FreeBlocks& CachingAllocator::free_blocks(Stream s, bool small) {
  auto& last = last_[small];
  if (!last.free || last.stream != s) last.stream = s, last.free = &free_[{s, small}];
  return *last.free;
}

Block* CachingAllocator::take(FreeBlocks& free, size_t size) {
  const auto at = free.lower_bound(size);
  if (at == free.end()) return nullptr;
  Block* b = *at;
  b->node = free.extract(at);
  return b;
}

// A medium block brings a segment with room for more; where there is none for that, one of its own.
Block* CachingAllocator::grow(FreeBlocks& free, size_t size, Stream s) {
  const bool small = size <= kSmall;
  const size_t usual = segment_size(size), least = small ? usual : (size + kLargeStep - 1) / kLargeStep * kLargeStep;
  if (Block* b = new_segment(free, usual, s, small)) return b;
  return least < usual ? new_segment(free, least, s, small) : nullptr;
}

Block* CachingAllocator::new_segment(FreeBlocks& free, size_t bytes, Stream s, bool small) {
  if (stats_.limit && stats_.reserved + bytes > stats_.limit) return nullptr;
  char* data = driver_.alloc(device_, bytes);
  if (!data) return nullptr;
  stats_.segments++, stats_.reserved += bytes;
  stats_.peak_reserved = std::max(stats_.peak_reserved, stats_.reserved);
  auto segment = std::make_unique<Segment>(Segment{this, data, bytes, s, small, &free, nullptr});
  segment->first = new_block(data, bytes, segment.get(), nullptr, nullptr);
  Block* b = segment->first;
  segments_[data] = std::move(segment);
  return b;
}

Block* CachingAllocator::new_block(char* data, size_t size, Segment* s, Block* left, Block* right) {
  if (spare_.empty()) {
    blocks_.push_back(Block{data, size, 0, s, left, right});
    return &blocks_.back();
  }
  Block* b = spare_.back();
  spare_.pop_back();
  b->data = data, b->size = size, b->asked = 0, b->segment = s, b->left = left, b->right = right, b->state = Block::Free;
  return b;
}

static void insert(FreeBlocks& free, Block* b) {
  if (b->node) free.insert(std::move(b->node));
  else free.insert(b);
}

// The rest of a block that is larger than asked for goes back, unless it is too small to be of use.
void CachingAllocator::split(Block* b, size_t size) {
  const size_t rest = b->size - size;
  if (rest < (b->segment->small ? kAlign : kSmall + 1)) return;
  Block* r = new_block(b->data + size, rest, b->segment, b, b->right);
  if (b->right) b->right->left = r;
  b->right = r;
  b->size = size;
  insert(*b->segment->free, r);
}

void CachingAllocator::absorb_right(Block* b) {
  Block* r = b->right;
  b->size += r->size;
  b->right = r->right;
  if (b->right) b->right->left = b;
  spare_.push_back(r);
}

// Among the free again, as one with its free neighbours. The block on the left stays, so that a segment's first block does.
void CachingAllocator::put(Block* b) {
  FreeBlocks& free = *b->segment->free;
  b->state = Block::Free;
  b->asked = 0;
  if (Block* r = b->right; r && r->state == Block::Free) {
    r->node = free.extract(r);
    absorb_right(b);
  }
  if (b->left && b->left->state == Block::Free) {
    b = b->left;
    b->node = free.extract(b);
    absorb_right(b);
  }
  insert(free, b);
}

void CachingAllocator::finish_events(bool wait) {
  for (auto& [stream, queue] : waiting_) {
    while (!queue.empty()) {
      const Waiting w = queue.front();
      if (wait) driver_.wait(w.event->handle);
      else if (!driver_.done(w.event->handle)) break;
      queue.pop_front();
      events_.put(w.event);
      if (--w.block->events == 0) put(w.block);
    }
  }
}

void CachingAllocator::release_segments() {
  for (auto at = segments_.begin(); at != segments_.end();) {
    const Segment& s = *at->second;
    Block* b = s.first;
    if (b->state != Block::Free || b->right) { ++at; continue; }
    b->node = s.free->extract(b);
    spare_.push_back(b);
    driver_.free(device_, s.data);
    stats_.segments--, stats_.reserved -= s.size;
    at = segments_.erase(at);
  }
}

// ---- what users see

uint64_t CachingAllocator::largest_free() const {
  uint64_t largest = 0;
  for (const auto& [key, free] : free_) if (!free.empty()) largest = std::max<uint64_t>(largest, (*free.rbegin())->size);
  return largest;
}

// "3.00 GiB by matmul, 1.00 GiB by randn": the five largest.
std::string CachingAllocator::largest_used() const {
  std::vector<const Block*> used;
  for (const auto& [address, segment] : segments_)
    for (const Block* b = segment->first; b; b = b->right) if (b->state == Block::Used) used.push_back(b);
  const auto end = used.begin() + std::min<ptrdiff_t>(5, ptrdiff_t(used.size()));
  std::partial_sort(used.begin(), end, used.end(), [](const Block* a, const Block* b) { return a->asked > b->asked; });
  std::string s;
  for (auto at = used.begin(); at != end; ++at) {
    s += (s.empty() ? "" : ", ") + size_text((*at)->asked);
    if ((*at)->op[0]) s += std::string(" by ") + (*at)->op;
  }
  return s;
}

void CachingAllocator::memory(CudaMemory* out) {
  std::lock_guard g(lock_);
  *out = stats_;
  out->largest_free = largest_free();
}

void CachingAllocator::reset_peaks() {
  std::lock_guard g(lock_);
  stats_.peak_asked = stats_.asked, stats_.peak_used = stats_.used, stats_.peak_reserved = stats_.reserved;
}

std::string size_text(uint64_t bytes) {
  if (bytes < 1024) return std::to_string(bytes) + " bytes";
  static const char* const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double v = double(bytes) / 1024;
  int unit = 0;
  for (; v >= 1024 && unit < 5; unit++) v /= 1024;
  char text[40];
  std::snprintf(text, sizeof text, "%.2f %s", v, units[unit]);
  return text;
}

std::string CachingAllocator::out_of_memory(size_t asked) {
  std::lock_guard g(lock_);
  uint64_t free = 0, total = 0;
  driver_.memory_info(device_, &free, &total);
  std::string s = "CUDA out of memory: asked for " + size_text(asked) + " on cuda:" + std::to_string(device_) + ", which has " +
                  size_text(free) + " of " + size_text(total) + " free; tapegrad holds " + size_text(stats_.reserved) + " (" +
                  size_text(stats_.used) + " in tensors, " + size_text(stats_.reserved - stats_.used) + " cached, largest free block " +
                  size_text(largest_free()) + ")";
  if (stats_.limit) s += " and may hold " + size_text(stats_.limit);
  if (stats_.used) s += ". The largest in use: " + largest_used();
  return s + ". Free tensors or make batches smaller; tapegrad.cuda.memory_summary() says more.";
}

bool parse_limit(const char* text, uint64_t total, uint64_t* bytes) {
  char* end = nullptr;
  const double v = std::strtod(text, &end);
  if (end == text || *end || !(v > 0) || v > 1e18) return false;
  *bytes = uint64_t(v <= 1 ? v * double(total) : v);
  return true;
}

void CachingAllocator::snapshot(std::string& json) {
  std::lock_guard g(lock_);
  auto field = [&](const char* name, uint64_t v) { json += std::string("\"") + name + "\": " + std::to_string(v) + ", "; };
  for (const auto& [address, segment] : segments_) {
    uint64_t used = 0, active = 0, asked = 0;
    std::string blocks;
    for (Block* b = segment->first; b; b = b->right) {
      static const char* const words[] = {"inactive", "active_allocated", "active_pending_free"};
      if (b->state == Block::Used) used += b->size;
      if (b->state != Block::Free) active += b->size, asked += b->asked;
      std::swap(json, blocks);
      json += json.empty() ? "{" : ", {";
      field("address", uint64_t(b->data));
      field("size", b->size);
      field("requested_size", b->asked);
      json += std::string("\"state\": \"") + words[b->state] + "\", \"op\": \"" + (b->state == Block::Free ? "" : b->op) + "\"}";
      std::swap(json, blocks);
    }
    if (!json.empty() && json.back() == '}') json += ", ";
    json += "{";
    field("device", uint64_t(device_));
    field("address", uint64_t(address));
    field("total_size", segment->size);
    field("allocated_size", used);
    field("active_size", active);
    field("requested_size", asked);
    field("stream", uint64_t(segment->stream));
    json += std::string("\"segment_type\": \"") + (segment->small ? "small" : "large") + "\", \"blocks\": [" + blocks + "]}";
  }
}

}  // namespace tapegrad::cuda
