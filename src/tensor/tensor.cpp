// Storage, TensorImpl and the functions that make tensors without an op.
#include "tapegrad/tensor.h"

#include <algorithm>

#include "src/tensor/cuda.h"
#include "src/tensor/half.h"
#include "src/tensor/make.h"
#include "src/tensor/places.h"

namespace tapegrad {

// ---- storage

Storage* Storage::make(size_t bytes, Device device) {
  if (device.type == DeviceType::CUDA) [[unlikely]] {
    void* block;
    device = cuda_device(device);
    char* data = cuda_runtime().alloc(device.index, bytes, &block);
    return borrow(data, bytes, cuda_runtime().free, block, device);
  }
  if (kStorageHeader + storage_capacity(bytes) < bytes) [[unlikely]] detail::fail<OutOfMemoryError>("cannot allocate ", bytes, " bytes");
  return new_storage(bytes);
}
Storage* Storage::borrow(void* data, size_t bytes, void (*deleter)(void*), void* context, Device device) {
  auto* s = new (pool_alloc(sizeof(Storage))) Storage;
  s->device = device;
  s->data = static_cast<char*>(data);
  s->bytes = bytes, s->block = sizeof(Storage);
  s->deleter = deleter, s->context = context;
  return s;
}
void Storage::destroy(Storage* s) {
  if (s->deleter) [[unlikely]] s->deleter(s->context);
  pool_free(s, s->block);
}

// ---- tensors

void TensorImpl::destroy(TensorImpl* i) {
  if (!tls.counted) [[unlikely]] detail::meet_thread();
  if (i->owns_py) [[unlikely]] release_python_object(i->py);
  if (i->extra) [[unlikely]] detail::drop_extra(i);
  if (i->grad_fn && i->grad_fn->drop()) Node::destroy(i->grad_fn);
  if (i->base && i->base->drop()) destroy(i->base);
  if (i->storage->drop()) Storage::destroy(i->storage);
  if (i->sizes != i->inline_dims) [[unlikely]] pool_free(i->sizes, 2 * size_t(i->ndim) * sizeof(int64_t));
  --tls.tensors;
  pool_free(i, sizeof(TensorImpl));
}

void set_many_dims(TensorImpl* i, size_t n) {
  try {
    i->sizes = static_cast<int64_t*>(pool_alloc(2 * n * sizeof(int64_t)));
  } catch (...) {
    TensorImpl::destroy(i);
    throw;
  }
  i->strides = i->sizes + n;
  i->ndim = uint8_t(n);
}

static void check_sizes(IntList size) {
  TG_CHECK(size.size() <= size_t(kMaxDims), ShapeError, "a tensor can have at most ", kMaxDims, " dimensions, got ", size.size());
  for (int64_t s : size) if (s < 0) [[unlikely]] detail::fail<ShapeError>("sizes must not be negative, got ", size);
}
// Bytes of a dense tensor. Refuses negative sizes and what does not fit in 63 bits, zero sizes counted as one (strides need that).
static size_t checked_bytes(IntList size, Dtype dtype) {
  int64_t n = int64_t(item_size(dtype));
  bool overflow = false, zero = false;
  for (int64_t s : size) {
    if (s <= 0) [[unlikely]] {
      if (s < 0) detail::fail<ShapeError>("sizes must not be negative, got ", size);
      zero = true;
      continue;
    }
    overflow |= __builtin_mul_overflow(n, s, &n);
  }
  if (overflow) [[unlikely]] detail::fail<OutOfMemoryError>("cannot allocate a ", dtype, " tensor of size ", size, ": too many bytes");
  return zero ? 0 : size_t(n);
}

Tensor empty(IntList size, Dtype dtype, Device device) {
  if (size.size() > kMaxDims) [[unlikely]] check_sizes(size);
  const size_t bytes = checked_bytes(size, dtype);
  if (device.type == DeviceType::CUDA) [[unlikely]] return Tensor::adopt(new_dense_over(Storage::make(bytes, device), size, dtype));
  return Tensor::adopt(new_dense(size, bytes, dtype));
}

static void set_geometry(TensorImpl* i, IntList size, IntList stride) {
  set_dims(i, size.size(), [&](size_t d) { return Dim{size[d], stride[d]}; });
}
// Elements between the first and one past the last that (size, stride) reaches.
static int64_t extent(IntList size, IntList stride) {
  int64_t last = 0;
  for (size_t d = 0; d < size.size(); d++) {
    if (size[d] == 0) return 0;
    int64_t reach;
    if (__builtin_mul_overflow(size[d] - 1, stride[d], &reach) || __builtin_add_overflow(last, reach, &last))
      detail::fail<OutOfMemoryError>("cannot allocate a tensor of size ", size, " and strides ", stride, ": too many elements");
  }
  return last + 1;
}
static void check_strides(IntList size, IntList stride) {
  check_sizes(size);
  TG_CHECK(size.size() == stride.size(), ShapeError, "size and stride must have the same length, got ", size, " and ", stride);
  for (int64_t s : stride) TG_CHECK(s >= 0, ShapeError, "strides must not be negative, got ", stride);
}

Tensor empty_strided(IntList size, IntList stride, Dtype dtype, Device device) {
  check_strides(size, stride);
  const int64_t n = extent(size, stride);
  Storage* s = Storage::make(checked_bytes(n, dtype), device);
  TensorImpl* i = new_impl(s, s->data, dtype, s->device);
  i->inference = tls.inference;
  set_geometry(i, size, stride);
  return Tensor::adopt(i);
}

// Strides that keep the order of x's dimensions without gaps: dims sorted by stride, ties by position.
static Shape dense_strides_like(const Tensor& x) {
  const int n = int(x.dim());
  int order[kMaxDims];
  for (int d = 0; d < n; d++) order[d] = d;
  for (int d = 1; d < n; d++)  // by insertion: std::stable_sort takes memory
    for (int k = d; k > 0 && x->strides[order[k]] > x->strides[order[k - 1]]; k--) std::swap(order[k], order[k - 1]);
  Shape s(size_t(n), 1);
  int64_t step = 1;
  for (int k = n; k-- > 0; step *= std::max<int64_t>(x->sizes[order[k]], 1)) s[order[k]] = step;
  return s;
}
static bool non_overlapping_and_dense(const Tensor& x) {
  if (x->contiguous) return true;
  const Shape s = dense_strides_like(x);
  for (int d = 0; d < x.dim(); d++) if (x->sizes[d] != 1 && x->strides[d] != s[d]) return false;
  return true;
}
// Row-major over (N, spatial…, C).
static Shape channels_last_strides(const Tensor& x, int dims) {
  TG_CHECK(x.dim() == dims, ShapeError, "the channels_last format needs ", dims, " dimensions, got ", x.dim(), Named{"input", x});
  Shape s(size_t(dims), 1);
  int64_t step = std::max<int64_t>(x->sizes[1], 1);
  for (int d = dims; d-- > 2; step *= std::max<int64_t>(x->sizes[d], 1)) s[d] = step;
  s[0] = step;
  return s;
}
Tensor empty_like(const Tensor& x, Dtype dtype, MemoryFormat f, Device device) {
  if (f == MemoryFormat::Contiguous || (f == MemoryFormat::Preserve && x->contiguous)) return empty(x.sizes(), dtype, device);
  if (f == MemoryFormat::Preserve) {
    if (!non_overlapping_and_dense(x)) {
      for (int64_t s : x.strides()) if (s == 0) return empty(x.sizes(), dtype, device);
    }
    return empty_strided(x.sizes(), dense_strides_like(x), dtype, device);
  }
  return empty_strided(x.sizes(), channels_last_strides(x, f == MemoryFormat::ChannelsLast ? 4 : 5), dtype, device);
}
Tensor empty_like(const Tensor& x, Dtype dtype, MemoryFormat f) { return empty_like(x, dtype, f, x.device()); }
Tensor empty_like(const Tensor& x, MemoryFormat f) { return empty_like(x, x.dtype(), f); }

Tensor from_blob(void* data, IntList size, IntList stride, Dtype dtype, void (*deleter)(void*), void* context, Device device) {
  check_strides(size, stride);
  const size_t bytes = checked_bytes(extent(size, stride), dtype);
  Storage* s = Storage::borrow(data, bytes, deleter, context, device);
  TensorImpl* i = new_impl(s, s->data, dtype, device);
  set_geometry(i, size, stride);
  return Tensor::adopt(i);
}

Tensor alias(const Tensor& x, IntList size, IntList stride, int64_t offset, bool view) {
  TensorImpl* i = new_alias(*x.get(), x->data + offset * int64_t(item_size(x->dtype)), view);
  set_geometry(i, size, stride);
  return Tensor::adopt(i);
}
Tensor detach(const Tensor& x) {
  Tensor y = alias(x, x.sizes(), x.strides(), 0, false);
  y->wrapped_number = x->wrapped_number;
  if (!tls.scope && needs_grad(x)) y->origin = make_note("detach", caller_place(__builtin_return_address(0)));  // the user's call, not an op's
  return y;
}

// ---- numbers in and out

static void write_number(char* p, Dtype d, Scalar v) {
  switch (d) {
    case Dtype::Bool: *reinterpret_cast<uint8_t*>(p) = v.to_bool(); break;
    case Dtype::UInt8: *reinterpret_cast<uint8_t*>(p) = uint8_t(v.to_int()); break;
    case Dtype::Int8: *reinterpret_cast<int8_t*>(p) = int8_t(v.to_int()); break;
    case Dtype::Int16: *reinterpret_cast<int16_t*>(p) = int16_t(v.to_int()); break;
    case Dtype::Int32: *reinterpret_cast<int32_t*>(p) = int32_t(v.to_int()); break;
    case Dtype::Int64: *reinterpret_cast<int64_t*>(p) = v.to_int(); break;
    case Dtype::Float16: *reinterpret_cast<uint16_t*>(p) = float_to_half(float(v.to_double())); break;
    case Dtype::BFloat16: *reinterpret_cast<uint16_t*>(p) = float_to_bfloat(float(v.to_double())); break;
    case Dtype::Float32: *reinterpret_cast<float*>(p) = float(v.to_double()); break;
    case Dtype::Float64: *reinterpret_cast<double*>(p) = v.to_double(); break;
    case Dtype::Complex64: *reinterpret_cast<Complex<float>*>(p) = {float(v.to_double()), float(v.to_complex().im)}; break;
    case Dtype::Complex128: *reinterpret_cast<Complex<double>*>(p) = v.to_complex(); break;
    case Dtype::UInt16: *reinterpret_cast<uint16_t*>(p) = uint16_t(v.to_int()); break;
    case Dtype::UInt32: *reinterpret_cast<uint32_t*>(p) = uint32_t(v.to_int()); break;
    case Dtype::UInt64: *reinterpret_cast<uint64_t*>(p) = uint64_t(v.to_int()); break;
  }
}
static Scalar read_number(const char* p, Dtype d) {
  switch (d) {
    case Dtype::Bool: return *reinterpret_cast<const uint8_t*>(p) != 0;
    case Dtype::UInt8: return int64_t(*reinterpret_cast<const uint8_t*>(p));
    case Dtype::Int8: return int64_t(*reinterpret_cast<const int8_t*>(p));
    case Dtype::Int16: return int64_t(*reinterpret_cast<const int16_t*>(p));
    case Dtype::Int32: return int64_t(*reinterpret_cast<const int32_t*>(p));
    case Dtype::Int64: return *reinterpret_cast<const int64_t*>(p);
    case Dtype::Float16: return half_to_float(*reinterpret_cast<const uint16_t*>(p));
    case Dtype::BFloat16: return bfloat_to_float(*reinterpret_cast<const uint16_t*>(p));
    case Dtype::Float32: return *reinterpret_cast<const float*>(p);
    case Dtype::Complex64: return *reinterpret_cast<const Complex<float>*>(p);
    case Dtype::Complex128: return *reinterpret_cast<const Complex<double>*>(p);
    case Dtype::UInt16: return int64_t(*reinterpret_cast<const uint16_t*>(p));
    case Dtype::UInt32: return int64_t(*reinterpret_cast<const uint32_t*>(p));
    case Dtype::UInt64: return int64_t(*reinterpret_cast<const uint64_t*>(p));
    default: return *reinterpret_cast<const double*>(p);
  }
}

Tensor::Tensor(Scalar number) {
  // Doubles keep all digits until they meet a tensor: the promotion rule looks at the kind only.
  const Dtype d = number.is_complex() ? Dtype::Complex128 : number.is_float() ? Dtype::Float64 : number.dtype();
  *this = empty({}, d);
  p_->wrapped_number = true;
  write_number(p_->data, d, number);
}
static Scalar read_element(const TensorImpl& t, const char* at) {
  if (t.device.type == DeviceType::CPU) [[likely]] return read_number(at, t.dtype);
  alignas(16) char number[16];
  cuda_runtime().copy(number, -1, at, t.device.index, item_size(t.dtype), false);
  return read_number(number, t.dtype);
}
Scalar Tensor::item() const {
  TG_CHECK(numel() == 1, ValueError, "item: a tensor with ", numel(), " elements cannot be converted to a number", Named{"input", *this});
  return read_element(*p_, p_->data);
}
Scalar Tensor::element(IntList at) const {
  TG_CHECK(int64_t(at.size()) == dim(), IndexError, "x(", at, "): expected an index for each of the ", dim(), " dimensions", Named{"x", *this});
  int64_t offset = 0;
  for (size_t d = 0; d < at.size(); d++) {
    const int64_t n = p_->sizes[d], i = at[d] < 0 ? at[d] + n : at[d];
    TG_CHECK(i >= 0 && i < n, IndexError, "x(", at, "): index ", at[d], " is out of range for dimension ", d, " of size ", n, Named{"x", *this});
    offset += i * p_->strides[d];
  }
  return read_element(*p_, p_->data + offset * int64_t(element_size()));
}

// Checks that v is as deep and long as `size` from dimension d on, and finds the widest kind of number in it.
static void check_numbers(const Numbers& v, const Shape& size, size_t d, Scalar::Kind& kind) {
  TG_CHECK(v.list == (d < size.size()), ShapeError, "tensor: numbers and lists are mixed at depth ", d);
  if (!v.list) {
    if (v.number.kind() > kind) kind = v.number.kind();
    return;
  }
  TG_CHECK(int64_t(v.count) == size[d], ShapeError, "tensor: lists at depth ", d, " must have one length, got ", size[d], " and ", v.count);
  for (size_t i = 0; i < v.count; i++) check_numbers(v.items[i], size, d + 1, kind);
}
static void write_numbers(const Numbers& v, Dtype dtype, char*& p) {
  for (size_t i = 0; i < v.count; i++) write_numbers(v.items[i], dtype, p);
  if (v.list) return;
  write_number(p, dtype, v.number);
  p += item_size(dtype);
}
Tensor tensor(const Numbers& values, std::optional<Dtype> dtype) {
  Shape size;
  for (const Numbers* at = &values; at && at->list; at = at->count ? at->items : nullptr) size.push_back(int64_t(at->count));
  auto kind = Scalar::Kind::Bool;
  check_numbers(values, size, 0, kind);
  if (!dtype) {
    const bool none = !size.empty() && size.back() == 0;
    const Dtype kinds[] = {Dtype::Bool, Dtype::Int64, default_dtype(), complex_dtype(default_dtype())};
    dtype = none ? default_dtype() : kinds[int(kind)];
  }
  Tensor t = empty(size, *dtype);
  char* p = t->data;
  write_numbers(values, *dtype, p);
  return t;
}

bool Tensor::is_contiguous(MemoryFormat f) const {
  if (f == MemoryFormat::Contiguous || f == MemoryFormat::Preserve) return p_->contiguous;
  const int dims = f == MemoryFormat::ChannelsLast ? 4 : 5;
  if (dim() != dims) return false;
  const Shape s = channels_last_strides(*this, dims);
  for (int d = 0; d < dims; d++) if (p_->sizes[d] != 1 && p_->strides[d] != s[d]) return false;
  return true;
}
void Tensor::wrong_dim(int64_t d) const {
  detail::fail<IndexError>("dimension out of range, expected to be in [", -std::max<int64_t>(dim(), 1), ", ",
                           std::max<int64_t>(dim(), 1) - 1, "], got ", d, Named{"input", *this});
}
void Tensor::wrong_dtype(Dtype wanted) const {
  detail::fail<DtypeError>("data_ptr: expected ", wanted, ", got ", dtype(), Named{"input", *this});
}
void Tensor::not_contiguous() const {
  TG_CHECK(!is_cuda(), DeviceError, "span: the tensor must be on the CPU; take x.cpu().span", Named{"input", *this});
  detail::fail<ValueError>("span: the elements must lie one after another; take x.contiguous().span", Named{"input", *this});
}

}  // namespace tapegrad
