// Devices, memory, copies, streams and events of the simulator.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <map>
#include <mutex>
#include <vector>

#include "simulator.h"
#include "stream.h"

struct CUevent_st {
  bool timing;
  double ms;
};

namespace simulator {

constexpr size_t kPage = 4096, kSegment = 2 << 20, kFilled = 32 << 20;

struct Memory {
  char* base;
  size_t limit, used = 0;
  std::map<size_t, size_t> live;                    // offset, bytes (whole pages)
  std::map<size_t, size_t> asked;                   // offset, bytes as asked for
  std::vector<std::pair<size_t, size_t>> runs;      // of neighbours in `live`
  bool runs_known = true;
  unsigned peers = 0;                               // whose memory this device may use: a bit each
};

static std::recursive_mutex& mutex() {
  static auto* m = new std::recursive_mutex;
  return *m;
}
static std::map<const char*, size_t>& pinned() {
  static auto* m = new std::map<const char*, size_t>;
  return *m;
}
static const bool unprotected = getenv("TG_SIMULATED_UNPROTECTED") != nullptr;
static int open_depth = 0;
static thread_local int device_now = 0;
static thread_local cudaError_t last_error = cudaSuccess;

static std::vector<Memory>& devices() {
  static auto* all = [] {
    const char *count = getenv("TG_SIMULATED_DEVICES"), *bytes = getenv("TG_SIMULATED_MEMORY");
    auto* v = new std::vector<Memory>(count ? size_t(atoi(count)) : 1);
    for (Memory& m : *v) {
      m.limit = bytes ? size_t(atoll(bytes)) : size_t(4) << 30;
      char* p = static_cast<char*>(mmap(nullptr, m.limit + kSegment, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
      if (p == MAP_FAILED) abort();
      m.base = p + (-reinterpret_cast<uintptr_t>(p) & (kSegment - 1));
      madvise(m.base, m.limit, MADV_HUGEPAGE);  // so that opening and closing is quick
    }
    return v;
  }();
  return *all;
}
int current_device() { return device_now; }
cudaError_t failed(cudaError_t e) { return last_error = e; }

static void protect(Memory& m, int how) {
  if (!m.runs_known) {
    m.runs.clear();
    for (auto [at, bytes] : m.live) {
      if (!m.runs.empty() && m.runs.back().first + m.runs.back().second == at) m.runs.back().second += bytes;
      else m.runs.push_back({at, bytes});
    }
    m.runs_known = true;
  }
  for (auto [at, bytes] : m.runs) mprotect(m.base + at, bytes, how);
}
static void protect_for(int device, int how) {
  if (unprotected) return;
  auto& all = devices();
  for (size_t i = 0; i < all.size(); i++) if (int(i) == device || all[size_t(device)].peers >> i & 1) protect(all[i], how);
}
Open::Open(int device) : device_(device) {
  mutex().lock();
  if (open_depth++ == 0) protect_for(device_, PROT_READ | PROT_WRITE);
}
Open::~Open() {
  if (--open_depth == 0) protect_for(device_, PROT_NONE);
  mutex().unlock();
}

/// Which device's memory p is in (-1: the host's), and how many bytes are left of its allocation (0: it is not allocated).
static int owner(const void* p, size_t* left = nullptr) {
  auto& all = devices();
  const char* c = static_cast<const char*>(p);
  for (size_t d = 0; d < all.size(); d++) {
    Memory& m = all[d];
    if (c < m.base || c >= m.base + m.limit) continue;
    const size_t at = size_t(c - m.base);
    auto it = m.asked.upper_bound(at);
    if (left) *left = 0;
    if (it != m.asked.begin() && (--it)->first + it->second > at && left) *left = it->first + it->second - at;
    return int(d);
  }
  return -1;
}
static bool fits(const void* p, size_t bytes, bool must_be_device, bool must_be_host) {
  size_t left = 0;
  const int d = owner(p, &left);
  return d < 0 ? !must_be_device : !must_be_host && bytes <= left;
}

static double now_ms() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return double(t.tv_sec) * 1e3 + double(t.tv_nsec) * 1e-6;
}

}  // namespace simulator

using namespace simulator;

cudaError_t cudaDriverGetVersion(int* version) { return *version = 13000, cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int* version) { return *version = 13000, cudaSuccess; }
cudaError_t cudaPeekAtLastError() { return last_error; }
cudaError_t cudaGetLastError() {
  const cudaError_t e = last_error;
  last_error = cudaSuccess;
  return e;
}
struct ErrorText {
  cudaError_t code;
  const char *name, *text;
};
static const ErrorText kErrors[] = {
  {cudaSuccess, "cudaSuccess", "no error"},
  {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
  {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
  {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration", "invalid configuration argument"},
  {cudaErrorInvalidMemcpyDirection, "cudaErrorInvalidMemcpyDirection", "invalid copy direction for memcpy"},
  {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
  {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
  {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
  {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
  {cudaErrorPeerAccessAlreadyEnabled, "cudaErrorPeerAccessAlreadyEnabled", "peer access is already enabled"},
};
static const ErrorText* error_text(cudaError_t e) {
  for (const ErrorText& t : kErrors) if (t.code == e) return &t;
  return nullptr;
}
const char* cudaGetErrorName(cudaError_t e) { return error_text(e) ? error_text(e)->name : "unrecognized error code"; }
const char* cudaGetErrorString(cudaError_t e) { return error_text(e) ? error_text(e)->text : "unrecognized error code"; }

// ---- devices
static bool exists(int device) { return device >= 0 && size_t(device) < devices().size(); }
cudaError_t cudaGetDeviceCount(int* n) {
  *n = int(devices().size());
  return *n ? cudaSuccess : failed(cudaErrorNoDevice);
}
cudaError_t cudaGetDevice(int* device) { return *device = device_now, cudaSuccess; }
cudaError_t cudaSetDevice(int device) {
  if (!exists(device)) return failed(cudaErrorInvalidDevice);
  device_now = device;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* out, int device) {
  if (!exists(device)) return failed(cudaErrorInvalidDevice);
  *out = {.name = "Simulated device", .uuid = {}, .totalGlobalMem = devices()[size_t(device)].limit, .sharedMemPerBlock = 48 << 10,
          .sharedMemPerBlockOptin = 227 << 10, .sharedMemPerMultiprocessor = 228 << 10, .regsPerBlock = 65536, .warpSize = 32,
          .maxThreadsPerBlock = 1024, .maxThreadsDim = {1024, 1024, 64}, .maxGridSize = {0x7fffffff, 65535, 65535}, .major = 9, .minor = 0,
          .multiProcessorCount = 4, .integrated = 0, .isMultiGpuBoard = 0, .l2CacheSize = 1 << 20, .maxThreadsPerMultiProcessor = 2048,
          .regsPerMultiprocessor = 65536, .pciBusID = device + 1, .pciDeviceID = 0, .pciDomainID = 0, .memoryBusWidth = 64,
          .maxBlocksPerMultiProcessor = 32, .unifiedAddressing = 1, .managedMemory = 0, .concurrentKernels = 1, .asyncEngineCount = 1};
  out->uuid.bytes[15] = char(device + 1);
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* out, cudaDeviceAttr what, int device) {
  cudaDeviceProp p;
  if (const cudaError_t e = cudaGetDeviceProperties(&p, device)) return e;
  switch (what) {
    case cudaDevAttrMaxThreadsPerBlock: *out = p.maxThreadsPerBlock; break;
    case cudaDevAttrMaxSharedMemoryPerBlock: *out = int(p.sharedMemPerBlock); break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: *out = int(p.sharedMemPerBlockOptin); break;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor: *out = int(p.sharedMemPerMultiprocessor); break;
    case cudaDevAttrWarpSize: *out = p.warpSize; break;
    case cudaDevAttrMultiProcessorCount: *out = p.multiProcessorCount; break;
    case cudaDevAttrL2CacheSize: *out = p.l2CacheSize; break;
    case cudaDevAttrMaxThreadsPerMultiProcessor: *out = p.maxThreadsPerMultiProcessor; break;
    case cudaDevAttrMaxRegistersPerMultiprocessor: *out = p.regsPerMultiprocessor; break;
    case cudaDevAttrPciBusId: *out = p.pciBusID; break;
    case cudaDevAttrPciDeviceId: *out = p.pciDeviceID; break;
    case cudaDevAttrPciDomainId: *out = p.pciDomainID; break;
    case cudaDevAttrComputeCapabilityMajor: *out = p.major; break;
    case cudaDevAttrComputeCapabilityMinor: *out = p.minor; break;
    case cudaDevAttrClockRate: case cudaDevAttrMemoryClockRate: *out = 1000000; break;
    default: *out = 0;
  }
  return cudaSuccess;
}
cudaError_t cudaDeviceSynchronize() { return cudaSuccess; }
cudaError_t cudaDeviceCanAccessPeer(int* can, int device, int peer) {
  if (!exists(device) || !exists(peer)) return failed(cudaErrorInvalidDevice);
  return *can = device != peer, cudaSuccess;
}
cudaError_t cudaDeviceEnablePeerAccess(int peer, unsigned) {
  if (!exists(peer) || peer == device_now) return failed(cudaErrorInvalidDevice);
  std::lock_guard lock(mutex());
  unsigned& peers = devices()[size_t(device_now)].peers;
  if (peers >> peer & 1) return failed(cudaErrorPeerAccessAlreadyEnabled);
  peers |= 1u << peer;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) { return *least = 0, *greatest = -5, cudaSuccess; }
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  std::lock_guard lock(mutex());
  const Memory& m = devices()[size_t(device_now)];
  *free = m.limit - m.used, *total = m.limit;
  return cudaSuccess;
}

// ---- memory
cudaError_t cudaMalloc(void** p, size_t bytes) {
  *p = nullptr;
  if (bytes == 0) return cudaSuccess;
  std::lock_guard lock(mutex());
  Memory& m = devices()[size_t(device_now)];
  const size_t size = (bytes + kPage - 1) & ~(kPage - 1), align = size >= kSegment ? kSegment : kPage;
  size_t at = 0;
  for (auto [begin, length] : m.live) {  // the first gap that is large enough
    if (begin >= at + size) break;
    at = (begin + length + align - 1) & ~(align - 1);
  }
  if (at + size > m.limit) return failed(cudaErrorMemoryAllocation);
  mprotect(m.base + at, size, PROT_READ | PROT_WRITE);
  memset(m.base + at, 0xff, size < kFilled ? size : kFilled);  // NaN
  if (!unprotected) mprotect(m.base + at, size, PROT_NONE);
  m.live[at] = size, m.asked[at] = bytes, m.used += size, m.runs_known = false;
  *p = m.base + at;
  return cudaSuccess;
}
cudaError_t cudaFree(void* p) {
  if (!p) return cudaSuccess;
  std::lock_guard lock(mutex());
  const int d = owner(p);
  if (d < 0) return failed(cudaErrorInvalidValue);
  Memory& m = devices()[size_t(d)];
  const auto it = m.live.find(size_t(static_cast<char*>(p) - m.base));
  if (it == m.live.end()) return failed(cudaErrorInvalidValue);
  madvise(p, it->second, MADV_DONTNEED);
  mprotect(p, it->second, PROT_NONE);
  m.used -= it->second, m.runs_known = false;
  m.asked.erase(it->first);
  m.live.erase(it);
  return cudaSuccess;
}
cudaError_t cudaHostAlloc(void** p, size_t bytes, unsigned) {
  *p = aligned_alloc(kPage, (bytes + kPage - 1) & ~(kPage - 1));
  if (!*p) return failed(cudaErrorMemoryAllocation);
  std::lock_guard lock(mutex());
  pinned()[static_cast<char*>(*p)] = bytes;
  return cudaSuccess;
}
cudaError_t cudaMallocHost(void** p, size_t bytes) { return cudaHostAlloc(p, bytes, cudaHostAllocDefault); }
cudaError_t cudaFreeHost(void* p) {
  if (const cudaError_t e = p ? cudaHostUnregister(p) : cudaSuccess) return e;
  free(p);
  return cudaSuccess;
}
cudaError_t cudaHostRegister(void* p, size_t bytes, unsigned) {
  std::lock_guard lock(mutex());
  return pinned().emplace(static_cast<char*>(p), bytes).second ? cudaSuccess : failed(cudaErrorHostMemoryAlreadyRegistered);
}
cudaError_t cudaHostUnregister(void* p) {
  std::lock_guard lock(mutex());
  return pinned().erase(static_cast<char*>(p)) ? cudaSuccess : failed(cudaErrorInvalidValue);
}
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* out, const void* p) {
  std::lock_guard lock(mutex());
  void* same = const_cast<void*>(p);
  size_t left = 0;
  const int d = owner(p, &left);
  if (d >= 0 && left) return *out = {cudaMemoryTypeDevice, d, same, nullptr}, cudaSuccess;
  const char* c = static_cast<const char*>(p);
  auto it = pinned().upper_bound(c);
  const bool is_pinned = it != pinned().begin() && (--it)->first + it->second > c;
  *out = {is_pinned ? cudaMemoryTypeHost : cudaMemoryTypeUnregistered, is_pinned ? device_now : -2, is_pinned ? same : nullptr, same};
  return cudaSuccess;
}
static cudaError_t copy(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width, size_t height, cudaMemcpyKind kind) {
  if (width == 0 || height == 0) return cudaSuccess;
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice, any = kind == cudaMemcpyDefault;
  Open memory(device_now);
  if (!fits(to, to_pitch * (height - 1) + width, to_device, !any && !to_device) ||
      !fits(from, from_pitch * (height - 1) + width, from_device, !any && !from_device))
    return failed(cudaErrorInvalidValue);
  for (const void* p : {static_cast<const void*>(to), from})  // a copy reaches every device
    if (const int d = owner(p); d >= 0 && !unprotected) protect(devices()[size_t(d)], PROT_READ | PROT_WRITE);
  for (size_t i = 0; i < height; i++) memmove(static_cast<char*>(to) + i * to_pitch, static_cast<const char*>(from) + i * from_pitch, width);
  for (const void* p : {static_cast<const void*>(to), from})
    if (const int d = owner(p); d >= 0 && d != device_now && !unprotected) protect(devices()[size_t(d)], PROT_NONE);
  return cudaSuccess;
}
cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) { return copy(to, bytes, from, bytes, bytes, 1, kind); }
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t) {
  return copy(to, bytes, from, bytes, bytes, 1, kind);
}
cudaError_t cudaMemcpyPeerAsync(void* to, int to_device, const void* from, int from_device, size_t bytes, cudaStream_t) {
  if (owner(to) != to_device || owner(from) != from_device) return failed(cudaErrorInvalidValue);
  return copy(to, bytes, from, bytes, bytes, 1, cudaMemcpyDeviceToDevice);
}
cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width, size_t height, cudaMemcpyKind kind,
                              cudaStream_t) {
  return copy(to, to_pitch, from, from_pitch, width, height, kind);
}
cudaError_t cudaMemset(void* p, int value, size_t bytes) {
  if (bytes == 0) return cudaSuccess;
  Open memory(device_now);
  if (owner(p) != device_now || !fits(p, bytes, true, false)) return failed(cudaErrorInvalidValue);
  memset(p, value, bytes);
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* p, int value, size_t bytes, cudaStream_t) { return cudaMemset(p, value, bytes); }

// ---- streams and events
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned, int priority) {
  const auto run = [](int device, void (*work)(void*), void* closure) {
    Open memory(device);
    work(closure);
  };
  return *stream = new CUstream_st{device_now, priority < -5 ? -5 : priority > 0 ? 0 : priority, run}, cudaSuccess;
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) { return cudaStreamCreateWithPriority(stream, flags, 0); }
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  delete stream;
  return cudaSuccess;
}
cudaError_t cudaStreamGetDevice(cudaStream_t stream, int* device) { return *device = stream ? stream->device : device_now, cudaSuccess; }
cudaError_t cudaStreamGetPriority(cudaStream_t stream, int* priority) { return *priority = stream ? stream->priority : 0, cudaSuccess; }
cudaError_t cudaStreamQuery(cudaStream_t) { return cudaSuccess; }
cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaSuccess; }
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) { return cudaSuccess; }
cudaError_t cudaStreamIsCapturing(cudaStream_t, cudaStreamCaptureStatus* status) { return *status = cudaStreamCaptureStatusNone, cudaSuccess; }
cudaError_t cudaLaunchHostFunc(cudaStream_t, cudaHostFn_t f, void* argument) {
  f(argument);
  return cudaSuccess;
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  return *event = new CUevent_st{!(flags & cudaEventDisableTiming), 0}, cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, cudaEventDefault); }
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t) { return event->ms = now_ms(), cudaSuccess; }
cudaError_t cudaEventQuery(cudaEvent_t) { return cudaSuccess; }
cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaSuccess; }
cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t from, cudaEvent_t to) {
  if (!from->timing || !to->timing || !from->ms || !to->ms) return failed(cudaErrorInvalidResourceHandle);
  return *ms = float(to->ms - from->ms), cudaSuccess;
}
