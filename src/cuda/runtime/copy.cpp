#include "src/cuda/runtime/copy.h"

#include <cstring>
#include <mutex>

#include "src/cuda/runtime/fault.h"
#include "src/cuda/runtime/memory.h"
#include "src/cuda/runtime/stream.h"

namespace tapegrad::cuda {

namespace {

// Up to here memory of the host that is not pinned goes through a pinned block of ours: CUDA would make the host wait for all that
// the stream has been given before, even to copy a single number.
constexpr uint64_t kStaged = 1 << 20;

struct Staging {
  PinnedPool::Block* block;
  explicit Staging(uint64_t bytes) : block(pinned().alloc(bytes)) {}
  Staging(const Staging&) = delete;
  ~Staging() { if (block) pinned().free(block); }
};

void to_device(void* to, int device, const void* from, uint64_t bytes, bool non_blocking) {
  const DeviceGuard g(device);
  const cudaStream_t s = current_stream(device);
  if (!is_pinned(from) && bytes <= kStaged) {
    const Staging staging(bytes);
    if (staging.block) {
      std::memcpy(staging.block->data, from, bytes);
      pinned().record(staging.block->data, s);
      TG_CUDA(cudaMemcpyAsync(to, staging.block->data, bytes, cudaMemcpyHostToDevice, s));
      return;  // `from` has been read, and the device's memory is only seen by what comes later in the stream
    }
  }
  TG_CUDA(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, s));
  if (!non_blocking || !is_pinned(from)) TG_CUDA(cudaStreamSynchronize(s));
  else pinned().record(from, s);
}

void to_host(void* to, const void* from, int device, uint64_t bytes, bool non_blocking) {
  const DeviceGuard g(device);
  const cudaStream_t s = current_stream(device);
  if (is_pinned(to)) {
    TG_CUDA(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, s));
    if (!non_blocking) TG_CUDA(cudaStreamSynchronize(s));
    else pinned().record(to, s);
    return;
  }
  if (bytes <= kStaged) {
    const Staging staging(bytes);
    if (staging.block) {
      TG_CUDA(cudaMemcpyAsync(staging.block->data, from, bytes, cudaMemcpyDeviceToHost, s));
      TG_CUDA(cudaStreamSynchronize(s));
      std::memcpy(to, staging.block->data, bytes);
      return;
    }
  }
  TG_CUDA(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, s));
  TG_CUDA(cudaStreamSynchronize(s));
}

// `later` does nothing more before it is done with what `earlier` has been given.
void order(cudaStream_t earlier, int earlier_device, cudaStream_t later) {
  Event* e = new_event(earlier_device, false);
  const cudaEvent_t event = static_cast<cudaEvent_t>(e->handle);
  const cudaError_t recorded = cudaEventRecord(event, earlier);
  const cudaError_t waited = recorded == cudaSuccess ? cudaStreamWaitEvent(later, event, 0) : recorded;
  events().put(e);
  check(waited, "cudaStreamWaitEvent");
}

void reach_peer(int device, int peer) {
  static std::mutex lock;
  static bool tried[kMaxDevices][kMaxDevices];
  std::lock_guard g(lock);
  if (tried[device][peer]) return;
  tried[device][peer] = true;
  if (!can_access_peer(device, peer)) return;  // CUDA then goes by way of the host
  const cudaError_t e = cudaDeviceEnablePeerAccess(peer, 0);
  if (e == cudaErrorPeerAccessAlreadyEnabled) cudaGetLastError();  // by another library
  else check(e, "cudaDeviceEnablePeerAccess");
}

void between_devices(void* to, int to_device, const void* from, int from_device, uint64_t bytes) {
  const cudaStream_t theirs = current_stream(to_device);
  const DeviceGuard g(from_device);
  const cudaStream_t s = current_stream(from_device);
  if (to_device == from_device) {
    TG_CUDA(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, s));
    return;
  }
  reach_peer(from_device, to_device);
  order(theirs, to_device, s);  // `to` may still be in use there
  TG_CUDA(cudaMemcpyPeerAsync(to, to_device, from, from_device, bytes, s));
  order(s, from_device, theirs);
}

}  // namespace

bool is_pinned(const void* p) {
  if (pinned().owns(p)) return true;
  cudaPointerAttributes a{};
  if (cudaPointerGetAttributes(&a, p) != cudaSuccess) {
    cudaGetLastError();
    return false;
  }
  return a.type == cudaMemoryTypeHost;
}

void copy(void* to, int to_device_index, const void* from, int from_device_index, uint64_t bytes, bool non_blocking) {
  if (bytes == 0) return;
  if (to_device_index < 0 && from_device_index < 0) std::memcpy(to, from, bytes);
  else if (from_device_index < 0) to_device(to, to_device_index, from, bytes, non_blocking);
  else if (to_device_index < 0) to_host(to, from, from_device_index, bytes, non_blocking), raise_fault();
  else between_devices(to, to_device_index, from, from_device_index, bytes);
}

}  // namespace tapegrad::cuda
