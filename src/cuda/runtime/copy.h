// Copies between devices and the host.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace tapegrad::cuda {

/// As CudaRuntime::copy.
void copy(void* to, int to_device, const void* from, int from_device, uint64_t bytes, bool non_blocking);
/// Host memory that devices reach by themselves, be it ours or another library's.
bool is_pinned(const void* p);

}  // namespace tapegrad::cuda
