#include "src/cuda/runtime/error.h"

#include <unistd.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "src/cuda/runtime/error_text.h"
#include "src/cuda/runtime/fault.h"
#include "src/ops/numbers.h"

namespace tapegrad::cuda {

const CudaHost* host = nullptr;
int process = 0;
const bool sync_launches = [] {
  const char* v = std::getenv("TAPEGRAD_CUDA_SYNC");
  return v && *v && *v != '0';
}();

void fail(CudaHost::Error kind, const char* format, ...) {
  char text[2048];
  va_list values;
  va_start(values, format);
  std::vsnprintf(text, sizeof text, format, values);
  va_end(values);
  host->fail(kind, text);
  std::terminate();  // the core's fail does not return
}

void fail_call(cudaError_t e, const char* call) {
  cudaGetLastError();  // the next call is not to blame
  if (getpid() != process)
    fail(CudaHost::kError, "CUDA cannot be used in a forked child of a process that has used it; start children anew (start method 'spawn')");
  fail(e == cudaErrorMemoryAllocation ? CudaHost::kOutOfMemory : CudaHost::kError, "%s",
       error_text(e, cudaGetErrorName(e), cudaGetErrorString(e), call, false).c_str());
}

void wait_for_launch(cudaStream_t stream) {
  const cudaError_t e = cudaStreamSynchronize(stream);
  if (e == cudaSuccess) return raise_fault();
  cudaGetLastError();
  fail(CudaHost::kError, "%s", error_text(e, cudaGetErrorName(e), cudaGetErrorString(e), "", true).c_str());
}

}  // namespace tapegrad::cuda

void tapegrad::refuse_dtype(Dtype d) {
  static const char* const names[kDtypes] = {"bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16",
    "float32", "float64", "complex64", "complex128", "uint16", "uint32", "uint64"};
  cuda::fail(CudaHost::kNotImplemented, "not implemented on CUDA for torch.%s; move the tensor to the CPU", names[int(d)]);
}
