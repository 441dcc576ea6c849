// DLPack: memory shared with other libraries through capsules, no copies. The structs are the protocol's binary interface.
#include <algorithm>
#include <memory>

#include "py.h"
#include "src/tensor/cuda.h"
#include "tapegrad/ops.h"

namespace tapegrad::py {
namespace {

// ---- the interface: version 0 ("dltensor") and 1 ("dltensor_versioned") --------------------------------------------------------

enum : int32_t { kHost = 1, kCuda = 2, kPinned = 3 };
struct DLDevice { int32_t type, index; };
struct DLDataType { uint8_t code, bits; uint16_t lanes; };  // codes: 0 int, 1 uint, 2 float, 4 bfloat, 5 complex, 6 bool
struct DLTensor {
  void* data;
  DLDevice device;
  int32_t ndim;
  DLDataType dtype;
  int64_t *shape, *strides;                          // strides in elements, null: row-major
  uint64_t byte_offset;
};
struct DLManagedTensor {
  static constexpr const char *kName = "dltensor", *kUsed = "used_dltensor";
  DLTensor tensor;
  void* context;
  void (*deleter)(DLManagedTensor*);
};
struct DLManagedTensorVersioned {
  static constexpr const char *kName = "dltensor_versioned", *kUsed = "used_dltensor_versioned";
  uint32_t major, minor;
  void* context;
  void (*deleter)(DLManagedTensorVersioned*);
  uint64_t flags;
  DLTensor tensor;
};
constexpr uint64_t kReadOnly = 1, kCopied = 2;

struct Code { Dtype dtype; uint8_t code, bits; };
constexpr Code kCodes[] = {{Dtype::Bool, 6, 8}, {Dtype::UInt8, 1, 8}, {Dtype::Int8, 0, 8}, {Dtype::Int16, 0, 16}, {Dtype::Int32, 0, 32}, {Dtype::Int64, 0, 64},
                           {Dtype::Float16, 2, 16}, {Dtype::BFloat16, 4, 16}, {Dtype::Float32, 2, 32}, {Dtype::Float64, 2, 64},
                           {Dtype::Complex64, 5, 64}, {Dtype::Complex128, 5, 128}, {Dtype::UInt16, 1, 16}, {Dtype::UInt32, 1, 32}, {Dtype::UInt64, 1, 64}};

// ---- out -------------------------------------------------------------------------------------------------------------------------

template <class Managed> struct Exported {
  Managed managed{};
  Tensor tensor;
  int64_t shape[kMaxDims], strides[kMaxDims];
};
template <class Managed> void delete_exported(Managed* m) { delete static_cast<Exported<Managed>*>(m->context); }  // a Tensor may die in any thread
template <class Managed> void capsule_died(PyObject* capsule) {
  if (!PyCapsule_IsValid(capsule, Managed::kName)) return;  // used: its consumer deletes
  auto* m = static_cast<Managed*>(PyCapsule_GetPointer(capsule, Managed::kName));
  m->deleter(m);
}
template <class Managed> PyObject* to_capsule(const Tensor& t, bool copy) {
  TG_CHECK(!needs_grad(t), GradError, "Can't export tensors that require gradient, use tensor.detach()");
  auto e = std::make_unique<Exported<Managed>>();
  e->tensor = copy ? clone(detach(t)) : detach(t);
  DLTensor& d = e->managed.tensor;
  d.data = e->tensor->data;
  d.device = {t.is_cuda() ? kCuda : kHost, t.is_cuda() && t.device().index > 0 ? t.device().index : 0};
  d.ndim = int32_t(t.dim());
  for (const Code& c : kCodes) if (c.dtype == t.dtype()) d.dtype = {c.code, c.bits, 1};
  for (int k = 0; k < t.dim(); k++) e->shape[k] = e->tensor->sizes[k], e->strides[k] = e->tensor->strides[k];
  d.shape = e->shape, d.strides = e->strides;
  if constexpr (std::is_same_v<Managed, DLManagedTensorVersioned>) {
    e->managed.major = 1;
    e->managed.flags = copy ? kCopied : 0;
  }
  e->managed.context = e.get();
  e->managed.deleter = delete_exported<Managed>;
  PyObject* capsule = checked(PyCapsule_New(&e->managed, Managed::kName, capsule_died<Managed>));
  e.release();
  return capsule;
}

// ---- in --------------------------------------------------------------------------------------------------------------------------

template <class Managed> void delete_imported(void* context) {
  auto* m = static_cast<Managed*>(context);
  if (!m->deleter || !Py_IsInitialized()) return;
  CallPython hold;  // producers written for Python expect the GIL
  m->deleter(m);
}
template <class Managed> Tensor from_capsule(PyObject* capsule) {
  auto* m = static_cast<Managed*>(PyCapsule_GetPointer(capsule, Managed::kName));
  const DLTensor& d = m->tensor;
  const bool cuda = d.device.type == kCuda;
  TG_CHECK(d.device.type == kHost || d.device.type == kPinned || cuda, DeviceError,
           "from_dlpack: only tensors in main memory and on CUDA devices can be taken, got device type ", d.device.type);
  const Device device = cuda ? cuda_device(Device(DeviceType::CUDA, d.device.index)) : Device();
  if (cuda) cuda_runtime().synchronize(device.index);  // what the producer has given to its streams
  if (d.ndim < 0 || d.ndim > kMaxDims) raise(PyExc_ValueError, "from_dlpack: more than %d dimensions", kMaxDims);
  const Code* known = nullptr;
  for (const Code& c : kCodes) if (c.code == d.dtype.code && c.bits == d.dtype.bits && d.dtype.lanes == 1) known = &c;
  if (!known) raise(PyExc_TypeError, "from_dlpack: unsupported element type (code %d, %d bits, %d lanes)", d.dtype.code, d.dtype.bits, d.dtype.lanes);
  Shape sizes, strides;
  for (int k = 0; k < d.ndim; k++) sizes.push_back(d.shape[k]);
  strides.resize(size_t(d.ndim), 1);
  for (int k = d.ndim; k-- > 0;) {
    strides[k] = d.strides ? d.strides[k] : k + 1 < d.ndim ? strides[k + 1] * std::max<int64_t>(sizes[k + 1], 1) : 1;
    if (strides[k] < 0) raise(PyExc_ValueError, "from_dlpack: negative strides are not supported");
  }
  Tensor t = from_blob(static_cast<char*>(d.data) + d.byte_offset, sizes, strides, known->dtype, delete_imported<Managed>, m, device);
  checked(PyCapsule_SetName(capsule, Managed::kUsed));
  return t;
}
// `copied` says whether its memory is already nobody else's. Memory that may not be written is copied.
Tensor take_capsule(PyObject* capsule, bool may_copy, bool& copied) {
  if (PyCapsule_IsValid(capsule, DLManagedTensor::kName)) return from_capsule<DLManagedTensor>(capsule);
  if (!PyCapsule_IsValid(capsule, DLManagedTensorVersioned::kName))
    raise(PyExc_RuntimeError, "from_dlpack received an invalid capsule. Note that DLTensor capsules can be consumed only once, so you might have already constructed a tensor from it once.");
  const auto* m = static_cast<DLManagedTensorVersioned*>(PyCapsule_GetPointer(capsule, DLManagedTensorVersioned::kName));
  if (m->major != 1) raise(PyExc_BufferError, "from_dlpack: version %u of DLPack is not supported, 1 is", m->major);
  const bool read_only = m->flags & kReadOnly;
  if (read_only && !may_copy) raise(PyExc_BufferError, "from_dlpack: the memory is read-only and cannot be shared (copy=False)");
  copied = read_only || (m->flags & kCopied);
  const Tensor t = from_capsule<DLManagedTensorVersioned>(capsule);
  return read_only ? clone(t) : t;
}
// The producer's capsule: of version 1 where it knows that one.
Obj ask_for_capsule(PyObject* o) {
  const Obj method = Obj::take(PyObject_GetAttrString(o, "__dlpack__")), none = Obj::take(PyTuple_New(0));
  const Obj options = Obj::take(Py_BuildValue("{s:(ii)}", "max_version", 1, 0));
  if (PyObject* capsule = PyObject_Call(method.get(), none.get(), options.get())) return Obj::take(capsule);
  if (!PyErr_ExceptionMatches(PyExc_TypeError)) throw PythonError();
  PyErr_Clear();
  return Obj::take(PyObject_CallNoArgs(method.get()));
}
PyObject* from_dlpack(PyObject*, PyObject* args, PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    PyObject *o, *device = Py_None, *copy = Py_None;
    static const char* names[] = {"", "device", "copy", nullptr};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$OO:from_dlpack", const_cast<char**>(names), &o, &device, &copy)) return nullptr;
    bool copied = false;
    const bool is_capsule = PyCapsule_CheckExact(o);
    if (!is_capsule && !PyObject_HasAttrString(o, "__dlpack__")) raise(PyExc_TypeError, "from_dlpack: %.200s has no __dlpack__ method", Py_TYPE(o)->tp_name);
    Tensor t = take_capsule(is_capsule ? o : ask_for_capsule(o).get(), copy != Py_False, copied);
    Device wanted = t.device();
    if (device != Py_None && !read_device(device, wanted)) raise(PyExc_TypeError, "from_dlpack: device must be a device, not %.200s", Py_TYPE(device)->tp_name);
    if (wanted.type != t.device().type) {
      if (copy == Py_False) raise(PyExc_ValueError, "from_dlpack: copy=False forbids moving it to another device");
      return wrap(to(t, wanted));
    }
    return wrap(copy == Py_True && !copied ? clone(t) : t);
  });
}
PyObject* to_dlpack(PyObject*, PyObject* o) {
  return guarded([&] {
    if (!is_tensor(o)) raise(PyExc_TypeError, "to_dlpack() takes a Tensor, not %.200s", Py_TYPE(o)->tp_name);
    return to_capsule<DLManagedTensor>(unwrap(o), false);
  });
}
PyMethodDef functions[] = {{"from_dlpack", function_pointer(from_dlpack), METH_VARARGS | METH_KEYWORDS,
                            "from_dlpack(ext_tensor, *, device=None, copy=None)\n\nThe memory of another library's tensor; copied when copy=True, or when it is read-only."},
                           {"to_dlpack", to_dlpack, METH_O, "to_dlpack(tensor)\n\nA capsule for another library's from_dlpack."}, {}};

}  // namespace

PyObject* tensor_dlpack(PyObject* self, PyObject* args, PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    PyObject *stream = Py_None, *version = Py_None, *device = Py_None, *copy = Py_None;
    static const char* names[] = {"stream", "max_version", "dl_device", "copy", nullptr};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$OOOO:__dlpack__", const_cast<char**>(names), &stream, &version, &device, &copy)) return nullptr;
    const Tensor& t = unwrap(self);
    int type = t.is_cuda() ? kCuda : kHost, index = 0;
    if (device != Py_None && !PyArg_ParseTuple(device, "ii:__dlpack__", &type, &index)) return nullptr;
    if (type != (t.is_cuda() ? kCuda : kHost)) raise(PyExc_BufferError, "__dlpack__: the tensor is not on device (%d, %d); move it with to()", type, index);
    if (t.is_cuda() && !(PyLong_Check(stream) && PyLong_AsLong(stream) == -1)) cuda_runtime().stream_synchronize(t.device().index, cuda_runtime().current_stream(t.device().index));
    int major = 0, minor = 0;
    if (version != Py_None && !PyArg_ParseTuple(version, "ii:__dlpack__", &major, &minor)) return nullptr;
    return major >= 1 ? to_capsule<DLManagedTensorVersioned>(t, copy == Py_True) : to_capsule<DLManagedTensor>(t, copy == Py_True);
  });
}
PyObject* tensor_dlpack_device(PyObject* self, PyObject*) {
  const Tensor& t = unwrap(self);
  return Py_BuildValue("(ii)", t.is_cuda() ? kCuda : kHost, t.is_cuda() && t.device().index > 0 ? int(t.device().index) : 0);
}
PyMethodDef* dlpack_functions() { return functions; }

}  // namespace tapegrad::py
