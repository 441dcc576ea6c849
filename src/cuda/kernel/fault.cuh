// How a kernel notes what is wrong with its data (runtime/fault.h).
#pragma once
#include "src/cuda/kernel/cuda.cuh"
#include "src/cuda/runtime/fault.h"

namespace tapegrad::cuda {

__device__ inline void note_fault(Fault* f, const char* op, Fault::Kind kind, int64_t value, int64_t size, int dim) {
  if (atomicCAS(&f->taken, 0, 1)) return;
  f->op = op, f->value = value, f->size = size, f->dim = dim;
  f->kind = kind;
}

}  // namespace tapegrad::cuda
