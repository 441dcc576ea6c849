// The special functions that ops are made of: each takes one or two plain numbers in double, on the CPU and in CUDA's kernels alike.
// Outside its domain a function gives NaN, at a pole an infinity.
#pragma once
#include "src/ops/special_bessel.h"
#include "src/ops/special_erf.h"
#include "src/ops/special_gamma.h"
#include "src/ops/special_polynomials.h"

namespace tapegrad {

enum class Special : uint8_t {
  Ndtr, LogNdtr, Ndtri, Erfcx, Entr, SphericalJ0, Airy, I0, I0e, I1, I1e, K0, K1, ScaledK0, ScaledK1, J0, J1, Y0, Y1,
  Xlog1py, GammaP, GammaQ, Zeta,  // from here on of two numbers; then polynomials of a degree
  ChebyshevT, ChebyshevU, ChebyshevV, ChebyshevW, ShiftedT, ShiftedU, ShiftedV, ShiftedW, HermiteH, HermiteHe, Laguerre, Legendre,
  Count
};
constexpr bool is_polynomial(Special f) { return f >= Special::ChebyshevT; }

/// P_n(x) for a degree that comes as a number, too.
template <Special f> TG_HD inline double special_polynomial(double x, double degree) {
  using enum Special;
  if (std::isnan(degree)) return degree;
  const int64_t n = degree < -1 ? -1 : degree > 1e18 ? int64_t(1e18) : int64_t(degree);
  if constexpr (f == ChebyshevT) return math::chebyshev_t(x, n);
  if constexpr (f == ChebyshevU) return math::chebyshev_u(x, n);
  if constexpr (f == ChebyshevV) return math::chebyshev_v(x, n);
  if constexpr (f == ChebyshevW) return math::chebyshev_w(x, n);
  if constexpr (f == ShiftedT) return math::chebyshev_t(2 * x - 1, n);
  if constexpr (f == ShiftedU) return math::chebyshev_u(2 * x - 1, n);
  if constexpr (f == ShiftedV) return math::chebyshev_v(2 * x - 1, n);
  if constexpr (f == ShiftedW) return math::chebyshev_w(2 * x - 1, n);
  if constexpr (f == HermiteH) return math::hermite_h(x, n);
  if constexpr (f == HermiteHe) return math::hermite_he(x, n);
  if constexpr (f == Laguerre) return math::laguerre(x, n);
  if constexpr (f == Legendre) return math::legendre(x, n);
}
/// f(a, b); b is not looked at by functions of one number.
template <Special f> TG_HD inline double special_function(double a, [[maybe_unused]] double b) {
  using enum Special;
  if constexpr (is_polynomial(f)) return special_polynomial<f>(a, b);
  else if constexpr (f == Ndtr) return math::ndtr(a);
  else if constexpr (f == LogNdtr) return math::log_ndtr(a);
  else if constexpr (f == Ndtri) return math::ndtri(a);
  else if constexpr (f == Erfcx) return math::erfcx(a);
  else if constexpr (f == Entr) return a > 0 ? -a * std::log(a) : a == 0 ? 0 : std::isnan(a) ? a : -INFINITY;
  else if constexpr (f == SphericalJ0) return std::isinf(a) ? 0 : a == 0 ? 1 : std::sin(a) / a;
  else if constexpr (f == Airy) return math::airy_ai(a);
  else if constexpr (f == I0) return math::bessel_i(0, a);
  else if constexpr (f == I0e) return math::bessel_i_scaled(0, a);
  else if constexpr (f == I1) return math::bessel_i(1, a);
  else if constexpr (f == I1e) return math::bessel_i_scaled(1, a);
  else if constexpr (f == K0) return math::bessel_k(0, a);
  else if constexpr (f == K1) return math::bessel_k(1, a);
  else if constexpr (f == ScaledK0) return math::bessel_k_scaled(0, a);
  else if constexpr (f == ScaledK1) return math::bessel_k_scaled(1, a);
  else if constexpr (f == J0) return math::bessel_j(0, a);
  else if constexpr (f == J1) return math::bessel_j(1, a);
  else if constexpr (f == Y0) return math::bessel_y(0, a);
  else if constexpr (f == Y1) return math::bessel_y(1, a);
  else if constexpr (f == Xlog1py) return a == 0 && !std::isnan(b) ? 0 : a * std::log1p(b);
  else if constexpr (f == GammaP) return math::gamma_p(a, b);
  else if constexpr (f == GammaQ) return math::gamma_q(a, b);
  else return math::zeta(a, b);
}

}  // namespace tapegrad
