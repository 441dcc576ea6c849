// Functions of two tensors and their rows. The maths is in formulas_binary.h.
#include "src/ops/elementwise.h"
#include "src/ops/op_info.h"

namespace tapegrad {

// ---- add, sub: with alpha

// alpha must not turn an integer result into a float one.
static Number alpha_for(const Tensor& a, const Tensor& b, Scalar alpha) {
  TG_CHECK(!alpha.is_float() || is_differentiable(result_type(a, b)), DtypeError,
      "alpha must be an integer for integer tensors, got ", alpha);
  return {alpha.to_double(), alpha.to_int()};
}
static bool is_one(Scalar alpha) { return alpha.kind() == Scalar::Kind::Int && alpha.to_int() == 1; }
static void refuse_bool(const Tensor& a, const Tensor& b) {
  TG_CHECK(a->dtype != Dtype::Bool && b->dtype != Dtype::Bool, DtypeError,
      "subtraction is not for bools: use ^ or logical_xor", Named{"input", a}, Named{"other", b});
}

static Tensor scaled(const Tensor& x, Scalar alpha) {  // by a complex alpha, for which there are no kernels
  TG_CHECK(is_complex(x->dtype), DtypeError, "alpha must be real for real tensors, got ", alpha, Named{"other", x});
  return mul(x, Tensor(alpha));
}

Tensor add(const Tensor& a, const Tensor& b, Scalar alpha) {
  OpScope op("add");
  if (alpha.is_complex()) return binary<Add>(a, scaled(b, alpha));
  return is_one(alpha) ? binary<Add>(a, b) : binary(a, b, AddScaled{alpha_for(a, b, alpha)});
}
const Tensor& add_(const Tensor& self, const Tensor& other, Scalar alpha) {
  OpScope op("add_");
  if (alpha.is_complex()) return binary_<Add>(self, scaled(other, alpha));
  return is_one(alpha) ? binary_<Add>(self, other) : binary_(self, other, AddScaled{alpha_for(self, other, alpha)});
}
Tensor sub(const Tensor& a, const Tensor& b, Scalar alpha) {
  OpScope op("sub");
  refuse_bool(a, b);
  if (alpha.is_complex()) return binary<Sub>(a, scaled(b, alpha));
  return is_one(alpha) ? binary<Sub>(a, b) : binary(a, b, SubScaled{alpha_for(a, b, alpha)});
}
const Tensor& sub_(const Tensor& self, const Tensor& other, Scalar alpha) {
  OpScope op("sub_");
  refuse_bool(self, other);
  if (alpha.is_complex()) return binary_<Sub>(self, scaled(other, alpha));
  return is_one(alpha) ? binary_<Sub>(self, other) : binary_(self, other, SubScaled{alpha_for(self, other, alpha)});
}
Tensor rsub(const Tensor& a, const Tensor& b, Scalar alpha) {
  OpScope op("rsub");
  refuse_bool(a, b);
  if (alpha.is_complex()) return binary<Sub>(b, scaled(a, alpha));
  return is_one(alpha) ? binary<Rsub>(a, b) : binary(b, a, SubScaled{alpha_for(a, b, alpha)});
}

// ---- mul, div and its remainders

Tensor mul(const Tensor& a, const Tensor& b) { OpScope op("mul"); return binary<Mul>(a, b); }
const Tensor& mul_(const Tensor& self, const Tensor& other) { OpScope op("mul_"); return binary_<Mul>(self, other); }

enum class Rounding { None, Floor, Trunc };
static Rounding parse_rounding(std::optional<std::string_view> mode) {
  if (!mode) return Rounding::None;
  TG_CHECK(*mode == "floor" || *mode == "trunc", ValueError, "rounding_mode must be None, 'floor' or 'trunc', got '", *mode, "'");
  return *mode == "floor" ? Rounding::Floor : Rounding::Trunc;
}
Tensor div(const Tensor& a, const Tensor& b, std::optional<std::string_view> rounding_mode) {
  OpScope op("div");
  switch (parse_rounding(rounding_mode)) {
    case Rounding::None: return binary<Div>(a, b);
    case Rounding::Floor: return binary<DivFloor>(a, b);
    default: return binary<DivTrunc>(a, b);
  }
}
const Tensor& div_(const Tensor& self, const Tensor& other, std::optional<std::string_view> rounding_mode) {
  OpScope op("div_");
  switch (parse_rounding(rounding_mode)) {
    case Rounding::None: return binary_<Div>(self, other);
    case Rounding::Floor: return binary_<DivFloor>(self, other);
    default: return binary_<DivTrunc>(self, other);
  }
}
Tensor floor_divide(const Tensor& a, const Tensor& b) { OpScope op("floor_divide"); return binary<DivFloor>(a, b); }
Tensor remainder(const Tensor& a, const Tensor& b) { OpScope op("remainder"); return binary<Remainder>(a, b); }
Tensor fmod(const Tensor& a, const Tensor& b) { OpScope op("fmod"); return binary<Fmod>(a, b); }
const Tensor& floor_divide_(const Tensor& self, const Tensor& other) {
  OpScope op("floor_divide_");
  return binary_<DivFloor>(self, other);
}
const Tensor& remainder_(const Tensor& self, const Tensor& other) {
  OpScope op("remainder_");
  return binary_<Remainder>(self, other);
}
const Tensor& fmod_(const Tensor& self, const Tensor& other) { OpScope op("fmod_"); return binary_<Fmod>(self, other); }

// ---- pow: whole exponents that people write have formulas of their own

template <class F> static decltype(auto) with_exponent(const Tensor& x, Scalar e, F&& call) {
  const double v = e.to_double();
  const Dtype dtype = result_type(x, Tensor(e));
  TG_CHECK(is_differentiable(dtype) || v >= 0, Error, "integers to negative integer powers are not allowed, got exponent ", e);
  if (v == 2) return call(entry<Square, 1>, Square{}, dtype);
  if (v == 3) return call(entry<Cube, 1>, Cube{}, dtype);
  if (v == 0.5 && is_differentiable(dtype)) return call(entry<Sqrt, 1>, Sqrt{}, dtype);
  return call(entry<PowNumber, 1>, PowNumber{{v, e.to_int()}}, dtype);
}
Tensor pow(const Tensor& x, Scalar exponent) {
  OpScope op("pow");
  if (exponent.is_complex()) return binary<Pow>(x, Tensor(exponent));
  return with_exponent(x, exponent, [&](const OpEntry& e, const auto& params, Dtype dtype) -> Tensor {
    const Tensor* in[] = {&x};
    return elementwise<1>(e, &params, in, x->dtype == dtype && is_differentiable(dtype) ? std::nullopt : std::optional(dtype));
  });
}
const Tensor& pow_(const Tensor& self, Scalar exponent) {
  OpScope op("pow_");
  if (exponent.is_complex()) return binary_<Pow>(self, Tensor(exponent));
  return with_exponent(self, exponent, [&](const OpEntry& e, const auto& params, Dtype dtype) -> const Tensor& {
    const Tensor* in[] = {&self};
    return elementwise_(e, &params, in, dtype);
  });
}
Tensor pow(const Tensor& x, const Tensor& exponent) {
  if (exponent->wrapped_number) return pow(x, exponent.item());
  OpScope op("pow");
  return binary<Pow>(x, exponent);
}
const Tensor& pow_(const Tensor& self, const Tensor& exponent) {
  if (exponent->wrapped_number) return pow_(self, exponent.item());
  OpScope op("pow_");
  return binary_<Pow>(self, exponent);
}
Tensor pow(Scalar base, const Tensor& exponent) { return pow(Tensor(base), exponent); }

// ---- the others

Tensor atan2(const Tensor& a, const Tensor& b) { OpScope op("atan2"); return binary<Atan2>(a, b); }
Tensor hypot(const Tensor& a, const Tensor& b) { OpScope op("hypot"); return binary<Hypot>(a, b); }
Tensor copysign(const Tensor& a, const Tensor& b) { OpScope op("copysign"); return binary<Copysign>(a, b); }
Tensor logaddexp(const Tensor& a, const Tensor& b) {
  OpScope op("logaddexp");
  if (!a.is_complex() || !b.is_complex()) return binary<LogAddExp>(a, b);
  const Tensor swapped = lt(real(detach(a)), real(detach(b))), large = where(swapped, b, a), small = where(swapped, a, b);
  return large + log1p(exp(small - large));
}
Tensor logaddexp2(const Tensor& a, const Tensor& b) { OpScope op("logaddexp2"); return binary<LogAddExp2>(a, b); }
Tensor xlogy(const Tensor& a, const Tensor& b) { OpScope op("xlogy"); return binary<Xlogy>(a, b); }
Tensor maximum(const Tensor& a, const Tensor& b) { OpScope op("maximum"); return binary<Maximum>(a, b); }
Tensor minimum(const Tensor& a, const Tensor& b) { OpScope op("minimum"); return binary<Minimum>(a, b); }
Tensor fmax(const Tensor& a, const Tensor& b) { OpScope op("fmax"); return binary<Fmax>(a, b); }
Tensor fmin(const Tensor& a, const Tensor& b) { OpScope op("fmin"); return binary<Fmin>(a, b); }
Tensor bitwise_and(const Tensor& a, const Tensor& b) { OpScope op("bitwise_and"); return binary<BitwiseAnd>(a, b); }
Tensor bitwise_or(const Tensor& a, const Tensor& b) { OpScope op("bitwise_or"); return binary<BitwiseOr>(a, b); }
Tensor bitwise_xor(const Tensor& a, const Tensor& b) { OpScope op("bitwise_xor"); return binary<BitwiseXor>(a, b); }
Tensor bitwise_left_shift(const Tensor& a, const Tensor& b) { OpScope op("bitwise_left_shift"); return binary<ShiftLeft>(a, b); }
Tensor bitwise_right_shift(const Tensor& a, const Tensor& b) { OpScope op("bitwise_right_shift"); return binary<ShiftRight>(a, b); }
const Tensor& atan2_(const Tensor& self, const Tensor& other) { OpScope op("atan2_"); return binary_<Atan2>(self, other); }
const Tensor& hypot_(const Tensor& self, const Tensor& other) { OpScope op("hypot_"); return binary_<Hypot>(self, other); }
const Tensor& copysign_(const Tensor& self, const Tensor& other) { OpScope op("copysign_"); return binary_<Copysign>(self, other); }
const Tensor& xlogy_(const Tensor& self, const Tensor& other) { OpScope op("xlogy_"); return binary_<Xlogy>(self, other); }
const Tensor& bitwise_and_(const Tensor& self, const Tensor& other) {
  OpScope op("bitwise_and_");
  return binary_<BitwiseAnd>(self, other);
}
const Tensor& bitwise_or_(const Tensor& self, const Tensor& other) {
  OpScope op("bitwise_or_");
  return binary_<BitwiseOr>(self, other);
}
const Tensor& bitwise_xor_(const Tensor& self, const Tensor& other) {
  OpScope op("bitwise_xor_");
  return binary_<BitwiseXor>(self, other);
}
const Tensor& bitwise_left_shift_(const Tensor& self, const Tensor& other) {
  OpScope op("bitwise_left_shift_");
  return binary_<ShiftLeft>(self, other);
}
const Tensor& bitwise_right_shift_(const Tensor& self, const Tensor& other) {
  OpScope op("bitwise_right_shift_");
  return binary_<ShiftRight>(self, other);
}

static void same_type(const Tensor& a, const Tensor& b, const char* other) {
  TG_CHECK(a->dtype == b->dtype || b->wrapped_number, DtypeError, "input and ", other, " must have one dtype",
      Named{"input", a}, Named{other, b});
}
Tensor heaviside(const Tensor& x, const Tensor& values) {
  OpScope op("heaviside");
  same_type(x, values, "values");
  return binary<Heaviside>(x, values);
}
const Tensor& heaviside_(const Tensor& self, const Tensor& values) {
  OpScope op("heaviside_");
  same_type(self, values, "values");
  return binary_<Heaviside>(self, values);
}

// ---- rows

static const std::initializer_list<std::string_view> kSamples = {"T(2, 3), T(2, 3)", "T(2, 3), T(3)", "T(2, 1), T(3)",
    "T(), T(3)", "T(0, 3), T(3)"};
static const std::initializer_list<std::string_view> kPositive = {"T(2, 3), P(2, 3)", "T(2, 3), P(3)", "T(2, 1), P(3)",
    "T(), P(3)", "T(0, 3), P(3)"};
static const std::initializer_list<std::string_view> kIntegers = {"I(2, 3), I(2, 3)", "I(2, 3), I(3)", "B(2, 1), B(3)",
    "I(2, 3), 3", "I(0, 3), I(3)"};

template <class F, class G> static OpInfo& row(OpTable& t, std::string_view signature, F f, G in_place, const char* doc) {
  return t.add(signature, f, doc).method().inplace(in_place).with_out(true);
}
static Tensor div_row(const Tensor& a, const Tensor& b) { return div(a, b); }
static const Tensor& div_row_(const Tensor& a, const Tensor& b) { return div_(a, b); }

void elementwise_binary_ops(OpTable& t) {
  using Pair = Tensor (*)(const Tensor&, const Tensor&);
  using PairInPlace = const Tensor& (*)(const Tensor&, const Tensor&);
  row(t, "add(Tensor input, Tensor|Number other, *, Scalar alpha=1)", &add, &add_, Add::doc)
      .complex().samples({"T(2, 3), T(2, 3)", "T(2, 3), T(3)", "T(2, 1), T(3)", "T(2, 3), 2.5", "T(2, 3), T(2, 3), alpha=3",
               "T(0, 3), T(3)"});
  row(t, "sub(Tensor input, Tensor|Number other, *, Scalar alpha=1)", &sub, &sub_, Sub::doc)
      .alias("subtract")
      .complex().samples({"T(2, 3), T(2, 3)", "T(2, 3), T(3)", "T(2, 1), T(3)", "T(2, 3), 2.5", "T(2, 3), T(2, 3), alpha=3"});
  t.add("rsub(Tensor input, Tensor|Number other, Scalar alpha=1)", &rsub, Rsub::doc)
      .method().complex().samples({"T(2, 3), T(3)", "T(2, 3), 2.5", "T(2, 3), T(3), alpha=2"});
  row(t, "mul(Tensor input, Tensor|Number other)", static_cast<Pair>(&mul), &mul_, Mul::doc)
      .alias("multiply")
      .complex().samples({"T(2, 3), T(2, 3)", "T(2, 3), T(3)", "T(2, 1), T(3)", "T(2, 3), 2.5", "T(), T(3)", "T(0, 3), T(3)"});
  row(t, "div(Tensor input, Tensor|Number other)", &div_row, &div_row_, Div::doc)
      .alias("divide").alias("true_divide")
      .complex().samples({"T(2, 3), P(2, 3)", "T(2, 3), P(3)", "T(2, 1), P(3)", "T(2, 3), 2.5", "I(3), I(3, lo=1)"});
  row(t, "div(Tensor input, Tensor|Number other, *, str? rounding_mode)", &div, &div_, Div::doc).alias("divide")
      .samples({"T(2, 3), P(2, 3), rounding_mode='floor'", "T(2, 3), P(3), rounding_mode='trunc'",
               "I(4, lo=-7), I(4, lo=1), rounding_mode='floor'", "T(2, 3), P(3), rounding_mode=None"});
  row(t, "floor_divide(Tensor input, Tensor|Number other)", &floor_divide, &floor_divide_,
      "floor(input / other); integers stay integers. The gradient is 0.")
      .no_grad().samples({"T(2, 3), P(3)", "T(2, 3), 0.7", "I(4, lo=-7), I(4, lo=1)", "I(4, lo=-7), -2"});
  row(t, "remainder(Tensor input, Tensor|Number other)", &remainder, &remainder_, Remainder::doc)
      .samples({"T(2, 3), P(2, 3)", "T(2, 3), P(3)", "T(2, 3), -0.7", "I(4, lo=-7), I(4, lo=1)"});
  t.add("remainder(Scalar input, Tensor other)",
        +[](Scalar a, const Tensor& b) { return remainder(Tensor(a), b); }, Remainder::doc)
      .samples({"3.5, P(3)"});
  row(t, "fmod(Tensor input, Tensor|Number other)", static_cast<Pair>(&fmod), &fmod_, Fmod::doc)
      .samples({"T(2, 3), P(2, 3)", "T(2, 3), P(3)", "T(2, 3), -0.7", "I(4, lo=-7), I(4, lo=1)"});
  row(t, "pow(Tensor input, Tensor|Number exponent)", static_cast<Pair>(&pow), static_cast<PairInPlace>(&pow_), Pow::doc)
      .complex().samples({"T(2, 3), 2", "P(2, 3), 0.5", "P(2, 3), -1.5", "T(2, 3), 3", "P(3), 0", "I(3), 2", "P(3), -1",
               "P(2, 3), T(2, 3)", "P(2, 3), T(3)", "P(2, 1), T()", "I(3), I(3)"});
  t.add("pow(Scalar self, Tensor exponent)", static_cast<Tensor (*)(Scalar, const Tensor&)>(&pow), Pow::doc)
      .with_out(true).complex().samples({"2, T(2, 3)", "1.5, T(3)"});
  row(t, "atan2(Tensor input, Tensor other)", static_cast<Pair>(&atan2), &atan2_, Atan2::doc)
      .alias("arctan2").samples(kPositive);
  row(t, "hypot(Tensor input, Tensor other)", static_cast<Pair>(&hypot), &hypot_, Hypot::doc).samples(kPositive);
  row(t, "copysign(Tensor input, Tensor|Number other)", static_cast<Pair>(&copysign), &copysign_, Copysign::doc)
      .samples({"T(2, 3), T(2, 3)", "T(2, 3), T(3)", "T(2, 3), -1.0"});
  t.add("logaddexp(Tensor input, Tensor other)", &logaddexp, LogAddExp::doc).method().with_out().complex().samples(kSamples);
  t.add("logaddexp2(Tensor input, Tensor other)", &logaddexp2, LogAddExp2::doc).method().with_out(true).samples(kSamples);
  row(t, "xlogy(Tensor input, Tensor|Number other)", &xlogy, &xlogy_, Xlogy::doc)
      .alias("special_xlogy").samples({"T(2, 3), P(2, 3)", "T(2, 3), P(3)", "T(2, 3), 2.5"});
  t.add("xlogy(Scalar self, Tensor other)", +[](Scalar a, const Tensor& b) { return xlogy(Tensor(a), b); }, Xlogy::doc)
      .samples({"2.5, P(3)", "0, P(3)"});
  t.add("maximum(Tensor input, Tensor other)", static_cast<Pair>(&maximum), Maximum::doc)
      .method().with_out(true).samples(kSamples);
  t.add("minimum(Tensor input, Tensor other)", static_cast<Pair>(&minimum), Minimum::doc)
      .method().with_out(true).samples(kSamples);
  t.add("fmax(Tensor input, Tensor other)", static_cast<Pair>(&fmax), Fmax::doc).method().with_out(true).samples(kSamples);
  t.add("fmin(Tensor input, Tensor other)", static_cast<Pair>(&fmin), Fmin::doc).method().with_out(true).samples(kSamples);
  row(t, "heaviside(Tensor input, Tensor values)", &heaviside, &heaviside_, Heaviside::doc)
      .no_grad().samples({"C(-1., 0., 2.), C(0.5, 1.5, 2.5)", "C(-1., 0., 2.), C(0.5)"});
  row(t, "bitwise_and(Tensor input, Tensor|Number other)", &bitwise_and, &bitwise_and_, BitwiseAnd::doc)
      .no_grad().samples(kIntegers);
  row(t, "bitwise_or(Tensor input, Tensor|Number other)", &bitwise_or, &bitwise_or_, BitwiseOr::doc)
      .no_grad().samples(kIntegers);
  row(t, "bitwise_xor(Tensor input, Tensor|Number other)", &bitwise_xor, &bitwise_xor_, BitwiseXor::doc)
      .no_grad().samples(kIntegers);
  row(t, "bitwise_left_shift(Tensor input, Tensor|Number other)", &bitwise_left_shift, &bitwise_left_shift_, ShiftLeft::doc)
      .no_grad().samples({"I(2, 3), I(3)", "I(3), 2"});
  row(t, "bitwise_right_shift(Tensor input, Tensor|Number other)", &bitwise_right_shift, &bitwise_right_shift_, ShiftRight::doc)
      .no_grad().samples({"I(2, 3), I(3)", "I(3, lo=-5), 1"});
}

}  // namespace tapegrad
