// Trigonometric and hyperbolic functions, their inverses, and erfc. Those of doubles from tan on go lane by lane to libm.
#pragma once
#include "src/ops/cpu/packet_math.h"

namespace tapegrad { inline namespace TG_NS {

// ---- sin and cos: x = k pi/2 + r, then a polynomial in r, chosen and signed by k modulo 4

// sin(r) = r + r z s, cos(r) = 1 - z / 2 + z^2 c with z = r^2, to the accuracy of floats.
template <class V> TG_IN V sin_short(V z) {
  return horner(z, -0.16666664539989612813, 0.0083327247326302922174, -0.00019582855850788989097);
}
template <class V> TG_IN V cos_short(V z) {
  return horner(z, 0.041666664536946091686, -0.0013888279449649537101, 0.000024542896336944627119);
}
/// sin(r + k pi/2) for |r| <= pi/4 and whole k.
TG_V Vec<T, N> sin_quadrant(Vec<T, N> r, typename Vec<T, N>::Int k) {
  using V = Vec<T, N>;
  using M = Mask<T, N>;
  const V z = r * r;
  V s, c;
  if constexpr (sizeof(T) == 4) {
    s = sin_short(z), c = cos_short(z);
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
template <int N> struct Reduced {
  Vec<double, N> r;
  typename Vec<double, N>::Int k;  // in the low bits
};
template <int N> TG_IN Reduced<N> reduced(Vec<double, N> x) {
  using V = Vec<double, N>;
  const V t = x * V(0.63661977236758134308) + V(Format<double>::magic), n = t - V(Format<double>::magic);
  return {(x - n * V(1.57079632673412561416626)) - n * V(6.077100506506192601e-11), t.bits()};
}
template <int N> TG_IN Vec<float, N> sin_shifted(Vec<float, N> x, int quarter) {
  using V = Vec<float, N>;
  using HalfInt = typename Vec<float, N / 2>::Int;
  V r;
  typename V::Int k;
  for (int i = 0; i < 2; i++) {
    const auto w = reduced(half_of(x, i));
    const HalfInt q = __builtin_convertvector(w.k, HalfInt);
    put_half(r, i, w.r);
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
#if defined(__FMA__) && !defined(__SANITIZE_ADDRESS__)  // which keeps the compiler from joining products and differences
template <class T> constexpr double kSinLimit = sizeof(T) == 4 ? 1e8 : 1e6;
#else
template <class T> constexpr double kSinLimit = 1e6;
#endif
/// y, but f(x) from the C library where x is far off: a choice for each lane, whose bits must not depend on its neighbours.
template <class T, int N, class F> TG_IN Vec<T, N> near_or(Vec<T, N> x, Vec<T, N> y, F f) {
  const Mask<T, N> far{~(abs(x) < Vec<T, N>(kSinLimit<T>)).v};
  return any(far) ? where(far, each_lane(f, x), y) : y;
}
TG_V Vec<T, N> sin(Vec<T, N> x) {
  return near_or(x, where(x == Vec<T, N>(0), x, sin_shifted(x, 0)), [](T v) { return sin(v); });
}
TG_V Vec<T, N> cos(Vec<T, N> x) {
  return near_or(x, sin_shifted(x, 1), [](T v) { return cos(v); });
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
  constexpr double lost = sizeof(T) == 4 ? -2.18556941e-8 : 3.06161699786838302e-17;  // of pi/4 as T, negated
  return copysign(base + ((r * z * p + base * V(lost / 0.78539816339744830962)) + r), x);
}

// ---- the other trigonometric and hyperbolic functions of floats

template <int N> TG_IN Vec<float, N> tan(Vec<float, N> x) {
  using V = Vec<float, N>;
  const V y = in_double([](auto w) {
    using W = decltype(w);
    const auto [r, k] = reduced(w);
    const W z = r * r, s = r + r * z * sin_short(z), c = W(1) - W(0.5) * z + z * z * cos_short(z);
    const Mask<double, W::lanes> odd{(k & 1) != 0};
    return where(odd, -c, s) / where(odd, s, c);
  }, x);
  return near_or(x, where(x == V(0), x, y), [](float v) { return tan(v); });
}
/// asin from (1 - |x|) / 2 beyond 1/2: of acos, what is left to pi / 2.
template <bool rest, class W> TG_IN W asin_short(W x) {
  const W a = abs(x);
  const auto far = a > W(0.5);
  const W z = where(far, W(0.5) - W(0.5) * a, a * a), s = where(far, sqrt(z), a);
  const W p = s + s * z * horner(z, 0.1666675248, 0.07495297614, 0.0454703799, 0.02417949388, 0.04216634613);
  const W half_pi(1.57079632679489661923);
  const W y = copysign(where(far, half_pi - (p + p), p), x);
  return rest ? where(far & (x > W(0)), p + p, half_pi - y) : y;
}
template <int N> TG_IN Vec<float, N> asin(Vec<float, N> x) {
  return in_double([](auto w) { return asin_short<false>(w); }, x);
}
template <int N> TG_IN Vec<float, N> acos(Vec<float, N> x) {
  return in_double([](auto w) { return asin_short<true>(w); }, x);
}
template <int N> TG_IN Vec<float, N> atan2(Vec<float, N> y, Vec<float, N> x) {
  using V = Vec<float, N>;
  const V a = abs(y), b = abs(x), r = where((a == V(0)) & (b == b), V(0), atan(where(a == b, V(1), a / b)));
  return copysign(where(signbit(x), V(3.14159265358979323846) - r, r), y);
}
template <int N> TG_IN Vec<float, N> sinh(Vec<float, N> x) {
  using V = Vec<float, N>;
  const V a = abs(x), z = x * x, e = exp_scaled<-1>(a);  // e^a / 2
  const V small = x * z * horner(z, 0.166666665, 0.008333350058, 0.0001983615976, 2.816951352e-06) + x;
  return where(a < V(1), small, copysign(e - V(0.25) / e, x));
}
template <int N> TG_IN Vec<float, N> cosh(Vec<float, N> x) {
  const Vec<float, N> e = exp_scaled<-1>(abs(x));
  return e + Vec<float, N>(0.25) / e;
}
/// Logarithms: f(a) for a = |x| neither tiny, where the function is x, nor infinite.
template <class F, int N> TG_IN Vec<float, N> area(F f, Vec<float, N> x) {
  const Vec<float, N> a = abs(x);
  return copysign(where(a < Vec<float, N>(0x1p-12), a, where(a < Vec<float, N>(__builtin_inf()), in_double(f, a), a)), x);
}
template <int N> TG_IN Vec<float, N> asinh(Vec<float, N> x) {
  return area([](auto a) { return log_short(a + sqrt(a * a + decltype(a)(1))); }, x);
}
template <int N> TG_IN Vec<float, N> atanh(Vec<float, N> x) {
  using V = Vec<float, N>;
  const V a = abs(x), y = area([](auto a) { using W = decltype(a); return W(0.5) * log_short((W(1) + a) / (W(1) - a)); }, x);
  return where(a < V(1), y, where(a == V(1), copysign(V(__builtin_inf()), x), V(__builtin_nan(""))));
}
template <int N> TG_IN Vec<float, N> acosh(Vec<float, N> x) {
  using V = Vec<float, N>;
  const V y = in_double([](auto a) { return log_short(a + sqrt(a * a - decltype(a)(1))); }, x);
  return where(x >= V(1), where(x == V(__builtin_inf()), x, y), V(__builtin_nan("")));
}
/// t exp(P(t) - x^2) with t = 1 / (1 + |x| / 2).
template <int N> TG_IN Vec<float, N> erfc(Vec<float, N> x) {
  return in_double([](auto w) {
    using W = decltype(w);
    const W a = limited(abs(w), 0, 12), t = W(1) / (W(1) + W(0.5) * a);
    const W p = horner(t, -1.26557055356, 1.00163618053, 0.355103997393, 0.221657834147, -0.694209734009, 1.61786939626,
        -3.46209948407, 4.13297793945, -2.71186249816, 0.940883974888, -0.136387046793);
    const W y = t * exp2_short((p - a * a) * W(1.44269504088896340736));
    return where(w < W(0), W(2) - y, y);
  }, x);
}
#define TG_WORD(name) \
  template <int N> TG_IN Vec<double, N> name(Vec<double, N> a) { return each_lane([](double x) { return name(x); }, a); }
TG_WORD(tan) TG_WORD(asin) TG_WORD(acos) TG_WORD(sinh) TG_WORD(cosh) TG_WORD(asinh) TG_WORD(acosh) TG_WORD(atanh) TG_WORD(erfc)
#undef TG_WORD
template <int N> TG_IN Vec<double, N> atan2(Vec<double, N> y, Vec<double, N> x) {
  return each_lane([](double u, double v) { return atan2(u, v); }, y, x);
}

}}  // namespace tapegrad
