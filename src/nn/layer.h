// What layers share: printing in Python's spelling, sizes, starting values, reductions.
#pragma once
#include <charconv>
#include <cmath>
#include <string>

#include "tapegrad/nn_module.h"

namespace tapegrad::nn {

/// As Python's repr of a float: the fewest digits that give the number back.
inline std::string repr(double v) {
  if (std::isnan(v)) return "nan";
  if (std::isinf(v)) return v < 0 ? "-inf" : "inf";
  char s[32];
  const double size = std::abs(v);
  const auto format =
      size != 0 && (size < 1e-4 || size >= 1e16) ? std::chars_format::scientific : std::chars_format::fixed;
  std::string out(s, std::to_chars(s, s + sizeof s, v, format).ptr);
  return format == std::chars_format::fixed && out.find('.') == std::string::npos ? out + ".0" : out;
}
inline std::string repr(int64_t v) { return std::to_string(v); }
inline std::string repr(int v) { return std::to_string(v); }
inline std::string repr(bool v) { return v ? "True" : "False"; }
inline std::string repr(const std::string& v) { return "'" + v + "'"; }
inline std::string repr(const char* v) { return v; }  // as it is
/// "(3, 3)": one number stands for all n dimensions.
inline std::string tuple_repr(IntList d, size_t n = 0) {
  std::string s = "(";
  const size_t count = d.size() == 1 && n > 0 ? n : d.size();
  for (size_t i = 0; i < count; i++) s += (i ? ", " : "") + std::to_string(d[d.size() == 1 ? 0 : i]);
  return s + (count == 1 ? ",)" : ")");
}
/// A size as it was given: 3 or (3, 5).
inline std::string repr(const Dims& d) { return d.size() == 1 ? std::to_string(d[0]) : tuple_repr(d); }
template <class T> std::string repr(const std::optional<T>& v) { return v ? repr(*v) : "None"; }

/// details("in_features", 2, "bias", true): "in_features=2, bias=True".
template <class T, class... Rest> std::string details(const char* name, const T& value, const Rest&... rest) {
  std::string s = std::string(name) + "=" + repr(value);
  if constexpr (sizeof...(rest) > 0) s += ", " + details(rest...);
  return s;
}

namespace detail {
/// Gives t the memory, shape and dtype of `value`, keeping its identity. Its gradient is dropped.
void become(const Tensor& t, const Tensor& value);
}

/// d, which has n numbers, or its one number n times.
inline Shape repeated(const Dims& d, size_t n) {
  TG_CHECK(d.size() == 1 || d.size() == n, ShapeError, "expected one number or ", n, ", got ", IntList(d));
  if (d.size() != 1) return d;
  return Shape(n, d[0]);
}
inline Tensor uninitialised(IntList size) { return empty(size, default_dtype()); }
/// A loss by its reduction: "mean", "sum" or "none".
Tensor reduced(const Tensor& loss, std::string_view reduction);
/// 1 / sqrt(fan), and 0 without inputs: where uniform starting values end.
inline double bound_of(int64_t fan) { return fan > 0 ? 1 / std::sqrt(double(fan)) : 0; }

}  // namespace tapegrad::nn
