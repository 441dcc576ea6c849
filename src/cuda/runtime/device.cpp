#include "src/cuda/runtime/device.h"

#include <atomic>
#include <cstring>
#include <mutex>

#include "src/cuda/runtime/requirements.h"

namespace tapegrad::cuda {

#ifndef TG_CUDA_ARCHS
#error "TG_CUDA_ARCHS: the architectures that the kernels are compiled for, as in \"75-real,90-real,120\""
#endif
const char* const built_archs = TG_CUDA_ARCHS;

static std::atomic<bool> in_use[kMaxDevices];  // its context is there

int device_count() {
  static const int n = [] {
    int count = 0;
    TG_CUDA(cudaGetDeviceCount(&count));
    return count < kMaxDevices ? count : kMaxDevices;
  }();
  return n;
}

static int attribute(cudaDeviceAttr a, int device) {
  int value = 0;
  TG_CUDA(cudaDeviceGetAttribute(&value, a, device));
  return value;
}

void use_device(int device) {
  if (!in_use[device].load(std::memory_order_acquire)) {
    const int major = attribute(cudaDevAttrComputeCapabilityMajor, device), minor = attribute(cudaDevAttrComputeCapabilityMinor, device);
    if (!runs_on(built_archs, major, minor))
      fail(CudaHost::kError, "CUDA requested but %s", unsupported(built_archs, properties(device).name, major, minor).c_str());
  }
  int actual = 0;
  TG_CUDA(cudaGetDevice(&actual));
  if (actual != device) TG_CUDA(cudaSetDevice(device));
  detail::chosen = -1;
  in_use[device].store(true, std::memory_order_release);
}

void set_device(int device) {
  int actual = 0;
  TG_CUDA(cudaGetDevice(&actual));
  detail::chosen = actual == device ? -1 : device;
  if (detail::deferred() && in_use[device].load(std::memory_order_acquire)) use_device(device);
}

int checked_device(int device) {
  if (device < 0) return current_device();
  if (device >= device_count())
    fail(CudaHost::kError, "there is no device cuda:%d: %d %s visible", device, device_count(), device_count() == 1 ? "is" : "are");
  return device;
}

static CudaProperties ask_properties(int device) {
  CudaProperties k{};
  cudaDeviceProp p;
  TG_CUDA(cudaGetDeviceProperties(&p, device));
  static_assert(sizeof k.name == sizeof p.name && sizeof k.uuid == sizeof p.uuid);
  std::memcpy(k.name, p.name, sizeof k.name);
  std::memcpy(k.uuid, &p.uuid, sizeof k.uuid);
  k.major = p.major, k.minor = p.minor, k.multiprocessors = p.multiProcessorCount, k.warp_size = p.warpSize;
  k.max_threads_per_multiprocessor = p.maxThreadsPerMultiProcessor, k.max_threads_per_block = p.maxThreadsPerBlock;
  k.total_memory = p.totalGlobalMem, k.shared_per_block = p.sharedMemPerBlockOptin;
  k.shared_per_multiprocessor = p.sharedMemPerMultiprocessor, k.l2_bytes = uint64_t(p.l2CacheSize);
  k.registers_per_multiprocessor = p.regsPerMultiprocessor, k.integrated = p.integrated, k.multi_gpu_board = p.isMultiGpuBoard;
  k.pci_bus = p.pciBusID, k.pci_device = p.pciDeviceID, k.pci_domain = p.pciDomainID;
  k.clock_khz = attribute(cudaDevAttrClockRate, device), k.memory_clock_khz = attribute(cudaDevAttrMemoryClockRate, device);
  return k;
}

const CudaProperties& properties(int device) {
  static std::mutex lock;
  static std::atomic<const CudaProperties*> known[kMaxDevices];
  if (const CudaProperties* k = known[device].load(std::memory_order_acquire)) return *k;
  std::lock_guard g(lock);
  const CudaProperties* k = known[device].load(std::memory_order_relaxed);
  if (!k) known[device].store(k = new CudaProperties(ask_properties(device)), std::memory_order_release);
  return *k;
}

bool can_access_peer(int device, int peer) {
  int can = 0;
  TG_CUDA(cudaDeviceCanAccessPeer(&can, checked_device(device), checked_device(peer)));
  return can != 0;
}

}  // namespace tapegrad::cuda
