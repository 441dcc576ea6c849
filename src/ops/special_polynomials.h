// Orthogonal polynomials by their three-term recurrences (DLMF 18.9).
#pragma once
#include <stdint.h>

#include <cmath>

#include "src/tensor/host_device.h"

namespace tapegrad::math {

// p[0] = 1, p[1] = first, p[k + 1] = next(k, p[k], p[k - 1]); degrees below 0 give 0.
template <class F> TG_HD double recurrence(int64_t n, double first, F next) {
  if (n < 0) return 0;
  double before = 1, p = first;
  if (n == 0) return before;
  for (int64_t k = 1; k < n && !std::isnan(p); k++) {
    const double after = next(double(k), p, before);
    before = p, p = after;
  }
  return p;
}
TG_HD inline double chebyshev(double x, int64_t n, double first) {
  return recurrence(n, first, [x](double, double p, double before) { return 2 * x * p - before; });
}
// Of high degree the closed forms in t = acos(x).
TG_HD inline bool by_angle(double x, int64_t n) { return n > 64 && std::fabs(x) < 1; }

TG_HD inline double chebyshev_t(double x, int64_t n) {
  return by_angle(x, n) ? std::cos(double(n) * std::acos(x)) : chebyshev(x, n, x);
}
TG_HD inline double chebyshev_u(double x, int64_t n) {
  const double t = std::acos(x);
  return by_angle(x, n) ? std::sin(double(n + 1) * t) / std::sin(t) : chebyshev(x, n, 2 * x);
}
TG_HD inline double chebyshev_v(double x, int64_t n) {
  const double t = std::acos(x);
  return by_angle(x, n) ? std::cos((double(n) + 0.5) * t) / std::cos(t / 2) : chebyshev(x, n, 2 * x - 1);
}
TG_HD inline double chebyshev_w(double x, int64_t n) {
  const double t = std::acos(x);
  return by_angle(x, n) ? std::sin((double(n) + 0.5) * t) / std::sin(t / 2) : chebyshev(x, n, 2 * x + 1);
}
TG_HD inline double hermite_h(double x, int64_t n) {
  return recurrence(n, 2 * x, [x](double k, double p, double before) { return 2 * (x * p - k * before); });
}
TG_HD inline double hermite_he(double x, int64_t n) {
  return recurrence(n, x, [x](double k, double p, double before) { return x * p - k * before; });
}
TG_HD inline double laguerre(double x, int64_t n) {
  return recurrence(n, 1 - x, [x](double k, double p, double before) { return ((2 * k + 1 - x) * p - k * before) / (k + 1); });
}
TG_HD inline double legendre(double x, int64_t n) {
  return recurrence(n, x, [x](double k, double p, double before) { return ((2 * k + 1) * x * p - k * before) / (k + 1); });
}

}  // namespace tapegrad::math
