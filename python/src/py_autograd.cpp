// backward(), grad(), the Node object, hooks, saved-tensor hooks, anomaly mode.

#include <unordered_map>

#include "py.h"
#include "src/tensor/fork.h"

namespace tapegrad::py {
namespace {

// ---- nodes -----------------------------------------------------------------------------------------------------------

// A node of the tape, or, with `leaf` set, the place where a leaf's gradient arrives (the tape itself has no node there).
struct PyNode {
  PyObject_HEAD
  Node* node;     // owned
  Tensor leaf;
  std::vector<NodeOutput> outputs;  // that are known
};
PyTypeObject* NodeType;
PyNode* node_of(PyObject* o) { return reinterpret_cast<PyNode*>(o); }
const char* node_name(PyObject* o) { return node_of(o)->node ? node_of(o)->node->name() : "AccumulateGrad"; }

PyObject* new_node(Node* n, Tensor leaf, std::vector<NodeOutput> known = {}) {
  PyNode* o = PyObject_New(PyNode, NodeType);
  if (!o) throw PythonError();
  if (n) n->retain();
  o->node = n;
  new (&o->leaf) Tensor(std::move(leaf));
  new (&o->outputs) std::vector(std::move(known));
  return reinterpret_cast<PyObject*>(o);
}
void node_dealloc(PyObject* o) {
  PyNode* n = node_of(o);
  if (n->node && n->node->drop()) Node::destroy(n->node);
  n->leaf.~Tensor();
  n->outputs.~vector();
  PyTypeObject* t = Py_TYPE(o);
  PyObject_Free(o);
  Py_DECREF(t);
}
PyObject* node_repr(PyObject* o) { return PyUnicode_FromFormat("<%s object at %p>", node_name(o), node_of(o)->node ? (void*)node_of(o)->node : (void*)node_of(o)->leaf.get()); }
const void* node_identity(PyObject* o) { return node_of(o)->node ? (void*)node_of(o)->node : (void*)node_of(o)->leaf.get(); }
PyObject* node_compare(PyObject* a, PyObject* b, int op) {
  if (!Py_IS_TYPE(b, NodeType) || (op != Py_EQ && op != Py_NE)) Py_RETURN_NOTIMPLEMENTED;
  return PyBool_FromLong((node_identity(a) == node_identity(b)) == (op == Py_EQ));
}
Py_hash_t node_hash(PyObject* o) { return _Py_HashPointer(const_cast<void*>(node_identity(o))); }
PyObject* node_get_name(PyObject* o, PyObject*) { return PyUnicode_FromString(node_name(o)); }
PyObject* node_next(PyObject* o, void*) {
  return guarded([&] {
    const Node* n = node_of(o)->node;
    const int count = n ? n->edge_count : 0;
    Obj r = Obj::take(PyTuple_New(count));
    for (int k = 0; k < count; k++) {
      const Edge& e = n->edges[k];
      PyObject* next = !e ? Py_NewRef(Py_None) : e.leaf() ? new_node(nullptr, Tensor::share(e.tensor())) : new_node(e.node(), {});
      PyTuple_SET_ITEM(r.get(), k, checked(Py_BuildValue("(NI)", next, e ? e.output_nr() : 0u)));
    }
    return r.release();
  });
}
PyObject* node_variable(PyObject* o, void*) {
  if (node_of(o)->node) return PyErr_Format(PyExc_AttributeError, "only AccumulateGrad has a variable");
  return wrap(node_of(o)->leaf);
}
PyObject* node_place(PyObject* o, void*) {  // where the op was called
  return guarded([&]() -> PyObject* {
    if (!node_of(o)->node) Py_RETURN_NONE;
    return PyUnicode_FromString(describe(node_of(o)->node->place).c_str());
  });
}
PyObject* node_saved(PyObject* o, void*) {
  return guarded([&] { return node_of(o)->node ? saved_by(*node_of(o)->node) : checked(PyList_New(0)); });
}
PyObject* node_call(PyObject* o, PyObject* args, PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    if (kwargs && PyDict_GET_SIZE(kwargs)) raise(PyExc_TypeError, "a node takes the gradients of its outputs, by position");
    if (!node_of(o)->node) raise(PyExc_NotImplementedError, "AccumulateGrad cannot be called; add to .grad of its variable");
    return call_node(*node_of(o)->node, node_of(o)->outputs, args);
  });
}
PyObject* node_sequence(PyObject* o, PyObject*) {
  return node_of(o)->node ? PyLong_FromUnsignedLongLong(node_of(o)->node->sequence) : PyLong_FromUnsignedLongLong(UINT64_MAX);
}

// ---- hooks -----------------------------------------------------------------------------------------------------------

// A Python callable as a hook of a tensor. None means: leave the gradient as it is.
struct PyHook final : Hook {
  PyObject* callable;
  const Node* node;  // where it is kept; null for a leaf's, which the leaf keeps itself
  bool returns;
  PyHook(PyObject* c, const Node* n, bool r) : callable(Py_NewRef(c)), node(n), returns(r) {
    if (node) node_owns(node, callable);
  }
  ~PyHook() override {
    if (node) node_drops(node, callable);
    if (!Py_IsInitialized()) return;
    CallPython hold;
    Py_CLEAR(callable);
  }
  Tensor operator()(const Tensor& g) override {
    CallPython hold;
    const Obj arg = Obj::take(wrap(g));
    const Obj r = Obj::take(PyObject_CallOneArg(callable, arg.get()));
    if (r.get() == Py_None || !returns) return {};
    if (!is_tensor(r.get())) raise(PyExc_TypeError, "a hook must return a Tensor or None, not %.200s", Py_TYPE(r.get())->tp_name);
    return unwrap(r.get());
  }
};
Obj tuple_of(const Tensor* t, int n) {
  Obj r = Obj::take(PyTuple_New(n));
  for (int k = 0; k < n; k++) PyTuple_SET_ITEM(r.get(), k, checked(wrap(t[k])));
  return r;
}
void replace(PyObject* result, Tensor* grads, int n) {
  if (result == Py_None) return;
  const bool tuple = PyTuple_Check(result);
  if (!tuple && n != 1) raise(PyExc_TypeError, "a hook must return a tuple of %d gradients or None", n);
  if (tuple && PyTuple_GET_SIZE(result) != n) raise(PyExc_ValueError, "a hook returned %zd gradients, expected %d", PyTuple_GET_SIZE(result), n);
  for (int k = 0; k < n; k++) grads[k] = tensor_or_none(tuple ? PyTuple_GET_ITEM(result, k) : result, "a gradient from a hook");
}
struct PyNodeHook final : NodeHook {
  PyObject* callable;
  const Node* node;
  bool before;
  PyNodeHook(PyObject* c, const Node* n, bool b) : callable(Py_NewRef(c)), node(n), before(b) { node_owns(node, callable); }
  ~PyNodeHook() override {
    node_drops(node, callable);
    if (!Py_IsInitialized()) return;
    CallPython hold;
    Py_CLEAR(callable);
  }
  void operator()(Tensor* inputs, int n_inputs, Tensor* outputs, int n_outputs) override {
    CallPython hold;
    const Obj out = tuple_of(outputs, n_outputs);
    if (before) return replace(Obj::take(PyObject_CallOneArg(callable, out.get())).get(), outputs, n_outputs);
    const Obj in = tuple_of(inputs, n_inputs);
    replace(Obj::take(PyObject_CallFunctionObjArgs(callable, in.get(), out.get(), nullptr)).get(), inputs, n_inputs);
  }
};

// What register_*hook returns.
struct PyHandle {
  PyObject_HEAD
  uint64_t id;
  Tensor tensor;
  Node* node;
};
PyTypeObject* HandleType;
PyHandle* handle_of(PyObject* o) { return reinterpret_cast<PyHandle*>(o); }
PyObject* new_handle(uint64_t id, Tensor t, Node* n) {
  PyHandle* h = PyObject_New(PyHandle, HandleType);
  if (!h) throw PythonError();
  h->id = id, h->node = n;
  if (n) n->retain();
  new (&h->tensor) Tensor(std::move(t));
  return reinterpret_cast<PyObject*>(h);
}
void let_go(PyHandle* h) {
  Node* n = std::exchange(h->node, nullptr);
  h->tensor = {};
  if (n && n->drop()) Node::destroy(n);
}
PyObject* handle_remove(PyObject* o, PyObject*) {
  PyHandle* h = handle_of(o);
  if (h->tensor.defined()) remove_hook(h->id, h->tensor);
  if (h->node) remove_hook(h->id, *h->node);
  let_go(h);
  Py_RETURN_NONE;
}
void handle_dealloc(PyObject* o) {
  let_go(handle_of(o));
  handle_of(o)->tensor.~Tensor();
  PyTypeObject* t = Py_TYPE(o);
  PyObject_Free(o);
  Py_DECREF(t);
}
PyObject* handle_enter(PyObject* o, PyObject*) { return Py_NewRef(o); }
PyObject* handle_exit(PyObject* o, PyObject*) { return handle_remove(o, nullptr); }
PyObject* handle_id(PyObject* o, void*) { return PyLong_FromUnsignedLongLong(handle_of(o)->id); }
PyMethodDef handle_methods[] = {{"remove", handle_remove, METH_NOARGS, "Takes the hook away."}, {"__enter__", handle_enter, METH_NOARGS, nullptr},
                                {"__exit__", handle_exit, METH_VARARGS, nullptr}, {}};
PyGetSetDef handle_getset[] = {{"id", handle_id, nullptr, nullptr, nullptr}, {}};

PyObject* node_register(PyObject* o, PyObject* hook, bool before) {
  return guarded([&]() -> PyObject* {
    if (!PyCallable_Check(hook)) raise(PyExc_TypeError, "a hook must be callable, not %.200s", Py_TYPE(hook)->tp_name);
    Node* n = node_of(o)->node;
    if (!n) raise(PyExc_RuntimeError, "hooks on AccumulateGrad are not supported; use Tensor.register_hook or register_post_accumulate_grad_hook");
    return new_handle(register_node_hook(*n, Ref<NodeHook>::steal(new PyNodeHook(hook, n, before)), before), {}, n);
  });
}
PyObject* node_register_hook(PyObject* o, PyObject* hook) { return node_register(o, hook, false); }
PyObject* node_register_prehook(PyObject* o, PyObject* hook) { return node_register(o, hook, true); }

PyObject* node_html(PyObject* o, PyObject*) { return call_viz("notebook", "node_html", o); }

PyMethodDef node_methods[] = {{"name", node_get_name, METH_NOARGS, nullptr},
                              {"register_hook", node_register_hook, METH_O, "fn(grad_inputs, grad_outputs) after the node's backward."},
                              {"register_prehook", node_register_prehook, METH_O, "fn(grad_outputs) before the node's backward."},
                              {"_sequence_nr", node_sequence, METH_NOARGS, nullptr},
                              {"_repr_html_", node_html, METH_NOARGS, "A picture of the steps that lead to the node, for notebooks."}, {}};
PyGetSetDef node_getset[] = {{"next_functions", node_next, nullptr, nullptr, nullptr}, {"variable", node_variable, nullptr, nullptr, nullptr},
                             {"place", node_place, nullptr, "File, line and function that called the op.", nullptr},
                             {"saved", node_saved, nullptr, "What the node keeps for backward: a list of (role, tensor or None, state).", nullptr}, {}};

// ---- backward and grad -----------------------------------------------------------------------------------------------

bool truth(PyObject* o, const char* name) {
  bool b;
  if (!read_bool(o, b)) raise(PyExc_TypeError, "%s must be a bool, not %.200s", name, Py_TYPE(o)->tp_name);
  return b;
}
// A tensor or a sequence of tensors; None entries become undefined tensors, None itself an empty list.
std::vector<Tensor> tensor_list(PyObject* o, const char* what, bool allow_none) {
  std::vector<Tensor> r;
  if (!o || o == Py_None) return r;
  if (is_tensor(o)) return {unwrap(o)};
  const Obj items = Obj::take(PySequence_Tuple(o));
  for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(items.get()); k++) {
    PyObject* t = PyTuple_GET_ITEM(items.get(), k);
    if (t == Py_None && !allow_none) raise(PyExc_TypeError, "%s must be tensors, not None", what);
    r.push_back(tensor_or_none(t, what));
  }
  return r;
}
bool read_optional(PyObject* o, const char* name, bool otherwise) { return o && o != Py_None ? truth(o, name) : otherwise; }

PyObject* backward_function(PyObject*, PyObject* args, PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    PyObject *tensors, *gradients = nullptr, *retain = nullptr, *create = nullptr, *old_gradients = nullptr, *inputs = nullptr;
    static const char* names[] = {"tensors", "grad_tensors", "retain_graph", "create_graph", "grad_variables", "inputs", nullptr};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|OOOOO:backward", const_cast<char**>(names), &tensors, &gradients, &retain, &create, &old_gradients, &inputs))
      return nullptr;
    BackwardOptions o;
    o.create_graph = read_optional(create, "create_graph", false);
    o.retain_graph = read_optional(retain, "retain_graph", o.create_graph);
    const auto wanted = tensor_list(inputs, "inputs", false);
    if (inputs && inputs != Py_None && wanted.empty()) raise(PyExc_RuntimeError, "`inputs` argument to `backward()` cannot be empty.");
    backward(tensor_list(tensors, "tensors", false), tensor_list(gradients ? gradients : old_gradients, "grad_tensors", true), o, wanted);
    Py_RETURN_NONE;
  });
}
PyObject* grad_function(PyObject*, PyObject* args, PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    PyObject *outputs, *inputs, *gradients = nullptr, *retain = nullptr, *create = nullptr, *only = nullptr, *unused = nullptr, *batched = nullptr, *materialize = nullptr;
    static const char* names[] = {"outputs", "inputs", "grad_outputs", "retain_graph", "create_graph", "only_inputs", "allow_unused", "is_grads_batched", "materialize_grads", nullptr};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO|OOOOOOO:grad", const_cast<char**>(names), &outputs, &inputs, &gradients, &retain, &create, &only, &unused, &batched,
                                     &materialize))
      return nullptr;
    BackwardOptions o;
    o.create_graph = read_optional(create, "create_graph", false);
    o.retain_graph = read_optional(retain, "retain_graph", o.create_graph);
    o.materialize_grads = read_optional(materialize, "materialize_grads", false);
    o.allow_unused = read_optional(unused, "allow_unused", o.materialize_grads);
    if (o.materialize_grads && !o.allow_unused) raise(PyExc_ValueError, "Expected allow_unused to be True or not passed when materialize_grads=True");
    if (!read_optional(only, "only_inputs", true) && PyErr_WarnEx(PyExc_FutureWarning, "only_inputs argument is deprecated and is ignored now (defaults to True). "
        "To accumulate gradient for other parts of the graph, please use torch.autograd.backward.", 2) < 0) return nullptr;
    if (read_optional(batched, "is_grads_batched", false)) raise(PyExc_NotImplementedError, "grad(): is_grads_batched is not implemented");
    auto r = grad(tensor_list(outputs, "outputs", false), tensor_list(inputs, "inputs", false), tensor_list(gradients, "grad_outputs", true), o);
    return tuple_of(r.data(), int(r.size())).release();
  });
}

// ---- saved-tensor hooks ------------------------------------------------------------------------------------------------

// saved_tensors_hooks(pack, unpack): the state is whatever pack returned. Lives until the last node made under it dies: kept
// forever with its two callables would leak, so it counts the states it has given out.
struct PySavedHooks final : SavedTensorHooks {
  PyObject *on_pack, *on_unpack;
  int64_t holders = 1;  // the context manager and each packed state; guarded by the GIL
  PySavedHooks(PyObject* p, PyObject* u) : on_pack(Py_NewRef(p)), on_unpack(Py_NewRef(u)) {}
  ~PySavedHooks() override { Py_DECREF(on_pack); Py_DECREF(on_unpack); }
  void drop() { if (!--holders) delete this; }
  void* pack(const Tensor& t) override {
    CallPython hold;
    const NoGrad off;  // what the hook computes is not itself saved
    const Obj arg = Obj::take(wrap(detach(t)));
    PyObject* state = checked(PyObject_CallOneArg(on_pack, arg.get()));
    holders++;
    return state;
  }
  Tensor unpack(void* state) override {
    CallPython hold;
    const Obj r = Obj::take(PyObject_CallOneArg(on_unpack, static_cast<PyObject*>(state)));
    if (!is_tensor(r.get())) raise(PyExc_TypeError, "the unpack hook must return a Tensor, not %.200s", Py_TYPE(r.get())->tp_name);
    return unwrap(r.get());
  }
  void release(void* state) override {
    if (!Py_IsInitialized()) return;
    CallPython hold;
    Py_DECREF(static_cast<PyObject*>(state));
    drop();
  }
};
struct PySavedContext {
  PyObject_HEAD
  PySavedHooks* hooks;
};
PySavedHooks*& saved_of(PyObject* o) { return reinterpret_cast<PySavedContext*>(o)->hooks; }
PyObject* saved_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  PyObject *pack, *unpack;
  static const char* names[] = {"pack_hook", "unpack_hook", nullptr};
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO:saved_tensors_hooks", const_cast<char**>(names), &pack, &unpack)) return nullptr;
  PyObject* o = type->tp_alloc(type, 0);
  if (o) saved_of(o) = new PySavedHooks(pack, unpack);
  return o;
}
void saved_dealloc(PyObject* o) {
  if (saved_of(o)) saved_of(o)->drop();
  PyTypeObject* t = Py_TYPE(o);
  t->tp_free(o);
  Py_DECREF(t);
}
PyObject* saved_enter(PyObject* o, PyObject*) {
  push_saved_tensor_hooks(saved_of(o));
  return Py_NewRef(o);
}
PyObject* saved_exit(PyObject*, PyObject*) {
  pop_saved_tensor_hooks();
  Py_RETURN_NONE;
}
PyMethodDef saved_methods[] = {{"__enter__", saved_enter, METH_NOARGS, nullptr}, {"__exit__", saved_exit, METH_VARARGS, nullptr}, {}};

PyMethodDef functions[] = {
    {"backward", function_pointer(backward_function), METH_VARARGS | METH_KEYWORDS,
     "backward(tensors, grad_tensors=None, retain_graph=None, create_graph=False, grad_variables=None, inputs=None)\n\n"
     "Adds the gradients of the sum of tensors * grad_tensors to the leaves' .grad."},
    {"grad", function_pointer(grad_function), METH_VARARGS | METH_KEYWORDS,
     "grad(outputs, inputs, grad_outputs=None, retain_graph=None, create_graph=False, only_inputs=True, allow_unused=None, is_grads_batched=False, materialize_grads=False)\n\n"
     "The gradients of the sum of outputs * grad_outputs with respect to inputs, as a tuple."},
    {}};

PyObject* add_hook(PyObject* self, PyObject* hook, bool post) {
  return guarded([&]() -> PyObject* {
    if (!PyCallable_Check(hook)) raise(PyExc_TypeError, "a hook must be callable, not %.200s", Py_TYPE(hook)->tp_name);
    const Tensor& t = unwrap(self);
    auto h = Ref<Hook>::steal(new PyHook(hook, grad_fn(t), !post));
    const uint64_t id = post ? register_post_accumulate_hook(t, std::move(h)) : register_hook(t, std::move(h));
    track(self);  // it owns a Python object now
    return new_handle(id, t, nullptr);
  });
}

}  // namespace

PyObject* wrap_node(Node* n, std::vector<NodeOutput> known) {
  if (!n) Py_RETURN_NONE;
  return new_node(n, {}, std::move(known));
}
PyObject* wrap_node_of(const Tensor& t) {
  Node* n = grad_fn(t);
  return n ? new_node(n, {}, {{t->output_nr, t.sizes(), t.dtype()}}) : Py_NewRef(Py_None);
}

PyObject* tensor_backward(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  return guarded([&]() -> PyObject* {
    if (!nargs && !kwnames) [[likely]] {
      backward(unwrap(self));
      Py_RETURN_NONE;
    }
    static constexpr const char* names[] = {"gradient", "retain_graph", "create_graph", "inputs", "explain"};
    PyObject* v[5] = {};
    if (nargs > 4) raise(PyExc_TypeError, "backward() takes at most 4 arguments, got %zd", nargs);
    for (Py_ssize_t k = 0; k < nargs; k++) v[k] = args[k];
    for (Py_ssize_t k = 0; kwnames && k < PyTuple_GET_SIZE(kwnames); k++) {
      PyObject* name = PyTuple_GET_ITEM(kwnames, k);
      int at = 0;
      while (at < 5 && PyUnicode_CompareWithASCIIString(name, names[at])) at++;
      if (at == 5) raise(PyExc_TypeError, "backward() got an unexpected keyword argument %R", name);
      v[at] = args[nargs + k];
    }
    BackwardOptions o;
    o.create_graph = read_optional(v[2], "create_graph", false);
    o.retain_graph = read_optional(v[1], "retain_graph", o.create_graph);
    std::vector<Tensor> gradient;
    if (v[0] && v[0] != Py_None) gradient.push_back(tensor_or_none(v[0], "gradient"));
    const auto inputs = tensor_list(v[3], "inputs", false);
    if (v[3] && v[3] != Py_None && inputs.empty()) raise(PyExc_RuntimeError, "`inputs` argument to `backward()` cannot be empty.");
    if (read_optional(v[4], "explain", false)) Obj::take(call_viz("chain", "print_backward", self, v[0] ? v[0] : Py_None));
    backward(unwrap(self), gradient, o, inputs);
    Py_RETURN_NONE;
  });
}
PyObject* tensor_register_hook(PyObject* self, PyObject* hook) { return add_hook(self, hook, false); }
PyObject* tensor_register_post_hook(PyObject* self, PyObject* hook) { return add_hook(self, hook, true); }

namespace {
ForkSafeMutex owned_lock;
std::unordered_multimap<const Node*, PyObject*>& owned() {  // never freed: nodes outlive static destructors
  static auto& map = *new std::unordered_multimap<const Node*, PyObject*>;
  return map;
}
}  // namespace

void node_owns(const Node* n, PyObject* o) {
  const std::lock_guard hold(owned_lock);
  owned().emplace(n, o);
}
void node_drops(const Node* n, PyObject* o) {
  const std::lock_guard hold(owned_lock);
  auto [from, to] = owned().equal_range(n);
  while (from != to && from->second != o) ++from;
  if (from != to) owned().erase(from);
}
int traverse_owned(const Tensor& t, visitproc visit, void* arg) {
  if (const Node* n = t->grad_fn; n && n->unique()) {
    const std::lock_guard hold(owned_lock);
    for (auto [from, to] = owned().equal_range(n); from != to; ++from) Py_VISIT(from->second);
  }
  if (!t->extra) return 0;
  for (auto* list : {&t->extra->hooks, &t->extra->post_accumulate_hooks})
    for (const Ref<Hook>& h : *list)
      if (auto* p = dynamic_cast<PyHook*>(h.get()); p && p->unique()) Py_VISIT(p->callable);
  return 0;
}
void clear_hooks(const Tensor& t) {
  if (!t->extra) return;
  const auto hooks = std::move(t->extra->hooks), post = std::move(t->extra->post_accumulate_hooks);
}

void init_autograd(PyObject* module) {
  PyType_Slot node_slots[] = {{Py_tp_dealloc, (void*)node_dealloc}, {Py_tp_repr, (void*)node_repr}, {Py_tp_richcompare, (void*)node_compare},
                              {Py_tp_hash, (void*)node_hash}, {Py_tp_call, (void*)node_call}, {Py_tp_methods, node_methods}, {Py_tp_getset, node_getset}, {0, nullptr}};
  PyType_Spec node{"tapegrad.autograd.Node", sizeof(PyNode), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, node_slots};
  NodeType = add_type(module, node);
  PyType_Slot handle_slots[] = {{Py_tp_dealloc, (void*)handle_dealloc}, {Py_tp_methods, handle_methods}, {Py_tp_getset, handle_getset}, {0, nullptr}};
  PyType_Spec handle{"tapegrad.RemovableHandle", sizeof(PyHandle), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, handle_slots};
  HandleType = add_type(module, handle);
  PyType_Slot saved_slots[] = {{Py_tp_new, (void*)saved_new}, {Py_tp_dealloc, (void*)saved_dealloc}, {Py_tp_methods, saved_methods}, {0, nullptr}};
  PyType_Spec saved{"tapegrad.autograd.graph.saved_tensors_hooks", sizeof(PySavedContext), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, saved_slots};
  add_type(module, saved);
  checked(PyModule_AddFunctions(module, functions));
}

}  // namespace tapegrad::py
