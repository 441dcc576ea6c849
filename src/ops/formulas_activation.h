// Formulas of activation functions. See formulas.h for the rules.
#pragma once
#include "src/ops/formulas.h"

namespace tapegrad { inline namespace TG_NS {

struct Relu {
  static constexpr OpTraits traits = {"relu", "ReluBackward0", Types::Number, fused, cheap, {Out}};
  static constexpr const char* doc = "max(input, 0), element by element.";
  template <class T> TG_HD T forward(const T& x) const { return maximum(x, T(0)); }
  template <class T> TG_HD T backward(const T& g, const T& y) const { return where(y > T(0), g, T(0)); }
};

}}  // namespace tapegrad
