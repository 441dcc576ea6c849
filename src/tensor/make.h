// Storages and tensors made inline, without checks: what empty() and alias() are made of, and the paths of small calls.
#pragma once
#include <algorithm>

#include "tapegrad/autograd.h"

namespace tapegrad {

/// A storage's header and its data lie in one block; the data is 64-aligned and padded to whole cache lines.
inline constexpr size_t kStorageHeader = (sizeof(Storage) + 63) / 64 * 64;
inline size_t storage_capacity(size_t bytes) { return bytes ? (bytes + 63) / 64 * 64 : 64; }

inline Storage* new_storage(size_t bytes) {
  const size_t capacity = storage_capacity(bytes), block = kStorageHeader + capacity;
  auto* s = new (pool_alloc(block)) Storage;
  s->data = reinterpret_cast<char*>(s) + kStorageHeader;
  s->bytes = bytes, s->capacity = capacity, s->block = block;
  return s;
}
inline TensorImpl* new_impl(Storage* owned, char* data, Dtype dtype, Device device) {
  Ref<Storage> storage = Ref<Storage>::steal(owned);
  auto* i = new (pool_alloc(sizeof(TensorImpl))) TensorImpl;
  i->storage = storage.release();
  i->data = data;
  i->dtype = dtype;
  i->device = device;
  i->origin = tls.origin;
  ++tls.tensors;
  return i;
}
void set_many_dims(TensorImpl* i, size_t n);
/// Of a new tensor, which is destroyed when there is no memory.
inline void set_ndim(TensorImpl* i, size_t n) {
  if (n > size_t(TensorImpl::kInlineDims)) [[unlikely]] return set_many_dims(i, n);
  i->ndim = uint8_t(n);
}
/// A row-major tensor of these sizes over all of s.
inline TensorImpl* new_dense_over(Storage* s, IntList size, Dtype dtype) {
  TensorImpl* i = new_impl(s, s->data, dtype, s->device);
  i->inference = tls.inference;
  set_ndim(i, size.size());
  int64_t step = 1, numel = 1;
  for (size_t d = size.size(); d-- > 0;) {
    i->sizes[d] = size[d];
    i->strides[d] = step;
    step *= std::max<int64_t>(size[d], 1);
    numel *= size[d];
  }
  i->numel = numel;
  return i;
}
/// A row-major CPU tensor of these sizes, which need `bytes`.
inline TensorImpl* new_dense(IntList size, size_t bytes, Dtype dtype) { return new_dense_over(new_storage(bytes), size, dtype); }
/// A tensor over x's storage, without sizes yet. A view knows its base.
inline TensorImpl* new_alias(const TensorImpl& x, char* data, bool view) {
  x.storage->retain();
  TensorImpl* i = new_impl(x.storage, data, x.dtype, x.device);
  i->inference = x.inference;
  i->untracked = x.untracked;
  if (!view) return i;
  TensorImpl* base = x.base ? x.base : const_cast<TensorImpl*>(&x);
  base->retain();
  i->base = base;
  i->history = base->history;
  i->no_grad_view = tls.no_grad;
  return i;
}
/// empty_like on another device.
Tensor empty_like(const Tensor& x, Dtype dtype, MemoryFormat f, Device device);
struct Dim { int64_t size, stride; };
/// Gives a new tensor the n dimensions at(0) … at(n - 1); finds numel and contiguous on the way.
template <class At> inline void set_dims(TensorImpl* i, size_t n, At&& at) {
  set_ndim(i, n);
  int64_t numel = 1;
  bool dense = true;
  for (size_t d = n; d-- > 0;) {
    const Dim dim = at(d);
    i->sizes[d] = dim.size, i->strides[d] = dim.stride;
    dense &= dim.size == 1 || dim.stride == numel;
    numel *= dim.size;
  }
  i->numel = numel, i->contiguous = dense || numel == 0;
}

}  // namespace tapegrad
