// The streams that work is given to. Each device has a default stream of its own (not CUDA's stream 0, which would wait for all
// others); a thread may choose another one.
#pragma once
#include <cuda_runtime_api.h>

#include "src/cuda/runtime/device.h"
#include "src/cuda/runtime/stream_pool.h"

namespace tapegrad::cuda {

/// The process's streams and events.
StreamPool& streams();
EventPool& events();
/// One of the pool's; throws where the device has failed.
Event* new_event(int device, bool timing);

namespace detail {
inline thread_local cudaStream_t current[kMaxDevices] = {};  // null: not asked for yet, or the default
cudaStream_t use_default_stream(int device);
}  // namespace detail

/// The stream that this thread gives work to on `device`.
inline cudaStream_t current_stream(int device) {
  const cudaStream_t s = detail::current[device];
  return s && !detail::deferred() ? s : detail::use_default_stream(device);
}
/// On the current device: what kernels are launched in.
inline cudaStream_t current_stream() { return current_stream(current_device()); }

}  // namespace tapegrad::cuda
