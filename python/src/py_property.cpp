// Properties of Tensor.
#include "py.h"
#include "tapegrad/ops.h"

namespace tapegrad::py {
namespace {

/// A read-only property that cannot fail in Python: F makes the object.
template <auto F> PyObject* get(PyObject* self, void*) {
  return guarded([&] { return F(unwrap(self)); });
}
PyObject* boolean(bool b) { return PyBool_FromLong(b); }

int cannot_delete(const char* name) {
  PyErr_Format(PyExc_AttributeError, "cannot delete %s of a Tensor", name);
  return -1;
}

PyObject* get_grad(PyObject* self, void*) {
  const Extra* e = unwrap(self)->extra;
  return wrap(e ? e->grad : Tensor());
}
int set_grad(PyObject* self, PyObject* value, void*) {
  return guarded_int([&] { unwrap(self).set_grad(tensor_or_none(value, "grad")); });
}
PyObject* get_requires_grad(PyObject* self, void*) { return PyBool_FromLong(needs_grad(unwrap(self))); }
int set_requires_grad(PyObject* self, PyObject* value, void*) {
  if (!value) return cannot_delete("requires_grad");
  return guarded_int([&] {
    bool on;
    if (!read_bool(value, on)) raise(PyExc_TypeError, "requires_grad must be a bool, not %.200s", Py_TYPE(value)->tp_name);
    unwrap(self).set_requires_grad(on);
  });
}

PyObject* get_data(PyObject* self, void*) {
  return guarded([&] {
    Tensor t = detach(unwrap(self));
    t->untracked = true;
    t->origin = needs_grad(unwrap(self)) ? make_note("data", place_now()) : unwrap(self)->origin;
    return wrap(std::move(t));
  });
}
int set_data(PyObject* self, PyObject* value, void*) {
  if (!value) return cannot_delete("data");
  return guarded_int([&] {
    if (!is_tensor(value)) raise(PyExc_TypeError, "data must be a Tensor, not %.200s", Py_TYPE(value)->tp_name);
    const Tensor& t = unwrap(self);
    const Tensor& v = unwrap(value);
    TG_CHECK(!t->requires_grad || is_differentiable(v.dtype()), DtypeError, "data of a tensor that requires grad must be floating or complex", Named{"data", v});
    swap_memory(t, detach(v));
  });
}

PyObject* transposed(const Tensor& t) {  // T: all dimensions reversed
  Shape dims;
  for (int64_t d = t.dim(); d-- > 0;) dims.push_back(d);
  return wrap(permute(t, dims));
}
PyObject* last_two(const Tensor& t) {
  TG_CHECK(t.dim() >= 2, ShapeError, "mT needs at least 2 dimensions", Named{"input", t});
  return wrap(transpose(t, -2, -1));
}
PyObject* hermitian(const Tensor& t) {
  TG_CHECK(t.dim() == 0 || t.dim() == 2, ShapeError, "H needs 0 or 2 dimensions", Named{"input", t});
  return wrap(conj(t.dim() ? transpose(t, 0, 1) : t));
}
PyObject* get_real(PyObject* self, void*) { return guarded([&] { return wrap(real(unwrap(self))); }); }
PyObject* get_imag(PyObject* self, void*) { return guarded([&] { return wrap(imag(unwrap(self))); }); }
int set_part(Tensor (*part)(const Tensor&), const char* name, PyObject* self, PyObject* value) {
  if (!value) return cannot_delete(name);
  return guarded_int([&] { copy_(part(unwrap(self)), is_tensor(value) ? unwrap(value) : tensor_from(value, {})); });
}
int set_real(PyObject* self, PyObject* value, void*) { return set_part(real, "real", self, value); }
int set_imag(PyObject* self, PyObject* value, void*) { return set_part(imag, "imag", self, value); }
PyObject* is_leaf(const Tensor& t) { return boolean(!grad_fn(t)); }
PyObject* retains_grad(const Tensor& t) { return boolean(t->extra && t->extra->retains_grad); }
PyObject* names(const Tensor& t) {
  PyObject* r = PyTuple_New(t.dim());
  for (int64_t d = 0; r && d < t.dim(); d++) PyTuple_SET_ITEM(r, d, Py_NewRef(Py_None));
  return r;
}

PyObject* never(PyObject*, void*) { Py_RETURN_FALSE; }  // kinds of tensors that do not exist here

#define TG_GET(name, ...) {#name, get<[]([[maybe_unused]] const Tensor& t) -> PyObject* { return __VA_ARGS__; }>, nullptr, nullptr, nullptr}

}  // namespace

PyGetSetDef tensor_properties[] = {
    TG_GET(shape, size_object(t.sizes())),
    TG_GET(dtype, to_python(t.dtype())),
    TG_GET(device, to_python(t.device())),
    TG_GET(layout, PyObject_GetAttrString(PyImport_AddModule("tapegrad._C"), "strided")),
    TG_GET(ndim, PyLong_FromLong(long(t.dim()))),
    TG_GET(itemsize, PyLong_FromSize_t(t.element_size())),
    TG_GET(nbytes, PyLong_FromLongLong(t.nbytes())),
    {"grad", get_grad, set_grad, "The gradient that backward() has accumulated, or None.", nullptr},
    {"requires_grad", get_requires_grad, set_requires_grad, "Are operations on it recorded?", nullptr},
    {"data", get_data, set_data, "The same memory without history; writes through it are not seen by the tape.", nullptr},
    TG_GET(grad_fn, wrap_node_of(t)),
    TG_GET(is_leaf, is_leaf(t)),
    TG_GET(retains_grad, retains_grad(t)),
    TG_GET(output_nr, PyLong_FromUnsignedLong(t->output_nr)),
    TG_GET(_version, PyLong_FromUnsignedLong(t.version())),
    TG_GET(_base, wrap(Tensor::share(t->base))),
    TG_GET(T, transposed(t)),
    TG_GET(mT, last_two(t)),
    TG_GET(H, hermitian(t)),
    TG_GET(mH, wrap(adjoint(t))),
    {"real", get_real, set_real, "The real part, as a view; a real tensor itself.", nullptr},
    {"imag", get_imag, set_imag, "The imaginary part of a complex tensor, as a view.", nullptr},
    TG_GET(names, names(t)),
    TG_GET(name, Py_NewRef(Py_None)),
    TG_GET(is_cuda, boolean(t.is_cuda())),
    TG_GET(is_cpu, boolean(!t.is_cuda())),
    {"is_sparse", never, nullptr, nullptr, nullptr},
    {"is_quantized", never, nullptr, nullptr, nullptr},
    {"is_mps", never, nullptr, nullptr, nullptr},
    {"is_xpu", never, nullptr, nullptr, nullptr},
    {"is_meta", never, nullptr, nullptr, nullptr},
    {"is_mkldnn", never, nullptr, nullptr, nullptr},
    {"is_nested", never, nullptr, nullptr, nullptr},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {}};

}  // namespace tapegrad::py
