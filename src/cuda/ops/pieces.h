// Walks that 32 bits can address, and where whole groups of elements may move at once.
#pragma once
#include <stdlib.h>

#include "src/ops/cuda/walk.h"

namespace tapegrad::cuda {

constexpr int64_t kMaxElements = int64_t(1) << 30, kMaxBytes = (int64_t(1) << 31) - 64;

inline bool is_addressable(const CudaWalk& w, int64_t max_elements = kMaxElements, int64_t max_bytes = kMaxBytes) {
  if (w.numel > max_elements) return false;
  for (int k = 0; k < w.args; k++) {
    if (!w.arg[k].data) continue;
    int64_t reach = 0;
    for (int d = 0; d < w.dims; d++) reach += (w.shape[d] - 1) * llabs(w.arg[k].stride[d]);
    if (reach >= max_bytes) return false;
  }
  return true;
}
/// Entries [begin, begin + count) of a dim.
inline CudaWalk part(const CudaWalk& w, int dim, int64_t begin, int64_t count) {
  CudaWalk p = w;
  p.numel = w.numel / w.shape[dim] * count;
  p.shape[dim] = count;
  for (int k = 0; k < w.args; k++) if (p.arg[k].data) p.arg[k].data += begin * w.arg[k].stride[dim];
  return p;
}
/// f for pieces of w, which has elements, that together are w. Dense walks are cut where groups begin.
template <class F> void for_pieces(const CudaWalk& w, F&& f, int64_t max_elements = kMaxElements, int64_t max_bytes = kMaxBytes) {
  if (is_addressable(w, max_elements, max_bytes)) return f(w);
  int dim = w.dims - 1;
  while (w.shape[dim] == 1) dim--;
  const int64_t half = w.shape[dim] > 64 ? w.shape[dim] / 64 * 32 : w.shape[dim] / 2;
  for_pieces(part(w, dim, 0, half), f, max_elements, max_bytes);
  for_pieces(part(w, dim, half, w.shape[dim] - half), f, max_elements, max_bytes);
}

/// Can whole groups of `group` elements move at once? *first: how many elements the bases lie after a place where a group may begin.
inline bool can_group(const CudaWalk& w, int group, uint32_t* first) {
  *first = 0;
  bool any = false;
  for (int k = 0; k < w.args; k++) {
    const CudaArg& a = w.arg[k];
    const int64_t size = int64_t(item_size(a.dtype)), bytes = size * group;
    if (!a.data || (k && a.stride[0] == 0)) continue;
    if (bytes > 16 || a.stride[0] != size) return false;
    const int64_t off = int64_t(reinterpret_cast<uintptr_t>(a.data) % uintptr_t(bytes));
    if (off % size || (any && off / size != *first)) return false;
    *first = uint32_t(off / size), any = true;
    for (int d = 1; d < w.dims; d++) if (a.stride[d] % bytes) return false;
  }
  return w.dims <= 1 || (*first == 0 && w.shape[0] % group == 0);
}

}  // namespace tapegrad::cuda
