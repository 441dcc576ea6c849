// NumPy without its headers and without importing it first: arrays come in through the buffer protocol and go out as ndarrays
// over a small object that keeps a tensor's memory.
#include <cstring>
#include <memory>

#include "py.h"
#include "tapegrad/ops.h"

namespace tapegrad::py {
namespace {

// ---- in ----------------------------------------------------------------------------------------------------------------------

// The dtype of a struct-module format; throws TypeError for what has none here.
Dtype dtype_of(const Py_buffer& b) {
  const char* f = b.format ? b.format : "B";
  if (*f == '>' || *f == '!') raise(PyExc_TypeError, "from_numpy(): arrays in foreign byte order are not supported; use array.astype(array.dtype.newbyteorder('='))");
  if (*f == '<' || *f == '=' || *f == '@' || *f == '|') f++;
  if (f[0] == 'Z' && f[1] && !f[2]) {
    if (f[1] == 'f') return Dtype::Complex64;
    if (f[1] == 'd') return Dtype::Complex128;
  }
  if (f[0] && !f[1]) {
    switch (*f) {
      case '?': return Dtype::Bool;
      case 'B': return Dtype::UInt8;
      case 'b': return Dtype::Int8;
      case 'h': return Dtype::Int16;
      case 'i': return Dtype::Int32;
      case 'l': return b.itemsize == 8 ? Dtype::Int64 : Dtype::Int32;
      case 'q': return Dtype::Int64;
      case 'H': return Dtype::UInt16;
      case 'I': return Dtype::UInt32;
      case 'L': return b.itemsize == 8 ? Dtype::UInt64 : Dtype::UInt32;
      case 'Q': return Dtype::UInt64;
      case 'e': return Dtype::Float16;
      case 'f': return Dtype::Float32;
      case 'd': return Dtype::Float64;
    }
  }
  raise(PyExc_TypeError, "can't convert an array with elements of format '%s'. The supported types are: float64, float32, float16, complex64, complex128, int64, int32, int16, int8, uint64, uint32, uint16, uint8, and bool.", b.format);
}
// Gives the buffer back when the last tensor over it dies, in whatever thread.
void release_buffer(void* context) {
  auto* b = static_cast<Py_buffer*>(context);
  if (Py_IsInitialized()) {
    CallPython hold;
    PyBuffer_Release(b);
  }
  delete b;
}
void get_buffer(PyObject* o, Py_buffer& b, int flags) {
  if (!PyObject_GetBuffer(o, &b, flags)) return;
  PyErr_Clear();
  raise(PyExc_TypeError, "can't convert an object of type %.200s: its elements are no numbers", Py_TYPE(o)->tp_name);
}

PyObject* from_numpy(PyObject*, PyObject* array) {
  return guarded([&] {
    if (!is_numpy_array(array)) raise(PyExc_TypeError, "expected np.ndarray (got %.200s)", Py_TYPE(array)->tp_name);
    return wrap(tensor_over_array(array));
  });
}
// frombuffer(buffer, *, dtype, count=-1, offset=0, requires_grad=False)
PyObject* from_buffer(PyObject*, PyObject* args, PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    PyObject *o, *dtype = Py_None;
    Py_ssize_t count = -1, offset = 0;
    int requires_grad = 0;
    static const char* names[] = {"buffer", "dtype", "count", "offset", "requires_grad", nullptr};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$Onnp:frombuffer", const_cast<char**>(names), &o, &dtype, &count, &offset, &requires_grad)) return nullptr;
    Dtype d;
    if (!read_dtype(dtype, d)) raise(PyExc_TypeError, "frombuffer(): dtype must be a tapegrad.dtype, not %.200s", Py_TYPE(dtype)->tp_name);
    auto b = std::make_unique<Py_buffer>();
    bool writable = !PyObject_GetBuffer(o, b.get(), PyBUF_SIMPLE | PyBUF_WRITABLE);
    if (!writable) {
      PyErr_Clear();
      if (PyObject_GetBuffer(o, b.get(), PyBUF_SIMPLE)) raise(PyExc_ValueError, "frombuffer(): the object does not implement the buffer protocol");
      if (PyErr_WarnEx(PyExc_UserWarning, "The given buffer is not writable, and tapegrad does not support non-writable tensors: writing to the tensor is undefined.", 1) < 0) {
        PyBuffer_Release(b.get());
        return nullptr;
      }
    }
    const Py_ssize_t size = Py_ssize_t(item_size(d)), length = b->len;
    const char* wrong = nullptr;
    if (length <= 0 || count == 0) wrong = "both buffer length and count must not be 0";
    else if (offset < 0 || offset >= length) wrong = "offset must be inside of the buffer";
    else if (count < 0 && (length - offset) % size) wrong = "the bytes behind offset must be a multiple of the element size";
    else if (count > 0 && count > (length - offset) / size) wrong = "the buffer has fewer elements than count behind offset";
    if (wrong) {
      PyBuffer_Release(b.get());
      raise(PyExc_ValueError, "frombuffer(): %s", wrong);
    }
    const int64_t n = count < 0 ? (length - offset) / size : count;
    char* data = static_cast<char*>(b->buf) + offset;
    Tensor t = from_blob(data, n, int64_t(1), d, release_buffer, b.release());
    if (requires_grad) t.set_requires_grad();
    return wrap(std::move(t));
  });
}

Tensor over_array(PyObject* array, bool reading) {
  auto b = std::make_unique<Py_buffer>();
  get_buffer(array, *b, PyBUF_STRIDED_RO | PyBUF_FORMAT);
  struct Release {
    Py_buffer* b;
    ~Release() { if (b) PyBuffer_Release(b); }
  } release{b.get()};
  const Dtype d = dtype_of(*b);
  if (b->ndim > kMaxDims) raise(PyExc_ValueError, "from_numpy(): more than %d dimensions", kMaxDims);
  Shape sizes, strides;
  for (int k = 0; k < b->ndim; k++) {
    const bool negative = b->strides[k] < 0, ragged = b->strides[k] % b->itemsize;
    if (reading && (negative || ragged)) {
      const Obj copy = Obj::take(PyObject_CallMethod(array, "copy", nullptr));
      return over_array(copy.get(), true);
    }
    if (negative)
      raise(PyExc_ValueError, "At least one stride in the given numpy array is negative, and tensors with negative strides are not currently supported. "
                              "(You can probably work around this by making a copy of your array with array.copy().)");
    if (ragged) raise(PyExc_ValueError, "given numpy array strides not a multiple of the element byte size. Copy the numpy array to reallocate the memory.");
    sizes.push_back(b->shape[k]);
    strides.push_back(b->strides[k] / b->itemsize);
  }
  if (b->readonly && !reading &&
      PyErr_WarnEx(PyExc_UserWarning, "The given NumPy array is not writable, and tapegrad does not support non-writable tensors: writing to the tensor is undefined. "
                                      "You may want to copy the array to protect its data or make it writable.", 1) < 0)
    throw PythonError();
  release.b = nullptr;
  void* data = b->buf;
  return from_blob(data, sizes, strides, d, release_buffer, b.release());
}

// ---- out -----------------------------------------------------------------------------------------------------------------------

// The base of the arrays that numpy() makes: keeps a tensor's memory.
struct PyMemory {
  PyObject_HEAD
  Storage* storage;
};
PyTypeObject* MemoryType;
void memory_dealloc(PyObject* o) {
  Storage* s = reinterpret_cast<PyMemory*>(o)->storage;
  if (s->drop()) Storage::destroy(s);
  PyTypeObject* t = Py_TYPE(o);
  PyObject_Free(o);
  Py_DECREF(t);
}

// The three functions of NumPy's C interface that make an array over given memory, by their places in its table, which are the
// same in all versions since 1.7.
struct ArrayMaker {
  PyTypeObject* type;
  PyObject* (*descr)(int type_number);
  PyObject* (*make)(PyTypeObject* type, PyObject* descr, int dims, const Py_ssize_t* sizes, const Py_ssize_t* strides, void* data, int flags, PyObject*);
  int (*set_base)(PyObject* array, PyObject* base);
  ArrayMaker() {
    PyObject* module = PyImport_ImportModule("numpy._core.multiarray");
    if (!module) {  // before NumPy 2
      PyErr_Clear();
      module = PyImport_ImportModule("numpy.core.multiarray");
    }
    const Obj held = Obj::take(module), capsule = Obj::take(PyObject_GetAttrString(module, "_ARRAY_API"));
    auto** table = static_cast<void**>(PyCapsule_GetPointer(capsule.get(), nullptr));
    if (!table) throw PythonError();
    type = static_cast<PyTypeObject*>(table[2]);
    descr = reinterpret_cast<decltype(descr)>(table[45]);
    make = reinterpret_cast<decltype(make)>(table[94]);
    set_base = reinterpret_cast<decltype(set_base)>(table[282]);
  }
};
constexpr int kWritable = 0x400, kAligned = 0x100;
int numpy_type_number(Dtype d) {
  static constexpr int number[kDtypes] = {0, 2, 1, 3, 5, sizeof(long) == 8 ? 7 : 9, 23, -1, 11, 12, 14, 15, 4, 6, sizeof(long) == 8 ? 8 : 10};
  if (d == Dtype::BFloat16) raise(PyExc_TypeError, "Got unsupported ScalarType BFloat16: NumPy has no such type; convert with .float()");
  return number[int(d)];
}

struct Format { Dtype dtype; const char* text; };
constexpr Format kFormats[] = {{Dtype::Bool, "?"}, {Dtype::UInt8, "B"}, {Dtype::Int8, "b"}, {Dtype::Int16, "h"}, {Dtype::Int32, "i"},
                               {Dtype::Int64, "l"}, {Dtype::Float16, "e"}, {Dtype::Float32, "f"}, {Dtype::Float64, "d"},
                               {Dtype::Complex64, "Zf"}, {Dtype::Complex128, "Zd"}, {Dtype::UInt16, "H"}, {Dtype::UInt32, "I"},
                               {Dtype::UInt64, "L"}};
// What an exported buffer keeps alive.
struct Exported {
  Tensor tensor;
  Py_ssize_t* dims;
};

PyMethodDef functions[] = {
    {"from_numpy", from_numpy, METH_O, "from_numpy(ndarray)\n\nThe array's memory as a tensor, no copy."},
    {"frombuffer", function_pointer(from_buffer), METH_VARARGS | METH_KEYWORDS,
     "frombuffer(buffer, *, dtype, count=-1, offset=0, requires_grad=False)\n\nThe buffer's memory as a 1-d tensor, no copy."},
    {}};

}  // namespace

Tensor tensor_over_array(PyObject* array) { return over_array(array, false); }
Tensor readable_array(PyObject* array) { return over_array(array, true); }

// memoryview(tensor), and what NumPy looks at first.
int tensor_buffer(PyObject* self, Py_buffer* view, int flags) {
  view->obj = nullptr;
  const Tensor& t = unwrap(self);
  const char* format = nullptr;
  for (const Format& f : kFormats) if (f.dtype == t.dtype()) format = f.text;
  const char* why = needs_grad(t) ? "it requires grad, use tensor.detach()" : !format ? "the buffer protocol has no such element type"
                  : t.is_cuda() ? "it is on a GPU" : !(flags & PyBUF_STRIDES) && !t->contiguous ? "it is not contiguous" : nullptr;
  if (why) {
    PyErr_Format(PyExc_BufferError, "cannot export the memory of this Tensor: %s", why);
    return -1;
  }
  auto* dims = new Py_ssize_t[2 * size_t(t.dim()) + 1];  // the tensor's own may change while the buffer lives
  for (int64_t d = 0; d < t.dim(); d++) dims[d] = t->sizes[d], dims[t.dim() + d] = t->strides[d] * Py_ssize_t(t.element_size());
  auto* held = new Exported{detach(t), dims};  // t itself may be given other memory
  view->buf = t->data;
  view->obj = Py_NewRef(self);
  view->len = t.nbytes();
  view->itemsize = Py_ssize_t(t.element_size());
  view->readonly = 0;
  view->ndim = int(t.dim());
  view->format = flags & PyBUF_FORMAT ? const_cast<char*>(format) : nullptr;
  view->shape = flags & PyBUF_ND ? dims : nullptr;
  view->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? dims + t.dim() : nullptr;
  view->suboffsets = nullptr;
  view->internal = held;
  return 0;
}
void release_tensor_buffer(PyObject*, Py_buffer* view) {
  auto* held = static_cast<Exported*>(view->internal);
  delete[] held->dims;
  delete held;
}

PyObject* to_numpy(const Tensor& t, bool force) {
  if (t.is_cuda()) [[unlikely]] {
    if (!force)
      raise(PyExc_TypeError, "can't convert %s device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory first.", to_string(t.device()).c_str());
    return to_numpy(to(t, Device()), force);
  }
  TG_CHECK(force || !needs_grad(t), GradError, "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.");
  static const ArrayMaker numpy;
  const int type = numpy_type_number(t.dtype());
  PyMemory* memory = PyObject_New(PyMemory, MemoryType);
  if (!memory) throw PythonError();
  t->storage->retain();
  memory->storage = t->storage;
  Obj base = Obj::take(reinterpret_cast<PyObject*>(memory));
  Py_ssize_t strides[kMaxDims];
  for (int d = 0; d < t->ndim; d++) strides[d] = t->strides[d] * Py_ssize_t(t.element_size());
  static_assert(sizeof(Py_ssize_t) == sizeof(int64_t));
  const auto* sizes = reinterpret_cast<const Py_ssize_t*>(t->sizes);
  Obj array = Obj::take(numpy.make(numpy.type, numpy.descr(type), t->ndim, sizes, strides, t->data, kWritable | kAligned, nullptr));
  checked(numpy.set_base(array.get(), base.release()));
  return array.release();
}

PyMethodDef* numpy_functions() {
  PyType_Slot slots[] = {{Py_tp_dealloc, (void*)memory_dealloc}, {0, nullptr}};
  PyType_Spec spec{"tapegrad.Memory", sizeof(PyMemory), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
  MemoryType = reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&spec)));
  return functions;
}

}  // namespace tapegrad::py
