// What the instruction sets' tables leave out, as plain loops compiled once: kernels on complex numbers and uint64, and the
// casts between these, uint16, uint32 and everything else.
#pragma once
#include "src/ops/cpu/elementwise.h"
#include "tapegrad/types.h"

namespace tapegrad {

/// Of one op, for Compute::C64, C128 and U64; backward for the first two. Null where the op has none.
struct PlainKernels {
  Kernel forward[kAllComputes - kComputes], backward[3][2];
};
/// By number of inputs, then by the op's index in its list.
extern const PlainKernels* const plain_kernels[3];

/// Casting loads and stores of every dtype and compute type.
LoadFn load_for(Dtype d, Compute c);
StoreFn store_for(Compute c, Dtype d);

}  // namespace tapegrad
