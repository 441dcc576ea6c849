// no_grad, enable_grad, set_grad_enabled, inference_mode, anomaly mode: context managers and decorators. And ModuleBase.
//
// A mode object stores what it replaced, so nesting works; one used again while it is active keeps a stack in Python terms by
// being created anew each time. Called with a function it decorates it: the wrapper enters a new mode around each call, and around
// each step of a generator.

#include <deque>
#include <set>

#include "py.h"
#include "src/tensor/ledger.h"

namespace tapegrad::py {
namespace {

enum class Mode : uint8_t { NoGrad, EnableGrad, SetGrad, Inference, Anomaly };
struct PyMode {
  PyObject_HEAD
  Mode mode;
  bool on;                    // the argument of the modes that have one
  bool before, grad_before;
  uint16_t origin;            // of tensors made before
};
PyTypeObject *mode_types[5], *WrapperType;
PyObject *spare_no_grad, *str_forward, *str_call_slow;
PyMode* mode_of(PyObject* o) { return reinterpret_cast<PyMode*>(o); }

constexpr const char* kModeNames[][2] = {{"no_grad", "@no_grad"}, {"enable_grad", "@enable_grad"}, {"set_grad_enabled", "@set_grad_enabled"},
                                         {"inference_mode", "@inference_mode"}, {"detect_anomaly", "@detect_anomaly"}};
// `function`: what is decorated with the mode, else null. Tensors made inside know the line (explain.cpp).
void enter(PyMode& m, PyObject* function = nullptr) {
  ThreadState& t = tls;
  m.grad_before = t.no_grad, m.origin = t.origin;
  switch (m.mode) {
    case Mode::NoGrad: t.no_grad = true; break;
    case Mode::EnableGrad: t.no_grad = false; break;
    case Mode::SetGrad: t.no_grad = !m.on; break;
    case Mode::Inference:
      m.before = std::exchange(t.inference, m.on);
      t.no_grad = m.on || t.no_grad;
      break;
    case Mode::Anomaly: m.before = std::exchange(t.anomaly, m.on); return;
  }
  t.origin = t.no_grad ? make_note(kModeNames[int(m.mode)][function != nullptr], function ? function_place(function) : python_place()) : 0;
}
void leave(const PyMode& m) {
  ThreadState& t = tls;
  if (m.mode == Mode::Inference) t.inference = m.before;
  if (m.mode == Mode::Anomaly) t.anomaly = m.before;
  else t.no_grad = m.grad_before, t.origin = m.origin;
}

PyObject* new_mode(PyTypeObject* type, Mode mode, bool on) {
  PyMode* m = PyObject_New(PyMode, type);
  if (!m) return nullptr;
  m->mode = mode, m->on = on;
  m->before = m->grad_before = false, m->origin = 0;
  return reinterpret_cast<PyObject*>(m);
}
PyObject* decorate(PyObject* function, Mode mode, bool on);

// The one argument of a switch, a bool called `name`.
bool read_switch(const char* who, const char* name, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames, bool& on, bool required) {
  const Py_ssize_t named = kwnames ? PyTuple_GET_SIZE(kwnames) : 0;
  if (nargs + named > 1) return PyErr_Format(PyExc_TypeError, "%s() takes one argument, %s, got %zd", who, name, nargs + named), false;
  if (named && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(kwnames, 0), name) != 0)
    return PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", who, PyTuple_GET_ITEM(kwnames, 0)), false;
  if (nargs + named == 0) return required ? (PyErr_Format(PyExc_TypeError, "%s() needs an argument: a bool", who), false) : true;
  if (!PyBool_Check(args[0])) return PyErr_Format(PyExc_TypeError, "%s() takes a bool, not %.200s", who, Py_TYPE(args[0])->tp_name), false;
  on = args[0] == Py_True;
  return true;
}

// no_grad() and enable_grad(); @no_grad without parentheses decorates.
template <Mode M> PyObject* plain_mode(PyObject* type, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  const Py_ssize_t n = PyVectorcall_NARGS(nargsf);
  if (n == 0 && !kwnames) [[likely]] {
    if (M == Mode::NoGrad && spare_no_grad) {
      PyObject* o = std::exchange(spare_no_grad, nullptr);
      _Py_NewReference(o);
      return o;
    }
    return new_mode(reinterpret_cast<PyTypeObject*>(type), M, true);
  }
  if (n == 1 && !kwnames && PyCallable_Check(args[0])) return decorate(args[0], M, true);
  return PyErr_Format(PyExc_TypeError, "%s() takes no arguments", M == Mode::NoGrad ? "no_grad" : "enable_grad");
}
// set_grad_enabled(on) acts at once, with or without `with`.
PyObject* set_grad_mode(PyObject* type, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  bool on = true;
  if (!read_switch("set_grad_enabled", "mode", args, PyVectorcall_NARGS(nargsf), kwnames, on, true)) return nullptr;
  PyObject* o = new_mode(reinterpret_cast<PyTypeObject*>(type), Mode::SetGrad, on);
  if (o) enter(*mode_of(o));
  return o;
}
PyObject* inference_mode(PyObject* type, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  const Py_ssize_t n = PyVectorcall_NARGS(nargsf);
  if (n == 1 && !kwnames && !PyBool_Check(args[0]) && PyCallable_Check(args[0])) return decorate(args[0], Mode::Inference, true);
  bool on = true;
  if (!read_switch("inference_mode", "mode", args, n, kwnames, on, false)) return nullptr;
  return new_mode(reinterpret_cast<PyTypeObject*>(type), Mode::Inference, on);
}
PyObject* detect_anomaly(PyObject* type, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  bool check_nan = true;
  if (!read_switch("detect_anomaly", "check_nan", args, PyVectorcall_NARGS(nargsf), kwnames, check_nan, false)) return nullptr;
  if (!check_nan) {
    PyErr_SetString(PyExc_NotImplementedError, "detect_anomaly: check_nan=False is not supported; anomaly mode always checks for NaN");
    return nullptr;
  }
  return new_mode(reinterpret_cast<PyTypeObject*>(type), Mode::Anomaly, true);
}

void mode_dealloc(PyObject* o) {
  if (Py_IS_TYPE(o, mode_types[0]) && !spare_no_grad) {
    spare_no_grad = o;
    return;
  }
  PyTypeObject* t = Py_TYPE(o);
  PyObject_Free(o);
  Py_DECREF(t);
}
PyObject* mode_enter(PyObject* o, PyObject*) {
  PyMode& m = *mode_of(o);
  const bool before = m.grad_before;
  const uint16_t origin = m.origin;
  enter(m);
  if (m.mode == Mode::SetGrad) m.grad_before = before, m.origin = origin;  // what it replaced was kept when it was made
  Py_RETURN_NONE;
}
PyObject* mode_exit(PyObject* o, PyObject* const*, Py_ssize_t) {
  leave(*mode_of(o));
  Py_RETURN_NONE;
}
PyObject* mode_call(PyObject* o, PyObject* args, PyObject*) {
  PyMode& m = *mode_of(o);
  if (PyTuple_GET_SIZE(args) != 1 || !PyCallable_Check(PyTuple_GET_ITEM(args, 0))) return PyErr_Format(PyExc_TypeError, "a grad mode decorates a function");
  if (m.mode == Mode::SetGrad) leave(m);  // @set_grad_enabled(False) is meant for the function only
  return decorate(PyTuple_GET_ITEM(args, 0), m.mode, m.on);
}
PyObject* mode_clone(PyObject* o, PyObject*) { return new_mode(Py_TYPE(o), mode_of(o)->mode, mode_of(o)->on); }
PyMethodDef mode_methods[] = {{"__enter__", mode_enter, METH_NOARGS, nullptr}, {"__exit__", function_pointer(mode_exit), METH_FASTCALL, nullptr},
                              {"clone", mode_clone, METH_NOARGS, nullptr}, {}};

// ---- decorated functions -----------------------------------------------------------------------------------------------

// A function under a mode. Binds as a function does; copies __name__, __doc__ and so on through functools.update_wrapper.
struct PyWrapper {
  PyObject_HEAD
  PyObject *function, *dict;
  Mode mode;
  bool on;
  bool steps;  // `function` is a generator object: each send() runs under the mode
};
PyWrapper* wrapper_of(PyObject* o) { return reinterpret_cast<PyWrapper*>(o); }
PyObject* new_wrapper(PyTypeObject* type, PyObject* function, Mode mode, bool on) {
  PyWrapper* w = PyObject_GC_New(PyWrapper, type);
  if (!w) return nullptr;
  w->function = Py_NewRef(function), w->dict = nullptr;
  w->mode = mode, w->on = on;
  PyObject_GC_Track(w);
  return reinterpret_cast<PyObject*>(w);
}
template <class F> PyObject* under(const PyWrapper& w, F&& call) {
  PyMode m{};
  m.mode = w.mode, m.on = w.on;
  enter(m, w.function);
  PyObject* r = call();
  leave(m);
  return r;
}
PyTypeObject* StepsType;
PyObject* wrapper_call(PyObject* o, PyObject* args, PyObject* kwargs) {
  const PyWrapper& w = *wrapper_of(o);
  PyObject* r = under(w, [&] { return PyObject_Call(w.function, args, kwargs); });
  if (!r || !PyGen_CheckExact(r)) return r;
  PyObject* steps = new_wrapper(StepsType, r, w.mode, w.on);
  Py_DECREF(r);
  return steps;
}
PyObject* wrapper_get(PyObject* self, PyObject* object, PyObject*) {
  return object && object != Py_None ? PyMethod_New(self, object) : Py_NewRef(self);
}
PyObject* wrapper_repr(PyObject* o) { return PyObject_Repr(wrapper_of(o)->function); }
int wrapper_traverse(PyObject* o, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(o));
  Py_VISIT(wrapper_of(o)->function);
  Py_VISIT(wrapper_of(o)->dict);
  return 0;
}
int wrapper_clear(PyObject* o) {
  Py_CLEAR(wrapper_of(o)->function);
  Py_CLEAR(wrapper_of(o)->dict);
  return 0;
}
void wrapper_dealloc(PyObject* o) {
  PyObject_GC_UnTrack(o);
  wrapper_clear(o);
  PyTypeObject* t = Py_TYPE(o);
  PyObject_GC_Del(o);
  Py_DECREF(t);
}
PyMemberDef wrapper_members[] = {{"__dictoffset__", T_PYSSIZET, offsetof(PyWrapper, dict), READONLY, nullptr}, {}};
PyGetSetDef wrapper_getset[] = {{"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr}, {}};

PyObject* steps_next(PyObject* o) {
  const PyWrapper& w = *wrapper_of(o);
  return under(w, [&] { return Py_TYPE(w.function)->tp_iternext(w.function); });
}
PyObject* steps_forward(PyObject* o, PyObject* args, const char* name) {
  const PyWrapper& w = *wrapper_of(o);
  const Obj method = Obj::take(PyObject_GetAttrString(w.function, name));
  return under(w, [&] { return PyObject_CallObject(method.get(), args); });
}
PyObject* steps_send(PyObject* o, PyObject* args) { return guarded([&] { return steps_forward(o, args, "send"); }); }
PyObject* steps_throw(PyObject* o, PyObject* args) { return guarded([&] { return steps_forward(o, args, "throw"); }); }
PyObject* steps_close(PyObject* o, PyObject*) { return guarded([&] { return steps_forward(o, nullptr, "close"); }); }
PyMethodDef steps_methods[] = {{"send", steps_send, METH_VARARGS, nullptr}, {"throw", steps_throw, METH_VARARGS, nullptr},
                               {"close", steps_close, METH_NOARGS, nullptr}, {}};

PyObject* decorate(PyObject* function, Mode mode, bool on) {
  return guarded([&]() -> PyObject* {
    if (PyType_Check(function)) raise(PyExc_TypeError, "a grad mode decorates functions, not classes; decorate the methods");
    Obj w = Obj::take(new_wrapper(WrapperType, function, mode, on));
    const Obj functools = Obj::take(PyImport_ImportModule("functools"));
    Obj::take(PyObject_CallMethod(functools.get(), "update_wrapper", "OO", w.get(), function));
    return w.release();
  });
}

PyObject* is_grad_enabled(PyObject*, PyObject*) { return PyBool_FromLong(!tls.no_grad); }
PyObject* is_inference_mode_enabled(PyObject*, PyObject*) { return PyBool_FromLong(tls.inference); }
PyObject* is_anomaly_enabled(PyObject*, PyObject*) { return PyBool_FromLong(tls.anomaly); }
PyObject* set_detect_anomaly(PyObject*, PyObject* on) {
  const int b = PyObject_IsTrue(on);
  if (b < 0) return nullptr;
  tls.anomaly = b;
  Py_RETURN_NONE;
}
PyMethodDef functions[] = {{"is_grad_enabled", is_grad_enabled, METH_NOARGS, "Are operations recorded in this thread?"},
                           {"is_inference_mode_enabled", is_inference_mode_enabled, METH_NOARGS, nullptr},
                           {"is_anomaly_enabled", is_anomaly_enabled, METH_NOARGS, nullptr},
                           {"_set_detect_anomaly", set_detect_anomaly, METH_O, nullptr}, {}};

// ---- ModuleBase --------------------------------------------------------------------------------------------------------

// nn.Module's __call__. One byte here and one global say whether any hook needs the slow way, which is written in Python.
// No dict offset: instances keep the interpreter's inline values.
struct PyModuleBase {
  PyObject_HEAD
  char slow;
  uint32_t path;  // its path (src/tensor/ledger.h) when it was called last, and in the upper half that of the module that called it
};
bool global_hooks;

// "encoder.2": what `parent` calls the module, itself or through modules that are not called (lists). "" if it does not know it.
std::string name_in(PyObject* parent, PyObject* module) {
  std::set<PyObject*> seen{parent};                    // modules may hold each other
  std::deque<std::pair<Obj, std::string>> unsearched;  // and what begins the names of their children
  unsearched.emplace_back(Obj::keep(parent), "");
  for (; !unsearched.empty(); unsearched.pop_front()) {
    const auto& [holder, prefix] = unsearched.front();
    const Obj children = Obj::take(PyObject_GetAttrString(holder.get(), "_modules"));
    PyObject *key, *child;
    for (Py_ssize_t at = 0; PyDict_Check(children.get()) && PyDict_Next(children.get(), &at, &key, &child);) {
      if (child == Py_None || !PyUnicode_Check(key)) continue;
      const std::string name = prefix + text_of(key);
      if (child == module) return name;
      if (seen.insert(child).second) unsearched.emplace_back(Obj::keep(child), name + ".");
    }
  }
  return {};
}
thread_local PyObject* running_module;
uint16_t new_path(PyObject* self) {
  std::string name = running_module ? name_in(running_module, self) : "";
  if (name.empty()) name = Py_TYPE(self)->tp_name;
  const uint16_t path = module_path(tls.module, name);
  const Obj parameters = Obj::take(PyObject_GetAttrString(self, "_parameters"));
  PyObject *key, *p;
  if (PyDict_Check(parameters.get()))
    for (Py_ssize_t at = 0; PyDict_Next(parameters.get(), &at, &key, &p);)
      if (is_tensor(p)) set_owner_module(*unwrap(p)->storage, path);
  return path;
}
// The module whose forward runs in this thread.
struct InModule {
  PyObject* outer = running_module;
  uint16_t before = tls.module;
  explicit InModule(PyObject* self) {
    uint32_t& path = reinterpret_cast<PyModuleBase*>(self)->path;
    if (!path || path >> 16 != before) [[unlikely]] {
      try {
        path = uint32_t(before) << 16 | new_path(self);
      } catch (...) { PyErr_Clear(); }  // not a module like ours: no path
    }
    running_module = self, tls.module = uint16_t(path);
  }
  ~InModule() { running_module = outer, tls.module = before; }
};

PyObject* module_call(PyObject* self, PyObject* args, PyObject* kwargs) {
  const InModule in(self);
  PyObject* name = reinterpret_cast<PyModuleBase*>(self)->slow || global_hooks ? str_call_slow : str_forward;
  const Py_ssize_t n = PyTuple_GET_SIZE(args);
  if (!kwargs && n <= 6) [[likely]] {
    PyObject* stack[7] = {self};
    for (Py_ssize_t k = 0; k < n; k++) stack[k + 1] = PyTuple_GET_ITEM(args, k);
    return PyObject_VectorcallMethod(name, stack, size_t(n) + 1, nullptr);
  }
  PyObject* f = PyObject_GetAttr(self, name);
  PyObject* r = f ? PyObject_Call(f, args, kwargs) : nullptr;
  Py_XDECREF(f);
  return r;
}
void module_dealloc(PyObject* self) {
  PyTypeObject* t = Py_TYPE(self);
  t->tp_free(self);
  Py_DECREF(t);
}
PyObject* set_module_global_hooks(PyObject*, PyObject* on) {
  const int b = PyObject_IsTrue(on);
  if (b < 0) return nullptr;
  global_hooks = b;
  Py_RETURN_NONE;
}
PyMemberDef module_members[] = {{"_slow", T_BOOL, offsetof(PyModuleBase, slow), 0, nullptr}, {}};
PyMethodDef module_functions[] = {{"set_module_global_hooks", set_module_global_hooks, METH_O, nullptr}, {}};

}  // namespace

void init_modes(PyObject* module) {
  PyType_Slot slots[] = {{Py_tp_methods, mode_methods}, {Py_tp_dealloc, (void*)mode_dealloc}, {Py_tp_call, (void*)mode_call}, {0, nullptr}};
  struct { const char* name; vectorcallfunc make; } modes[] = {{"tapegrad.no_grad", plain_mode<Mode::NoGrad>}, {"tapegrad.enable_grad", plain_mode<Mode::EnableGrad>},
      {"tapegrad.set_grad_enabled", set_grad_mode}, {"tapegrad.inference_mode", inference_mode}, {"tapegrad.autograd.detect_anomaly", detect_anomaly}};
  for (int k = 0; k < 5; k++) {
    PyType_Spec spec{modes[k].name, sizeof(PyMode), 0, Py_TPFLAGS_DEFAULT, slots};
    mode_types[k] = add_type(module, spec);
    mode_types[k]->tp_vectorcall = modes[k].make;
  }
  PyType_Slot wrapper_slots[] = {{Py_tp_dealloc, (void*)wrapper_dealloc}, {Py_tp_traverse, (void*)wrapper_traverse}, {Py_tp_clear, (void*)wrapper_clear},
                                 {Py_tp_call, (void*)wrapper_call}, {Py_tp_descr_get, (void*)wrapper_get}, {Py_tp_repr, (void*)wrapper_repr},
                                 {Py_tp_members, wrapper_members}, {Py_tp_getset, wrapper_getset}, {0, nullptr}};
  constexpr unsigned made_here = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION;
  PyType_Spec wrapper{"tapegrad.GradModeFunction", sizeof(PyWrapper), 0, made_here, wrapper_slots};
  WrapperType = add_type(module, wrapper);
  PyType_Slot steps_slots[] = {{Py_tp_dealloc, (void*)wrapper_dealloc}, {Py_tp_traverse, (void*)wrapper_traverse}, {Py_tp_clear, (void*)wrapper_clear},
                               {Py_tp_iter, (void*)PyObject_SelfIter}, {Py_tp_iternext, (void*)steps_next}, {Py_tp_methods, steps_methods}, {0, nullptr}};
  PyType_Spec steps{"tapegrad.GradModeGenerator", sizeof(PyWrapper), 0, made_here, steps_slots};
  StepsType = add_type(module, steps);
  checked(PyModule_AddFunctions(module, functions));
}

void init_module_base(PyObject* module) {
  str_forward = PyUnicode_InternFromString("forward");
  str_call_slow = PyUnicode_InternFromString("_call_with_hooks");
  PyType_Slot slots[] = {{Py_tp_call, (void*)module_call}, {Py_tp_dealloc, (void*)module_dealloc}, {Py_tp_members, module_members}, {0, nullptr}};
  PyType_Spec spec{"tapegrad.nn.ModuleBase", sizeof(PyModuleBase), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};
  add_type(module, spec);
  checked(PyModule_AddFunctions(module, module_functions));
}

}  // namespace tapegrad::py
