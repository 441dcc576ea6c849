// Functions of one tensor and their rows. The maths is in formulas_unary.h.
#include <cmath>

#include "src/ops/complex.h"
#include "src/ops/elementwise.h"
#include "src/ops/op_info.h"

namespace tapegrad {

Tensor neg(const Tensor& x) { OpScope op("neg"); return unary<Neg>(x); }
const Tensor& neg_(const Tensor& self) { OpScope op("neg_"); return unary_<Neg>(self); }
Tensor abs(const Tensor& x) { OpScope op("abs"); return is_complex(x->dtype) ? complex_abs(x) : unary<Abs>(x); }
Tensor sign(const Tensor& x) { OpScope op("sign"); return unary<Sign>(x); }
Tensor sgn(const Tensor& x) { OpScope op("sgn"); return is_complex(x->dtype) ? complex_sgn(x) : unary<Sign>(x); }
Tensor floor(const Tensor& x) { OpScope op("floor"); return unary<Floor>(x); }
Tensor ceil(const Tensor& x) { OpScope op("ceil"); return unary<Ceil>(x); }
Tensor trunc(const Tensor& x) { OpScope op("trunc"); return unary<Trunc>(x); }
Tensor frac(const Tensor& x) { OpScope op("frac"); return unary<Frac>(x); }
Tensor square(const Tensor& x) {
  OpScope op("square");
  return unary<Square>(x->dtype == Dtype::Bool ? to(x, Dtype::Int64) : x);
}
Tensor sqrt(const Tensor& x) { OpScope op("sqrt"); return unary<Sqrt>(x); }
Tensor rsqrt(const Tensor& x) { OpScope op("rsqrt"); return unary<Rsqrt>(x); }
Tensor reciprocal(const Tensor& x) { OpScope op("reciprocal"); return unary<Reciprocal>(x); }
Tensor exp(const Tensor& x) { OpScope op("exp"); return unary<Exp>(x); }
Tensor exp2(const Tensor& x) { OpScope op("exp2"); return unary<Exp2>(x); }
Tensor expm1(const Tensor& x) { OpScope op("expm1"); return unary<Expm1>(x); }
Tensor log(const Tensor& x) { OpScope op("log"); return unary<Log>(x); }
Tensor log2(const Tensor& x) { OpScope op("log2"); return unary<Log2>(x); }
Tensor log10(const Tensor& x) { OpScope op("log10"); return unary<Log10>(x); }
Tensor log1p(const Tensor& x) { OpScope op("log1p"); return unary<Log1p>(x); }
Tensor sin(const Tensor& x) { OpScope op("sin"); return unary<Sin>(x); }
Tensor cos(const Tensor& x) { OpScope op("cos"); return unary<Cos>(x); }
Tensor tan(const Tensor& x) { OpScope op("tan"); return unary<Tan>(x); }
Tensor asin(const Tensor& x) { OpScope op("asin"); return unary<Asin>(x); }
Tensor acos(const Tensor& x) { OpScope op("acos"); return unary<Acos>(x); }
Tensor atan(const Tensor& x) { OpScope op("atan"); return unary<Atan>(x); }
Tensor sinh(const Tensor& x) { OpScope op("sinh"); return unary<Sinh>(x); }
Tensor cosh(const Tensor& x) { OpScope op("cosh"); return unary<Cosh>(x); }
Tensor tanh(const Tensor& x) { OpScope op("tanh"); return unary<Tanh>(x); }
Tensor asinh(const Tensor& x) { OpScope op("asinh"); return unary<Asinh>(x); }
Tensor acosh(const Tensor& x) { OpScope op("acosh"); return unary<Acosh>(x); }
Tensor atanh(const Tensor& x) { OpScope op("atanh"); return unary<Atanh>(x); }
Tensor sinc(const Tensor& x) { OpScope op("sinc"); return unary<Sinc>(x); }
Tensor deg2rad(const Tensor& x) { OpScope op("deg2rad"); return unary<Deg2Rad>(x); }
Tensor rad2deg(const Tensor& x) { OpScope op("rad2deg"); return unary<Rad2Deg>(x); }
Tensor sigmoid(const Tensor& x) { OpScope op("sigmoid"); return unary<Sigmoid>(x); }
Tensor erf(const Tensor& x) { OpScope op("erf"); return unary<Erf>(x); }
Tensor erfc(const Tensor& x) { OpScope op("erfc"); return unary<Erfc>(x); }
Tensor erfinv(const Tensor& x) { OpScope op("erfinv"); return unary<Erfinv>(x); }
Tensor lgamma(const Tensor& x) { OpScope op("lgamma"); return unary<Lgamma>(x); }
Tensor digamma(const Tensor& x) { OpScope op("digamma"); return unary<Digamma>(x); }
Tensor isnan(const Tensor& x) { OpScope op("isnan"); return unary<IsNan>(x); }
Tensor isinf(const Tensor& x) { OpScope op("isinf"); return unary<IsInf>(x); }
Tensor isposinf(const Tensor& x) { OpScope op("isposinf"); return unary<IsPosInf>(x); }
Tensor isneginf(const Tensor& x) { OpScope op("isneginf"); return unary<IsNegInf>(x); }
Tensor isfinite(const Tensor& x) { OpScope op("isfinite"); return unary<IsFinite>(x); }
Tensor signbit(const Tensor& x) { OpScope op("signbit"); return unary<SignBit>(x); }
Tensor logical_not(const Tensor& x) { OpScope op("logical_not"); return unary<LogicalNot>(x); }
Tensor positive(const Tensor& x) {
  OpScope op("positive");
  TG_CHECK(x->dtype != Dtype::Bool, DtypeError, "input must not be bool", Named{"input", x});
  return x;
}

const Tensor& abs_(const Tensor& self) { OpScope op("abs_"); return unary_<Abs>(self); }
const Tensor& sign_(const Tensor& self) { OpScope op("sign_"); return unary_<Sign>(self); }
const Tensor& sgn_(const Tensor& self) {
  OpScope op("sgn_");
  return is_complex(self->dtype) ? copy_(self, complex_sgn(self)) : unary_<Sign>(self);
}
const Tensor& floor_(const Tensor& self) { OpScope op("floor_"); return unary_<Floor>(self); }
const Tensor& ceil_(const Tensor& self) { OpScope op("ceil_"); return unary_<Ceil>(self); }
const Tensor& trunc_(const Tensor& self) { OpScope op("trunc_"); return unary_<Trunc>(self); }
const Tensor& frac_(const Tensor& self) { OpScope op("frac_"); return unary_<Frac>(self); }
const Tensor& square_(const Tensor& self) {
  OpScope op("square_");
  TG_CHECK(self.dtype() != Dtype::Bool, DtypeError, "the result is int64, which a bool tensor cannot hold", Named{"self", self});
  return unary_<Square>(self);
}
const Tensor& sqrt_(const Tensor& self) { OpScope op("sqrt_"); return unary_<Sqrt>(self); }
const Tensor& rsqrt_(const Tensor& self) { OpScope op("rsqrt_"); return unary_<Rsqrt>(self); }
const Tensor& reciprocal_(const Tensor& self) { OpScope op("reciprocal_"); return unary_<Reciprocal>(self); }
const Tensor& exp_(const Tensor& self) { OpScope op("exp_"); return unary_<Exp>(self); }
const Tensor& exp2_(const Tensor& self) { OpScope op("exp2_"); return unary_<Exp2>(self); }
const Tensor& expm1_(const Tensor& self) { OpScope op("expm1_"); return unary_<Expm1>(self); }
const Tensor& log_(const Tensor& self) { OpScope op("log_"); return unary_<Log>(self); }
const Tensor& log2_(const Tensor& self) { OpScope op("log2_"); return unary_<Log2>(self); }
const Tensor& log10_(const Tensor& self) { OpScope op("log10_"); return unary_<Log10>(self); }
const Tensor& log1p_(const Tensor& self) { OpScope op("log1p_"); return unary_<Log1p>(self); }
const Tensor& sin_(const Tensor& self) { OpScope op("sin_"); return unary_<Sin>(self); }
const Tensor& cos_(const Tensor& self) { OpScope op("cos_"); return unary_<Cos>(self); }
const Tensor& tan_(const Tensor& self) { OpScope op("tan_"); return unary_<Tan>(self); }
const Tensor& asin_(const Tensor& self) { OpScope op("asin_"); return unary_<Asin>(self); }
const Tensor& acos_(const Tensor& self) { OpScope op("acos_"); return unary_<Acos>(self); }
const Tensor& atan_(const Tensor& self) { OpScope op("atan_"); return unary_<Atan>(self); }
const Tensor& sinh_(const Tensor& self) { OpScope op("sinh_"); return unary_<Sinh>(self); }
const Tensor& cosh_(const Tensor& self) { OpScope op("cosh_"); return unary_<Cosh>(self); }
const Tensor& tanh_(const Tensor& self) { OpScope op("tanh_"); return unary_<Tanh>(self); }
const Tensor& asinh_(const Tensor& self) { OpScope op("asinh_"); return unary_<Asinh>(self); }
const Tensor& acosh_(const Tensor& self) { OpScope op("acosh_"); return unary_<Acosh>(self); }
const Tensor& atanh_(const Tensor& self) { OpScope op("atanh_"); return unary_<Atanh>(self); }
const Tensor& sinc_(const Tensor& self) { OpScope op("sinc_"); return unary_<Sinc>(self); }
const Tensor& deg2rad_(const Tensor& self) { OpScope op("deg2rad_"); return unary_<Deg2Rad>(self); }
const Tensor& rad2deg_(const Tensor& self) { OpScope op("rad2deg_"); return unary_<Rad2Deg>(self); }
const Tensor& sigmoid_(const Tensor& self) { OpScope op("sigmoid_"); return unary_<Sigmoid>(self); }
const Tensor& erf_(const Tensor& self) { OpScope op("erf_"); return unary_<Erf>(self); }
const Tensor& erfc_(const Tensor& self) { OpScope op("erfc_"); return unary_<Erfc>(self); }
const Tensor& erfinv_(const Tensor& self) { OpScope op("erfinv_"); return unary_<Erfinv>(self); }
const Tensor& lgamma_(const Tensor& self) { OpScope op("lgamma_"); return unary_<Lgamma>(self); }
const Tensor& digamma_(const Tensor& self) { OpScope op("digamma_"); return unary_<Digamma>(self); }
const Tensor& logical_not_(const Tensor& self) { OpScope op("logical_not_"); return unary_<LogicalNot>(self); }

// Not: on bools, else every bit.
Tensor bitwise_not(const Tensor& x) {
  OpScope op("bitwise_not");
  return x->dtype == Dtype::Bool ? unary<LogicalNot>(x) : unary<BitwiseNot>(x);
}
const Tensor& bitwise_not_(const Tensor& self) {
  OpScope op("bitwise_not_");
  return self->dtype == Dtype::Bool ? unary_<LogicalNot>(self) : unary_<BitwiseNot>(self);
}

// ---- with parameters

static RoundDecimals decimal_scale(const Tensor& x, int64_t decimals) {
  TG_CHECK(is_floating(x->dtype), DtypeError, "decimals needs a floating-point input, got ", x->dtype);
  return {decimals > 0 ? std::pow(10., double(decimals)) : 1, decimals < 0 ? std::pow(10., double(-decimals)) : 1};
}
Tensor round(const Tensor& x, int64_t decimals) {
  OpScope op("round");
  return decimals ? unary(x, decimal_scale(x, decimals)) : unary<Round>(x);
}
const Tensor& round_(const Tensor& self, int64_t decimals) {
  OpScope op("round_");
  return decimals ? unary_(self, decimal_scale(self, decimals)) : unary_<Round>(self);
}

static Logit logit_limits(std::optional<double> eps) {
  return eps ? Logit{*eps, 1 - *eps} : Logit{-INFINITY, INFINITY};
}
Tensor logit(const Tensor& x, std::optional<double> eps) { OpScope op("logit"); return unary(x, logit_limits(eps)); }
const Tensor& logit_(const Tensor& self, std::optional<double> eps) {
  OpScope op("logit_");
  return unary_(self, logit_limits(eps));
}

Tensor polygamma(int64_t n, const Tensor& x) {
  OpScope op("polygamma");
  TG_CHECK(n >= 0, ValueError, "n must not be negative, got ", n);
  return n ? unary(x, Polygamma{int(n)}) : unary<Digamma>(x);
}

static NanToNum replacements(Dtype d, std::optional<double> nan, std::optional<double> posinf, std::optional<double> neginf) {
  const double most = d == Dtype::Float64 ? 1.7976931348623157e308 : d == Dtype::Float32 ? 3.4028234663852886e38
      : d == Dtype::Float16 ? 65504 : 3.3895313892515355e38;
  return {nan.value_or(0), posinf.value_or(most), neginf.value_or(-most)};
}
Tensor nan_to_num(const Tensor& x, std::optional<double> nan, std::optional<double> posinf, std::optional<double> neginf) {
  OpScope op("nan_to_num");
  if (is_complex(x->dtype)) return view_as_complex(nan_to_num(view_as_real(x), nan, posinf, neginf));
  return is_floating(x->dtype) ? unary(x, replacements(x->dtype, nan, posinf, neginf)) : clone(x);
}
const Tensor& nan_to_num_(const Tensor& self, std::optional<double> nan, std::optional<double> posinf,
    std::optional<double> neginf) {
  OpScope op("nan_to_num_");
  if (is_complex(self->dtype)) return nan_to_num_(view_as_real(self), nan, posinf, neginf), self;
  return is_floating(self->dtype) ? unary_(self, replacements(self->dtype, nan, posinf, neginf)) : self;
}

// ---- rows

using Unary = Tensor (*)(const Tensor&);
using UnaryInPlace = const Tensor& (*)(const Tensor&);
static OpInfo& row(OpTable& t, const char* signature, Unary f, UnaryInPlace in_place, const char* doc) {
  return t.add(signature, f, doc).method().inplace(in_place).with_out(true);
}
static OpInfo& predicate(OpTable& t, const char* signature, Unary f, const char* doc) {
  return t.add(signature, f, doc).method().no_grad();
}
static Tensor round_row(const Tensor& x) { return round(x); }
static const Tensor& round_row_(const Tensor& x) { return round_(x); }

void elementwise_unary_ops(OpTable& t) {
  row(t, "neg(Tensor input)", &neg, &neg_, Neg::doc).alias("negative").complex().samples({"T(2, 3)", "T()", "T(0, 3)"});
  row(t, "abs(Tensor input)", &abs, &abs_, Abs::doc).alias("absolute").complex().samples({"T(2, 3)", "T()", "T(0, 3)"});
  row(t, "sign(Tensor input)", &sign, &sign_, Sign::doc).samples({"T(2, 3)", "T()", "T(0, 3)"});
  row(t, "sgn(Tensor input)", &sgn, &sgn_, Sign::doc).complex().samples({"T(2, 3)", "T()", "T(0, 3)"});
  row(t, "floor(Tensor input)", &floor, &floor_, Floor::doc).samples({"T(2, 3)", "T()", "T(0, 3)"});
  row(t, "ceil(Tensor input)", &ceil, &ceil_, Ceil::doc).samples({"T(2, 3)", "T()", "T(0, 3)"});
  row(t, "trunc(Tensor input)", &trunc, &trunc_, Trunc::doc).alias("fix").samples({"T(2, 3)", "T()", "T(0, 3)"});
  row(t, "frac(Tensor input)", &frac, &frac_, Frac::doc).samples({"T(2, 3)", "T()", "T(0, 3)"});
  row(t, "square(Tensor input)", &square, &square_, Square::doc).complex().samples({"T(2, 3)", "T()", "T(0, 3)"});
  row(t, "sqrt(Tensor input)", &sqrt, &sqrt_, Sqrt::doc).complex().samples({"P(2, 3)", "P()", "P(0, 3)"});
  row(t, "rsqrt(Tensor input)", &rsqrt, &rsqrt_, Rsqrt::doc).complex().samples({"P(2, 3)", "P()", "P(0, 3)"});
  row(t, "reciprocal(Tensor input)", &reciprocal, &reciprocal_, Reciprocal::doc).complex().samples({"P(2, 3)", "P()", "P(0, 3)"});
  row(t, "exp(Tensor input)", &exp, &exp_, Exp::doc).complex().samples({"T(2, 3)", "T()", "T(0, 3)"});
  row(t, "exp2(Tensor input)", &exp2, &exp2_, Exp2::doc).alias("special_exp2").complex().samples({"T(2, 3)", "T()", "T(0, 3)"});
  row(t, "expm1(Tensor input)", &expm1, &expm1_, Expm1::doc).complex().samples({"T(2, 3)", "T()", "T(0, 3)"});
  row(t, "log(Tensor input)", &log, &log_, Log::doc).complex().samples({"P(2, 3)", "P()", "P(0, 3)"});
  row(t, "log2(Tensor input)", &log2, &log2_, Log2::doc).complex().samples({"P(2, 3)", "P()", "P(0, 3)"});
  row(t, "log10(Tensor input)", &log10, &log10_, Log10::doc).complex().samples({"P(2, 3)", "P()", "P(0, 3)"});
  row(t, "log1p(Tensor input)", &log1p, &log1p_, Log1p::doc).complex().samples({"P(2, 3)", "P()", "P(0, 3)"});
  row(t, "sin(Tensor input)", &sin, &sin_, Sin::doc).complex().samples({"T(2, 3)", "T()", "T(0, 3)"});
  row(t, "cos(Tensor input)", &cos, &cos_, Cos::doc).complex().samples({"T(2, 3)", "T()", "T(0, 3)"});
  row(t, "tan(Tensor input)", &tan, &tan_, Tan::doc).complex().samples({"T(2, 3, lo=-1.2, hi=1.2)", "T(lo=-1.2, hi=1.2)", "T(0, 3)"});
  row(t, "asin(Tensor input)", &asin, &asin_, Asin::doc)
      .alias("arcsin").complex().samples({"T(2, 3, lo=-0.9, hi=0.9)", "T(lo=-0.9, hi=0.9)", "T(0, 3)"});
  row(t, "acos(Tensor input)", &acos, &acos_, Acos::doc)
      .alias("arccos").complex().samples({"T(2, 3, lo=-0.9, hi=0.9)", "T(lo=-0.9, hi=0.9)", "T(0, 3)"});
  row(t, "atan(Tensor input)", &atan, &atan_, Atan::doc).alias("arctan").complex().samples({"T(2, 3)", "T()", "T(0, 3)"});
  row(t, "sinh(Tensor input)", &sinh, &sinh_, Sinh::doc).complex().samples({"T(2, 3)", "T()", "T(0, 3)"});
  row(t, "cosh(Tensor input)", &cosh, &cosh_, Cosh::doc).complex().samples({"T(2, 3)", "T()", "T(0, 3)"});
  row(t, "tanh(Tensor input)", &tanh, &tanh_, Tanh::doc).complex().samples({"T(2, 3)", "T()", "T(0, 3)"});
  row(t, "asinh(Tensor input)", &asinh, &asinh_, Asinh::doc).alias("arcsinh").complex().samples({"T(2, 3)", "T()", "T(0, 3)"});
  row(t, "acosh(Tensor input)", &acosh, &acosh_, Acosh::doc)
      .alias("arccosh").complex().samples({"T(2, 3, lo=1.2, hi=4)", "T(lo=1.2, hi=4)", "T(0, 3)"});
  row(t, "atanh(Tensor input)", &atanh, &atanh_, Atanh::doc)
      .alias("arctanh").complex().samples({"T(2, 3, lo=-0.9, hi=0.9)", "T(lo=-0.9, hi=0.9)", "T(0, 3)"});
  row(t, "sinc(Tensor input)", &sinc, &sinc_, Sinc::doc).complex().samples({"T(2, 3)", "T()", "T(0, 3)"});
  row(t, "deg2rad(Tensor input)", &deg2rad, &deg2rad_, Deg2Rad::doc).samples({"T(2, 3)", "T()", "T(0, 3)"});
  row(t, "rad2deg(Tensor input)", &rad2deg, &rad2deg_, Rad2Deg::doc).samples({"T(2, 3)", "T()", "T(0, 3)"});
  row(t, "sigmoid(Tensor input)", &sigmoid, &sigmoid_, Sigmoid::doc)
      .alias("special_expit").complex().samples({"T(2, 3)", "T()", "T(0, 3)"});
  row(t, "erf(Tensor input)", &erf, &erf_, Erf::doc).alias("special_erf").samples({"T(2, 3)", "T()", "T(0, 3)"});
  row(t, "erfc(Tensor input)", &erfc, &erfc_, Erfc::doc).alias("special_erfc").samples({"T(2, 3)", "T()", "T(0, 3)"});
  row(t, "erfinv(Tensor input)", &erfinv, &erfinv_, Erfinv::doc)
      .alias("special_erfinv").samples({"T(2, 3, lo=-0.9, hi=0.9)", "T(lo=-0.9, hi=0.9)", "T(0, 3)"});
  row(t, "lgamma(Tensor input)", &lgamma, &lgamma_, Lgamma::doc)
      .alias("special_gammaln").samples({"P(2, 3)", "P()", "P(0, 3)"});
  row(t, "digamma(Tensor input)", &digamma, &digamma_, Digamma::doc)
      .alias("special_psi").samples({"P(2, 3)", "P()", "P(0, 3)"});
  t.add("round(Tensor input)", &round_row, Round::doc)
      .method().inplace(&round_row_).with_out(true).samples({"T(2, 3)", "T()", "T(0, 3)", "C(0.5, 1.5, 2.5)"});
  t.add("round(Tensor input, *, int decimals)", &round, Round::doc)
      .method().inplace(&round_).with_out(true).samples({"T(2, 3), decimals=1", "T(2, 3), decimals=-1"});
  t.add("logit(Tensor input, float? eps=None)", &logit, Logit::doc)
      .method().inplace(&logit_).with_out(true).alias("special_logit")
      .samples({"T(2, 3, lo=0.1, hi=0.9)", "T(2, 3, lo=-0.2, hi=1.2), 0.1"});
  t.add("polygamma(int n, Tensor input)", static_cast<Tensor (*)(int64_t, const Tensor&)>(&polygamma), Polygamma::doc)
      .with_out(true).samples({"1, P(2, 3)", "2, P(3)", "3, P(2)"});
  t.add("nan_to_num(Tensor input, float? nan=None, float? posinf=None, float? neginf=None)", &nan_to_num, NanToNum::doc)
      .method().inplace(&nan_to_num_).with_out(true)
      .samples({"T(2, 3)", "C(float('nan'), float('inf'), -float('inf'), 1)", "C(float('nan'), float('inf')), 1.0, 2.0, 3.0"});
  t.add("positive(Tensor input)", &positive, "input itself. Not for bool.").method().complex().samples({"T(2, 3)"});
  predicate(t, "isnan(Tensor input)", &isnan, IsNan::doc).complex().samples({"C(1, float('nan'))", "I(3)"});
  predicate(t, "isinf(Tensor input)", &isinf, IsInf::doc).complex().samples({"C(1, float('inf'), -float('inf'))", "I(3)"});
  predicate(t, "isposinf(Tensor input)", &isposinf, IsPosInf::doc)
      .with_out(true).samples({"C(1, float('inf'), -float('inf'))", "I(3)"});
  predicate(t, "isneginf(Tensor input)", &isneginf, IsNegInf::doc)
      .with_out(true).samples({"C(1, float('inf'), -float('inf'))", "I(3)"});
  predicate(t, "isfinite(Tensor input)", &isfinite, IsFinite::doc).complex().samples({"C(1, float('inf'), float('nan'))", "I(3)"});
  predicate(t, "signbit(Tensor input)", &signbit, SignBit::doc).with_out(true).samples({"C(1, -0.0, -2)", "I(3, lo=-3)"});
  predicate(t, "logical_not(Tensor input)", &logical_not, LogicalNot::doc)
      .inplace(&logical_not_).with_out(true).complex().samples({"B(2, 3)", "C(0, 1.5)", "I(3)"});
  predicate(t, "bitwise_not(Tensor input)", &bitwise_not, BitwiseNot::doc)
      .inplace(&bitwise_not_).with_out(true).samples({"B(2, 3)", "I(3)"});
}

}  // namespace tapegrad
