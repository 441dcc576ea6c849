// The stream that this thread's kernels and copies go to.
#pragma once
#include <cuda_runtime_api.h>

namespace tapegrad::cuda {

/// Of the current device.
cudaStream_t current_stream();

}  // namespace tapegrad::cuda
