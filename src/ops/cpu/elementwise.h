// What elementwise kernels and their driver agree on: compute types, dense runs, casting loads and stores.
// Kernels see the compute types only; the other dtypes, strides and broadcasting are the driver's (src/ops/runs.h).
#pragma once
#include <stdint.h>

#include "src/ops/cpu/table.h"

namespace tapegrad {

/// The first five, of the first ten dtypes, have kernels in every instruction set; the others plain loops (src/ops/plain.h).
enum class Compute : uint8_t { F32, F64, I64, I32, Bool, C64, C128, U64, None };
constexpr int kComputes = 5, kStoredDtypes = 10, kAllComputes = 8;
constexpr int kComputeSize[kAllComputes] = {4, 8, 8, 4, 1, 8, 16, 8}, kComputeShift[kAllComputes] = {2, 3, 3, 2, 0, 3, 4, 3};

/// One dense run: p[0] is the output, then the inputs. n is a multiple of the packet for F32 and F64, exact otherwise.
using Kernel = void (*)(const void* params, char* const* p, int64_t n);
/// backward[k] makes the gradient of input k from the output's and what the op's traits say it needs: F32, F64.
struct OpKernels {
  Kernel forward[kComputes], backward[3][2];
};
struct FamilyTable {
  const OpKernels* op;
  int count;
};

/// dtype with stride (in bytes) to a dense compute type, and back.
using LoadFn = void (*)(const char* src, int64_t stride, int64_t n, char* dst);
using StoreFn = void (*)(const char* src, char* dst, int64_t stride, int64_t n);
struct CastTable {
  LoadFn load[kStoredDtypes][kComputes];
  StoreFn store[kComputes][kStoredDtypes];
};

}  // namespace tapegrad
