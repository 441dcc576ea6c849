// Errors: the Python classes of tapegrad's C++ exceptions, and the translation both ways.
#include <cxxabi.h>

#include <cstdarg>
#include <new>
#include <typeinfo>

#include "py.h"
#include "src/tensor/places.h"
#include "tapegrad/explain.h"

namespace tapegrad::py {

namespace {

PyObject* ErrorType;
struct Class { const std::type_info* cpp; PyObject* python; };
std::vector<Class> classes;

PyObject* add_class(PyObject* module, const std::type_info& cpp, const char* name, const char* doc, PyObject* builtin) {
  // Not named as the builtins they derive from, which `from tapegrad import *` must not hide.
  const Obj bases = Obj::take(builtin ? PyTuple_Pack(2, ErrorType, builtin) : PyTuple_Pack(1, ErrorType ? ErrorType : PyExc_RuntimeError));
  std::string full = "tapegrad.";
  full += name;
  PyObject* type = checked(PyErr_NewExceptionWithDoc(full.c_str(), doc, bases.get(), nullptr));
  checked(PyModule_AddObjectRef(module, name, type));
  classes.push_back({&cpp, type});
  return type;
}
}  // namespace

// ---- explain

namespace {
/// What o contributes to the reason: 0 for nothing.
uint16_t reason_of(PyObject* o, const Tensor& out, const char* op) {
  if (is_tensor(o)) {
    const Tensor& in = unwrap(o);
    if (in.is_same(out)) return 0;
    return !needs_grad(in) ? in->origin : tls.no_grad ? tls.origin : make_note(op, place_now());
  }
  if (!PyTuple_CheckExact(o) && !PyList_CheckExact(o)) return 0;
  for (Py_ssize_t k = 0; k < PySequence_Fast_GET_SIZE(o); k++) {
    PyObject* item = PySequence_Fast_GET_ITEM(o, k);
    if (is_tensor(item)) if (const uint16_t r = reason_of(item, out, op)) return r;
  }
  return 0;
}
PyObject* py_explain(PyObject*, PyObject* o) {
  return guarded([&] {
    const std::string text = explain(tensor_or_none(o, "the argument of explain()"));
    return PyUnicode_FromStringAndSize(text.data(), Py_ssize_t(text.size()));
  });
}
PyMethodDef functions[] = {{"explain", py_explain, METH_O, "explain(tensor, /)\n--\n\nWhy tensor.grad is None, or why it does not require grad, and which line is the reason."}, {}};
}  // namespace

void note_why(const Tensor& out, const char* op, PyObject* const* args, Py_ssize_t n) {
  for (Py_ssize_t k = 0; k < n && !out->origin; k++) out->origin = reason_of(args[k], out, op);
}

void init_errors(PyObject* module) {
  ErrorType = add_class(module, typeid(Error), "Error", "Base of tapegrad's errors; a RuntimeError.", nullptr);
  add_class(module, typeid(ShapeError), "ShapeError", "Shapes do not fit; also a ValueError.", PyExc_ValueError);
  add_class(module, typeid(DtypeError), "DtypeError", "Element types do not fit; also a TypeError.", PyExc_TypeError);
  add_class(module, typeid(ValueError), "ArgumentError", "An argument has no valid value; also a ValueError.", PyExc_ValueError);
  add_class(module, typeid(IndexError), "IndexOutOfRange", "An index or dimension is out of range; also an IndexError.", PyExc_IndexError);
  add_class(module, typeid(GradError), "GradError", "The tape cannot do what was asked.", nullptr);
  add_class(module, typeid(DeviceError), "DeviceError", "A device is missing or does not fit.", nullptr);
  add_class(module, typeid(OutOfMemoryError), "OutOfMemoryError", "Not enough memory; also a MemoryError.", PyExc_MemoryError);
  add_class(module, typeid(NotImplementedError), "UnsupportedError", "Not implemented; also a NotImplementedError.", PyExc_NotImplementedError);
  add_class(module, typeid(LinAlgError), "LinAlgError", "A matrix is singular, not positive definite, or holds NaN or infinity.", nullptr);
  checked(PyModule_AddFunctions(module, functions));
  add_class(module, typeid(IoError), "IoError", "A file cannot be read or written; also an OSError.", PyExc_OSError);
}

std::string text_of(PyObject* s) {
  if (const char* text = PyUnicode_AsUTF8(s)) return text;
  PyErr_Clear();
  return "?";
}
void raise(PyObject* type, const char* format, ...) {
  va_list args;
  va_start(args, format);
  PyErr_FormatV(type, format, args);
  va_end(args);
  throw PythonError();
}

// What Python code raised in a node's backward gets a note with the line of the forward, unless an op in there has said it.
void note_forward_line() {
  const Node* n = tls.differentiating;
  if (!n->place.where || !PyErr_Occurred() || !PyErr_ExceptionMatches(PyExc_Exception)) return;
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  PyErr_NormalizeException(&type, &value, &traceback);
  const std::string line = place_line((std::string("in the backward of ") + n->name() + ", called at").c_str(), n->place).substr(1);
  PyObject* notes = PyObject_GetAttrString(value, "__notes__");
  PyErr_Clear();
  if (!notes && (notes = PyList_New(0))) PyObject_SetAttrString(value, "__notes__", notes);
  PyObject* message = PyObject_Str(value);
  const std::string said = message ? text_of(message) : "";
  PyObject* text = PyUnicode_FromStringAndSize(line.data(), Py_ssize_t(line.size()));
  if (notes && PyList_Check(notes) && text && said.find(describe(n->place)) == said.npos &&
      PySequence_Contains(notes, text) == 0) PyList_Append(notes, text);
  Py_XDECREF(text);
  Py_XDECREF(message);
  Py_XDECREF(notes);
  PyErr_Clear();
  PyErr_Restore(type, value, traceback);
}

PyObject* raise_error(const Error& e, const std::string& text) {
  PyObject* type = ErrorType;
  for (const Class& c : classes) if (*c.cpp == typeid(e)) type = c.python;
  PyErr_SetString(type, text.c_str());
  return nullptr;
}
PyObject* raise_current() {
  try {
    throw;
  } catch (const PythonError&) {
  } catch (const Error& e) {
    raise_error(e, e.what());
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::exception& e) {
    PyErr_SetString(ErrorType, e.what());
  } catch (const abi::__forced_unwind&) {
    stay_for_ever();
  }
  return nullptr;
}

PyTypeObject* add_type(PyObject* module, PyType_Spec& spec, PyObject* base) {
  PyObject* type = checked(base ? PyType_FromSpecWithBases(&spec, base) : PyType_FromSpec(&spec));
  const std::string_view name = spec.name;
  checked(PyModule_AddObjectRef(module, spec.name + name.rfind('.') + 1, type));
  return reinterpret_cast<PyTypeObject*>(type);
}

}  // namespace tapegrad::py
