// The small Python values: dtypes, devices, memory formats, layouts, Size, Generator; and reading Python numbers.
#include <cstring>
#include <vector>

#include "py.h"
#include "src/tensor/cuda.h"
#include "tapegrad/ops.h"
#include "tapegrad/random.h"

namespace tapegrad::py {

PyTypeObject *SizeType, *DtypeType, *DeviceType_, *GeneratorType, *FormatType, *LayoutType;

namespace {

// ---- values that exist once: dtypes, memory formats, layouts ------------------------------------------------------------

struct PyValue {
  PyObject_HEAD
  int value;
  const char* name;
};
PyValue* value_of(PyObject* o) { return reinterpret_cast<PyValue*>(o); }
PyObject *dtypes[kDtypes], *formats[4], *strided;

PyObject* value_repr(PyObject* o) { return PyUnicode_FromFormat("tapegrad.%s", value_of(o)->name); }
PyObject* value_reduce(PyObject* o, PyObject*) { return PyUnicode_FromString(value_of(o)->name); }  // pickled by name
PyObject* value_copy(PyObject* o, PyObject*) { return Py_NewRef(o); }
PyMethodDef value_methods[] = {{"__reduce__", value_reduce, METH_NOARGS, nullptr}, {"__deepcopy__", value_copy, METH_O, nullptr},
                               {"__copy__", value_copy, METH_NOARGS, nullptr}, {}};

PyObject* dtype_is_float(PyObject* o, void*) {
  return PyBool_FromLong(is_floating(Dtype(value_of(o)->value)));
}
PyObject* dtype_is_complex(PyObject* o, void*) {
  return PyBool_FromLong(is_complex(Dtype(value_of(o)->value)));
}
PyObject* dtype_is_signed(PyObject* o, void*) {
  return PyBool_FromLong(is_signed(Dtype(value_of(o)->value)));
}
PyObject* dtype_itemsize(PyObject* o, void*) { return PyLong_FromSize_t(item_size(Dtype(value_of(o)->value))); }
PyGetSetDef dtype_getset[] = {{"is_floating_point", dtype_is_float, nullptr, nullptr, nullptr}, {"is_complex", dtype_is_complex, nullptr, nullptr, nullptr},
                              {"is_signed", dtype_is_signed, nullptr, nullptr, nullptr}, {"itemsize", dtype_itemsize, nullptr, nullptr, nullptr}, {}};
PyGetSetDef no_getset[] = {{}};

PyTypeObject* value_type(PyObject* module, const char* name, PyGetSetDef* getset) {
  PyType_Slot slots[] = {{Py_tp_repr, (void*)value_repr}, {Py_tp_methods, value_methods}, {Py_tp_getset, getset}, {0, nullptr}};
  PyType_Spec spec{name, sizeof(PyValue), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
  return add_type(module, spec);
}
PyObject* make_value(PyObject* module, PyTypeObject* type, int value, const char* name) {
  PyValue* v = PyObject_New(PyValue, type);
  if (!v) throw PythonError();
  v->value = value, v->name = name;
  checked(PyModule_AddObjectRef(module, name, reinterpret_cast<PyObject*>(v)));
  return reinterpret_cast<PyObject*>(v);
}

// ---- device --------------------------------------------------------------------------------------------------------

struct PyDevice {
  PyObject_HEAD
  Device device;
};
Device device_of(PyObject* o) { return reinterpret_cast<PyDevice*>(o)->device; }
PyObject* cpu_device;

PyObject* device_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    PyObject *type, *index = Py_None;
    static const char* names[] = {"type", "index", nullptr};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:device", const_cast<char**>(names), &type, &index)) return nullptr;
    Device d;
    if (!read_device(type, d)) raise(PyExc_TypeError, "device() takes a str, a device or an int, not %.200s", Py_TYPE(type)->tp_name);
    if (int64_t i; index != Py_None) {
      if (d.index >= 0) raise(PyExc_RuntimeError, "device(): the type string must not have an index when index is given");
      if (!read_int(index, i)) raise(PyExc_TypeError, "device(): index must be an int");
      d.index = int8_t(i);
    }
    return to_python(d);
  });
}
PyObject* device_repr(PyObject* o) {
  const Device d = device_of(o);
  const char* type = d.type == DeviceType::CUDA ? "cuda" : "cpu";
  return d.index < 0 ? PyUnicode_FromFormat("device(type='%s')", type) : PyUnicode_FromFormat("device(type='%s', index=%d)", type, int(d.index));
}
PyObject* device_str(PyObject* o) { return PyUnicode_FromString(to_string(device_of(o)).c_str()); }
PyObject* device_compare(PyObject* a, PyObject* b, int op) {
  if (!Py_IS_TYPE(b, DeviceType_) || (op != Py_EQ && op != Py_NE)) Py_RETURN_NOTIMPLEMENTED;
  return PyBool_FromLong((device_of(a) == device_of(b)) == (op == Py_EQ));
}
Py_hash_t device_hash(PyObject* o) { return int(device_of(o).type) * 1000 + device_of(o).index + 2; }
PyObject* device_type(PyObject* o, void*) { return PyUnicode_FromString(device_of(o).type == DeviceType::CUDA ? "cuda" : "cpu"); }
PyObject* device_index(PyObject* o, void*) {
  const Device d = device_of(o);
  return d.index < 0 ? Py_NewRef(Py_None) : PyLong_FromLong(d.index);
}
PyObject* device_reduce(PyObject* o, PyObject*) { return Py_BuildValue("O(s)", DeviceType_, to_string(device_of(o)).c_str()); }
PyGetSetDef device_getset[] = {{"type", device_type, nullptr, nullptr, nullptr}, {"index", device_index, nullptr, nullptr, nullptr}, {}};
// `with device:` makes it where factories put tensors; at the end that is again what it was.
thread_local std::vector<Device> outer_devices;
PyObject* device_enter(PyObject* o, PyObject*) {
  return guarded([&] {
    outer_devices.reserve(outer_devices.size() + 1);
    const Device outer = default_device();
    set_default_device(device_of(o));
    outer_devices.push_back(outer);
    return Py_NewRef(o);
  });
}
PyObject* device_exit(PyObject*, PyObject*) {
  return guarded([&] {
    if (outer_devices.empty()) raise(PyExc_RuntimeError, "device.__exit__() without __enter__()");
    set_default_device(outer_devices.back());
    outer_devices.pop_back();
    return Py_NewRef(Py_None);
  });
}
PyMethodDef device_methods[] = {{"__reduce__", device_reduce, METH_NOARGS, nullptr}, {"__enter__", device_enter, METH_NOARGS, nullptr},
                                {"__exit__", device_exit, METH_VARARGS, nullptr}, {}};
PyType_Slot device_slots[] = {{Py_tp_new, (void*)device_new}, {Py_tp_repr, (void*)device_repr}, {Py_tp_str, (void*)device_str},
                              {Py_tp_richcompare, (void*)device_compare}, {Py_tp_hash, (void*)device_hash}, {Py_tp_getset, device_getset},
                              {Py_tp_methods, device_methods}, {0, nullptr}};

// ---- Size: a tuple of sizes ----------------------------------------------------------------------------------------

PyObject* size_repr(PyObject* o) {
  const Obj list = Obj::take(PySequence_List(o));
  return PyUnicode_FromFormat("tapegrad.Size(%R)", list.get());
}
PyObject* as_size(PyObject* tuple) {  // takes over the reference
  if (!tuple || !PyTuple_CheckExact(tuple)) return tuple;
  const Py_ssize_t n = PyTuple_GET_SIZE(tuple);
  PyObject* r = SizeType->tp_alloc(SizeType, n);
  if (r) for (Py_ssize_t k = 0; k < n; k++) PyTuple_SET_ITEM(r, k, Py_NewRef(PyTuple_GET_ITEM(tuple, k)));
  Py_DECREF(tuple);
  return r;
}
PyObject* size_concat(PyObject* a, PyObject* b) { return as_size(PyTuple_Type.tp_as_sequence->sq_concat(a, b)); }
PyObject* size_repeat(PyObject* a, Py_ssize_t n) { return as_size(PyTuple_Type.tp_as_sequence->sq_repeat(a, n)); }
PyObject* size_subscript(PyObject* a, PyObject* key) { return as_size(PyTuple_Type.tp_as_mapping->mp_subscript(a, key)); }
PyObject* size_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  return guarded([&] {
    Obj o = Obj::take(PyTuple_Type.tp_new(type, args, kwargs));
    for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(o.get()); k++) {
      PyObject* item = PyTuple_GET_ITEM(o.get(), k);
      int64_t i = item == Py_True;
      if (!PyBool_Check(item) && !read_int(item, i)) raise(PyExc_TypeError, "Size() takes whole numbers, item %zd is %.200s", k, Py_TYPE(item)->tp_name);
      PyTuple_SET_ITEM(o.get(), k, checked(PyLong_FromLongLong(i)));
      Py_DECREF(item);
    }
    return o.release();
  });
}
PyObject* size_numel(PyObject* o, PyObject*) {
  return guarded([&] {
    int64_t n = 1, i;
    for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(o); k++) {
      if (!read_int(PyTuple_GET_ITEM(o, k), i)) raise(PyExc_TypeError, "Size holds something that is no integer");
      if (__builtin_mul_overflow(n, i, &n)) raise(PyExc_OverflowError, "the product of the sizes does not fit int64");
    }
    return PyLong_FromLongLong(n);
  });
}
PyObject* size_reduce(PyObject* o, PyObject*) {
  const Obj t = Obj::take(PySequence_Tuple(o));
  PyObject* plain = PyTuple_GetSlice(t.get(), 0, PyTuple_GET_SIZE(t.get()));
  return Py_BuildValue("O(N)", SizeType, PyTuple_CheckExact(plain) ? plain : PySequence_List(plain));
}
PyMethodDef size_methods[] = {{"numel", size_numel, METH_NOARGS, "The product of the sizes."}, {"__reduce__", size_reduce, METH_NOARGS, nullptr}, {}};
PyType_Slot size_slots[] = {{Py_tp_new, (void*)size_new}, {Py_tp_repr, (void*)size_repr}, {Py_tp_methods, size_methods}, {Py_sq_concat, (void*)size_concat},
                            {Py_sq_repeat, (void*)size_repeat}, {Py_mp_subscript, (void*)size_subscript}, {0, nullptr}};

// ---- Generator -----------------------------------------------------------------------------------------------------

struct PyGenerator {
  PyObject_HEAD
  Generator generator;
  Device device;
};
PyObject* generator_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    PyObject* device = nullptr;
    static const char* names[] = {"device", nullptr};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:Generator", const_cast<char**>(names), &device)) return nullptr;
    Device d;
    if (device && !read_device(device, d)) raise(PyExc_TypeError, "device must be a str or a device");
    if (d.type == DeviceType::CUDA) d = cuda_device(d);
    PyObject* o = checked(type->tp_alloc(type, 0));
    new (&reinterpret_cast<PyGenerator*>(o)->generator) Generator();
    reinterpret_cast<PyGenerator*>(o)->device = d;
    return o;
  });
}
void generator_dealloc(PyObject* o) {
  reinterpret_cast<PyGenerator*>(o)->generator.~Generator();
  PyTypeObject* t = Py_TYPE(o);
  t->tp_free(o);
  Py_DECREF(t);
}
PyObject* generator_manual_seed(PyObject* o, PyObject* value) {
  return guarded([&]() -> PyObject* {
    const Obj i = Obj::take(PyNumber_Index(value));
    int overflow;
    const int64_t s = PyLong_AsLongLongAndOverflow(i.get(), &overflow);  // negative seeds wrap, as PyTorch's
    if (overflow < 0) raise(PyExc_OverflowError, "manual_seed(): the seed must be from -2^63 to 2^64 - 1, got %R", i.get());
    const uint64_t seed = overflow ? PyLong_AsUnsignedLongLong(i.get()) : uint64_t(s);
    if (PyErr_Occurred()) return nullptr;
    unwrap_generator(o).manual_seed(seed);
    return Py_NewRef(o);
  });
}
PyObject* generator_seed(PyObject* o, PyObject*) { return guarded([&] { return PyLong_FromUnsignedLongLong(unwrap_generator(o).reseed()); }); }
PyObject* generator_initial_seed(PyObject* o, PyObject*) { return PyLong_FromUnsignedLongLong(unwrap_generator(o).seed()); }
PyObject* generator_get_state(PyObject* o, PyObject*) { return guarded([&] { return wrap(unwrap_generator(o).get_state()); }); }
PyObject* generator_set_state(PyObject* o, PyObject* state) {
  return guarded([&]() -> PyObject* {
    if (!is_tensor(state)) raise(PyExc_TypeError, "set_state() takes the Tensor that get_state() gave");
    unwrap_generator(o).set_state(unwrap(state));
    return Py_NewRef(o);
  });
}
PyObject* generator_device(PyObject* o, void*) { return to_python(reinterpret_cast<PyGenerator*>(o)->device); }
PyMethodDef generator_methods[] = {
    {"manual_seed", generator_manual_seed, METH_O, "Starts again from this seed."},
    {"seed", generator_seed, METH_NOARGS, "Starts again from a seed of the system; returns it."},
    {"initial_seed", generator_initial_seed, METH_NOARGS, "The seed it was started with."},
    {"get_state", generator_get_state, METH_NOARGS, "The state as a tensor of bytes."},
    {"set_state", generator_set_state, METH_O, "Restores what get_state() gave."}, {}};
PyGetSetDef generator_getset[] = {{"device", generator_device, nullptr, nullptr, nullptr}, {}};
PyType_Slot generator_slots[] = {{Py_tp_new, (void*)generator_new}, {Py_tp_dealloc, (void*)generator_dealloc}, {Py_tp_methods, generator_methods},
                                 {Py_tp_getset, generator_getset}, {Py_tp_doc, const_cast<char*>("A stream of random numbers.")}, {0, nullptr}};

}  // namespace

// ---- to Python -----------------------------------------------------------------------------------------------------

PyObject* to_python(Dtype d) { return Py_NewRef(dtypes[int(d)]); }
PyObject* to_python(Device d) {
  if (d == Device() && cpu_device) return Py_NewRef(cpu_device);
  PyDevice* o = PyObject_New(PyDevice, DeviceType_);
  if (o) o->device = d;
  return reinterpret_cast<PyObject*>(o);
}
PyObject* to_python(Scalar s) {
  if (s.is_float()) return PyFloat_FromDouble(s.to_double());
  if (s.is_complex()) return PyComplex_FromDoubles(s.to_double(), s.to_complex().im);
  return s.kind() == Scalar::Kind::Bool ? PyBool_FromLong(s.to_bool()) : PyLong_FromLongLong(s.to_int());
}
PyObject* size_object(IntList sizes) {
  PyObject* r = SizeType->tp_alloc(SizeType, Py_ssize_t(sizes.size()));
  if (r) for (size_t k = 0; k < sizes.size(); k++) PyTuple_SET_ITEM(r, Py_ssize_t(k), PyLong_FromLongLong(sizes[k]));
  return r;
}
PyObject* int_tuple(IntList values) {
  PyObject* r = PyTuple_New(Py_ssize_t(values.size()));
  if (r) for (size_t k = 0; k < values.size(); k++) PyTuple_SET_ITEM(r, Py_ssize_t(k), PyLong_FromLongLong(values[k]));
  return r;
}

// ---- from Python ---------------------------------------------------------------------------------------------------

bool is_numpy_scalar(PyObject* o) { return !std::strncmp(Py_TYPE(o)->tp_name, "numpy.", 6) && !is_numpy_array(o); }
bool is_numpy_array(PyObject* o) {
  static PyTypeObject* ndarray = nullptr;
  if (!ndarray) {  // an array can exist only when its module was imported
    PyObject* numpy = PyDict_GetItemString(PyImport_GetModuleDict(), "numpy");
    if (!numpy) return false;
    ndarray = reinterpret_cast<PyTypeObject*>(PyObject_GetAttrString(numpy, "ndarray"));
    if (!ndarray) { PyErr_Clear(); return false; }  // NumPy is being imported
  }
  return PyObject_TypeCheck(o, ndarray);
}

bool read_dtype(PyObject* o, Dtype& d) {
  if (Py_IS_TYPE(o, DtypeType)) {
    d = Dtype(value_of(o)->value);
    return true;
  }
  if (o == reinterpret_cast<PyObject*>(&PyFloat_Type)) d = Dtype::Float64;
  else if (o == reinterpret_cast<PyObject*>(&PyLong_Type)) d = Dtype::Int64;
  else if (o == reinterpret_cast<PyObject*>(&PyBool_Type)) d = Dtype::Bool;
  else if (o == reinterpret_cast<PyObject*>(&PyComplex_Type)) d = Dtype::Complex128;
  else return false;
  return true;
}
bool read_device(PyObject* o, Device& d) {
  if (Py_IS_TYPE(o, DeviceType_)) { d = device_of(o); return true; }
  if (PyUnicode_Check(o)) {
    const char* s = PyUnicode_AsUTF8(o);
    if (!s) throw PythonError();
    d = Device(s);
    return true;
  }
  int64_t i;
  if (!read_int(o, i)) return false;
  d = Device(DeviceType::CUDA, int(i));
  return true;
}
bool read_format(PyObject* o, MemoryFormat& f) {
  if (!Py_IS_TYPE(o, FormatType)) return false;
  f = MemoryFormat(value_of(o)->value);
  return true;
}
bool read_int(PyObject* o, int64_t& i) {
  if (PyLong_CheckExact(o)) [[likely]] {
    i = PyLong_AsLongLong(o);
    if (i == -1 && PyErr_Occurred()) throw PythonError();
    return true;
  }
  if (PyBool_Check(o) || PyFloat_Check(o) || !PyIndex_Check(o)) return false;
  if (is_tensor(o) && (unwrap(o).dim() || is_differentiable(unwrap(o).dtype()) || unwrap(o).dtype() == Dtype::Bool)) return false;
  PyObject* index = PyNumber_Index(o);
  if (!index) {  // arrays of several elements have the slot too
    PyErr_Clear();
    return false;
  }
  const Obj held = Obj::take(index);
  i = PyLong_AsLongLong(index);
  if (i == -1 && PyErr_Occurred()) throw PythonError();
  return true;
}
bool read_bool(PyObject* o, bool& b) {
  if (PyBool_Check(o)) { b = o == Py_True; return true; }
  const char* type = Py_TYPE(o)->tp_name;
  if (!std::strcmp(type, "numpy.bool_") || !std::strcmp(type, "numpy.bool")) {
    const int t = PyObject_IsTrue(o);
    checked(t);
    b = t;
    return true;
  }
  return false;
}
bool read_scalar(PyObject* o, Scalar& s, bool* large) {
  if (PyFloat_CheckExact(o)) { s = Scalar(PyFloat_AS_DOUBLE(o)); return true; }
  if (PyBool_Check(o)) { s = Scalar(o == Py_True); return true; }
  if (PyLong_Check(o)) {
    int overflow;
    const long long i = PyLong_AsLongLongAndOverflow(o, &overflow);
    if (i == -1 && PyErr_Occurred()) throw PythonError();
    if (overflow > 0 && large) {
      const unsigned long long bits = PyLong_AsUnsignedLongLong(o);
      if (bits == ~0ull && PyErr_Occurred()) throw PythonError();
      *large = true, s = Scalar((long long)bits);
      return true;
    }
    if (overflow) raise(PyExc_OverflowError, "the integer does not fit into 64 bits");
    s = Scalar(i);
    return true;
  }
  if (PyFloat_Check(o)) { s = Scalar(PyFloat_AS_DOUBLE(o)); return true; }
  if (PyComplex_Check(o)) {
    s = Scalar(Complex<double>(PyComplex_RealAsDouble(o), PyComplex_ImagAsDouble(o)));
    return true;
  }
  if (is_tensor(o)) {
    if (unwrap(o).dim() || unwrap(o).requires_grad()) return false;
    s = unwrap(o).item();
    return true;
  }
  if (!is_numpy_scalar(o)) return false;
  bool b;
  int64_t i;
  if (read_bool(o, b)) { s = Scalar(b); return true; }
  if (read_int(o, i)) { s = Scalar((long long)i); return true; }
  if (!std::strncmp(Py_TYPE(o)->tp_name, "numpy.complex", 13)) {
    const Py_complex z = PyComplex_AsCComplex(o);
    s = Scalar(Complex<double>(z.real, z.imag));
    return true;
  }
  const double d = PyFloat_AsDouble(o);
  if (d == -1 && PyErr_Occurred()) { PyErr_Clear(); return false; }
  s = Scalar(d);
  return true;
}
bool read_number(PyObject* o, Tensor& made) {
  Scalar s = 0;
  bool large = false;
  if (!read_scalar(o, s, &large)) return false;
  if (!large) made = Tensor(s);
  else made = view(full({}, s, Dtype::Int64), Dtype::UInt64), made->wrapped_number = true;
  return true;
}
PyObject* generator_object(const Generator& g) {
  PyObject* o = GeneratorType->tp_alloc(GeneratorType, 0);
  if (!o) return nullptr;
  new (&reinterpret_cast<PyGenerator*>(o)->generator) Generator(g);  // shares the stream
  reinterpret_cast<PyGenerator*>(o)->device = Device();
  return o;
}
const Generator& unwrap_generator(PyObject* o) { return reinterpret_cast<PyGenerator*>(o)->generator; }

void init_values(PyObject* module) {
  DtypeType = value_type(module, "tapegrad.dtype", dtype_getset);
  for (int k = 0; k < kDtypes; k++) dtypes[k] = make_value(module, DtypeType, k, name(Dtype(k)));
  constexpr std::pair<const char*, Dtype> others[] = {{"float", Dtype::Float32}, {"double", Dtype::Float64}, {"half", Dtype::Float16},
      {"int", Dtype::Int32}, {"long", Dtype::Int64}, {"short", Dtype::Int16}, {"cfloat", Dtype::Complex64}, {"cdouble", Dtype::Complex128}};
  for (auto [other, d] : others) checked(PyModule_AddObjectRef(module, other, dtypes[int(d)]));

  FormatType = value_type(module, "tapegrad.memory_format", no_getset);
  constexpr const char* names[] = {"contiguous_format", "preserve_format", "channels_last", "channels_last_3d"};
  for (int k = 0; k < 4; k++) formats[k] = make_value(module, FormatType, k, names[k]);
  LayoutType = value_type(module, "tapegrad.layout", no_getset);
  strided = make_value(module, LayoutType, 0, "strided");

  PyType_Spec device{"tapegrad.device", sizeof(PyDevice), 0, Py_TPFLAGS_DEFAULT, device_slots};
  DeviceType_ = add_type(module, device);
  cpu_device = to_python(Device());
  PyType_Spec size{"tapegrad.Size", 0, 0, Py_TPFLAGS_DEFAULT, size_slots};
  SizeType = add_type(module, size, reinterpret_cast<PyObject*>(&PyTuple_Type));
  PyType_Spec generator{"tapegrad.Generator", sizeof(PyGenerator), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, generator_slots};
  GeneratorType = add_type(module, generator);
}

}  // namespace tapegrad::py
