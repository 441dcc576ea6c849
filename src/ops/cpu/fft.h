// One pass of a Fourier transform over split numbers: real parts and imaginary parts in arrays of their own.
// Plain data only: see table.h.
#pragma once
#include <stdint.h>

namespace tapegrad {

/// A radix-r step of Stockham's transform (which sorts itself) of length n = r m, over `inner` transforms side by side:
///   y[(r p + k) inner + q] = w^(pk) sum over j of x[(p + m j) inner + q] v^(jk)     p < m, k < r, q < inner
/// with w = exp(-2 pi i / n) and v = exp(-2 pi i / r). `cos` and `sin` hold exp(-2 pi i t / (n step)), so w^t is at t step.
struct FftPass {
  int64_t r, m, inner, step;
  const void *cos, *sin, *x_re, *x_im;
  void *y_re, *y_im;
};
struct FftTable {
  void (*f32)(const FftPass&);
  void (*f64)(const FftPass&);
};
constexpr int kMaxRadix = 31;  // longer primes go another way

}  // namespace tapegrad
