// Searching sorted rows, and the places of what is set.
#include "src/cuda/kernel/reduce.cuh"
#include "src/cuda/ops/order_key.cuh"
#include "src/cuda/ops/sort.h"

namespace tapegrad::cuda {
namespace {

constexpr int kThreads = 256, kEach = int(CudaSort::kSetPiece) / kThreads;

template <class Key> __global__ void search_rows(CudaSearch s) {
  const int64_t i = int64_t(blockIdx.x) * kThreads + int(threadIdx.x);
  if (i >= s.count) return;
  const Key wanted = key_of<Key>(s.dtype, s.values, i);
  const int64_t row = s.each ? i / s.each * s.length : 0;
  int64_t low = 0, high = s.length;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    const Key k = key_of<Key>(s.dtype, s.sorted, row + middle);
    if (k < wanted || (s.right && k == wanted)) low = middle + 1;
    else high = middle;
  }
  s.out[i] = low;
}

/// A bit for each of this thread's kEach flags that is set.
__device__ inline uint32_t own_flags(const uint8_t* flags, int64_t n) {
  const int64_t first = int64_t(blockIdx.x) * CudaSort::kSetPiece + int(threadIdx.x) * kEach;
  uint32_t bits = 0;
#pragma unroll
  for (int k = 0; k < kEach; k++)
    if (first + k < n && flags[first + k]) bits |= 1u << k;
  return bits;
}
__global__ void __launch_bounds__(kThreads) count_pieces(const uint8_t* flags, int64_t n, int64_t* counts) {
  const int total = block_sum(__popc(own_flags(flags, n)));
  if (threadIdx.x == 0) counts[blockIdx.x] = total;
}

struct Sizes {
  int64_t of[kMaxDims];
};
__global__ void __launch_bounds__(kThreads) write_pieces(const uint8_t* flags, int64_t n, const int64_t* ends, int dims,
                                                         Sizes size, int64_t found, int64_t* out) {
  __shared__ int before_warp[kThreads / kWarp];
  uint32_t bits = own_flags(flags, n);
  const int lane = int(threadIdx.x) % kWarp, warp = int(threadIdx.x) / kWarp, own = __popc(bits);
  int upto = own;
#pragma unroll
  for (int step = 1; step < kWarp; step *= 2) {
    const int other = __shfl_up_sync(kAllLanes, upto, step);
    if (lane >= step) upto += other;
  }
  if (lane == kWarp - 1) before_warp[warp] = upto;
  __syncthreads();
  int64_t k = (blockIdx.x ? ends[blockIdx.x - 1] : 0) + upto - own;
  for (int w = 0; w < warp; w++) k += before_warp[w];
  const int64_t first = int64_t(blockIdx.x) * CudaSort::kSetPiece + int(threadIdx.x) * kEach;
#pragma unroll 1
  for (; bits; bits &= bits - 1, k++) {
    int64_t place = first + __popc((bits & -bits) - 1);
#pragma unroll 1
    for (int d = dims - 1; d > 0; d--) {
      const int64_t q = place / size.of[d];
      out[d * found + k] = place - q * size.of[d];
      place = q;
    }
    out[k] = place;
  }
}

}  // namespace

void search(const CudaSearch& s) {
  launch_line(has_wide_key(s.dtype) ? search_rows<uint64_t> : search_rows<uint32_t>, s.count, kThreads, s);
}
void count_set(const uint8_t* flags, int64_t n, int64_t* counts) {
  launch(count_pieces, dim3(unsigned(divide_up(n, CudaSort::kSetPiece))), dim3(kThreads), 0, flags, n, counts);
}
void write_set(const uint8_t* flags, int64_t n, const int64_t* ends, int dims, const int64_t* sizes, int64_t found,
               int64_t* out) {
  Sizes size{};
  std::copy(sizes, sizes + dims, size.of);
  launch(write_pieces, dim3(unsigned(divide_up(n, CudaSort::kSetPiece))), dim3(kThreads), 0, flags, n, ends, dims, size,
         found, out);
}

}  // namespace tapegrad::cuda
