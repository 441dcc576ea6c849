// Formulas of two numbers: arithmetic, division and its remainders, powers, extremes, comparisons, logic and bits.
// See formulas.h for the rules.
#pragma once
#include "src/ops/formulas.h"

namespace tapegrad { inline namespace TG_NS {

// ---- arithmetic

struct Add {
  static constexpr OpTraits traits = {.name = "add", .node = "AddBackward0", .types = Types::Number, .passes = A | B};
  static constexpr const char* doc = "input + alpha * other, broadcast. On two bools: or.";
  template <class T> TG_HD T forward(const T& a, const T& b) const { return a + b; }
  template <class T> TG_HD T backward_a(const T& g) const { return g; }
  template <class T> TG_HD T backward_b(const T& g) const { return g; }
};
struct Sub {
  static constexpr OpTraits traits = {.name = "sub", .node = "SubBackward0", .types = Types::Number, .passes = A};
  static constexpr const char* doc = "input - alpha * other, broadcast. Not for bools.";
  template <class T> TG_HD T forward(const T& a, const T& b) const { return a - b; }
  template <class T> TG_HD T backward_a(const T& g) const { return g; }
  template <class T> TG_HD T backward_b(const T& g) const { return -g; }
};
/// other - input.
struct Rsub {
  static constexpr OpTraits traits = {.name = "rsub", .node = "RsubBackward1", .types = Types::Number, .passes = B};
  static constexpr const char* doc = "other - alpha * input, broadcast.";
  template <class T> TG_HD T forward(const T& a, const T& b) const { return b - a; }
  template <class T> TG_HD T backward_a(const T& g) const { return -g; }
  template <class T> TG_HD T backward_b(const T& g) const { return g; }
};
/// add and sub with an alpha that is not 1.
struct AddScaled {
  static constexpr OpTraits traits = {.name = "add", .node = "AddBackward0", .types = Types::Number, .passes = A};
  Number alpha;
  template <class T> TG_HD T forward(const T& a, const T& b) const { return a + number<T>(alpha) * b; }
  template <class T> TG_HD T backward_a(const T& g) const { return g; }
  template <class T> TG_HD T backward_b(const T& g) const { return g * number<T>(alpha); }
};
struct SubScaled {
  static constexpr OpTraits traits = {.name = "sub", .node = "SubBackward0", .types = Types::Number, .passes = A};
  Number alpha;
  template <class T> TG_HD T forward(const T& a, const T& b) const { return a - number<T>(alpha) * b; }
  template <class T> TG_HD T backward_a(const T& g) const { return g; }
  template <class T> TG_HD T backward_b(const T& g) const { return -(g * number<T>(alpha)); }
};
struct Mul {
  static constexpr OpTraits traits = {"mul", "MulBackward0", Types::Number, fused, cheap, {B, A}, false, false, true};
  static constexpr const char* doc = "input * other, broadcast. On two bools: and.";
  template <class T> TG_HD T forward(const T& a, const T& b) const { return a * b; }
  template <class T> TG_HD T backward_a(const T& g, const T& b) const { return g * b; }
  template <class T> TG_HD T backward_b(const T& g, const T& a) const { return g * a; }
};
struct Div {
  static constexpr OpTraits traits = {"div", "DivBackward0", Types::Float, fused, cheap, {B, A | B}, false, false, true};
  static constexpr const char* doc =
      "input / other, broadcast; integers become floats. rounding_mode 'floor' or 'trunc' rounds and keeps integers.";
  template <class T> TG_HD T forward(const T& a, const T& b) const { return a / b; }
  template <class T> TG_HD T backward_a(const T& g, const T& b) const { return g / b; }
  template <class T> TG_HD T backward_b(const T& g, const T& a, const T& b) const { return -g * ((a / b) / b); }
};
struct DivTrunc {
  static constexpr OpTraits traits = {.name = "div", .node = "DivBackward2", .types = Types::NotBool, .divides = true};
  template <class T> TG_HD T forward(const T& a, const T& b) const { return trunc_div(a, b); }
  template <class T> TG_HD T backward_a(const T& g) const { return zeros_like(g); }
  template <class T> TG_HD T backward_b(const T& g) const { return zeros_like(g); }
};
struct DivFloor {
  static constexpr OpTraits traits = {.name = "div", .node = "DivBackward2", .types = Types::NotBool, .costly = costly,
      .divides = true};
  template <class T> TG_HD T forward(const T& a, const T& b) const { return floor_div(a, b); }
  template <class T> TG_HD T backward_a(const T& g) const { return zeros_like(g); }
  template <class T> TG_HD T backward_b(const T& g) const { return zeros_like(g); }
};
struct Remainder {
  static constexpr OpTraits traits = {.name = "remainder", .node = "RemainderBackward0", .types = Types::NotBool,
      .costly = costly, .needs = {Nothing, A | B}, .divides = true};
  static constexpr const char* doc = "input modulo other, with the sign of other, as Python's %.";
  template <class T> TG_HD T forward(const T& a, const T& b) const { return floor_mod(a, b); }
  template <class T> TG_HD T backward_a(const T& g) const { return g; }
  template <class T> TG_HD T backward_b(const T& g, const T& a, const T& b) const { return -g * floor(a / b); }
};
struct Fmod {
  static constexpr OpTraits traits = {.name = "fmod", .node = "FmodBackward0", .types = Types::NotBool, .costly = costly,
      .needs = {Nothing, A | B}, .divides = true};
  static constexpr const char* doc = "What is left of input after division by other, with the sign of input.";
  template <class T> TG_HD T forward(const T& a, const T& b) const { return fmod(a, b); }
  template <class T> TG_HD T backward_a(const T& g) const { return g; }
  template <class T> TG_HD T backward_b(const T& g, const T& a, const T& b) const { return -g * trunc(a / b); }
};

// ---- powers and other functions of two numbers

struct Pow {
  static constexpr OpTraits traits = {"pow", "PowBackward1", Types::NotBool, fused, costly, {A | B, A | B | Out}};
  static constexpr const char* doc =
      "input to the power of exponent, broadcast. Integers stay integers and need exponents that are not negative.";
  template <class T> TG_HD T forward(const T& a, const T& b) const { return pow(a, b); }
  template <class T> TG_HD T backward_a(const T& g, const T& a, const T& b) const {
    return where(b == T(0), T(0), g * (b * pow(a, b - T(1))));
  }
  template <class T> TG_HD T backward_b(const T& g, const T& a, const T& b, const T& y) const {
    return where((a == T(0)) & (real(b) >= real(T(0))), T(0), g * (y * log(a)));
  }
};
struct Atan2 {
  static constexpr OpTraits traits = {"atan2", "Atan2Backward0", Types::Float, fused, costly, {A | B, A | B}};
  static constexpr const char* doc = "The angle of the point (other, input), in [-pi, pi].";
  template <class T> TG_HD T forward(const T& a, const T& b) const { return atan2(a, b); }
  template <class T> TG_HD T backward_a(const T& g, const T& a, const T& b) const { return g * (b / (a * a + b * b)); }
  template <class T> TG_HD T backward_b(const T& g, const T& a, const T& b) const { return g * (-a / (a * a + b * b)); }
};
struct Hypot {
  static constexpr OpTraits traits = {"hypot", "HypotBackward0", Types::FloatOnly, fused, costly, {A | Out, B | Out}};
  static constexpr const char* doc = "sqrt(input^2 + other^2), without overflow.";
  template <class T> TG_HD T forward(const T& a, const T& b) const { return hypot(a, b); }
  template <class T> TG_HD T backward_a(const T& g, const T& a, const T& y) const { return g * (a / y); }
  template <class T> TG_HD T backward_b(const T& g, const T& b, const T& y) const { return g * (b / y); }
};
struct Copysign {
  static constexpr OpTraits traits = {"copysign", "CopysignBackward0", Types::Float, fused, cheap, {A | Out, Nothing}};
  static constexpr const char* doc = "|input| with the sign of other.";
  template <class T> TG_HD T forward(const T& a, const T& b) const { return copysign(a, b); }
  template <class T> TG_HD T backward_a(const T& g, const T& a, const T& y) const { return where(a == T(0), T(0), g * (y / a)); }
  template <class T> TG_HD T backward_b(const T& g) const { return zeros_like(g); }
};
struct LogAddExp {
  static constexpr OpTraits traits = {"logaddexp", "LogaddexpBackward0", Types::FloatOnly, fused, costly, {A | B, A | B}};
  static constexpr const char* doc = "log(exp(input) + exp(other)), without overflow.";
  template <class T> TG_HD T forward(const T& a, const T& b) const {
    return where((a == b) & isinf(a), a, maximum(a, b) + log1p(exp(-abs(a - b))));
  }
  template <class T> TG_HD T backward_a(const T& g, const T& a, const T& b) const { return g / (T(1) + exp(b - a)); }
  template <class T> TG_HD T backward_b(const T& g, const T& a, const T& b) const { return g / (T(1) + exp(a - b)); }
};
struct LogAddExp2 {
  static constexpr OpTraits traits = {"logaddexp2", "Logaddexp2Backward0", Types::FloatOnly, fused, costly, {A | B, A | B}};
  static constexpr const char* doc = "log2(2^input + 2^other), without overflow.";
  template <class T> TG_HD T forward(const T& a, const T& b) const {
    return where((a == b) & isinf(a), a, maximum(a, b)
        + log1p(exp(-abs(a - b) * T(0.69314718055994530942))) * T(1.44269504088896340736));
  }
  template <class T> TG_HD T backward_a(const T& g, const T& a, const T& b) const { return g / (T(1) + exp2(b - a)); }
  template <class T> TG_HD T backward_b(const T& g, const T& a, const T& b) const { return g / (T(1) + exp2(a - b)); }
};
struct Xlogy {
  static constexpr OpTraits traits = {"xlogy", "XlogyBackward0", Types::Float, fused, costly, {A | B, A | B}};
  static constexpr const char* doc = "input * log(other), 0 where input is 0.";
  template <class T> TG_HD T forward(const T& a, const T& b) const { return where((a == T(0)) & (b == b), T(0), a * log(b)); }
  template <class T> TG_HD T backward_a(const T& g, const T& a, const T& b) const {
    return where((a == T(0)) & (b <= T(0)), T(0), g * log(b));
  }
  template <class T> TG_HD T backward_b(const T& g, const T& a, const T& b) const { return g * (a / b); }
};

// ---- extremes

struct Maximum {
  static constexpr OpTraits traits = {"maximum", "MaximumBackward0", Types::Number, fused, cheap, {A | B, A | B}};
  static constexpr const char* doc = "The larger of input and other; NaN when either is. Equal ones share the gradient.";
  template <class T> TG_HD T forward(const T& a, const T& b) const { return maximum(a, b); }
  template <class T> TG_HD T backward_a(const T& g, const T& a, const T& b) const {
    return where(a == b, g * T(0.5), where(b > a, T(0), g));
  }
  template <class T> TG_HD T backward_b(const T& g, const T& a, const T& b) const {
    return where(a == b, g * T(0.5), where(a > b, T(0), g));
  }
};
struct Minimum {
  static constexpr OpTraits traits = {"minimum", "MinimumBackward0", Types::Number, fused, cheap, {A | B, A | B}};
  static constexpr const char* doc = "The smaller of input and other; NaN when either is. Equal ones share the gradient.";
  template <class T> TG_HD T forward(const T& a, const T& b) const { return minimum(a, b); }
  template <class T> TG_HD T backward_a(const T& g, const T& a, const T& b) const {
    return where(a == b, g * T(0.5), where(b < a, T(0), g));
  }
  template <class T> TG_HD T backward_b(const T& g, const T& a, const T& b) const {
    return where(a == b, g * T(0.5), where(a < b, T(0), g));
  }
};
struct Fmax {
  static constexpr OpTraits traits = {"fmax", "FmaxBackward0", Types::Number, fused, cheap, {A | B, A | B}};
  static constexpr const char* doc = "The larger of input and other; the other one when one is NaN.";
  template <class T> TG_HD T forward(const T& a, const T& b) const { return where((a >= b) | isnan(b), a, b); }
  template <class T> TG_HD T backward_a(const T& g, const T& a, const T& b) const { return where((a >= b) | isnan(b), g, T(0)); }
  template <class T> TG_HD T backward_b(const T& g, const T& a, const T& b) const { return where((a >= b) | isnan(b), T(0), g); }
};
struct Fmin {
  static constexpr OpTraits traits = {"fmin", "FminBackward0", Types::Number, fused, cheap, {A | B, A | B}};
  static constexpr const char* doc = "The smaller of input and other; the other one when one is NaN.";
  template <class T> TG_HD T forward(const T& a, const T& b) const { return where((a <= b) | isnan(b), a, b); }
  template <class T> TG_HD T backward_a(const T& g, const T& a, const T& b) const { return where((a <= b) | isnan(b), g, T(0)); }
  template <class T> TG_HD T backward_b(const T& g, const T& a, const T& b) const { return where((a <= b) | isnan(b), T(0), g); }
};
/// clamp with one tensor limit: unlike maximum, equal ones give all to input.
struct ClampMinTensor {
  static constexpr OpTraits traits = {"clamp", "ClampBackward0", Types::Number, fused, cheap, {A | B, A | B}};
  template <class T> TG_HD T forward(const T& a, const T& b) const { return maximum(a, b); }
  template <class T> TG_HD T backward_a(const T& g, const T& a, const T& b) const { return where(a >= b, g, T(0)); }
  template <class T> TG_HD T backward_b(const T& g, const T& a, const T& b) const { return where(a < b, g, T(0)); }
};
struct ClampMaxTensor {
  static constexpr OpTraits traits = {"clamp", "ClampBackward0", Types::Number, fused, cheap, {A | B, A | B}};
  template <class T> TG_HD T forward(const T& a, const T& b) const { return minimum(a, b); }
  template <class T> TG_HD T backward_a(const T& g, const T& a, const T& b) const { return where(a <= b, g, T(0)); }
  template <class T> TG_HD T backward_b(const T& g, const T& a, const T& b) const { return where(a > b, g, T(0)); }
};
struct Heaviside {
  static constexpr OpTraits traits = {"heaviside", nullptr, Types::Number};
  static constexpr const char* doc = "0 where input is negative, values where it is 0, 1 where positive.";
  template <class T> TG_HD T forward(const T& a, const T& b) const { return where(a == T(0), b, where(a > T(0), T(1), T(0))); }
};

// ---- comparisons: the result is bool

struct Eq {
  static constexpr OpTraits traits = {"eq", nullptr, Types::Compare};
  static constexpr const char* doc = "input == other, broadcast, as bool.";
  template <class T> TG_HD auto forward(const T& a, const T& b) const { return a == b; }
};
struct Ne {
  static constexpr OpTraits traits = {"ne", nullptr, Types::Compare};
  static constexpr const char* doc = "input != other, broadcast, as bool.";
  template <class T> TG_HD auto forward(const T& a, const T& b) const { return a != b; }
};
struct Lt {
  static constexpr OpTraits traits = {"lt", nullptr, Types::Compare};
  static constexpr const char* doc = "input < other, broadcast, as bool.";
  template <class T> TG_HD auto forward(const T& a, const T& b) const { return a < b; }
};
struct Le {
  static constexpr OpTraits traits = {"le", nullptr, Types::Compare};
  static constexpr const char* doc = "input <= other, broadcast, as bool.";
  template <class T> TG_HD auto forward(const T& a, const T& b) const { return a <= b; }
};
struct Gt {
  static constexpr OpTraits traits = {"gt", nullptr, Types::Compare};
  static constexpr const char* doc = "input > other, broadcast, as bool.";
  template <class T> TG_HD auto forward(const T& a, const T& b) const { return a > b; }
};
struct Ge {
  static constexpr OpTraits traits = {"ge", nullptr, Types::Compare};
  static constexpr const char* doc = "input >= other, broadcast, as bool.";
  template <class T> TG_HD auto forward(const T& a, const T& b) const { return a >= b; }
};

// ---- logic and bits

struct LogicalAnd {
  static constexpr OpTraits traits = {"logical_and", nullptr, Types::Logical};
  static constexpr const char* doc = "True where both are nonzero; broadcast.";
  template <class T> TG_HD T forward(const T& a, const T& b) const { return a & b; }
};
struct LogicalOr {
  static constexpr OpTraits traits = {"logical_or", nullptr, Types::Logical};
  static constexpr const char* doc = "True where either is nonzero; broadcast.";
  template <class T> TG_HD T forward(const T& a, const T& b) const { return a | b; }
};
struct LogicalXor {
  static constexpr OpTraits traits = {"logical_xor", nullptr, Types::Logical};
  static constexpr const char* doc = "True where exactly one is nonzero; broadcast.";
  template <class T> TG_HD T forward(const T& a, const T& b) const { return a ^ b; }
};
struct BitwiseAnd {
  static constexpr OpTraits traits = {"bitwise_and", nullptr, Types::Bitwise};
  static constexpr const char* doc = "input & other, on integers and bools.";
  template <class T> TG_HD T forward(const T& a, const T& b) const { return a & b; }
};
struct BitwiseOr {
  static constexpr OpTraits traits = {"bitwise_or", nullptr, Types::Bitwise};
  static constexpr const char* doc = "input | other, on integers and bools.";
  template <class T> TG_HD T forward(const T& a, const T& b) const { return a | b; }
};
struct BitwiseXor {
  static constexpr OpTraits traits = {"bitwise_xor", nullptr, Types::Bitwise};
  static constexpr const char* doc = "input ^ other, on integers and bools.";
  template <class T> TG_HD T forward(const T& a, const T& b) const { return a ^ b; }
};
struct ShiftLeft {
  static constexpr OpTraits traits = {"bitwise_left_shift", nullptr, Types::Bitwise};
  static constexpr const char* doc = "input * 2^other on integers; bits beyond the width are lost.";
  template <class T> TG_HD T forward(const T& a, const T& b) const { return shift_left(a, b); }
};
struct ShiftRight {
  static constexpr OpTraits traits = {"bitwise_right_shift", nullptr, Types::Bitwise};
  static constexpr const char* doc = "floor(input / 2^other) on integers.";
  template <class T> TG_HD T forward(const T& a, const T& b) const { return shift_right(a, b); }
};

// ---- between two numbers

struct LerpNumber {
  static constexpr OpTraits traits = {"lerp", "LerpBackward0", Types::Float};
  static constexpr const char* doc = "input + weight * (end - input).";
  double weight;
  template <class T> TG_HD T forward(const T& a, const T& b) const {
    return weight < 0.5 && weight > -0.5 ? a + T(weight) * (b - a) : b - (b - a) * T(1 - weight);
  }
  template <class T> TG_HD T backward_a(const T& g) const { return g * T(1 - weight); }
  template <class T> TG_HD T backward_b(const T& g) const { return g * T(weight); }
};

}}  // namespace tapegrad
