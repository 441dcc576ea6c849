// Formulas of functions of one number. See formulas.h for the rules.
#pragma once
#include "src/ops/formulas.h"

namespace tapegrad { inline namespace TG_NS {

struct Neg {
  static constexpr OpTraits traits = {"neg", "NegBackward0", Types::Number};
  static constexpr const char* doc = "-input, element by element. Not for bool.";
  template <class T> TG_HD T forward(const T& x) const { return -x; }
  template <class T> TG_HD T backward(const T& g) const { return -g; }
};
struct Exp {
  static constexpr OpTraits traits = {"exp", "ExpBackward0", Types::Float, fused, costly, {Out}};
  static constexpr const char* doc = "e to the power of input.";
  template <class T> TG_HD T forward(const T& x) const { return exp(x); }
  template <class T> TG_HD T backward(const T& g, const T& y) const { return g * y; }
};

struct Log {
  static constexpr OpTraits traits = {"log", "LogBackward0", Types::Float, fused, costly, {A}};
  static constexpr const char* doc = "Natural logarithm of input; -inf at 0, NaN below.";
  template <class T> TG_HD T forward(const T& x) const { return log(x); }
  template <class T> TG_HD T backward(const T& g, const T& x) const { return g / x; }
};
struct Sqrt {
  static constexpr OpTraits traits = {"sqrt", "SqrtBackward0", Types::Float, fused, cheap, {Out}};
  static constexpr const char* doc = "Square root of input; NaN below 0.";
  template <class T> TG_HD T forward(const T& x) const { return sqrt(x); }
  template <class T> TG_HD T backward(const T& g, const T& y) const { return g / (T(2) * y); }
};

}}  // namespace tapegrad
