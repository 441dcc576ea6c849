// CPU memory. Small blocks: per-thread free lists (the fast path is inline in tensor.h), refilled from and spilled to shared
// lists in batches. Big blocks: cached by size class, because a fresh 40 MB costs more in page faults than the add that
// fills it. Nothing here is ever destroyed: objects may outlive static destructors.
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cstdlib>
#include <ctime>
#include <mutex>
#include <new>
#include <unordered_map>

#include "src/tensor/ledger.h"
#include "src/tensor/make.h"

namespace tapegrad {

constinit thread_local ThreadState tls{};

namespace {

constexpr size_t kPage = 4096, kHugePage = size_t(2) << 20;
constexpr int kBigClasses = 256;

struct Shared {
  std::mutex lock;
  FreeBlock* small[kSmallClasses] = {};
  int64_t small_free[kSmallClasses] = {}, small_made[kSmallClasses] = {};  // in `small`; ever
  FreeBlock* big[kBigClasses] = {};
  std::vector<void*> blocks;  // all big ones, in use or kept
  std::vector<LedgerEvent> events;
  bool recording = false;
  MemoryStats stats;
  size_t limit = size_t(sysconf(_SC_PHYS_PAGES)) * size_t(sysconf(_SC_PAGESIZE)) / 4;
  ThreadState* threads[1024] = {};  // alive and counting
  int thread_count = 0;
  bool watched = false;
  int64_t gone_tensors = 0, gone_nodes = 0;  // what finished threads had counted
};
Shared& shared() {
  static Shared& s = *[] {
    static Shared* made = new Shared;
    pthread_atfork([] { made->lock.lock(); }, [] { made->lock.unlock(); }, [] { made->lock.unlock(); });  // a child finds whole lists
    return made;
  }();
  return s;
}
[[maybe_unused]] const Shared& at_load = shared();  // a fork while a thread makes it would leave the child waiting for it

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
static_assert(kFront >= kOwnerBytes);
size_t front(int index) { return index < kPaged ? kOwnerBytes : kFront; }
void* system_alloc(SizeClass c) {
  const size_t align = c.index < kPaged ? 64 : c.bytes < 2 * kHugePage ? kPage : kHugePage, bytes = front(c.index) + c.bytes;
  char* p = static_cast<char*>(std::aligned_alloc(align, (bytes + align - 1) / align * align));
  if (!p) return nullptr;
  if (align == kHugePage) madvise(p, bytes, MADV_HUGEPAGE);  // 3-6 times less page fault time at first touch
  return p + front(c.index);
}
void system_free(void* p, int index) { std::free(static_cast<char*>(p) - front(index)); }

// ---- the ledger; all under the lock

int64_t now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t(t.tv_sec) * 1000000000 + t.tv_nsec;
}
// With the role that the memory has by now. Did an op save what it holds? Only a storage's header points to the data behind itself.
Owner known_owner(void* block) {
  Owner o = owner_of(block);
  const auto* s = static_cast<const Storage*>(block);
  if (o.role == MemoryRole::Working && s->data == static_cast<const char*>(block) + kStorageHeader && __atomic_load_n(&s->saved, __ATOMIC_RELAXED))
    o.role = MemoryRole::Saved;
  return o;
}
[[gnu::cold, gnu::noinline]] void note_event(Shared& s, void* block, bool made) {
  try {
    s.events.push_back({now(), block, made ? owner_of(block) : known_owner(block), made});
  } catch (const std::bad_alloc&) { s.recording = false; }  // what there is stays
}
Owner owner_now(size_t bytes) {
  const MemoryRole role = tls.role ? MemoryRole(tls.role) : tls.differentiating ? MemoryRole::Gradient : MemoryRole::Working;
  const uint16_t module = tls.differentiating ? tls.differentiating->module : tls.module;
  return {bytes, 0, make_note(tls.scope ? tls.scope->name : "", place_now()), module, role, true};
}
[[gnu::tls_model("initial-exec")]] constinit thread_local int64_t bytes_here = 0;
void enter(Shared& s, void* block, Owner o) {
  s.stats.in_use += int64_t(o.bytes), bytes_here += int64_t(o.bytes);
  s.stats.peak = std::max(s.stats.peak, s.stats.in_use);
  o.slot = owner_of(block).slot;
  owner_of(block) = o;
  if (s.recording) [[unlikely]] note_event(s, block, true);
}
void leave(Shared& s, void* block) {
  Owner& o = owner_of(block);
  s.stats.in_use -= int64_t(o.bytes), bytes_here -= int64_t(o.bytes);
  o.live = false;
  if (s.recording) [[unlikely]] note_event(s, block, false);
}
void strike_out(Shared& s, void* block) {  // it goes back to the system
  void*& at = s.blocks[owner_of(block).slot];
  at = s.blocks.back();
  owner_of(at).slot = owner_of(block).slot;
  s.blocks.pop_back();
}

// ---- refusing on purpose

struct Refusal {
  int64_t asked = 0, at = 0;
  bool on = false;
};
[[gnu::tls_model("initial-exec")]] constinit thread_local Refusal refusal;
bool refused() { return refusal.on && ++refusal.asked == refusal.at; }

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
  if (refused()) throw std::bad_alloc();
#ifdef TG_NO_POOL
  return ::operator new(size, std::align_val_t(64));
#else
  const size_t kBatch = 128, wanted = refusal.on ? 1 : kBatch;
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
    s.small_made[cls] += kBatch, s.small_free[cls] += kBatch;
  }
  for (size_t k = 0; k < wanted && s.small[cls]; k++) {
    FreeBlock* b = s.small[cls];
    s.small[cls] = b->next, s.small_free[cls]--;
    b->next = t.free[cls], t.free[cls] = b, t.count[cls]++;
  }
  FreeBlock* b = t.free[cls];
  t.free[cls] = b->next, t.count[cls]--;
  return b;
#endif
}
// While allocations are counted this thread's lists are kept empty and say that they are full: each block comes by here.
constexpr uint16_t kFull = 512;
void pool_spill(int cls) {
  ThreadState& t = tls;
  Shared& s = shared();
  std::lock_guard g(s.lock);
  for (unsigned keep = t.exiting ? 0 : 256; t.count[cls] > keep && t.free[cls]; t.count[cls]--) {
    FreeBlock* b = t.free[cls];
    t.free[cls] = b->next, b->next = s.small[cls], s.small[cls] = b;
    s.small_free[cls]++;
  }
  if (refusal.on) t.count[cls] = kFull;
}

// A block that the cache does not have.
[[gnu::noinline]] static void* new_big(SizeClass c, const Owner& owner, size_t bytes, bool refuse) {
  Shared& s = shared();
  void* p = refuse ? nullptr : system_alloc(c);
  if (!p && !refuse) {
    empty_cache();
    p = system_alloc(c);
  }
  if (!p)
    detail::fail<OutOfMemoryError>("cannot allocate ", bytes, " bytes, ", memory_stats().in_use, " bytes are in use by tensors", largest_owners(5));
  std::unique_lock g(s.lock);
  try {
    s.blocks.push_back(p);
  } catch (...) {
    g.unlock();
    system_free(p, c.index);
    throw;
  }
  owner_of(p).slot = uint32_t(s.blocks.size() - 1);
  enter(s, p, owner);
  return p;
}
void* big_alloc(size_t bytes) {
  if (!tls.counted) detail::meet_thread();
  if (bytes > (size_t(1) << 47)) detail::fail<OutOfMemoryError>("cannot allocate ", bytes, " bytes");
  const SizeClass c = big_class(bytes);
  const Owner owner = owner_now(c.bytes);
  Shared& s = shared();
  const bool refuse = refused();
#ifndef TG_NO_POOL
  if (!refuse) {
    std::lock_guard g(s.lock);
    if (FreeBlock* b = s.big[c.index]) {
      s.big[c.index] = b->next;
      s.stats.cached -= int64_t(c.bytes);
      enter(s, b, owner);
      return b;
    }
  }
#endif
  return new_big(c, owner, bytes, refuse);
}
void big_free(void* p, size_t bytes) {
  const SizeClass c = big_class(bytes);
  Shared& s = shared();
  {
    std::lock_guard g(s.lock);
    leave(s, p);
#ifndef TG_NO_POOL
    if (size_t(s.stats.cached) + c.bytes <= s.limit) {
      auto* b = static_cast<FreeBlock*>(p);
      b->next = s.big[c.index], s.big[c.index] = b;
      s.stats.cached += int64_t(c.bytes);
      return;
    }
#endif
    strike_out(s, p);
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
    for (int k = 0; k < kBigClasses; k++) {
      lists[k] = s.big[k], s.big[k] = nullptr;
      for (FreeBlock* b = lists[k]; b; b = b->next) strike_out(s, b);
    }
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

// ---- ledger.h

Ledger read_ledger() {
  Shared& s = shared();
  Ledger ledger;
  std::lock_guard g(s.lock);
  for (void* b : s.blocks) {
    if (owner_of(b).live) ledger.blocks.push_back(known_owner(b));
  }
  for (int c = 0; c < kSmallClasses; c++) {
    ledger.small[c] = s.small_made[c] - s.small_free[c];
    for (int k = 0; k < s.thread_count; k++)
      if (const ThreadState* t = s.threads[k]; __atomic_load_n(&t->free[c], __ATOMIC_RELAXED)) ledger.small[c] -= __atomic_load_n(&t->count[c], __ATOMIC_RELAXED);
  }
  return ledger;
}

static Owner* owner_if_any(const Storage& s) {
  return s.block > size_t(kSmallClasses) * 64 && !s.deleter ? &owner_of(const_cast<Storage*>(&s)) : nullptr;
}
void set_role(const Storage& s, MemoryRole role) {
  if (Owner* o = owner_if_any(s)) __atomic_store(&o->role, &role, __ATOMIC_RELAXED);
}
MemoryRole role_of(const Storage& s) {
  MemoryRole role = MemoryRole::Working;
  if (const Owner* o = owner_if_any(s)) __atomic_load(&o->role, &role, __ATOMIC_RELAXED);
  return role;
}
void set_owner_module(const Storage& s, uint16_t module) {
  if (Owner* o = owner_if_any(s)) __atomic_store_n(&o->module, module, __ATOMIC_RELAXED);
}
void own_with(const Storage& s, const Storage& of, MemoryRole role) {
  set_role(s, role);
  if (const Owner* o = owner_if_any(of); o && o->module) set_owner_module(s, o->module);
}

// Blocks get the owner that they had last: that one was saved, or is a parameter, is known only after it was made.
static void settle(Shared& s, std::vector<LedgerEvent>& events) {
  std::unordered_map<const void*, Owner*> in_use;
  for (LedgerEvent& e : events) {
    if (e.made) in_use[e.block] = &e.owner;
    else if (auto found = in_use.extract(e.block)) *found.mapped() = e.owner;
  }
  for (void* b : s.blocks)
    if (auto found = in_use.find(b); found != in_use.end() && owner_of(b).live) *found->second = known_owner(b);
}
void record_ledger(bool on) {
  Shared& s = shared();
  std::lock_guard g(s.lock);
  if (s.recording && !on) settle(s, s.events);
  s.recording = on;
  if (!on) return;
  s.events.clear();
  for (void* b : s.blocks) if (owner_of(b).live) note_event(s, b, true);
}
std::vector<LedgerEvent> ledger_events() {
  Shared& s = shared();
  std::lock_guard g(s.lock);
  std::vector<LedgerEvent> events = s.events;
  if (s.recording) settle(s, events);
  return events;
}

int64_t bytes_of_thread() { return bytes_here; }

int64_t fail_allocation_at(int64_t n) {
  if (!tls.counted) detail::meet_thread();
  const int64_t asked = refusal.asked;
  tls.exiting = true;
  for (int c = 0; c < kSmallClasses; c++) pool_spill(c);
  tls.exiting = false;
  refusal = {0, n, n > 0};
  for (uint16_t& count : tls.count) count = n > 0 ? kFull : 0;
  return asked;
}

}  // namespace tapegrad
