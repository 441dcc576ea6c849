// The core's side of CUDA: the plugin, loaded once, and what tensors ask of it.
#pragma once
#include <string>

#include "src/tensor/cuda_tables.h"
#include "tapegrad/tensor.h"

namespace tapegrad {

/// Empty when CUDA can be used, else the reason ("this build has no CUDA backend (…)"). Loads the plugin once.
TG_API const std::string& cuda_why_not();
/// Throws DeviceError "CUDA requested but …".
TG_API const CudaPlugin& cuda_plugin();
inline const CudaRuntime& cuda_runtime() { return cuda_plugin().runtime; }
inline const CudaKernels& cuda_kernels() { return *cuda_plugin().kernels; }
/// A device with its index: the current one instead of -1. Throws when there is no such device.
TG_API Device cuda_device(Device d);

/// Is the memory somebody else's?
inline bool is_foreign(const Storage& s) { return s.deleter && !(s.device.type == DeviceType::CUDA && s.deleter == cuda_runtime().free); }
/// x itself on the CPU, else its elements there, with x's strides. No history.
TG_API Tensor host_copy(const Tensor& x);

/// Makes another device the current one for a while.
class CudaGuard {
  int before_;
 public:
  explicit CudaGuard(Device d) : before_(cuda_runtime().current_device()) { if (d.index != before_) cuda_runtime().set_device(d.index); }
  CudaGuard(const CudaGuard&) = delete;
  ~CudaGuard() { cuda_runtime().set_device(before_); }
};

}  // namespace tapegrad
