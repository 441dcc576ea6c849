// CPU memory. Small blocks: per-thread free lists (the fast path is inline in tensor.h), refilled from and spilled to shared
// lists in batches. Big blocks: cached by size class, because a fresh 40 MB costs more in page faults than the add that
// fills it. Nothing here is ever destroyed: objects may outlive static destructors.
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cstdlib>
#include <mutex>
#include <new>

#include "src/tensor/make.h"

namespace tapegrad {

constinit thread_local ThreadState tls{};

namespace {

constexpr size_t kPage = 4096, kHugePage = size_t(2) << 20;
constexpr int kBigClasses = 256;

struct Shared {
  std::mutex lock;
  FreeBlock* small[kSmallClasses] = {};
  FreeBlock* big[kBigClasses] = {};
  MemoryStats stats;
  size_t limit = size_t(sysconf(_SC_PHYS_PAGES)) * size_t(sysconf(_SC_PAGESIZE)) / 4;
  ThreadState* threads[1024] = {};  // alive and counting
  int thread_count = 0;
  bool watched = false;
  int64_t gone_tensors = 0, gone_nodes = 0;  // what finished threads had counted
};
Shared& shared() {
  static Shared& s = [&]() -> Shared& {
    static Shared* made = new Shared;
    pthread_atfork([] { made->lock.lock(); }, [] { made->lock.unlock(); }, [] { made->lock.unlock(); });  // a child finds whole lists
    return *made;
  }();
  return s;
}

// Four classes a power of two: at most a quarter wasted.
struct SizeClass { int index; size_t bytes; };
constexpr SizeClass big_class(size_t bytes) {
  const int k = int(std::bit_width(bytes - 1)) - 1;  // 2^k < bytes <= 2^(k+1)
  const size_t base = size_t(1) << k, step = base / 4, steps = (bytes - base + step - 1) / step;
  return {(k - 8) * 4 + int(steps), base + steps * step};
}
// From 64 KB on data begin 256 bytes into a page. A load waits for earlier stores whose addresses end in the same 12 bits, so where
// y starts just after x, as it would after an array of NumPy's (16 bytes into a page), every load of y[i] = f(x[i]) would wait.
constexpr int kPaged = big_class(64 << 10).index;
constexpr size_t kFront = 256 - kStorageHeader;
void* system_alloc(SizeClass c) {
  if (c.index < kPaged) return std::aligned_alloc(64, (c.bytes + 63) / 64 * 64);
  const size_t align = c.bytes < 2 * kHugePage ? kPage : kHugePage, bytes = kFront + c.bytes;
  char* p = static_cast<char*>(std::aligned_alloc(align, (bytes + align - 1) / align * align));
  if (!p) return nullptr;
  if (align == kHugePage) madvise(p, bytes, MADV_HUGEPAGE);  // 3-6 times less page fault time at first touch
  return p + kFront;
}
void system_free(void* p, int index) { std::free(index < kPaged ? p : static_cast<char*>(p) - kFront); }

struct AtThreadExit {
  bool counted;
  AtThreadExit() {
    Shared& s = shared();
    std::lock_guard g(s.lock);
    counted = s.thread_count < 1024;
    if (counted) s.threads[s.thread_count++] = &tls;
    tls.watched = s.watched;
  }
  ~AtThreadExit() {
    tls.exiting = true;  // later destructors may still free: straight to the shared lists
    for (int c = 0; c < kSmallClasses; c++) pool_spill(c);
    Shared& s = shared();
    std::lock_guard g(s.lock);
    s.gone_tensors += tls.tensors, s.gone_nodes += tls.nodes;
    for (int k = 0; k < s.thread_count; k++)
      if (s.threads[k] == &tls) { s.threads[k] = s.threads[--s.thread_count]; break; }
  }
};

}  // namespace

void detail::meet_thread() {
  static thread_local AtThreadExit at_exit;
  (void)&at_exit;
  tls.counted = true;
}

void detail::set_watched(bool on) {
  Shared& s = shared();
  std::lock_guard g(s.lock);
  s.watched = on;
  for (int k = 0; k < s.thread_count; k++) __atomic_store_n(&s.threads[k]->watched, on, __ATOMIC_RELAXED);
}

void* pool_refill(int cls) {
  if (!tls.counted) detail::meet_thread();
  const size_t size = size_t(cls + 1) * 64;
#ifdef TG_NO_POOL
  return ::operator new(size, std::align_val_t(64));
#else
  constexpr size_t kBatch = 128;
  ThreadState& t = tls;
  Shared& s = shared();
  std::lock_guard g(s.lock);
  if (!s.small[cls]) {
    char* slab = static_cast<char*>(std::aligned_alloc(64, size * kBatch));
    if (!slab) throw std::bad_alloc();
    for (size_t k = 0; k < kBatch; k++) {
      auto* b = reinterpret_cast<FreeBlock*>(slab + k * size);
      b->next = s.small[cls], s.small[cls] = b;
    }
  }
  for (size_t k = 0; k < kBatch && s.small[cls]; k++) {
    FreeBlock* b = s.small[cls];
    s.small[cls] = b->next;
    b->next = t.free[cls], t.free[cls] = b, t.count[cls]++;
  }
  FreeBlock* b = t.free[cls];
  t.free[cls] = b->next, t.count[cls]--;
  return b;
#endif
}
void pool_spill(int cls) {
  ThreadState& t = tls;
  Shared& s = shared();
  std::lock_guard g(s.lock);
  for (unsigned keep = t.exiting ? 0 : 256; t.count[cls] > keep; t.count[cls]--) {
    FreeBlock* b = t.free[cls];
    t.free[cls] = b->next, b->next = s.small[cls], s.small[cls] = b;
  }
}

void* big_alloc(size_t bytes) {
  if (!tls.counted) detail::meet_thread();
  if (bytes > (size_t(1) << 47)) detail::fail<OutOfMemoryError>("cannot allocate ", bytes, " bytes");
  const SizeClass c = big_class(bytes);
  Shared& s = shared();
  {
    std::lock_guard g(s.lock);
    s.stats.in_use += int64_t(c.bytes);
    s.stats.peak = std::max(s.stats.peak, s.stats.in_use);
#ifndef TG_NO_POOL
    if (FreeBlock* b = s.big[c.index]) {
      s.big[c.index] = b->next;
      s.stats.cached -= int64_t(c.bytes);
      return b;
    }
#endif
  }
  void* p = system_alloc(c);
  if (!p) {
    empty_cache();
    p = system_alloc(c);
  }
  if (!p) {
    std::unique_lock g(s.lock);
    s.stats.in_use -= int64_t(c.bytes);
    const int64_t in_use = s.stats.in_use;
    g.unlock();
    detail::fail<OutOfMemoryError>("cannot allocate ", bytes, " bytes, ", in_use, " bytes are in use by tensors");
  }
  return p;
}
void big_free(void* p, size_t bytes) {
  const SizeClass c = big_class(bytes);
  Shared& s = shared();
  {
    std::lock_guard g(s.lock);
    s.stats.in_use -= int64_t(c.bytes);
#ifndef TG_NO_POOL
    if (size_t(s.stats.cached) + c.bytes <= s.limit) {
      auto* b = static_cast<FreeBlock*>(p);
      b->next = s.big[c.index], s.big[c.index] = b;
      s.stats.cached += int64_t(c.bytes);
      return;
    }
#endif
  }
  system_free(p, c.index);
}

MemoryStats memory_stats() {
  Shared& s = shared();
  std::lock_guard g(s.lock);
  MemoryStats m = s.stats;
  m.tensors = s.gone_tensors, m.nodes = s.gone_nodes;
  for (int k = 0; k < s.thread_count; k++) {
    m.tensors += __atomic_load_n(&s.threads[k]->tensors, __ATOMIC_RELAXED);
    m.nodes += __atomic_load_n(&s.threads[k]->nodes, __ATOMIC_RELAXED);
  }
  return m;
}
void reset_peak_memory() {
  std::lock_guard g(shared().lock);
  shared().stats.peak = shared().stats.in_use;
}
void empty_cache() {
  FreeBlock* lists[kBigClasses];
  {
    Shared& s = shared();
    std::lock_guard g(s.lock);
    for (int k = 0; k < kBigClasses; k++) lists[k] = s.big[k], s.big[k] = nullptr;
    s.stats.cached = 0;
  }
  for (int k = 0; k < kBigClasses; k++)
    while (FreeBlock* b = lists[k]) {
      lists[k] = b->next;
      system_free(b, k);
    }
}
void set_cache_limit(size_t bytes) {
  {
    std::lock_guard g(shared().lock);
    shared().limit = bytes;
  }
  empty_cache();
}

}  // namespace tapegrad
