// What elementwise kernels and their driver agree on: compute types, dense runs, casting loads and stores.
// Kernels see the compute types only; the other dtypes, strides and broadcasting are the driver's (src/ops/runs.h).
#pragma once
#include <stdint.h>

#include "src/ops/cpu/table.h"

namespace tapegrad {

/// The first five, of the first ten dtypes, have kernels in every instruction set; the next three plain loops (src/ops/plain.h). F16
/// and BF16 are F32 on operands of that one dtype, which kernels widen as they read and round as they write.
enum class Compute : uint8_t { F32, F64, I64, I32, Bool, C64, C128, U64, F16, BF16, None };
constexpr int kComputes = 5, kStoredDtypes = 10, kAllComputes = 8;
constexpr int kComputeSize[] = {4, 8, 8, 4, 1, 8, 16, 8, 2, 2}, kComputeShift[] = {2, 3, 3, 2, 0, 3, 4, 3, 1, 1};

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
struct ElementwiseTable {
  const FamilyTable* by_inputs[3];
};
/// The same for F16 and BF16; number[k]: input k is of floats, for ops with OpTraits::wide_number. Null: by way of blocks of floats.
struct HalfKernels {
  Kernel forward[2], backward[3][2], number[2][2];
};
struct HalfTable {
  const HalfKernels* op[3];  // by number of inputs
};

/// dtype with stride (in bytes) to a dense compute type, and back.
using LoadFn = void (*)(const char* src, int64_t stride, int64_t n, char* dst);
using StoreFn = void (*)(const char* src, char* dst, int64_t stride, int64_t n);
struct CastTable {
  LoadFn load[kStoredDtypes][kComputes];
  StoreFn store[kComputes][kStoredDtypes];
};

}  // namespace tapegrad
