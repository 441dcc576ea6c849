// What normalising has in common both ways: weights by place or by channel, and the gradient of a row.
#pragma once
#include "src/cuda/kernel/team.cuh"
#include "src/ops/cuda/rows.h"

namespace tapegrad::cuda {

/// Weight or bias (`missing` when null) for the pack of row r at `at`.
template <class T, class C> __device__ void read_scale(const T* w, const CudaNorm& o, const RowOf<T>& row, int64_t r, int64_t at, C (&v)[kPack<T>], C missing) {
  if (w && !o.channel_size) return row.read(w, at, v, missing);
#pragma unroll
  for (int e = 0; e < kPack<T>; e++)
    v[e] = w && row.has(at + e) ? C(w[(r * o.n + at + e) / o.channel_size % o.channels]) : missing;
}

/// dx = a g w - a^3 (x - mean) mean(g w (x - mean)) - a mean(g w)
template <class C> struct Mix {
  C mean, a, to_x, shift;
  __device__ Mix(const CudaNorm& o, C m, C scale, C sum_g, C sum_gx)
      : mean(m), a(scale), to_x(-scale * scale * scale * sum_gx / C(o.n)), shift(o.centred ? -scale * sum_g / C(o.n) : C(0)) {}
  __device__ C operator()(C gw, C x) const { return gw * a + (x - mean) * to_x + shift; }
};

}  // namespace tapegrad::cuda
