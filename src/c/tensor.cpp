// The C interface: errors, tensors, lists.
#include <algorithm>
#include <cstring>

#include "src/c/handle.h"

namespace tapegrad::c {
namespace {

thread_local std::string last_error;

tg_status note(tg_status status, const char* text) noexcept {
  try {
    last_error = text;
  } catch (...) {
    last_error.clear();
  }
  return status;
}

Dtype dtype_of(int32_t dtype) {
  TG_CHECK(dtype >= 0 && dtype < kDtypes, DtypeError, "there is no dtype ", dtype);
  return Dtype(dtype);
}
IntList sizes_of(const int64_t* sizes, int32_t ndim, const char* what) {
  TG_CHECK(ndim >= 0 && ndim <= kMaxDims, ShapeError, "a tensor has at most ", kMaxDims, " dims, got ", ndim);
  return {ndim ? need(sizes, what) : nullptr, size_t(ndim)};
}
int64_t count(IntList shape) {
  int64_t n = 1;
  for (int64_t s : shape) {
    TG_CHECK(s >= 0 && !__builtin_mul_overflow(n, s, &n), ShapeError, "no tensor can have the shape ", shape);
  }
  return n;
}
void check_bytes(const Tensor& t, int64_t bytes) {
  TG_CHECK(bytes == t.nbytes(), ValueError, "the tensor has ", t.nbytes(), " bytes, the memory ", bytes, Named{"tensor", t});
}
Shape row_major(IntList shape) {
  Shape strides(shape.size(), 1);
  for (size_t k = shape.size(); k-- > 1;) strides[k - 1] = strides[k] * std::max<int64_t>(shape[k], 1);
  return strides;
}
/// These bytes, seen as a tensor of t's shape. Not owned.
Tensor over(const void* values, const Tensor& t) {
  return from_blob(const_cast<void*>(values), t.sizes(), row_major(t.sizes()), t.dtype());
}

}  // namespace

tg_status note_error() noexcept {
  try {
    throw;
  } catch (const NullArgument& e) { return note(TG_NULL_ARGUMENT, e.what());
  } catch (const UnknownOp& e) { return note(TG_UNKNOWN_OP, e.what());
  } catch (const ArgumentError& e) { return note(TG_ARGUMENT_ERROR, e.what());
  } catch (const ShapeError& e) { return note(TG_SHAPE_ERROR, e.what());
  } catch (const DtypeError& e) { return note(TG_DTYPE_ERROR, e.what());
  } catch (const ValueError& e) { return note(TG_VALUE_ERROR, e.what());
  } catch (const IndexError& e) { return note(TG_INDEX_ERROR, e.what());
  } catch (const DeviceError& e) { return note(TG_DEVICE_ERROR, e.what());
  } catch (const GradError& e) { return note(TG_GRAD_ERROR, e.what());
  } catch (const OutOfMemoryError& e) { return note(TG_OUT_OF_MEMORY, e.what());
  } catch (const NotImplementedError& e) { return note(TG_NOT_IMPLEMENTED, e.what());
  } catch (const LinAlgError& e) { return note(TG_LINALG_ERROR, e.what());
  } catch (const IoError& e) { return note(TG_IO_ERROR, e.what());
  } catch (const std::bad_alloc&) { return note(TG_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception& e) { return note(TG_ERROR, e.what());
  } catch (...) { return note(TG_ERROR, "an exception of unknown type");
  }
}

}  // namespace tapegrad::c

using namespace tapegrad;
using namespace tapegrad::c;

int32_t tg_abi_version() { return TG_ABI_VERSION; }
const char* tg_version() { return TG_VERSION; }
const char* tg_last_error() { return last_error.c_str(); }

tg_status tg_tensor_copy(const void* data, int32_t dtype, int32_t ndim, const int64_t* shape, tg_tensor** out) {
  return guarded("tg_tensor_copy", [&] {
    need(out, "out");
    const IntList sizes = sizes_of(shape, ndim, "shape");
    if (count(sizes)) need(data, "data");
    const Tensor t = empty(sizes, dtype_of(dtype));
    if (t.numel()) std::memcpy(t->host(), data, size_t(t.nbytes()));
    *out = give(t);
  });
}
tg_status tg_tensor_borrow(void* data, int32_t dtype, int32_t ndim, const int64_t* shape, const int64_t* strides, void (*deleter)(void*),
                           void* context, tg_tensor** out) {
  return guarded("tg_tensor_borrow", [&] {
    need(out, "out");
    const IntList sizes = sizes_of(shape, ndim, "shape");
    if (count(sizes)) need(data, "data");
    const Shape steps = strides ? Shape(IntList(strides, size_t(ndim))) : row_major(sizes);
    *out = give(from_blob(data, sizes, steps, dtype_of(dtype), deleter, context));
  });
}
tg_tensor* tg_tensor_share(const tg_tensor* t) { return t ? give(tensor_of(t)) : nullptr; }
void tg_tensor_free(tg_tensor* t) {
  if (t) guarded("tg_tensor_free", [&] { Tensor::adopt(impl(t)); });  // a deleter of the caller's may run, and throw
}

int32_t tg_tensor_dtype(const tg_tensor* t) { return guarded<int32_t>("tg_tensor_dtype", -1, [&] { return int32_t(impl(t)->dtype); }); }
int32_t tg_tensor_ndim(const tg_tensor* t) { return guarded<int32_t>("tg_tensor_ndim", -1, [&] { return int32_t(impl(t)->ndim); }); }
int64_t tg_tensor_numel(const tg_tensor* t) { return guarded<int64_t>("tg_tensor_numel", -1, [&] { return impl(t)->numel; }); }
const int64_t* tg_tensor_shape(const tg_tensor* t) {
  return guarded<const int64_t*>("tg_tensor_shape", nullptr, [&] { return impl(t)->sizes; });
}
const int64_t* tg_tensor_strides(const tg_tensor* t) {
  return guarded<const int64_t*>("tg_tensor_strides", nullptr, [&] { return impl(t)->strides; });
}
void* tg_tensor_data(const tg_tensor* t) { return guarded<void*>("tg_tensor_data", nullptr, [&] { return impl(t)->data; }); }

tg_status tg_tensor_read(const tg_tensor* t, void* values, int64_t bytes) {
  return guarded("tg_tensor_read", [&] {
    const Tensor from = tensor_of(t);
    check_bytes(from, bytes);
    if (!bytes) return;
    const NoGrad guard;
    copy_(over(need(values, "values"), from), from);
  });
}
tg_status tg_tensor_write(tg_tensor* t, const void* values, int64_t bytes) {
  return guarded("tg_tensor_write", [&] {
    const Tensor to = tensor_of(t);
    check_bytes(to, bytes);
    if (!bytes) return;
    const NoGrad guard;
    copy_(to, over(need(values, "values"), to));
  });
}
tg_status tg_tensor_item(const tg_tensor* t, double* out) {
  return guarded("tg_tensor_item", [&] { *need(out, "out") = tensor_of(t).item().to_double(); });
}
tg_status tg_tensor_text(const tg_tensor* t, char* text, int64_t room, int64_t* length) {
  return guarded("tg_tensor_text", [&] {
    const std::string s = to_string(tensor_of(t));
    if (length) *length = int64_t(s.size());
    if (room <= 0) return;
    const size_t n = std::min(s.size(), size_t(room) - 1);
    std::memcpy(need(text, "text"), s.data(), n);
    text[n] = 0;
  });
}

int64_t tg_list_count(const tg_list* list) {
  return guarded<int64_t>("tg_list_count", -1, [&] { return need(list, "the list")->items.size(); });
}
const char* tg_list_name(const tg_list* list, int64_t i) {
  return i >= 0 && i < tg_list_count(list) ? list->items[size_t(i)].first.c_str() : nullptr;
}
tg_tensor* tg_list_tensor(const tg_list* list, int64_t i) {
  return i >= 0 && i < tg_list_count(list) ? give(list->items[size_t(i)].second) : nullptr;
}
tg_tensor* tg_list_find(const tg_list* list, const char* name) {
  return guarded<tg_tensor*>("tg_list_find", nullptr, [&]() -> tg_tensor* {
    const std::string wanted = need(name, "name");
    for (auto& [key, t] : need(list, "the list")->items) if (key == wanted) return give(t);
    return nullptr;
  });
}
void tg_list_free(tg_list* list) { guarded("tg_list_free", [&] { delete list; }); }
