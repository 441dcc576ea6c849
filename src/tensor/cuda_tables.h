// The tables between the core and libtapegrad_cuda.so, which fills them when a device is first asked for. Plain C types only: the plugin is
// built apart, links neither the core nor NVIDIA's libraries, and reports errors through the core's `fail`.
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifndef TAPEGRAD_VERSION  // CMake says it
#define TAPEGRAD_VERSION "unknown"
#endif

namespace tapegrad {

inline constexpr uint32_t kCudaAbi = 2;  // raised with every change of a table

/// What the core offers the plugin.
struct CudaHost {
  enum Error : int { kError, kOutOfMemory, kNotImplemented, kIndexError, kValueError };
  uint32_t abi, size;                // kCudaAbi, sizeof(CudaHost)
  const char* version;               // TAPEGRAD_VERSION: both must be of one build
  void (*fail)(int error, const char* text);  // throws the error of that name with the running op's name before the text
  const char* (*running_op)();       // the innermost running op, or null
};

struct CudaProperties {
  char name[256];
  int major, minor, multiprocessors, warp_size, max_threads_per_multiprocessor, max_threads_per_block;
  uint64_t total_memory, shared_per_block, shared_per_multiprocessor, l2_bytes;
  int registers_per_multiprocessor, integrated, multi_gpu_board, pci_bus, pci_device, pci_domain, clock_khz, memory_clock_khz;
  char uuid[16];
};
/// Counters of one device's caching allocator, in bytes but for the last six.
struct CudaMemory {
  uint64_t asked, peak_asked, used, peak_used, reserved, peak_reserved, largest_free, limit;
  uint64_t allocations, frees, hits, segments, retries, out_of_memory;
};
using CudaStream = void*;            // a cudaStream_t; null: the device's default
using CudaEvent = void*;

/// Memory, copies, streams. Every function may throw through CudaHost::fail. `device` < 0: the thread's current one.
struct CudaRuntime {
  int (*device_count)();                                             // >= 1 once the plugin has been accepted
  int (*current_device)();                                           // of this thread
  void (*set_device)(int device);
  void (*properties)(int device, CudaProperties* out);
  bool (*can_access_peer)(int device, int peer);
  /// Device memory of the caching allocator, for use in the current stream of `device`. `bytes` may be 0. *block: for free and
  /// record_stream.
  char* (*alloc)(int device, uint64_t bytes, void** block);
  void (*free)(void* block);
  void (*record_stream)(void* block, CudaStream stream);             // not reused before what `stream` has now been given is done
  void* (*host_alloc)(uint64_t bytes, void** block);                 // pinned
  void (*host_free)(void* block);
  bool (*is_pinned)(const void* p);
  /// In the current stream. A device of -1 stands for the host's memory here. Returns when done, unless non_blocking and the host's
  /// memory is pinned (or no host is involved, in which case the copy is ordered by streams only).
  void (*copy)(void* to, int to_device, const void* from, int from_device, uint64_t bytes, bool non_blocking);
  void (*synchronize)(int device);
  // Streams: from a pool of each device, never destroyed.
  CudaStream (*current_stream)(int device);
  CudaStream (*default_stream)(int device);
  CudaStream (*new_stream)(int device, int priority);
  void (*set_stream)(int device, CudaStream s);                      // makes it this thread's current stream of that device
  bool (*stream_done)(int device, CudaStream s);
  void (*stream_synchronize)(int device, CudaStream s);
  void (*stream_wait)(int device, CudaStream s, CudaEvent e);
  CudaEvent (*new_event)(int device, bool timing);
  void (*free_event)(CudaEvent e);
  void (*record_event)(CudaEvent e, int device, CudaStream s);
  bool (*event_done)(CudaEvent e);
  void (*event_synchronize)(CudaEvent e);
  float (*event_ms)(CudaEvent from, CudaEvent to);
  // The allocator
  void (*memory)(int device, CudaMemory* out);
  void (*memory_info)(int device, uint64_t* free, uint64_t* total);  // of the whole device
  void (*reset_peaks)(int device);
  void (*empty_cache)();
  void (*set_memory_limit)(int device, uint64_t bytes);
  /// Segments and blocks as JSON, PyTorch's memory_snapshot words; the core frees the text with `free_text`.
  char* (*snapshot)();
  void (*free_text)(char* text);
  // Marks for profilers; cheap when none listens.
  void (*range_push)(const char* name);
  void (*range_pop)();
  void (*mark)(const char* name);
  /// One line for each library in use: name, version, path.
  char* (*libraries)();
};

struct CudaKernels;  // src/ops/cuda/kernels.h
struct CudaPlugin {
  uint32_t abi, size;                // as the plugin was built
  const char* version;
  CudaRuntime runtime;
  const CudaKernels* kernels;
};
/// The plugin's only symbol. Fills *out and returns 0, or writes why not into `why` and returns another number. Throws nothing.
using CudaInit = int (*)(const CudaHost* host, CudaPlugin* out, char* why, size_t n);

}  // namespace tapegrad
