// Methods of Tensor that are no ops: sizes, items, conversion, copies and pickles.
#include <algorithm>
#include <cstring>

#include "py.h"
#include "src/tensor/cuda.h"
#include "tapegrad/ops.h"

namespace tapegrad::py {
namespace {

// ---- sizes -----------------------------------------------------------------------------------------------------------------

// size() and stride(): all, or of one dimension given by position or as dim=.
bool one_dim(const char* who, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames, int64_t& dim) {
  const Py_ssize_t n = nargs + (kwnames ? PyTuple_GET_SIZE(kwnames) : 0);
  if (n > 1 || (kwnames && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(kwnames, 0), "dim"))) raise(PyExc_TypeError, "%s(dim=None)", who);
  if (!n || args[0] == Py_None) return false;
  if (!read_int(args[0], dim)) raise(PyExc_TypeError, "%s(): dim must be an int, not %.200s", who, Py_TYPE(args[0])->tp_name);
  return true;
}
PyObject* size(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  return guarded([&] {
    int64_t d;
    const Tensor& t = unwrap(self);
    return one_dim("size", args, nargs, kwnames, d) ? PyLong_FromLongLong(t.size(d)) : size_object(t.sizes());
  });
}
PyObject* stride(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  return guarded([&] {
    int64_t d;
    const Tensor& t = unwrap(self);
    return one_dim("stride", args, nargs, kwnames, d) ? PyLong_FromLongLong(t.stride(d)) : int_tuple(t.strides());
  });
}

// ---- values ------------------------------------------------------------------------------------------------------------------

PyObject* item(PyObject* self, PyObject*) { return guarded([&] { return item_of(unwrap(self)); }); }
PyObject* tolist(PyObject* self, PyObject*) { return guarded([&] { return to_list(unwrap(self)); }); }
PyObject* format(PyObject* self, PyObject* spec) {
  return guarded([&]() -> PyObject* {
    if (!PyUnicode_Check(spec)) raise(PyExc_TypeError, "__format__() takes a str, not %.200s", Py_TYPE(spec)->tp_name);
    if (unwrap(self).dim() || !Py_IS_TYPE(self, TensorType)) {
      PyObject* base = PyObject_GetAttrString(reinterpret_cast<PyObject*>(&PyBaseObject_Type), "__format__");
      const Obj held = Obj::take(base);
      return PyObject_CallFunctionObjArgs(base, self, spec, nullptr);
    }
    const Obj number = Obj::take(item_of(unwrap(self)));
    return PyObject_Format(number.get(), spec);
  });
}
PyObject* reversed(PyObject* self, PyObject*) {
  return guarded([&] { return wrap(unwrap(self).dim() ? flip(unwrap(self), 0) : unwrap(self)); });
}

// ---- conversion ----------------------------------------------------------------------------------------------------------------

// type(): "tapegrad.FloatTensor"; type(dtype) casts. The old names are PyTorch's.
struct TypeName { Dtype dtype; const char* name; };
constexpr TypeName kTypeNames[] = {{Dtype::Bool, "BoolTensor"}, {Dtype::UInt8, "ByteTensor"}, {Dtype::Int8, "CharTensor"}, {Dtype::Int16, "ShortTensor"},
                                   {Dtype::Int32, "IntTensor"}, {Dtype::Int64, "LongTensor"}, {Dtype::Float16, "HalfTensor"}, {Dtype::BFloat16, "BFloat16Tensor"},
                                   {Dtype::Float32, "FloatTensor"}, {Dtype::Float64, "DoubleTensor"},
                                   {Dtype::Complex64, "ComplexFloatTensor"}, {Dtype::Complex128, "ComplexDoubleTensor"},
                                   {Dtype::UInt16, "UInt16Tensor"}, {Dtype::UInt32, "UInt32Tensor"}, {Dtype::UInt64, "UInt64Tensor"}};
PyObject* type_method(PyObject* self, PyObject* args, PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    PyObject *dtype = Py_None, *non_blocking = nullptr;
    static const char* names[] = {"dtype", "non_blocking", nullptr};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:type", const_cast<char**>(names), &dtype, &non_blocking)) return nullptr;
    const Tensor& t = unwrap(self);
    Dtype d;
    if (dtype == Py_None) {
      for (const TypeName& n : kTypeNames) if (n.dtype == t.dtype()) return PyUnicode_FromFormat("tapegrad.%s%s", t.is_cuda() ? "cuda." : "", n.name);
    }
    if (read_dtype(dtype, d)) return wrap(to(t, d));
    if (PyUnicode_Check(dtype) || PyType_Check(dtype)) {  // "torch.LongTensor" or the old constructor of that name
      const std::string wanted = PyType_Check(dtype) ? reinterpret_cast<PyTypeObject*>(dtype)->tp_name : text_of(dtype);
      const Device device(wanted.find("cuda.") != wanted.npos ? DeviceType::CUDA : DeviceType::CPU);
      for (const TypeName& n : kTypeNames) if (wanted.ends_with(n.name)) return wrap(device.type == t.device().type ? to(t, n.dtype) : to(t, device, n.dtype));
    }
    raise(PyExc_TypeError, "type(): %R is no dtype", dtype);
  });
}
PyObject* new_tensor(PyObject* self, PyObject* args, PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    PyObject *data, *dtype = Py_None, *device = Py_None, *layout = nullptr, *pin = nullptr;
    int requires_grad = 0;
    static const char* names[] = {"data", "dtype", "device", "requires_grad", "layout", "pin_memory", nullptr};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|OOpOO:new_tensor", const_cast<char**>(names), &data, &dtype, &device, &requires_grad, &layout, &pin)) return nullptr;
    Dtype d = unwrap(self).dtype();
    if (dtype != Py_None && !read_dtype(dtype, d)) raise(PyExc_TypeError, "new_tensor(): dtype must be a tapegrad.dtype");
    Device place = unwrap(self).device();
    if (device != Py_None && !read_device(device, place)) raise(PyExc_TypeError, "new_tensor(): device must be a str or a device");
    Tensor t = tensor_from(data, d);
    if (place.type != t.device().type) t = to(t, place);
    if (requires_grad) t.set_requires_grad();
    return wrap(std::move(t));
  });
}

// ---- copies and pickles ------------------------------------------------------------------------------------------------------------

PyObject* rebuild_function;

// The bytes of the elements, row-major.
PyObject* element_bytes(const Tensor& t) {
  const NoGrad off;
  const Tensor dense = contiguous(host_copy(detach(t)));
  return PyBytes_FromStringAndSize(dense->data, Py_ssize_t(dense.nbytes()));
}
PyObject* reduce(PyObject* self, PyObject*) {
  return guarded([&] {
    const Tensor& t = unwrap(self);
    PyObject* dict = reinterpret_cast<PyTensor*>(self)->dict;
    const auto parts = [&](const char* format, PyObject* device) {
      return Py_BuildValue(format, rebuild_function, Py_TYPE(self), to_python(t.dtype()), int_tuple(t.sizes()), element_bytes(t),
                           PyBool_FromLong(needs_grad(t)), dict ? dict : Py_None, device);
    };
    return t.is_cuda() ? parts("O(ONNNNON)", to_python(t.device())) : parts("O(ONNNNO)", nullptr);
  });
}
void set_state(PyObject* object, PyObject* dict) {
  if (dict == Py_None) return;
  const Obj own = Obj::take(PyDict_Copy(dict));  // setting attributes runs code of the user's
  PyObject *name, *value;
  for (Py_ssize_t at = 0; PyDict_Next(own.get(), &at, &name, &value);) checked(PyObject_SetAttr(object, name, value));
}
PyObject* rebuild(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *type, *dtype, *sizes, *bytes, *dict, *place = nullptr;
    int requires_grad;
    if (!PyArg_ParseTuple(args, "OOO!SpO|O:_rebuild_tensor", &type, &dtype, &PyTuple_Type, &sizes, &bytes, &requires_grad, &dict, &place)) return nullptr;
    Dtype d;
    if (!PyType_Check(type) || !PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(type), TensorType) || !read_dtype(dtype, d) || (dict != Py_None && !PyDict_Check(dict)))
      raise(PyExc_ValueError, "this pickle is not of a Tensor");
    Shape shape;
    for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(sizes); k++) {
      PyObject* size = PyTuple_GET_ITEM(sizes, k);
      int overflow = 0;
      if (!PyLong_CheckExact(size)) raise(PyExc_ValueError, "this pickle is not of a Tensor");
      shape.push_back(PyLong_AsLongLongAndOverflow(size, &overflow));
      if (overflow) raise(PyExc_ValueError, "this pickle has impossible sizes");
    }
    int64_t n = int64_t(item_size(d));
    for (int64_t s : shape) if (s < 0 || __builtin_mul_overflow(n, s, &n)) raise(PyExc_ValueError, "this pickle has impossible sizes");
    if (n != PyBytes_GET_SIZE(bytes)) raise(PyExc_ValueError, "this pickle has %zd bytes of data, its shape needs %lld", PyBytes_GET_SIZE(bytes), (long long)n);
    const char* data = PyBytes_AS_STRING(bytes);
    if (d == Dtype::Bool && !std::all_of(data, data + n, [](char c) { return c == 0 || c == 1; })) raise(PyExc_ValueError, "this pickle has bools that are neither 0 nor 1");
    Tensor t = empty(shape, d);
    std::memcpy(t->data, data, size_t(n));
    if (Device device; place && read_device(place, device)) t = to(t, device);
    if (requires_grad) t.set_requires_grad();
    Obj o = Obj::take(wrap_as(reinterpret_cast<PyTypeObject*>(type), std::move(t)));
    set_state(o.get(), dict);
    return o.release();
  });
}
PyObject* deepcopy(PyObject* self, PyObject* memo) {
  return guarded([&]() -> PyObject* {
    const Tensor& t = unwrap(self);
    const Obj id = Obj::take(PyLong_FromVoidPtr(self));
    if (PyObject* known = PyDict_Check(memo) ? PyDict_GetItemWithError(memo, id.get()) : nullptr) return Py_NewRef(known);
    if (grad_fn(t))
      raise(PyExc_RuntimeError, "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment; use detach() first");
    Tensor copy = [&] { const NoGrad off; return clone(detach(t)); }();
    copy->requires_grad = t->requires_grad;
    if (Tensor g = t.grad(); g.defined()) { const NoGrad off; copy.set_grad(clone(g)); }
    Obj o = Obj::take(wrap_as(Py_TYPE(self), std::move(copy)));
    checked(PyObject_SetItem(memo, id.get(), o.get()));
    if (PyObject* dict = reinterpret_cast<PyTensor*>(self)->dict) {
      const Obj module = Obj::take(PyImport_ImportModule("copy"));
      const Obj state = Obj::take(PyObject_CallMethod(module.get(), "deepcopy", "OO", dict, memo));
      set_state(o.get(), state.get());
    }
    return o.release();
  });
}
// A leaf over the same memory, as copy.copy makes.
PyObject* shallow_copy(PyObject* self, PyObject*) {
  return guarded([&]() -> PyObject* {
    const Tensor& t = unwrap(self);
    Tensor alias = detach(t);
    alias->requires_grad = needs_grad(t);
    Obj o = Obj::take(wrap_as(Py_TYPE(self), std::move(alias)));
    if (PyObject* dict = reinterpret_cast<PyTensor*>(self)->dict) set_state(o.get(), dict);
    return o.release();
  });
}
PyMethodDef rebuild_def = {"_rebuild_tensor", rebuild, METH_VARARGS, nullptr};

// ---- storage -----------------------------------------------------------------------------------------------------------------------

struct PyStorage {
  PyObject_HEAD
  Tensor tensor;
};
PyTypeObject* StorageType;
const Storage& storage_of(PyObject* o) { return *reinterpret_cast<PyStorage*>(o)->tensor->storage; }
PyObject* storage(PyObject* self, PyObject*) {
  PyStorage* s = PyObject_New(PyStorage, StorageType);
  if (s) new (&s->tensor) Tensor(unwrap(self));
  return reinterpret_cast<PyObject*>(s);
}
void storage_dealloc(PyObject* o) {
  reinterpret_cast<PyStorage*>(o)->tensor.~Tensor();
  PyTypeObject* t = Py_TYPE(o);
  PyObject_Free(o);
  Py_DECREF(t);
}
PyObject* storage_data_ptr(PyObject* o, PyObject*) { return PyLong_FromVoidPtr(storage_of(o).data); }
PyObject* storage_nbytes(PyObject* o, PyObject*) { return PyLong_FromSize_t(storage_of(o).bytes); }
Py_ssize_t storage_length(PyObject* o) { return Py_ssize_t(storage_of(o).bytes); }
PyObject* storage_compare(PyObject* a, PyObject* b, int op) {
  if (!Py_IS_TYPE(b, StorageType) || (op != Py_EQ && op != Py_NE)) Py_RETURN_NOTIMPLEMENTED;
  return PyBool_FromLong((&storage_of(a) == &storage_of(b)) == (op == Py_EQ));
}
Py_hash_t storage_hash(PyObject* o) { return _Py_HashPointer(const_cast<Storage*>(&storage_of(o))); }
PyMethodDef storage_methods[] = {{"data_ptr", storage_data_ptr, METH_NOARGS, "Address of the first byte."}, {"nbytes", storage_nbytes, METH_NOARGS, "Its bytes."},
                                 {"size", storage_nbytes, METH_NOARGS, "Its bytes."}, {}};

PyObject* as_complex(PyObject* self, PyObject*) {
  return guarded([&]() -> PyObject* {
    const Obj number = Obj::take(item_of(unwrap(self)));
    return PyComplex_Check(number.get()) ? Py_NewRef(number.get()) : PyComplex_FromDoubles(PyFloat_AsDouble(number.get()), 0);
  });
}
PyObject* share_memory_(PyObject* self, PyObject*) {
  return guarded([&] {
    share_memory(unwrap(self));
    return Py_NewRef(self);
  });
}
PyObject* numpy(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  return guarded([&]() -> PyObject* {
    bool force = false;
    if (nargs) raise(PyExc_TypeError, "numpy() takes no positional arguments");
    for (Py_ssize_t k = 0; kwnames && k < PyTuple_GET_SIZE(kwnames); k++) {
      PyObject* name = PyTuple_GET_ITEM(kwnames, k);
      if (PyUnicode_CompareWithASCIIString(name, "force")) raise(PyExc_TypeError, "numpy() got an unexpected keyword argument '%U'", name);
      const int on = PyObject_IsTrue(args[k]);
      checked(on);
      force = on;
    }
    return to_numpy(unwrap(self), force);
  });
}
// NumPy calls this: __array__(dtype=None, copy=None).
PyObject* array(PyObject* self, PyObject* args, PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    PyObject *dtype = Py_None, *copy = Py_None;
    static const char* names[] = {"dtype", "copy", nullptr};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:__array__", const_cast<char**>(names), &dtype, &copy)) return nullptr;
    Obj a = Obj::take(to_numpy(unwrap(self), false));
    if (dtype != Py_None) a = Obj::take(PyObject_CallMethod(a.get(), "astype", "OssOO", dtype, "K", "unsafe", Py_True, Py_False));
    if (copy == Py_True) a = Obj::take(PyObject_CallMethod(a.get(), "copy", nullptr));
    return a.release();
  });
}

// NumPy's ufuncs give their result through this: an array made of tensors becomes a tensor again.
PyObject* array_wrap(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *array, *context = nullptr, *scalar = nullptr;
    if (!PyArg_ParseTuple(args, "O|OO:__array_wrap__", &array, &context, &scalar)) return nullptr;
    return wrap(is_numpy_array(array) ? tensor_over_array(array) : tensor_from(array, std::nullopt));
  });
}
PyObject* to_bytes(PyObject*, PyObject* tensor) {
  return guarded([&] {
    if (!is_tensor(tensor)) raise(PyExc_TypeError, "to_bytes() takes a Tensor, not %.200s", Py_TYPE(tensor)->tp_name);
    return element_bytes(unwrap(tensor));
  });
}

// ---- functions of Python, element by element ---------------------------------------------------------------------------------------

// self becomes f(its elements, those of the others) one by one; the others broadcast.
PyObject* map_elements(const char* who, PyObject* self, PyObject* f, std::initializer_list<PyObject*> others) {
  return guarded([&] {
    const Tensor& x = unwrap(self);
    if (!PyCallable_Check(f)) raise(PyExc_TypeError, "%s(): the argument must be callable, not %.200s", who, Py_TYPE(f)->tp_name);
    if (needs_grad(x)) raise(PyExc_RuntimeError, "%s() cannot be used on a tensor that requires a gradient; it is not recorded", who);
    const NoGrad off;
    std::vector<Tensor> in{detach(x)};
    for (PyObject* o : others) {
      if (!is_tensor(o)) raise(PyExc_TypeError, "%s(): the other arguments must be tensors, not %.200s", who, Py_TYPE(o)->tp_name);
      in.push_back(expand(unwrap(o), x.sizes()));
    }
    for (Tensor& t : in) t = reshape(t, {-1});
    const Obj values = Obj::take(PyList_New(x.numel()));
    for (int64_t i = 0; i < x.numel(); i++) {
      const Obj args = Obj::take(PyTuple_New(Py_ssize_t(in.size())));
      for (size_t k = 0; k < in.size(); k++) PyTuple_SET_ITEM(args.get(), Py_ssize_t(k), item_of(select(in[k], 0, i)));
      PyList_SET_ITEM(values.get(), Py_ssize_t(i), checked(PyObject_CallObject(f, args.get())));
    }
    copy_(x, reshape(tensor_from(values.get(), x.dtype()), x.sizes()));
    return Py_NewRef(self);
  });
}
PyObject* apply(PyObject* self, PyObject* f) { return map_elements("apply_", self, f, {}); }
PyObject* map(PyObject* self, PyObject* args) {
  PyObject *other, *f;
  return PyArg_ParseTuple(args, "OO:map_", &other, &f) ? map_elements("map_", self, f, {other}) : nullptr;
}
PyObject* map2(PyObject* self, PyObject* args) {
  PyObject *x, *y, *f;
  return PyArg_ParseTuple(args, "OOO:map2_", &x, &y, &f) ? map_elements("map2_", self, f, {x, y}) : nullptr;
}

// ---- the array API standard ----------------------------------------------------------------------------------------------------------

PyObject* array_namespace(PyObject*, PyObject* args, PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    PyObject* version = Py_None;
    static const char* names[] = {"api_version", nullptr};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$O:__array_namespace__", const_cast<char**>(names), &version)) return nullptr;
    const Obj module = Obj::take(PyImport_ImportModule("tapegrad.array_api"));
    return PyObject_CallMethod(module.get(), "_of_version", "O", version);
  });
}
PyObject* to_device(PyObject* self, PyObject* args, PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    PyObject *device, *stream = Py_None;
    static const char* names[] = {"", "stream", nullptr};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$O:to_device", const_cast<char**>(names), &device, &stream)) return nullptr;
    if (stream != Py_None) raise(PyExc_NotImplementedError, "to_device: streams are not supported; leave stream out");
    Device wanted;
    if (!read_device(device, wanted)) raise(PyExc_TypeError, "to_device: device must be a device, not %.200s", Py_TYPE(device)->tp_name);
    return wrap(to(unwrap(self), wanted));
  });
}
PyObject* repr_html(PyObject* self, PyObject*) { return call_viz("notebook", "tensor_html", self); }

PyMethodDef functions[] = {{"to_bytes", to_bytes, METH_O, "The bytes of the elements, row-major, in the machine's order."}, {}};

}  // namespace

PyMethodDef tensor_methods[] = {
    {"size", function_pointer(size), METH_FASTCALL | METH_KEYWORDS, "size(dim=None)\n\nThe shape, or the size of one dimension."},
    {"stride", function_pointer(stride), METH_FASTCALL | METH_KEYWORDS, "stride(dim=None)\n\nThe strides in elements, or that of one dimension."},
    {"item", item, METH_NOARGS, "The one element as a Python number."},
    {"tolist", tolist, METH_NOARGS, "The elements as nested lists; a number for a 0-d tensor."},
    {"type", function_pointer(type_method), METH_VARARGS | METH_KEYWORDS, "type(dtype=None)\n\nThe old name of its type, or x cast."},
    {"new_tensor", function_pointer(new_tensor), METH_VARARGS | METH_KEYWORDS, "new_tensor(data, *, dtype=None, device=None, requires_grad=False)"},
    {"backward", function_pointer(tensor_backward), METH_FASTCALL | METH_KEYWORDS,
     "backward(gradient=None, retain_graph=None, create_graph=False, inputs=None, *, explain=False)\n\n"
     "Adds the gradients of x * gradient to the leaves' .grad. With explain=True the chain rule is printed first, as NumPy source."},
    {"register_hook", tensor_register_hook, METH_O, "register_hook(hook)\n\nCalls hook(grad) with each gradient of x; it may return another."},
    {"register_post_accumulate_grad_hook", tensor_register_post_hook, METH_O, "Calls hook(x) after x.grad was written."},
    {"numpy", function_pointer(numpy), METH_FASTCALL | METH_KEYWORDS, "numpy(*, force=False)\n\nThe same memory as a NumPy array."},
    {"_repr_html_", repr_html, METH_NOARGS, "A line about the tensor and a small table of its values, for notebooks."},
    {"__array__", function_pointer(array), METH_VARARGS | METH_KEYWORDS, nullptr},
    {"__array_wrap__", array_wrap, METH_VARARGS, nullptr},
    {"__complex__", as_complex, METH_NOARGS, nullptr},
    {"__dlpack__", function_pointer(tensor_dlpack), METH_VARARGS | METH_KEYWORDS, nullptr},
    {"__dlpack_device__", tensor_dlpack_device, METH_NOARGS, nullptr},
    {"__array_namespace__", function_pointer(array_namespace), METH_VARARGS | METH_KEYWORDS,
     "__array_namespace__(*, api_version=None)\n\ntapegrad.array_api, the functions of the array API standard."},
    {"to_device", function_pointer(to_device), METH_VARARGS | METH_KEYWORDS, "to_device(device, /, *, stream=None)\n\nto() under the array API's name."},
    {"__deepcopy__", deepcopy, METH_O, nullptr},
    {"__copy__", shallow_copy, METH_NOARGS, nullptr},
    {"__reduce_ex__", reduce, METH_O, nullptr},
    {"__format__", format, METH_O, nullptr},
    {"__reversed__", reversed, METH_NOARGS, nullptr},
    {"apply_", apply, METH_O, "apply_(callable)\n\nEach element x becomes callable(x): slow, and not recorded."},
    {"map_", map, METH_VARARGS, "map_(tensor, callable)\n\nEach element x becomes callable(x, y) with tensor's element y."},
    {"map2_", map2, METH_VARARGS, "map2_(x, y, callable)\n\nEach element becomes callable of it and those of x and y."},
    {"storage", storage, METH_NOARGS, "What its memory is part of."},
    {"untyped_storage", storage, METH_NOARGS, "What its memory is part of."},
    {"share_memory_", share_memory_, METH_NOARGS, "Moves it into memory that other processes can map. Other tensors over its old memory stay there."},
    {}};

void init_methods(PyObject* module) {
  PyType_Slot slots[] = {{Py_tp_dealloc, (void*)storage_dealloc}, {Py_tp_methods, storage_methods}, {Py_tp_richcompare, (void*)storage_compare},
                         {Py_tp_hash, (void*)storage_hash}, {Py_sq_length, (void*)storage_length}, {0, nullptr}};
  PyType_Spec spec{"tapegrad.UntypedStorage", sizeof(PyStorage), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
  StorageType = add_type(module, spec);
  const Obj home = Obj::take(PyUnicode_FromString("tapegrad._C"));
  rebuild_function = checked(PyCFunction_NewEx(&rebuild_def, nullptr, home.get()));
  checked(PyModule_AddObjectRef(module, "_rebuild_tensor", rebuild_function));
  checked(PyModule_AddFunctions(module, functions));
  const Obj priority = Obj::take(PyLong_FromLong(1000));  // numpy scalars leave `scalar * tensor` to us
  checked(PyObject_SetAttrString(reinterpret_cast<PyObject*>(TensorType), "__array_priority__", priority.get()));
}

}  // namespace tapegrad::py
