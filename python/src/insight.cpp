// The memory ledger and the search for the first NaN, for tapegrad.memory and tapegrad.autograd.
#include <algorithm>
#include <limits>
#include <map>

#include "py.h"
#include "src/autograd/nonfinite.h"
#include "src/tensor/ledger.h"

namespace tapegrad::py {
namespace {

/// Text of notes and modules, made once each.
class Texts {
  std::map<uint16_t, Obj> ops_, places_, modules_;
  static Obj text(const std::string& s) { return Obj::take(PyUnicode_DecodeUTF8(s.data(), Py_ssize_t(s.size()), "replace")); }
  template <class F> static const Obj& known(std::map<uint16_t, Obj>& texts, uint16_t number, F&& make) {
    Obj& o = texts[number];
    if (!o) o = text(make());
    return o;
  }
 public:
  const Obj& op(uint16_t n) { return known(ops_, n, [&] { return std::string(note(n).op); }); }
  const Obj& place(uint16_t n) { return known(places_, n, [&] { return describe(note(n).place); }); }
  const Obj& module(uint16_t m) { return known(modules_, m, [&] { return module_path_text(m); }); }
};
Obj row(Texts& texts, const Owner& o) {
  return Obj::take(Py_BuildValue("(nsOOO)", Py_ssize_t(o.bytes), role_name(o.role), texts.op(o.note).get(), texts.place(o.note).get(), texts.module(o.module).get()));
}

PyObject* py_ledger(PyObject*, PyObject*) {
  return guarded([]() -> PyObject* {
    const Ledger ledger = read_ledger();
    const Obj blocks = Obj::take(PyList_New(0)), small = Obj::take(PyList_New(0));
    Texts texts;
    for (const Owner& o : ledger.blocks) checked(PyList_Append(blocks.get(), row(texts, o).get()));
    for (int64_t n : ledger.small) checked(PyList_Append(small.get(), Obj::take(PyLong_FromLongLong(n)).get()));
    return PyTuple_Pack(2, blocks.get(), small.get());
  });
}
PyObject* py_summary(PyObject*, PyObject* rows) {
  return guarded([&]() -> PyObject* {
    int64_t n;
    if (!read_int(rows, n)) raise(PyExc_TypeError, "summary() takes a number of rows");
    const std::string text = memory_summary(int(std::clamp<int64_t>(n, 0, std::numeric_limits<int>::max())));
    return PyUnicode_DecodeUTF8(text.data(), Py_ssize_t(text.size()), "replace");
  });
}
PyObject* py_record_ledger(PyObject*, PyObject* on) {
  return guarded([&]() -> PyObject* {
    record_ledger(on == Py_True);
    Py_RETURN_NONE;
  });
}
PyObject* py_ledger_events(PyObject*, PyObject*) {
  return guarded([]() -> PyObject* {
    Obj list = Obj::take(PyList_New(0));
    Texts texts;
    for (const LedgerEvent& e : ledger_events()) {
      Obj r = row(texts, e.owner);
      const Obj event = Obj::take(Py_BuildValue("(LKOO)", (long long)e.time, (unsigned long long)reinterpret_cast<uintptr_t>(e.block), e.made ? Py_True : Py_False, r.get()));
      checked(PyList_Append(list.get(), event.get()));
    }
    return list.release();
  });
}
MemoryRole checked_role(int64_t role) {
  TG_CHECK(role >= 0 && role <= int64_t(MemoryRole::Optimizer), ValueError, "there is no memory role ", role);
  return MemoryRole(role);
}
PyObject* py_set_memory_role(PyObject*, PyObject* o) {
  return guarded([&]() -> PyObject* {
    int64_t role;
    if (!read_int(o, role)) raise(PyExc_TypeError, "_set_memory_role() takes an int");
    return PyLong_FromLong(std::exchange(tls.role, uint8_t(checked_role(role))));
  });
}
PyObject* py_set_role(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return guarded([&]() -> PyObject* {
    int64_t role = 0;
    if (nargs != 2 || !is_tensor(args[0]) || !read_int(args[1], role)) raise(PyExc_TypeError, "_set_role(tensor, role)");
    set_role(*unwrap(args[0])->storage, checked_role(role));
    Py_RETURN_NONE;
  });
}
PyObject* py_own_with(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return guarded([&]() -> PyObject* {
    int64_t role = 0;
    if (nargs != 3 || !is_tensor(args[0]) || !is_tensor(args[1]) || !read_int(args[2], role)) raise(PyExc_TypeError, "_own_with(tensor, of, role)");
    own_with(*unwrap(args[0])->storage, *unwrap(args[1])->storage, checked_role(role));
    Py_RETURN_NONE;
  });
}
PyObject* py_fail_allocation_at(PyObject*, PyObject* n) {
  return guarded([&]() -> PyObject* {
    int64_t at;
    if (!read_int(n, at)) raise(PyExc_TypeError, "_fail_allocation_at() takes an int");
    return PyLong_FromLongLong(fail_allocation_at(at));
  });
}

// ---- the first NaN

void warn(const std::string& text) {
  CallPython hold;
  if (PyErr_WarnEx(PyExc_RuntimeWarning, text.c_str(), 1) < 0) throw PythonError();
}
template <void (*F)(NonfiniteHit)> PyObject* py_watching(PyObject*, PyObject* only_warn) {
  return guarded([&]() -> PyObject* {
    const NonfiniteHit hit = only_warn == Py_True ? warn : raise_nonfinite;
    {
      const WithoutPython free;  // see remove_watcher()
      F(hit);
    }
    Py_RETURN_NONE;
  });
}

PyMethodDef functions[] = {
    {"_memory_ledger", py_ledger, METH_NOARGS, "([(bytes, role, op, line, module), ...], number of small blocks by size)"},
    {"_memory_summary", py_summary, METH_O, nullptr},
    {"_record_memory", py_record_ledger, METH_O, nullptr},
    {"_memory_events", py_ledger_events, METH_NOARGS, "[(nanoseconds, block, made, (bytes, role, op, line, module)), ...]"},
    {"_set_memory_role", py_set_memory_role, METH_O, "The role of the memory taken from now on in this thread; returns the one before."},
    {"_set_role", function_pointer(py_set_role), METH_FASTCALL, "What the tensor's memory is for."},
    {"_own_with", function_pointer(py_own_with), METH_FASTCALL, "The same, and the module is that of another tensor."},
    {"_fail_allocation_at", py_fail_allocation_at, METH_O, "For tests: the n-th allocation from now fails, 0: none. Returns how many there were since the last call."},
    {"_watch_nonfinite", py_watching<watch_nonfinite>, METH_O, "(only_warn)"},
    {"_unwatch_nonfinite", py_watching<unwatch_nonfinite>, METH_O, "The same argument again."},
    {}};

}  // namespace

PyMethodDef* insight_functions() { return functions; }

}  // namespace tapegrad::py
