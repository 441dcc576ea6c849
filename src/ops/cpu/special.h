// Special functions that libm lacks, on plain numbers: digamma, polygamma, the inverse of erf. Computed in double.
#pragma once
#include "src/ops/cpu/scalar.h"

namespace tapegrad { inline namespace TG_NS {

TG_HD inline double lgamma(double x) {
#ifdef __CUDACC__
  return ::lgamma(x);
#else
  int sign;  // lgamma itself writes the sign to a global
  return ::lgamma_r(x, &sign);
#endif
}
TG_HD inline float lgamma(float x) { return float(lgamma(double(x))); }

/// d/dx lgamma(x): upward recurrence to x >= 10, then the asymptotic series; reflection below zero.
TG_HD inline double digamma(double x) {
  if (x == 0) return ::copysign(__builtin_inf(), -x);
  if (x < 0 && ::floor(x) == x) return __builtin_nan("");
  double r = 0;
  if (x < 0) {
    const double fraction = x - ::trunc(x);
    r = -3.14159265358979323846 / ::tan(3.14159265358979323846 * fraction);
    x = 1 - x;
  }
  for (; x < 10; x += 1) r -= 1 / x;
  const double z = 1 / (x * x);
  const double tail = z * (1. / 12 - z * (1. / 120 - z * (1. / 252 - z * (1. / 240 - z * (1. / 132 - z * (691. / 32760 - z / 12))))));
  return r + ::log(x) - 0.5 / x - tail;
}
TG_HD inline float digamma(float x) { return float(digamma(double(x))); }

/// Sum of (x + k)^-s over k >= 0: the first terms, until Euler-Maclaurin is exact for the rest.
TG_HD inline double hurwitz_zeta(double s, double x) {
  if (x <= 0 && ::floor(x) == x) return __builtin_inf();
  double sum = 0;
  for (; x < 12 || x < 2 * s; x += 1) {
    const double term = ::pow(x, -s);
    sum += term;
    if (::fabs(term) <= 1e-17 * ::fabs(sum)) return sum;
  }
  const double power = ::pow(x, -s);
  sum += x * power / (s - 1) + 0.5 * power;
  constexpr double bernoulli[] = {1. / 12, -1. / 720, 1. / 30240, -1. / 1209600, 1. / 47900160, -691. / 1307674368000.,
      1. / 74724249600.,
                                  -3617. / 10670622842880000.};  // B(2j) / (2j)!
  double factor = s * power / x;
  for (int j = 0; j < 8; j++) {
    sum += bernoulli[j] * factor;
    factor *= (s + 2 * j + 1) * (s + 2 * j + 2) / (x * x);
  }
  return sum;
}
/// The n-th derivative of digamma.
TG_HD inline double polygamma(int n, double x) {
  if (n == 0) return digamma(x);
  if (n == 1 && x < 0.5) {  // reflection keeps trigamma exact for negative x
    const double s = ::sin(3.14159265358979323846 * x);
    return 9.86960440108935861883 / (s * s) - polygamma(1, 1 - x);
  }
  return (n % 2 ? 1 : -1) * ::tgamma(n + 1.) * hurwitz_zeta(n + 1., x);
}
TG_HD inline float polygamma(int n, float x) { return float(polygamma(n, double(x))); }

/// A first guess by Giles' polynomials in w = -log(1 - x^2), made exact by two Newton steps on erf.
TG_HD inline double erfinv(double x) {
  if (x <= -1 || x >= 1) return x == 1 ? __builtin_inf() : x == -1 ? -__builtin_inf() : __builtin_nan("");
  double w = -::log((1 - x) * (1 + x)), p;
  if (w < 5) {
    w -= 2.5;
    p = 1.50140941 + w * (0.246640727 + w * (-0.00417768164 + w * (-0.00125372503
        + w * (0.00021858087 + w * (-4.39150654e-06 + w * (-3.5233877e-06 + w * (3.43273939e-07 + w * 2.81022636e-08)))))));
  } else {
    w = ::sqrt(w) - 3;
    p = 2.83297682 + w * (1.00167406 + w * (0.00943887047 + w * (-0.0076224613
        + w * (0.00573950773 + w * (-0.00367342844 + w * (0.00134934322 + w * (0.000100950558 + w * -0.000200214257)))))));
  }
  double y = p * x;
  for (int i = 0; i < 2; i++) {
    const double a = ::fabs(x), side = x < 0 ? -1 : 1, error = a > 0.5 ? side * ((1 - a) - ::erfc(::fabs(y))) : ::erf(y) - x;
    y -= error / (1.12837916709551257390 * ::exp(-y * y));
  }
  return y;
}
TG_HD inline float erfinv(float x) { return float(erfinv(double(x))); }

}}  // namespace tapegrad
