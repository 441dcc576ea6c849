// Errors of the plugin: thrown by the core (CudaHost::fail), as its own types and with the running op's name before the text.
#pragma once
#include <cuda_runtime_api.h>

#include "src/tensor/cuda_tables.h"

namespace tapegrad::cuda {

/// What the core gave tapegrad_cuda_init.
extern const CudaHost* host;
/// The process that did: CUDA does not work in its forked children.
extern int process;

[[noreturn, gnu::cold, gnu::format(printf, 2, 3)]] void fail(CudaHost::Error kind, const char* format, ...);
[[noreturn, gnu::cold]] void fail_call(cudaError_t e, const char* call);

/// Throws unless the call went well: TG_CUDA(cudaMemsetAsync(p, 0, n, current_stream())).
#define TG_CUDA(call) ::tapegrad::cuda::check((call), #call)
inline void check(cudaError_t e, const char* call) {
  if (e != cudaSuccess) [[unlikely]] fail_call(e, call);
}

/// TAPEGRAD_CUDA_SYNC=1: every launch is waited for, so that an error comes up in the op whose kernel it is.
extern const bool sync_launches;
void wait_for_launch(cudaStream_t stream);
/// To be called after every launch.
inline void launched(cudaStream_t stream) {
  if (sync_launches) [[unlikely]] wait_for_launch(stream);
}

}  // namespace tapegrad::cuda
