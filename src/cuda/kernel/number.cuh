// One C++ type for each dtype on the device: src/ops/numbers.h, and more for kernels that only move elements.
#pragma once
#include <cuda_runtime.h>

#include "src/ops/numbers.h"

namespace tapegrad::cuda {

/// For kernels that only move elements: an unsigned integer (for 16 bytes uint4) of that size.
template <class F> decltype(auto) by_size(size_t bytes, F&& f) {
  switch (bytes) {
    case 1: return f(uint8_t());
    case 2: return f(uint16_t());
    case 4: return f(uint32_t());
    case 8: return f(uint64_t());
    default: return f(uint4());
  }
}

}  // namespace tapegrad::cuda
