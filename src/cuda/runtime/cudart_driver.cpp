// The Driver that is CUDA, and the pools over it.
#include <algorithm>
#include <cstdlib>

#include "src/cuda/runtime/device.h"
#include "src/cuda/runtime/memory.h"
#include "src/cuda/runtime/stream.h"

namespace tapegrad::cuda {

namespace {

cudaEvent_t event(void* e) { return static_cast<cudaEvent_t>(e); }
cudaStream_t stream(Stream s) { return static_cast<cudaStream_t>(s); }
// Calls that must not throw: memory is freed in destructors. Where the device has failed, the next call that may says so.
bool went_well(cudaError_t e) {
  if (e != cudaSuccess) cudaGetLastError();
  return e == cudaSuccess;
}
template <class F> bool went_well_on(int device, F call) noexcept {
  try {
    const DeviceGuard g(device);
    use_device(device);
    return went_well(call());
  } catch (...) {
    return false;
  }
}
bool out_of_memory(cudaError_t e, const char* call) {
  if (e != cudaErrorMemoryAllocation) return check(e, call), false;
  cudaGetLastError();
  return true;
}

struct Cudart final : Driver {
  char* alloc(int device, size_t bytes) override {
    const DeviceGuard g(device);
    use_device(device);
    void* p = nullptr;
    return out_of_memory(cudaMalloc(&p, bytes), "cudaMalloc") ? nullptr : static_cast<char*>(p);
  }
  void free(int device, char* p) noexcept override {
    went_well_on(device, [&] { return cudaFree(p); });
  }
  char* host_alloc(size_t bytes) override {
    use_device(current_device());
    void* p = nullptr;
    return out_of_memory(cudaHostAlloc(&p, bytes, cudaHostAllocPortable), "cudaHostAlloc") ? nullptr : static_cast<char*>(p);
  }
  void host_free(char* p) noexcept override { went_well(cudaFreeHost(p)); }
  void memory_info(int device, uint64_t* free, uint64_t* total) override {
    const DeviceGuard g(device);
    use_device(device);
    size_t f = 0, t = 0;
    TG_CUDA(cudaMemGetInfo(&f, &t));
    *free = f, *total = t;
  }
  void fill(char* p, int byte, size_t bytes, int device, Stream s) noexcept override {
    went_well_on(device, [&] { return cudaMemsetAsync(p, byte, bytes, stream(s)); });
  }
  Stream make_stream(int device, int priority) override {
    const DeviceGuard g(device);
    use_device(device);
    int least = 0, greatest = 0;
    TG_CUDA(cudaDeviceGetStreamPriorityRange(&least, &greatest));
    cudaStream_t s = nullptr;
    TG_CUDA(cudaStreamCreateWithPriority(&s, cudaStreamNonBlocking, std::clamp(priority, greatest, least)));
    return s;
  }
  int device_of(Stream s) noexcept override {
    int device = 0;
    went_well(cudaStreamGetDevice(stream(s), &device));
    return device;
  }
  void* make_event(int device, bool timing) noexcept override {
    cudaEvent_t e = nullptr;
    return went_well_on(device, [&] { return cudaEventCreateWithFlags(&e, timing ? cudaEventDefault : cudaEventDisableTiming); }) ? e : nullptr;
  }
  void record(void* e, Stream s) noexcept override { went_well(cudaEventRecord(event(e), stream(s))); }
  bool done(void* e) noexcept override {
    const cudaError_t state = cudaEventQuery(event(e));
    went_well(state);
    return state != cudaErrorNotReady;
  }
  void wait(void* e) noexcept override { went_well(cudaEventSynchronize(event(e))); }
};

Driver& driver() {
  static Driver& d = *new Cudart;  // like all below never destroyed: CUDA may be gone before our destructors run
  return d;
}

}  // namespace

StreamPool& streams() {
  static StreamPool& s = *new StreamPool(driver());
  return s;
}
EventPool& events() {
  static EventPool& e = *new EventPool(driver());
  return e;
}
PinnedPool& pinned() {
  static PinnedPool& p = *new PinnedPool(driver(), events());
  return p;
}

static CachingAllocator* new_allocator(int device) {
  const char *poison = std::getenv("TAPEGRAD_CUDA_POISON"), *limit = std::getenv("TAPEGRAD_CUDA_MEM_LIMIT");
  uint64_t bytes = 0;
  if (limit && *limit && !parse_limit(limit, properties(device).total_memory, &bytes))
    fail(CudaHost::kError, "TAPEGRAD_CUDA_MEM_LIMIT=%s is neither a number of bytes nor a fraction of the device's memory", limit);
  auto* a = new CachingAllocator(driver(), events(), device, poison && *poison && *poison != '0');
  a->set_limit(bytes);
  return a;
}

static std::atomic<CachingAllocator*> allocators[kMaxDevices];

CachingAllocator& allocator(int device) {
  static std::mutex lock;
  if (CachingAllocator* a = allocators[device].load(std::memory_order_acquire)) return *a;
  std::lock_guard g(lock);
  CachingAllocator* a = allocators[device].load(std::memory_order_relaxed);
  if (!a) allocators[device].store(a = new_allocator(device), std::memory_order_release);
  return *a;
}

void empty_caches() {
  for (auto& a : allocators) if (CachingAllocator* c = a.load(std::memory_order_acquire)) c->empty_cache();
  pinned().empty_cache();
}

std::string snapshot() {
  std::string json = "[";
  for (auto& a : allocators) if (CachingAllocator* c = a.load(std::memory_order_acquire)) c->snapshot(json);
  return json + "]";
}

Block* alloc(int device, size_t bytes) {
  if (bytes == 0) return nullptr;
  CachingAllocator& a = allocator(device);
  if (Block* b = a.alloc(bytes, current_stream(device), host->running_op())) return b;
  fail(CudaHost::kOutOfMemory, "%s", a.out_of_memory(bytes).c_str());
}

Scratch::Scratch(size_t bytes) : block_(alloc(current_device(), bytes)) {}
Scratch::~Scratch() { if (block_) block_->segment->owner->free(block_); }

}  // namespace tapegrad::cuda
