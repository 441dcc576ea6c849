// Special functions of plain numbers in double, from published formulas; a file of .cpp for each group says which.
// Outside its domain a function gives NaN, at a pole an infinity.
#pragma once
#include <cstdint>

namespace tapegrad::math {

// special_erf.cpp
double erfcx(double x);
double ndtr(double x);
double log_ndtr(double x);
double ndtri(double p);

// special_gamma.cpp
double gamma_p(double a, double x);  // regularized incomplete gamma functions: p + q = 1
double gamma_q(double a, double x);
double zeta(double s, double q);

// special_bessel.cpp
double bessel_j(int order, double x);  // order 0 or 1
double bessel_y(int order, double x);
double bessel_i_scaled(int order, double x);  // exp(-|x|) I(x)
double bessel_i(int order, double x);
double bessel_k_scaled(double order, double x);  // exp(x) K(x)
double bessel_k(double order, double x);
double airy_ai(double x);

// special_polynomials.cpp
double chebyshev_t(double x, int64_t n);
double chebyshev_u(double x, int64_t n);
double chebyshev_v(double x, int64_t n);
double chebyshev_w(double x, int64_t n);
double hermite_h(double x, int64_t n);
double hermite_he(double x, int64_t n);
double laguerre(double x, int64_t n);
double legendre(double x, int64_t n);

}  // namespace tapegrad::math
