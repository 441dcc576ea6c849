// The few calls that the pools of memory, streams and events are built on: CUDA's in cudart_driver.cpp, a fake in tests/cuda.
// Knows no CUDA header.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace tapegrad::cuda {

inline constexpr int kMaxDevices = 64;
using Stream = void*;  // a cudaStream_t

struct Driver {
  virtual ~Driver() = default;
  // Memory. Null when there is not enough.
  virtual char* alloc(int device, size_t bytes) = 0;
  virtual void free(int device, char* p) noexcept = 0;  // waits for all work of the device
  virtual char* host_alloc(size_t bytes) = 0;           // pinned
  virtual void host_free(char* p) noexcept = 0;
  virtual void memory_info(int device, uint64_t* free, uint64_t* total) = 0;
  virtual void fill(char* p, int byte, size_t bytes, int device, Stream s) noexcept = 0;
  // Streams that do not wait for CUDA's stream 0. Priority: 0 or, more urgent, below.
  virtual Stream make_stream(int device, int priority) = 0;
  virtual int device_of(Stream s) noexcept = 0;
  // Events. What is called while memory is freed throws nothing: on a device that has failed, all is done.
  virtual void* make_event(int device, bool timing) noexcept = 0;  // null on such a device
  virtual void record(void* event, Stream s) noexcept = 0;
  virtual bool done(void* event) noexcept = 0;
  virtual void wait(void* event) noexcept = 0;
};

}  // namespace tapegrad::cuda
