// Incomplete gamma functions (DLMF chapter 8) and Hurwitz's zeta function.
#pragma once
#include <cmath>

#include "src/ops/cpu/special.h"

namespace tapegrad::math {

inline constexpr double kEpsilon = 0x1p-53, kEuler = 0.57721566490153286061;

// log(x / a) - (x - a) / a
TG_HD inline double log_minus(double x, double a) {
  const double m = (x - a) / a;
  if (std::fabs(m) > 0.4) return std::log(x / a) - m;
  double power = m, sum = 0;
  for (int k = 2; k < 60; k++) {
    power *= -m;
    sum += power / k;
    if (std::fabs(power) < kEpsilon * std::fabs(sum)) break;
  }
  return sum;
}
// log gamma(1 + a) for a in [0, 1/2], exact also relative to a (DLMF 5.7.3).
TG_HD inline double lgamma1p(double a) {
  constexpr double coefficients[] = {  // (-1)^k (zeta(k) - 1) / k from k = 2
      0.32246703342411322, -0.067352301053198095, 0.020580808427784548, -0.0073855510286739853, 0.0028905103307415233,
      -0.001192753911703261, 0.00050966952474304242, -0.00022315475845357938, 9.9457512781808534e-5, -4.4926236738133142e-5,
      2.0507212775670692e-5, -9.4394882752683959e-6, 4.3748667899074878e-6, -2.0392157538013662e-6, 9.5514121304074198e-7,
      -4.492469198764566e-7, 2.1207184805554666e-7, -1.00432248239681e-7, 4.7698101693639806e-8, -2.2711094608943165e-8,
      1.0838659214896954e-8, -5.1834750419700467e-9, 2.4836745438024783e-9, -1.1921401405860912e-9, 5.731367241678862e-10,
      -2.7595228851242331e-10};
  double sum = 0;
  for (int k = 25; k >= 0; k--) sum = (sum + coefficients[k]) * a;
  return sum * a + a * (1 - kEuler) - std::log1p(a);
}
// x^a exp(-x) / gamma(a + 1); for large a through Stirling's series, so that large parts cancel on paper.
TG_HD inline double front_factor(double a, double x) {
  if (a < 20) return x > 700 ? std::exp(a * std::log(x) - x - TG_NS::lgamma(a + 1)) : std::pow(x, a) * std::exp(-x) / std::tgamma(a + 1);
  const double b = 1 / (a * a);
  const double stirling = (1. / 12 - b * (1. / 360 - b * (1. / 1260 - b * (1. / 1680 - b / 1188)))) / a;
  return std::exp(a * log_minus(x, a) - stirling) / std::sqrt(2 * M_PI * a);
}
// P by DLMF 8.11.4: all terms are positive. Good for x < a + 1.
TG_HD inline double p_series(double a, double x) {
  double term = 1, sum = 1;
  for (double n = a + 1; term > kEpsilon * sum; n++) sum += term *= x / n;
  return front_factor(a, x) * sum;
}
// Q by the continued fraction DLMF 8.9.2, forward by Lentz's method. Good for x > a + 1.
TG_HD inline double q_fraction(double a, double x) {
  double b = x + 1 - a, c = INFINITY, d = 1 / b, f = d;
  for (double n = 1;; n++) {
    const double an = -n * (n - a);
    b += 2;
    d = 1 / (an * d + b);
    c = b + an / c;
    f *= c * d;
    if (std::fabs(c * d - 1) < 2 * kEpsilon || n > 1e6) break;
  }
  return front_factor(a, x) * a * f;
}
// Q for small a and x, where it is small and 1 - P would cancel (DLMF 8.7.3).
TG_HD inline double q_series(double a, double x) {
  double term = 1, sum = 0;
  for (int n = 1; n < 60; n++) {
    term *= -x / n;
    sum += term / (a + n);
    if (std::fabs(term) < kEpsilon * std::fabs(sum)) break;
  }
  const double log_factor = a * std::log(x) - lgamma1p(a);
  return -std::expm1(log_factor) - std::exp(log_factor) * a * sum;
}
TG_HD inline bool outside(double a, double x) { return !(a >= 0 && x >= 0) || (a == 0 && x == 0) || (std::isinf(a) && std::isinf(x)); }

TG_HD inline double gamma_p(double a, double x) {
  if (outside(a, x)) return NAN;
  if (a == 0 || std::isinf(x)) return 1;
  if (x == 0 || std::isinf(a)) return 0;
  return x < a + 1 ? p_series(a, x) : 1 - q_fraction(a, x);
}
TG_HD inline double gamma_q(double a, double x) {
  if (outside(a, x)) return NAN;
  if (a == 0 || std::isinf(x)) return 0;
  if (x == 0 || std::isinf(a)) return 1;
  if (a <= 0.5 && x <= 1.5) return q_series(a, x);
  return x < a + 1 ? 1 - p_series(a, x) : q_fraction(a, x);
}
TG_HD inline double zeta(double s, double q) {
  if (s == 1) return INFINITY;
  if (!(s > 1)) return NAN;
  if (q <= 0) {
    if (std::floor(q) == q) return INFINITY;
    if (std::floor(s) != s) return NAN;
  }
  if (std::isinf(q)) return q > 0 ? 0 : NAN;
  return hurwitz_zeta(s, q);
}

}  // namespace tapegrad::math
