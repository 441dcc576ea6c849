// autograd.Function in Python: forward and backward are static methods of the user's class, the tape keeps one node.
//
// Ownership: output -> node -> body (C++) -> ctx (Python object). ctx points back to the node's FunctionContext and is cut off when
// the node dies. A cycle output -> node -> ctx -> ctx.__dict__ -> output is found by the collector: node_owns() names the ctx.
#include <set>

#include "py.h"

namespace tapegrad::py {
namespace {

struct PyContext {
  PyObject_HEAD
  PyObject *dict, *type, *needs;  // type: the user's class; needs: needs_input_grad
  FunctionContext* cpp;           // null once the node has died
  const char* name;
};
PyTypeObject *ContextType, *FunctionType;
PyObject *str_forward, *str_backward, *str_setup_context, *str_once, *default_setup;
PyContext* context_of(PyObject* o) { return reinterpret_cast<PyContext*>(o); }

FunctionContext& alive(PyObject* o) {
  if (!context_of(o)->cpp) raise(PyExc_RuntimeError, "the context of %.200s is gone: its node has been freed", context_of(o)->type ? reinterpret_cast<PyTypeObject*>(context_of(o)->type)->tp_name : "a Function");
  return *context_of(o)->cpp;
}

// ---- the node's half -------------------------------------------------------------------------------------------------------

struct OnceBackward final : NodeOfMany {
  explicit OnceBackward(TensorList inputs) : NodeOfMany(inputs) {}
  const char* name() const override { return "OnceDifferentiableBackward"; }
  void backward(Tensor, Tensor*) override { TG_CHECK(false, GradError, "trying to differentiate twice a function that was marked with @once_differentiable"); }
};

// "CubeBackward", kept for good, as notes of places want it.
const char* title_of(PyTypeObject* type) {
  static auto& titles = *new std::set<std::string>;
  const std::string name = type->tp_name;
  return titles.insert(name.substr(name.rfind('.') + 1) + "Backward").first->c_str();
}

struct PyBody final : detail::FunctionBody {
  const char* title;
  PyObject *type, *context;   // owned
  std::vector<bool> tensors;  // which arguments of apply() were tensors
  std::vector<bool> outputs;  // which results of forward() were; the others' gradients are None
  const Node* node = nullptr;

  PyBody(PyObject* t, PyObject* c) : title(title_of(reinterpret_cast<PyTypeObject*>(t))), type(Py_NewRef(t)), context(Py_NewRef(c)) {}
  ~PyBody() override {
    if (node) node_drops(node, context);
    if (!Py_IsInitialized()) return;
    CallPython hold;
    context_of(context)->cpp = nullptr;
    Py_DECREF(context);
    Py_DECREF(type);
  }

  std::vector<Tensor> backward(FunctionContext& ctx, std::vector<Tensor> grads) override {
    CallPython hold;
    const Obj args = Obj::take(PyTuple_New(Py_ssize_t(outputs.size()) + 1));
    PyTuple_SET_ITEM(args.get(), 0, Py_NewRef(context));
    size_t next = 0;
    for (size_t k = 0; k < outputs.size(); k++)
      PyTuple_SET_ITEM(args.get(), Py_ssize_t(k) + 1, checked(wrap(outputs[k] ? grads[next++] : Tensor())));
    PyObject* method = PyObject_GetAttr(type, str_backward);
    if (!method) throw PythonError();
    const Obj held = Obj::take(method), result = Obj::take(PyObject_Call(method, args.get(), nullptr));
    std::vector<Tensor> r = gradients(result.get());
    if (ctx.once_differentiable && recording_off_but_wanted(grads)) {
      const EnableGrad on;
      for (Tensor& t : r) if (t.defined()) t = tapegrad::detach(t), record<OnceBackward>(t, TensorList(grads));
    }
    return r;
  }

 private:
  static bool recording_off_but_wanted(const std::vector<Tensor>& grads) {
    for (const Tensor& g : grads) if (needs_grad(g)) return true;
    return false;
  }
  // One gradient per argument of forward; those of arguments that were no tensors must be None and are dropped.
  std::vector<Tensor> gradients(PyObject* result) {
    const bool tuple = PyTuple_Check(result) || PyList_Check(result);
    const Py_ssize_t n = tuple ? PySequence_Fast_GET_SIZE(result) : 1, expected = Py_ssize_t(tensors.size());
    auto at = [&](Py_ssize_t k) { return tuple ? PySequence_Fast_GET_ITEM(result, k) : result; };
    for (Py_ssize_t k = expected; k < n; k++)
      if (at(k) != Py_None) raise(PyExc_RuntimeError, "function %s returned an incorrect number of gradients (expected %zd, got %zd)", title, expected, n);
    if (n < expected) raise(PyExc_RuntimeError, "function %s returned an incorrect number of gradients (expected %zd, got %zd)", title, expected, n);
    std::vector<Tensor> r;
    for (Py_ssize_t k = 0; k < expected; k++) {
      PyObject* g = at(k);
      if (!tensors[size_t(k)]) {
        if (g != Py_None)
          raise(PyExc_RuntimeError, "function %s returned a gradient different from None at position %zd, but the corresponding forward input was not a Variable", title, k + 1);
        continue;
      }
      if (g != Py_None && !is_tensor(g)) raise(PyExc_TypeError, "function %s: expected a Tensor or None as gradient %zd, got %.200s", title, k + 1, Py_TYPE(g)->tp_name);
      r.push_back(g == Py_None ? Tensor() : unwrap(g));
    }
    return r;
  }
};

// ---- apply -----------------------------------------------------------------------------------------------------------------

struct Call {
  PyObject *type, *context, *args;
  PyBody* body;
  bool separate;  // forward(*args) and setup_context(ctx, inputs, output)
  Obj output;

  std::vector<Tensor> operator()() {
    const Obj forward = Obj::take(PyObject_GetAttr(type, str_forward));
    const Py_ssize_t n = PyTuple_GET_SIZE(args);
    if (separate) {
      output = Obj::take(PyObject_Call(forward.get(), args, nullptr));
      const Obj setup = Obj::take(PyObject_GetAttr(type, str_setup_context));
      Obj::take(PyObject_CallFunctionObjArgs(setup.get(), context, args, output.get(), nullptr));
    } else {
      const Obj all = Obj::take(PyTuple_New(n + 1));
      PyTuple_SET_ITEM(all.get(), 0, Py_NewRef(context));
      for (Py_ssize_t k = 0; k < n; k++) PyTuple_SET_ITEM(all.get(), k + 1, Py_NewRef(PyTuple_GET_ITEM(args, k)));
      output = Obj::take(PyObject_Call(forward.get(), all.get(), nullptr));
    }
    std::vector<Tensor> r;
    if (is_tensor(output.get())) {
      body->outputs.push_back(true);
      return {unwrap(output.get())};
    }
    if (!PyTuple_Check(output.get()) && !PyList_Check(output.get()))
      raise(PyExc_TypeError, "%.200s.forward: expected to return a Tensor or a tuple, got %.200s", reinterpret_cast<PyTypeObject*>(type)->tp_name, Py_TYPE(output.get())->tp_name);
    for (Py_ssize_t k = 0; k < PySequence_Fast_GET_SIZE(output.get()); k++) {
      PyObject* o = PySequence_Fast_GET_ITEM(output.get(), k);
      body->outputs.push_back(is_tensor(o));
      if (is_tensor(o)) r.push_back(unwrap(o));
    }
    return r;
  }
};

PyObject* new_context(PyObject* type, FunctionContext* cpp, PyObject* args) {
  PyContext* c = PyObject_GC_New(PyContext, ContextType);
  if (!c) throw PythonError();
  c->dict = nullptr, c->cpp = cpp, c->type = Py_NewRef(type), c->name = nullptr;
  const Py_ssize_t n = PyTuple_GET_SIZE(args);
  c->needs = PyTuple_New(n);
  for (Py_ssize_t k = 0; c->needs && k < n; k++) {
    PyObject* a = PyTuple_GET_ITEM(args, k);
    PyTuple_SET_ITEM(c->needs, k, PyBool_FromLong(is_tensor(a) && recording(unwrap(a))));
  }
  PyObject_GC_Track(c);
  return reinterpret_cast<PyObject*>(c);
}
// The result that apply() returns: forward's, with the tape's tensors in the places of its own.
PyObject* give_back(PyObject* output, std::vector<Tensor>& tensors) {
  auto give = [](Tensor t) {
    PyObject* o = checked(wrap(std::move(t)));
    track(o);
    return o;
  };
  if (is_tensor(output)) return give(std::move(tensors[0]));
  const Py_ssize_t n = PySequence_Fast_GET_SIZE(output);
  Obj r = Obj::take(PyTuple_New(n));
  size_t next = 0;
  for (Py_ssize_t k = 0; k < n; k++) {
    PyObject* o = PySequence_Fast_GET_ITEM(output, k);
    PyTuple_SET_ITEM(r.get(), k, is_tensor(o) ? give(std::move(tensors[next++])) : Py_NewRef(o));
  }
  return r.release();
}

PyObject* apply(PyObject* type, PyObject* args) {
  return guarded([&]() -> PyObject* {
    auto* cpp = new FunctionContext;
    std::vector<Tensor> inputs;
    Obj context;
    PyBody* body;
    try {
      context = Obj::take(new_context(type, cpp, args));
      body = new PyBody(type, context.get());
    } catch (...) {
      delete cpp;
      throw;
    }
    context_of(context.get())->name = body->title;
    for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(args); k++) {
      PyObject* a = PyTuple_GET_ITEM(args, k);
      body->tensors.push_back(is_tensor(a));
      if (is_tensor(a)) inputs.push_back(unwrap(a));
    }
    const Obj setup = Obj::take(PyObject_GetAttr(type, str_setup_context)), backward = Obj::take(PyObject_GetAttr(type, str_backward));
    if (PyObject* once = PyObject_GetAttr(backward.get(), str_once)) {
      cpp->once_differentiable = once == Py_True;
      Py_DECREF(once);
    } else {
      PyErr_Clear();
    }
    Call call{type, context.get(), args, body, setup.get() != default_setup, {}};
    auto run = [](void* self, FunctionContext&) { return (*static_cast<Call*>(self))(); };
    std::vector<Tensor> outputs = detail::apply_function(body->title, inputs, {&call, run}, body, cpp);
    for (const Tensor& t : outputs) {  // cpp and body are alive only when a node was recorded
      if (Node* n = t->grad_fn; n && context_of(context.get())->cpp == cpp && cpp->node == n && !body->node) {
        body->node = n;
        node_owns(n, context.get());
      }
    }
    return give_back(call.output.get(), outputs);
  });
}
PyObject* no_forward(PyObject*, PyObject*) {
  return PyErr_Format(PyExc_NotImplementedError, "You must implement the forward function for custom autograd.Function.");
}
PyObject* no_backward(PyObject*, PyObject*) {
  return PyErr_Format(PyExc_NotImplementedError, "You must implement either the backward or vjp method for your custom autograd.Function to use it with backward mode AD.");
}
PyObject* no_setup(PyObject*, PyObject*) {
  return PyErr_Format(PyExc_NotImplementedError, "setup_context is not implemented.");
}
PyMethodDef function_methods[] = {{"apply", apply, METH_VARARGS | METH_CLASS, "apply(*args)\n\nRuns forward and records one node whose backward is this class's."},
                                  {"forward", no_forward, METH_VARARGS | METH_STATIC, nullptr},
                                  {"backward", no_backward, METH_VARARGS | METH_STATIC, nullptr},
                                  {"setup_context", no_setup, METH_VARARGS | METH_STATIC, nullptr}, {}};

// ---- ctx -------------------------------------------------------------------------------------------------------------------

std::vector<Tensor> tensors_in(PyObject* args, const char* who) {
  std::vector<Tensor> r;
  for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(args); k++) r.push_back(tensor_or_none(PyTuple_GET_ITEM(args, k), who));
  return r;
}
PyObject* save_for_backward(PyObject* o, PyObject* args) {
  return guarded([&]() -> PyObject* {
    alive(o).save_for_backward(tensors_in(args, "an argument of save_for_backward()"));
    Py_RETURN_NONE;
  });
}
PyObject* mark_dirty(PyObject* o, PyObject* args) {
  return guarded([&]() -> PyObject* {
    alive(o).mark_dirty(tensors_in(args, "an argument of mark_dirty()"));
    Py_RETURN_NONE;
  });
}
PyObject* mark_non_differentiable(PyObject* o, PyObject* args) {
  return guarded([&]() -> PyObject* {
    alive(o).mark_non_differentiable(tensors_in(args, "an argument of mark_non_differentiable()"));
    Py_RETURN_NONE;
  });
}
PyObject* set_materialize_grads(PyObject* o, PyObject* on) {
  return guarded([&]() -> PyObject* {
    bool b;
    if (!read_bool(on, b)) raise(PyExc_TypeError, "set_materialize_grads() takes a bool");
    alive(o).set_materialize_grads(b);
    Py_RETURN_NONE;
  });
}
PyObject* saved_tensors(PyObject* o, void*) {
  return guarded([&] {
    FunctionContext& c = alive(o);
    std::vector<Tensor> list = c.node ? c.saved_tensors() : c.to_save;
    Obj r = Obj::take(PyTuple_New(Py_ssize_t(list.size())));
    for (size_t k = 0; k < list.size(); k++) PyTuple_SET_ITEM(r.get(), Py_ssize_t(k), checked(wrap(std::move(list[k]))));
    return r.release();
  });
}
PyObject* needs_input_grad(PyObject* o, void*) { return Py_NewRef(context_of(o)->needs); }
int set_needs_input_grad(PyObject* o, PyObject* v, void*) {
  if (!v) return PyErr_SetString(PyExc_AttributeError, "needs_input_grad cannot be deleted"), -1;
  Py_SETREF(context_of(o)->needs, Py_NewRef(v));
  return 0;
}
PyObject* context_name(PyObject* o, PyObject*) { return guarded([&] { alive(o); return PyUnicode_FromString(context_of(o)->name); }); }

int context_traverse(PyObject* o, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(o));
  Py_VISIT(context_of(o)->dict);
  Py_VISIT(context_of(o)->type);
  Py_VISIT(context_of(o)->needs);
  return 0;
}
int context_clear(PyObject* o) {
  Py_CLEAR(context_of(o)->dict);
  return 0;
}
void context_dealloc(PyObject* o) {
  PyObject_GC_UnTrack(o);
  Py_CLEAR(context_of(o)->dict);
  Py_CLEAR(context_of(o)->type);
  Py_CLEAR(context_of(o)->needs);
  PyTypeObject* t = Py_TYPE(o);
  PyObject_GC_Del(o);
  Py_DECREF(t);
}
PyMethodDef context_methods[] = {{"save_for_backward", save_for_backward, METH_VARARGS, "Keeps tensors for backward; ctx.saved_tensors gives them."},
                                 {"mark_dirty", mark_dirty, METH_VARARGS, "Names inputs that forward has changed in place and returns."},
                                 {"mark_non_differentiable", mark_non_differentiable, METH_VARARGS, "Names outputs without a gradient."},
                                 {"set_materialize_grads", set_materialize_grads, METH_O, "False: backward gets None instead of zeros."},
                                 {"name", context_name, METH_NOARGS, nullptr}, {}};
PyGetSetDef context_getset[] = {{"saved_tensors", saved_tensors, nullptr, nullptr, nullptr},
                                {"needs_input_grad", needs_input_grad, set_needs_input_grad, nullptr, nullptr},
                                {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr}, {}};
PyMemberDef context_members[] = {{"__dictoffset__", T_PYSSIZET, offsetof(PyContext, dict), READONLY, nullptr}, {}};

}  // namespace

void init_function(PyObject* module) {
  str_forward = PyUnicode_InternFromString("forward");
  str_backward = PyUnicode_InternFromString("backward");
  str_setup_context = PyUnicode_InternFromString("setup_context");
  str_once = PyUnicode_InternFromString("_once_differentiable");
  PyType_Slot context_slots[] = {{Py_tp_dealloc, (void*)context_dealloc}, {Py_tp_traverse, (void*)context_traverse}, {Py_tp_clear, (void*)context_clear},
                                 {Py_tp_methods, context_methods}, {Py_tp_getset, context_getset}, {Py_tp_members, context_members}, {0, nullptr}};
  PyType_Spec context{"tapegrad.autograd.function.FunctionCtx", sizeof(PyContext), 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, context_slots};
  ContextType = add_type(module, context);
  PyType_Slot function_slots[] = {{Py_tp_methods, function_methods}, {0, nullptr}};
  PyType_Spec function{"tapegrad.autograd.function.FunctionBase", sizeof(PyObject), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, function_slots};
  FunctionType = add_type(module, function);
  default_setup = checked(PyObject_GetAttr(reinterpret_cast<PyObject*>(FunctionType), str_setup_context));
}

}  // namespace tapegrad::py
