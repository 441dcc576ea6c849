// The gradient of normalised rows.
#include "src/cuda/ops/families.h"
#include "src/cuda/ops/norm.cuh"

namespace tapegrad::cuda {
namespace {

// g times the weight, and x.
template <class T, class C> __device__ void read_both(const CudaNorm& o, const T* g, const T* x, const RowOf<T>& row, int64_t r, int64_t at, C (&gw)[kPack<T>], C (&v)[kPack<T>]) {
  C w[kPack<T>];
  row.read(x, at, v);
  row.read(g, at, gw);
  read_scale(static_cast<const T*>(o.weight), o, row, r, at, w, C(1));
#pragma unroll
  for (int e = 0; e < kPack<T>; e++) gw[e] *= w[e];
}
template <class T, int kThreads> __global__ void backward_held(CudaNorm o, const T* pg, T* pd) {
  using C = Wide<T>;
  const int64_t r = team_row<kThreads>();
  if (r >= o.rows) return;
  const T *g = pg + r * o.n, *x = static_cast<const T*>(o.x) + r * o.n;
  const C *stats = static_cast<const C*>(o.stats) + 2 * r, mean = stats[0];
  const RowOf<T> row(x, o.n);
  const int64_t packs = row.packs();
  C gw[kHeld<T>][kPack<T>], v[kHeld<T>][kPack<T>], sum_g = 0, sum_gx = 0;
#pragma unroll
  for (int k = 0; k < kHeld<T>; k++) {
    const int64_t j = threadIdx.x + k * kThreads;
    if (j >= packs) continue;
    read_both(o, g, x, row, r, row.start(j), gw[k], v[k]);
#pragma unroll
    for (int e = 0; e < kPack<T>; e++) sum_g += gw[k][e], sum_gx += gw[k][e] * (v[k][e] - mean);
  }
  sum_g = team_sum<kThreads>(sum_g);
  sum_gx = team_sum<kThreads>(sum_gx);
  const Mix<C> mix(o, mean, stats[1], sum_g, sum_gx);
#pragma unroll
  for (int k = 0; k < kHeld<T>; k++) {
    const int64_t j = threadIdx.x + k * kThreads;
    if (j >= packs) continue;
#pragma unroll
    for (int e = 0; e < kPack<T>; e++) gw[k][e] = mix(gw[k][e], v[k][e]);
    row.write(pd + r * o.n, row.start(j), gw[k]);
  }
}
template <class T, int kThreads> __global__ void backward_long(CudaNorm o, const T* pg, T* pd) {
  using C = Wide<T>;
  const int64_t r = team_row<kThreads>();
  const T *g = pg + r * o.n, *x = static_cast<const T*>(o.x) + r * o.n;
  const C *stats = static_cast<const C*>(o.stats) + 2 * r, mean = stats[0];
  const RowOf<T> row(x, o.n);
  C gw[kPack<T>], v[kPack<T>], sum_g = 0, sum_gx = 0;
  for (int64_t j = threadIdx.x; j < row.packs(); j += kThreads) {
    read_both(o, g, x, row, r, row.start(j), gw, v);
#pragma unroll
    for (int e = 0; e < kPack<T>; e++) sum_g += gw[e], sum_gx += gw[e] * (v[e] - mean);
  }
  sum_g = team_sum<kThreads>(sum_g);
  sum_gx = team_sum<kThreads>(sum_gx);
  const Mix<C> mix(o, mean, stats[1], sum_g, sum_gx);
  for (int64_t j = threadIdx.x; j < row.packs(); j += kThreads) {
    read_both(o, g, x, row, r, row.start(j), gw, v);
#pragma unroll
    for (int e = 0; e < kPack<T>; e++) gw[e] = mix(gw[e], v[e]);
    row.write(pd + r * o.n, row.start(j), gw);
  }
}

void norm_backward(const CudaNorm& o, const void* pg, void* pd) {
  typed_real(o.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T* g = static_cast<const T*>(pg);
    T* d = static_cast<T*>(pd);
    by_team<T>(o.n, [&](auto t) { launch(backward_held<T, t.value>, team_grid<t.value>(o.rows), team_block<t.value>(), 0, o, g, d); },
        [&](auto t) { launch(backward_long<T, t.value>, team_grid<t.value>(o.rows), team_block<t.value>(), 0, o, g, d); });
  });
}

}  // namespace

void fill_norm_backward(CudaRows& t) { t.norm_backward = norm_backward; }

}  // namespace tapegrad::cuda
