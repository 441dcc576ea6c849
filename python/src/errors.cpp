// Errors: the Python classes of tapegrad's C++ exceptions, and the translation both ways.
#include <cstdarg>
#include <new>
#include <typeinfo>

#include "py.h"

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
  add_class(module, typeid(IoError), "IoError", "A file cannot be read or written; also an OSError.", PyExc_OSError);
}

void raise(PyObject* type, const char* format, ...) {
  va_list args;
  va_start(args, format);
  PyErr_FormatV(type, format, args);
  va_end(args);
  throw PythonError();
}

PyObject* raise_current() {
  try {
    throw;
  } catch (const PythonError&) {
  } catch (const Error& e) {
    PyObject* type = ErrorType;
    for (const Class& c : classes) if (*c.cpp == typeid(e)) type = c.python;
    PyErr_SetString(type, e.what());
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::exception& e) {
    PyErr_SetString(ErrorType, e.what());
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
