// The compute type that a cast goes through, on the CPU and on CUDA: the one that loses nothing.
#pragma once
#include "src/ops/cpu/elementwise.h"
#include "tapegrad/types.h"

namespace tapegrad {

constexpr Compute path_between(Dtype from, Dtype to) {
  switch (to) {
    case Dtype::Float32: case Dtype::Float16: case Dtype::BFloat16: return Compute::F32;
    case Dtype::Float64: return Compute::F64;
    case Dtype::Int64: return Compute::I64;
    case Dtype::Int32: return Compute::I32;
    case Dtype::Bool: return Compute::Bool;
    case Dtype::Complex64: return Compute::C64;
    case Dtype::Complex128: return Compute::C128;
    case Dtype::UInt64: return Compute::U64;
    default: return is_differentiable(from) || item_size(to) == 4 ? Compute::I64 : Compute::I32;
  }
}

}  // namespace tapegrad
