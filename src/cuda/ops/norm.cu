// Layer, rms and group norm. A row that fits a warp's or a block's registers is read once: mean, then squared deviations from it.
#include "src/cuda/ops/families.h"
#include "src/cuda/ops/norm.cuh"

namespace tapegrad::cuda {
namespace {

__device__ inline float inverse_root(float x) { return 1.f / sqrtf(x); }
__device__ inline double inverse_root(double x) { return 1. / sqrt(x); }

template <class T, class C> __device__ void write_normal(const CudaNorm& o, const T* bias, const RowOf<T>& row, int64_t r, int64_t at, C mean, C a, C (&v)[kPack<T>], T* y) {
  C w[kPack<T>], b[kPack<T>];
  read_scale(static_cast<const T*>(o.weight), o, row, r, at, w, C(1));
  read_scale(bias, o, row, r, at, b, C(0));
#pragma unroll
  for (int e = 0; e < kPack<T>; e++) v[e] = (v[e] - mean) * a * w[e] + b[e];
  row.write(y, at, v);
}
template <class C> __device__ void keep_stats(const CudaNorm& o, int64_t r, C mean, C a) {
  C* s = static_cast<C*>(o.stats) + 2 * r;
  if (threadIdx.x == 0) s[0] = mean, s[1] = a;
}
template <class T, int kThreads> __global__ void norm_held(CudaNorm o, const T* bias, T* py) {
  using C = Wide<T>;
  const int64_t r = team_row<kThreads>();
  if (r >= o.rows) return;
  const T* x = static_cast<const T*>(o.x) + r * o.n;
  const RowOf<T> row(x, o.n);
  const int64_t packs = row.packs();
  C v[kHeld<T>][kPack<T>], sum = 0, squares = 0;
#pragma unroll
  for (int k = 0; k < kHeld<T>; k++) {
    const int64_t j = threadIdx.x + k * kThreads;
    if (j >= packs) continue;
    row.read(x, row.start(j), v[k]);
#pragma unroll
    for (int e = 0; e < kPack<T>; e++) sum += v[k][e];
  }
  const C mean = o.centred ? team_sum<kThreads>(sum) / C(o.n) : C(0);
#pragma unroll
  for (int k = 0; k < kHeld<T>; k++) {
    const int64_t j = threadIdx.x + k * kThreads;
    if (j >= packs) continue;
#pragma unroll
    for (int e = 0; e < kPack<T>; e++) {
      const C d = row.has(row.start(j) + e) ? v[k][e] - mean : C(0);
      squares += d * d;
    }
  }
  const C a = inverse_root(team_sum<kThreads>(squares) / C(o.n) + C(o.eps));
  keep_stats(o, r, mean, a);
#pragma unroll
  for (int k = 0; k < kHeld<T>; k++) {
    const int64_t j = threadIdx.x + k * kThreads;
    if (j < packs) write_normal(o, bias, row, r, row.start(j), mean, a, v[k], py + r * o.n);
  }
}
template <class T, int kThreads> __global__ void norm_long(CudaNorm o, const T* bias, T* py) {
  using C = Wide<T>;
  const int64_t r = team_row<kThreads>();
  const T* x = static_cast<const T*>(o.x) + r * o.n;
  const RowOf<T> row(x, o.n);
  C v[kPack<T>], sum = 0, squares = 0;
  if (o.centred) {
    for (int64_t j = threadIdx.x; j < row.packs(); j += kThreads) {
      row.read(x, row.start(j), v);
#pragma unroll
      for (int e = 0; e < kPack<T>; e++) sum += v[e];
    }
    sum = team_sum<kThreads>(sum);
  }
  const C mean = sum / C(o.n);
  for (int64_t j = threadIdx.x; j < row.packs(); j += kThreads) {
    row.read(x, row.start(j), v, mean);
#pragma unroll
    for (int e = 0; e < kPack<T>; e++) squares += (v[e] - mean) * (v[e] - mean);
  }
  const C a = inverse_root(team_sum<kThreads>(squares) / C(o.n) + C(o.eps));
  keep_stats(o, r, mean, a);
  for (int64_t j = threadIdx.x; j < row.packs(); j += kThreads) {
    row.read(x, row.start(j), v);
    write_normal(o, bias, row, r, row.start(j), mean, a, v, py + r * o.n);
  }
}

void norm(const CudaNorm& o, const void* bias, void* py) {
  typed_real(o.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T* b = static_cast<const T*>(bias);
    T* y = static_cast<T*>(py);
    by_team<T>(o.n, [&](auto t) { launch(norm_held<T, t.value>, team_grid<t.value>(o.rows), team_block<t.value>(), 0, o, b, y); },
        [&](auto t) { launch(norm_long<T, t.value>, team_grid<t.value>(o.rows), team_block<t.value>(), 0, o, b, y); });
  });
}

}  // namespace

void fill_norm(CudaRows& t) {
  t.norm = norm;
  fill_norm_backward(t);
  fill_norm_sums(t);
}

}  // namespace tapegrad::cuda
