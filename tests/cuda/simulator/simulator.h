// What the simulator's two files share.
#pragma once
#include "cuda_runtime_api.h"

namespace simulator {

/// While one lives, no other thread simulates, and the memory of `device` (and of the peers that it may use) is open.
class Open {
  int device_;
 public:
  explicit Open(int device);
  Open(const Open&) = delete;
  ~Open();
};
int current_device();
/// Whether blocks and threads run from the last to the first: what a kernel gives must not depend on it.
extern bool reversed;
/// Remembers an error for cudaGetLastError.
cudaError_t failed(cudaError_t e);

}  // namespace simulator
