// Formulas of three numbers. See formulas.h for the rules.
#pragma once
#include "src/ops/formulas.h"

namespace tapegrad { inline namespace TG_NS {

struct Where {
  static constexpr OpTraits traits = {"where", "WhereBackward0", Types::Number, fused, cheap, {Nothing, A, A}, true};
  static constexpr const char* doc = "input where condition holds, other elsewhere; all three broadcast.";
  template <class M, class T> TG_HD T forward(const M& m, const T& a, const T& b) const { return where(m, a, b); }
  template <class T, class M> TG_HD T backward_b(const T& g, const M& m) const { return where(m, g, T(0)); }
  template <class T, class M> TG_HD T backward_c(const T& g, const M& m) const { return where(m, T(0), g); }
};

}}  // namespace tapegrad
