// Counts, truth values, sums that skip NaN, and comparisons of whole tensors.
#include "src/ops/op_info.h"
#include "src/ops/reduce.h"

namespace tapegrad {

// ---- counts and truth

Tensor all(const Tensor& x, IntList dim, bool keepdim) {
  OpScope op("all");
  if (is_complex(x.dtype())) return all(to(detach(x), Dtype::Bool), dim, keepdim);
  return fold(kAll, x, reduced_dims(x, dim), keepdim, x.dtype() == Dtype::UInt8 ? Dtype::UInt8 : Dtype::Bool);
}
Tensor any(const Tensor& x, IntList dim, bool keepdim) {
  OpScope op("any");
  if (is_complex(x.dtype())) return any(to(detach(x), Dtype::Bool), dim, keepdim);
  Tensor out = fold(kCount, x, reduced_dims(x, dim), keepdim, Dtype::Bool);
  return x.dtype() == Dtype::UInt8 ? to(out, Dtype::UInt8) : out;
}
Tensor count_nonzero(const Tensor& x, IntList dim) {
  OpScope op("count_nonzero");
  if (is_complex(x.dtype())) return count_nonzero(to(detach(x), Dtype::Bool), dim);
  return fold(kCount, x, reduced_dims(x, dim), false, Dtype::Int64);
}

// ---- NaN counts as missing

Tensor nansum(const Tensor& x, IntList dim, bool keepdim, std::optional<Dtype> dtype) {
  OpScope op("nansum");
  TG_CHECK(!is_complex(x.dtype()), DtypeError, "not implemented for ", x.dtype(), Named{"input", x});
  if (!is_floating(x.dtype())) return sum(x, dim, keepdim, dtype);
  return sum(where(isnan(x), Tensor(0.0), x), dim, keepdim, dtype);
}
Tensor nanmean(const Tensor& x, IntList dim, bool keepdim, std::optional<Dtype> dtype) {
  OpScope op("nanmean");
  TG_CHECK(is_floating(x.dtype()), DtypeError, "input must be of a floating dtype, got ", x.dtype(), Named{"input", x});
  return nansum(x, dim, keepdim, dtype) / sum(logical_not(isnan(x)), dim, keepdim);
}

// ---- comparing whole tensors

bool equal(const Tensor& a, const Tensor& b) {
  OpScope op("equal");
  if (a.sizes() != b.sizes()) return false;
  NoGrad off;
  return all(eq(a, b)).item<bool>();
}
Tensor isclose(const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) {
  OpScope op("isclose");
  TG_CHECK(rtol >= 0 && atol >= 0, ValueError, "rtol and atol must not be negative, got ", rtol, " and ", atol);
  TG_CHECK(a.dtype() == b.dtype(), DtypeError, "input and other must have one dtype", Named{"input", a}, Named{"other", b});
  NoGrad off;
  Tensor close = eq(a, b);
  if (is_differentiable(a.dtype()) && equal_nan) close = logical_or(close, logical_and(isnan(a), isnan(b)));
  if (rtol == 0 && atol == 0) return close;
  const auto fractions = [](const Tensor& x) { return is_differentiable(x.dtype()) ? x : to(x, Dtype::Float64); };
  const Tensor fa = fractions(a), fb = fractions(b);
  const Tensor apart = abs(fa - fb), allowed = Tensor(atol) + abs(fb) * Tensor(rtol);
  return logical_or(close, logical_and(isfinite(apart), le(apart, allowed)));
}
bool allclose(const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) {
  OpScope op("allclose");
  return all(isclose(a, b, rtol, atol, equal_nan)).item<bool>();
}

void reduce_truth_ops(OpTable& t) {
  t.add("all(Tensor input, int[]? dim=None, bool keepdim=False)", &all, "Is every element (along dim) other than zero? True when there are none.")
      .method().on("any").no_grad().with_out().samples({"B(2, 3)", "B(2, 3), 1", "I(2, 3), [0, 1], True", "B(0, 3), 0"});
  t.add("any(Tensor input, int[]? dim=None, bool keepdim=False)", &tapegrad::any, "Is some element (along dim) other than zero?")
      .method().on("any").no_grad().with_out().samples({"B(2, 3)", "B(2, 3), 1", "I(2, 3), [0, 1], True", "B(0, 3), 0"});
  t.add("count_nonzero(Tensor input, int[]? dim=None)", &count_nonzero, "How many elements (along dim) are not zero, as int64.")
      .method().on("any").no_grad().complex().samples({"I(2, 3, lo=0, hi=2)", "I(2, 3, lo=0, hi=2), 1", "T(2, 3), [0, 1]"});
  t.add("nansum(Tensor input, int[]? dim=None, bool keepdim=False, *, dtype? dtype=None)", &nansum, "The sum of the elements that are not NaN.")
      .method().with_out().samples({"T(2, 3)", "T(2, 3), 1, True"});
  t.add("nanmean(Tensor input, int[]? dim=None, bool keepdim=False, *, dtype? dtype=None)", &nanmean, "The mean of the elements that are not NaN.")
      .method().with_out().samples({"T(2, 3)", "T(2, 3), 1, True"});
  t.add("equal(Tensor input, Tensor other)", &equal, "Have both one size and equal elements?").method().no_grad().complex().samples({"T(2, 3), T(2, 3)", "C(1., 2.), C(1., 2.)"});
  t.add("isclose(Tensor input, Tensor other, float rtol=1e-05, float atol=1e-08, bool equal_nan=False)", &isclose,
        "|input - other| <= atol + rtol |other|, element by element, as bool.").method().no_grad().complex().samples({"C(1., 2., 3.), C(1., 2.1, 3.)", "C(1., 2.), C(1.00001, 2.1), 0.1"});
  t.add("allclose(Tensor input, Tensor other, float rtol=1e-05, float atol=1e-08, bool equal_nan=False)", &allclose, "Are all elements close? See isclose.")
      .method().no_grad().complex().samples({"C(1., 2.), C(1., 2.)", "C(1., 2.), C(1., 2.1)"});
}

}  // namespace tapegrad
