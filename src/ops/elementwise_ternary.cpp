// Functions of three tensors, clamp and its relatives, and their rows. The maths is in formulas_ternary.h and formulas_unary.h.
#include <algorithm>
#include <cmath>

#include "src/ops/elementwise.h"
#include "src/ops/op_info.h"

namespace tapegrad {

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  OpScope op("where");
  TG_CHECK(condition->dtype == Dtype::Bool || condition->dtype == Dtype::UInt8, DtypeError, "condition must be bool, got ",
      condition->dtype, Named{"condition", condition});
  return ternary<Where>(condition, a, b);
}

// ---- lerp, addcmul, addcdiv

static void lerp_types(const Tensor& a, const Tensor& b) {
  TG_CHECK(a->dtype == b->dtype && is_differentiable(a->dtype), DtypeError, "input and end must have one floating-point or complex dtype",
      Named{"input", a}, Named{"end", b});
}
static bool is_plain(const Tensor& weight) { return weight->wrapped_number && !is_complex(weight->dtype); }
Tensor lerp(const Tensor& input, const Tensor& end, const Tensor& weight) {
  OpScope op("lerp");
  lerp_types(input, end);
  return is_plain(weight) ? binary(input, end, LerpNumber{weight.item<double>()}) : ternary<Lerp>(input, end, weight);
}
Tensor lerp(const Tensor& input, const Tensor& end, double weight) {
  OpScope op("lerp");
  lerp_types(input, end);
  return binary(input, end, LerpNumber{weight});
}
const Tensor& lerp_(const Tensor& self, const Tensor& end, const Tensor& weight) {
  OpScope op("lerp_");
  lerp_types(self, end);
  return is_plain(weight) ? binary_(self, end, LerpNumber{weight.item<double>()}) : ternary_<Lerp>(self, end, weight);
}
const Tensor& lerp_(const Tensor& self, const Tensor& end, double weight) { return lerp_(self, end, Tensor(weight)); }

Tensor addcmul(const Tensor& input, const Tensor& tensor1, const Tensor& tensor2, Scalar value) {
  OpScope op("addcmul");
  if (value.is_complex()) return add(input, mul(mul(tensor1, tensor2), Tensor(value)));
  return ternary(input, tensor1, tensor2, Addcmul{{value.to_double(), value.to_int()}});
}
const Tensor& addcmul_(const Tensor& self, const Tensor& tensor1, const Tensor& tensor2, Scalar value) {
  OpScope op("addcmul_");
  if (value.is_complex()) return add_(self, mul(mul(tensor1, tensor2), Tensor(value)));
  return ternary_(self, tensor1, tensor2, Addcmul{{value.to_double(), value.to_int()}});
}
static void refuse_integers(const Tensor& a, const Tensor& b) {
  TG_CHECK(is_differentiable(a->dtype) || is_differentiable(b->dtype), DtypeError,
      "division of integers is not supported here: convert to floats first", Named{"tensor1", a}, Named{"tensor2", b});
}
Tensor addcdiv(const Tensor& input, const Tensor& tensor1, const Tensor& tensor2, Scalar value) {
  OpScope op("addcdiv");
  refuse_integers(tensor1, tensor2);
  if (value.is_complex()) return add(input, mul(div(tensor1, tensor2), Tensor(value)));
  return ternary(input, tensor1, tensor2, Addcdiv{value.to_double()});
}
const Tensor& addcdiv_(const Tensor& self, const Tensor& tensor1, const Tensor& tensor2, Scalar value) {
  OpScope op("addcdiv_");
  refuse_integers(tensor1, tensor2);
  if (value.is_complex()) return add_(self, mul(div(tensor1, tensor2), Tensor(value)));
  return ternary_(self, tensor1, tensor2, Addcdiv{value.to_double()});
}

// ---- clamp

// Limits take part in promotion as numbers: clamp(int64, 0.5) is float32.
static Dtype limited_type(const Tensor& x, std::optional<Scalar> min, std::optional<Scalar> max) {
  Dtype d = x->dtype;
  for (const auto& limit : {min, max})
    if (limit) d = is_differentiable(d) ? d : limit->is_float() ? default_dtype() : d == Dtype::Bool ? limit->dtype() : d;
  return d;
}
static Number limit_number(Scalar s, Dtype d) {  // int32 and smaller compute in 32 bits
  TG_CHECK(!s.is_complex(), DtypeError, "min and max must be real, got ", s);
  int64_t i = s.to_int();
  if (d == Dtype::UInt8) i = uint8_t(i);  // wraps, as in PyTorch
  else if (d != Dtype::Int64) i = std::clamp<int64_t>(i, INT32_MIN, INT32_MAX);
  return {s.to_double(), i};
}
template <class F> static decltype(auto) with_limits(const Tensor& x, std::optional<Scalar> min, std::optional<Scalar> max,
    F&& call) {
  TG_CHECK(min || max, ValueError, "at least one of min and max must not be None");
  const Dtype d = limited_type(x, min, max);
  if (min && max) {
    const Number low = limit_number(*min, d), high = limit_number(*max, d);
    return call(entry<Clamp, 1>, Clamp{low, std::isnan(low.d) ? low : high}, d);  // NaN where either limit is
  }
  if (min) return call(entry<ClampMin, 1>, ClampMin{limit_number(*min, d)}, d);
  return call(entry<ClampMax, 1>, ClampMax{limit_number(*max, d)}, d);
}
Tensor clamp(const Tensor& x, std::optional<Scalar> min, std::optional<Scalar> max) {
  OpScope op("clamp");
  return with_limits(x, min, max, [&](const OpEntry& e, const auto& params, Dtype d) -> Tensor {
    const Tensor* in[] = {&x};
    return elementwise<1>(e, &params, in, d == x->dtype ? std::nullopt : std::optional(d));
  });
}
const Tensor& clamp_(const Tensor& self, std::optional<Scalar> min, std::optional<Scalar> max) {
  OpScope op("clamp_");
  return with_limits(self, min, max, [&](const OpEntry& e, const auto& params, Dtype d) -> const Tensor& {
    const Tensor* in[] = {&self};
    return elementwise_(e, &params, in, d);
  });
}
Tensor clamp(const Tensor& x, const Tensor& min, const Tensor& max) {
  OpScope op("clamp");
  TG_CHECK(min.defined() || max.defined(), ValueError, "at least one of min and max must not be None");
  if (!max.defined()) return binary<ClampMinTensor>(x, min);
  if (!min.defined()) return binary<ClampMaxTensor>(x, max);
  return ternary<ClampTensors>(x, min, max);
}
const Tensor& clamp_(const Tensor& self, const Tensor& min, const Tensor& max) {
  OpScope op("clamp_");
  TG_CHECK(min.defined() || max.defined(), ValueError, "at least one of min and max must not be None");
  if (!max.defined()) return binary_<ClampMinTensor>(self, min);
  if (!min.defined()) return binary_<ClampMaxTensor>(self, max);
  return ternary_<ClampTensors>(self, min, max);
}
Tensor clamp_min(const Tensor& x, Scalar min) { return clamp(x, min, {}); }
Tensor clamp_max(const Tensor& x, Scalar max) { return clamp(x, {}, max); }
Tensor clamp_min(const Tensor& x, const Tensor& min) { return clamp(x, min, Tensor()); }
Tensor clamp_max(const Tensor& x, const Tensor& max) { return clamp(x, Tensor(), max); }
const Tensor& clamp_min_(const Tensor& self, Scalar min) { return clamp_(self, min, {}); }
const Tensor& clamp_max_(const Tensor& self, Scalar max) { return clamp_(self, {}, max); }
const Tensor& clamp_min_(const Tensor& self, const Tensor& min) { return clamp_(self, min, Tensor()); }
const Tensor& clamp_max_(const Tensor& self, const Tensor& max) { return clamp_(self, Tensor(), max); }

// ---- rows

template <class... A> using Fn = Tensor (*)(A...);
template <class... A> using InPlaceFn = const Tensor& (*)(A...);
using T = const Tensor&;
using S = std::optional<Scalar>;

void elementwise_ternary_ops(OpTable& t) {
  t.add("where(Tensor condition, Tensor|Number input, Tensor|Number other)", static_cast<Fn<T, T, T>>(&where), Where::doc)
      .with_out(true)
      .complex().samples({"B(2, 3), T(2, 3), T(2, 3)", "B(3), T(2, 1), T()", "B(2, 3), T(2, 3), 0.5", "B(2, 3), 1, 0",
               "B(0, 3), T(3), T(3)"});
  t.add("where(Tensor input, Tensor condition, Tensor|Number other)", +[](T x, T m, T y) { return where(m, x, y); }, Where::doc)
      .method_only()
      .complex().samples({"T(2, 3), B(3), T(2, 3)", "T(2, 3), B(2, 3), 0.5"});
  t.add("lerp(Tensor input, Tensor end, Tensor|Number weight)", static_cast<Fn<T, T, T>>(&lerp), LerpNumber::doc)
      .method().inplace(static_cast<InPlaceFn<T, T, T>>(&lerp_))
      .with_out(true).complex().samples({"T(2, 3), T(2, 3), 0.3", "T(2, 3), T(3), T(2, 1)", "T(2, 3), T(2, 3), 0.8"});
  t.add("addcmul(Tensor input, Tensor tensor1, Tensor tensor2, *, Scalar value=1)", &addcmul, Addcmul::doc)
      .method().inplace(&addcmul_).with_out(true)
      .complex().samples({"T(2, 3), T(2, 3), T(2, 3)", "T(2, 3), T(3), T(2, 1), value=0.5", "I(3), I(3), I(3), value=2"});
  t.add("addcdiv(Tensor input, Tensor tensor1, Tensor tensor2, *, Scalar value=1)", &addcdiv, Addcdiv::doc)
      .method().inplace(&addcdiv_).with_out(true)
      .complex().samples({"T(2, 3), T(2, 3), P(2, 3)", "T(2, 3), T(3), P(2, 1), value=0.5"});
  t.add("clamp(Tensor input, Scalar? min=None, Scalar? max=None)", static_cast<Fn<T, S, S>>(&clamp), Clamp::doc).method()
      .inplace(static_cast<InPlaceFn<T, S, S>>(&clamp_)).with_out(true).alias("clip")
      .samples({"T(2, 3), -0.5, 0.5", "T(2, 3), 0", "T(2, 3), max=0.5", "I(3), 1, 3", "I(3), 0.5", "T(0, 3), 0, 1"});
  t.add("clamp(Tensor input, Tensor? min=None, Tensor? max=None)", static_cast<Fn<T, T, T>>(&clamp), Clamp::doc).method()
      .inplace(static_cast<InPlaceFn<T, T, T>>(&clamp_)).with_out(true).alias("clip")
      .samples({"T(2, 3), T(3, lo=-2, hi=0), T(2, 1, lo=0, hi=2)", "T(2, 3), T(3)", "T(2, 3), max=T(3)"});
  t.add("clamp_min(Tensor input, Scalar min)", static_cast<Fn<T, Scalar>>(&clamp_min), ClampMin::doc).method()
      .inplace(static_cast<InPlaceFn<T, Scalar>>(&clamp_min_)).with_out(true).samples({"T(2, 3), 0.5", "I(3), 2"});
  t.add("clamp_min(Tensor input, Tensor min)", static_cast<Fn<T, T>>(&clamp_min), ClampMin::doc).method()
      .inplace(static_cast<InPlaceFn<T, T>>(&clamp_min_)).with_out(true).samples({"T(2, 3), T(3)"});
  t.add("clamp_max(Tensor input, Scalar max)", static_cast<Fn<T, Scalar>>(&clamp_max), ClampMax::doc).method()
      .inplace(static_cast<InPlaceFn<T, Scalar>>(&clamp_max_)).with_out(true).samples({"T(2, 3), 0.5", "I(3), 2"});
  t.add("clamp_max(Tensor input, Tensor max)", static_cast<Fn<T, T>>(&clamp_max), ClampMax::doc).method()
      .inplace(static_cast<InPlaceFn<T, T>>(&clamp_max_)).with_out(true).samples({"T(2, 3), T(3)"});
}

}  // namespace tapegrad
