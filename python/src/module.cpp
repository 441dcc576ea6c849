// The module tapegrad._C: everything of the bindings in one place, in the order in which it needs each other.
#include "autocast.h"
#include "tapegrad/random.h"

namespace tapegrad::py {

namespace {

PyObject* py_set_num_threads(PyObject*, PyObject* n) {
  return guarded([&]() -> PyObject* {
    int64_t i;
    if (!read_int(n, i)) raise(PyExc_TypeError, "set_num_threads() takes an int, not %.200s", Py_TYPE(n)->tp_name);
    if (i < 1) raise(PyExc_ValueError, "set_num_threads() takes a positive number, got %lld", (long long)i);
    set_num_threads(int(i));
    Py_RETURN_NONE;
  });
}
PyObject* py_num_threads(PyObject*, PyObject*) { return PyLong_FromLong(num_threads()); }
PyObject* py_memory_stats(PyObject*, PyObject*) {
  const MemoryStats s = memory_stats();
  return Py_BuildValue("{sLsLsLsLsL}", "in_use", (long long)s.in_use, "peak", (long long)s.peak, "cached", (long long)s.cached,
                       "tensors", (long long)s.tensors, "nodes", (long long)s.nodes);
}
PyObject* py_reset_peak_memory(PyObject*, PyObject*) { reset_peak_memory(); Py_RETURN_NONE; }
PyObject* py_empty_cache(PyObject*, PyObject*) { empty_cache(); Py_RETURN_NONE; }
PyObject* py_set_cache_limit(PyObject*, PyObject* bytes) {
  const size_t n = PyLong_AsSize_t(bytes);
  if (PyErr_Occurred()) return nullptr;
  set_cache_limit(n);
  Py_RETURN_NONE;
}
PyObject* py_default_dtype(PyObject*, PyObject*) { return to_python(default_dtype()); }
PyObject* py_set_default_dtype(PyObject*, PyObject* o) {
  return guarded([&]() -> PyObject* {
    Dtype d;
    if (!read_dtype(o, d)) raise(PyExc_TypeError, "set_default_dtype() takes a tapegrad.dtype, not %.200s", Py_TYPE(o)->tp_name);
    set_default_dtype(d);
    Py_RETURN_NONE;
  });
}
PyObject* py_default_device(PyObject*, PyObject*) { return to_python(default_device()); }
PyObject* py_set_default_device(PyObject*, PyObject* o) {
  return guarded([&]() -> PyObject* {
    Device d;
    if (!read_device(o, d)) raise(PyExc_TypeError, "set_default_device() takes a device, not %.200s", Py_TYPE(o)->tp_name);
    set_default_device(d);
    Py_RETURN_NONE;
  });
}
// None leaves an option as it is; sci_mode: None is automatic.
PyObject* py_set_print_options(PyObject*, PyObject* args, PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    PyObject *v[5] = {}, *profile = Py_None;
    static const char* names[] = {"precision", "threshold", "edgeitems", "linewidth", "profile", "sci_mode", nullptr};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OOOOOO:set_printoptions", const_cast<char**>(names), &v[0], &v[1], &v[2], &v[3], &profile, &v[4])) return nullptr;
    PrintOptions& o = print_options();
    if (profile != Py_None) {
      const char* p = PyUnicode_Check(profile) ? PyUnicode_AsUTF8(profile) : "";
      const std::string_view name = p ? p : "";
      if (name != "default" && name != "short" && name != "full") raise(PyExc_ValueError, "set_printoptions(): profile is 'default', 'short' or 'full'");
      o = PrintOptions();
      if (name == "short") o.precision = 2, o.edgeitems = 2;
      if (name == "full") o.threshold = INT32_MAX;
    }
    int* fields[] = {&o.precision, &o.threshold, &o.edgeitems, &o.linewidth};
    for (int k = 0; k < 4; k++) {
      if (!v[k] || v[k] == Py_None) continue;
      const double d = PyFloat_AsDouble(v[k]);  // threshold may be inf
      if (d == -1 && PyErr_Occurred()) return nullptr;
      *fields[k] = d > INT32_MAX ? INT32_MAX : int(d);
    }
    if (v[4]) o.sci_mode = v[4] == Py_None ? std::optional<bool>() : std::optional<bool>(PyObject_IsTrue(v[4]) == 1);
    Py_RETURN_NONE;
  });
}
PyObject* make_subclass(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return guarded([&]() -> PyObject* {
    if (nargs < 2 || nargs > 3 || !PyType_Check(args[0]) || !PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(args[0]), TensorType) || !is_tensor(args[1]))
      raise(PyExc_TypeError, "make_subclass(cls, tensor, requires_grad=False)");
    Tensor t = detach(unwrap(args[1]));
    bool on = false;
    if (nargs == 3 && !read_bool(args[2], on)) raise(PyExc_TypeError, "make_subclass(): requires_grad must be a bool");
    if (on) t.set_requires_grad();
    return wrap_as(reinterpret_cast<PyTypeObject*>(args[0]), std::move(t));
  });
}

PyMethodDef functions[] = {
    {"set_num_threads", py_set_num_threads, METH_O, "Threads that kernels may use."}, {"get_num_threads", py_num_threads, METH_NOARGS, nullptr},
    {"memory_stats", py_memory_stats, METH_NOARGS, "Bytes in use, at peak and cached; live tensors and nodes."},
    {"reset_peak_memory", py_reset_peak_memory, METH_NOARGS, nullptr}, {"empty_cache", py_empty_cache, METH_NOARGS, "Gives cached memory back to the system."},
    {"set_cache_limit", py_set_cache_limit, METH_O, "Cached bytes above this go back to the system."},
    {"get_default_dtype", py_default_dtype, METH_NOARGS, nullptr}, {"set_default_dtype", py_set_default_dtype, METH_O, nullptr},
    {"get_default_device", py_default_device, METH_NOARGS, nullptr}, {"set_default_device", py_set_default_device, METH_O, nullptr},
    {"set_printoptions", function_pointer(py_set_print_options), METH_VARARGS | METH_KEYWORDS, nullptr},
    {"make_subclass", function_pointer(make_subclass), METH_FASTCALL, "A new object of a Tensor subclass over the tensor's memory."},
    {"set_internal_prefix", set_internal_prefix, METH_O, "Files below this path are the library: places name the caller outside."},
    {}};

PyModuleDef definition = {PyModuleDef_HEAD_INIT, "tapegrad._C", "The C++ part of tapegrad.", -1, nullptr, nullptr, nullptr, nullptr, nullptr};

void fill(PyObject* module) {
  init_errors(module);
  init_values(module);
  init_tensor(module);
  init_methods(module);
  init_places();
  init_autograd(module);
  init_function(module);
  init_modes(module);
  init_module_base(module);
  init_ops(module);
  init_cuda(module);
  for (PyMethodDef* list : {functions, data_functions(), numpy_functions(), dlpack_functions(), table_functions(), shared_functions(), checksum_functions(), autocast_functions(), insight_functions(), profile_functions(), tape_functions()}) checked(PyModule_AddFunctions(module, list));
  const Obj generator = Obj::take(generator_object(default_generator()));
  checked(PyModule_AddObjectRef(module, "default_generator", generator.get()));
}

}  // namespace
}  // namespace tapegrad::py

PyMODINIT_FUNC PyInit__C() {
  using namespace tapegrad::py;
  PyObject* module = PyModule_Create(&definition);
  if (!module) return nullptr;
  try {
    fill(module);
    return module;
  } catch (const std::logic_error& e) {
    PyErr_SetString(PyExc_ImportError, e.what());
  } catch (...) { raise_current(); }
  Py_DECREF(module);
  return nullptr;
}
