// Writing by index. Where several rows go to one place the last one wins, or they are folded in index order: nothing depends on which
// thread comes first.
#include "src/cuda/kernel/reduce.cuh"
#include "src/cuda/ops/families.h"
#include "src/cuda/ops/index.cuh"

namespace tapegrad::cuda {
namespace {

__global__ void find_owners(CudaPick p, uint32_t* owner, Faults f) {
  const int64_t i = thread_number();
  if (i >= p.n) return;
  const int64_t place = place_of(p, i, f);
  if (place >= 0) atomicMax(&owner[place], uint32_t(i) + 1);
}
template <class T> __global__ void write_rows(CudaPick p, T* x, const T* values, bool one, const uint32_t* owner, Faults f) {
  const int64_t u = thread_number();
  if (u >= p.before.count * p.n * p.after.count) return;
  const Divided row = divided(u, p.after.count), at = divided(row.quotient, p.n);
  const int64_t place = place_of(p, at.rest, f);
  if (place < 0 || (owner && owner[place] != uint32_t(at.rest) + 1)) return;
  x[offset_in(p.before, at.quotient) + place * p.stride + offset_in(p.after, row.rest)] = values[one ? 0 : u];
}
void set_rows(const CudaPick& p, void* x, const void* values, bool one, uint32_t* owner, int element_size) {
  if (owner) launch_line(find_owners, p.n, kIndexBlock, p, owner, faults());
  by_size(size_t(element_size), [&](auto zero) {
    using T = decltype(zero);
    launch_line(write_rows<T>, p.before.count * p.n * p.after.count, kIndexBlock, p, static_cast<T*>(x), static_cast<const T*>(values), one, owner, faults());
  });
}

__global__ void places_of(CudaPick p, int64_t* out, Faults f) {
  const int64_t i = thread_number();
  if (i < p.n) out[i] = place_of(p, i, f);
}
void places(const CudaPick& p, int64_t* out) { launch_line(places_of, p.n, kIndexBlock, p, out, faults()); }

// ---- folding sorted rows. A thread folds one column of a tile of them. A run of equal places within a tile goes to x at once; of a run
// that crosses tiles each tile leaves its part in `partial`: the head, of a run that began before, or the tail, of one that begins here and
// goes on. The thread of the tail then joins the heads after it.

template <class W> __device__ W folded(CudaPut how, W a, W b) {
  switch (how) {
    case CudaPut::Add: return W(a + b);
    case CudaPut::Multiply: return W(a * b);
    case CudaPut::Max: return Larger()(a, b);
    default: return Smaller()(a, b);
  }
}
struct Folding {
  CudaPick p;
  CudaPut how;
  bool one;
  double alpha;
  const int64_t *sorted, *order;
  int64_t tiles;

  __device__ int64_t begin(int64_t tile) const { return tile * kCudaFoldTile; }
  __device__ int64_t end(int64_t tile) const { return begin(tile) + kCudaFoldTile < p.n ? begin(tile) + kCudaFoldTile : p.n; }
  __device__ bool began_before(int64_t tile) const { return tile > 0 && sorted[begin(tile) - 1] == sorted[begin(tile)]; }
  __device__ bool goes_on(int64_t tile) const { return end(tile) < p.n && sorted[end(tile)] == sorted[end(tile) - 1]; }
  /// Is the run that the tile ends with the one that it begins with, from before?
  __device__ bool passes_through(int64_t tile) const { return began_before(tile) && sorted[begin(tile)] == sorted[end(tile) - 1]; }
};
// The thread's column: of the rows behind one another in `before`, of their tiles, the element.
struct Column {
  int64_t b, tile, k;
  __device__ Column(const Folding& f, int64_t u) {
    const Divided row = divided(u, f.p.after.count), at = divided(row.quotient, f.tiles);
    b = at.quotient, tile = at.rest, k = row.rest;
  }
  __device__ int64_t slot(const Folding& f, int64_t of_tile, int tail) const { return ((b * f.tiles + of_tile) * 2 + tail) * f.p.after.count + k; }
  template <class T> __device__ void put(const Folding& f, T* x, int64_t place, Wide<T> v) const {
    T& to = x[offset_in(f.p.before, b) + place * f.p.stride + offset_in(f.p.after, k)];
    to = T(folded(f.how, Wide<T>(to), v));
  }
};
template <class T> __global__ void fold_tiles(Folding f, T* x, const T* values, Wide<T>* partial) {
  using W = Wide<T>;
  const int64_t u = thread_number();
  if (u >= f.p.before.count * f.tiles * f.p.after.count) return;
  const Column c(f, u);
  const bool before = f.began_before(c.tile), on = f.goes_on(c.tile), scaled = f.alpha != 1;
  for (int64_t j = f.begin(c.tile), end = f.end(c.tile); j < end;) {
    const int64_t first = j, place = f.sorted[j];
    W all = 0;
#pragma unroll 1
    for (; j < end && f.sorted[j] == place; j++) {
      W v = W(values[f.one ? 0 : (c.b * f.p.n + f.order[j]) * f.p.after.count + c.k]);
      if (scaled) v = W(W(f.alpha) * v);
      all = j == first ? v : folded(f.how, all, v);
    }
    if (place < 0) continue;
    const bool head = first == f.begin(c.tile) && before, tail = j == end && on;
    if (head) partial[c.slot(f, c.tile, 0)] = all;
    else if (tail) partial[c.slot(f, c.tile, 1)] = all;
    else c.put(f, x, place, all);
  }
}
template <class T> __global__ void join_tiles(Folding f, T* x, const Wide<T>* partial) {
  const int64_t u = thread_number();
  if (u >= f.p.before.count * f.tiles * f.p.after.count) return;
  const Column c(f, u);
  const int64_t place = f.sorted[f.end(c.tile) - 1];
  if (place < 0 || !f.goes_on(c.tile) || f.passes_through(c.tile)) return;
  Wide<T> all = partial[c.slot(f, c.tile, 1)];
  for (int64_t t = c.tile + 1;; t++) {
    all = folded(f.how, all, partial[c.slot(f, t, 0)]);
    if (!f.passes_through(t) || !f.goes_on(t)) break;
  }
  c.put(f, x, place, all);
}
void fold_rows(const CudaPick& p, CudaPut how, Dtype d, void* x, const void* values, bool one, double alpha, const int64_t* sorted,
               const int64_t* order, void* partial) {
  typed(d, [&](auto zero) {
    using T = decltype(zero);
    using W = Wide<T>;
    const Folding f{p, how, one, alpha, sorted, order, divide_up(p.n, kCudaFoldTile)};
    const int64_t threads = p.before.count * f.tiles * p.after.count;
    launch_line(fold_tiles<T>, threads, kIndexBlock, f, static_cast<T*>(x), static_cast<const T*>(values), static_cast<W*>(partial));
    if (f.tiles > 1) launch_line(join_tiles<T>, threads, kIndexBlock, f, static_cast<T*>(x), static_cast<const W*>(partial));
  });
}

}  // namespace

void fill_index_put(CudaIndex& t) { t.set_rows = set_rows, t.places = places, t.fold_rows = fold_rows; }

}  // namespace tapegrad::cuda
