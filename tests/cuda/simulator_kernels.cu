#include "tests/cuda/simulator_kernels.h"

#include "src/cuda/kernel/reduce.cuh"

namespace tapegrad::cuda {

__global__ void add_kernel(const float* a, const float* b, float* out, int64_t n) {
  const int64_t i = (int64_t(blockIdx.x) * blockDim.x + threadIdx.x) * 4;
  if (i + 4 <= n) {
    Pack<float> x = load_pack(a + i);
    const Pack<float> y = load_pack(b + i);
#pragma unroll
    for (int k = 0; k < 4; k++) x[k] += y[k];
    store_pack(out + i, x);
  } else {
#pragma unroll 1
    for (int64_t k = i; k < n; k++) out[k] = a[k] + b[k];
  }
}
void add(const float* a, const float* b, float* out, int64_t n) { launch_line(add_kernel, divide_up(n, 4), 256, a, b, out, n); }

__global__ void __launch_bounds__(256) row_sum_kernel(const float* x, float* out, int columns) {
  float sum = 0;
  for (int i = int(threadIdx.x); i < columns; i += 256) sum += x[int64_t(blockIdx.x) * columns + i];
  sum = block_sum(sum);
  const float largest = block_reduce(x[int64_t(blockIdx.x) * columns + int(threadIdx.x) % columns], Larger(), -INFINITY);
  if (threadIdx.x == 0) out[2 * blockIdx.x] = sum, out[2 * blockIdx.x + 1] = largest;
}
void row_sums(const float* x, float* out, int rows, int columns) { launch(row_sum_kernel, unsigned(rows), 256, 0, x, out, columns); }

__global__ void transpose_kernel(const float* x, float* out, int rows, int columns) {
  __shared__ float tile[32][33];
  const int r = int(blockIdx.y) * 32, c = int(blockIdx.x) * 32, tx = int(threadIdx.x);
  for (int y = int(threadIdx.y); y < 32; y += 8)
    if (r + y < rows && c + tx < columns) tile[y][tx] = x[(r + y) * columns + c + tx];
  __syncthreads();
  for (int y = int(threadIdx.y); y < 32; y += 8)
    if (c + y < columns && r + tx < rows) out[(c + y) * rows + r + tx] = tile[tx][y];
}
void transpose(const float* x, float* out, int rows, int columns) {
  launch(transpose_kernel, dim3(unsigned(divide_up(columns, 32)), unsigned(divide_up(rows, 32))), dim3(32, 8), 0, x, out, rows, columns);
}

template <class T> __global__ void double_kernel(const T* x, T* out, int n) {
  const int i = int(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) out[i] = T(float(x[i]) * 2);
}
template <class T> static void doubled(const uint16_t* x, uint16_t* out, int n) {
  launch_line(double_kernel<T>, n, 128, reinterpret_cast<const T*>(x), reinterpret_cast<T*>(out), n);
}
void double_halves(const uint16_t* x, uint16_t* out, int n, bool bfloat) { bfloat ? doubled<BFloat>(x, out, n) : doubled<Half>(x, out, n); }

struct Candidate {
  float value;
  int index;
};
struct Best {  // the larger value, of equal ones the first
  __device__ Candidate operator()(Candidate a, Candidate b) const {
    return a.value > b.value || (a.value == b.value && a.index < b.index) ? a : b;
  }
};
__global__ void warp_kernel(unsigned* out) {
  const int lane = int(threadIdx.x);
  unsigned* o = out + lane * 8;
  o[0] = __shfl_sync(kAllLanes, unsigned(lane), 5);
  o[1] = __shfl_up_sync(kAllLanes, unsigned(lane), 3);
  o[2] = __shfl_down_sync(kAllLanes, unsigned(lane), 3, 16);
  o[3] = __ballot_sync(kAllLanes, lane % 3 == 0);
  o[4] = unsigned(__any_sync(kAllLanes, lane == 40) * 2 + __all_sync(kAllLanes, lane < 32));
  o[5] = unsigned(warp_reduce(Candidate{float(lane % 7), lane}, Best()).index);
  o[6] = unsigned(warp_sum<8>(double(lane)));
  __syncwarp();
  o[7] = lane < 16 ? __shfl_xor_sync(0xffff, unsigned(lane), 8) : unsigned(lane);
}
void warp_operations(unsigned* out) { launch(warp_kernel, 1, 32, 0, out); }

__global__ void reverse_kernel(const int* x, int* out, int n) {
  int* all = dynamic_shared<int>();
  for (int i = int(threadIdx.x); i < n; i += int(blockDim.x)) all[i] = x[i];
  __syncthreads();
  for (int i = int(threadIdx.x); i < n; i += int(blockDim.x)) out[i] = all[n - 1 - i];
}
void reverse_in_dynamic_shared(const int* x, int* out, int n) { launch(reverse_kernel, 1, 64, size_t(n) * 4, x, out, n); }

__global__ void histogram_kernel(const int* x, int n, int* counts) {
  const int i = int(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) atomicAdd(&counts[x[i]], 1);
}
void histogram(const int* x, int n, int* counts, int bins) {
  TG_CUDA(cudaMemsetAsync(counts, 0, size_t(bins) * 4, current_stream()));
  launch_line(histogram_kernel, n, 64, x, n, counts);
}

template <class T> __global__ void count_kernel(T* out, int n) {
  const int i = int(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) out[i] = T(Wide<T>(i));
}
void by_dtype(int dtype, void* out, int n) {
  typed(Dtype(dtype), [&](auto zero) {
    using T = decltype(zero);
    launch_line(count_kernel<T>, n, 32, static_cast<T*>(out), n);
  });
}

__global__ void divide_kernel(const uint32_t* n, IntDivider d, uint32_t* quotient, uint32_t* rest, int count) {
  const int i = int(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= count) return;
  const auto r = d.split(n[i]);
  quotient[i] = r.quotient, rest[i] = r.rest;
}
void divide(const uint32_t* n, uint32_t d, uint32_t* quotient, uint32_t* rest, int count) {
  launch_line(divide_kernel, count, 256, n, IntDivider(d), quotient, rest, count);
}

__global__ void position_kernel(int* out) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  __syncthreads();
  const unsigned i = block * blockDim.x * blockDim.y * blockDim.z + thread;
  out[i] = int(i);
}
void positions(int* out) { launch(position_kernel, dim3(3, 2, 2), dim3(5, 3, 4), 0, out); }

__global__ void neighbour_kernel(const int* x, int* out, int n, bool barrier) {
  int* all = dynamic_shared<int>();
  const int i = int(threadIdx.x);
  all[i] = x[i];
  if (barrier) __syncthreads();
  if (i + 1 < n) out[i] = all[i + 1];
}
void neighbours(const int* x, int* out, int n, bool barrier) {
  launch(neighbour_kernel, 1, unsigned(n), size_t(n) * 4, x, out, n, barrier);
}

// ---- faults
__global__ void divergent_barrier_kernel() {
  if (threadIdx.x < 10) __syncthreads();
  else warp_sum(1.0f);
}
void divergent_barrier() { launch(divergent_barrier_kernel, 1, 64, 0); }
__global__ void barrier_after_return_kernel() {
  if (threadIdx.x > 40) return;
  __syncthreads();
}
void barrier_after_return() { launch(barrier_after_return_kernel, 1, 64, 0); }
__global__ void two_barriers_kernel() {
  if (threadIdx.x < 32) __syncthreads();
  else
    __syncthreads();
}
void two_barriers() { launch(two_barriers_kernel, 1, 64, 0); }
__global__ void shuffle_in_branch_kernel() {
  if (threadIdx.x < 7) __shfl_xor_sync(kAllLanes, 1, 1);
}
void shuffle_in_branch() { launch(shuffle_in_branch_kernel, 1, 32, 0); }
__global__ void shuffle_from_outside_kernel() {
  if (threadIdx.x < 16) __shfl_sync(0xffff, 1, 20);
}
void shuffle_from_outside() { launch(shuffle_from_outside_kernel, 1, 32, 0); }
__global__ void misaligned_kernel(const float* x, float* out) { store_pack(out, load_pack(x + 1)); }
void misaligned(const float* x, float* out) { launch(misaligned_kernel, 1, 1, 0, x, out); }
__global__ void beyond_shared_kernel() { dynamic_shared<int>()[threadIdx.x] = 1; }
void beyond_shared() { launch(beyond_shared_kernel, 1, 33, 32 * 4); }
__global__ void beyond_array_kernel(int i, int* out) {
  __shared__ int four[4];
  four[i] = 1;
  *out = four[i];
}
void beyond_array(int i, int* out) { launch(beyond_array_kernel, 1, 1, 0, i, out); }
__global__ void follow_kernel(int* p) { *p = 1; }
void follow(int* p) { launch(follow_kernel, 1, 1, 0, p); }

}  // namespace tapegrad::cuda
