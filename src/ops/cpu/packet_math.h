// Functions with packet code: exponentials, logarithms, sigmoid, tanh, sin, cos, and erf and pow of floats. Accurate to about
// 1 ulp (2 for sigmoid), special values as libm. The polynomials are own Chebyshev fits.
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

/// (e^r - 1 - r) / r^2 for |r| <= ln2 / 2.
TG_V Vec<T, N> exp_tail(Vec<T, N> r) {
  if constexpr (sizeof(T) == 4)
    return horner(r, 0.5000000014, 0.1666666668, 0.04166645681, 0.008333310024, 0.001393454193, 0.0001989198131);
  else
    return horner(r, 0.5, 0.16666666666666671438, 0.041666666666666670074, 0.0083333333333255446996, 0.0013888888888883326674,
                  0.00019841269876864354929, 0.000024801587327007186731, 2.7557252833516909748e-6, 2.7557271810219799569e-7,
                  2.5106274733573294687e-8, 2.0915442297780115216e-9);
}
/// y 2^k for whole k; in two steps, which covers subnormals and overflow.
TG_V Vec<T, N> scale(Vec<T, N> y, Vec<T, N> shifted_k) {  // shifted_k: k + magic
  using V = Vec<T, N>;
  using F = Format<T>;
  const typename V::Int k = shifted_k.bits() - V(F::magic).bits(), k1 = k >> 1, k2 = k - k1;
  return y * V::bits((k1 + F::bias) << F::mantissa) * V::bits((k2 + F::bias) << F::mantissa);
}
/// 2^k e^r with |r| <= ln2 / 2.
TG_V Vec<T, N> exp(Vec<T, N> x) {
  using V = Vec<T, N>;
  using F = Format<T>;
  const V c = minimum(maximum(x, V(F::exp_min)), V(F::exp_max)), t = c * V(1.4426950408889634) + V(F::magic), k = t - V(F::magic);
  const V r = (c - k * V(F::ln2_hi)) - k * V(F::ln2_lo);
  return scale(exp_tail(r) * (r * r) + r + V(1), t);
}
TG_V Vec<T, N> exp2(Vec<T, N> x) {
  using V = Vec<T, N>;
  using F = Format<T>;
  constexpr double limit = sizeof(T) == 4 ? 151 : 1076;
  const V c = minimum(maximum(x, V(-limit)), V(limit)), t = c + V(F::magic),
      r = (c - (t - V(F::magic))) * V(0.69314718055994530942);
  return scale(exp_tail(r) * (r * r) + r + V(1), t);
}
/// 2^k (e^r - 1) + (2^k - 1): nothing cancels, since e^r - 1 is exact near 0. Far from 0 it is exp(x) - 1.
TG_V Vec<T, N> expm1(Vec<T, N> x) {
  using V = Vec<T, N>;
  using F = Format<T>;
  const V c = minimum(maximum(x, V(-40)), V(40)), t = c * V(1.4426950408889634) + V(F::magic), k = t - V(F::magic);
  const V r = (c - k * V(F::ln2_hi)) - k * V(F::ln2_lo), p = scale(V(1), t);
  const V y = p * (exp_tail(r) * (r * r) + r) + (p - V(1));
  return where(abs(x) < V(40), where(x == V(0), x, y), exp(x) - V(1));
}

/// x = 2^k m with m in [sqrt(1/2), sqrt(2)), by the atanh series log(m) = f - (h - s (h + r)). Subnormals are scaled up first.
template <class V> struct LogParts { V k, f, h, shr; };
TG_V LogParts<Vec<T, N>> log_parts(Vec<T, N> x) {
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
  return {k, f, h, s * (h + r)};
}
/// What every logarithm does outside (0, inf).
TG_V Vec<T, N> log_edges(Vec<T, N> x, Vec<T, N> y) {
  using V = Vec<T, N>;
  const V inf = V(__builtin_inf());
  return where(x == V(0), -inf, where((x < V(0)) | (x != x), V(__builtin_nan("")), where(x == inf, inf, y)));
}
TG_V Vec<T, N> log(Vec<T, N> x) {
  using V = Vec<T, N>;
  using F = Format<T>;
  const auto p = log_parts(x);
  return log_edges(x, p.k * V(F::ln2_hi) - ((p.h - (p.shr + p.k * V(F::ln2_lo))) - p.f));
}
TG_V Vec<T, N> log2(Vec<T, N> x) {  // whole powers of two stay exact: f is 0
  const auto p = log_parts(x);
  return log_edges(x, p.k + (p.f - (p.h - p.shr)) * Vec<T, N>(1.44269504088896340736));
}
TG_V Vec<T, N> log10(Vec<T, N> x) {
  using V = Vec<T, N>;
  constexpr bool single = sizeof(T) == 4;
  constexpr double hi = single ? 0.301025390625 : 0.301029995663611771306;  // log10(2) in two parts
  constexpr double lo = single ? 4.6050389811952137389e-6 : 3.6942390771589305366e-13;
  const auto p = log_parts(x);
  return log_edges(x, p.k * V(hi) + (p.k * V(lo) + (p.f - (p.h - p.shr)) * V(0.43429448190325182765)));
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
  const V small = x * z * horner(z, -0.3333333315, 0.1333330015, -0.05395846163, 0.02176250291, -0.008323187058,
      0.002269501684) + x;
  return copysign(where(a < V(0.625), small, big), x);
}
template <int N> TG_IN Vec<double, N> tanh(Vec<double, N> x) {
  using V = Vec<double, N>;
  const V t = expm1(minimum(abs(x), V(22)) * V(2));
  return where(x != x, x, copysign(t / (t + V(2)), x));
}
template <int N> TG_IN Vec<float, N> erf(Vec<float, N> x) {
  using V = Vec<float, N>;
  const V a = abs(x), z = x * x, t = minimum(a, V(4));
  const V small = x * horner(z, 0.1283791666, -0.3761263333, 0.1128368872, -0.02685899742, 0.005199989255, -0.000813044467,
      8.316879718e-5) + x;
  const V tail = exp(t * horner(t, -1.128734241, -0.6348386282, -0.1066690219, 0.02402030304, -0.003668697231, 0.0002762448312,
                                1.279368213e-5, -4.499955174e-6, 2.774853129e-7));
  return where(a < V(0.93), small, copysign(V(1) - tail, x));
}
template <int N> TG_IN Vec<double, N> erf(Vec<double, N> x) {
  return each_lane([](double v) { return erf(v); }, x);
}

// ---- sin and cos: x = k pi/2 + r, then a polynomial in r, chosen and signed by k modulo 4

TG_V bool any(Mask<T, N> m) {
  typename IntOf<T>::type r = 0;
  for (int i = 0; i < N; i++) r |= m.v[i];
  return r;
}
/// sin(r + k pi/2) for |r| <= pi/4 and whole k.
TG_V Vec<T, N> sin_quadrant(Vec<T, N> r, typename Vec<T, N>::Int k) {
  using V = Vec<T, N>;
  using M = Mask<T, N>;
  const V z = r * r;
  V s, c;
  if constexpr (sizeof(T) == 4) {
    s = horner(z, -0.16666664539989612813, 0.0083327247326302922174, -0.00019582855850789988097);
    c = horner(z, 0.041666664536946091686, -0.0013888279449649537101, 0.000024542896336944627119);
  } else {
    s = horner(z, -0.16666666666666664366, 0.0083333333333307006253, -0.00019841269836387346242, 2.7557315911911159132e-6,
               -2.505109250706138589e-8, 1.5915323212271400322e-10);
    c = horner(z, 0.041666666666666665228, -0.0013888888888887242183, 0.000024801587298533455014, -2.7557317152467039576e-7,
               2.0876121658871158775e-9, -1.138087694816971604e-11);
  }
  const V y = where(M{(k & 1) != 0}, V(1) - (V(0.5) * z - z * z * c), r * z * s + r);
  return where(M{(k & 2) != 0}, -y, y);
}
// Floats are reduced in double by pi/2 in two parts, which will do for |x| below 1e8; doubles in three parts, below 1e6.
template <int N> TG_IN Vec<float, N> sin_shifted(Vec<float, N> x, int quarter) {
  using V = Vec<float, N>;
  using Wide = Vec<double, N / 2>;
  using Half = typename Vec<float, N / 2>::Raw;
  using HalfInt = typename Vec<float, N / 2>::Int;
  V r;
  typename V::Int k;
  for (int i = 0; i < 2; i++) {
    Half h;
    __builtin_memcpy(&h, (const char*)&x + i * sizeof h, sizeof h);
    const Wide w = Wide(__builtin_convertvector(h, typename Wide::Raw)),
        t = w * Wide(0.63661977236758134308) + Wide(6755399441055744.);
    const Wide n = t - Wide(6755399441055744.);
    h = __builtin_convertvector(((w - n * Wide(1.57079632673412561416626)) - n * Wide(6.077100506506192601e-11)).v, Half);
    const HalfInt q = __builtin_convertvector(t.bits(), HalfInt);  // k is in the low bits
    __builtin_memcpy((char*)&r + i * sizeof h, &h, sizeof h);
    __builtin_memcpy((char*)&k + i * sizeof q, &q, sizeof q);
  }
  return sin_quadrant(r, k + quarter);
}
template <int N> TG_IN Vec<double, N> sin_shifted(Vec<double, N> x, int quarter) {
  using V = Vec<double, N>;
  const V t = x * V(0.63661977236758134308) + V(6755399441055744.), k = t - V(6755399441055744.);
  const V r = ((x - k * V(1.57079632673412561416626)) - k * V(6.077100506303965976595549e-11)) - k * V(2.022266248795950732399685e-21);
  return sin_quadrant(r, t.bits() + quarter);
}
template <class T> constexpr double kSinLimit = sizeof(T) == 4 ? 1e8 : 1e6;
TG_V Vec<T, N> sin(Vec<T, N> x) {
  if (any(Mask<T, N>{~(abs(x) < Vec<T, N>(kSinLimit<T>)).v})) return each_lane([](T v) { return sin(v); }, x);
  return where(x == Vec<T, N>(0), x, sin_shifted(x, 0));
}
TG_V Vec<T, N> cos(Vec<T, N> x) {
  if (any(Mask<T, N>{~(abs(x) < Vec<T, N>(kSinLimit<T>)).v})) return each_lane([](T v) { return cos(v); }, x);
  return sin_shifted(x, 1);
}

/// atan: beyond tan(3 pi/8) through -1/x, beyond tan(pi/8) through (x - 1) / (x + 1).
TG_V Vec<T, N> atan(Vec<T, N> x) {
  using V = Vec<T, N>;
  const V a = abs(x);
  const auto far = a > V(2.41421356237309504880), middle = a > V(0.41421356237309504880);
  const V r = where(far, V(-1), where(middle, a - V(1), a)) / where(far, a, where(middle, a + V(1), V(1)));
  const V base = where(far, V(1.57079632679489661923), where(middle, V(0.78539816339744830962), V(0)));
  const V z = r * r;
  V p;
  if constexpr (sizeof(T) == 4)
    p = horner(z, -0.33333331609023929055, 0.19999505867568434944, -0.14262768287365591204, 0.10731026485233337827,
        -0.064102385475622809192);
  else
    p = horner(z, -0.33333333333333329448, 0.19999999999994623888, -0.14285714284481354096, 0.11111111000512125517,
               -0.090909039850883368868, 0.076921695524747547784, -0.066643212641778072856, 0.058565132983211319302,
               -0.050769758261098085129, 0.038989279852186308195, -0.018882987965693000122);
  return copysign(base + (r * z * p + r), x);
}

/// What is left of a / b rounded towards 0. One fused step is exact while the quotient is whole numbers of the format;
/// beyond, and without FMA, lane by lane.
TG_V Vec<T, N> fmod(Vec<T, N> a, Vec<T, N> b) {
#ifdef __FMA__
  using V = Vec<T, N>;
  const V x = abs(a), y = abs(b), q = trunc(x / y);
  if (!any(Mask<T, N>{~((q < V(Format<T>::grow / 4)) & (y > V(Format<T>::tiny))).v})) {
    V r = x - q * y;  // contracted to one rounding
    r = where(r < V(0), r + y, where(r >= y, r - y, r));
    return copysign(where(y == V(__builtin_inf()), x, r), a);
  }
#endif
  return each_lane([](T x, T y) { return fmod(x, y); }, a, b);
}
TG_V Vec<T, N> floor_mod(Vec<T, N> a, Vec<T, N> b) {
  using V = Vec<T, N>;
  const V r = fmod(a, b);
  return where((r != V(0)) & ((r < V(0)) != (b < V(0))), r + b, r);
}
TG_V Vec<T, N> floor_div(Vec<T, N> a, Vec<T, N> b) {  // as the scalar one
  using V = Vec<T, N>;
  const V m = fmod(a, b), whole = (a - m) / b, down = where((m != V(0)) & ((b < V(0)) != (m < V(0))), whole - V(1), whole);
  const V f = floor(down), q = where(down - f > V(0.5), f + V(1), f);
  return where(b == V(0), a / b, where(down == V(0), copysign(V(0), a / b), q));
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
