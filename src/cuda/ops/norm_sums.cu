// The gradients of a normalisation's weights. Sums over rows are made piece by piece, the pieces a function of the shape, and then joined in
// order; where rows allow, with dx in one pass.
#include "src/cuda/ops/families.h"
#include "src/cuda/ops/norm.cuh"

namespace tapegrad::cuda {
namespace {

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

void fill_norm_sums(CudaRows& t) {
  t.norm_sums = norm_sums, t.norm_backward_sums = norm_backward_sums, t.norm_dots = norm_dots;
}

}  // namespace tapegrad::cuda
