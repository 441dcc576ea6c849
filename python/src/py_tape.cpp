// tapegrad/tape.h from Python: the tape as tuples, a node run by hand, what it saved, and the observer of what is recorded. The
// package's viz makes objects of them.
#include "tapegrad/tape.h"

#include <algorithm>

#include "py.h"

namespace tapegrad::py {
namespace {

Obj list(size_t n) { return Obj::take(PyList_New(Py_ssize_t(n))); }
void set(const Obj& l, size_t at, PyObject* o) { PyList_SET_ITEM(l.get(), Py_ssize_t(at), checked(o)); }

Obj tuple_of(TensorList tensors) {
  Obj r = Obj::take(PyTuple_New(Py_ssize_t(tensors.size())));
  for (size_t k = 0; k < tensors.size(); k++) PyTuple_SET_ITEM(r.get(), Py_ssize_t(k), checked(wrap(tensors[k])));
  return r;
}
PyObject* saved_list(const std::vector<TapeStep::Saved>& saved) {
  static constexpr const char* states[] = {"kept", "freed", "packed", "changed"};
  Obj r = list(saved.size());
  for (size_t k = 0; k < saved.size(); k++)
    set(r, k, Py_BuildValue("(sNs)", saved[k].role.c_str(), checked(wrap(saved[k].tensor)), states[saved[k].state]));
  return r.release();
}
PyObject* step_tuple(const TapeStep& s) {
  Obj outputs = list(s.outputs.size()), inputs = list(s.inputs.size());
  std::vector<NodeOutput> known;
  for (size_t k = 0; k < s.outputs.size(); k++) {
    const TapeStep::Output& o = s.outputs[k];
    if (o.known) known.push_back({uint32_t(k), o.sizes, o.dtype});
    PyObject* sizes = o.known ? size_object({o.sizes.data(), o.sizes.size()}) : Py_NewRef(Py_None);
    PyObject* dtype = o.known ? to_python(o.dtype) : Py_NewRef(Py_None);
    set(outputs, k, Py_BuildValue("(NNs)", checked(sizes), checked(dtype), o.name.c_str()));
  }
  static constexpr const char* kinds[] = {"constant", "step", "leaf"};
  for (size_t k = 0; k < s.inputs.size(); k++)
    set(inputs, k, Py_BuildValue("(snI)", kinds[s.inputs[k].kind], Py_ssize_t(s.inputs[k].index), s.inputs[k].output_nr));
  return checked(Py_BuildValue("(NsOONLsssiss)", checked(wrap_node(s.node, std::move(known))), s.op.c_str(), outputs.get(), inputs.get(),
                               checked(saved_list(s.saved)), (long long)s.saved_bytes, s.place.c_str(), s.file.c_str(),
                               s.function.c_str(), s.line, s.source.c_str(), s.module.c_str()));
}

struct PyVisitor final : TapeVisitor {
  PyObject* object;  // borrowed: the caller's argument
  explicit PyVisitor(PyObject* o) : object(o) {}
  void step(const Tape&, size_t index, TensorList outputs, TensorList inputs) override {
    Obj::take(PyObject_CallMethod(object, "step", "nOO", Py_ssize_t(index), tuple_of(outputs).get(), tuple_of(inputs).get()));
  }
  void leaf(const Tape&, size_t index, const Tensor& g) override {
    Obj::take(PyObject_CallMethod(object, "leaf", "nN", Py_ssize_t(index), checked(wrap(g))));
  }
};

TapeNames read_names(PyObject* o) {
  TapeNames names;
  const Obj items = Obj::take(PySequence_Tuple(o));
  for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(items.get()); k++) {
    const char* name;
    PyObject* t;
    if (!PyArg_ParseTuple(PyTuple_GET_ITEM(items.get(), k), "sO;names must be pairs of a str and a Tensor", &name, &t)) throw PythonError();
    names.emplace_back(name, tensor_or_none(t, "names"));
  }
  return names;
}

PyObject* read_tape_function(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *root, *names, *visitor;
    if (!PyArg_ParseTuple(args, "OOO:_read_tape", &root, &names, &visitor)) return nullptr;
    if (!is_tensor(root)) raise(PyExc_TypeError, "tape: expected a Tensor, got %.200s", Py_TYPE(root)->tp_name);
    PyVisitor see(visitor);
    const Tape tape = read_tape(unwrap(root), read_names(names), visitor == Py_None ? nullptr : &see);
    Obj steps = list(tape.steps.size()), leaves = list(tape.leaves.size());
    for (size_t k = 0; k < tape.steps.size(); k++) set(steps, k, step_tuple(tape.steps[k]));
    for (size_t k = 0; k < tape.leaves.size(); k++)
      set(leaves, k, Py_BuildValue("(Ns)", checked(wrap(tape.leaves[k].tensor)), tape.leaves[k].name.c_str()));
    return Py_BuildValue("(OOLss)", steps.get(), leaves.get(), (long long)tape.saved_bytes, tape.problem.c_str(), tape.text().c_str());
  });
}

struct PyObserver final : TapeObserver {
  PyObject* callable = nullptr;
  bool busy = false;
  void recorded(const Tensor& out, Node& node, uint32_t output_nr) override {
    if (busy) return;  // what the callable records itself
    CallPython hold;
    const NoGrad off;
    const Obj f = Obj::keep(callable), value = Obj::take(wrap(detach(out)));  // f: the call may replace it
    busy = true;
    PyObject* r = PyObject_CallFunction(f.get(), "NIO", wrap_node(&node, {{output_nr, out.sizes(), out.dtype()}}), output_nr, value.get());
    busy = false;
    Obj::take(r);
  }
};
PyObject* observe(PyObject*, PyObject* callable) {
  static thread_local PyObserver observer;
  if (callable != Py_None && !PyCallable_Check(callable))
    return PyErr_Format(PyExc_TypeError, "the observer must be callable, not %.200s", Py_TYPE(callable)->tp_name);
  PyObject* before = observer.callable ? observer.callable : Py_NewRef(Py_None);
  observer.callable = callable == Py_None ? nullptr : Py_NewRef(callable);
  set_tape_observer(observer.callable ? &observer : nullptr);
  return before;
}

PyMethodDef functions[] = {
    {"_read_tape", read_tape_function, METH_VARARGS, "(steps, leaves, saved bytes, problem, text) of the tape behind a tensor."},
    {"_observe_tape", observe, METH_O,
     "Calls f(node, output_nr, value) for each op that this thread records from now on; None ends it. Returns the one before."},
    {}};

}  // namespace

PyObject* call_node(Node& n, const std::vector<NodeOutput>& known, PyObject* args) {
  std::vector<Tensor> g;
  for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(args); k++) {
    const Tensor& t = g.emplace_back(tensor_or_none(PyTuple_GET_ITEM(args, k), "a gradient"));
    if (!t.defined() || k >= n.output_count) continue;
    const auto o = std::find_if(known.begin(), known.end(), [&](const NodeOutput& x) { return x.nr == uint32_t(k); });
    if (o == known.end())
      raise(PyExc_NotImplementedError, "%s: the shape of output %zd is not known here; take the node from that tensor's grad_fn or from tapegrad.tape()", n.name(), k);
    TG_CHECK(t.sizes() == IntList(o->sizes) && t.dtype() == o->dtype, ValueError, n.name(), ": the gradient of output ", int64_t(k), " must be ", o->dtype,
             IntList(o->sizes), " as that is", Named{"gradient", t});
  }
  const std::vector<Tensor> dx = run_node(n, g);
  return dx.size() == 1 ? wrap(dx[0]) : tuple_of(dx).release();
}
PyObject* saved_by(Node& n) { return saved_list(saved_tensors(n)); }
PyMethodDef* tape_functions() { return functions; }
PyObject* call_viz(const char* module, const char* function, PyObject* a, PyObject* b) {
  return guarded([&] {
    const Obj viz = Obj::take(PyImport_ImportModule((std::string("tapegrad.viz.") + module).c_str()));
    return PyObject_CallMethod(viz.get(), function, b ? "OO" : "O", a, b);
  });
}

}  // namespace tapegrad::py
