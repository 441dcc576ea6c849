#include "src/cuda/runtime/fault.h"

#include <atomic>
#include <cstring>

#include "src/cuda/runtime/error.h"

namespace tapegrad::cuda {

static std::atomic<Fault*> record{nullptr};  // never freed: kernels may still run when the process ends

Fault* fault_record() {
  if (Fault* f = record.load(std::memory_order_acquire)) [[likely]] return f;
  void* p = nullptr;
  TG_CUDA(cudaHostAlloc(&p, sizeof(Fault), cudaHostAllocPortable | cudaHostAllocMapped));
  std::memset(p, 0, sizeof(Fault));
  Fault *fresh = static_cast<Fault*>(p), *none = nullptr;
  if (record.compare_exchange_strong(none, fresh)) return fresh;
  cudaFreeHost(p);
  return none;
}

void raise_fault() {
  Fault* f = record.load(std::memory_order_acquire);
  if (!f || *const_cast<volatile int*>(&f->kind) == Fault::kNone) [[likely]] return;
  Fault found;
  std::memcpy(&found, f, sizeof found);
  std::memset(f, 0, sizeof *f);
  const char* op = found.op ? found.op : "an op";
  const auto value = static_cast<long long>(found.value), size = static_cast<long long>(found.size);
  switch (found.kind) {
    case Fault::kIndex:
      fail(CudaHost::kIndexError, "index %lld is out of bounds for dimension %d with size %lld (found on the device, in %s)", value, found.dim, size, op);
    case Fault::kClass:
      fail(CudaHost::kIndexError, "target must hold classes from 0 to %lld or ignore_index, got %lld (found on the device, in %s)", size - 1, value, op);
    case Fault::kOffsets:
      fail(CudaHost::kValueError, "offsets must begin with 0 and rise up to the %lld indices, got %lld (found on the device, in %s)", size, value, op);
    default: fail(CudaHost::kValueError, "probabilities must be between 0 and 1 (found on the device, in %s)", op);
  }
}

const char* running_op() { return host->running_op(); }

}  // namespace tapegrad::cuda
