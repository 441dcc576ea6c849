// Makes Python functions and methods out of OpInfo rows. Signatures are parsed once, at import; all ops share one matcher,
// which turns arguments straight into Values on the stack. A call allocates nothing but its results.
#pragma once
#include "py.h"
#include "src/ops/signature.h"

namespace tapegrad::py {

struct Param {
  PyObject* name;                 // interned
  Value fallback;                 // when has_fallback
  Want want;
  bool has_fallback = false;
  bool keyword_only = false;
  bool varargs = false;           // Ints, Tensors: f(2, 3) for f((2, 3))
  uint8_t repeat = 0;             // int[2]: an int stands for that many
};

/// What autocast does to an op's tensors (autocast.h): nothing, cast to its lower type, to float32, or to the widest among them.
enum class Cast : uint8_t { None, Lower, Float32, Widest };

struct Overload {
  const OpInfo* info;
  Callable call;
  std::vector<Param> params;
  std::vector<Value> fallbacks;   // of all params, so that what is not given is one copy
  int count = 0;                  // of params
  int required = 0;               // behind the last that has no fallback
  int positional = 0;             // how many parameters may be given by position
  bool accepts_out = false;
  Cast cast[2] = {};              // on the CPU, on CUDA
  bool casts = false;             // either
  bool ignores_layout = false;    // a factory: layout= and pin_memory= are accepted and mean nothing
  PyTypeObject* fields = nullptr; // the named tuple of the result
  std::string text;
};

/// All rows of one name.
struct Op {
  std::string name, doc, text_signature;
  std::vector<Overload> overloads;
};

/// The space that converted arguments need beyond their Values.
struct Scratch;

/// "Tensor float32[2, 3] cpu", or the name of its type.
std::string type_of(PyObject* o);
/// The running C++ exception, thrown by a call of `name`'s overload `o`, as a Python error; returns null.
[[gnu::cold]] PyObject* raise_in_call(const std::string& name, const Overload& o, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames);

PyObject* call_op(const Op& op, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames);

/// Adds every row to the module as a function, or to Tensor as a method, or to the dict module.functional. module.functions is
/// the dict of all functions.
void init_ops(PyObject* module);
/// Rows that only Python needs (extra_ops.cpp): float(), view_as(), new_zeros() …
std::span<const OpInfo> extra_ops();

/// Result -> Python; fields may be null.
PyObject* to_python(Result& r, PyTypeObject* fields);

}  // namespace tapegrad::py
