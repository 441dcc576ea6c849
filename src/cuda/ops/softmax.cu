// softmax and log_softmax. A row that fits a warp's or a block's registers is read once; a longer one twice: its largest number and its
// sum of exponentials are found in one go. Down columns a thread takes a column.
#include "src/cuda/kernel/team.cuh"
#include "src/cuda/ops/families.h"
#include "src/cuda/ops/softmax.cuh"
#include "src/ops/cuda/rows.h"

namespace tapegrad::cuda {
namespace {

template <class T, int kThreads> __global__ void softmax_held(const T* px, T* py, int64_t rows, int64_t n, bool log) {
  using C = Wide<T>;
  const int64_t r = team_row<kThreads>();
  if (r >= rows) return;
  const T* x = px + r * n;
  T* y = py + r * n;
  const RowOf<T> row(x, n);
  const int64_t packs = row.packs();
  C v[kHeld<T>][kPack<T>], most = -C(INFINITY), sum = 0;
#pragma unroll
  for (int k = 0; k < kHeld<T>; k++) {
    const int64_t j = threadIdx.x + k * kThreads;
    if (j >= packs) continue;
    row.read(x, row.start(j), v[k], -C(INFINITY));
#pragma unroll
    for (int e = 0; e < kPack<T>; e++) most = larger_of(most, v[k][e]);
  }
  most = team_max<kThreads>(most);
#pragma unroll
  for (int k = 0; k < kHeld<T>; k++) {
    if (threadIdx.x + k * kThreads >= packs) continue;
#pragma unroll
    for (int e = 0; e < kPack<T>; e++) {
      const C shifted = v[k][e] - most, power = exp_of(shifted);
      v[k][e] = log ? shifted : power;
      sum += power;
    }
  }
  sum = team_sum<kThreads>(sum);
  const C rest = log ? log_of(sum) : C(1) / sum;
#pragma unroll
  for (int k = 0; k < kHeld<T>; k++) {
    const int64_t j = threadIdx.x + k * kThreads;
    if (j >= packs) continue;
#pragma unroll
    for (int e = 0; e < kPack<T>; e++) v[k][e] = log ? v[k][e] - rest : v[k][e] * rest;
    row.write(y, row.start(j), v[k]);
  }
}
template <class T, int kThreads> __global__ void softmax_long(const T* px, T* py, int64_t n, bool log) {
  using C = Wide<T>;
  const T* x = px + team_row<kThreads>() * n;
  T* y = py + team_row<kThreads>() * n;
  const RowOf<T> row(x, n);
  const ExpSum<C> all = team_exp_sum<kThreads>(x, row);
  const C rest = log ? log_of(all.sum) : C(1) / all.sum;
  for (int64_t j = threadIdx.x; j < row.packs(); j += kThreads) {
    C v[kPack<T>];
    row.read(x, row.start(j), v);
#pragma unroll
    for (int e = 0; e < kPack<T>; e++) v[e] = log ? v[e] - all.most - rest : exp_of(v[e] - all.most) * rest;
    row.write(y, row.start(j), v);
  }
}

template <class C> __device__ C softmax_gradient(C g, C y, C sum, bool log) { return log ? g - exp_of(y) * sum : (g - sum) * y; }

template <class T, int kThreads> __global__ void backward_held(const T* pg, const T* py, T* pd, int64_t rows, int64_t n, bool log) {
  using C = Wide<T>;
  const int64_t r = team_row<kThreads>();
  if (r >= rows) return;
  const T *g = pg + r * n, *y = py + r * n;
  T* d = pd + r * n;
  const RowOf<T> row(y, n);
  const int64_t packs = row.packs();
  C gs[kHeld<T>][kPack<T>], ys[kHeld<T>][kPack<T>], sum = 0;
#pragma unroll
  for (int k = 0; k < kHeld<T>; k++) {
    const int64_t j = threadIdx.x + k * kThreads;
    if (j >= packs) continue;
    row.read(g, row.start(j), gs[k]);
    row.read(y, row.start(j), ys[k]);
#pragma unroll
    for (int e = 0; e < kPack<T>; e++) sum += log ? gs[k][e] : gs[k][e] * ys[k][e];
  }
  sum = team_sum<kThreads>(sum);
#pragma unroll
  for (int k = 0; k < kHeld<T>; k++) {
    const int64_t j = threadIdx.x + k * kThreads;
    if (j >= packs) continue;
#pragma unroll
    for (int e = 0; e < kPack<T>; e++) gs[k][e] = softmax_gradient(gs[k][e], ys[k][e], sum, log);
    row.write(d, row.start(j), gs[k]);
  }
}
template <class T, int kThreads> __global__ void backward_long(const T* pg, const T* py, T* pd, int64_t n, bool log) {
  using C = Wide<T>;
  const int64_t at = team_row<kThreads>() * n;
  const T *g = pg + at, *y = py + at;
  const RowOf<T> row(y, n);
  C sum = 0, gs[kPack<T>], ys[kPack<T>];
  for (int64_t j = threadIdx.x; j < row.packs(); j += kThreads) {
    row.read(g, row.start(j), gs);
    if (!log) row.read(y, row.start(j), ys);
#pragma unroll
    for (int e = 0; e < kPack<T>; e++) sum += log ? gs[e] : gs[e] * ys[e];
  }
  sum = team_sum<kThreads>(sum);
  for (int64_t j = threadIdx.x; j < row.packs(); j += kThreads) {
    row.read(g, row.start(j), gs);
    row.read(y, row.start(j), ys);
#pragma unroll
    for (int e = 0; e < kPack<T>; e++) gs[e] = softmax_gradient(gs[e], ys[e], sum, log);
    row.write(pd + at, row.start(j), gs);
  }
}

constexpr int kColumns = 128;  // threads of a block that goes down columns

template <class T> __global__ void softmax_columns(const T* x, T* y, int64_t outer, int64_t n, int64_t inner, bool log) {
  using C = Wide<T>;
  const int64_t column = int64_t(blockIdx.x) * kColumns + threadIdx.x;
  if (column >= outer * inner) return;
  const int64_t at = column / inner * n * inner + column % inner;
  ExpSum<C> all;
  for (int64_t i = 0; i < n; i++) all.add(C(x[at + i * inner]));
  const C rest = log ? log_of(all.sum) : C(1) / all.sum;
  for (int64_t i = 0; i < n; i++) {
    const C v = C(x[at + i * inner]) - all.most;
    y[at + i * inner] = T(log ? v - rest : exp_of(v) * rest);
  }
}
template <class T> __global__ void backward_columns(const T* g, const T* y, T* d, int64_t outer, int64_t n, int64_t inner, bool log) {
  using C = Wide<T>;
  const int64_t column = int64_t(blockIdx.x) * kColumns + threadIdx.x;
  if (column >= outer * inner) return;
  const int64_t at = column / inner * n * inner + column % inner;
  C sum = 0;
  for (int64_t i = 0; i < n; i++) sum += log ? C(g[at + i * inner]) : C(g[at + i * inner]) * C(y[at + i * inner]);
  for (int64_t i = 0; i < n; i++)
    d[at + i * inner] = T(softmax_gradient(C(g[at + i * inner]), C(y[at + i * inner]), sum, log));
}
dim3 column_grid(const CudaRowShape& s) { return dim3(unsigned((s.outer * s.inner + kColumns - 1) / kColumns)); }

void softmax(const CudaRowShape& s, const void* px, void* py, bool log) {
  typed_real(s.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T* x = static_cast<const T*>(px);
    T* y = static_cast<T*>(py);
    if (s.inner > 1) return launch(softmax_columns<T>, column_grid(s), dim3(kColumns), 0, x, y, s.outer, s.n, s.inner, log);
    by_team<T>(s.n,
        [&](auto t) { launch(softmax_held<T, t.value>, team_grid<t.value>(s.outer), team_block<t.value>(), 0, x, y, s.outer, s.n, log); },
        [&](auto t) { launch(softmax_long<T, t.value>, team_grid<t.value>(s.outer), team_block<t.value>(), 0, x, y, s.n, log); });
  });
}
void softmax_backward(const CudaRowShape& s, const void* pg, const void* py, void* pd, bool log) {
  typed_real(s.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T *g = static_cast<const T*>(pg), *y = static_cast<const T*>(py);
    T* d = static_cast<T*>(pd);
    if (s.inner > 1) return launch(backward_columns<T>, column_grid(s), dim3(kColumns), 0, g, y, d, s.outer, s.n, s.inner, log);
    by_team<T>(s.n,
        [&](auto t) { launch(backward_held<T, t.value>, team_grid<t.value>(s.outer), team_block<t.value>(), 0, g, y, d, s.outer, s.n, log); },
        [&](auto t) { launch(backward_long<T, t.value>, team_grid<t.value>(s.outer), team_block<t.value>(), 0, g, y, d, s.n, log); });
  });
}

}  // namespace

void fill(CudaRows& t) {
  t.softmax = softmax, t.softmax_backward = softmax_backward;
  fill_norm(t);
  fill_cross_entropy(t);
}

}  // namespace tapegrad::cuda
