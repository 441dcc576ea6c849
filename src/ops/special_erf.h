// The normal distribution, its logarithm and inverse, all over one scaled function that neither over- nor underflows: erfcx.
#pragma once
#include <cmath>

#include "src/ops/cpu/special.h"

namespace tapegrad::math {

// exp(factor x²) with the rounding error of x² made good.
TG_HD inline double exp_of_square(double x, double factor) {
  const double square = x * x, rest = std::fma(x, x, -square);
  return std::exp(factor * square) * (1 + factor * rest);
}

// From 4 on the continued fraction 1 / (x + (1/2) / (x + (2/2) / (x + (3/2) / …))) (DLMF 7.9.1).
TG_HD inline double erfcx(double x) {
  if (x < -27) return INFINITY;
  if (!(x >= 4)) return exp_of_square(x, 1) * std::erfc(x);
  double f = x;
  for (int k = 40; k > 0; k--) f = x + 0.5 * k / f;
  return M_2_SQRTPI / 2 / f;
}
TG_HD inline double ndtr(double x) {
  if (x < -38.5) return 0;
  return x < -1 ? 0.5 * exp_of_square(x, -0.5) * erfcx(-x * M_SQRT1_2) : 0.5 * std::erfc(-x * M_SQRT1_2);
}
TG_HD inline double log_ndtr(double x) {
  if (x < -1) return std::log(0.5 * erfcx(-x * M_SQRT1_2)) - 0.5 * x * x;
  return std::log1p(-ndtr(-x));
}

// In the lower tail a rational guess (A&S 26.2.23) and Halley's method on log ndtr(x) = log p.
TG_HD inline double ndtri_tail(double p) {
  const double wanted = std::log(p), t = std::sqrt(-2 * wanted);
  double x = (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t;
  for (int i = 0; i < 3; i++) {
    const double slope = M_2_SQRTPI * M_SQRT1_2 / erfcx(-x * M_SQRT1_2);  // (log ndtr)'; its own derivative is -slope (slope + x)
    const double step = (log_ndtr(x) - wanted) / slope;
    x -= step / (1 + 0.5 * step * (slope + x));
  }
  return x;
}
TG_HD inline double ndtri(double p) {
  if (p == 0 || p == 1) return p == 0 ? -INFINITY : INFINITY;
  if (!(p > 0 && p < 1)) return NAN;
  if (p > 0.25 && p < 0.75) return M_SQRT2 * TG_NS::erfinv(2 * p - 1);
  return p > 0.5 ? -ndtri_tail(1 - p) : ndtri_tail(p);
}

}  // namespace tapegrad::math
