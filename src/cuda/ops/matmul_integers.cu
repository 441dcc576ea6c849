// Products of integers: tiles of 16 x 16 in shared memory. Signed ones have the bits of unsigned ones.
#include "src/cuda/ops/matmul_integers.h"

#include <algorithm>

#include "src/cuda/kernel/cuda.cuh"

namespace tapegrad::cuda {
namespace {

constexpr int kTile = 16;

template <class T> __global__ void multiply(CudaProduct p) {
  __shared__ T left[kTile][kTile + 1], right[kTile][kTile + 1];
  const int x = int(threadIdx.x) % kTile, y = int(threadIdx.x) / kTile;
  const int64_t across = (p.b.cols + kTile - 1) / kTile, depth = p.a.cols;
  const int64_t i = blockIdx.x / across * kTile + y, j = blockIdx.x % across * kTile + x;
  for (int64_t item = blockIdx.y; item < p.count; item += gridDim.y) {
    const T* a = reinterpret_cast<const T*>(p.a.data) + item * p.a.batch;
    const T* b = reinterpret_cast<const T*>(p.b.data) + item * p.b.batch;
    T sum = 0;
    for (int64_t step = 0; step < depth; step += kTile) {
      left[y][x] = i < p.a.rows && step + x < depth ? a[i * p.a.row + (step + x) * p.a.col] : T(0);
      right[y][x] = j < p.b.cols && step + y < depth ? b[(step + y) * p.b.row + j * p.b.col] : T(0);
      __syncthreads();
#pragma unroll
      for (int k = 0; k < kTile; k++) sum = T(sum + T(uint64_t(left[y][k]) * right[k][x]));
      __syncthreads();
    }
    if (i >= p.a.rows || j >= p.b.cols) continue;
    T* c = reinterpret_cast<T*>(p.c) + item * p.c_batch + i * p.c_row + j;
    if (p.bias) sum = T(sum + reinterpret_cast<const T*>(p.bias)[j]);
    *c = p.add ? T(*c + sum) : sum;
  }
}

}  // namespace

void multiply_integers(const CudaProduct& p) {
  const int64_t tiles = divide_up(p.a.rows, kTile) * divide_up(p.b.cols, kTile);
  by_size(item_size(p.dtype), [&](auto t) {
    using T = decltype(t);
    if constexpr (sizeof(T) <= 8)
      launch(&multiply<T>, dim3(unsigned(tiles), unsigned(std::min(p.count, kMaxGridYZ))), dim3(kTile * kTile), 0, p);
  });
}

}  // namespace tapegrad::cuda
