// Special functions, element by element, after PyTorch's torch.special. Integers become the default float type; everything is
// computed in double, to about 1e-14, and rounded once. Those without a note are differentiable, as in PyTorch.
#pragma once
#include "tapegrad/tensor.h"

namespace tapegrad {

TG_API Tensor i0(const Tensor& x);  ///< The modified Bessel function of order 0.
TG_API Tensor igamma(const Tensor& a, const Tensor& x);   ///< The regularized incomplete gamma function P(a, x); no gradient for a
TG_API Tensor igammac(const Tensor& a, const Tensor& x);  ///< Q(a, x) = 1 - P(a, x); no gradient for a
TG_API Tensor mvlgamma(const Tensor& x, int64_t p);       ///< log of the p-variate gamma function
TG_API const Tensor& i0_(const Tensor& self);
TG_API const Tensor& igamma_(const Tensor& self, const Tensor& x);
TG_API const Tensor& igammac_(const Tensor& self, const Tensor& x);
TG_API const Tensor& mvlgamma_(const Tensor& self, int64_t p);
TG_API const Tensor& polygamma_(const Tensor& self, int64_t n);

/// Example: assert(allclose(special::entr(ones({2})), zeros({2})));
namespace special {

// The normal distribution and relatives of erf
TG_API Tensor ndtr(const Tensor& x);      ///< The normal distribution function.
TG_API Tensor log_ndtr(const Tensor& x);  ///< Its logarithm.
TG_API Tensor ndtri(const Tensor& x);     ///< Its inverse.
TG_API Tensor erfcx(const Tensor& x);     ///< exp(x²) erfc(x)
TG_API Tensor entr(const Tensor& x);      ///< -x log x
TG_API Tensor xlog1py(const Tensor& x, const Tensor& other);  ///< x log(1 + other), 0 where x is 0

TG_API Tensor zeta(const Tensor& x, const Tensor& q);       ///< Hurwitz's: sum of (k + q)^-x; no gradient for x

// Bessel and Airy functions; only i0, i0e, i1, i1e have gradients
using tapegrad::i0;
TG_API Tensor i0e(const Tensor& x);  ///< exp(-|x|) i0(x)
TG_API Tensor i1(const Tensor& x);
TG_API Tensor i1e(const Tensor& x);
TG_API Tensor modified_bessel_i0(const Tensor& x);
TG_API Tensor modified_bessel_i1(const Tensor& x);
TG_API Tensor modified_bessel_k0(const Tensor& x);
TG_API Tensor modified_bessel_k1(const Tensor& x);
TG_API Tensor scaled_modified_bessel_k0(const Tensor& x);  ///< exp(x) k0(x)
TG_API Tensor scaled_modified_bessel_k1(const Tensor& x);
TG_API Tensor bessel_j0(const Tensor& x);
TG_API Tensor bessel_j1(const Tensor& x);
TG_API Tensor bessel_y0(const Tensor& x);
TG_API Tensor bessel_y1(const Tensor& x);
TG_API Tensor spherical_bessel_j0(const Tensor& x);
TG_API Tensor airy_ai(const Tensor& x);

// Orthogonal polynomials of degree n, rounded towards 0; a negative degree gives 0. No gradients.
TG_API Tensor chebyshev_polynomial_t(const Tensor& x, const Tensor& n);
TG_API Tensor chebyshev_polynomial_u(const Tensor& x, const Tensor& n);
TG_API Tensor chebyshev_polynomial_v(const Tensor& x, const Tensor& n);
TG_API Tensor chebyshev_polynomial_w(const Tensor& x, const Tensor& n);
TG_API Tensor shifted_chebyshev_polynomial_t(const Tensor& x, const Tensor& n);
TG_API Tensor shifted_chebyshev_polynomial_u(const Tensor& x, const Tensor& n);
TG_API Tensor shifted_chebyshev_polynomial_v(const Tensor& x, const Tensor& n);
TG_API Tensor shifted_chebyshev_polynomial_w(const Tensor& x, const Tensor& n);
TG_API Tensor hermite_polynomial_h(const Tensor& x, const Tensor& n);
TG_API Tensor hermite_polynomial_he(const Tensor& x, const Tensor& n);
TG_API Tensor laguerre_polynomial_l(const Tensor& x, const Tensor& n);
TG_API Tensor legendre_polynomial_p(const Tensor& x, const Tensor& n);

}  // namespace special
}  // namespace tapegrad
