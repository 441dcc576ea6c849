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
/// As many lines as fill 64 bytes with their first real parts, of n complex numbers each: number j of line l at l apart + j step
/// in real numbers, where one of the two is 2. And the same split and side by side, at re[j lines + l] and im[j lines + l].
template <class R> struct FftLines {
  int64_t n, apart, step;
  R *re, *im;
};
template <class R> struct FftKernels {
  void (*pass)(const FftPass&);
  void (*split)(const FftLines<R>&, const R* lines);
  void (*join)(const FftLines<R>&, R* lines, R scale);
};
struct FftTable {
  FftKernels<float> f32;
  FftKernels<double> f64;
};
constexpr int kMaxRadix = 31;  // longer primes go another way

}  // namespace tapegrad
