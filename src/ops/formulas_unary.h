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

}}  // namespace tapegrad
