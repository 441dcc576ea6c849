// Counts drawn by rejection, one element at a time with numbers from counters of its own: the same on the CPU and on CUDA.
#pragma once
#include "src/ops/cpu/special.h"
#include "src/ops/formulas_random.h"

namespace tapegrad { inline namespace TG_NS {

// Small rates by counting exponential waits; large ones by Hörmann's transformed rejection with squeeze (PTRS, 1993).
TG_HD inline double poisson_draw(double rate, uint64_t seed, uint64_t counter) {
  uint32_t w[4];
  uint64_t used = 0;
  const auto uniform = [&] {
    if (used % 2 == 0) philox(seed, counter, used / 2, w);
    return unit53(w + used++ % 2 * 2);
  };
  if (rate == 0) return 0;
  if (rate < 10) {
    const double limit = ::exp(-rate);
    double product = 1;
    for (int64_t n = 0;; n++)
      if ((product *= 1 - uniform()) < limit) return double(n);
  }
  const double b = 0.931 + 2.53 * ::sqrt(rate), a = -0.059 + 0.02483 * b, log_rate = ::log(rate);
  const double alpha = 1.1239 + 1.1328 / (b - 3.4), bound = 0.9277 - 3.6224 / (b - 2);
  for (;;) {
    const double u = uniform() - 0.5, v = 1 - uniform(), s = 0.5 - ::fabs(u);
    const double k = ::floor((2 * a / s + b) * u + rate + 0.43);
    if (s >= 0.07 && v <= bound) return k;
    if (k < 0 || (s < 0.013 && v > s)) continue;
    if (::log(v) + ::log(alpha) - ::log(a / (s * s) + b) <= -rate + k * log_rate - lgamma(k + 1)) return k;
  }
}

// How many of n trials of probability p, at most 1/2, succeed. Few expected: the gaps between successes are geometric. Many: BTRS, a
// transformed rejection (Hörmann, 1993).
template <class U> TG_HD inline double few_successes(double n, double p, U uniform) {
  if (p == 0) return 0;
  if (n * p < 10) {
    const double scale = 1 / ::log1p(-p);
    double trials = 0;
    for (double successes = 0;; successes++) {
      trials += ::fmax(1.0, ::ceil(::log1p(-uniform()) * scale));
      if (trials > n) return successes;
    }
  }
  const double deviation = ::sqrt(n * p * (1 - p)), b = 1.15 + 2.53 * deviation, a = -0.0873 + 0.0248 * b + 0.01 * p, c = n * p + 0.5;
  const double bound = 0.92 - 4.2 / b, alpha = (2.83 + 5.1 / b) * deviation, odds = ::log(p / (1 - p)), mode = ::floor((n + 1) * p);
  const double peak = lgamma(mode + 1) + lgamma(n - mode + 1);
  for (;;) {
    const double u = uniform() - 0.5, s = 0.5 - ::fabs(u), k = ::floor((2 * a / s + b) * u + c), v = 1 - uniform();
    if (s >= 0.07 && v <= bound) return k;
    if (k < 0 || k > n) continue;
    if (::log(v * alpha / (a / (s * s) + b)) <= peak - lgamma(k + 1) - lgamma(n - k + 1) + (k - mode) * odds) return k;
  }
}
TG_HD inline double binomial_draw(double n, double p, uint64_t seed, uint64_t counter) {
  const auto uniform = [&] {  // a stream of its own: another seed, this element's counter
    uint32_t words[4];
    philox(seed += 0x9E3779B97F4A7C15u, counter, 0, words);
    return unit53(words);
  };
  return p > 0.5 ? n - few_successes(n, 1 - p, uniform) : few_successes(n, p, uniform);
}

}}  // namespace tapegrad
