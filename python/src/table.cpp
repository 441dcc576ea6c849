// The op table as Python sees it: what the tests, the stubs and the reference page are made from.
#include "binder.h"

namespace tapegrad::py {
namespace {

Obj text(std::string_view s) { return Obj::take(checked(PyUnicode_FromStringAndSize(s.data(), Py_ssize_t(s.size())))); }

Obj texts(const std::vector<std::string_view>& list) {
  Obj result = Obj::take(checked(PyList_New(0)));
  for (std::string_view s : list) checked(PyList_Append(result.get(), text(s).get()));
  return result;
}

Obj row(const OpInfo& info) {
  Obj d = Obj::take(checked(PyDict_New()));
  auto put = [&](const char* key, const Obj& value) { checked(PyDict_SetItemString(d.get(), key, value.get())); };
  auto flag = [&](const char* key, bool on) { checked(PyDict_SetItemString(d.get(), key, on ? Py_True : Py_False)); };
  put("name", text(info.name));
  put("signature", text(info.signature));
  put("doc", text(info.doc));
  put("samples", texts(info.samples_list));
  put("aliases", texts(info.aliases));
  put("fields", text(info.fields ? info.fields : ""));
  put("dtypes", text(info.dtypes));
  put("complex", Obj::take(PyBool_FromLong(info.takes_complex)));
  flag("method", info.is_method);
  flag("function", info.is_function);
  flag("functional", info.in_functional);
  flag("inplace", info.in_place.function);
  flag("out", info.out);
  flag("differentiable", info.differentiable);
  return d;
}

PyObject* rows(std::span<const OpInfo> infos) {
  return guarded([&]() -> PyObject* {
    Obj list = Obj::take(checked(PyList_New(0)));
    for (const OpInfo& info : infos) checked(PyList_Append(list.get(), row(info).get()));
    return list.release();
  });
}

PyObject* py_op_table(PyObject*, PyObject*) { return rows(all_ops()); }
PyObject* py_extra_table(PyObject*, PyObject*) { return rows(extra_ops()); }

PyMethodDef functions[] = {
    {"op_table", py_op_table, METH_NOARGS, "The library's op table: a list of dicts, one per row."},
    {"extra_table", py_extra_table, METH_NOARGS, "The same for the rows that only Python has: casts by name, new_zeros ..."},
    {}};

}  // namespace

PyMethodDef* table_functions() { return functions; }

}  // namespace tapegrad::py
