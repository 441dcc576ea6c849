// tensor(), as_tensor(), asarray(): Python data in; tolist() and item(): out.
#include <cmath>
#include <cstring>
#include <limits>

#include "py.h"
#include "tapegrad/ops.h"

namespace tapegrad::py {
namespace {

bool is_sequence(PyObject* o) { return PyList_Check(o) || PyTuple_Check(o); }

// ---- nested sequences of numbers -----------------------------------------------------------------------------------

// What a nested sequence is made of, found before anything is allocated.
struct Layout {
  int64_t sizes[kMaxDims];
  int dims = 0;
  bool tensors = false;              // holds tensors or arrays at its leaves
  bool any_bool = false, any_int = false, any_float = false, any_complex = false;
  std::optional<Dtype> array_dtype;  // of NumPy scalars, tensors and arrays

  IntList shape() const { return {sizes, size_t(dims)}; }
  Dtype dtype() const {
    std::optional<Dtype> d = array_dtype;
    auto join = [&](Dtype x) { d = d ? promote(*d, x) : x; };
    if (any_bool) join(Dtype::Bool);
    if (any_int) join(Dtype::Int64);
    if (any_float || (!d && !any_complex)) join(default_dtype());
    if (any_complex) join(complex_dtype(default_dtype()));
    return *d;
  }
};

std::optional<Dtype> numpy_scalar_dtype(PyObject* o) {
  PyObject* type = PyObject_GetAttrString(o, "dtype");
  if (!type) { PyErr_Clear(); return {}; }
  const Obj held = Obj::take(type), name = Obj::take(PyObject_GetAttrString(type, "name"));
  const std::string text = text_of(name.get());
  for (int k = 0; k < kDtypes; k++) if (text == tapegrad::name(Dtype(k))) return Dtype(k);
  return {};
}

void look_at_leaf(PyObject* o, Layout& l) {
  if (PyFloat_CheckExact(o)) { l.any_float = true; return; }
  if (PyBool_Check(o)) { l.any_bool = true; return; }
  if (PyLong_Check(o)) { l.any_int = true; return; }
  if (PyComplex_CheckExact(o)) { l.any_complex = true; return; }
  if (is_numpy_scalar(o)) {
    if (auto d = numpy_scalar_dtype(o)) {
      l.array_dtype = l.array_dtype ? promote(*l.array_dtype, *d) : *d;
      return;
    }
  }
  if (PyFloat_Check(o)) { l.any_float = true; return; }  // after NumPy's, as its float64 is a float too
  if (PyIndex_Check(o)) { l.any_int = true; return; }
  if (PyUnicode_Check(o) || PyBytes_Check(o)) raise(PyExc_TypeError, "tensor(): cannot make a number of a %.200s", Py_TYPE(o)->tp_name);
  if (Py_TYPE(o)->tp_as_number && Py_TYPE(o)->tp_as_number->nb_float) { l.any_float = true; return; }
  raise(PyExc_TypeError, "tensor(): cannot make a number of a %.200s", Py_TYPE(o)->tp_name);
}
void look(PyObject* o, Layout& l, int depth) {
  if (is_sequence(o)) {
    const Py_ssize_t n = PySequence_Fast_GET_SIZE(o);
    if (depth == l.dims) {
      if (depth == kMaxDims) raise(PyExc_ValueError, "tensor(): more than %d dimensions", kMaxDims);
      l.sizes[l.dims++] = n;
    } else if (l.sizes[depth] != n) {
      raise(PyExc_ValueError, "tensor(): expected sequence of length %lld at dim %d (got %zd)", (long long)l.sizes[depth], depth, n);
    }
    for (Py_ssize_t k = 0; k < n; k++) {
      PyObject* item = PySequence_Fast_GET_ITEM(o, k);
      if (k && is_sequence(item) != (l.dims > depth + 1) && !l.tensors) raise(PyExc_ValueError, "tensor(): a number and a sequence side by side at dim %d", depth);
      look(item, l, depth + 1);
    }
  } else if (is_tensor(o) || is_numpy_array(o)) {
    const Tensor t = is_tensor(o) ? unwrap(o) : readable_array(o);
    l.tensors = true;
    l.array_dtype = l.array_dtype ? promote(*l.array_dtype, t.dtype()) : t.dtype();
    for (int64_t d = 0; d < t.dim(); d++) {
      const int64_t at = depth + d;
      if (at == l.dims) l.sizes[l.dims++] = t.size(d);
      else if (l.sizes[at] != t.size(d)) raise(PyExc_ValueError, "tensor(): tensors of different shapes side by side");
    }
    if (depth + t.dim() < l.dims) raise(PyExc_ValueError, "tensor(): tensors of different shapes side by side");
  } else {
    look_at_leaf(o, l);
  }
}

int64_t integer_of(PyObject* o) {
  if (PyFloat_Check(o)) {
    const double v = PyFloat_AS_DOUBLE(o);
    if (!(v >= -0x1p63 && v < 0x1p63)) raise(PyExc_RuntimeError, "value %S cannot be converted to an integer without overflow", o);
    return int64_t(v);
  }
  const Obj i = Obj::take(PyNumber_Index(o));
  const long long v = PyLong_AsLongLong(i.get());
  if (v == -1 && PyErr_Occurred()) throw PythonError();
  return v;
}
double real_of(PyObject* o) {
  if (PyFloat_CheckExact(o)) return PyFloat_AS_DOUBLE(o);
  const double v = PyFloat_AsDouble(o);
  if (v == -1 && PyErr_Occurred()) throw PythonError();
  return v;
}
template <class T> T convert(PyObject* o) {
  if constexpr (ComplexNumber<T>) {
    const Py_complex z = PyComplex_AsCComplex(o);
    if (z.real == -1 && PyErr_Occurred()) throw PythonError();
    return {typename T::value_type(z.real), typename T::value_type(z.imag)};
  } else  if constexpr (std::is_same_v<T, bool>) {
    const int b = PyObject_IsTrue(o);
    checked(b);
    return b;
  } else if constexpr (std::is_floating_point_v<T>) {
    return T(real_of(o));
  } else if constexpr (std::is_same_v<T, uint64_t>) {
    if (PyFloat_Check(o)) return T(PyFloat_AS_DOUBLE(o));
    const Obj i = Obj::take(PyNumber_Index(o));
    const unsigned long long v = PyLong_AsUnsignedLongLong(i.get());
    if (v == static_cast<unsigned long long>(-1) && PyErr_Occurred()) throw PythonError();
    return v;
  } else {
    const int64_t v = integer_of(o);
    constexpr int64_t most = int64_t(std::numeric_limits<T>::max()), least = std::is_signed_v<T> ? int64_t(std::numeric_limits<T>::min()) : -most;
    if (v < least || v > most) raise(PyExc_RuntimeError, "value cannot be converted to type %s without overflow", name(DtypeOf<T>::value));
    return T(v);
  }
}
template <class T> T* fill(PyObject* o, T* p, const Layout& l, int depth) {
  if (depth == l.dims) {
    *p = convert<T>(o);
    return p + 1;
  }
  if (!is_sequence(o) || PySequence_Fast_GET_SIZE(o) != l.sizes[depth]) raise(PyExc_RuntimeError, "tensor(): the data changed while it was read");
  for (Py_ssize_t k = 0; k < l.sizes[depth]; k++) p = fill(PySequence_Fast_ITEMS(o)[k], p, l, depth + 1);
  return p;
}
template <class T> void fill_all(const Tensor& t, PyObject* data, const Layout& l) { fill(data, reinterpret_cast<T*>(t->data), l, 0); }

// Tensors and arrays at the leaves: each is cast and copied into its place.
void place(PyObject* o, const Tensor& into) {
  if (is_tensor(o)) {
    copy_(into, detach(unwrap(o)));
  } else if (is_numpy_array(o)) {
    copy_(into, readable_array(o));
  } else if (is_sequence(o)) {
    for (Py_ssize_t k = 0; k < PySequence_Fast_GET_SIZE(o); k++) place(PySequence_Fast_GET_ITEM(o, k), select(into, 0, k));
  } else {
    copy_(into, tensor_from(o, into.dtype()));
  }
}

Tensor from_layout(PyObject* data, const Layout& l, Dtype dtype) {
  if (l.tensors) {
    const NoGrad off;
    Tensor t = empty(l.shape(), dtype);
    place(data, t);
    return t;
  }
  if (dtype == Dtype::Float16 || dtype == Dtype::BFloat16) return to(from_layout(data, l, Dtype::Float64), dtype);
  Tensor t = empty(l.shape(), dtype);
  switch (dtype) {
    case Dtype::Bool: fill_all<bool>(t, data, l); break;
    case Dtype::UInt8: fill_all<uint8_t>(t, data, l); break;
    case Dtype::Int8: fill_all<int8_t>(t, data, l); break;
    case Dtype::Int16: fill_all<int16_t>(t, data, l); break;
    case Dtype::Int32: fill_all<int32_t>(t, data, l); break;
    case Dtype::Int64: fill_all<int64_t>(t, data, l); break;
    case Dtype::Float32: fill_all<float>(t, data, l); break;
    case Dtype::Complex64: fill_all<Complex<float>>(t, data, l); break;
    case Dtype::Complex128: fill_all<Complex<double>>(t, data, l); break;
    case Dtype::UInt16: fill_all<uint16_t>(t, data, l); break;
    case Dtype::UInt32: fill_all<uint32_t>(t, data, l); break;
    case Dtype::UInt64: fill_all<uint64_t>(t, data, l); break;
    default: fill_all<double>(t, data, l); break;
  }
  return t;
}

// A list of Python floats is what programs pass most: no look ahead.
bool list_of_floats(PyObject* data, Tensor& out) {
  if (!PyList_CheckExact(data) || default_dtype() != Dtype::Float32) return false;
  const Py_ssize_t n = PyList_GET_SIZE(data);
  PyObject** items = PySequence_Fast_ITEMS(data);
  for (Py_ssize_t k = 0; k < n; k++) if (!PyFloat_CheckExact(items[k])) return false;
  out = empty(int64_t(n), Dtype::Float32);
  float* p = reinterpret_cast<float*>(out->data);
  for (Py_ssize_t k = 0; k < n; k++) p[k] = float(PyFloat_AS_DOUBLE(items[k]));
  return true;
}

Tensor scalar_tensor(PyObject* data, std::optional<Dtype> dtype) {
  Layout l;
  look_at_leaf(data, l);
  return from_layout(data, l, dtype.value_or(l.dtype()));
}

// ---- functions -----------------------------------------------------------------------------------------------------

struct Options {
  PyObject* data = nullptr;
  std::optional<Dtype> dtype;
  std::optional<Device> device;
  bool requires_grad = false, copy = false, copy_given = false;
};
Options read_options(const char* who, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  Options o;
  auto read = [&](const char* name, PyObject* v) {
    if (!std::strcmp(name, "dtype")) {
      Dtype d;
      if (v == Py_None) return;
      if (!read_dtype(v, d)) raise(PyExc_TypeError, "%s(): dtype must be a tapegrad.dtype, not %.200s", who, Py_TYPE(v)->tp_name);
      o.dtype = d;
    } else if (!std::strcmp(name, "device")) {
      Device d;
      if (v == Py_None) return;
      if (!read_device(v, d)) raise(PyExc_TypeError, "%s(): device must be a str or a device, not %.200s", who, Py_TYPE(v)->tp_name);
      o.device = d;
    } else if (!std::strcmp(name, "requires_grad")) {
      if (!read_bool(v, o.requires_grad)) raise(PyExc_TypeError, "%s(): requires_grad must be a bool", who);
    } else if (!std::strcmp(name, "copy")) {
      if (v == Py_None) return;
      if (!read_bool(v, o.copy)) raise(PyExc_TypeError, "%s(): copy must be a bool", who);
      o.copy_given = true;
    } else if (!std::strcmp(name, "data") || !std::strcmp(name, "obj")) {
      o.data = v;
    } else if (std::strcmp(name, "pin_memory") && std::strcmp(name, "layout")) {
      raise(PyExc_TypeError, "%s() got an unexpected keyword argument '%s'", who, name);
    }
  };
  static constexpr const char* order[] = {"data", "dtype", "device"};
  if (nargs > 3) raise(PyExc_TypeError, "%s() takes at most 3 positional arguments, got %zd", who, nargs);
  for (Py_ssize_t k = 0; k < nargs; k++) read(order[k], args[k]);
  for (Py_ssize_t k = 0; kwnames && k < PyTuple_GET_SIZE(kwnames); k++) {
    const char* name = PyUnicode_AsUTF8(PyTuple_GET_ITEM(kwnames, k));
    if (!name) throw PythonError();
    read(name, args[nargs + k]);
  }
  if (!o.data) raise(PyExc_TypeError, "%s() needs data", who);
  return o;
}

Tensor placed(Tensor t, Device device) { return device.type == t.device().type && device.index < 0 ? t : to(t, device); }

PyObject* tensor_function(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  return guarded([&]() -> PyObject* {
    Tensor t;
    if (nargs == 1 && !kwnames && list_of_floats(args[0], t)) [[likely]] return wrap(placed(std::move(t), default_device()));
    const Options o = read_options("tensor", args, nargs, kwnames);
    if (is_tensor(o.data) &&
        PyErr_WarnEx(PyExc_UserWarning, "To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() "
                                        "or sourceTensor.detach().clone().requires_grad_(True), rather than tapegrad.tensor(sourceTensor).", 1) < 0)
      return nullptr;
    t = placed(tensor_from(o.data, o.dtype), o.device.value_or(is_tensor(o.data) ? unwrap(o.data).device() : default_device()));
    if (o.requires_grad) t.set_requires_grad();
    return wrap(std::move(t));
  });
}
// as_tensor and asarray: no copy where the data is an array or a tensor of the right type.
PyObject* convert_without_copy(const char* who, bool keeps_history, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  return guarded([&]() -> PyObject* {
    const Options o = read_options(who, args, nargs, kwnames);
    Tensor t;
    if (is_tensor(o.data)) {
      t = unwrap(o.data);
      if (o.dtype && t.dtype() != *o.dtype) t = to(t, *o.dtype);
      else if (o.copy) t = clone(t);
      if (!keeps_history && o.requires_grad != needs_grad(t)) t = detach(t);
    } else if (is_numpy_array(o.data)) {
      t = tensor_over_array(o.data);
      if (o.dtype && t.dtype() != *o.dtype) t = to(t, *o.dtype);
      else if (o.copy) t = clone(t);
    } else {
      if (o.copy_given && !o.copy) raise(PyExc_ValueError, "%s(): cannot make a tensor of a %.200s without a copy", who, Py_TYPE(o.data)->tp_name);
      t = tensor_from(o.data, o.dtype);
    }
    if (o.device || !is_tensor(o.data)) t = placed(std::move(t), o.device.value_or(is_numpy_array(o.data) ? Device() : default_device()));
    if (o.requires_grad && !t->requires_grad) t.set_requires_grad();
    return wrap(std::move(t));
  });
}
PyObject* as_tensor(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  return convert_without_copy("as_tensor", true, args, nargs, kwnames);
}
PyObject* asarray(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  return convert_without_copy("asarray", false, args, nargs, kwnames);
}

PyObject* number_at(const char* p, Dtype d) {
  auto read = [p](auto value) { std::memcpy(&value, p, sizeof value); return value; };
  switch (d) {
    case Dtype::Bool: return PyBool_FromLong(*p);
    case Dtype::UInt8: return PyLong_FromLong(read(uint8_t()));
    case Dtype::Int8: return PyLong_FromLong(read(int8_t()));
    case Dtype::Int16: return PyLong_FromLong(read(int16_t()));
    case Dtype::Int32: return PyLong_FromLong(read(int32_t()));
    case Dtype::Int64: return PyLong_FromLongLong(read(int64_t()));
    case Dtype::UInt16: return PyLong_FromLong(read(uint16_t()));
    case Dtype::UInt32: return PyLong_FromUnsignedLong(read(uint32_t()));
    case Dtype::UInt64: return PyLong_FromUnsignedLongLong(read(uint64_t()));
    case Dtype::Complex64: return to_python(Scalar(read(Complex<float>())));
    case Dtype::Complex128: return to_python(Scalar(read(Complex<double>())));
    case Dtype::Float64: return PyFloat_FromDouble(read(double()));
    default: return PyFloat_FromDouble(double(read(float())));
  }
}
PyObject* list_at(const Tensor& t, const char* p, int depth) {
  if (depth == t->ndim) return checked(number_at(p, t->dtype));
  const int64_t n = t->sizes[depth], step = t->strides[depth] * int64_t(item_size(t->dtype));
  Obj list = Obj::take(PyList_New(n));
  for (int64_t k = 0; k < n; k++) PyList_SET_ITEM(list.get(), k, list_at(t, p + k * step, depth + 1));
  return list.release();
}
bool is_half(Dtype d) { return d == Dtype::Float16 || d == Dtype::BFloat16; }

PyMethodDef functions[] = {
    {"tensor", function_pointer(tensor_function), METH_FASTCALL | METH_KEYWORDS,
     "tensor(data, *, dtype=None, device=None, requires_grad=False)\n\nA new tensor with a copy of the data: numbers, nested sequences, tensors or arrays."},
    {"as_tensor", function_pointer(as_tensor), METH_FASTCALL | METH_KEYWORDS,
     "as_tensor(data, dtype=None, device=None)\n\nThe data as a tensor, shared with an array or tensor where possible."},
    {"asarray", function_pointer(asarray), METH_FASTCALL | METH_KEYWORDS,
     "asarray(obj, *, dtype=None, device=None, copy=None, requires_grad=False)\n\nThe object as a tensor; copy=False forbids a copy."},
    {}};

}  // namespace

Tensor tensor_from(PyObject* data, std::optional<Dtype> dtype) {
  if (is_tensor(data)) {
    const NoGrad off;
    const Tensor t = detach(unwrap(data));
    Tensor r = dtype && *dtype != t.dtype() ? to(t, *dtype) : clone(t);
    r->origin = needs_grad(unwrap(data)) ? make_note("tensor", place_now()) : unwrap(data)->origin;
    return r;
  }
  if (is_numpy_array(data)) {
    const Tensor t = readable_array(data);
    return dtype && *dtype != t.dtype() ? to(t, *dtype) : clone(t, MemoryFormat::Contiguous);
  }
  if (!is_sequence(data)) {
    if (PyNumber_Check(data)) return scalar_tensor(data, dtype);
    if (PyUnicode_Check(data) || !PySequence_Check(data)) raise(PyExc_TypeError, "tensor(): cannot make a tensor of a %.200s", Py_TYPE(data)->tp_name);
    const Obj list = Obj::take(PySequence_List(data));  // range, array.array …
    return tensor_from(list.get(), dtype);
  }
  Layout l;
  look(data, l, 0);
  return from_layout(data, l, dtype.value_or(l.dtype()));
}

PyObject* to_list(const Tensor& t) {
  const Tensor plain = is_half(t.dtype()) || t.is_cuda() ? to(detach(t), Device(), is_half(t.dtype()) ? Dtype::Float32 : t.dtype()) : t;
  return list_at(plain, plain->host(), 0);
}
PyObject* item_of(const Tensor& t) {
  if (t->numel != 1) raise(PyExc_RuntimeError, "a Tensor with %lld elements cannot be converted to Scalar", (long long)t.numel());
  return is_half(t.dtype()) || t.is_cuda() ? to_python(t.item()) : number_at(t->data, t->dtype);
}
PyMethodDef* data_functions() { return functions; }

}  // namespace tapegrad::py
