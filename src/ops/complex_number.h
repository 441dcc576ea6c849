// The words of cpu/scalar.h on complex numbers: what lets the formulas that hold for them run on them. Arithmetic is the plain
// formula, without the C standard's repairs of infinities; functions are those of <complex>, with their branch cuts.
#pragma once
#ifdef __CUDACC__
#include <cuda/std/complex>
#else
#include <complex>
#endif

#include "src/ops/cpu/scalar.h"
#include "tapegrad/types.h"

namespace tapegrad {

// On the device functions are called, not inlined: they are long.
#ifdef __CUDACC__
namespace complex_functions = cuda::std;
#define TG_CALLED __host__ __device__ __noinline__
#else
namespace complex_functions = std;
#define TG_CALLED
#endif
template <class R> using Standard = complex_functions::complex<R>;

template <class R> void put(char* p, int64_t i, Complex<R> z) { reinterpret_cast<Complex<R>*>(p)[i] = z; }
template <class R> TG_HD Standard<R> standard(Complex<R> z) { return {z.re, z.im}; }
template <class R> TG_HD Complex<R> own(Standard<R> z) { return {z.real(), z.imag()}; }

template <class R> TG_HD Complex<R> operator+(Complex<R> a, Complex<R> b) { return {a.re + b.re, a.im + b.im}; }
template <class R> TG_HD Complex<R> operator-(Complex<R> a, Complex<R> b) { return {a.re - b.re, a.im - b.im}; }
template <class R> TG_HD Complex<R> operator-(Complex<R> a) { return {-a.re, -a.im}; }
template <class R> TG_HD Complex<R> operator*(Complex<R> a, Complex<R> b) { return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re}; }
/// R. L. Smith, "Algorithm 116: Complex division", CACM 5 (1962): divides by the larger part first, so that nothing overflows early.
template <class R> TG_HD Complex<R> operator/(Complex<R> a, Complex<R> b) {
  if (abs(b.re) >= abs(b.im)) {
    if (b.re == 0 && b.im == 0) return {a.re / abs(b.re), a.im / abs(b.im)};
    const R ratio = b.im / b.re, scale = 1 / (b.re + b.im * ratio);
    return {(a.re + a.im * ratio) * scale, (a.im - a.re * ratio) * scale};
  }
  const R ratio = b.re / b.im, scale = 1 / (b.re * ratio + b.im);
  return {(a.re * ratio + a.im) * scale, (a.im * ratio - a.re) * scale};
}

template <class R> TG_HD Complex<R> conj(Complex<R> z) { return {z.re, -z.im}; }
template <class R> TG_HD R real(Complex<R> z) { return z.re; }
template <class R> TG_HD R abs(Complex<R> z) { return hypot(z.re, z.im); }
template <class R> TG_HD Complex<R> zeros_like(const Complex<R>&) { return {}; }
template <class R> TG_HD bool isnan(Complex<R> z) { return z != z; }
template <class R> TG_HD bool isinf(Complex<R> z) { return isinf(z.re) || isinf(z.im); }
template <class R> TG_HD bool isfinite(Complex<R> z) { return isfinite(z.re) && isfinite(z.im); }

#define TG_WORD(name) template <class R> TG_CALLED Complex<R> name(Complex<R> z) { return own(complex_functions::name(standard(z))); }
TG_WORD(exp) TG_WORD(log) TG_WORD(log10) TG_WORD(sqrt) TG_WORD(sin) TG_WORD(cos) TG_WORD(tan) TG_WORD(asin) TG_WORD(acos) TG_WORD(atan)
TG_WORD(sinh) TG_WORD(cosh) TG_WORD(tanh) TG_WORD(asinh) TG_WORD(acosh) TG_WORD(atanh)
#undef TG_WORD
template <class R> TG_HD Complex<R> log2(Complex<R> z) { return log(z) * Complex<R>(R(1.44269504088896340736)); }
template <class R> TG_HD Complex<R> exp2(Complex<R> z) { return exp(z * Complex<R>(R(0.69314718055994530942))); }
/// exp(a + ib) - 1 = expm1(a) cos b - 2 sin(b/2)^2 + i exp(a) sin b: no cancellation near 0.
template <class R> TG_CALLED Complex<R> expm1(Complex<R> z) {
  const R s = sin(z.im / 2);
  return {expm1(z.re) * cos(z.im) - 2 * s * s, exp(z.re) * sin(z.im)};
}
/// log(1 + z) = log1p(2a + a^2 + b^2) / 2 + i atan2(b, 1 + a), exact near 0; far away the square may overflow.
template <class R> TG_CALLED Complex<R> log1p(Complex<R> z) {
  if (abs(z) > R(0.5)) return log(z + Complex<R>(1));
  return {log1p(z.re * (2 + z.re) + z.im * z.im) / 2, atan2(z.im, 1 + z.re)};
}
template <class R> TG_CALLED Complex<R> pow(Complex<R> a, Complex<R> b) {
  if (b == Complex<R>(0)) return Complex<R>(1);
  if (b.im == 0) return own(complex_functions::pow(standard(a), b.re));
  return own(complex_functions::pow(standard(a), standard(b)));
}
#undef TG_CALLED

}  // namespace tapegrad
