// Functions with packet code: exponentials, logarithms, powers, remainders, sigmoid, tanh, erf. docs/accuracy.md has their errors;
// special values are as libm's. The polynomials are own Chebyshev fits.
#pragma once
#include "src/ops/cpu/packet.h"

namespace tapegrad { inline namespace TG_NS {

template <class V, class... C> TG_IN V horner(V x, double c0, C... rest) {
  if constexpr (sizeof...(rest) == 0) return V(c0); else return horner(x, rest...) * x + V(c0);
}

/// Halves of a packet of floats, as doubles: what is computed so, with polynomials as short as floats allow, is rounded once.
template <int N> TG_IN Vec<double, N / 2> half_of(Vec<float, N> x, int i) {
  typename Vec<float, N / 2>::Raw h;
  __builtin_memcpy(&h, (const char*)&x + i * sizeof h, sizeof h);
  return Vec<double, N / 2>(__builtin_convertvector(h, typename Vec<double, N / 2>::Raw));
}
template <int N> TG_IN void put_half(Vec<float, N>& to, int i, Vec<double, N / 2> x) {
  const auto h = __builtin_convertvector(x.v, typename Vec<float, N / 2>::Raw);
  __builtin_memcpy((char*)&to + i * sizeof h, &h, sizeof h);
}
template <class F, int N> TG_IN Vec<float, N> in_double(F f, Vec<float, N> x) {
  Vec<float, N> r;
  for (int i = 0; i < 2; i++) put_half(r, i, f(half_of(x, i)));
  return r;
}
template <class F, int N> TG_IN Vec<float, N> in_double(F f, Vec<float, N> x, Vec<float, N> y) {
  Vec<float, N> r;
  for (int i = 0; i < 2; i++) put_half(r, i, f(half_of(x, i), half_of(y, i)));
  return r;
}

template <class T> struct Format;  // constants of the number format
template <> struct Format<float> {
  static constexpr int mantissa = 23, bias = 127;
  static constexpr double magic = 12582912., exp_max = 90, exp_min = -104, ln2_hi = 0.693359375, ln2_lo = -2.12194440054690583e-4,
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
#ifdef __AVX512F__
  if constexpr (sizeof y == 64) return scaled(y, shifted_k - V(F::magic));
#endif
  const typename V::Int k = shifted_k.bits() - V(F::magic).bits(), k1 = k >> 1, k2 = k - k1;
  return y * V::bits((k1 + F::bias) << F::mantissa) * V::bits((k2 + F::bias) << F::mantissa);
}
/// e^x 2^power, as 2^k e^r with |r| <= ln2 / 2.
template <int power, class T, int N> TG_IN Vec<T, N> exp_scaled(Vec<T, N> x) {
  using V = Vec<T, N>;
  using F = Format<T>;
  const V c = limited(x, F::exp_min, F::exp_max), t = c * V(1.4426950408889634) + V(F::magic), k = t - V(F::magic);
  const V r = (c - k * V(F::ln2_hi)) - k * V(F::ln2_lo), y = (exp_tail(r) * r + V(1)) * r + V(1);
  if constexpr (power == 0) return scale(y, t); else return scale(y, t + V(power));
}
TG_V Vec<T, N> exp(Vec<T, N> x) { return exp_scaled<0>(x); }
TG_V Vec<T, N> exp2(Vec<T, N> x) {
  using V = Vec<T, N>;
  using F = Format<T>;
  constexpr double limit = sizeof(T) == 4 ? 151 : 1076;
  const V c = limited(x, -limit, limit), t = c + V(F::magic),
      r = (c - (t - V(F::magic))) * V(0.69314718055994530942);
  return scale((exp_tail(r) * r + V(1)) * r + V(1), t);
}
/// 2^k (e^r - 1) + (2^k - 1): nothing cancels, since e^r - 1 is exact near 0. Far from 0 it is exp(x) - 1.
TG_V Vec<T, N> expm1(Vec<T, N> x) {
  using V = Vec<T, N>;
  using F = Format<T>;
  const V c = limited(x, -40, 40), t = c * V(1.4426950408889634) + V(F::magic), k = t - V(F::magic);
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
/// 1 / (1 + e^-x), e^-x = 2^k + 2^k (e^r - 1). One rounding of the sum counts: 2^k + 1 is exact or, far off, 1 has next to no weight.
/// 0 where 2^k is too large.
TG_V Vec<T, N> sigmoid(Vec<T, N> x) {
  using V = Vec<T, N>;
  using F = Format<T>;
  constexpr double most = (F::bias + 0.5) * 0.69314718;
  const V c = limited(-x, F::exp_min, most), t = c * V(1.4426950408889634) + V(F::magic), k = t - V(F::magic);
  const V r = (c - k * V(F::ln2_hi)) - k * V(F::ln2_lo), p = scale(V(1), t);
  const auto far = p > V(double(int64_t(1) << (F::mantissa - 1)));
  const V larger = where(far, p, p + V(1)), smaller = where(far, V(1), V(0));
  const V y = V(1) / ((p * (exp_tail(r) * (r * r) + r) + smaller) + larger);
  return where(x < V(-most), V(0), y);
}

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

/// The normal distribution function. With AVX-512 registers hold tables: polynomials about 32 centres, 3/16 apart, to |x| = 5.8,
/// where a float no longer sees what is left.
#ifdef __AVX512F__
alignas(64) inline constexpr float kNormal[5][32] = {
    {0.f, 0.0743656904f, 0.146169767f, 0.213112295f, 0.27337265f, 0.325749278f, 0.369705468f, 0.40532425f,
     0.43319279f, 0.454246372f, 0.469603628f, 0.480419934f, 0.487775534f, 0.492605388f, 0.495667547f, 0.497542113f,
     0.498650104f, 0.499282449f, 0.499630928f, 0.499816328f, 0.499911577f, 0.499958843f, 0.499981463f, 0.499991924f,
     0.499996603f, 0.499998629f, 0.499999464f, 0.499999791f, 0.499999911f, 0.49999997f, 0.5f, 0.5f},
    {0.398942232f, 0.391990691f, 0.371854931f, 0.340567499f, 0.301137447f, 0.257073998f, 0.21187678f, 0.168593332f,
     0.129517734f, 0.0960616171f, 0.0687863529f, 0.0475539342f, 0.0317396633f, 0.0204526633f, 0.0127241584f,
     0.00764257787f, 0.00443182187f, 0.00248116814f, 0.00134110148f, 0.000699839613f, 0.000352587405f,
     0.000171500913f, 8.05373566e-05f, 3.65140113e-05f, 1.59828014e-05f, 6.75425326e-06f, 2.75570596e-06f,
     1.08547385e-06f, 4.1279722e-07f, 1.51560144e-07f, 5.37234683e-08f, 1.83854283e-08f},
    {5.54761255e-06f, -0.0367490537f, -0.0697226673f, -0.0957844406f, -0.112926371f, -0.120503247f, -0.11918053f,
     -0.110639267f, -0.0971382409f, -0.081051968f, -0.0644872189f, -0.0490400307f, -0.035707172f, -0.0249267351f,
     -0.0167005062f, -0.0107474178f, -0.00664776564f, -0.00395438634f, -0.00226312596f, -0.00124660076f,
     -0.000661108585f, -0.00033764675f, -0.000166110782f, -7.87347017e-05f, -3.59620208e-05f, -1.5830643e-05f,
     -6.71720818e-06f, -2.74768695e-06f, -1.08362894e-06f, -4.12069681e-07f, -1.51103606e-07f, -5.34351443e-08f},
    {-0.0666692331f, -0.0629349649f, -0.0531864837f, -0.0387642048f, -0.0219593905f, -0.00522358762f, 0.00932200439f,
     0.0202384703f, 0.0269184113f, 0.029528901f, 0.0288039707f, 0.0257700253f, 0.021485297f, 0.016849095f,
     0.012502851f, 0.00881458912f, 0.00592129538f, 0.00379829668f, 0.00233041914f, 0.00136934547f, 0.000771390274f,
     0.000416948373f, 0.000216390719f, 0.000107893458f, 5.17088265e-05f, 2.38302855e-05f, 1.05644167e-05f,
     4.50660445e-06f, 1.85037561e-06f, 7.31444914e-07f, 2.78423869e-07f, 1.02074623e-07f},
    {0.00227350416f, 0.00905665662f, 0.0165731497f, 0.0213718172f, 0.0228939913f, 0.0212640036f, 0.0172052383f,
     0.0117735127f, 0.00608122209f, 0.00104753172f, -0.00274947891f, -0.00510452501f, -0.00612193113f,
     -0.00610026298f, -0.00541002024f, -0.00439691218f, -0.00332558271f, -0.00236231252f, -0.00158540742f,
     -0.00100940175f, -0.000611504423f, -0.000353279407f, -0.000194971188f, -0.00010293191f, -5.20399335e-05f,
     -2.52187892e-05f, -1.17230466e-05f, -5.23073049e-06f, -2.2414315e-06f, -9.22847107e-07f, -3.65226413e-07f,
     -1.38985229e-07f}};
#endif
template <int N> TG_IN Vec<float, N> ndtr(Vec<float, N> x) {
  using V = Vec<float, N>;
#ifdef __AVX512F__
  if constexpr (N == 16) {
    const V a = smaller(V(5.8), abs(x)), t = a * V(16. / 3) + V(Format<float>::magic), r = a - (t - V(Format<float>::magic)) * V(0.1875);
    auto at = [&](int k) {
      return V(typename V::Raw(_mm512_permutex2var_ps(_mm512_load_ps(kNormal[k]), (__m512i)t.v, _mm512_load_ps(kNormal[k] + 16))));
    };
    const V half = (((at(4) * r + at(3)) * r + at(2)) * r + at(1)) * r + at(0);
    return where(x < V(-5.8), V(0), V(0.5) + copysign(half, x));
  }
#endif
  return V(0.5) * (V(1) + erf(x * V(0.70710678118654752440)));
}
template <int N> TG_IN Vec<double, N> ndtr(Vec<double, N> x) {
  return Vec<double, N>(0.5) * (Vec<double, N>(1) + erf(x * Vec<double, N>(0.70710678118654752440)));
}

// ---- powers

/// To the accuracy of floats: 2^x, x limited to where a float is neither 0 nor infinite …
template <int N> TG_IN Vec<double, N> exp2_short(Vec<double, N> x) {
  using V = Vec<double, N>;
  using F = Format<double>;
  const V c = limited(x, -151, 129), t = c + V(F::magic), r = c - (t - V(F::magic));
  const V y = horner(r, 1.0000000005541916, 0.69314720573789779, 0.24022646890503918, 0.0555032877557846, 0.009618488966109914,
                     0.0013399931784634567, 0.00015345810930374895);
  return y * V::bits((t.bits() + (F::bias - V(F::magic).bits())) << F::mantissa);
}
/// … and the logarithm of a positive normal number.
template <int N> TG_IN Vec<double, N> log_short(Vec<double, N> x) {
  using V = Vec<double, N>;
  const typename V::Int e = (x.bits() - V(0.70710678118654752).bits()) >> Format<double>::mantissa;
  const V f = V::bits(x.bits() - (e << Format<double>::mantissa)) - V(1), s = f / (f + V(2)), z = s * s;
  return V(__builtin_convertvector(e, typename V::Raw)) * V(0.69314718055994530942) +
         s * horner(z, 2.0000000000084661, 0.66666665235904699, 0.40000386641782987, 0.28534943902387039, 0.2361818024168893);
}

/// 2^(b log2 a), under 1 ulp, and no table of special cases beyond sign, parity, zero and infinity.
template <int N> TG_IN Vec<float, N> pow(Vec<float, N> a, Vec<float, N> b) {
  using V = Vec<float, N>;
  const V m = abs(a), inf = V(__builtin_inf());
  V r = in_double([](auto x, auto y) { return exp2_short(y * (log_short(x) * decltype(x)(1.44269504088896340736))); }, m, b);
  r = where((m == V(0)) | (m == inf), where((b > V(0)) == (m == inf), inf, V(0)), where(m == m, r, m));
  const V half = b * V(0.5);
  const auto whole = floor(b) == b, odd = whole & (floor(half) != half) & (abs(b) < V(16777216));
  r = where(signbit(a), where(odd, -r, where(whole | (a == V(0)) | (m == inf), r, V(__builtin_nan("")))), r);
  r = where(b == b, r, b);
  return where((b == V(0)) | (a == V(1)) | ((a == V(-1)) & (abs(b) == inf)), V(1), r);
}
template <int N> TG_IN Vec<double, N> pow(Vec<double, N> a, Vec<double, N> b) {
  return each_lane([](double x, double y) { return pow(x, y); }, a, b);
}
/// In double no square of a float overflows or vanishes.
template <int N> TG_IN Vec<float, N> hypot(Vec<float, N> a, Vec<float, N> b) {
  const auto r = in_double([](auto x, auto y) { return sqrt(x * x + y * y); }, a, b);
  return where(isinf(a) | isinf(b), Vec<float, N>(__builtin_inf()), r);
}
template <int N> TG_IN Vec<double, N> hypot(Vec<double, N> a, Vec<double, N> b) {
  return each_lane([](double x, double y) { return hypot(x, y); }, a, b);
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

}}  // namespace tapegrad
