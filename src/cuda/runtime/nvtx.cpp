// Ranges and marks for profilers, through NVTX's headers alone: they do nothing until a tool attaches itself.
#include "src/cuda/runtime/nvtx.h"

#if __has_include(<nvtx3/nvToolsExt.h>)
#include <nvtx3/nvToolsExt.h>

namespace tapegrad::cuda {
void range_push(const char* name) { nvtxRangePushA(name); }
void range_pop() { nvtxRangePop(); }
void mark(const char* name) { nvtxMarkA(name); }
}  // namespace tapegrad::cuda
#else
namespace tapegrad::cuda {
void range_push(const char*) {}
void range_pop() {}
void mark(const char*) {}
}  // namespace tapegrad::cuda
#endif
