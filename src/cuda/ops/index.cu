// Reading by index: offsets, gather, rows (index, index_select, embedding).
#include "src/cuda/ops/families.h"
#include "src/cuda/ops/index.cuh"

namespace tapegrad::cuda {
namespace {

__global__ void offsets_of(CudaIndexPart part, bool add, int64_t n, int64_t* out, Faults f) {
  const int64_t k = thread_number();
  if (k >= n) return;
  const int64_t before = add ? out[k] : 0, i = wrapped(part.index[k], part.size, part.dim, true, f);
  out[k] = i < 0 || before < 0 ? -1 : before + i * part.stride;
}
void offsets(const CudaIndexPart* parts, int count, int64_t n, int64_t* out) {
  for (int k = 0; k < count; k++) launch_line(offsets_of, n, kIndexBlock, parts[k], k > 0, n, out, faults());
}

// gather and scatter take no index that counts from the end.
__device__ inline int64_t line_offset(const CudaDims& place, const CudaIndexPart& along, int64_t k, const Faults& f) {
  const int64_t i = along.index[k];
  if (i < 0 || i >= along.size) {
    note_fault(f.record, f.op, Fault::kIndex, i, along.size, along.dim);
    return -1;
  }
  return offset_in(place, k) + i * along.stride;
}
__global__ void line_offsets_of(CudaDims place, CudaIndexPart along, int64_t* out, Faults f) {
  const int64_t k = thread_number();
  if (k < place.count) out[k] = line_offset(place, along, k, f);
}
void line_offsets(const CudaDims& place, const CudaIndexPart& along, int64_t* out) {
  launch_line(line_offsets_of, place.count, kIndexBlock, place, along, out, faults());
}
template <class T> __global__ void gather_elements(CudaDims place, CudaIndexPart along, const T* x, T* out, Faults f) {
  const int64_t k = thread_number();
  if (k >= place.count) return;
  const int64_t at = line_offset(place, along, k, f);
  out[k] = at < 0 ? T() : x[at];
}
void gather(const CudaDims& place, const CudaIndexPart& along, const void* x, void* out, int element_size) {
  by_size(size_t(element_size), [&](auto zero) {
    using T = decltype(zero);
    launch_line(gather_elements<T>, place.count, kIndexBlock, place, along, static_cast<const T*>(x), static_cast<T*>(out), faults());
  });
}

// One thread a unit, which is an element or, where rows are dense, as many as one access can move.
template <class T> __global__ void copy_rows(CudaPick p, const T* x, T* out, Faults f) {
  const int64_t u = thread_number();
  if (u >= p.before.count * p.n * p.after.count) return;
  const Divided row = divided(u, p.after.count), at = divided(row.quotient, p.n);
  const int64_t place = place_of(p, at.rest, f);
  out[u] = place < 0 ? T() : x[offset_in(p.before, at.quotient) + place * p.stride + offset_in(p.after, row.rest)];
}
bool is_dense(const CudaDims& d) { return d.dims == 0 || (d.dims == 1 && d.stride[0] == 1); }
// p with units of `times` elements; false if rows and pointers do not allow it.
bool widen(CudaPick& p, int times, int element_size, const void* x, const void* out) {
  const int bytes = times * element_size;
  bool fits = is_dense(p.after) && p.after.count % times == 0 && p.stride % times == 0 && is_aligned(x, size_t(bytes)) && is_aligned(out, size_t(bytes));
  for (int d = 0; d < p.before.dims; d++) fits &= p.before.stride[d] % times == 0;
  if (!fits) return false;
  p.after.count /= times, p.after.size[0] /= times, p.stride /= times;
  for (int d = 0; d < p.before.dims; d++) p.before.stride[d] /= times;
  return true;
}
void get_rows(const CudaPick& pick, const void* x, void* out, int element_size) {
  CudaPick p = pick;
  int unit = 16;
  while (unit > element_size && !widen(p, unit / element_size, element_size, x, out)) unit /= 2;
  by_size(size_t(unit), [&](auto zero) {
    using T = decltype(zero);
    launch_line(copy_rows<T>, p.before.count * p.n * p.after.count, kIndexBlock, p, static_cast<const T*>(x), static_cast<T*>(out), faults());
  });
}

}  // namespace

void fill(CudaIndex& t) {
  t.offsets = offsets, t.line_offsets = line_offsets, t.gather = gather, t.get_rows = get_rows;
  fill_index_put(t);
  fill_embedding_bag(t);
}

}  // namespace tapegrad::cuda
