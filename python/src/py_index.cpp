// x[...] and x[...] = v: Python's keys become Index entries. One int and one slice go straight to select() and slice().
#include <new>

#include "py.h"
#include "tapegrad/ops.h"

namespace tapegrad::py {
namespace {

std::optional<int64_t> slice_part(PyObject* o) {
  if (o == Py_None) return {};
  int64_t i;
  if (!read_int(o, i)) raise(PyExc_TypeError, "slice indices must be integers or None or have an __index__ method");
  return i;
}
Index slice_entry(PyObject* key) {
  auto* s = reinterpret_cast<PySliceObject*>(key);
  return Slice(slice_part(s->start), slice_part(s->stop), slice_part(s->step));
}

// A list that PyTorch takes as an index array: numbers, nested lists of them, arrays.
Tensor index_tensor(PyObject* key) {
  if (is_tensor(key)) return unwrap(key);
  Tensor t = tensor_from(key, std::nullopt);
  if (!t.numel() && is_floating(t.dtype())) t = to(t, Dtype::Int64);  // x[[]]
  return t;
}

Index entry(PyObject* key) {
  if (PyBool_Check(key)) return Index(key == Py_True);
  int64_t i;
  if (PyLong_Check(key) || is_numpy_scalar(key)) {
    bool b;
    if (!PyLong_Check(key) && read_bool(key, b)) return Index(b);
    if (read_int(key, i)) return Index(i);
    raise(PyExc_IndexError, "indices must be integers, slices, None, Ellipsis, bool or integer tensors, not %.200s", Py_TYPE(key)->tp_name);
  }
  if (PySlice_Check(key)) return slice_entry(key);
  if (key == Py_Ellipsis) return Ellipsis;
  if (key == Py_None) return None;
  if (is_tensor(key)) return Index(unwrap(key));
  if (PyList_Check(key) || PyTuple_Check(key) || is_numpy_array(key) || (PySequence_Check(key) && !PyUnicode_Check(key))) return Index(index_tensor(key));
  if (read_int(key, i)) return Index(i);
  raise(PyExc_IndexError, "indices must be integers, slices, None, Ellipsis, bool or integer tensors, not %.200s", Py_TYPE(key)->tp_name);
}
// The entries of a key, in place: a list that no call pays malloc for.
class Entries {
  static constexpr size_t kMost = 64;  // more than any tensor has dimensions, with as many None
  alignas(Index) char space_[kMost * sizeof(Index)];
  size_t count_ = 0;
  Index* at(size_t k) { return std::launder(reinterpret_cast<Index*>(space_)) + k; }
 public:
  explicit Entries(PyObject* key) {
    if (!PyTuple_Check(key)) {
      add(key);
      return;
    }
    if (PyTuple_GET_SIZE(key) > Py_ssize_t(kMost)) raise(PyExc_IndexError, "too many indices: %zd, at most %d", PyTuple_GET_SIZE(key), int(kMost));
    try {
      for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(key); k++) add(PyTuple_GET_ITEM(key, k));
    } catch (...) {
      drop();
      throw;
    }
  }
  ~Entries() { drop(); }
  Entries(const Entries&) = delete;
  operator std::span<const Index>() { return {at(0), count_}; }
 private:
  void add(PyObject* key) {
    new (space_ + count_ * sizeof(Index)) Index(entry(key));
    count_++;
  }
  void drop() { while (count_) at(--count_)->~Index(); }
};

}  // namespace

static PyObject* indexed(Tensor r, PyObject* self) {
  keep_reason(r, "[]", &self, 1);
  return wrap(std::move(r));
}
PyObject* get_item(PyObject* self, PyObject* key) {
  try {
    Entered in;
    const Tensor& x = unwrap(self);
    if (PyLong_CheckExact(key) && x->ndim) [[likely]] {
      const long long i = PyLong_AsLongLong(key);
      if (i == -1 && PyErr_Occurred()) throw PythonError();
      const int64_t n = x->sizes[0];
      TG_CHECK(i >= -n && i < n, IndexError, "index ", int64_t(i), " is out of bounds for dimension 0 with size ", n, Named{"input", x});
      return indexed(select(x, 0, i), self);
    }
    if (PySlice_Check(key) && x->ndim) {
      const Index s = slice_entry(key);
      if (!s.step || *s.step > 0) return indexed(slice(x, 0, s.start, s.stop, s.step.value_or(1)), self);
    }
    return indexed(index(x, Entries(key)), self);
  } catch (...) { return raise_current(); }
}

int set_item(PyObject* self, PyObject* key, PyObject* value) {
  return guarded_int([&] {
    if (!value) raise(PyExc_TypeError, "Tensor does not support deleting items");
    const Tensor& x = unwrap(self);
    Entries at(key);
    Scalar number = 0;
    if (is_tensor(value)) {
      index_set(x, at, unwrap(value));
    } else if (read_scalar(value, number)) {
      if (number.to_complex().im != 0 && !x.is_complex()) raise(PyExc_RuntimeError, "a complex number cannot be assigned to a part of a real tensor");
      index_set(x, at, Tensor(number));
    } else if (PyList_Check(value) || PyTuple_Check(value) || is_numpy_array(value)) {
      index_set(x, at, tensor_from(value, is_numpy_array(value) ? std::nullopt : std::optional(x.dtype())));
    } else {
      raise(PyExc_TypeError, "cannot assign a %.200s to a part of a Tensor", Py_TYPE(value)->tp_name);
    }
  });
}

}  // namespace tapegrad::py
