// Functions with packet code: exp, log, log1p, sigmoid, tanh, erf, pow. Accurate to about 1 ulp (2 for sigmoid), special
// values as libm. The polynomials are own Chebyshev and minimax fits.
#pragma once
#include "src/ops/cpu/packet.h"

namespace tapegrad { inline namespace TG_NS {

template <class V, class... C> TG_IN V horner(V x, double c0, C... rest) {
  if constexpr (sizeof...(rest) == 0) return V(c0); else return horner(x, rest...) * x + V(c0);
}

template <class T> struct Format;  // constants of the number format
template <> struct Format<float> {
  static constexpr int mantissa = 23, bias = 127;
  static constexpr double magic = 12582912., exp_max = 89, exp_min = -104, ln2_hi = 0.693359375, ln2_lo = -2.12194440054690583e-4,
                          tiny = 1.17549435e-38, grow = 8388608.;
};
template <> struct Format<double> {
  static constexpr int mantissa = 52, bias = 1023;
  static constexpr double magic = 6755399441055744., exp_max = 710, exp_min = -746, ln2_hi = 0.693147180369123816490,
                          ln2_lo = 1.90821492927058770002e-10, tiny = 2.2250738585072014e-308, grow = 4503599627370496.;
};

/// 2^k e^r with |r| <= ln2 / 2. Scaling in two steps covers subnormals and overflow.
TG_V Vec<T, N> exp(Vec<T, N> x) {
  using V = Vec<T, N>;
  using F = Format<T>;
  const V c = minimum(maximum(x, V(F::exp_min)), V(F::exp_max)), t = c * V(1.4426950408889634) + V(F::magic), k = t - V(F::magic);
  const V r = (c - k * V(F::ln2_hi)) - k * V(F::ln2_lo);
  V p;
  if constexpr (sizeof(T) == 4)
    p = horner(r, 0.5000000014, 0.1666666668, 0.04166645681, 0.008333310024, 0.001393454193, 0.0001989198131);
  else
    p = horner(r, 0.5, 0.16666666666666671438, 0.041666666666666670074, 0.0083333333333255446996, 0.0013888888888883326674,
               0.00019841269876864354929, 0.000024801587327007186731, 2.7557252833516909748e-6, 2.7557271810219799569e-7,
               2.5106274733573294687e-8, 2.0915442297780115216e-9);
  const typename V::Int ki = t.bits() - V(F::magic).bits(), k1 = ki >> 1, k2 = ki - k1;
  return (p * (r * r) + r + V(1)) * V::bits((k1 + F::bias) << F::mantissa) * V::bits((k2 + F::bias) << F::mantissa);
}

/// The atanh series on m in [sqrt(1/2), sqrt(2)); subnormals are scaled up first.
TG_V Vec<T, N> log(Vec<T, N> x) {
  using V = Vec<T, N>;
  using F = Format<T>;
  using I = typename V::Int;
  const auto small = x < V(F::tiny);
  const V y = where(small, x * V(F::grow), x);
  const I e = (y.bits() - V(0.70710678118654752).bits()) >> F::mantissa;
  const V m = V::bits(y.bits() - (e << F::mantissa));
  const V k = V(__builtin_convertvector(e + (small.v & (I{} - F::mantissa)), typename V::Raw));
  const V f = m - V(1), s = f / (V(2) + f), z = s * s, h = V(0.5) * f * f;
  V r;
  if constexpr (sizeof(T) == 4)
    r = z * horner(z, 0.6666666655, 0.4000012559, 0.2855039696, 0.2334194339);
  else
    r = z * horner(z, 0.66666666666666666448, 0.40000000000000941266, 0.28571428570764450117, 0.22222222400547757297,
                   0.18181794700897799585, 0.15386290534658991988, 0.13267418596474883398, 0.13100721383503491392);
  const V result = k * V(F::ln2_hi) - ((h - (s * (h + r) + k * V(F::ln2_lo))) - f), inf = V(__builtin_inf());
  return where(x == V(0), -inf, where((x < V(0)) | (x != x), V(__builtin_nan("")), where(x == inf, inf, result)));
}
TG_V Vec<T, N> log1p(Vec<T, N> x) {  // the rounding error of 1 + x, put back
  using V = Vec<T, N>;
  const V u = V(1) + x, lost = where((u == V(__builtin_inf())) | (u == V(0)), V(0), (x - (u - V(1))) / u);
  return where(u == V(1), x, log(u) + lost);
}
TG_V Vec<T, N> sigmoid(Vec<T, N> x) { return Vec<T, N>(1) / (Vec<T, N>(1) + exp(-x)); }

template <int N> TG_IN Vec<float, N> tanh(Vec<float, N> x) {
  using V = Vec<float, N>;
  const V a = abs(x), z = x * x;
  const V big = V(1) - V(2) / (exp(a + a) + V(1));
  const V small = x * z * horner(z, -0.3333333315, 0.1333330015, -0.05395846163, 0.02176250291, -0.008323187058, 0.002269501684) + x;
  return where(a < V(0.625), small, copysign(big, x));
}
template <int N> TG_IN Vec<double, N> tanh(Vec<double, N> x) {
  return each_lane([](double v) { return tanh(v); }, x);
}
template <int N> TG_IN Vec<float, N> erf(Vec<float, N> x) {
  using V = Vec<float, N>;
  const V a = abs(x), z = x * x, t = minimum(a, V(4));
  const V small = x * horner(z, 0.1283791666, -0.3761263333, 0.1128368872, -0.02685899742, 0.005199989255, -0.000813044467, 8.316879718e-5) + x;
  const V tail = exp(t * horner(t, -1.128734241, -0.6348386282, -0.1066690219, 0.02402030304, -0.003668697231, 0.0002762448312,
                                1.279368213e-5, -4.499955174e-6, 2.774853129e-7));
  return where(a < V(0.93), small, copysign(V(1) - tail, x));
}
template <int N> TG_IN Vec<double, N> erf(Vec<double, N> x) {
  return each_lane([](double v) { return erf(v); }, x);
}

/// Float powers through double log and exp: under 1 ulp, and no table of special cases beyond sign and parity.
template <int N> TG_IN Vec<float, N> pow(Vec<float, N> a, Vec<float, N> b) {
  using V = Vec<float, N>;
  using Wide = Vec<double, N / 2>;
  using Half = typename Vec<float, N / 2>::Raw;
  const V m = abs(a);
  V r;
  for (int i = 0; i < 2; i++) {
    Half x, y;
    __builtin_memcpy(&x, (const char*)&m + i * sizeof x, sizeof x);
    __builtin_memcpy(&y, (const char*)&b + i * sizeof y, sizeof y);
    const Wide wx = Wide(__builtin_convertvector(x, typename Wide::Raw)), wy = Wide(__builtin_convertvector(y, typename Wide::Raw));
    x = __builtin_convertvector(exp(wy * log(wx)).v, Half);
    __builtin_memcpy((char*)&r + i * sizeof x, &x, sizeof x);
  }
  const V half = b * V(0.5);
  const auto whole = floor(b) == b, odd = whole & (floor(half) != half) & (abs(b) < V(16777216));
  const auto negative = (a < V(0)) | ((a == V(0)) & (V(1) / a < V(0)));
  r = where(negative, where(odd, -r, where(whole | (a == V(0)) | (m == V(__builtin_inf())), r, V(__builtin_nan("")))), r);
  return where((b == V(0)) | (a == V(1)) | ((a == V(-1)) & (abs(b) == V(__builtin_inf()))), V(1), r);
}
template <int N> TG_IN Vec<double, N> pow(Vec<double, N> a, Vec<double, N> b) {
  return each_lane([](double x, double y) { return pow(x, y); }, a, b);
}

}}  // namespace tapegrad
