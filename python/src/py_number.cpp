// Number slots of Tensor: operators, reflected and in place, comparisons, conversions to Python numbers.
// A slot takes the op's row from the table at import, so an operator is its function under another name.
#include "binder.h"
#include "signature.h"
#include "tapegrad/ops.h"

namespace tapegrad::py {
namespace {

enum Slot {
  kAdd, kSub, kMul, kDiv, kFloorDiv, kMod, kPow, kMatmul, kAnd, kOr, kXor, kLeft, kRight, kLt, kLe, kEq, kNe, kGt, kGe,
  kNeg, kAbs, kInvert, kSlots
};
constexpr const char* kNames[kSlots] = {
    "add", "sub", "mul", "div", "floor_divide", "remainder", "pow", "matmul", "bitwise_and", "bitwise_or", "bitwise_xor",
    "bitwise_left_shift", "bitwise_right_shift", "lt", "le", "eq", "ne", "gt", "ge", "neg", "abs", "bitwise_not"};

struct SlotOp {
  Callable op, in_place;
  int count = 0;           // parameters
  Value rest[kMaxParams];  // their defaults
};
SlotOp slot_ops[kSlots];

// The operand as a tensor: itself, or a number held by `made`. Null for an unknown type.
const Tensor* operand(PyObject* o, Tensor& made) {
  if (is_tensor(o)) return &unwrap(o);
  Scalar s = 0;
  if (!read_scalar(o, s)) return nullptr;
  made = Tensor(s);
  return &made;
}
PyObject* run(const SlotOp& op, const Callable& f, const Tensor* a, const Tensor* b) {
  if (!f.function) raise(PyExc_TypeError, "this operator is not implemented for tensors");
  Value v[kMaxParams];
  v[0].tensor = a;
  v[1].tensor = b;
  for (int k = b ? 2 : 1; k < op.count; k++) v[k] = op.rest[k];
  Result r;
  f.invoke(f.function, v, r);
  return wrap(std::move(r.tensor));
}

template <Slot S> PyObject* binary(PyObject* a, PyObject* b) {
  try {
    Entered in;
    Tensor made;
    const Tensor *x = operand(a, made), *y = operand(b, made);
    if (!x || !y) Py_RETURN_NOTIMPLEMENTED;
    return run(slot_ops[S], slot_ops[S].op, x, y);
  } catch (...) { return raise_current(); }
}
template <Slot S> PyObject* in_place(PyObject* a, PyObject* b) {
  try {
    Entered in;
    Tensor made;
    const Tensor* y = operand(b, made);
    if (!y) Py_RETURN_NOTIMPLEMENTED;
    return run(slot_ops[S], slot_ops[S].in_place, &unwrap(a), y);
  } catch (...) { return raise_current(); }
}
PyObject* power(PyObject* a, PyObject* b, PyObject* modulus) {
  if (modulus == Py_None) return binary<kPow>(a, b);
  PyErr_SetString(PyExc_TypeError, "pow() of a tensor takes no modulus");
  return nullptr;
}
PyObject* in_place_power(PyObject* a, PyObject* b, PyObject*) { return in_place<kPow>(a, b); }
// Without a kernel that writes into its own operand: the result is copied in.
PyObject* in_place_matmul(PyObject* a, PyObject* b) {
  if (!is_tensor(b)) Py_RETURN_NOTIMPLEMENTED;
  return guarded([&] { return wrap(copy_(unwrap(a), matmul(unwrap(a), unwrap(b)))); });
}
template <Slot S> PyObject* unary(PyObject* a) {
  return guarded([&] { return run(slot_ops[S], slot_ops[S].op, &unwrap(a), nullptr); });
}
PyObject* positive(PyObject* a) { return Py_NewRef(a); }

PyObject* compare(PyObject* a, PyObject* b, int op) {
  static_assert(Py_LT == 0 && Py_LE == 1 && Py_EQ == 2 && Py_NE == 3 && Py_GT == 4 && Py_GE == 5);
  return guarded([&]() -> PyObject* {
    Tensor made;
    const Tensor* y = operand(b, made);
    if (!y) Py_RETURN_NOTIMPLEMENTED;
    const SlotOp& s = slot_ops[kLt + op];
    return run(s, s.op, &unwrap(a), y);
  });
}

Scalar single(PyObject* o) {
  const Tensor& t = unwrap(o);
  if (t.numel() != 1) raise(PyExc_RuntimeError, "a Tensor with %lld elements cannot be converted to a number", (long long)t.numel());
  return t.item();
}
int truth(PyObject* o) {
  int yes = 0;
  const int r = guarded_int([&] {
    if (unwrap(o).numel() != 1)
      raise(PyExc_RuntimeError, "Boolean value of Tensor with %s value%s is ambiguous", unwrap(o).numel() ? "more than one" : "no", unwrap(o).numel() ? "" : "s");
    yes = single(o).to_bool();
  });
  return r < 0 ? -1 : yes;
}
PyObject* as_int(PyObject* o) {
  return guarded([&] {
    const Scalar s = single(o);
    return s.is_float() ? PyLong_FromDouble(s.to_double()) : PyLong_FromLongLong(s.to_int());
  });
}
PyObject* as_float(PyObject* o) { return guarded([&] { return PyFloat_FromDouble(single(o).to_double()); }); }
PyObject* as_index(PyObject* o) {
  return guarded([&] {
    if (is_floating(unwrap(o).dtype()) || unwrap(o).numel() != 1) raise(PyExc_TypeError, "only integer tensors of a single element can be converted to an index");
    return PyLong_FromLongLong(single(o).to_int());
  });
}

}  // namespace

void init_number_slots() {
  for (int s = 0; s < kSlots; s++)
    for (const OpInfo& info : all_ops()) {
      if (info.name != kNames[s] || slot_ops[s].op.function) continue;
      const Overload o = parse(info, info.call, info.name);
      const bool two = s < kNeg;
      if (o.params.size() < (two ? 2u : 1u)) continue;
      slot_ops[s].op = info.call;
      slot_ops[s].in_place = info.in_place;
      slot_ops[s].count = int(o.params.size());
      for (size_t k = two ? 2 : 1; k < o.params.size(); k++) slot_ops[s].rest[k] = o.params[k].fallback;
    }
}

std::vector<PyType_Slot> number_slots() {
  return {{Py_nb_add, (void*)binary<kAdd>}, {Py_nb_subtract, (void*)binary<kSub>}, {Py_nb_multiply, (void*)binary<kMul>},
          {Py_nb_true_divide, (void*)binary<kDiv>}, {Py_nb_floor_divide, (void*)binary<kFloorDiv>}, {Py_nb_remainder, (void*)binary<kMod>},
          {Py_nb_power, (void*)power}, {Py_nb_matrix_multiply, (void*)binary<kMatmul>}, {Py_nb_and, (void*)binary<kAnd>},
          {Py_nb_or, (void*)binary<kOr>}, {Py_nb_xor, (void*)binary<kXor>}, {Py_nb_lshift, (void*)binary<kLeft>}, {Py_nb_rshift, (void*)binary<kRight>},
          {Py_nb_inplace_add, (void*)in_place<kAdd>}, {Py_nb_inplace_subtract, (void*)in_place<kSub>}, {Py_nb_inplace_multiply, (void*)in_place<kMul>},
          {Py_nb_inplace_true_divide, (void*)in_place<kDiv>}, {Py_nb_inplace_floor_divide, (void*)in_place<kFloorDiv>},
          {Py_nb_inplace_remainder, (void*)in_place<kMod>}, {Py_nb_inplace_power, (void*)in_place_power},
          {Py_nb_inplace_matrix_multiply, (void*)in_place_matmul}, {Py_nb_inplace_and, (void*)in_place<kAnd>},
          {Py_nb_inplace_or, (void*)in_place<kOr>}, {Py_nb_inplace_xor, (void*)in_place<kXor>}, {Py_nb_inplace_lshift, (void*)in_place<kLeft>},
          {Py_nb_inplace_rshift, (void*)in_place<kRight>}, {Py_nb_negative, (void*)unary<kNeg>}, {Py_nb_positive, (void*)positive},
          {Py_nb_absolute, (void*)unary<kAbs>}, {Py_nb_invert, (void*)unary<kInvert>}, {Py_nb_bool, (void*)truth}, {Py_nb_int, (void*)as_int},
          {Py_nb_float, (void*)as_float}, {Py_nb_index, (void*)as_index}, {Py_tp_richcompare, (void*)compare}};
}

}  // namespace tapegrad::py
