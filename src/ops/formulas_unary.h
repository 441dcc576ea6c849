// Formulas of functions of one number: signs and rounding, exponentials, trigonometry, special functions, tests of a number.
// See formulas.h for the rules.
#pragma once
#include "src/ops/formulas.h"

namespace tapegrad { inline namespace TG_NS {

// ---- signs and rounding

struct Neg {
  static constexpr OpTraits traits = {"neg", "NegBackward0", Types::NotBool};
  static constexpr const char* doc = "-input. Not for bool.";
  template <class T> TG_HD T forward(const T& x) const { return -x; }
  template <class T> TG_HD T backward(const T& g) const { return -g; }
};
struct Abs {
  static constexpr OpTraits traits = {"abs", "AbsBackward0", Types::NotBool, fused, cheap, {A}};
  static constexpr const char* doc = "The absolute value of input; its gradient at 0 is 0.";
  template <class T> TG_HD T forward(const T& x) const { return abs(x); }
  template <class T> TG_HD T backward(const T& g, const T& x) const { return where(x > T(0), g, where(x < T(0), -g, T(0))); }
};
struct Sign {
  static constexpr OpTraits traits = {"sign", "SignBackward0", Types::Number};
  static constexpr const char* doc = "-1, 0 or 1, as input is negative, zero or positive.";
  template <class T> TG_HD T forward(const T& x) const { return where(x > T(0), T(1), where(x < T(0), T(-1), T(0))); }
  template <class T> TG_HD T backward(const T& g) const { return zeros_like(g); }
};
struct Floor {
  static constexpr OpTraits traits = {"floor", "FloorBackward0", Types::NotBool};
  static constexpr const char* doc = "The largest whole number not above input. The gradient is 0.";
  template <class T> TG_HD T forward(const T& x) const { return floor(x); }
  template <class T> TG_HD T backward(const T& g) const { return zeros_like(g); }
};
struct Ceil {
  static constexpr OpTraits traits = {"ceil", "CeilBackward0", Types::NotBool};
  static constexpr const char* doc = "The smallest whole number not below input. The gradient is 0.";
  template <class T> TG_HD T forward(const T& x) const { return ceil(x); }
  template <class T> TG_HD T backward(const T& g) const { return zeros_like(g); }
};
struct Trunc {
  static constexpr OpTraits traits = {"trunc", "TruncBackward0", Types::NotBool};
  static constexpr const char* doc = "input without its fraction. The gradient is 0.";
  template <class T> TG_HD T forward(const T& x) const { return trunc(x); }
  template <class T> TG_HD T backward(const T& g) const { return zeros_like(g); }
};
struct Frac {
  static constexpr OpTraits traits = {"frac", "FracBackward0", Types::FloatOnly};
  static constexpr const char* doc = "The fraction of input, with its sign: input - trunc(input).";
  template <class T> TG_HD T forward(const T& x) const { return x - trunc(x); }
  template <class T> TG_HD T backward(const T& g) const { return g; }
};
struct Round {
  static constexpr OpTraits traits = {"round", "RoundBackward0", Types::NotBool};
  static constexpr const char* doc =
      "The whole number nearest to input, ties to even; with decimals, to so many digits. The gradient is 0.";
  template <class T> TG_HD T forward(const T& x) const { return nearest(x); }
  template <class T> TG_HD T backward(const T& g) const { return zeros_like(g); }
};
struct RoundDecimals {
  static constexpr OpTraits traits = {"round", "RoundBackward1", Types::Float};
  double up, down;  // 10^decimals and 1, or 1 and 10^-decimals
  template <class T> TG_HD T forward(const T& x) const { return nearest(x * T(up) / T(down)) * T(down) / T(up); }
  template <class T> TG_HD T backward(const T& g) const { return zeros_like(g); }
};
struct Clamp {
  static constexpr OpTraits traits = {"clamp", "ClampBackward1", Types::Number, fused, cheap, {A}};
  static constexpr const char* doc = "input limited to [min, max]; either may be None. NaN stays. The gradient is 0 outside.";
  Number low, high;
  template <class T> TG_HD T forward(const T& x) const { return clamped(x, number<T>(low), number<T>(high)); }
  template <class T> TG_HD T backward(const T& g, const T& x) const { return where((x >= T(low.d)) & (x <= T(high.d)), g, T(0)); }
};
struct ClampMin {
  static constexpr OpTraits traits = {"clamp_min", "ClampMinBackward0", Types::Number, fused, cheap, {A}};
  static constexpr const char* doc = "max(input, min). The gradient is 0 below min.";
  Number low;
  template <class T> TG_HD T forward(const T& x) const { return maximum(x, number<T>(low)); }
  template <class T> TG_HD T backward(const T& g, const T& x) const { return where(x >= T(low.d), g, T(0)); }
};
struct ClampMax {
  static constexpr OpTraits traits = {"clamp_max", "ClampMaxBackward0", Types::Number, fused, cheap, {A}};
  static constexpr const char* doc = "min(input, max). The gradient is 0 above max.";
  Number high;
  template <class T> TG_HD T forward(const T& x) const { return minimum(x, number<T>(high)); }
  template <class T> TG_HD T backward(const T& g, const T& x) const { return where(x <= T(high.d), g, T(0)); }
};
struct NanToNum {
  static constexpr OpTraits traits = {"nan_to_num", "NanToNumBackward0", Types::Float, fused, cheap, {A}};
  static constexpr const char* doc =
      "input with NaN and the infinities replaced: by default 0 and the largest and smallest finite numbers.";
  double nan, positive, negative;
  template <class T> TG_HD T forward(const T& x) const {
    return where(isnan(x), T(nan), where(isposinf(x), T(positive), where(isneginf(x), T(negative), x)));
  }
  template <class T> TG_HD T backward(const T& g, const T& x) const { return where(isfinite(x), g, T(0)); }
};

// ---- powers, exponentials, logarithms

struct Square {
  static constexpr OpTraits traits = {"square", "PowBackward0", Types::Number, fused, cheap, {A}};
  static constexpr const char* doc = "input * input.";
  template <class T> TG_HD T forward(const T& x) const { return x * x; }
  template <class T> TG_HD T backward(const T& g, const T& x) const { return g * (T(2) * x); }
};
struct Cube {
  static constexpr OpTraits traits = {"pow", "PowBackward0", Types::NotBool, fused, cheap, {A}};
  template <class T> TG_HD T forward(const T& x) const { return x * x * x; }
  template <class T> TG_HD T backward(const T& g, const T& x) const { return g * (T(3) * x * x); }
};
/// A power with a fixed exponent.
struct PowNumber {
  static constexpr OpTraits traits = {"pow", "PowBackward0", Types::NotBool, fused, costly, {A}};
  Number exponent;
  template <class T> TG_HD T forward(const T& x) const { return pow(x, number<T>(exponent)); }
  template <class T> TG_HD T backward(const T& g, const T& x) const {
    if (exponent.d == 0) return zeros_like(g);
    return g * (T(exponent.d) * pow(x, T(exponent.d - 1)));
  }
};
struct Sqrt {
  static constexpr OpTraits traits = {"sqrt", "SqrtBackward0", Types::Float, fused, cheap, {Out}};
  static constexpr const char* doc = "The square root of input; NaN below 0.";
  template <class T> TG_HD T forward(const T& x) const { return sqrt(x); }
  template <class T> TG_HD T backward(const T& g, const T& y) const { return g / (T(2) * y); }
};
struct Rsqrt {
  static constexpr OpTraits traits = {"rsqrt", "RsqrtBackward0", Types::Float, fused, cheap, {Out}};
  static constexpr const char* doc = "1 / sqrt(input).";
  template <class T> TG_HD T forward(const T& x) const { return T(1) / sqrt(x); }
  template <class T> TG_HD T backward(const T& g, const T& y) const { return T(-0.5) * g * (y * y * y); }
};
struct Reciprocal {
  static constexpr OpTraits traits = {"reciprocal", "ReciprocalBackward0", Types::Float, fused, cheap, {Out}};
  static constexpr const char* doc = "The reciprocal, 1 / input.";
  template <class T> TG_HD T forward(const T& x) const { return T(1) / x; }
  template <class T> TG_HD T backward(const T& g, const T& y) const { return -g * (y * y); }
};
struct Exp {
  static constexpr OpTraits traits = {"exp", "ExpBackward0", Types::Float, fused, costly, {Out}};
  static constexpr const char* doc = "e to the power of input.";
  template <class T> TG_HD T forward(const T& x) const { return exp(x); }
  template <class T> TG_HD T backward(const T& g, const T& y) const { return g * y; }
};
struct Exp2 {
  static constexpr OpTraits traits = {"exp2", "Exp2Backward0", Types::Float, fused, costly, {Out}};
  static constexpr const char* doc = "2 to the power of input.";
  template <class T> TG_HD T forward(const T& x) const { return exp2(x); }
  template <class T> TG_HD T backward(const T& g, const T& y) const { return g * (y * T(0.69314718055994530942)); }
};
struct Expm1 {
  static constexpr OpTraits traits = {"expm1", "Expm1Backward0", Types::Float, fused, costly, {Out}};
  static constexpr const char* doc = "exp(input) - 1, exact also near 0.";
  template <class T> TG_HD T forward(const T& x) const { return expm1(x); }
  template <class T> TG_HD T backward(const T& g, const T& y) const { return g * (y + T(1)); }
};
struct Log {
  static constexpr OpTraits traits = {"log", "LogBackward0", Types::Float, fused, costly, {A}};
  static constexpr const char* doc = "The natural logarithm of input; -inf at 0, NaN below.";
  template <class T> TG_HD T forward(const T& x) const { return log(x); }
  template <class T> TG_HD T backward(const T& g, const T& x) const { return g / x; }
};
struct Log2 {
  static constexpr OpTraits traits = {"log2", "Log2Backward0", Types::Float, fused, costly, {A}};
  static constexpr const char* doc = "The logarithm of input to base 2.";
  template <class T> TG_HD T forward(const T& x) const { return log2(x); }
  template <class T> TG_HD T backward(const T& g, const T& x) const { return g / (x * T(0.69314718055994530942)); }
};
struct Log10 {
  static constexpr OpTraits traits = {"log10", "Log10Backward0", Types::Float, fused, costly, {A}};
  static constexpr const char* doc = "The logarithm of input to base 10.";
  template <class T> TG_HD T forward(const T& x) const { return log10(x); }
  template <class T> TG_HD T backward(const T& g, const T& x) const { return g / (x * T(2.30258509299404568402)); }
};
struct Log1p {
  static constexpr OpTraits traits = {"log1p", "Log1PBackward0", Types::Float, fused, costly, {A}};
  static constexpr const char* doc = "log(1 + input), exact also near 0.";
  template <class T> TG_HD T forward(const T& x) const { return log1p(x); }
  template <class T> TG_HD T backward(const T& g, const T& x) const { return g / (x + T(1)); }
};

// ---- trigonometry

struct Sin {
  static constexpr OpTraits traits = {"sin", "SinBackward0", Types::Float, fused, costly, {A}};
  static constexpr const char* doc = "The sine of input, in radians.";
  template <class T> TG_HD T forward(const T& x) const { return sin(x); }
  template <class T> TG_HD T backward(const T& g, const T& x) const { return g * cos(x); }
};
struct Cos {
  static constexpr OpTraits traits = {"cos", "CosBackward0", Types::Float, fused, costly, {A}};
  static constexpr const char* doc = "The cosine of input, in radians.";
  template <class T> TG_HD T forward(const T& x) const { return cos(x); }
  template <class T> TG_HD T backward(const T& g, const T& x) const { return g * -sin(x); }
};
struct Tan {
  static constexpr OpTraits traits = {"tan", "TanBackward0", Types::Float, fused, costly, {Out}};
  static constexpr const char* doc = "The tangent of input, in radians.";
  template <class T> TG_HD T forward(const T& x) const { return tan(x); }
  template <class T> TG_HD T backward(const T& g, const T& y) const { return g * (T(1) + y * y); }
};
struct Asin {
  static constexpr OpTraits traits = {"asin", "AsinBackward0", Types::Float, fused, costly, {A}};
  static constexpr const char* doc = "The angle whose sine is input, in [-pi/2, pi/2]; NaN outside [-1, 1].";
  template <class T> TG_HD T forward(const T& x) const { return asin(x); }
  template <class T> TG_HD T backward(const T& g, const T& x) const { return g / sqrt(T(1) - x * x); }
};
struct Acos {
  static constexpr OpTraits traits = {"acos", "AcosBackward0", Types::Float, fused, costly, {A}};
  static constexpr const char* doc = "The angle whose cosine is input, in [0, pi]; NaN outside [-1, 1].";
  template <class T> TG_HD T forward(const T& x) const { return acos(x); }
  template <class T> TG_HD T backward(const T& g, const T& x) const { return -g / sqrt(T(1) - x * x); }
};
struct Atan {
  static constexpr OpTraits traits = {"atan", "AtanBackward0", Types::Float, fused, costly, {A}};
  static constexpr const char* doc = "The angle whose tangent is input, in [-pi/2, pi/2].";
  template <class T> TG_HD T forward(const T& x) const { return atan(x); }
  template <class T> TG_HD T backward(const T& g, const T& x) const { return g / (x * x + T(1)); }
};
struct Sinh {
  static constexpr OpTraits traits = {"sinh", "SinhBackward0", Types::Float, fused, costly, {A}};
  static constexpr const char* doc = "(exp(input) - exp(-input)) / 2.";
  template <class T> TG_HD T forward(const T& x) const { return sinh(x); }
  template <class T> TG_HD T backward(const T& g, const T& x) const { return g * cosh(x); }
};
struct Cosh {
  static constexpr OpTraits traits = {"cosh", "CoshBackward0", Types::Float, fused, costly, {A}};
  static constexpr const char* doc = "(exp(input) + exp(-input)) / 2.";
  template <class T> TG_HD T forward(const T& x) const { return cosh(x); }
  template <class T> TG_HD T backward(const T& g, const T& x) const { return g * sinh(x); }
};
struct Tanh {
  static constexpr OpTraits traits = {"tanh", "TanhBackward0", Types::Float, fused, costly, {Out}};
  static constexpr const char* doc = "sinh(input) / cosh(input), between -1 and 1.";
  template <class T> TG_HD T forward(const T& x) const { return tanh(x); }
  template <class T> TG_HD T backward(const T& g, const T& y) const { return g * (T(1) - y * y); }
};
struct Asinh {
  static constexpr OpTraits traits = {"asinh", "AsinhBackward0", Types::Float, fused, costly, {A}};
  static constexpr const char* doc = "The inverse of sinh.";
  template <class T> TG_HD T forward(const T& x) const { return asinh(x); }
  template <class T> TG_HD T backward(const T& g, const T& x) const { return g / sqrt(x * x + T(1)); }
};
struct Acosh {
  static constexpr OpTraits traits = {"acosh", "AcoshBackward0", Types::Float, fused, costly, {A}};
  static constexpr const char* doc = "The inverse of cosh; NaN below 1.";
  template <class T> TG_HD T forward(const T& x) const { return acosh(x); }
  template <class T> TG_HD T backward(const T& g, const T& x) const { return g / (sqrt(x - T(1)) * sqrt(x + T(1))); }
};
struct Atanh {
  static constexpr OpTraits traits = {"atanh", "AtanhBackward0", Types::Float, fused, costly, {A}};
  static constexpr const char* doc = "The inverse of tanh; NaN outside [-1, 1].";
  template <class T> TG_HD T forward(const T& x) const { return atanh(x); }
  template <class T> TG_HD T backward(const T& g, const T& x) const { return g / (T(1) - x * x); }
};
struct Sinc {
  static constexpr OpTraits traits = {"sinc", "SincBackward0", Types::Float, fused, costly, {A}};
  static constexpr const char* doc = "sin(pi input) / (pi input), 1 at 0.";
  template <class T> TG_HD T forward(const T& x) const {
    const T p = where(x == T(0), T(1), x * T(3.14159265358979323846));
    return where(x == T(0), T(1), sin(p) / p);
  }
  template <class T> TG_HD T backward(const T& g, const T& x) const {
    const T safe = where(x == T(0), T(1), x), p = safe * T(3.14159265358979323846);
    return where(x == T(0), T(0), g * ((cos(p) * p - sin(p)) / (p * safe)));
  }
};
struct Deg2Rad {
  static constexpr OpTraits traits = {"deg2rad", "Deg2RadBackward0", Types::Float};
  static constexpr const char* doc = "Degrees to radians: input * pi / 180.";
  template <class T> TG_HD T forward(const T& x) const { return x * T(0.017453292519943295769); }
  template <class T> TG_HD T backward(const T& g) const { return g * T(0.017453292519943295769); }
};
struct Rad2Deg {
  static constexpr OpTraits traits = {"rad2deg", "Rad2DegBackward0", Types::Float};
  static constexpr const char* doc = "Radians to degrees: input * 180 / pi.";
  template <class T> TG_HD T forward(const T& x) const { return x * T(57.295779513082320877); }
  template <class T> TG_HD T backward(const T& g) const { return g * T(57.295779513082320877); }
};

// ---- special functions

struct Sigmoid {
  static constexpr OpTraits traits = {"sigmoid", "SigmoidBackward0", Types::Float, fused, costly, {Out}};
  static constexpr const char* doc = "1 / (1 + exp(-input)).";
  template <class T> TG_HD T forward(const T& x) const { return sigmoid(x); }
  template <class T> TG_HD T backward(const T& g, const T& y) const { return g * ((T(1) - y) * y); }
};
struct Logit {
  static constexpr OpTraits traits = {"logit", "LogitBackward0", Types::Float, fused, costly, {A}};
  static constexpr const char* doc =
      "log(input / (1 - input)), the inverse of sigmoid; with eps, input is limited to [eps, 1 - eps] first.";
  double low, high;  // without eps: -inf and inf
  template <class T> TG_HD T forward(const T& x) const {
    const T z = minimum(maximum(x, T(low)), T(high));
    return log(z / (T(1) - z));
  }
  template <class T> TG_HD T backward(const T& g, const T& x) const {
    const double outside = low < 0 ? __builtin_nan("") : 0;
    const double from = low < 0 ? 0 : low, to = low < 0 ? 1 : high;
    return where((x >= T(from)) & (x <= T(to)), g / (x * (T(1) - x)), T(outside));
  }
};
struct Erf {
  static constexpr OpTraits traits = {"erf", "ErfBackward0", Types::Float, fused, costly, {A}};
  static constexpr const char* doc = "The error function: 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to input.";
  template <class T> TG_HD T forward(const T& x) const { return erf(x); }
  template <class T> TG_HD T backward(const T& g, const T& x) const { return g * (T(1.12837916709551257390) * exp(-(x * x))); }
};
struct Erfc {
  static constexpr OpTraits traits = {"erfc", "ErfcBackward0", Types::Float, fused, costly, {A}};
  static constexpr const char* doc = "1 - erf(input), exact also where that is tiny.";
  template <class T> TG_HD T forward(const T& x) const { return erfc(x); }
  template <class T> TG_HD T backward(const T& g, const T& x) const { return g * (T(-1.12837916709551257390) * exp(-(x * x))); }
};
struct Erfinv {
  static constexpr OpTraits traits = {"erfinv", "ErfinvBackward0", Types::Float, fused, costly, {Out}};
  static constexpr const char* doc = "The inverse of erf, on [-1, 1].";
  template <class T> TG_HD T forward(const T& x) const { return erfinv(x); }
  template <class T> TG_HD T backward(const T& g, const T& y) const { return g * (T(0.88622692545275801365) * exp(y * y)); }
};
struct Lgamma {
  static constexpr OpTraits traits = {"lgamma", "LgammaBackward0", Types::Float, fused, costly, {A}};
  static constexpr const char* doc = "log |gamma(input)|.";
  template <class T> TG_HD T forward(const T& x) const { return lgamma(x); }
  template <class T> TG_HD T backward(const T& g, const T& x) const { return g * digamma(x); }
};
struct Digamma {
  static constexpr OpTraits traits = {"digamma", "DigammaBackward0", Types::Float, fused, costly, {A}};
  static constexpr const char* doc = "The derivative of lgamma.";
  template <class T> TG_HD T forward(const T& x) const { return digamma(x); }
  template <class T> TG_HD T backward(const T& g, const T& x) const { return g * polygamma(1, x); }
};
struct Polygamma {
  static constexpr OpTraits traits = {"polygamma", "PolygammaBackward0", Types::Float, fused, costly, {A}};
  static constexpr const char* doc = "The n-th derivative of digamma.";
  int n;
  template <class T> TG_HD T forward(const T& x) const { return polygamma(n, x); }
  template <class T> TG_HD T backward(const T& g, const T& x) const { return g * polygamma(n + 1, x); }
};

// ---- tests of a number: the result is bool

struct IsNan {
  static constexpr OpTraits traits = {"isnan", nullptr, Types::Compare};
  static constexpr const char* doc = "True where input is NaN.";
  template <class T> TG_HD auto forward(const T& x) const { return isnan(x); }
};
struct IsInf {
  static constexpr OpTraits traits = {"isinf", nullptr, Types::Compare};
  static constexpr const char* doc = "True where input is inf or -inf.";
  template <class T> TG_HD auto forward(const T& x) const { return isinf(x); }
};
struct IsPosInf {
  static constexpr OpTraits traits = {"isposinf", nullptr, Types::Compare};
  static constexpr const char* doc = "True where input is inf.";
  template <class T> TG_HD auto forward(const T& x) const { return isposinf(x); }
};
struct IsNegInf {
  static constexpr OpTraits traits = {"isneginf", nullptr, Types::Compare};
  static constexpr const char* doc = "True where input is -inf.";
  template <class T> TG_HD auto forward(const T& x) const { return isneginf(x); }
};
struct IsFinite {
  static constexpr OpTraits traits = {"isfinite", nullptr, Types::Compare};
  static constexpr const char* doc = "True where input is neither NaN nor infinite.";
  template <class T> TG_HD auto forward(const T& x) const { return isfinite(x); }
};
struct SignBit {
  static constexpr OpTraits traits = {"signbit", nullptr, Types::Compare};
  static constexpr const char* doc = "True where the sign bit is set, so for -0.0 too.";
  template <class T> TG_HD auto forward(const T& x) const { return signbit(x); }
};
struct LogicalNot {
  static constexpr OpTraits traits = {"logical_not", nullptr, Types::Logical};
  static constexpr const char* doc = "True where input is zero.";
  template <class T> TG_HD T forward(const T& x) const { return x ^ T(1); }
};
struct BitwiseNot {
  static constexpr OpTraits traits = {"bitwise_not", nullptr, Types::Bitwise};
  static constexpr const char* doc = "~input: every bit flipped; on bools, not.";
  template <class T> TG_HD T forward(const T& x) const { return ~x; }
};

}}  // namespace tapegrad
