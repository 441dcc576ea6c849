// The matcher and the callable objects of ops. See binder.h.
#include "binder.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>

#include "autocast.h"
#include "signature.h"
#include "tapegrad/ops.h"
#include "watched.h"

namespace tapegrad::py {

// What converted arguments need beyond their Values; lives on the stack of one call.
struct Scratch {
  static constexpr int kInts = 64, kNumbers = 4;
  struct Rare {  // what few calls need
    std::vector<std::vector<Tensor>> lists;
    std::vector<std::unique_ptr<int64_t[]>> long_ints;
    std::unique_ptr<double[]> floats;
  };
  int used = 0, made = 0;
  PyObject* out = nullptr;
  std::unique_ptr<Rare> rare_;
  int64_t ints[kInts];
  alignas(Tensor) char numbers[kNumbers * sizeof(Tensor)];  // `made` of them are tensors

  Scratch() = default;
  Scratch(const Scratch&) = delete;
  ~Scratch() { while (made) reinterpret_cast<Tensor*>(numbers)[--made].~Tensor(); }
  const Tensor* keep(Tensor number) {
    const auto* t = new (numbers + size_t(made) * sizeof(Tensor)) Tensor(std::move(number));
    made++;
    return t;
  }
  Rare& rare() {
    if (!rare_) rare_ = std::make_unique<Rare>();
    return *rare_;
  }
  std::vector<Tensor>& new_list() { return rare().lists.emplace_back(); }
  int64_t* room(Py_ssize_t n) {
    if (n <= kInts - used) [[likely]] return ints + std::exchange(used, used + int(n));
    return rare().long_ints.emplace_back(new int64_t[size_t(n)]).get();
  }
};

namespace {

const Tensor kNone;
PyObject *str_out, *str_layout, *str_pin_memory;
struct Synonym { const char *other, *real; PyObject *other_name, *real_name; };
Synonym synonyms[] = {{"axis", "dim", nullptr, nullptr}, {"keepdims", "keepdim", nullptr, nullptr},
                      {"x", "input", nullptr, nullptr}, {"self", "input", nullptr, nullptr}};

// ---- arguments -----------------------------------------------------------------------------------------------------

bool load_ints(const Param& p, PyObject* const* items, Py_ssize_t n, Value& v, Scratch& s) {
  int64_t* at = s.room(n);
  for (Py_ssize_t k = 0; k < n; k++) if (!read_int(items[k], at[k])) return false;
  v.ints = {at, size_t(n)};
  (void)p;
  return true;
}
bool load_ints(const Param& p, PyObject* o, Value& v, Scratch& s) {
  if (PyTuple_Check(o) || PyList_Check(o)) return load_ints(p, PySequence_Fast_ITEMS(o), PySequence_Fast_GET_SIZE(o), v, s);
  if (o == Py_None) {
    if (p.want == Want::OptionalInts) v.none = true, v.ints = {};
    else if (p.has_fallback) v = p.fallback;
    else return false;
    return true;
  }
  int64_t one;
  if (read_int(o, one)) {
    const int n = p.repeat ? p.repeat : 1;
    int64_t* at = s.room(n);
    for (int k = 0; k < n; k++) at[k] = one;
    v.ints = {at, size_t(n)};
    return true;
  }
  if (is_tensor(o)) {
    if (unwrap(o).dim() != 1 || is_differentiable(unwrap(o).dtype())) return false;
    const Tensor t = to(unwrap(o), Device(), Dtype::Int64);
    int64_t* at = s.room(t.numel());
    for (int64_t k = 0; k < t.numel(); k++) at[k] = t->host<const int64_t>()[k * t->strides[0]];
    v.ints = {at, size_t(t.numel())};
    return true;
  }
  if (!PySequence_Check(o) || PyUnicode_Check(o) || PyBytes_Check(o)) return false;
  const Obj items = Obj::take(PySequence_Tuple(o));
  return load_ints(p, PySequence_Fast_ITEMS(items.get()), PyTuple_GET_SIZE(items.get()), v, s);
}
bool load_floats(PyObject* o, Value& v, Scratch& s) {
  if (o == Py_None) { v.none = true, v.numbers = {}; return true; }
  Scalar one = 0;
  PyObject* const* items = &o;
  Py_ssize_t n = 1;
  if (PyTuple_Check(o) || PyList_Check(o)) items = PySequence_Fast_ITEMS(o), n = PySequence_Fast_GET_SIZE(o);
  auto& floats = s.rare().floats;
  floats.reset(new double[size_t(n)]);
  for (Py_ssize_t k = 0; k < n; k++) {
    if (!read_scalar(items[k], one) || one.is_complex()) return false;
    floats[size_t(k)] = one.to_double();
  }
  v.numbers = {floats.get(), size_t(n)};
  return true;
}
bool load_tensors(PyObject* o, Value& v, Scratch& s) {
  if (is_tensor(o)) {  // a tensor is the sequence of its rows
    if (!unwrap(o).dim()) return false;
    v.tensors = s.new_list() = unbind(unwrap(o), 0);
    return true;
  }
  if (!PyTuple_Check(o) && !PyList_Check(o)) return false;
  const Py_ssize_t n = PySequence_Fast_GET_SIZE(o);
  auto& list = s.new_list();
  list.reserve(size_t(n));
  for (Py_ssize_t k = 0; k < n; k++) {
    PyObject* t = PySequence_Fast_GET_ITEM(o, k);
    if (!is_tensor(t)) return false;
    list.push_back(unwrap(t));
  }
  v.tensors = list;
  return true;
}

// False when the object is not of the type; throws PythonError when it is but has no valid value.
bool load(const Param& p, PyObject* o, Value& v, Scratch& s) {
  v.none = false;
  switch (p.want) {
    case Want::Tensor:
      if (!is_tensor(o)) return false;
      v.tensor = &unwrap(o);
      return true;
    case Want::OptionalTensor:
      if (o == Py_None) { v.tensor = &kNone; return true; }
      if (!is_tensor(o)) return false;
      v.tensor = &unwrap(o);
      return true;
    case Want::TensorOrNumber: {
      if (is_tensor(o)) { v.tensor = &unwrap(o); return true; }
      Tensor number;
      if (s.made == Scratch::kNumbers || !read_number(o, number)) {
        if (o != Py_None || !p.has_fallback || !p.fallback.none) return false;
        v = p.fallback;
        return true;
      }
      v.tensor = s.keep(std::move(number));
      return true;
    }
    case Want::Tensors: return load_tensors(o, v, s);
    case Want::OptionalScalar:
      if (o == Py_None) { v.none = true; return true; }
      [[fallthrough]];
    case Want::Scalar: return read_scalar(o, v.scalar);
    case Want::OptionalFloat:
      if (o == Py_None) { v.none = true; return true; }
      [[fallthrough]];
    case Want::Float: {
      if (PyFloat_CheckExact(o)) { v.number = PyFloat_AS_DOUBLE(o); return true; }
      Scalar number = 0;
      if (!read_scalar(o, number) || number.is_complex()) return false;
      v.number = number.to_double();
      return true;
    }
    case Want::OptionalInt:
      if (o == Py_None) { v.none = true; return true; }
      [[fallthrough]];
    case Want::Int: return read_int(o, v.integer);
    case Want::OptionalBool:
      if (o == Py_None) { v.none = true; return true; }
      [[fallthrough]];
    case Want::Bool: return read_bool(o, v.boolean);
    case Want::Ints: case Want::OptionalInts: return load_ints(p, o, v, s);
    case Want::OptionalFloats: return load_floats(o, v, s);
    case Want::OptionalText:
      if (o == Py_None) { v.none = true; return true; }
      [[fallthrough]];
    case Want::Text: {
      if (!PyUnicode_Check(o)) return false;
      Py_ssize_t n;
      const char* text = PyUnicode_AsUTF8AndSize(o, &n);
      if (!text) throw PythonError();
      v.text = {text, size_t(n)};
      return true;
    }
    case Want::OptionalDtype:
      if (o == Py_None) { v.none = true; return true; }
      [[fallthrough]];
    case Want::Dtype: return read_dtype(o, v.dtype);
    case Want::OptionalDevice:
      if (o == Py_None) { v.none = true; return true; }
      v.device = {};
      return read_device(o, v.device);
    case Want::Generator:
      if (o == Py_None) { v.generator = nullptr; return true; }
      if (!PyObject_TypeCheck(o, GeneratorType)) return false;
      v.generator = &unwrap_generator(o);
      return true;
    case Want::MemoryFormat:
      if (o == Py_None) { v.none = true; return true; }
      return read_format(o, v.format);
  }
  return false;
}

// ---- matching one overload -----------------------------------------------------------------------------------------

int find_param(const Overload& o, PyObject* name) {
  const int n = int(o.params.size());
  for (int p = 0; p < n; p++) if (o.params[p].name == name) return p;  // interned on both sides nearly always
  for (int p = 0; p < n; p++) if (!PyUnicode_Compare(o.params[p].name, name)) return p;
  for (const Synonym& s : synonyms)
    if (!PyUnicode_Compare(s.other_name, name))
      for (int p = 0; p < n; p++) if (o.params[p].name == s.real_name) return p;
  return -1;
}

// Fills v in the order of the parameters. `why`, when given, gets what did not fit.
bool match(const Overload& o, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames, Value* v, Scratch& s, std::string* why = nullptr) {
  const Param* params = o.params.data();
  const int n = o.count;
  int at = 0;
  for (Py_ssize_t k = 0; k < nargs; k++, at++) {
    if (at < o.positional && params[at].want <= Want::TensorOrNumber && Py_IS_TYPE(args[k], TensorType)) {  // what most arguments are
      v[at].none = false, v[at].tensor = &unwrap(args[k]);
      continue;
    }
    if (at >= o.positional) {
      if (why) *why = "takes " + std::to_string(o.positional) + " positional arguments, got " + std::to_string(nargs);
      return false;
    }
    const Param& p = params[at];
    const bool list = p.varargs && p.want != Want::Tensors && (k + 1 < nargs ? PyIndex_Check(args[k]) && !PyBool_Check(args[k]) : !p.repeat && PyLong_CheckExact(args[k]));
    if (list) {  // the rest by position
      v[at].none = false;
      if (!load_ints(p, args + k, nargs - k, v[at], s)) {
        if (why) *why = "'" + text_of(p.name) + "' takes integers";
        return false;
      }
      at++;
      break;
    }
    if (p.varargs && p.want == Want::Tensors && is_tensor(args[k])) {
      auto& list = s.new_list();
      for (; k < nargs && is_tensor(args[k]); k++) list.push_back(unwrap(args[k]));
      v[at].none = false, v[at].tensors = list;
      if (k < nargs) {
        if (why) *why = "'" + text_of(p.name) + "' takes tensors";
        return false;
      }
      at++;
      break;
    }
    if (!load(p, args[k], v[at], s)) [[unlikely]] {
      if (why) *why = "argument '" + text_of(p.name) + "' cannot be " + type_of(args[k]);
      return false;
    }
  }
  if (!kwnames) [[likely]] {
    if (at >= o.required) {
      std::copy_n(o.fallbacks.data() + at, n - at, v + at);
      return true;
    }
    for (; at < n; at++) {
      if (!params[at].has_fallback) {
        if (params[at].varargs && params[at].want == Want::Ints && o.ignores_layout) {
          v[at].none = false, v[at].ints = {};  // rand(): a 0-d tensor
          continue;
        }
        if (why) *why = "argument '" + text_of(params[at].name) + "' is missing";
        return false;
      }
      v[at] = params[at].fallback;
    }
    return true;
  }
  uint32_t given = 0;
  static_assert(kMaxParams <= 32);
  for (Py_ssize_t k = 0, m = PyTuple_GET_SIZE(kwnames); k < m; k++) {
    PyObject* name = PyTuple_GET_ITEM(kwnames, k);
    PyObject* value = args[nargs + k];
    const int p = find_param(o, name);
    if (p < 0) {
      if (o.accepts_out && !PyUnicode_Compare(name, str_out)) { s.out = value == Py_None ? nullptr : value; continue; }
      if (o.ignores_layout && (!PyUnicode_Compare(name, str_layout) || !PyUnicode_Compare(name, str_pin_memory))) continue;
      if (why) *why = "unexpected keyword argument '" + text_of(name) + "'";
      return false;
    }
    if (p < at || given >> p & 1) {
      if (why) *why = "argument '" + text_of(name) + "' is given twice";
      return false;
    }
    if (!load(params[p], value, v[p], s)) {
      if (why) *why = "argument '" + text_of(name) + "' cannot be " + type_of(value);
      return false;
    }
    given |= 1u << p;
  }
  for (; at < n; at++) {
    if (given >> at & 1) continue;
    if (!params[at].has_fallback) {
      if (why) *why = "argument '" + text_of(params[at].name) + "' is missing";
      return false;
    }
    v[at] = params[at].fallback;
  }
  return true;
}

[[gnu::cold, gnu::noinline]] PyObject* no_match(const Op& op, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  std::string text = op.name + "(): ";
  if (op.overloads.size() == 1) {
    Scratch s;
    Value v[kMaxParams];
    std::string why;
    match(op.overloads[0], args, nargs, kwnames, v, s, &why);
    text += why + "; ";
  }
  text += "got (";
  const Py_ssize_t named = kwnames ? PyTuple_GET_SIZE(kwnames) : 0;
  for (Py_ssize_t k = 0; k < nargs + named; k++) {
    if (k) text += ", ";
    if (k >= nargs) text += text_of(PyTuple_GET_ITEM(kwnames, k - nargs)) + "=";
    text += type_of(args[k]);
  }
  text += "), takes";
  for (const Overload& o : op.overloads) text += "\n  " + o.text;
  PyErr_SetString(PyExc_TypeError, text.c_str());
  return nullptr;
}

// ---- results -------------------------------------------------------------------------------------------------------

PyObject* tuple_of(std::vector<Tensor>& tensors, bool skip_undefined) {
  size_t n = 0;
  for (const Tensor& t : tensors) n += t.defined() || !skip_undefined;
  if (skip_undefined && n == 1 && tensors.size() > 1)
    for (Tensor& t : tensors) if (t.defined()) return wrap(std::move(t));
  Obj r = Obj::take(PyTuple_New(Py_ssize_t(n)));
  Py_ssize_t at = 0;
  for (Tensor& t : tensors) if (t.defined() || !skip_undefined) PyTuple_SET_ITEM(r.get(), at++, checked(wrap(std::move(t))));
  return r.release();
}

int rank(Dtype d) { return is_complex(d) ? 3 : is_floating(d) ? 2 : d == Dtype::Bool ? 0 : 1; }

// out=: the result's values in the caller's tensor, resized when its shape differs. Floats never go into integers.
void write_out(std::string_view op, const Tensor& out, const Tensor& value) {
  if (value.is_same(out)) return;
  TG_CHECK(!recording(out) && !recording(value), GradError, op, ": out= cannot be used when a gradient is recorded");
  TG_CHECK(rank(value.dtype()) <= rank(out.dtype()), DtypeError, op, ": the result is ", value.dtype(), ", which out cannot hold", Named{"out", out});
  if (!(out.sizes() == value.sizes())) resize(out, value.sizes());
  copy_(out, value);
}
PyObject* give_out(std::string_view op, PyObject* out, Result& r) {
  if (r.kind == Result::Kind::Tensor) {
    if (!is_tensor(out)) raise(PyExc_TypeError, "out must be a Tensor, not %.200s", Py_TYPE(out)->tp_name);
    write_out(op, unwrap(out), r.tensor);
    return Py_NewRef(out);
  }
  if (!PyTuple_Check(out) && !PyList_Check(out)) raise(PyExc_TypeError, "out must be a tuple of %zd tensors", Py_ssize_t(r.tensors.size()));
  if (size_t(PySequence_Fast_GET_SIZE(out)) != r.tensors.size()) raise(PyExc_TypeError, "out must have %zd tensors", Py_ssize_t(r.tensors.size()));
  for (size_t k = 0; k < r.tensors.size(); k++) {
    PyObject* o = PySequence_Fast_GET_ITEM(out, Py_ssize_t(k));
    if (!is_tensor(o)) raise(PyExc_TypeError, "out must hold tensors, not %.200s", Py_TYPE(o)->tp_name);
    write_out(op, unwrap(o), r.tensors[k]);
    r.tensors[k] = unwrap(o);
  }
  return nullptr;
}

void invoke(const Op& op, const Overload& o, const Value* v, const Tensor* out, Result& r) {
  if (is_watched()) [[unlikely]] invoke_watched(op.name.c_str(), o.call, v, out, r);
  else o.call.invoke(o.call.function, v, r);
}
PyObject* call_with_out(const Op& op, const Overload& o, const Value* v, PyObject* out, Result& r) {
  struct Target {  // the op may throw before it takes the target
    ~Target() { set_out_target(nullptr); }
  } target;
  const Tensor* direct = o.info->out_direct && is_tensor(out) ? &unwrap(out) : nullptr;
  if (direct) set_out_target(direct);
  std::vector<Value> values(v, v + o.call.kinds.size());
  for (size_t k = 0; k < values.size(); k++)  // a dtype that is not given is out's: sums are then computed in it
    if (o.call.kinds[k] == ArgKind::OptionalDtype && values[k].none && is_tensor(out)) values[k].none = false, values[k].dtype = unwrap(out).dtype();
  invoke(op, o, values.data(), direct, r);
  if (PyObject* given = give_out(o.info->name, out, r)) return given;
  return to_python(r, o.fields);
}

// ---- the callable objects ------------------------------------------------------------------------------------------

struct PyOp {
  PyObject_HEAD
  vectorcallfunc vectorcall;
  const Op* op;
  const char* module;
};
PyTypeObject *FunctionType, *MethodType;
PyOp* op_of(PyObject* o) { return reinterpret_cast<PyOp*>(o); }

PyObject* op_vectorcall(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  return call_op(*op_of(self)->op, args, PyVectorcall_NARGS(nargsf), kwnames);
}
PyObject* function_get(PyObject* self, PyObject*, PyObject*) { return Py_NewRef(self); }  // as builtins: never bound
PyObject* method_get(PyObject* self, PyObject* object, PyObject*) {
  return object && object != Py_None ? PyMethod_New(self, object) : Py_NewRef(self);
}
PyObject* op_repr(PyObject* self) {
  const bool method = Py_IS_TYPE(self, MethodType);
  return PyUnicode_FromFormat(method ? "<method '%s' of 'tapegrad.Tensor' objects>" : "<built-in function %s>", op_of(self)->op->name.c_str());
}
// "linalg.inv" lives in the module tapegrad.linalg under the name inv.
std::string_view own_name(const Op& op) { return std::string_view(op.name).substr(op.name.find('.') + 1); }
PyObject* op_name(PyObject* self, void*) { return PyUnicode_FromString(own_name(*op_of(self)->op).data()); }
PyObject* op_qualname(PyObject* self, void*) {
  return PyUnicode_FromFormat("%s%s", Py_IS_TYPE(self, MethodType) ? "Tensor." : "", own_name(*op_of(self)->op).data());
}
PyObject* op_module(PyObject* self, void*) {
  const std::string& name = op_of(self)->op->name;
  const size_t dot = name.find('.');
  const std::string inner = dot == name.npos ? "" : "." + name.substr(0, dot);
  return PyUnicode_FromFormat("%s%s", op_of(self)->module, inner.c_str());
}
PyObject* op_doc(PyObject* self, void*) { return PyUnicode_FromString(op_of(self)->op->doc.c_str()); }
PyObject* op_text_signature(PyObject* self, void*) {
  const Op& op = *op_of(self)->op;
  if (op.overloads.size() != 1) Py_RETURN_NONE;
  return PyUnicode_FromString(inspect_text(op.overloads[0], Py_IS_TYPE(self, MethodType)).c_str());
}
PyObject* op_reduce(PyObject* self, PyObject*) {  // pickled by name
  const char* name = own_name(*op_of(self)->op).data();
  if (!Py_IS_TYPE(self, MethodType)) return PyUnicode_FromString(name);
  PyObject* getattr = PyDict_GetItemString(PyEval_GetBuiltins(), "getattr");
  return Py_BuildValue("O(Os)", getattr, TensorType, name);
}
PyObject* op_copy(PyObject* self, PyObject*) { return Py_NewRef(self); }

PyGetSetDef op_getset[] = {{"__name__", op_name, nullptr, nullptr, nullptr}, {"__qualname__", op_qualname, nullptr, nullptr, nullptr},
                           {"__module__", op_module, nullptr, nullptr, nullptr}, {"__doc__", op_doc, nullptr, nullptr, nullptr},
                           {"__text_signature__", op_text_signature, nullptr, nullptr, nullptr}, {}};
PyMethodDef op_methods[] = {{"__reduce__", op_reduce, METH_NOARGS, nullptr}, {"__deepcopy__", op_copy, METH_O, nullptr}, {}};
PyMemberDef op_members[] = {{"__vectorcalloffset__", T_PYSSIZET, offsetof(PyOp, vectorcall), READONLY, nullptr}, {}};

PyTypeObject* make_op_type(const char* name, bool method) {
  PyType_Slot slots[] = {{Py_tp_call, (void*)PyVectorcall_Call}, {Py_tp_repr, (void*)op_repr}, {Py_tp_getset, op_getset},
                         {Py_tp_methods, op_methods}, {Py_tp_members, op_members},
                         {Py_tp_descr_get, method ? (void*)method_get : (void*)function_get}, {0, nullptr}};
  const unsigned long flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_IMMUTABLETYPE | (method ? Py_TPFLAGS_METHOD_DESCRIPTOR : 0ul);
  PyType_Spec spec{name, sizeof(PyOp), 0, unsigned(flags), slots};
  return reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&spec)));
}
Obj make_op(PyTypeObject* type, const Op& op, const char* module) {
  PyOp* o = PyObject_New(PyOp, type);
  if (!o) throw PythonError();
  o->vectorcall = op_vectorcall;
  o->op = &op;
  o->module = module;
  return Obj::take(reinterpret_cast<PyObject*>(o));
}

// ---- making them all -----------------------------------------------------------------------------------------------

PyTypeObject* make_fields(std::string_view name, const char* fields) {
  static std::map<std::string, PyTypeObject*, std::less<>> made;
  std::string full(name);
  std::replace(full.begin(), full.end(), '.', '_');
  full.insert(0, "tapegrad.return_types.");
  if (auto known = made.find(full); known != made.end()) return known->second;
  auto* list = new std::vector<PyStructSequence_Field>;
  for (std::string_view rest = fields; !rest.empty();) {
    const size_t space = rest.find(' ');
    list->push_back({(new std::string(rest.substr(0, space)))->c_str(), nullptr});
    rest = space == rest.npos ? std::string_view() : rest.substr(space + 1);
  }
  const int n = int(list->size());
  list->push_back({nullptr, nullptr});
  PyStructSequence_Desc desc{(new std::string(full))->c_str(), nullptr, list->data(), n};
  auto* type = PyStructSequence_NewType(&desc);
  if (!type) throw PythonError();
  return made[full] = type;
}

struct Table {
  std::map<std::string, Op*, std::less<>> functions, functional, methods;
  static void add(std::map<std::string, Op*, std::less<>>& where, std::string_view name, const OpInfo& info, const Callable& call) {
    Op*& op = where[std::string(name)];
    if (!op) op = new Op{std::string(name), {}, {}, {}};
    Overload& o = op->overloads.emplace_back(parse(info, call, name));
    o.accepts_out = info.out && call.function == info.call.function;
    for (const DeviceType d : {DeviceType::CPU, DeviceType::CUDA}) o.casts |= (o.cast[int(d)] = cast_of(info.name, d)) != Cast::None;
    if (info.fields) o.fields = make_fields(info.name, info.fields);
    op->doc += (op->doc.empty() ? "" : "\n\n") + o.text + "\n\n" + std::string(info.doc);
  }
  void add(const OpInfo& info, std::string_view name, const Callable& call) {
    if (info.is_function) add(functions, name, info, call);
    if (info.in_functional) add(functional, name, info, call);
    if (info.is_method) add(methods, name, info, call);
  }
  void add(const OpInfo& info) {
    std::vector<std::string_view> names{info.name};
    names.insert(names.end(), info.aliases.begin(), info.aliases.end());
    for (auto name : names) {
      add(info, name, info.call);
      if (info.in_place.function) add(info, std::string(name) + "_", info.in_place);
    }
  }
};

}  // namespace

PyObject* to_python(Result& r, PyTypeObject* fields) {
  switch (r.kind) {
    case Result::Kind::Tensor: return wrap(std::move(r.tensor));
    case Result::Kind::List: return tuple_of(r.tensors, false);
    case Result::Kind::Tensors: {
      if (!fields) return tuple_of(r.tensors, true);
      Obj t = Obj::take(PyStructSequence_New(fields));
      for (size_t k = 0; k < r.tensors.size(); k++) PyStructSequence_SET_ITEM(t.get(), Py_ssize_t(k), checked(wrap(std::move(r.tensors[k]))));
      return t.release();
    }
    case Result::Kind::Boolean: return PyBool_FromLong(r.integer);
    case Result::Kind::Integer: return PyLong_FromLongLong(r.integer);
    case Result::Kind::Number: return PyFloat_FromDouble(r.number);
    case Result::Kind::Nothing: break;
  }
  Py_RETURN_NONE;
}

// Under autocast, or while somebody watches.
[[gnu::noinline]] static void invoke_rarely(const Op& op, const Overload& o, Value* v, Result& r) {
  Casts casts;
  if (o.casts && autocast_used) cast_arguments(o, v, casts);
  invoke(op, o, v, nullptr, r);
}

PyObject* call_op(const Op& op, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  const Overload* matched = nullptr;
  try {
    Entered in;
    for (const Overload& o : op.overloads) {
      alignas(Value) char space[kMaxParams * sizeof(Value)];  // left uninitialised: match() fills what the op has
      Value* v = reinterpret_cast<Value*>(space);
      Scratch s;
      if (!match(o, args, nargs, kwnames, v, s)) continue;
      matched = &o;
      Result r;
      if (s.out) [[unlikely]] return call_with_out(op, o, v, s.out, r);
      if (__atomic_load_n(&in.t.watched, __ATOMIC_RELAXED) | (o.casts && autocast_used)) [[unlikely]] invoke_rarely(op, o, v, r);
      else o.call.invoke(o.call.function, v, r);
      const Py_ssize_t given = nargs + (kwnames ? PyTuple_GET_SIZE(kwnames) : 0);
      if (r.kind == Result::Kind::Tensor) [[likely]] {
        if (r.tensor.defined()) keep_reason(r.tensor, op.name.c_str(), args, given);
        return wrap(std::move(r.tensor));
      }
      for (const Tensor& t : r.tensors) if (t.defined()) keep_reason(t, op.name.c_str(), args, given);
      return to_python(r, o.fields);
    }
    return no_match(op, args, nargs, kwnames);
  } catch (...) { return matched ? raise_in_call(op.name, *matched, args, nargs, kwnames) : raise_current(); }
}

void init_ops(PyObject* module) {
  str_out = PyUnicode_InternFromString("out");
  str_layout = PyUnicode_InternFromString("layout");
  str_pin_memory = PyUnicode_InternFromString("pin_memory");
  for (Synonym& s : synonyms) {
    s.other_name = PyUnicode_InternFromString(s.other);
    s.real_name = PyUnicode_InternFromString(s.real);
  }
  FunctionType = make_op_type("tapegrad.OpFunction", false);
  MethodType = make_op_type("tapegrad.OpMethod", true);

  Table table;
  for (const OpInfo& info : all_ops()) table.add(info);
  const Table own = table;
  for (const OpInfo& info : extra_ops()) if (!own.methods.count(info.name) && !own.functions.count(info.name)) table.add(info);
  const Obj functions = Obj::take(PyDict_New()), functional = Obj::take(PyDict_New());
  for (auto& [name, op] : table.functions) {
    const Obj f = make_op(FunctionType, *op, "tapegrad");
    if (name.find('.') == name.npos) checked(PyModule_AddObjectRef(module, name.c_str(), f.get()));
    checked(PyDict_SetItemString(functions.get(), name.c_str(), f.get()));
  }
  for (auto& [name, op] : table.functional)
    checked(PyDict_SetItemString(functional.get(), name.c_str(), make_op(FunctionType, *op, "tapegrad.nn.functional").get()));
  for (auto& [name, op] : table.methods)
    checked(PyObject_SetAttrString(reinterpret_cast<PyObject*>(TensorType), name.c_str(), make_op(MethodType, *op, "tapegrad").get()));
  checked(PyModule_AddObjectRef(module, "functions", functions.get()));
  checked(PyModule_AddObjectRef(module, "functional", functional.get()));
}

}  // namespace tapegrad::py
