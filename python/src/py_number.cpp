// Number slots of Tensor: operators, reflected and in place, comparisons, conversions to Python numbers.
#include "autocast.h"
#include "tapegrad/ops.h"
#include "watched.h"

namespace tapegrad::py {
namespace {

// The operand as a tensor: itself, or a number or NumPy array held by `made`. Null for an unknown type, whose own reflected
// method is then asked.
const Tensor* operand(PyObject* o, Tensor& made) {
  if (is_tensor(o)) return &unwrap(o);
  if (read_number(o, made)) return &made;
  if (!is_numpy_array(o)) return nullptr;
  made = tensor_from(o, {});
  return &made;
}

// The names that watchers hear are the ops' own, from their OpScopes.
template <auto F> [[gnu::noinline, gnu::cold]] Tensor call_watched(const Tensor& x, const Tensor& y) {
  return watched({&x, &y}, [&] { return F(x, y); });
}
template <auto F> [[gnu::always_inline]] inline Tensor call(const Tensor& x, const Tensor& y) {
  if (is_watched()) [[unlikely]] return call_watched<F>(x, y);
  return F(x, y);
}
// Of the operators only // has results without a gradient.
[[gnu::noinline]] void keep_reason_of(PyObject* r, PyObject* a, PyObject* b) {
  PyObject* const args[] = {a, b};
  if (r) keep_reason(unwrap(r), "//", args, 2);
}
enum class Order { Kept, TensorFirst };  // TensorFirst: 2 * x is x * 2, as in PyTorch
template <auto F, Order O = Order::Kept> PyObject* binary(PyObject* a, PyObject* b) {
  try {
    Entered in;
    if (is_tensor(a) && is_tensor(b)) [[likely]] {
      const Tensor &x = unwrap(a), &y = unwrap(b);
      PyObject* r = wrap(call<F>(x, y));
      if (r && !unwrap(r)->requires_grad && (unsigned(x->requires_grad) | y->requires_grad | x->origin | y->origin)) [[unlikely]] keep_reason_of(r, a, b);
      return r;
    }
    Tensor made;
    const Tensor *x = operand(a, made), *y = operand(b, made);
    if (!x || !y) Py_RETURN_NOTIMPLEMENTED;
    PyObject* r = wrap(O == Order::TensorFirst && x == &made ? call<F>(*y, *x) : call<F>(*x, *y));
    keep_reason_of(r, a, b);
    return r;
  } catch (...) { return raise_current(); }
}
/// f() writes into the tensor of a, the first of these.
template <class F> PyObject* write_into(PyObject* a, PyObject* b, std::initializer_list<const Tensor*> tensors, F&& f) {
  if (!is_watched()) [[likely]] f();
  else watched(tensors, [&] { return f(), unwrap(a); }, true);
  keep_reason(unwrap(a), "an in-place operator", &b, 1);
  return Py_NewRef(a);
}
template <auto F> PyObject* in_place(PyObject* a, PyObject* b) {
  try {
    Entered in;
    Tensor made;
    const Tensor* y = operand(b, made);
    if (!y) Py_RETURN_NOTIMPLEMENTED;
    const Tensor& x = unwrap(a);
    return write_into(a, b, {&x, y}, [&] { F(x, *y); });
  } catch (...) { return raise_current(); }
}
template <Tensor (*F)(const Tensor&)> PyObject* unary(PyObject* a) {
  return guarded([&] {
    const Tensor& x = unwrap(a);
    Tensor r = is_watched() ? watched({&x}, [&] { return F(x); }) : F(x);
    keep_reason(r, "an operator", &a, 1);
    return wrap(std::move(r));
  });
}

// A number as exponent or base goes to the op's own form for it, which saves less for backward.
PyObject* power(PyObject* a, PyObject* b, PyObject* modulus) {
  return guarded([&]() -> PyObject* {
    if (modulus != Py_None) raise(PyExc_TypeError, "pow() of a tensor takes no modulus");
    Scalar s = 0;
    const auto run = [&](std::initializer_list<const Tensor*> tensors, auto&& f) {
      Tensor r = is_watched() ? watched(tensors, f) : f();
      PyObject* const args[] = {a, b};
      keep_reason(r, "**", args, 2);
      return wrap(std::move(r));
    };
    if (is_tensor(a) && is_tensor(b)) return run({&unwrap(a), &unwrap(b)}, [&] { return pow(unwrap(a), unwrap(b)); });
    if (is_tensor(a) && read_scalar(b, s)) return run({&unwrap(a)}, [&] { return pow(unwrap(a), s); });
    if (is_tensor(b) && read_scalar(a, s)) return run({&unwrap(b)}, [&] { return pow(s, unwrap(b)); });
    Py_RETURN_NOTIMPLEMENTED;
  });
}
PyObject* in_place_power(PyObject* a, PyObject* b, PyObject*) {
  return guarded([&]() -> PyObject* {
    const Tensor& x = unwrap(a);
    Scalar s = 0;
    if (is_tensor(b)) return write_into(a, b, {&x, &unwrap(b)}, [&] { pow_(x, unwrap(b)); });
    if (read_scalar(b, s)) return write_into(a, b, {&x}, [&] { pow_(x, s); });
    Py_RETURN_NOTIMPLEMENTED;
  });
}
PyObject* positive(PyObject* a) { return Py_NewRef(a); }

template <auto F> PyObject* compare_with(const char* op, PyObject* a, PyObject* b) {
  Tensor made;
  const Tensor* y = operand(b, made);
  if (!y) Py_RETURN_NOTIMPLEMENTED;
  Tensor r = F(unwrap(a), *y);
  PyObject* const args[] = {a, b};
  keep_reason(r, op, args, 2);
  return wrap(std::move(r));
}
PyObject* compare(PyObject* a, PyObject* b, int op) {
  return guarded([&]() -> PyObject* {
    switch (op) {
      case Py_LT: return compare_with<lt>("<", a, b);
      case Py_LE: return compare_with<le>("<=", a, b);
      case Py_EQ: return compare_with<eq>("==", a, b);
      case Py_NE: return compare_with<ne>("!=", a, b);
      case Py_GT: return compare_with<gt>(">", a, b);
      default: return compare_with<ge>(">=", a, b);
    }
  });
}

Scalar single(PyObject* o) {
  const Tensor& t = unwrap(o);
  if (t.numel() != 1) detail::fail<ValueError>("a Tensor with ", t.numel(), " elements cannot be converted to a number");
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
    if (s.is_complex()) raise(PyExc_TypeError, "can't convert complex to int: take .real first");
    if (unwrap(o).dtype() == Dtype::UInt64) return item_of(unwrap(o));
    return s.is_float() ? PyLong_FromDouble(s.to_double()) : PyLong_FromLongLong(s.to_int());
  });
}
PyObject* as_float(PyObject* o) {
  return guarded([&] {
    const Scalar s = single(o);
    if (s.is_complex()) raise(PyExc_TypeError, "can't convert complex to float: take .real first");
    return unwrap(o).dtype() == Dtype::UInt64 ? PyNumber_Float(Obj::take(item_of(unwrap(o))).get()) : PyFloat_FromDouble(s.to_double());
  });
}
PyObject* as_index(PyObject* o) {
  return guarded([&] {
    if (is_differentiable(unwrap(o).dtype()) || unwrap(o).numel() != 1) raise(PyExc_TypeError, "only integer tensors of a single element can be converted to an index");
    return PyLong_FromLongLong(single(o).to_int());
  });
}

// The operators with the default values of their functions' other parameters. `@=` has no kernel of its own: the result is copied in.
constexpr auto plus = [](const Tensor& a, const Tensor& b) { return a + b; };
constexpr auto minus = [](const Tensor& a, const Tensor& b) { return sub(a, b); };
constexpr auto divided = [](const Tensor& a, const Tensor& b) { return div(a, b); };
constexpr auto product = [](const Tensor& a, const Tensor& b) { return autocast_used ? autocast_matmul(a, b) : matmul(a, b); };
constexpr auto plus_in_place = [](const Tensor& a, const Tensor& b) { add_(a, b); };
constexpr auto minus_in_place = [](const Tensor& a, const Tensor& b) { sub_(a, b); };
constexpr auto divided_in_place = [](const Tensor& a, const Tensor& b) { div_(a, b); };
constexpr auto matmul_in_place = [](const Tensor& a, const Tensor& b) { copy_(a, matmul(a, b)); };

}  // namespace

std::vector<PyType_Slot> number_slots() {
  return {{Py_nb_add, (void*)binary<plus, Order::TensorFirst>}, {Py_nb_subtract, (void*)binary<minus>}, {Py_nb_multiply, (void*)binary<mul, Order::TensorFirst>},
          {Py_nb_true_divide, (void*)binary<divided>}, {Py_nb_floor_divide, (void*)binary<floor_divide>}, {Py_nb_remainder, (void*)binary<remainder>},
          {Py_nb_power, (void*)power}, {Py_nb_matrix_multiply, (void*)binary<product>}, {Py_nb_and, (void*)binary<bitwise_and, Order::TensorFirst>},
          {Py_nb_or, (void*)binary<bitwise_or, Order::TensorFirst>}, {Py_nb_xor, (void*)binary<bitwise_xor, Order::TensorFirst>}, {Py_nb_lshift, (void*)binary<bitwise_left_shift>},
          {Py_nb_rshift, (void*)binary<bitwise_right_shift>}, {Py_nb_inplace_add, (void*)in_place<plus_in_place>},
          {Py_nb_inplace_subtract, (void*)in_place<minus_in_place>}, {Py_nb_inplace_multiply, (void*)in_place<mul_>},
          {Py_nb_inplace_true_divide, (void*)in_place<divided_in_place>}, {Py_nb_inplace_floor_divide, (void*)in_place<floor_divide_>},
          {Py_nb_inplace_remainder, (void*)in_place<remainder_>}, {Py_nb_inplace_power, (void*)in_place_power},
          {Py_nb_inplace_matrix_multiply, (void*)in_place<matmul_in_place>}, {Py_nb_inplace_and, (void*)in_place<bitwise_and_>},
          {Py_nb_inplace_or, (void*)in_place<bitwise_or_>}, {Py_nb_inplace_xor, (void*)in_place<bitwise_xor_>},
          {Py_nb_inplace_lshift, (void*)in_place<bitwise_left_shift_>}, {Py_nb_inplace_rshift, (void*)in_place<bitwise_right_shift_>},
          {Py_nb_negative, (void*)unary<neg>}, {Py_nb_positive, (void*)positive}, {Py_nb_absolute, (void*)unary<abs>},
          {Py_nb_invert, (void*)unary<bitwise_not>}, {Py_nb_bool, (void*)truth}, {Py_nb_int, (void*)as_int}, {Py_nb_float, (void*)as_float},
          {Py_nb_index, (void*)as_index}, {Py_tp_richcompare, (void*)compare}};
}

}  // namespace tapegrad::py
