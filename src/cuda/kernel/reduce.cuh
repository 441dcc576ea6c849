// Reductions over a warp or a block, in an order that depends on the block's size alone: the same bits on every device. An op takes two
// values of T (of 1, 2, 4, 8 or 16 bytes, 32-bit words moved bit by bit) and has to be commutative; every thread gets the result.
#pragma once
#include "src/cuda/kernel/cuda.cuh"

namespace tapegrad::cuda {

struct Plus {
  template <class T> __host__ __device__ T operator()(T a, T b) const { return a + b; }
};
struct Times {
  template <class T> __host__ __device__ T operator()(T a, T b) const { return a * b; }
};
struct Larger {  // NaN wins
  template <class T> __host__ __device__ T operator()(T a, T b) const { return ((a > b) | (a != a)) ? a : b; }
};
struct Smaller {
  template <class T> __host__ __device__ T operator()(T a, T b) const { return ((a < b) | (a != a)) ? a : b; }
};

/// A value of another lane, moved by `shuffle` in words of 32 bits.
template <class T, class Shuffle> __device__ inline T by_words(const T& v, Shuffle shuffle) {
  constexpr int words = (sizeof(T) + 3) / 4;
  uint32_t w[words] = {};
  memcpy(w, &v, sizeof(T));
#pragma unroll
  for (int i = 0; i < words; i++) w[i] = shuffle(w[i]);
  T out;
  memcpy(&out, w, sizeof(T));
  return out;
}
/// The value of the lane whose number differs by the bits of `mask`. All lanes of the warp take part.
template <class T> __device__ inline T shuffle_xor(const T& v, int mask) {
  if constexpr (std::is_arithmetic_v<T> && sizeof(T) >= 4) return __shfl_xor_sync(kAllLanes, v, mask);
  else return by_words(v, [mask](uint32_t w) { return __shfl_xor_sync(kAllLanes, w, mask); });
}
/// Over the warp, or over each group of `width` neighbours (a power of two).
template <int width = kWarp, class T, class Op> __device__ inline T warp_reduce(T v, Op op) {
#pragma unroll
  for (int step = width / 2; step > 0; step /= 2) v = op(v, shuffle_xor(v, step));
  return v;
}
template <int width = kWarp, class T> __device__ inline T warp_sum(T v) { return warp_reduce<width>(v, Plus()); }
template <int width = kWarp, class T> __device__ inline T warp_max(T v) { return warp_reduce<width>(v, Larger()); }

/// Over a block whose threads lie along x, a multiple of 32 of them. All of them take part. `none` changes nothing under op.
template <class T, class Op> __device__ T block_reduce(T v, Op op, T none) {
  __shared__ __align__(16) unsigned char parts[kWarp * sizeof(T)];
  T* part = reinterpret_cast<T*>(parts);
  const int warp = int(threadIdx.x) / kWarp, lane = int(threadIdx.x) % kWarp, warps = int(blockDim.x) / kWarp;
  v = warp_reduce(v, op);
  if (warps == 1) return v;
  __syncthreads();  // what an earlier call left here has been read
  if (lane == 0) part[warp] = v;
  __syncthreads();
  return warp_reduce(lane < warps ? part[lane] : none, op);
}
template <class T> __device__ inline T block_sum(T v) { return block_reduce(v, Plus(), T(0)); }

}  // namespace tapegrad::cuda
