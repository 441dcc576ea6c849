// A product of few rows reads each number of the large matrix once. By rows a warp makes a row's dot products; by columns a block's threads
// go down columns side by side, in pieces of the depth that are joined in order.
#include "src/cuda/ops/matmul_few.h"

#include "src/cuda/kernel/reduce.cuh"
#include "src/cuda/runtime/memory.h"
#include "src/ops/formulas.h"

namespace tapegrad::cuda {
namespace {

/// c (m x n) = few (m x k) times large (k x n), all by strides of their own.
struct Few {
  int64_t m, n, k, few_row, few_col, large_n, large_k, c_row, c_col, few_batch, large_batch, c_batch;
  const char *few, *large, *bias;
  char* c;
  bool add, gelu, bias_by_row, wide;  // wide: packs of both operands may be loaded along k
};
// The few rows are always those of the left operand: c has few columns where its transposed has few rows.
Few few_of(const CudaProduct& p) {
  const bool turned = p.a.rows > kFewRows;
  Few f{p.a.rows, p.b.cols, p.a.cols, p.a.row, p.a.col, p.b.col, p.b.row, p.c_row, 1, p.a.batch, p.b.batch, p.c_batch,
        p.a.data, p.b.data, p.bias, p.c, p.add, p.gelu, turned, false};
  if (turned) {
    f.m = p.b.cols, f.n = p.a.rows, f.few = p.b.data, f.large = p.a.data, f.c_row = 1, f.c_col = p.c_row;
    f.few_row = p.b.col, f.few_col = p.b.row, f.large_n = p.a.row, f.large_k = p.a.col, f.few_batch = p.b.batch, f.large_batch = p.a.batch;
  }
  const int64_t pack = 16 / int64_t(item_size(p.dtype));
  const auto aligned = [&](const char* x, int64_t row, int64_t batch) { return is_aligned(x) && row % pack == 0 && (p.count == 1 || batch % pack == 0); };
  f.wide = f.few_col == 1 && f.large_k == 1 && aligned(f.few, f.m == 1 ? 0 : f.few_row, f.few_batch) &&
           aligned(f.large, f.n == 1 ? 0 : f.large_n, f.large_batch);
  return f;
}

template <class T, class C> __device__ void finish(const Few& f, int64_t item, int64_t i, int64_t j, C v) {
  if (f.bias) v += C(reinterpret_cast<const T*>(f.bias)[f.bias_by_row ? i : j]);
  if (f.gelu) v = GeluTanh().forward(v);
  T* c = reinterpret_cast<T*>(f.c) + item * f.c_batch + i * f.c_row + j * f.c_col;
  *c = T(f.add ? C(*c) + v : v);
}

constexpr int kWarps = 8;
template <class T, int M> __global__ void __launch_bounds__(kWarp * kWarps) few_by_rows(Few f) {
  using C = Wide<T>;
  constexpr int P = 16 / int(sizeof(T));
  const int64_t j = int64_t(blockIdx.x) * kWarps + threadIdx.y, item = blockIdx.y;
  if (j >= f.n) return;
  const T* few = reinterpret_cast<const T*>(f.few) + item * f.few_batch;
  const T* large = reinterpret_cast<const T*>(f.large) + item * f.large_batch + j * f.large_n;
  C sum[M] = {};
  int64_t k = int64_t(threadIdx.x) * P;
  if (f.wide) {
#pragma unroll 2
    for (; k + P <= f.k; k += kWarp * P) {
      const Pack<T> w = load_pack<T>(large + k);
#pragma unroll
      for (int i = 0; i < M; i++) {
        const Pack<T> x = load_pack<T>(few + (i < f.m ? i : 0) * f.few_row + k);
#pragma unroll
        for (int e = 0; e < P; e++) sum[i] += C(x[e]) * C(w[e]);
      }
    }
  }
#pragma unroll 1
  for (; k < f.k; k += kWarp * P)  // the same numbers in the same order
#pragma unroll 1
    for (int e = 0; e < P && k + e < f.k; e++) {
      const C w = C(large[(k + e) * f.large_k]);
#pragma unroll
      for (int i = 0; i < M; i++) sum[i] += C(few[(i < f.m ? i : 0) * f.few_row + (k + e) * f.few_col]) * w;
    }
#pragma unroll
  for (int i = 0; i < M; i++) {
    const C all = warp_reduce(sum[i], Plus());
    if (threadIdx.x == 0 && i < f.m) finish<T>(f, item, i, j, all);
  }
}

constexpr int kColumns = 64, kDeep = 4;
// `partial`: (pieces, count, m, n) sums of pieces, or null where there is one.
template <class T, int M> __global__ void __launch_bounds__(kColumns * kDeep) few_by_columns(Few f, Wide<T>* partial, int64_t each) {
  using C = Wide<T>;
  __shared__ C sums[kDeep][kColumns];
  const int64_t j = int64_t(blockIdx.x) * kColumns + threadIdx.x, item = blockIdx.z;
  const int64_t begin = blockIdx.y * each, end = begin + each < f.k ? begin + each : f.k;
  const T* few = reinterpret_cast<const T*>(f.few) + item * f.few_batch;
  const T* large = reinterpret_cast<const T*>(f.large) + item * f.large_batch + j * f.large_n;
  C sum[M] = {};
  if (j < f.n) {
#pragma unroll 4
    for (int64_t k = begin + threadIdx.y; k < end; k += kDeep) {
      const C w = C(large[k * f.large_k]);
#pragma unroll
      for (int i = 0; i < M; i++) sum[i] += C(few[(i < f.m ? i : 0) * f.few_row + k * f.few_col]) * w;
    }
  }
#pragma unroll
  for (int i = 0; i < M; i++) {
    if (i >= f.m) break;
    sums[threadIdx.y][threadIdx.x] = sum[i];
    __syncthreads();
    if (threadIdx.y == 0 && j < f.n) {
      C all = 0;
      for (int d = 0; d < kDeep; d++) all += sums[d][threadIdx.x];
      if (partial) partial[((blockIdx.y * int64_t(gridDim.z) + item) * f.m + i) * f.n + j] = all;
      else finish<T>(f, item, i, j, all);
    }
    __syncthreads();
  }
}
template <class T> __global__ void join_pieces(Few f, const Wide<T>* partial, int64_t pieces) {
  const int64_t j = int64_t(blockIdx.x) * blockDim.x + threadIdx.x, i = blockIdx.y, item = blockIdx.z;
  if (j >= f.n) return;
  Wide<T> all = 0;
  for (int64_t p = 0; p < pieces; p++) all += partial[((p * gridDim.z + item) * f.m + i) * f.n + j];
  finish<T>(f, item, i, j, all);
}

template <class T, int M> void multiply_as(const Few& f, int64_t count) {
  const unsigned items = unsigned(count);
  if (f.large_k == 1 || f.n == 1)
    return launch(few_by_rows<T, M>, dim3(unsigned(divide_up(f.n, kWarps)), items), dim3(kWarp, kWarps), 0, f);
  const int64_t pieces = few_pieces(f.k, f.n, count), each = divide_up(f.k, pieces);
  const Scratch partial(pieces > 1 ? size_t(pieces * count * f.m * f.n) * sizeof(Wide<T>) : 0);
  auto* sums = partial.data<Wide<T>>();
  launch(few_by_columns<T, M>, dim3(unsigned(divide_up(f.n, kColumns)), unsigned(pieces), items), dim3(kColumns, kDeep), 0, f, sums, each);
  if (pieces > 1) launch(join_pieces<T>, dim3(unsigned(divide_up(f.n, 128)), unsigned(f.m), items), dim3(128), 0, f, sums, pieces);
}

}  // namespace

void multiply_few(const CudaProduct& p) {
  const Few f = few_of(p);
  typed_real(p.dtype, [&](auto zero) {
    using T = decltype(zero);
    if (f.m == 1) multiply_as<T, 1>(f, p.count);
    else if (f.m == 2) multiply_as<T, 2>(f, p.count);
    else if (f.m <= 4) multiply_as<T, 4>(f, p.count);
    else multiply_as<T, 8>(f, p.count);
  });
}

}  // namespace tapegrad::cuda
