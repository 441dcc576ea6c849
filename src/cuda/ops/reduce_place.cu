// Largest and smallest elements and where they are. NaN wins, of equals the first.
#include "src/cuda/ops/folds.cuh"
#include "src/cuda/ops/reduce.h"

namespace tapegrad::cuda {
namespace {

template <class C> struct Found {
  C value;
  int64_t at;
};
template <class C, bool smallest> struct Places {
  using Acc = Found<C>;
  static __device__ Acc id() { return {smallest ? highest<C>() : lowest<C>(), INT64_MAX}; }
  static __device__ Acc of(C x, C, int64_t i) { return {x, i}; }
  static __device__ Acc join(Acc a, Acc b) {
    const bool a_nan = a.value != a.value, b_nan = b.value != b.value;
    const bool tie = a_nan ? b_nan : a.value == b.value;
    const bool better = smallest ? a.value < b.value : a.value > b.value;
    return tie ? (a.at <= b.at ? a : b) : a_nan || (better && !b_nan) ? a : b;
  }
};
struct PlaceOut {
  char* value;
  int64_t* index;
  char* parts;
  template <class T, class C>
  __device__ void operator()(const T*, Offsets at, const FoldPlan& p, int64_t chunk, Found<C> v) const {
    if (p.chunks > 1) reinterpret_cast<Found<C>*>(parts)[at.to * p.chunks + chunk] = v;
    else reinterpret_cast<T*>(value)[at.to] = T(v.value), index[at.to] = v.at;
  }
};
// The best of each result's chunks, which lie one after another; a warp for a result.
template <class C, bool smallest, class T>
__global__ void join_places(const Found<C>* parts, int64_t results, int64_t chunks, T* value, int64_t* index) {
  using F = Places<C, smallest>;
  const int64_t r = (int64_t(blockIdx.x) * blockDim.x + threadIdx.x) / kWarp;
  const int lane = int(threadIdx.x) % kWarp;
  Found<C> best = F::id();
  if (r < results)
    for (int64_t k = lane; k < chunks; k += kWarp) best = F::join(best, parts[r * chunks + k]);
  best = join_across<F>(best, kWarp / 2, 1);
  if (lane == 0 && r < results) value[r] = T(best.value), index[r] = best.at;
}

template <bool smallest> void run(const CudaPlace& p) {
  folded(p.dtype, [&](auto zero) {
    using T = decltype(zero);
    using C = FoldNumber<T>;
    launch_fold<Places<C, smallest>, T>(p.x, p.plan, nullptr, PlaceOut{p.value, p.index, p.parts});
    if (p.plan.chunks > 1)
      launch_line(join_places<C, smallest, T>, p.plan.results * kWarp, 256, reinterpret_cast<const Found<C>*>(p.parts),
                  p.plan.results, p.plan.chunks, reinterpret_cast<T*>(p.value), p.index);
  });
}

}  // namespace

void place(const CudaPlace& p) { p.smallest ? run<true>(p) : run<false>(p); }

}  // namespace tapegrad::cuda
