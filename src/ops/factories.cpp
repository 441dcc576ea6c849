// Tensors made from nothing: empty, zeros, ones, full, arange, linspace, logspace, eye, index pairs of triangles.
#include <algorithm>
#include <cmath>

#include "src/ops/copy.h"
#include "src/ops/op_info.h"
#include "src/tensor/make.h"
#include "src/ops/plain.h"

namespace tapegrad {

using OptDtype = std::optional<Dtype>;
using OptDevice = std::optional<Device>;

static Tensor finish(Tensor out, bool requires_grad) {
  if (requires_grad) out.set_requires_grad();
  return out;
}
/// What was made here, where it is wanted.
static Tensor on(const Tensor& made, OptDevice device) { return to(made, device.value_or(default_device())); }
static Tensor filled(IntList size, Scalar value, Dtype dtype, OptDevice device, bool requires_grad) {
  Tensor out = empty(size, dtype, device.value_or(default_device()));
  fill_elements(out, value);
  return finish(static_cast<Tensor&&>(out), requires_grad);
}
static Tensor filled_like(const Tensor& x, Scalar value, OptDtype dtype, OptDevice device, bool requires_grad) {
  Tensor out = empty_like(x, dtype.value_or(x->dtype), MemoryFormat::Preserve, device.value_or(x->device));
  fill_elements(out, value);
  return finish(static_cast<Tensor&&>(out), requires_grad);
}

Tensor zeros(IntList size, OptDtype dtype, OptDevice device, OnlyBool requires_grad) {
  OpScope op("zeros");
  return filled(size, 0, dtype.value_or(default_dtype()), device, requires_grad);
}
Tensor ones(IntList size, OptDtype dtype, OptDevice device, OnlyBool requires_grad) {
  OpScope op("ones");
  return filled(size, 1, dtype.value_or(default_dtype()), device, requires_grad);
}
Tensor full(IntList size, Scalar value, OptDtype dtype, OptDevice device, OnlyBool requires_grad) {
  OpScope op("full");
  return filled(size, value, dtype.value_or(value.dtype()), device, requires_grad);
}
Tensor zeros_like(const Tensor& x, OptDtype dtype, OptDevice device, OnlyBool requires_grad) {
  OpScope op("zeros_like");
  return filled_like(x, 0, dtype, device, requires_grad);
}
Tensor ones_like(const Tensor& x, OptDtype dtype, OptDevice device, OnlyBool requires_grad) {
  OpScope op("ones_like");
  return filled_like(x, 1, dtype, device, requires_grad);
}
Tensor full_like(const Tensor& x, Scalar value, OptDtype dtype, OptDevice device, OnlyBool requires_grad) {
  OpScope op("full_like");
  return filled_like(x, value, dtype, device, requires_grad);
}

/// out[i] = f(i), calculated as C (double or int64_t) and cast; out is new and row-major.
template <class C, class F> static void generate(const Tensor& out, F f) {
  constexpr Compute c = std::is_same_v<C, double> ? Compute::F64 : Compute::I64;
  const StoreFn store = store_for(c, out->dtype);
  const int64_t item = int64_t(out.element_size());
  C block[512];
  for (int64_t i = 0; i < out->numel; i += 512) {
    const int64_t n = std::min<int64_t>(512, out->numel - i);
    for (int64_t j = 0; j < n; j++) block[j] = f(i + j);
    store(reinterpret_cast<const char*>(block), out->host() + i * item, item, n);
  }
}

Tensor arange(Scalar start, Scalar end, Scalar step, OptDtype dtype, OptDevice device, OnlyBool requires_grad) {
  OpScope op("arange");
  for (Scalar s : {start, end, step}) TG_CHECK(!s.is_complex(), DtypeError, "start, end and step must be real, got ", s);
  const bool whole = !start.is_float() && !end.is_float() && !step.is_float();
  const double a = start.to_double(), b = end.to_double(), s = step.to_double();
  TG_CHECK(s != 0, ValueError, "step must not be 0");
  TG_CHECK(std::isfinite(a) && std::isfinite(b), ValueError, "start and end must be finite, got ", start, " and ", end);
  TG_CHECK((b - a) * s >= 0, ValueError, "end must be on the side of start that step points to, got ", start, ", ", end,
      " and step ", step);
  int64_t n;
  if (whole) {
    const int64_t i = step.to_int(), range = end.to_int() - start.to_int();
    n = range / i + (range % i != 0);
  } else {
    n = int64_t(std::ceil((b - a) / s));
  }
  Tensor out = empty(n, dtype.value_or(whole ? Dtype::Int64 : default_dtype()));
  const int64_t first = start.to_int(), d = step.to_int();
  if (whole || !is_floating(out->dtype)) generate<int64_t>(out, [=](int64_t i) { return first + i * d; });
  else generate<double>(out, [a, s](int64_t i) { return a + double(i) * s; });
  return finish(on(out, device), requires_grad);
}
Tensor arange(Scalar end, OptDtype dtype, OptDevice device, OnlyBool requires_grad) {
  return arange(0, end, 1, dtype, device, requires_grad);
}

/// The i-th of n points from a to b, counted from the nearer end so that both ends are exact.
static double point(double a, double b, int64_t n, int64_t i) {
  if (n == 1) return a;
  const double step = (b - a) / double(n - 1);
  return i < n / 2 ? a + step * double(i) : b - step * double(n - 1 - i);
}
Tensor linspace(Scalar start, Scalar end, int64_t steps, OptDtype dtype, OptDevice device, OnlyBool requires_grad) {
  OpScope op("linspace");
  TG_CHECK(!start.is_complex() && !end.is_complex(), NotImplementedError, "complex start and end are not implemented: add linspaces of the parts");
  TG_CHECK(steps >= 0, ValueError, "steps must not be negative, got ", steps);
  Tensor out = empty(steps, dtype.value_or(default_dtype()));
  generate<double>(out, [&](int64_t i) { return point(start.to_double(), end.to_double(), steps, i); });
  return finish(on(out, device), requires_grad);
}
Tensor logspace(Scalar start, Scalar end, int64_t steps, double base, OptDtype dtype, OptDevice device, OnlyBool requires_grad) {
  OpScope op("logspace");
  TG_CHECK(steps >= 0, ValueError, "steps must not be negative, got ", steps);
  Tensor out = empty(steps, dtype.value_or(default_dtype()));
  generate<double>(out, [&](int64_t i) { return std::pow(base, point(start.to_double(), end.to_double(), steps, i)); });
  return finish(on(out, device), requires_grad);
}

Tensor eye(int64_t n, std::optional<int64_t> m, OptDtype dtype, OptDevice device, OnlyBool requires_grad) {
  OpScope op("eye");
  const int64_t columns = m.value_or(n);
  TG_CHECK(n >= 0 && columns >= 0, ValueError, "n and m must not be negative, got ", n, " and ", columns);
  Tensor out = filled({n, columns}, 0, dtype.value_or(default_dtype()), device, false);
  const int64_t k = std::min(n, columns);
  if (k) fill_elements(alias(out, k, columns + 1, 0, false), 1);
  return finish(static_cast<Tensor&&>(out), requires_grad);
}

/// Row and column numbers of the triangle's entries, row by row.
static Tensor triangle_indices(const char* name, int64_t row, int64_t col, int64_t offset, bool lower) {
  OpScope op(name);
  TG_CHECK(row >= 0 && col >= 0, ValueError, "row and col must not be negative, got ", row, " and ", col);
  // The lower triangle has the columns of row r up to clamp(r + o, 0, col), the upper one those from there on: none before row
  // `some`, all from row `full`. Their number is known before anything is allocated.
  __extension__ using Wide = __int128;
  const Wide o = std::clamp<Wide>(offset, -Wide(row), col) + lower;
  const Wide some = std::clamp<Wide>(1 - o, 0, row), full = std::clamp<Wide>(col - o, some, row);
  const Wide below = (full - some) * (some + full - 1 + 2 * o) / 2 + (row - full) * col, n = lower ? below : Wide(row) * col - below;
  TG_CHECK(n <= INT64_MAX, OutOfMemoryError, "too many entries in a triangle of ", row, " rows and ", col, " columns");
  Tensor out = empty({2, int64_t(n)}, Dtype::Int64);
  auto* rows = out->host<int64_t>();
  auto* cols = rows + n;
  for (Wide r = lower ? some : 0; r < (lower ? Wide(col ? row : 0) : full); r++) {
    const auto edge = int64_t(std::clamp<Wide>(r + o, 0, col));
    for (int64_t c = lower ? 0 : edge; c < (lower ? edge : col); c++) *rows++ = int64_t(r), *cols++ = c;
  }
  return out;
}
Tensor tril_indices(int64_t row, int64_t col, int64_t offset) { return triangle_indices("tril_indices", row, col, offset, true); }
Tensor triu_indices(int64_t row, int64_t col, int64_t offset) { return triangle_indices("triu_indices", row, col, offset, false); }

// ---- rows

static Tensor empty_row(IntList size, OptDtype dtype, OptDevice device, bool requires_grad, std::optional<MemoryFormat> format) {
  OpScope op("empty");
  Tensor out = empty(size, dtype.value_or(default_dtype()), device.value_or(default_device()));
  if (format && *format != MemoryFormat::Contiguous && *format != MemoryFormat::Preserve) out = empty_like(out, *format);
  return finish(static_cast<Tensor&&>(out), requires_grad);
}
static Tensor empty_like_row(const Tensor& x, OptDtype dtype, OptDevice device, bool requires_grad,
    std::optional<MemoryFormat> format) {
  OpScope op("empty_like");
  return finish(empty_like(x, dtype.value_or(x->dtype), format.value_or(MemoryFormat::Preserve), device.value_or(x->device)), requires_grad);
}
static Tensor empty_strided_row(IntList size, IntList stride, OptDtype dtype, OptDevice device, bool requires_grad) {
  OpScope op("empty_strided");
  return finish(empty_strided(size, stride, dtype.value_or(default_dtype()), device.value_or(default_device())), requires_grad);
}
static Tensor like_row(const Tensor& x, Scalar value, OptDtype dtype, OptDevice device, bool requires_grad,
    std::optional<MemoryFormat> format) {
  if (!format || *format == MemoryFormat::Preserve) return filled_like(x, value, dtype, device, requires_grad);
  Tensor out = empty_like(x, dtype.value_or(x->dtype), *format, device.value_or(x->device));
  fill_elements(out, value);
  return finish(static_cast<Tensor&&>(out), requires_grad);
}
static Tensor zeros_like_row(const Tensor& x, OptDtype dtype, OptDevice device, bool requires_grad,
    std::optional<MemoryFormat> format) {
  OpScope op("zeros_like");
  return like_row(x, 0, dtype, device, requires_grad, format);
}
static Tensor ones_like_row(const Tensor& x, OptDtype dtype, OptDevice device, bool requires_grad,
    std::optional<MemoryFormat> format) {
  OpScope op("ones_like");
  return like_row(x, 1, dtype, device, requires_grad, format);
}
static Tensor full_like_row(const Tensor& x, Scalar value, OptDtype dtype, OptDevice device, bool requires_grad,
    std::optional<MemoryFormat> format) {
  OpScope op("full_like");
  return like_row(x, value, dtype, device, requires_grad, format);
}
static Tensor new_full(const Tensor& x, IntList size, Scalar value, OptDtype dtype, OptDevice device, bool requires_grad) {
  return filled(size, value, dtype.value_or(x->dtype), device.value_or(x->device), requires_grad);
}
static Tensor new_zeros(const Tensor& x, IntList size, OptDtype dtype, OptDevice device, bool requires_grad) {
  return new_full(x, size, 0, dtype, device, requires_grad);
}
static Tensor new_ones(const Tensor& x, IntList size, OptDtype dtype, OptDevice device, bool requires_grad) {
  return new_full(x, size, 1, dtype, device, requires_grad);
}
static Tensor new_empty(const Tensor& x, IntList size, OptDtype dtype, OptDevice device, bool requires_grad) {
  return finish(empty(size, dtype.value_or(x->dtype), device.value_or(x->device)), requires_grad);
}
static Tensor new_empty_strided(const Tensor& x, IntList size, IntList stride, OptDtype dtype, OptDevice device, bool requires_grad) {
  OpScope op("new_empty_strided");
  return finish(empty_strided(size, stride, dtype.value_or(x->dtype), device.value_or(x->device)), requires_grad);
}
static Tensor empty_permuted(IntList size, IntList layout, OptDtype dtype, OptDevice device, bool requires_grad) {
  OpScope op("empty_permuted");
  TG_CHECK(layout.size() == size.size(), ValueError, "physical_layout must name each of the ", size.size(), " dimensions, got ", layout);
  Shape stride(size.size(), 0);
  int64_t step = 1;
  for (size_t k = layout.size(); k-- > 0;) {
    const int64_t d = layout[k];
    TG_CHECK(d >= 0 && d < int64_t(size.size()) && !stride[size_t(d)], ValueError, "physical_layout must name each of the ", size.size(), " dimensions once, got ", layout);
    stride[size_t(d)] = step;
    step *= size[size_t(d)] > 1 ? size[size_t(d)] : 1;
  }
  return finish(empty_strided(size, stride, dtype.value_or(default_dtype()), device.value_or(default_device())), requires_grad);
}
static Tensor scalar_tensor(Scalar value, OptDtype dtype, OptDevice device, bool requires_grad) {
  return filled({}, value, dtype.value_or(default_dtype()), device, requires_grad);
}
// As arange, but end is included and the dtype is the default float's.
static Tensor range(Scalar start, Scalar end, Scalar step, OptDtype dtype, OptDevice device, bool requires_grad) {
  OpScope op("range");
  const double a = start.to_double(), b = end.to_double(), s = step.to_double();
  TG_CHECK(s != 0 && (b - a) / s >= 0, ValueError, "step must lead from start to end, got ", start, ", ", end, " and ", step);
  Tensor out = empty({int64_t((b - a) / s) + 1}, dtype.value_or(default_dtype()));
  generate<double>(out, [a, s](int64_t i) { return a + s * double(i); });
  return finish(on(out, device), requires_grad);
}
static Tensor indices_as(Tensor t, OptDtype dtype) { return dtype && *dtype != t->dtype ? to(t, *dtype) : t; }
static Tensor tril_indices_row(int64_t row, int64_t col, int64_t offset, OptDtype dtype, OptDevice device) {
  return on(indices_as(tril_indices(row, col, offset), dtype), device);
}
static Tensor triu_indices_row(int64_t row, int64_t col, int64_t offset, OptDtype dtype, OptDevice device) {
  return on(indices_as(triu_indices(row, col, offset), dtype), device);
}

void factories_ops(OpTable& t) {
#define TG_OPTIONS "dtype? dtype=None, device? device=None, bool requires_grad=False"
#define TG_FORMAT ", memory_format? memory_format=None"
  t.add("empty(int[] size, *, " TG_OPTIONS TG_FORMAT ")", &empty_row, "A tensor of this size whose values are not set.")
      .no_grad().with_out().samples({"2, 3", "(2, 0), dtype=int64"});
  t.add("empty_like(Tensor input, *, " TG_OPTIONS TG_FORMAT ")",
        &empty_like_row, "A tensor of input's size and dtype whose values are not set.")
      .no_grad().samples({"T(2, 3)"});
  t.add("empty_strided(int[] size, int[] stride, *, " TG_OPTIONS ")",
        &empty_strided_row, "A tensor of this size and these strides (in elements); values are not set.")
      .no_grad().samples({"(2, 3), (1, 2)"});
  t.add("zeros(int[] size, *, " TG_OPTIONS ")", &zeros, "A tensor of zeros.")
      .no_grad().with_out().samples({"2, 3", "(2, 0)", "(), dtype=int64"});
  t.add("ones(int[] size, *, " TG_OPTIONS ")", &ones, "A tensor of ones.")
      .no_grad().with_out().samples({"2, 3", "(2, 0)", "(3,), dtype=bool"});
  t.add("full(int[] size, Scalar fill_value, *, " TG_OPTIONS ")", &full,
      "A tensor of fill_value everywhere; its dtype is the value's unless given.")
      .no_grad().with_out().samples({"(2, 3), 7", "(2,), 1.5", "(2,), True", "(2,), 3, dtype=float32"});
  t.add("zeros_like(Tensor input, *, " TG_OPTIONS TG_FORMAT ")", &zeros_like_row, "Zeros of input's size and dtype.")
      .no_grad().samples({"T(2, 3)", "I(3), dtype=float32"});
  t.add("ones_like(Tensor input, *, " TG_OPTIONS TG_FORMAT ")", &ones_like_row, "Ones of input's size and dtype.")
      .no_grad().samples({"T(2, 3)", "I(3), dtype=float32"});
  t.add("full_like(Tensor input, Scalar fill_value, *, " TG_OPTIONS TG_FORMAT ")", &full_like_row,
      "fill_value in input's size and dtype.")
      .no_grad().samples({"T(2, 3), 7", "I(3), 2"});
  t.add("new_empty(Tensor input, int[] size, *, " TG_OPTIONS ")", &new_empty, "empty with input's dtype.")
      .method_only().no_grad().samples({"I(3), (2, 2)"});
  t.add("new_empty_strided(Tensor input, int[] size, int[] stride, *, " TG_OPTIONS ")", &new_empty_strided, "empty_strided with input's dtype.")
      .method_only().no_grad().samples({"I(3), (2, 2), (1, 2)"});
  t.add("empty_permuted(int[] size, int[] physical_layout, *, " TG_OPTIONS ")", &empty_permuted,
        "A dense tensor of this size whose dimensions lie in memory in this order, the outermost first; values are not set.").no_grad().samples({"(2, 3, 4), (0, 2, 1)"});
  t.add("scalar_tensor(Scalar s, *, " TG_OPTIONS ")", &scalar_tensor, "A 0-d tensor of the default float type.").no_grad().samples({"3", "2.5, dtype=float64", "True"});
  t.add("range(Scalar start, Scalar end, Scalar step=1, *, " TG_OPTIONS ")", &range, "start, start + step, … up to end, included, as floats. Deprecated: arange leaves end out.")
      .no_grad().samples({"0, 3", "1, 2, 0.5", "5, 1, -2", "0, 4, 2, dtype=int64"});
  t.add("new_zeros(Tensor input, int[] size, *, " TG_OPTIONS ")", &new_zeros, "zeros with input's dtype.")
      .method_only().no_grad().samples({"I(3), (2, 2)"});
  t.add("new_ones(Tensor input, int[] size, *, " TG_OPTIONS ")", &new_ones, "ones with input's dtype.")
      .method_only().no_grad().samples({"I(3), (2, 2)"});
  t.add("new_full(Tensor input, int[] size, Scalar fill_value, *, " TG_OPTIONS ")", &new_full, "full with input's dtype.")
      .method_only().no_grad().samples({"T(3), (2, 2), 5"});
  t.add("arange(Scalar end, *, " TG_OPTIONS ")", static_cast<Tensor (*)(Scalar, OptDtype, OptDevice, OnlyBool)>(&arange),
      "0, 1, … below end. int64 when end is an integer.")
      .no_grad().with_out().samples({"5", "2.5", "0", "5, dtype=float32"});
  t.add("arange(Scalar start, Scalar end, Scalar step=1, *, " TG_OPTIONS ")",
      static_cast<Tensor (*)(Scalar, Scalar, Scalar, OptDtype, OptDevice, OnlyBool)>(&arange),
        "start, start + step, … below end. int64 when all are integers.").no_grad().with_out().samples({"1, 6", "1, 6, 2",
            "5, 0, -2", "0.5, 2, 0.25"});
  t.add("linspace(Scalar start, Scalar end, int steps, *, " TG_OPTIONS ")", &linspace,
      "steps evenly spaced numbers from start to end, both included.")
      .no_grad().with_out().samples({"0, 1, 5", "3, -2.5, 4", "1, 2, 1", "1, 2, 0"});
  t.add("logspace(Scalar start, Scalar end, int steps, float base=10.0, *, " TG_OPTIONS ")", &logspace,
      "base to the power of linspace(start, end, steps).")
      .no_grad().with_out().samples({"0, 2, 3", "0, 3, 4, 2.0"});
  t.add("eye(int n, int? m=None, *, " TG_OPTIONS ")", &eye, "An n x m matrix with ones on the diagonal; m is n unless given.")
      .no_grad().with_out().samples({"3", "2, 3", "3, 2, dtype=int64"});
  t.add("tril_indices(int row, int col, int offset=0, *, dtype? dtype=None, device? device=None)", &tril_indices_row,
        "Row and column numbers of the lower triangle of a row x col matrix, as int64[2, n].").no_grad().samples({"3, 3",
            "3, 4, 1", "4, 3, -1"});
  t.add("triu_indices(int row, int col, int offset=0, *, dtype? dtype=None, device? device=None)", &triu_indices_row,
        "Row and column numbers of the upper triangle of a row x col matrix, as int64[2, n].").no_grad().samples({"3, 3",
            "3, 4, 1", "4, 3, -1"});
#undef TG_OPTIONS
#undef TG_FORMAT
}

}  // namespace tapegrad
