// Changes of what memory a tensor stands for: .data = value, set_(), resize_(), out= of another shape.
#include <algorithm>

#include "py.h"
#include "src/tensor/ledger.h"
#include "tapegrad/ops.h"

namespace tapegrad::py {
namespace {

// Sizes and strides: inline up to six dimensions, else in a pool block that the impl owns.
void swap_dims(TensorImpl& a, TensorImpl& b) {
  int64_t inline_dims[2 * TensorImpl::kInlineDims];
  std::copy_n(a.inline_dims, 2 * TensorImpl::kInlineDims, inline_dims);
  std::copy_n(b.inline_dims, 2 * TensorImpl::kInlineDims, a.inline_dims);
  std::copy_n(inline_dims, 2 * TensorImpl::kInlineDims, b.inline_dims);
  const bool a_inline = a.sizes == a.inline_dims, b_inline = b.sizes == b.inline_dims;
  std::swap(a.sizes, b.sizes);
  std::swap(a.strides, b.strides);
  if (b_inline) a.sizes = a.inline_dims, a.strides = a.inline_dims + TensorImpl::kInlineDims;
  if (a_inline) b.sizes = b.inline_dims, b.strides = b.inline_dims + TensorImpl::kInlineDims;
}

}  // namespace

void swap_memory(const Tensor& t, Tensor other) {
  TensorImpl &a = *t.get(), &b = *other.get();
  if (role_of(*a.storage) == MemoryRole::Parameter) own_with(*b.storage, *a.storage, MemoryRole::Parameter);
  swap_dims(a, b);
  std::swap(a.dtype, b.dtype);
  std::swap(a.ndim, b.ndim);
  std::swap(a.device, b.device);
  std::swap(a.contiguous, b.contiguous);
  std::swap(a.storage, b.storage);
  std::swap(a.data, b.data);
  std::swap(a.numel, b.numel);
}

void resize(const Tensor& t, IntList sizes) {
  int64_t n = 1;
  for (int64_t s : sizes) n *= s;
  const size_t offset = size_t(t->data - t->storage->data);
  const Tensor room = empty(sizes, t.dtype(), t.device());  // checks the sizes
  if (n >= 0 && offset + size_t(room.nbytes()) <= t->storage->bytes) {
    swap_memory(t, alias(t, sizes, room.strides(), 0, false));
    return;
  }
  if (const int64_t kept = t->contiguous ? std::min(t->numel, room->numel) : 0) {
    const NoGrad off;
    copy_(alias(room, {kept}, {1}, 0, false), alias(t, {kept}, {1}, 0, false));
  }
  swap_memory(t, room);
}

}  // namespace tapegrad::py
