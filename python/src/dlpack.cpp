// DLPack: memory shared with other libraries through capsules, no copies. The structs are the protocol's binary interface.
#include <algorithm>
#include <memory>

#include "py.h"

namespace tapegrad::py {
namespace {

// ---- the interface (version 0, "dltensor") ---------------------------------------------------------------------------------

struct DLDevice { int32_t type, index; };            // 1: main memory, 2: CUDA
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
  DLTensor tensor;
  void* context;
  void (*deleter)(DLManagedTensor*);
};

struct Code { Dtype dtype; uint8_t code, bits; };
constexpr Code kCodes[] = {{Dtype::Bool, 6, 8}, {Dtype::UInt8, 1, 8}, {Dtype::Int8, 0, 8}, {Dtype::Int16, 0, 16}, {Dtype::Int32, 0, 32}, {Dtype::Int64, 0, 64},
                           {Dtype::Float16, 2, 16}, {Dtype::BFloat16, 4, 16}, {Dtype::Float32, 2, 32}, {Dtype::Float64, 2, 64},
                           {Dtype::Complex64, 5, 64}, {Dtype::Complex128, 5, 128}, {Dtype::UInt16, 1, 16}, {Dtype::UInt32, 1, 32}, {Dtype::UInt64, 1, 64}};

// ---- out -------------------------------------------------------------------------------------------------------------------------

struct Exported {
  DLManagedTensor managed;
  Tensor tensor;
  int64_t shape[kMaxDims], strides[kMaxDims];
};
void delete_exported(DLManagedTensor* m) { delete static_cast<Exported*>(m->context); }  // a Tensor may die in any thread
void capsule_died(PyObject* capsule) {
  if (!PyCapsule_IsValid(capsule, "dltensor")) return;  // used: its consumer deletes
  auto* m = static_cast<DLManagedTensor*>(PyCapsule_GetPointer(capsule, "dltensor"));
  m->deleter(m);
}
PyObject* to_capsule(const Tensor& t) {
  TG_CHECK(!needs_grad(t), GradError, "Can't export tensors that require gradient, use tensor.detach()");
  auto e = std::make_unique<Exported>();
  e->tensor = detach(t);
  DLTensor& d = e->managed.tensor;
  d.data = t->data;
  d.device = {t.is_cuda() ? 2 : 1, t.is_cuda() && t.device().index > 0 ? t.device().index : 0};
  d.ndim = int32_t(t.dim());
  for (const Code& c : kCodes) if (c.dtype == t.dtype()) d.dtype = {c.code, c.bits, 1};
  for (int k = 0; k < t.dim(); k++) e->shape[k] = t->sizes[k], e->strides[k] = t->strides[k];
  d.shape = e->shape, d.strides = e->strides;
  d.byte_offset = 0;
  e->managed.context = e.get();
  e->managed.deleter = delete_exported;
  PyObject* capsule = checked(PyCapsule_New(&e->managed, "dltensor", capsule_died));
  e.release();
  return capsule;
}

// ---- in --------------------------------------------------------------------------------------------------------------------------

void delete_imported(void* context) {
  auto* m = static_cast<DLManagedTensor*>(context);
  if (!m->deleter || !Py_IsInitialized()) return;
  CallPython hold;  // producers written for Python expect the GIL
  m->deleter(m);
}
Tensor from_capsule(PyObject* capsule) {
  if (!PyCapsule_IsValid(capsule, "dltensor"))
    raise(PyExc_RuntimeError, "from_dlpack received an invalid capsule. Note that DLTensor capsules can be consumed only once, so you might have already constructed a tensor from it once.");
  auto* m = static_cast<DLManagedTensor*>(PyCapsule_GetPointer(capsule, "dltensor"));
  const DLTensor& d = m->tensor;
  TG_CHECK(d.device.type == 1, DeviceError, "from_dlpack: only tensors in main memory can be taken, got device type ", d.device.type);
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
  Tensor t = from_blob(static_cast<char*>(d.data) + d.byte_offset, sizes, strides, known->dtype, delete_imported, m);
  checked(PyCapsule_SetName(capsule, "used_dltensor"));
  return t;
}
PyObject* from_dlpack(PyObject*, PyObject* o) {
  return guarded([&] {
    if (PyCapsule_CheckExact(o)) return wrap(from_capsule(o));
    if (!PyObject_HasAttrString(o, "__dlpack__")) raise(PyExc_TypeError, "from_dlpack: %.200s has no __dlpack__ method", Py_TYPE(o)->tp_name);
    const Obj capsule = Obj::take(PyObject_CallMethod(o, "__dlpack__", nullptr));
    return wrap(from_capsule(capsule.get()));
  });
}
PyObject* to_dlpack(PyObject*, PyObject* o) {
  return guarded([&] {
    if (!is_tensor(o)) raise(PyExc_TypeError, "to_dlpack() takes a Tensor, not %.200s", Py_TYPE(o)->tp_name);
    return to_capsule(unwrap(o));
  });
}
PyMethodDef functions[] = {{"from_dlpack", from_dlpack, METH_O, "from_dlpack(ext_tensor)\n\nThe memory of another library's tensor, no copy."},
                           {"to_dlpack", to_dlpack, METH_O, "to_dlpack(tensor)\n\nA capsule for another library's from_dlpack."}, {}};

}  // namespace

PyObject* tensor_dlpack(PyObject* self, PyObject* args, PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    PyObject *stream = Py_None, *version = nullptr, *device = Py_None, *copy = Py_None;
    static const char* names[] = {"stream", "max_version", "dl_device", "copy", nullptr};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$OOOO:__dlpack__", const_cast<char**>(names), &stream, &version, &device, &copy)) return nullptr;
    if (copy == Py_True) raise(PyExc_BufferError, "__dlpack__: copy=True is not supported, use clone()");
    return to_capsule(unwrap(self));
  });
}
PyObject* tensor_dlpack_device(PyObject* self, PyObject*) {
  const Tensor& t = unwrap(self);
  return Py_BuildValue("(ii)", t.is_cuda() ? 2 : 1, t.is_cuda() && t.device().index > 0 ? int(t.device().index) : 0);
}
PyMethodDef* dlpack_functions() { return functions; }

}  // namespace tapegrad::py
