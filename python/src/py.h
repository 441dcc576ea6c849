// What all of the bindings share: the Python object of a Tensor, owned references, errors both ways.
// Rules: one Python object per tensor (identity); the GIL is held everywhere but inside LongKernel; a function called by
// Python runs under Entered, so that nodes note the Python line.
#pragma once
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tapegrad/autograd.h"
#include "tapegrad/tensor.h"

namespace tapegrad::py {

// ---- owned references and errors -----------------------------------------------------------------------------------

void note_forward_line();
/// Thrown when a Python error is already set.
struct PythonError : std::exception {
  PythonError() { if (tls.differentiating) note_forward_line(); }
};

// A daemon thread may come back after the interpreter's end. Python before 3.14 then ends the thread, which would unwind frames that
// must not be left so; it stays for ever instead, as with later ones: in the first of these that it comes to.
[[noreturn]] void stay_for_ever() noexcept;
void stay_if_ended() noexcept;
PyGILState_STATE take_gil();
void give_gil(PyGILState_STATE state) noexcept;
void retake_gil(void* thread_state) noexcept;  // what PyEval_SaveThread gave
inline bool interpreter_ends() {
#if PY_VERSION_HEX >= 0x030D0000
  return Py_IsFinalizing();
#else
  return _Py_IsFinalizing();
#endif
}

/// An owned reference. Construct with take() (a new reference; null throws) or keep() (borrowed).
class Obj {
  PyObject* p_ = nullptr;
 public:
  Obj() = default;
  Obj(Obj&& o) noexcept : p_(std::exchange(o.p_, nullptr)) {}
  Obj(const Obj& o) : p_(Py_XNewRef(o.p_)) {}
  Obj& operator=(Obj o) noexcept { std::swap(p_, o.p_); return *this; }
  ~Obj() {
    if (p_ && interpreter_ends()) [[unlikely]] stay_if_ended();
    Py_XDECREF(p_);
  }
  static Obj take(PyObject* p) {
    if (!p) throw PythonError();
    Obj o;
    o.p_ = p;
    return o;
  }
  static Obj keep(PyObject* p) { return take(Py_XNewRef(p)); }
  PyObject* get() const { return p_; }
  PyObject* release() { return std::exchange(p_, nullptr); }
  explicit operator bool() const { return p_; }
};
inline PyObject* checked(PyObject* p) { if (!p) throw PythonError(); return p; }
inline void checked(int status) { if (status < 0) throw PythonError(); }

/// Sets a Python error of that type and throws.
[[noreturn, gnu::cold]] void raise(PyObject* type, const char* format, ...);
/// UTF-8 of a str, for messages; "?" for one that has none.
std::string text_of(PyObject* s);
/// The running C++ exception as a Python error; returns null.
PyObject* raise_current();
/// The same for an Error, with this text in place of its own; returns null.
PyObject* raise_error(const Error& e, const std::string& text);
void init_errors(PyObject* module);

// ---- the Python object of a tensor ---------------------------------------------------------------------------------

struct PyTensor {
  PyObject_HEAD
  TensorImpl* impl;  // owned, unless impl->owns_py; null once the tensor has died first
  PyObject *dict, *weakrefs;
  bool tracked;      // does the collector know it?
};
extern PyTypeObject* TensorType;

inline bool is_tensor(PyObject* o) { return Py_IS_TYPE(o, TensorType) || PyType_IsSubtype(Py_TYPE(o), TensorType); }
/// No refcount traffic: the object's pointer is read as a Tensor.
inline const Tensor& unwrap(PyObject* o) {
  static_assert(sizeof(Tensor) == sizeof(TensorImpl*));
  return reinterpret_cast<const Tensor&>(reinterpret_cast<PyTensor*>(o)->impl);
}
/// New reference; the same object for the same tensor; None for an undefined one.
PyObject* wrap(Tensor t);
/// A new object of a subclass over t, which must not have an object yet.
PyObject* wrap_as(PyTypeObject* type, Tensor t);
/// Makes the collector look at this object from now on: it owns Python objects (hooks, a custom function's context).
void track(PyObject* tensor);
/// The tensor or None; throws TypeError for anything else.
const Tensor& tensor_or_none(PyObject* o, const char* what);
void init_tensor(PyObject* module);
/// Gives t the memory, sizes and dtype of `other`, which gets t's: how .data = and resize work. Histories stay.
void swap_memory(const Tensor& t, Tensor other);
/// In place; the contents are undefined when the tensor grows.
void resize(const Tensor& t, IntList sizes);

/// Marks that the innermost caller is Python code and this thread holds the GIL; nodes then note the Python line.
struct Entered {
  ThreadState& t = tls;
  bool before = std::exchange(t.in_python, true);
  ~Entered() { t.in_python = before; }
};
/// Runs f as the body of a function that Python calls.
template <class F> PyObject* guarded(F&& f) noexcept {
  try {
    Entered in;
    return f();
  } catch (...) { return raise_current(); }
}
/// The same for functions whose result is 0, or -1 for an error.
template <class F> int guarded_int(F&& f) noexcept {
  try {
    Entered in;
    f();
    return 0;
  } catch (...) { raise_current(); return -1; }
}
/// Python called from C++ (hooks, custom functions): holds the GIL, and C++ that Python calls back is Entered again.
struct CallPython {
  PyGILState_STATE state = take_gil();
  ~CallPython() { give_gil(state); }
};

/// Lets Python go on meanwhile: for what waits on a lock whose holder may wait for the GIL.
struct WithoutPython {
  PyThreadState* state = PyEval_SaveThread();
  ~WithoutPython() { retake_gil(state); }
};

/// When `out` has no gradient though an argument of op has one, or inherits the reason from an argument: notes it for explain().
/// Inline is what decides in nearly all calls.
[[gnu::noinline, gnu::cold]] void note_why(const Tensor& out, const char* op, PyObject* const* args, Py_ssize_t n);
inline void keep_reason(const Tensor& out, const char* op, PyObject* const* args, Py_ssize_t n) {
  if (out->requires_grad || out->origin) return;
  for (Py_ssize_t k = 0; k < n; k++) {
    PyObject* o = args[k];
    if (Py_IS_TYPE(o, TensorType) ? unwrap(o)->requires_grad || unwrap(o)->origin : !PyLong_CheckExact(o) && !PyFloat_CheckExact(o)) return note_why(out, op, args, n);
  }
}

template <class F> PyCFunction function_pointer(F* f) { return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(f)); }
/// Makes a heap type and adds it to the module under the part of its name behind the last dot.
PyTypeObject* add_type(PyObject* module, PyType_Spec& spec, PyObject* base = nullptr);

// ---- values (values.cpp) -------------------------------------------------------------------------------------------

extern PyTypeObject *SizeType, *DtypeType, *DeviceType_, *GeneratorType, *FormatType, *LayoutType;
PyObject* to_python(Dtype d);
PyObject* to_python(Device d);
PyObject* to_python(Scalar s);
PyObject* size_object(IntList sizes);   // tapegrad.Size
PyObject* int_tuple(IntList values);
/// Also accepts Python's float, int and bool types. False when `o` is something else.
bool read_dtype(PyObject* o, Dtype& d);
bool read_device(PyObject* o, Device& d);           // str, Device or int
bool read_format(PyObject* o, MemoryFormat& f);
/// Numbers of Python and NumPy and 0-d tensors. `large`: an int of 2^63 or more is taken, too, as its bits, and *large set.
bool read_scalar(PyObject* o, Scalar& s, bool* large = nullptr);
/// The same as a wrapped 0-d tensor; ints that only uint64 holds are of that dtype.
bool read_number(PyObject* o, Tensor& made);
bool read_int(PyObject* o, int64_t& i);             // anything with __index__ but bool; 0-d integer tensors
bool read_bool(PyObject* o, bool& b);
const Generator& unwrap_generator(PyObject* o);
PyObject* generator_object(const Generator& g);
/// Is it a number or bool of NumPy? Never imports NumPy.
bool is_numpy_scalar(PyObject* o);
bool is_numpy_array(PyObject* o);
void init_values(PyObject* module);

// ---- data in and out (data.cpp, numpy.cpp, dlpack.cpp) ---------------------------------------------------------------

/// A new tensor from numbers, nested sequences, tensors or arrays.
Tensor tensor_from(PyObject* data, std::optional<Dtype> dtype);
/// The array's memory, no copy. Throws when tensors cannot have its strides or element type; warns when it is read-only.
Tensor tensor_over_array(PyObject* array);
/// The same for reading at once: no warning, and a copy where the strides are negative.
Tensor readable_array(PyObject* array);
int tensor_buffer(PyObject* self, Py_buffer* view, int flags);
void release_tensor_buffer(PyObject* self, Py_buffer* view);
PyObject* to_list(const Tensor& t);
PyObject* item_of(const Tensor& t);
PyObject* to_numpy(const Tensor& t, bool force);
PyMethodDef* data_functions();
PyMethodDef* table_functions();  // the op table, for tests, stubs and docs
PyMethodDef* numpy_functions();
PyMethodDef* dlpack_functions();
PyMethodDef* checksum_functions();
PyMethodDef* insight_functions();  // the memory ledger, the search for the first NaN
PyMethodDef* profile_functions();

// ---- memory shared between processes (shared.cpp) --------------------------------------------------------------------

bool is_shared(const Tensor& t);
/// Moves t into shared memory. Throws GradError when it has a history.
void share_memory(const Tensor& t);
PyMethodDef* shared_functions();

// ---- CUDA (cuda.cpp) -----------------------------------------------------------------------------------------------------------------

/// A copy in page-locked memory, x itself where it is there already. Throws DeviceError where CUDA cannot be used.
Tensor pin_memory(const Tensor& x);
/// Never loads the CUDA plugin.
bool is_pinned(const Tensor& x);
void init_cuda(PyObject* module);

// ---- slots, properties and methods of Tensor (py_number.cpp, py_index.cpp, py_property.cpp, py_method.cpp) -----------------

extern PyGetSetDef tensor_properties[];
extern PyMethodDef tensor_methods[];
void init_methods(PyObject* module);
PyObject* tensor_dlpack(PyObject* self, PyObject* args, PyObject* kwargs);
PyObject* tensor_dlpack_device(PyObject* self, PyObject*);
PyObject* get_item(PyObject* self, PyObject* key);
int set_item(PyObject* self, PyObject* key, PyObject* value);
std::vector<PyType_Slot> number_slots();

// ---- the tape (py_autograd.cpp, py_function.cpp, py_mode.cpp, py_place.cpp) ---------------------------------------------------

/// What an output of a node is like, and so its gradient.
struct NodeOutput {
  uint32_t nr;
  Shape sizes;
  Dtype dtype;
};
/// A node, or the stand-in for a leaf's accumulation; None for neither. `known`: outputs, so that Python may call the node.
PyObject* wrap_node(Node* n, std::vector<NodeOutput> known);
/// The node of t.
PyObject* wrap_node_of(const Tensor& t);
PyObject* tensor_backward(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames);
PyObject* tensor_register_hook(PyObject* self, PyObject* hook);
PyObject* tensor_register_post_hook(PyObject* self, PyObject* hook);
/// For the collector: the Python objects that a node owns (hooks, a custom function's context). Borrowed; take back before they go.
void node_owns(const Node* n, PyObject* o);
void node_drops(const Node* n, PyObject* o);
/// Visits what t owns through C++ alone.
int traverse_owned(const Tensor& t, visitproc visit, void* arg);
void clear_hooks(const Tensor& t);
void init_autograd(PyObject* module);
void init_function(PyObject* module);
void init_modes(PyObject* module);
void init_places();
/// The line where a function begins; for other callables the running line.
Place function_place(PyObject* function);
/// n's gradients for those of its known outputs, given in `args`: one, or a tuple.
PyObject* call_node(Node& n, const std::vector<NodeOutput>& known, PyObject* args);
/// What n saved: a list of (role, tensor or None, state).
PyObject* saved_by(Node& n);
PyMethodDef* tape_functions();
/// The function of that name of tapegrad.viz.MODULE, called with a, and with b if there is one.
PyObject* call_viz(const char* module, const char* function, PyObject* a, PyObject* b = nullptr);
PyObject* set_internal_prefix(PyObject*, PyObject* prefix);
void init_module_base(PyObject* module);

}  // namespace tapegrad::py
