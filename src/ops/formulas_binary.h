// Formulas of two numbers. See formulas.h for the rules.
#pragma once
#include "src/ops/formulas.h"

namespace tapegrad { inline namespace TG_NS {

struct Add {
  static constexpr OpTraits traits = {"add", "AddBackward0", Types::Number};
  static constexpr const char* doc = "input + alpha * other, broadcast. On bools: either.";
  template <class T> TG_HD T forward(const T& a, const T& b) const { return a + b; }
  template <class T> TG_HD T backward_a(const T& g) const { return g; }
  template <class T> TG_HD T backward_b(const T& g) const { return g; }
};
struct Sub {
  static constexpr OpTraits traits = {"sub", "SubBackward0", Types::Number};
  static constexpr const char* doc = "input - alpha * other, broadcast. Not for bool.";
  template <class T> TG_HD T forward(const T& a, const T& b) const { return a - b; }
  template <class T> TG_HD T backward_a(const T& g) const { return g; }
  template <class T> TG_HD T backward_b(const T& g) const { return -g; }
};
/// add and sub with an alpha that is not 1.
struct AddScaled {
  static constexpr OpTraits traits = {"add", "AddBackward0", Types::Number};
  Number alpha;
  template <class T> TG_HD T forward(const T& a, const T& b) const { return a + number<T>(alpha) * b; }
  template <class T> TG_HD T backward_a(const T& g) const { return g; }
  template <class T> TG_HD T backward_b(const T& g) const { return g * number<T>(alpha); }
};
struct SubScaled {
  static constexpr OpTraits traits = {"sub", "SubBackward0", Types::Number};
  Number alpha;
  template <class T> TG_HD T forward(const T& a, const T& b) const { return a - number<T>(alpha) * b; }
  template <class T> TG_HD T backward_a(const T& g) const { return g; }
  template <class T> TG_HD T backward_b(const T& g) const { return -(g * number<T>(alpha)); }
};
struct Mul {
  static constexpr OpTraits traits = {"mul", "MulBackward0", Types::Number, fused, cheap, {B, A}};
  static constexpr const char* doc = "input * other, broadcast. On bools: both.";
  template <class T> TG_HD T forward(const T& a, const T& b) const { return a * b; }
  template <class T> TG_HD T backward_a(const T& g, const T& b) const { return g * b; }
  template <class T> TG_HD T backward_b(const T& g, const T& a) const { return g * a; }
};
struct Div {
  static constexpr OpTraits traits = {"div", "DivBackward0", Types::Float, fused, cheap, {B, A | B}};
  static constexpr const char* doc = "input / other, broadcast; integers become floats.";
  template <class T> TG_HD T forward(const T& a, const T& b) const { return a / b; }
  template <class T> TG_HD T backward_a(const T& g, const T& b) const { return g / b; }
  template <class T> TG_HD T backward_b(const T& g, const T& a, const T& b) const { return -g * ((a / b) / b); }
};

struct Maximum {
  static constexpr OpTraits traits = {"maximum", "MaximumBackward0", Types::Number, fused, cheap, {A | B, A | B}};
  static constexpr const char* doc = "The larger of input and other; NaN when either is. Ties share the gradient.";
  template <class T> TG_HD T forward(const T& a, const T& b) const { return maximum(a, b); }
  template <class T> TG_HD T backward_a(const T& g, const T& a, const T& b) const { return where(a == b, g * T(0.5), where(b > a, T(0), g)); }
  template <class T> TG_HD T backward_b(const T& g, const T& a, const T& b) const { return where(a == b, g * T(0.5), where(a > b, T(0), g)); }
};

// ---- comparisons: the result is bool

struct Eq {
  static constexpr OpTraits traits = {"eq", nullptr, Types::Compare};
  static constexpr const char* doc = "input == other, element by element, as bool.";
  template <class T> TG_HD auto forward(const T& a, const T& b) const { return a == b; }
};
struct Ne {
  static constexpr OpTraits traits = {"ne", nullptr, Types::Compare};
  static constexpr const char* doc = "input != other, element by element, as bool.";
  template <class T> TG_HD auto forward(const T& a, const T& b) const { return a != b; }
};
struct Lt {
  static constexpr OpTraits traits = {"lt", nullptr, Types::Compare};
  static constexpr const char* doc = "input < other, element by element, as bool.";
  template <class T> TG_HD auto forward(const T& a, const T& b) const { return a < b; }
};
struct Le {
  static constexpr OpTraits traits = {"le", nullptr, Types::Compare};
  static constexpr const char* doc = "input <= other, element by element, as bool.";
  template <class T> TG_HD auto forward(const T& a, const T& b) const { return a <= b; }
};
struct Gt {
  static constexpr OpTraits traits = {"gt", nullptr, Types::Compare};
  static constexpr const char* doc = "input > other, element by element, as bool.";
  template <class T> TG_HD auto forward(const T& a, const T& b) const { return a > b; }
};
struct Ge {
  static constexpr OpTraits traits = {"ge", nullptr, Types::Compare};
  static constexpr const char* doc = "input >= other, element by element, as bool.";
  template <class T> TG_HD auto forward(const T& a, const T& b) const { return a >= b; }
};

}}  // namespace tapegrad
