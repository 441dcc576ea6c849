#include "src/cuda/runtime/stream.h"

namespace tapegrad::cuda {

cudaStream_t detail::use_default_stream(int device) {
  if (device == current_device()) use_device(device);
  cudaStream_t& s = current[device];
  if (!s) s = static_cast<cudaStream_t>(streams().default_stream(device));
  return s;
}

}  // namespace tapegrad::cuda
