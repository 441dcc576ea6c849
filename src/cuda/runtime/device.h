// The thread's current device. A device is not touched before it is used: choosing one and going back to it make no context there
// (half a gigabyte on each), so a thread's choice may be ahead of CUDA's.
#pragma once
#include <cuda_runtime_api.h>

#include "src/cuda/runtime/driver.h"
#include "src/cuda/runtime/error.h"

namespace tapegrad::cuda {

namespace detail {
inline thread_local int chosen = -1;  // the current device, where CUDA has not been told yet
inline bool deferred() { return chosen >= 0; }
}  // namespace detail

int device_count();
/// CUDA is asked each time: other libraries of the process may have changed it.
inline int current_device() {
  if (detail::chosen >= 0) return detail::chosen;
  int device = 0;
  TG_CUDA(cudaGetDevice(&device));
  return device;
}
void set_device(int device);
/// Makes `device` current in CUDA too. The first time it throws where the plugin has no code for the device.
void use_device(int device);
/// `device`, or the current one instead of a negative number. Throws when there is none of that number.
int checked_device(int device);
const CudaProperties& properties(int device);
bool can_access_peer(int device, int peer);
/// The architectures that the plugin has code for, as CMake has them: "75-real,90-real,120".
extern const char* const built_archs;

/// Works on `device` for a while. Does nothing where it is current already.
class DeviceGuard {
  const int before_, device_;
 public:
  explicit DeviceGuard(int device) : before_(current_device()), device_(device) {
    if (before_ != device || detail::deferred()) use_device(device);
  }
  DeviceGuard(const DeviceGuard&) = delete;
  ~DeviceGuard() { if (before_ != device_) set_device(before_); }
};

}  // namespace tapegrad::cuda
