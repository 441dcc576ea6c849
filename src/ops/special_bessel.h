// Bessel functions of orders 0 and 1 and Airy's function, without tables of coefficients: power series, backward recurrence,
// a rapidly converging integral, and asymptotic series, each where it is exact to rounding.
#pragma once
#include <cmath>

#include "src/ops/special_gamma.h"

namespace tapegrad::math {

inline constexpr double kLarge = 25;  // from here on the asymptotic series are exact to rounding

struct Pair {
  double cosine, sine;
};
// The even and the odd terms of Hankel's series (DLMF 10.17.3).
TG_HD inline Pair hankel(int order, double x) {
  double term = 1, even = 1, odd = 0;
  for (int k = 1; k < 60; k++) {
    const double next = term * (4. * order * order - (2. * k - 1) * (2. * k - 1)) / (8 * k * x);
    if (std::fabs(next) > std::fabs(term) || std::fabs(next) < kEpsilon) break;
    term = next;
    const double sign = k / 2 % 2 ? -1 : 1;
    (k % 2 ? odd : even) += sign * term;
  }
  return {even, odd};
}
// cos and sin of x - order pi / 2 - pi / 4.
TG_HD inline Pair phase(int order, double x) {
  const double s = std::sin(x), c = std::cos(x), a = (c + s) * M_SQRT1_2, b = (s - c) * M_SQRT1_2;
  return order ? Pair{b, -a} : Pair{a, b};
}

// J and Y of one order from all J_k at once: Miller's backward recurrence, normed by J_0 + 2 J_2 + 2 J_4 + … = 1 (A&S 9.1.46),
// and Neumann's series of Y in them (A&S 9.1.88).
struct JandY {
  double j, y;
};
TG_HD inline JandY miller(int order, double x) {
  const double half = std::log(x / 2) + kEuler;
  if (x < 1e-8) return order ? JandY{x / 2, -2 / (M_PI * x)} : JandY{1, 2 / M_PI * half};
  const int start = 2 * (int(x) / 2) + 34;
  double above = 0, now = 1e-300, total = 0, series = 0, j1 = 0;
  for (int k = start; k > 0; k--) {  // `now` is J_k, but for a factor
    const int m = (k - order) / 2;
    if ((k - order) % 2 == 0 && m > 0) series += (m % 2 ? -1 : 1) * now * (order ? (2. * m + 1) / (double(m) * (m + 1)) : 2. / m);
    if (k % 2 == 0) total += 2 * now;
    if (k == 1) j1 = now;
    const double below = 2. * k / x * now - above;
    above = now, now = below;
    if (std::fabs(now) > 1e250) now *= 1e-300, above *= 1e-300, total *= 1e-300, series *= 1e-300;
  }
  total += now;
  const double j0 = now / total;
  j1 /= total, series /= total;
  if (!order) return {j0, 2 / M_PI * (half * j0 - series)};
  return {j1, 2 / M_PI * ((half - 1) * j1 - j0 / x - series)};
}

TG_HD inline double bessel_j(int order, double x) {
  if (std::isnan(x)) return x;
  const double a = std::fabs(x), sign = order && x < 0 ? -1 : 1;
  if (a == 0 || std::isinf(a)) return order || a ? 0 * sign : 1;
  if (a <= kLarge) return sign * miller(order, a).j;
  const Pair h = hankel(order, a), p = phase(order, a);
  return sign * std::sqrt(2 / (M_PI * a)) * (p.cosine * h.cosine - p.sine * h.sine);
}
TG_HD inline double bessel_y(int order, double x) {
  if (!(x > 0)) return x == 0 ? -INFINITY : NAN;
  if (std::isinf(x)) return 0;
  if (x <= kLarge) return miller(order, x).y;
  const Pair h = hankel(order, x), p = phase(order, x);
  return std::sqrt(2 / (M_PI * x)) * (p.sine * h.cosine + p.cosine * h.sine);
}

// The power series has positive terms only (DLMF 10.25.2); beyond it DLMF 10.40.1.
TG_HD inline double bessel_i_scaled(int order, double x) {
  const double a = std::fabs(x), sign = order && x < 0 ? -1 : 1;
  if (std::isinf(a)) return 0;
  double term = order ? a / 2 : 1, sum = term;
  if (a <= 20) {
    const double q = a * a / 4;
    for (int k = 1; term > kEpsilon * sum; k++) sum += term *= q / (double(k) * (k + order));
    return sign * sum * std::exp(-a);
  }
  term = sum = 1;
  for (int k = 1; k < 60; k++) {
    const double next = term * ((2. * k - 1) * (2. * k - 1) - 4. * order * order) / (8 * k * a);
    if (std::fabs(next) > std::fabs(term) || std::fabs(next) < kEpsilon) break;
    sum += term = next;
  }
  return sign * sum / std::sqrt(2 * M_PI * a);
}
TG_HD inline double bessel_i(int order, double x) {
  const double half = std::exp(std::fabs(x) / 2);  // in two steps: I itself overflows later than exp(|x|)
  return std::isinf(x) ? (order && x < 0 ? -INFINITY : INFINITY) : bessel_i_scaled(order, x) * half * half;
}

// The integral over t > 0 of exp(-x (cosh t - 1)) cosh(order t) (DLMF 10.32.9). The trapezoidal rule converges exponentially,
// since the integrand is analytic, even and falls doubly exponentially.
TG_HD inline double bessel_k_scaled(double order, double x) {
  if (!(x > 0)) return x == 0 ? INFINITY : NAN;
  if (std::isinf(x)) return 0;
  if (x < 1e-8) return (1 + x) * (order == 0 ? -std::log(x / 2) - kEuler : std::tgamma(order) / 2 * std::pow(2 / x, order));
  const double step = std::fmin(0.2, 0.5 / std::sqrt(x));  // large x: a narrow bell
  double sum = 0.5;
  for (int k = 1;; k++) {
    const double t = k * step, s = std::sinh(t / 2), fall = std::exp(-2 * x * s * s) * std::cosh(order * t);
    sum += fall;
    if (fall < kEpsilon * 1e-2 * sum) break;
  }
  return sum * step;
}
TG_HD inline double bessel_k(double order, double x) { return std::isinf(x) && x > 0 ? 0 : bessel_k_scaled(order, x) * std::exp(-x); }

// Up to -9 the asymptotic series DLMF 9.7.9; to 1 Taylor steps of y'' = x y from 0; above, K of order 1/3 (DLMF 9.6.2).
TG_HD inline double airy_ai(double x) {
  if (!std::isfinite(x)) return std::isnan(x) ? x : 0;
  if (x < -9) {
    const double z = -x, zeta = 2. / 3 * z * std::sqrt(z), s = std::sin(zeta), c = std::cos(zeta);
    double term = 1, even = 1, odd = 0;
    for (int k = 1; k < 60; k++) {
      const double next = term * (6. * k - 5) * (6. * k - 3) * (6. * k - 1) / (216. * k * (2 * k - 1) * zeta);
      if (next > term || next < kEpsilon) break;
      term = next;
      (k % 2 ? odd : even) += (k / 2 % 2 ? -1 : 1) * term;
    }
    return ((c + s) * even + (s - c) * odd) * M_SQRT1_2 / (std::sqrt(M_PI) * std::sqrt(std::sqrt(z)));
  }
  if (x > 1) {
    const double zeta = 2. / 3 * x * std::sqrt(x);
    return std::sqrt(x / 3) / M_PI * bessel_k(1. / 3, zeta);
  }
  double y = 0.35502805388781723926, slope = -0.25881940379280679840, at = 0;
  const int steps = int(std::ceil(std::fabs(x))) + 1;
  const double h = x / steps;
  for (int i = 0; i < steps; i++, at += h) {
    double before = 0, a = y, b = slope * h;  // terms n - 1, n, n + 1 of the Taylor series, with their powers of h
    double value = a + b, derivative = b;     // the latter times h
    for (int n = 0; n < 40; n++) {
      const double c = h * h * (at * a + h * before) / ((n + 1.) * (n + 2.));
      value += c, derivative += (n + 2) * c;
      before = a, a = b, b = c;
    }
    y = value, slope = derivative / h;
    if (h == 0) return y;
  }
  return y;
}

}  // namespace tapegrad::math
