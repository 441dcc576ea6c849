// Reference counts, free lists, storage: what tensors and nodes are made of. Knows neither.
#pragma once
#include <new>

#include "tapegrad/types.h"

namespace tapegrad {

struct Node;     // autograd.h
struct OpScope;  // autograd.h

// ---- reference counts ----------------------------------------------------------------------------------------------

/// First base of everything counted. The last owner needs no locked instruction: nobody can raise a count of one.
struct Counted {
  uint32_t refs = 1;
  void retain() { __atomic_fetch_add(&refs, 1, __ATOMIC_RELAXED); }
  bool drop() { return __atomic_load_n(&refs, __ATOMIC_ACQUIRE) == 1 || __atomic_fetch_sub(&refs, 1, __ATOMIC_ACQ_REL) == 1; }
  bool unique() const { return __atomic_load_n(&refs, __ATOMIC_ACQUIRE) == 1; }
};
/// Owning pointer to a T that derives from Counted and has `static void destroy(T*)`.
template <class T> class Ref {
  T* p_ = nullptr;
 public:
  Ref() = default;
  Ref(const Ref& o) : p_(o.p_) { if (p_) p_->retain(); }
  Ref(Ref&& o) noexcept : p_(o.p_) { o.p_ = nullptr; }
  Ref& operator=(Ref o) noexcept { T* t = p_; p_ = o.p_; o.p_ = t; return *this; }
  ~Ref() { if (p_ && p_->drop()) T::destroy(p_); }
  static Ref steal(T* p) { Ref r; r.p_ = p; return r; }
  static Ref share(T* p) { if (p) p->retain(); return steal(p); }
  T* release() { T* p = p_; p_ = nullptr; return p; }
  T* get() const { return p_; }
  T* operator->() const { return p_; }
  T& operator*() const { return *p_; }
  explicit operator bool() const { return p_; }
};

// ---- memory --------------------------------------------------------------------------------------------------------

struct FreeBlock { FreeBlock* next; };
inline constexpr int kSmallClasses = 8;  // 64, 128, ... 512 bytes; larger blocks come from the shared cache

/// Everything a thread needs on the fast path, in one constant-initialised thread-local object.
struct ThreadState {
  FreeBlock* free[kSmallClasses];
  uint16_t count[kSmallClasses];
  bool no_grad, inference, in_python, draining, exiting, anomaly;
  bool counted;          // known to memory_stats(), and its lists are handed over when it ends
  bool watched;          // ops tell Watchers (src/autograd/watch.h) when they begin and end
  uint8_t role;          // MemoryRole of what is made now; Working: as it comes
  uint64_t sequence;     // Lamport clock of the tape
  Node* graveyard;       // nodes waiting to be destroyed without recursion
  OpScope* scope;        // innermost running op
  Node* differentiating; // the node whose backward runs here, or null
  uint32_t unwanted;     // bit k: this backward has no use for the gradient of its input k
  uint16_t origin;       // note (autograd.h) of what turned recording off here, for the tensors made meanwhile
  uint16_t module;       // path of the nn module whose forward runs here (src/tensor/ledger.h), 0 for none
  int64_t tensors, nodes; // made minus destroyed by this thread
};
extern TG_API constinit thread_local ThreadState tls __attribute__((tls_model("initial-exec")));

namespace detail {
void meet_thread();            // first use of memory in a thread
void set_watched(bool on);     // ThreadState::watched of all threads
}  // namespace detail
TG_API void* pool_refill(int cls);
TG_API void pool_spill(int cls);
TG_API void* big_alloc(size_t bytes);          // 64-byte aligned; throws OutOfMemoryError
TG_API void big_free(void* p, size_t bytes);

/// Small blocks come from this thread's free lists: no lock, no malloc in steady state.
inline void* pool_alloc(size_t bytes) {
  size_t cls = (bytes - 1) >> 6;
  if (cls >= size_t(kSmallClasses)) return big_alloc(bytes);
  ThreadState& t = tls;
  FreeBlock* b = t.free[cls];
  if (!b) [[unlikely]] return pool_refill(int(cls));
  t.free[cls] = b->next;
  t.count[cls]--;
  return b;
}
/// `bytes` must be what was asked for. Any thread may free: the block joins that thread's list.
inline void pool_free(void* p, size_t bytes) {
  size_t cls = (bytes - 1) >> 6;
  if (cls >= size_t(kSmallClasses)) return big_free(p, bytes);
#ifdef TG_NO_POOL
  return operator delete(p, std::align_val_t(64));
#endif
  ThreadState& t = tls;
  auto* b = static_cast<FreeBlock*>(p);
  b->next = t.free[cls];
  t.free[cls] = b;
  if (++t.count[cls] > 512 || t.exiting) [[unlikely]] pool_spill(int(cls));
}

/// What the CPU allocator holds, in bytes.
struct MemoryStats {
  int64_t in_use = 0, peak = 0, cached = 0;  // big buffers (> 512 bytes): held by tensors, the most ever, kept for reuse
  int64_t tensors = 0, nodes = 0;            // alive now, over all threads
};
TG_API MemoryStats memory_stats();
TG_API void reset_peak_memory();
TG_API void empty_cache();                         ///< gives cached big buffers back to the system
TG_API void set_cache_limit(size_t bytes);         ///< cached bytes above this go back at once
/// What the bytes in use are for.
enum class MemoryRole : uint8_t { Working, Saved, Gradient, Parameter, Optimizer };
/// A table of the bytes in use by role, and of their largest owners: op, line, nn module, role.
/// Example: const Tensor x = ones({1000}); assert(memory_summary().find("in use") != std::string::npos);
TG_API std::string memory_summary(int rows = 20);

/// The bytes that tensors share. `version` counts in-place writes.
struct TG_API Storage : Counted {
  uint32_t version = 0;
  Device device;
  bool saved = false;   // some op saved it for its backward: from then on writes are noted
  uint16_t written = 0; // note (autograd.h) of the last such write
  char* data = nullptr;
  size_t bytes = 0;     // asked for
  size_t capacity = 0;  // readable and writable from data: bytes rounded up, 0 when the memory is not ours
  size_t block = 0;     // pool block that holds the header (and, when ours, the data)
  void (*deleter)(void* context) = nullptr;  // foreign memory: called with context instead
  void* context = nullptr;
  static Storage* make(size_t bytes, Device device = {});  // uninitialised, data 64-aligned (32 bytes or less: 32)
  static Storage* borrow(void* data, size_t bytes, void (*deleter)(void*), void* context, Device device = {});
  static void destroy(Storage* s);
};
namespace detail { TG_API void note_write(Storage& s); }  // keeps the running op and its caller's place in s.written

}  // namespace tapegrad
