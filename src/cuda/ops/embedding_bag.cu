// embedding_bag: a thread reads some columns of all rows of its bag, in the order of the entries.
#include "src/cuda/ops/families.h"
#include "src/cuda/ops/index.cuh"

namespace tapegrad::cuda {
namespace {

struct Piece {
  int64_t begin, end;
};
__device__ Piece piece_of(const EmbeddingBags& p, int64_t b, const Faults& f) {
  if (!p.start) return {b * p.width, (b + 1) * p.width};
  const int64_t begin = p.start[b], end = b + 1 < p.starts ? p.start[b + 1] : p.n;
  if ((b ? begin >= 0 : begin == 0) && begin <= end && end <= p.n) return {begin, end};
  note_fault(f.record, f.op, Fault::kOffsets, begin, p.n, 0);
  return {0, 0};
}
__device__ int64_t row_of(const EmbeddingBags& p, int64_t i, const Faults& f) {
  const int64_t row = wrapped(p.index[i], p.rows, 0, false, f);
  return row == p.padding ? -1 : row;
}

template <class T, int N, bool kMax>
__global__ void reduce_bags(EmbeddingBags p, const T* weight, const T* scale, T* out, int64_t* kept, Faults f) {
  using W = Wide<T>;
  const int64_t u = thread_number(), packs = p.columns / N;
  if (u >= p.bags * packs) return;
  const Divided at = divided(u, packs);
  const int64_t b = at.quotient, column = at.rest * N;
  const Piece bag = piece_of(p, b, f);
  W all[N] = {};
  int64_t best[N], count = 0;
#pragma unroll
  for (int e = 0; e < N; e++) best[e] = -1;
#pragma unroll 1
  for (int64_t i = bag.begin; i < bag.end; i++) {
    const int64_t row = row_of(p, i, f);
    if (row < 0) continue;
    count++;
    const Pack<T, N> v = load_pack<T, N>(weight + row * p.columns + column);
    const W times = scale ? W(scale[i]) : W(1);
#pragma unroll
    for (int e = 0; e < N; e++) {
      if constexpr (!kMax) all[e] += times * W(v[e]);
      else if (best[e] < 0 || W(v[e]) > all[e]) all[e] = W(v[e]), best[e] = row;
    }
  }
  if (p.mode == BagMode::Mean && column == 0) kept[b] = count;
  Pack<T, N> result;
#pragma unroll
  for (int e = 0; e < N; e++) {
    if constexpr (kMax) kept[b * p.columns + column + e] = best[e];
    result[e] = T(p.mode == BagMode::Mean && count ? all[e] / W(count) : all[e]);
  }
  store_pack(out + b * p.columns + column, result);
}
void fill_bags(const EmbeddingBags& p, Dtype d, const void* pw, const void* ps, void* po, int64_t* kept) {
  typed_real(d, [&](auto zero) {
    using T = decltype(zero);
    const T *weight = static_cast<const T*>(pw), *scale = static_cast<const T*>(ps);
    T* out = static_cast<T*>(po);
    const auto run = [&](auto kernel, int pack) {
      launch_line(kernel, p.bags * (p.columns / pack), kIndexBlock, p, weight, scale, out, kept, faults());
    };
    constexpr int pack = Pack<T>::size;
    const bool wide = p.columns % pack == 0 && is_aligned(weight) && is_aligned(out);
    if (p.mode == BagMode::Max) wide ? run(reduce_bags<T, pack, true>, pack) : run(reduce_bags<T, 1, true>, 1);
    else wide ? run(reduce_bags<T, pack, false>, pack) : run(reduce_bags<T, 1, false>, 1);
  });
}

__global__ void find_entries(EmbeddingBags p, int64_t* row, int64_t* bag, Faults f) {
  const int64_t i = thread_number();
  if (i >= p.n) return;
  int64_t b = 0;
  if (p.start) {  // the last start that is not behind i
    int64_t above = p.starts;
    for (b = -1; above - b > 1;) {
      const int64_t middle = b + (above - b) / 2;
      if (p.start[middle] <= i) b = middle; else above = middle;
    }
  } else {
    b = divided(i, p.width).quotient;
  }
  const bool inside = b >= 0 && b < p.bags;
  row[i] = inside ? row_of(p, i, f) : -1;
  bag[i] = inside ? b : 0;
}
void bag_entries(const EmbeddingBags& p, int64_t* row, int64_t* bag) { launch_line(find_entries, p.n, kIndexBlock, p, row, bag, faults()); }

}  // namespace

void fill_embedding_bag(CudaIndex& t) { t.fill_bags = fill_bags, t.bag_entries = bag_entries; }

}  // namespace tapegrad::cuda
