#include "src/cuda/lib/cublaslt.h"

#include <atomic>

#include "src/cuda/lib/libraries.h"
#include "src/cuda/runtime/device.h"

namespace tapegrad::cuda {

Library cublaslt_library({"CUBLASLT", "libcublasLt.so.13", "cu13/lib", "nvidia-cublas", [](void* library) {
  auto version = reinterpret_cast<size_t (*)()>(dlsym(library, "cublasLtGetVersion"));
  return version ? version() : 0;
}, 130000});

namespace lt {

static Functions load() {
  Functions f;
  const Loader get(cublaslt_library);
  get("cublasLtGetVersion", f.GetVersion);
  get("cublasLtGetStatusName", f.GetStatusName);
  get("cublasLtGetStatusString", f.GetStatusString);
  get("cublasLtCreate", f.Create);
  get("cublasLtDestroy", f.Destroy);
  get("cublasLtMatmulDescCreate", f.MatmulDescCreate);
  get("cublasLtMatmulDescDestroy", f.MatmulDescDestroy);
  get("cublasLtMatmulDescSetAttribute", f.MatmulDescSetAttribute);
  get("cublasLtMatrixLayoutCreate", f.MatrixLayoutCreate);
  get("cublasLtMatrixLayoutDestroy", f.MatrixLayoutDestroy);
  get("cublasLtMatrixLayoutSetAttribute", f.MatrixLayoutSetAttribute);
  get("cublasLtMatmulPreferenceCreate", f.MatmulPreferenceCreate);
  get("cublasLtMatmulPreferenceDestroy", f.MatmulPreferenceDestroy);
  get("cublasLtMatmulPreferenceSetAttribute", f.MatmulPreferenceSetAttribute);
  get("cublasLtMatmulAlgoGetHeuristic", f.MatmulAlgoGetHeuristic);
  get("cublasLtMatmul", f.Matmul);
  return f;
}

const Functions& functions() {
  static const Functions f = load();  // when it throws, the next call tries again
  return f;
}

Handle handle() {
  static std::mutex lock;
  static std::atomic<Handle> handles[kMaxDevices];  // never destroyed: CUDA may be gone first
  const int device = current_device();
  std::atomic<Handle>& mine = handles[device];
  if (Handle h = mine.load(std::memory_order_acquire)) return h;
  std::lock_guard g(lock);
  if (Handle h = mine.load(std::memory_order_relaxed)) return h;
  use_device(device);
  Handle h = nullptr;
  TG_CUBLASLT(Create, &h);
  mine.store(h, std::memory_order_release);
  return h;
}

void fail_lt(Status s, const char* call) {
  fail(s == AllocFailed ? CudaHost::kOutOfMemory : CudaHost::kError, "%s failed: %s (%s)", call, functions().GetStatusString(s),
       functions().GetStatusName(s));
}

}  // namespace lt
}  // namespace tapegrad::cuda
