// Layer, rms and group norm. A row that fits a warp's or a block's registers is read once: mean, then squared deviations from it. Sums over
// rows are made piece by piece, the pieces a function of the shape, and then joined in order; where rows allow, with dx in one pass.
#include "src/cuda/kernel/team.cuh"
#include "src/cuda/ops/families.h"
#include "src/ops/cuda/rows.h"

namespace tapegrad::cuda {
namespace {

__device__ inline float inverse_root(float x) { return 1.f / sqrtf(x); }
__device__ inline double inverse_root(double x) { return 1. / sqrt(x); }

// Weight or bias (`missing` when null) for the pack of row r at `at`.
template <class T, class C> __device__ void read_scale(const T* w, const CudaNorm& o, const RowOf<T>& row, int64_t r, int64_t at, C (&v)[kPack<T>], C missing) {
  if (w && !o.channel_size) return row.read(w, at, v, missing);
#pragma unroll
  for (int e = 0; e < kPack<T>; e++)
    v[e] = w && row.has(at + e) ? C(w[(r * o.n + at + e) / o.channel_size % o.channels]) : missing;
}
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

// dx = a g w - a^3 (x - mean) mean(g w (x - mean)) - a mean(g w)
template <class C> struct Mix {
  C mean, a, to_x, shift;
  __device__ Mix(const CudaNorm& o, C m, C scale, C sum_g, C sum_gx)
      : mean(m), a(scale), to_x(-scale * scale * scale * sum_gx / C(o.n)), shift(o.centred ? -scale * sum_g / C(o.n) : C(0)) {}
  __device__ C operator()(C gw, C x) const { return gw * a + (x - mean) * to_x + shift; }
};
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

// dx and the sums over rows at once, where all rows begin alike, so that a thread has the same columns of each: a team takes every
// `shares`-th row, and keeps its columns' sums in registers.
template <class T, int kThreads> __global__ void backward_at_once(CudaNorm o, const T* pg, T* pd, Wide<T>* partial, int64_t shares) {
  using C = Wide<T>;
  const int64_t share = team_row<kThreads>();
  if (share >= shares) return;
  const RowOf<T> row(static_cast<const T*>(o.x), o.n);
  const int64_t packs = row.packs();
  C dw[kHeld<T>][kPack<T>] = {}, db[kHeld<T>][kPack<T>] = {};
#pragma unroll 1
  for (int64_t r = share; r < o.rows; r += shares) {
    const T *g = pg + r * o.n, *x = static_cast<const T*>(o.x) + r * o.n;
    const C *stats = static_cast<const C*>(o.stats) + 2 * r, mean = stats[0], a = stats[1];
    C gs[kHeld<T>][kPack<T>], v[kHeld<T>][kPack<T>], w[kPack<T>], sum_g = 0, sum_gx = 0;
#pragma unroll
    for (int k = 0; k < kHeld<T>; k++) {
      const int64_t j = threadIdx.x + k * kThreads;
      if (j >= packs) continue;
      row.read(x, row.start(j), v[k]);
      row.read(g, row.start(j), gs[k]);
      read_scale(static_cast<const T*>(o.weight), o, row, r, row.start(j), w, C(1));
#pragma unroll
      for (int e = 0; e < kPack<T>; e++) {
        const C d = v[k][e] - mean, gw = gs[k][e] * w[e];
        sum_g += gw, sum_gx += gw * d;
        dw[k][e] += gs[k][e] * (d * a), db[k][e] += gs[k][e];
      }
    }
    sum_g = team_sum<kThreads>(sum_g);
    sum_gx = team_sum<kThreads>(sum_gx);
    const Mix<C> mix(o, mean, a, sum_g, sum_gx);
#pragma unroll
    for (int k = 0; k < kHeld<T>; k++) {
      const int64_t j = threadIdx.x + k * kThreads;
      if (j >= packs) continue;
      read_scale(static_cast<const T*>(o.weight), o, row, r, row.start(j), w, C(1));
#pragma unroll
      for (int e = 0; e < kPack<T>; e++) v[k][e] = mix(gs[k][e] * w[e], v[k][e]);
      row.write(pd + r * o.n, row.start(j), v[k]);
    }
  }
#pragma unroll
  for (int k = 0; k < kHeld<T>; k++) {
    const int64_t j = threadIdx.x + k * kThreads;
#pragma unroll
    for (int e = 0; e < kPack<T>; e++) {
      const int64_t column = row.start(j) + e;
      if (j < packs && row.has(column)) partial[share * o.n + column] = dw[k][e], partial[(shares + share) * o.n + column] = db[k][e];
    }
  }
}

// Columns of a piece of the rows: eight threads a column take every eighth row, and their sums are joined in order.
constexpr int kTile = 32, kDeep = 8;
template <class T> __global__ void sum_pieces(CudaNorm o, const T* g, Wide<T>* partial, int64_t each) {
  using C = Wide<T>;
  __shared__ C sums[2][kDeep][kTile];
  const int64_t column = int64_t(blockIdx.x) * kTile + threadIdx.x, begin = blockIdx.y * each, end = begin + each < o.rows ? begin + each : o.rows;
  const T* x = static_cast<const T*>(o.x);
  const C* stats = static_cast<const C*>(o.stats);
  C dw = 0, db = 0;
  if (column < o.n) {
#pragma unroll 4
    for (int64_t r = begin + threadIdx.y; r < end; r += kDeep) {
      const C gi = C(g[r * o.n + column]);
      dw += gi * ((C(x[r * o.n + column]) - stats[2 * r]) * stats[2 * r + 1]);
      db += gi;
    }
  }
  sums[0][threadIdx.y][threadIdx.x] = dw;
  sums[1][threadIdx.y][threadIdx.x] = db;
  __syncthreads();
  if (threadIdx.y < 2 && column < o.n) {
    C all = 0;
    for (int k = 0; k < kDeep; k++) all += sums[threadIdx.y][k][threadIdx.x];
    partial[(threadIdx.y * int64_t(gridDim.y) + blockIdx.y) * o.n + column] = all;
  }
}
template <class T> __global__ void join_pieces(const Wide<T>* partial, int64_t pieces, int64_t n, T* dw, T* db) {
  using C = Wide<T>;
  __shared__ C sums[kDeep][kTile];
  const int64_t column = int64_t(blockIdx.x) * kTile + threadIdx.x;
  T* to = blockIdx.y ? db : dw;
  C all = 0;
  if (column < n)
#pragma unroll 4
    for (int64_t k = threadIdx.y; k < pieces; k += kDeep) all += partial[(blockIdx.y * pieces + k) * n + column];
  sums[threadIdx.y][threadIdx.x] = all;
  __syncthreads();
  if (threadIdx.y || column >= n || !to) return;
  for (int k = 1; k < kDeep; k++) all += sums[k][threadIdx.x];
  to[column] = T(all);
}
template <class T, int kThreads> __global__ void dot_runs(CudaNorm o, const T* g, int64_t runs, Wide<T>* sum_gx, Wide<T>* sum_g) {
  using C = Wide<T>;
  const int64_t run = team_row<kThreads>();
  if (run >= runs) return;
  const T* x = static_cast<const T*>(o.x) + run * o.channel_size;
  const RowOf<T> row(x, o.channel_size);
  const C *stats = static_cast<const C*>(o.stats) + run * o.channel_size / o.n * 2, mean = stats[0];
  C dot = 0, sum = 0, v[kPack<T>], gs[kPack<T>];
  for (int64_t j = threadIdx.x; j < row.packs(); j += kThreads) {
    row.read(x, row.start(j), v);
    row.read(g + run * o.channel_size, row.start(j), gs);
#pragma unroll
    for (int e = 0; e < kPack<T>; e++) dot += gs[e] * (v[e] - mean), sum += gs[e];
  }
  dot = team_sum<kThreads>(dot);
  sum = team_sum<kThreads>(sum);
  if (threadIdx.x == 0) sum_gx[run] = dot * stats[1], sum_g[run] = sum;
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
void norm_backward(const CudaNorm& o, const void* pg, void* pd) {
  typed_real(o.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T* g = static_cast<const T*>(pg);
    T* d = static_cast<T*>(pd);
    by_team<T>(o.n, [&](auto t) { launch(backward_held<T, t.value>, team_grid<t.value>(o.rows), team_block<t.value>(), 0, o, g, d); },
        [&](auto t) { launch(backward_long<T, t.value>, team_grid<t.value>(o.rows), team_block<t.value>(), 0, o, g, d); });
  });
}
void norm_sums(const CudaNorm& o, const void* g, void* partial, void* dw, void* db) {
  typed_real(o.dtype, [&](auto zero) {
    using T = decltype(zero);
    using C = Wide<T>;
    const int64_t pieces = norm_pieces(o.rows), each = (o.rows + pieces - 1) / pieces;
    const unsigned tiles = unsigned((o.n + kTile - 1) / kTile);
    launch(sum_pieces<T>, dim3(tiles, unsigned(pieces)), dim3(kTile, kDeep), 0, o, static_cast<const T*>(g), static_cast<C*>(partial), each);
    launch(join_pieces<T>, dim3(tiles, 2), dim3(kTile, kDeep), 0, static_cast<const C*>(partial), pieces, o.n, static_cast<T*>(dw), static_cast<T*>(db));
  });
}
void norm_backward_sums(const CudaNorm& o, const void* g, void* dx, void* partial, void* dw, void* db) {
  typed_real(o.dtype, [&](auto zero) {
    using T = decltype(zero);
    using C = Wide<T>;
    const int64_t shares = norm_shares(o.rows, o.n);
    const auto run = [&](auto t) {
      launch(backward_at_once<T, t.value>, team_grid<t.value>(shares), team_block<t.value>(), 0, o, static_cast<const T*>(g), static_cast<T*>(dx),
             static_cast<C*>(partial), shares);
    };
    by_team<T>(o.n, run, [](auto) {});
    launch(join_pieces<T>, dim3(unsigned((o.n + kTile - 1) / kTile), 2), dim3(kTile, kDeep), 0, static_cast<const C*>(partial), shares, o.n,
           static_cast<T*>(dw), static_cast<T*>(db));
  });
}
void norm_dots(const CudaNorm& o, const void* g, void* sum_gx, void* sum_g) {
  typed_real(o.dtype, [&](auto zero) {
    using T = decltype(zero);
    using C = Wide<T>;
    const int64_t runs = o.rows * (o.n / o.channel_size);
    by_length(o.channel_size, [&](auto t) {
      launch(dot_runs<T, t.value>, team_grid<t.value>(runs), team_block<t.value>(), 0, o, static_cast<const T*>(g), runs, static_cast<C*>(sum_gx), static_cast<C*>(sum_g));
    });
  });
}

}  // namespace

void fill_norm(CudaRows& t) {
  t.norm = norm, t.norm_backward = norm_backward, t.norm_sums = norm_sums;
  t.norm_backward_sums = norm_backward_sums, t.norm_dots = norm_dots;
}

}  // namespace tapegrad::cuda
