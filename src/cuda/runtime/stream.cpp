#include "src/cuda/runtime/stream.h"

namespace tapegrad::cuda {

cudaStream_t detail::use_default_stream(int device) {
  if (device == current_device()) use_device(device);
  cudaStream_t& s = current[device];
  if (!s) s = static_cast<cudaStream_t>(streams().default_stream(device));
  return s;
}

Event* new_event(int device, bool timing) {
  if (Event* e = events().get(device, timing)) return e;
  fail(CudaHost::kError, "no event can be made on cuda:%d, which has failed", device);
}

}  // namespace tapegrad::cuda
