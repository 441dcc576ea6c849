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
struct Lerp {
  static constexpr OpTraits traits = {"lerp", "LerpBackward1", Types::Float, fused, cheap, {C, C, A | B}};
  template <class T> TG_HD T forward(const T& a, const T& b, const T& w) const {
    return where(abs(w) < real(T(0.5)), a + w * (b - a), b - (b - a) * (T(1) - w));
  }
  template <class T> TG_HD T backward_a(const T& g, const T& w) const { return g * (T(1) - w); }
  template <class T> TG_HD T backward_b(const T& g, const T& w) const { return g * w; }
  template <class T> TG_HD T backward_c(const T& g, const T& a, const T& b) const { return g * (b - a); }
};
struct Addcmul {
  static constexpr OpTraits traits = {"addcmul", "AddcmulBackward0", Types::NotBool, fused, cheap, {Nothing, C, B}};
  static constexpr const char* doc = "input + value * tensor1 * tensor2.";
  Number value;
  template <class T> TG_HD T forward(const T& a, const T& b, const T& c) const { return a + number<T>(value) * b * c; }
  template <class T> TG_HD T backward_a(const T& g) const { return g; }
  template <class T> TG_HD T backward_b(const T& g, const T& c) const { return g * (c * T(value.d)); }
  template <class T> TG_HD T backward_c(const T& g, const T& b) const { return g * (b * T(value.d)); }
};
struct Addcdiv {
  static constexpr OpTraits traits = {"addcdiv", "AddcdivBackward0", Types::Float, fused, cheap, {Nothing, C, B | C}};
  static constexpr const char* doc = "input + value * tensor1 / tensor2, on floats.";
  double value;
  template <class T> TG_HD T forward(const T& a, const T& b, const T& c) const { return a + T(value) * (b / c); }
  template <class T> TG_HD T backward_a(const T& g) const { return g; }
  template <class T> TG_HD T backward_b(const T& g, const T& c) const { return g * (T(value) / c); }
  template <class T> TG_HD T backward_c(const T& g, const T& b, const T& c) const { return -g * (T(value) * (b / (c * c))); }
};
struct ClampTensors {
  static constexpr OpTraits traits = {"clamp", "ClampBackward0", Types::NotBool, fused, cheap, {A | B | C, A | B | C, A | B | C}};
  template <class T> TG_HD T forward(const T& x, const T& low, const T& high) const { return minimum(maximum(x, low), high); }
  template <class T> TG_HD T backward_a(const T& g, const T& x, const T& low, const T& high) const {
    return where((x >= low) & (x <= high), g, T(0));
  }
  template <class T> TG_HD T backward_b(const T& g, const T& x, const T& low, const T& high) const {
    return where((x < low) & (low < high), g, T(0));
  }
  template <class T> TG_HD T backward_c(const T& g, const T& x, const T& low, const T& high) const {
    return where((x > high) | (high < low), g, T(0));
  }
};

}}  // namespace tapegrad
