// The plugin's one symbol: says whether CUDA can be used on this machine, and fills the tables that the core calls.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <type_traits>

#include "src/cuda/lib/libraries.h"
#include "src/cuda/ops/families.h"
#include "src/cuda/runtime/copy.h"
#include "src/cuda/runtime/fault.h"
#include "src/cuda/runtime/memory.h"
#include "src/cuda/runtime/nvtx.h"
#include "src/cuda/runtime/requirements.h"
#include "src/cuda/runtime/stream.h"

namespace tapegrad::cuda {

namespace {

cudaStream_t as_stream(int device, CudaStream s) { return static_cast<cudaStream_t>(s ? s : streams().default_stream(device)); }
cudaEvent_t as_event(CudaEvent e) { return static_cast<cudaEvent_t>(static_cast<Event*>(e)->handle); }
bool ready(cudaError_t e, const char* call) {
  if (e != cudaErrorNotReady) check(e, call);
  else cudaGetLastError();
  return e == cudaSuccess;
}
char* text(const std::string& s) { return strdup(s.c_str()); }

void fill_devices(CudaRuntime& r) {
  r.device_count = device_count;
  r.current_device = current_device;
  r.set_device = [](int device) { set_device(checked_device(device)); };
  r.properties = [](int device, CudaProperties* out) { *out = properties(checked_device(device)); };
  r.can_access_peer = can_access_peer;
  r.synchronize = [](int device) {
    const DeviceGuard g(checked_device(device));
    TG_CUDA(cudaDeviceSynchronize());
    raise_fault();
  };
}

void fill_memory(CudaRuntime& r) {
  r.alloc = [](int device, uint64_t bytes, void** block) {
    Block* b = alloc(checked_device(device), bytes);
    *block = b;
    return b ? b->data : nullptr;
  };
  r.free = [](void* block) {
    if (auto* b = static_cast<Block*>(block)) b->segment->owner->free(b);
  };
  r.record_stream = [](void* block, CudaStream s) {
    auto* b = static_cast<Block*>(block);
    if (b) b->segment->owner->record(b, s ? s : b->segment->stream);
  };
  r.host_alloc = [](uint64_t bytes, void** block) -> void* {
    PinnedPool::Block* b = pinned().alloc(bytes);
    if (!b) fail(CudaHost::kOutOfMemory, "the host has no %s of memory left that could be pinned", size_text(bytes).c_str());
    *block = b;
    return b->data;
  };
  r.host_free = [](void* block) { pinned().free(static_cast<PinnedPool::Block*>(block)); };
  r.is_pinned = is_pinned;
  r.copy = copy;
  r.memory = [](int device, CudaMemory* out) { allocator(checked_device(device)).memory(out); };
  r.memory_info = [](int device, uint64_t* free, uint64_t* total) {
    const DeviceGuard g(checked_device(device));
    use_device(current_device());
    size_t f = 0, t = 0;
    TG_CUDA(cudaMemGetInfo(&f, &t));
    *free = f, *total = t;
  };
  r.reset_peaks = [](int device) { allocator(checked_device(device)).reset_peaks(); };
  r.empty_cache = empty_caches;
  r.set_memory_limit = [](int device, uint64_t bytes) { allocator(checked_device(device)).set_limit(bytes); };
  r.snapshot = [] { return text(snapshot()); };
  r.free_text = [](char* t) { std::free(t); };
}

void fill_streams(CudaRuntime& r) {
  r.current_stream = [](int device) -> CudaStream { return current_stream(checked_device(device)); };
  r.default_stream = [](int device) { return streams().default_stream(checked_device(device)); };
  r.new_stream = [](int device, int priority) { return streams().next(checked_device(device), priority); };
  r.set_stream = [](int device, CudaStream s) {
    const int d = checked_device(device);
    detail::current[d] = as_stream(d, s);
  };
  r.stream_done = [](int device, CudaStream s) { return ready(cudaStreamQuery(as_stream(checked_device(device), s)), "cudaStreamQuery"); };
  r.stream_synchronize = [](int device, CudaStream s) {
    TG_CUDA(cudaStreamSynchronize(as_stream(checked_device(device), s)));
    raise_fault();
  };
  r.stream_wait = [](int device, CudaStream s, CudaEvent e) {
    TG_CUDA(cudaStreamWaitEvent(as_stream(checked_device(device), s), as_event(e), 0));
  };
  r.new_event = [](int device, bool timing) -> CudaEvent { return new_event(checked_device(device), timing); };
  r.free_event = [](CudaEvent e) { events().put(static_cast<Event*>(e)); };
  r.record_event = [](CudaEvent e, int device, CudaStream s) { TG_CUDA(cudaEventRecord(as_event(e), as_stream(checked_device(device), s))); };
  r.event_done = [](CudaEvent e) { return ready(cudaEventQuery(as_event(e)), "cudaEventQuery"); };
  r.event_synchronize = [](CudaEvent e) {
    TG_CUDA(cudaEventSynchronize(as_event(e)));
    raise_fault();
  };
  r.event_ms = [](CudaEvent from, CudaEvent to) {
    float ms = 0;
    TG_CUDA(cudaEventElapsedTime(&ms, as_event(from), as_event(to)));
    return ms;
  };
}

void fill_tools(CudaRuntime& r) {
  r.range_push = range_push;
  r.range_pop = range_pop;
  r.mark = mark;
  r.libraries = [] { return text(cublaslt_library.line()); };
}

// A family without kernels yet has an empty struct and nothing to fill it.
template <class Family> void fill_family(Family& f) {
  if constexpr (!std::is_empty_v<Family>) fill(f);
}
const CudaKernels* kernels() {
  static CudaKernels k{};
  fill_family(k.elementwise);
  fill_family(k.reduce);
  fill_family(k.rows);
  fill_family(k.index);
  fill_family(k.sort);
  fill_family(k.random);
  fill_family(k.matmul);
  fill_family(k.optim);
  return &k;
}

// Empty when there is a device that the plugin can work on. Makes no context.
std::string device_problem() {
  int count = 0;
  const cudaError_t e = cudaGetDeviceCount(&count);
  if (e != cudaSuccess) cudaGetLastError();
  if (e == cudaErrorNoDevice || (e == cudaSuccess && count == 0)) return "no CUDA device is visible (CUDA_VISIBLE_DEVICES?)";
  if (e != cudaSuccess) return std::string("the driver reports: ") + cudaGetErrorString(e);
  std::string problem;
  for (int d = 0; d < count; d++) {
    int major = 0, minor = 0;
    cudaDeviceProp p{};
    if (cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, d) != cudaSuccess ||
        cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, d) != cudaSuccess)
      return std::string("the driver reports: ") + cudaGetErrorString(cudaGetLastError());
    if (runs_on(built_archs, major, minor)) return "";
    if (problem.empty() && cudaGetDeviceProperties(&p, d) == cudaSuccess) problem = unsupported(built_archs, p.name, major, minor);
  }
  return problem;
}

std::string problem(const CudaHost* h) {
  if (h->abi != kCudaAbi || h->size != sizeof(CudaHost) || std::strcmp(h->version, TAPEGRAD_VERSION) != 0)
    return std::string("its CUDA backend is of another build (version ") + TAPEGRAD_VERSION + ", interface " + std::to_string(kCudaAbi) +
           "; the core has version " + h->version + ", interface " + std::to_string(h->abi) + ")";
#ifndef TG_SIMULATED
  std::string driver = driver_problem();
  if (!driver.empty()) return driver;
#endif
  return device_problem();
}

}  // namespace

}  // namespace tapegrad::cuda

extern "C" __attribute__((visibility("default"))) int tapegrad_cuda_init(const tapegrad::CudaHost* host, tapegrad::CudaPlugin* out, char* why,
                                                                         size_t n) try {
  using namespace tapegrad;
  const std::string problem = cuda::problem(host);
  if (!problem.empty()) {
    std::snprintf(why, n, "%s", problem.c_str());
    return 1;
  }
  cuda::host = host;
  cuda::process = getpid();
  out->abi = kCudaAbi;
  out->size = sizeof(CudaPlugin);
  out->version = TAPEGRAD_VERSION;
  cuda::fill_devices(out->runtime);
  cuda::fill_memory(out->runtime);
  cuda::fill_streams(out->runtime);
  cuda::fill_tools(out->runtime);
  out->kernels = cuda::kernels();
  return 0;
} catch (const std::exception& e) {
  std::snprintf(why, n, "%s", e.what());
  return 1;
}
