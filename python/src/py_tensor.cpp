// The Python type of Tensor: objects, identity, life and death. Number slots, indexing, properties and methods live beside it.
//
// One object per tensor: impl->py is borrowed from the object, which owns the tensor. When an object with state (subclass,
// attributes, weakrefs) dies while C++ still holds the tensor, the object is resurrected and the tensor owns it (owns_py)
// until Python asks for it again. An exact Tensor without state comes from a free list and is not tracked by the collector.
#include "py.h"

#include <cxxabi.h>
#include <unistd.h>

#include "binder.h"
#include "tapegrad/interrupt.h"
#include "tapegrad/ops.h"

namespace tapegrad::py {

PyTypeObject* TensorType;

namespace {

PyTensor* self_of(PyObject* o) { return reinterpret_cast<PyTensor*>(o); }
void drop(TensorImpl* i) { if (i->drop()) TensorImpl::destroy(i); }

#if defined(Py_GIL_DISABLED) || defined(Py_TRACE_REFS)
constexpr int kSpare = 0;
#else
constexpr int kSpare = 256;
#endif
PyTensor* spare[kSpare + 1];
int spare_count;

void dealloc(PyObject* self) {
  PyTensor* o = self_of(self);
  TensorImpl* i = o->impl;
  const bool exact = Py_IS_TYPE(self, TensorType);
  if (!exact || o->tracked) {
    PyObject_GC_UnTrack(self);
    o->tracked = false;
  }
  if (!exact || o->dict || o->weakrefs) {
    if (i && !i->unique()) {
      // C++ still holds the tensor and the object has state worth keeping: from now on the tensor owns it. A subclass comes
      // here through subtype_dealloc, which leaves __dict__ and weakrefs to us.
      _Py_NewReference(self);
      track(self);
      i->owns_py = true;
      drop(i);
      return;
    }
    if (o->weakrefs) PyObject_ClearWeakRefs(self);
    Py_CLEAR(o->dict);
  }
  o->impl = nullptr;
  if (i) {
    i->py = nullptr;
    drop(i);
  }
  if (exact && spare_count < kSpare) {
    spare[spare_count++] = o;  // with its reference to the type and its GC header
    return;
  }
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

// A tensor that owned its object dies, maybe in a thread without the GIL.
void release_owned(void* py) {
  self_of(static_cast<PyObject*>(py))->impl = nullptr;
  if (!Py_IsInitialized()) return;  // shutting down: the collector may still come by, but nobody may be called
  CallPython hold;
  Py_DECREF(static_cast<PyObject*>(py));
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  const PyTensor* o = self_of(self);
  if (!o->impl) {
    Py_VISIT(o->dict);
  } else if (o->impl->unique()) {  // otherwise C++ can bring the object back: what it holds is alive
    Py_VISIT(o->dict);
    return traverse_owned(unwrap(self), visit, arg);
  }
  return 0;
}
int clear(PyObject* self) {
  Py_CLEAR(self_of(self)->dict);
  if (self_of(self)->impl) clear_hooks(unwrap(self));
  return 0;
}

int set_attribute(PyObject* self, PyObject* name, PyObject* value) {
  const int r = PyObject_GenericSetAttr(self, name, value);
  if (!r && self_of(self)->dict) track(self);
  return r;
}

PyObject* allocate(PyTypeObject* type, Tensor t) {
  PyObject* o = type->tp_alloc(type, 0);  // tracked by the collector
  if (!o) return nullptr;
  TensorImpl* i = t.release();
  self_of(o)->impl = i;
  self_of(o)->tracked = true;
  i->py = o;
  return o;
}

// Tensor(2, 3), Tensor([1, 2]), Tensor(): old constructors that programs still use. Subclass(tensor): a new object of that
// class over the same data, as Parameter needs.
PyObject* create(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    const Py_ssize_t n = PyTuple_GET_SIZE(args);
    PyObject* first = n ? PyTuple_GET_ITEM(args, 0) : nullptr;
    if (kwargs && PyDict_GET_SIZE(kwargs) && type == TensorType) raise(PyExc_TypeError, "Tensor() takes no keyword arguments");
    Tensor t;
    if (!n) {
      t = empty({0}, default_dtype());
    } else if (is_tensor(first)) {
      t = detach(unwrap(first));
    } else if (int64_t size; read_int(first, size)) {
      Shape shape;
      for (Py_ssize_t k = 0; k < n; k++) {
        if (!read_int(PyTuple_GET_ITEM(args, k), size)) raise(PyExc_TypeError, "Tensor(): sizes must be integers");
        shape.push_back(size);
      }
      t = empty(shape, default_dtype());
    } else {
      t = tensor_from(first, default_dtype());
    }
    return type == TensorType ? wrap(std::move(t)) : allocate(type, std::move(t));
  });
}

PyObject* as_text(PyObject* self) {
  return guarded([&] {
    const NoGrad off;
    const std::string s = to_string(unwrap(self));
    return PyUnicode_FromStringAndSize(s.data(), Py_ssize_t(s.size()));
  });
}
PyObject* iterate(PyObject* self) {
  return guarded([&]() -> PyObject* {
    const Tensor& t = unwrap(self);
    if (!t.dim()) raise(PyExc_TypeError, "iteration over a 0-d tensor");
    std::vector<Tensor> parts = unbind(t, 0);
    Obj list = Obj::take(PyTuple_New(Py_ssize_t(parts.size())));
    for (size_t k = 0; k < parts.size(); k++) PyTuple_SET_ITEM(list.get(), Py_ssize_t(k), checked(wrap(std::move(parts[k]))));
    return PyObject_GetIter(list.get());
  });
}
Py_ssize_t length(PyObject* self) {
  const Tensor& t = unwrap(self);
  if (t->ndim) return t->sizes[0];
  PyErr_SetString(PyExc_TypeError, "len() of a 0-d tensor");
  return -1;
}
int contains(PyObject* self, PyObject* value) {
  bool found = false;
  const int r = guarded_int([&] {
    Scalar s = 0;
    if (!is_tensor(value) && !read_scalar(value, s)) raise(PyExc_RuntimeError, "Tensor.__contains__ only supports Tensor or scalar, but you passed in a %.200s.", Py_TYPE(value)->tp_name);
    const NoGrad off;
    found = any(eq(unwrap(self), is_tensor(value) ? unwrap(value) : Tensor(s))).item().to_bool();
  });
  return r < 0 ? -1 : found;
}
Py_hash_t hash(PyObject* self) { return _Py_HashPointer(self); }

PyMemberDef members[] = {{"__dictoffset__", T_PYSSIZET, offsetof(PyTensor, dict), READONLY, nullptr},
                         {"__weaklistoffset__", T_PYSSIZET, offsetof(PyTensor, weakrefs), READONLY, nullptr},
                         {}};

}  // namespace

PyObject* wrap(Tensor t) {
  TensorImpl* i = t.get();
  if (!i) Py_RETURN_NONE;
  if (i->py) {
    auto* known = static_cast<PyObject*>(i->py);
    if (!i->owns_py) return Py_NewRef(known);
    i->owns_py = false;  // the tensor kept its object alive; now the object owns the tensor again
    self_of(known)->impl = t.release();
    return known;
  }
  PyTensor* o;
  if (spare_count) [[likely]] {
    o = spare[--spare_count];
    _Py_NewReference(reinterpret_cast<PyObject*>(o));
  } else {
    o = PyObject_GC_New(PyTensor, TensorType);
    if (!o) return nullptr;
    o->dict = o->weakrefs = nullptr;
    o->tracked = false;
  }
  o->impl = t.release();
  i->py = o;
  return reinterpret_cast<PyObject*>(o);
}
PyObject* wrap_as(PyTypeObject* type, Tensor t) {
  return type == TensorType ? wrap(std::move(t)) : allocate(type, std::move(t));
}
void track(PyObject* tensor) {
  if (!self_of(tensor)->tracked) PyObject_GC_Track(tensor);
  self_of(tensor)->tracked = true;
}
const Tensor& tensor_or_none(PyObject* o, const char* what) {
  static const Tensor none;
  if (!o || o == Py_None) return none;
  if (!is_tensor(o)) raise(PyExc_TypeError, "%s must be a Tensor or None, not %.200s", what, Py_TYPE(o)->tp_name);
  return unwrap(o);
}

void stay_for_ever() noexcept {
  for (;;) pause();
}
void stay_if_ended() noexcept {
  if (gettid() != getpid() && !PyGILState_Check()) stay_for_ever();
}
PyGILState_STATE take_gil() {
  try {
    return PyGILState_Ensure();
  } catch (const abi::__forced_unwind&) { stay_for_ever(); }
}
void give_gil(PyGILState_STATE state) noexcept {
  if (!PyGILState_Check()) stay_for_ever();
  PyGILState_Release(state);
}
void retake_gil(void* thread_state) noexcept {
  try {
    PyEval_RestoreThread(static_cast<PyThreadState*>(thread_state));
  } catch (const abi::__forced_unwind&) { stay_for_ever(); }
}

void init_tensor(PyObject* module) {
  release_python_object = release_owned;
  unlock_python = []() -> void* { return PyEval_SaveThread(); };
  relock_python = retake_gil;
  check_interrupt = [] {
    if (gettid() != getpid()) return;  // signals are for the main thread
    const CallPython python;
    if (PyErr_CheckSignals() < 0) throw PythonError();
  };
  std::vector<PyType_Slot> slots = number_slots();
  slots.insert(slots.end(), {{Py_tp_doc, const_cast<char*>("An array of numbers of one type, with a history of how it was made.")},
                             {Py_tp_new, (void*)create}, {Py_tp_dealloc, (void*)dealloc}, {Py_tp_free, (void*)PyObject_GC_Del},
                             {Py_tp_traverse, (void*)traverse}, {Py_tp_clear, (void*)clear}, {Py_tp_setattro, (void*)set_attribute},
                             {Py_tp_repr, (void*)as_text}, {Py_tp_str, (void*)as_text}, {Py_tp_iter, (void*)iterate}, {Py_tp_hash, (void*)hash},
                             {Py_mp_subscript, (void*)get_item}, {Py_mp_ass_subscript, (void*)set_item}, {Py_mp_length, (void*)length}, {Py_bf_getbuffer, (void*)tensor_buffer}, {Py_bf_releasebuffer, (void*)release_tensor_buffer}, {Py_sq_contains, (void*)contains},
                             {Py_tp_members, members}, {Py_tp_getset, tensor_properties}, {Py_tp_methods, tensor_methods}, {0, nullptr}});
  PyType_Spec spec{"tapegrad.Tensor", sizeof(PyTensor), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots.data()};
  TensorType = add_type(module, spec);
}

}  // namespace tapegrad::py
