// Elements as unsigned keys in sorting order, as src/ops/sort_keys.h has them on the CPU: NaN last, -0 equal to 0.
#pragma once
#include "src/cuda/kernel/cuda.cuh"

namespace tapegrad::cuda {

__device__ inline uint32_t order_key(float f) {
  f += 0.0f;
  uint32_t u;
  memcpy(&u, &f, 4);
  return f != f ? ~uint32_t(0) : u ^ (uint32_t(int32_t(u) >> 31) | uint32_t(1) << 31);
}
__device__ inline uint64_t order_key(double f) {
  f += 0.0;
  uint64_t u;
  memcpy(&u, &f, 8);
  return f != f ? ~uint64_t(0) : u ^ (uint64_t(int64_t(u) >> 63) | uint64_t(1) << 63);
}
__device__ inline uint32_t order_key(int32_t i) { return uint32_t(i) ^ uint32_t(1) << 31; }
__device__ inline uint64_t order_key(int64_t i) { return uint64_t(i) ^ uint64_t(1) << 63; }

constexpr bool has_wide_key(Dtype d) { return item_size(d) == 8; }
/// Of element i of a dtype whose keys are of type Key.
template <class Key> __device__ inline Key key_of(Dtype d, const char* p, int64_t i) {
  if constexpr (sizeof(Key) == 8) {
    return d == Dtype::Float64 ? order_key(reinterpret_cast<const double*>(p)[i])
                               : order_key(reinterpret_cast<const int64_t*>(p)[i]);
  } else {
    switch (d) {
      case Dtype::Bool:
      case Dtype::UInt8: return order_key(int32_t(reinterpret_cast<const uint8_t*>(p)[i]));
      case Dtype::Int8: return order_key(int32_t(reinterpret_cast<const int8_t*>(p)[i]));
      case Dtype::Int16: return order_key(int32_t(reinterpret_cast<const int16_t*>(p)[i]));
      case Dtype::Int32: return order_key(reinterpret_cast<const int32_t*>(p)[i]);
      case Dtype::Float16: return order_key(float(reinterpret_cast<const Half*>(p)[i]));
      case Dtype::BFloat16: return order_key(float(reinterpret_cast<const BFloat*>(p)[i]));
      default: return order_key(reinterpret_cast<const float*>(p)[i]);
    }
  }
}

}  // namespace tapegrad::cuda
