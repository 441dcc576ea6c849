// Fourier passes of radix 2, 3, 4, 5, 8 and any other small prime. The inner loops run over transforms side by side, so that the
// compiler makes packets of them.
#include "src/ops/cpu/fft.h"

#include "src/ops/cpu/panels.h"
#include "src/ops/cpu/table.h"

namespace tapegrad { inline namespace TG_NS {

// V is a packet of real numbers, of several transforms, or one number.
template <class V> struct ReIm { V re, im; };
template <class V> TG_IN ReIm<V> operator+(ReIm<V> a, ReIm<V> b) { return {a.re + b.re, a.im + b.im}; }
template <class V> TG_IN ReIm<V> operator-(ReIm<V> a, ReIm<V> b) { return {a.re - b.re, a.im - b.im}; }
template <class V> TG_IN ReIm<V> operator*(ReIm<V> a, ReIm<V> b) { return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re}; }
template <class R, class V> TG_IN ReIm<V> times(R s, ReIm<V> a) { return {s * a.re, s * a.im}; }
template <class V> TG_IN ReIm<V> by_i(ReIm<V> a) { return {-a.im, a.re}; }

// The transform of r numbers, in place.
template <int r, class R, class V> TG_IN void butterfly(ReIm<V>* a) {
  if constexpr (r == 2) {
    const ReIm<V> b = a[1];
    a[1] = a[0] - b, a[0] = a[0] + b;
  } else if constexpr (r == 3) {
    const ReIm<V> s = a[1] + a[2], d = by_i(times(R(-0.86602540378443864676), a[1] - a[2])), c = a[0] + times(R(-0.5), s);
    a[0] = a[0] + s, a[1] = c + d, a[2] = c - d;
  } else if constexpr (r == 4) {
    const ReIm<V> s = a[0] + a[2], d = a[0] - a[2], t = a[1] + a[3], u = by_i(a[1] - a[3]);
    a[0] = s + t, a[1] = d - u, a[2] = s - t, a[3] = d + u;
  } else if constexpr (r == 8) {  // two of radix 4, the second one turned
    ReIm<V> e[4] = {a[0], a[2], a[4], a[6]}, o[4] = {a[1], a[3], a[5], a[7]};
    butterfly<4, R>(e), butterfly<4, R>(o);
    constexpr R h = R(0.70710678118654752440);
    o[1] = {h * (o[1].re + o[1].im), h * (o[1].im - o[1].re)};
    o[2] = {o[2].im, -o[2].re};
    o[3] = {h * (o[3].im - o[3].re), -h * (o[3].im + o[3].re)};
    for (int k = 0; k < 4; k++) a[k] = e[k] + o[k], a[k + 4] = e[k] - o[k];
  } else {
    const ReIm<V> s1 = a[1] + a[4], s2 = a[2] + a[3], d1 = a[1] - a[4], d2 = a[2] - a[3];
    constexpr R c1 = R(0.30901699437494742410), c2 = R(-0.80901699437494742410), n1 = R(0.95105651629515357212), n2 = R(0.58778525229247312917);
    const ReIm<V> e1 = a[0] + times(c1, s1) + times(c2, s2), e2 = a[0] + times(c2, s1) + times(c1, s2);
    const ReIm<V> o1 = by_i(times(n1, d1) + times(n2, d2)), o2 = by_i(times(n2, d1) - times(n1, d2));
    a[0] = a[0] + s1 + s2, a[1] = e1 - o1, a[4] = e1 + o1, a[2] = e2 - o2, a[3] = e2 + o2;
  }
}
template <class R> struct Arrays {
  const R *__restrict cos, *__restrict sin, *__restrict x_re, *__restrict x_im;
  R *__restrict y_re, *__restrict y_im;
  explicit Arrays(const FftPass& f)
      : cos((const R*)f.cos), sin((const R*)f.sin), x_re((const R*)f.x_re), x_im((const R*)f.x_im), y_re((R*)f.y_re), y_im((R*)f.y_im) {}
};
template <int r, class R> void fixed_radix(const FftPass& f) {
  const Arrays<R> d(f);
  const int64_t m = f.m, inner = f.inner;
  for (int64_t p = 0; p < m; p++) {
    ReIm<R> w[r];
    for (int k = 1; k < r; k++) w[k] = {d.cos[p * k * f.step], d.sin[p * k * f.step]};
    const R *__restrict xr = d.x_re + p * inner, *__restrict xi = d.x_im + p * inner;
    R *__restrict yr = d.y_re + p * r * inner, *__restrict yi = d.y_im + p * r * inner;
    each<R>(inner, [&](int64_t q, auto packet) {
      using V = decltype(packet);
      ReIm<V> a[r];
      for (int j = 0; j < r; j++) a[j] = {get<V>(xr + m * j * inner + q), get<V>(xi + m * j * inner + q)};
      butterfly<r, R>(a);
      put(yr + q, a[0].re), put(yi + q, a[0].im);
      for (int k = 1; k < r; k++) {
        const ReIm<V> b = {a[k].re * w[k].re - a[k].im * w[k].im, a[k].re * w[k].im + a[k].im * w[k].re};
        put(yr + k * inner + q, b.re), put(yi + k * inner + q, b.im);
      }
    });
  }
}
template <class R> void any_radix(const FftPass& f) {
  const Arrays<R> d(f);
  const int64_t r = f.r, m = f.m, inner = f.inner, turn = f.m * f.step;  // v^t is at t turn
  for (int64_t p = 0; p < m; p++)
    for (int64_t k = 0; k < r; k++) {
      const ReIm<R> w = {d.cos[p * k * f.step], d.sin[p * k * f.step]};
      R *__restrict yr = d.y_re + (p * r + k) * inner, *__restrict yi = d.y_im + (p * r + k) * inner;
      for (int64_t j = 0; j < r; j++) {
        const int64_t t = j * k % r * turn;
        const ReIm<R> v = w * ReIm<R>{d.cos[t], d.sin[t]};
        const R *__restrict xr = d.x_re + (p + m * j) * inner, *__restrict xi = d.x_im + (p + m * j) * inner;
        if (j == 0) for (int64_t q = 0; q < inner; q++) yr[q] = v.re * xr[q] - v.im * xi[q], yi[q] = v.re * xi[q] + v.im * xr[q];
        else for (int64_t q = 0; q < inner; q++) yr[q] += v.re * xr[q] - v.im * xi[q], yi[q] += v.re * xi[q] + v.im * xr[q];
      }
    }
}
// Complex numbers side by side <-> split ones.
template <class R> void split_across(const FftLines<R>& f, const R* z) {
  constexpr int L = kLanes<R>, G = 64 / sizeof(R);
  for (int64_t j = 0; j < f.n; j++, z += f.step)
    for (int q = 0; q < G; q += L) {
      const V<R> a = get<V<R>>(z + 2 * q), b = get<V<R>>(z + 2 * q + L);
      put(f.re + j * G + q, every_second<0>(a, b)), put(f.im + j * G + q, every_second<1>(a, b));
    }
}
template <class R> void join_across(const FftLines<R>& f, R* z, R scale) {
  constexpr int L = kLanes<R>, G = 64 / sizeof(R);
  for (int64_t j = 0; j < f.n; j++, z += f.step)
    for (int q = 0; q < G; q += L) {
      const V<R> re = get<V<R>>(f.re + j * G + q) * scale, im = get<V<R>>(f.im + j * G + q) * scale;
      put(z + 2 * q, in_turn<false>(re, im)), put(z + 2 * q + L, in_turn<true>(re, im));
    }
}
// Between complex numbers in lines and split ones side by side: squares of numbers are transposed.
template <class R> void split(const FftLines<R>& f, const R* lines) {
  if (f.apart == 2) return split_across(f, lines);
  constexpr int L = kLanes<R>, G = 64 / sizeof(R);
  for (int q = 0; q < G; q += L) {
    const R* z = lines + q * f.apart;
    R *re = f.re + q, *im = f.im + q;
    int64_t j = 0;
    for (; j + L / 2 <= f.n; j += L / 2) {
      V<R> x[L];
#pragma GCC unroll 16
      for (int i = 0; i < L; i++) x[i] = get<V<R>>(z + i * f.apart + 2 * j);
      transpose<R>(x);
#pragma GCC unroll 8
      for (int t = 0; t < L / 2; t++) put(re + (j + t) * G, x[2 * t]), put(im + (j + t) * G, x[2 * t + 1]);
    }
    for (; j < f.n; j++)
      for (int i = 0; i < L; i++) re[j * G + i] = z[i * f.apart + 2 * j], im[j * G + i] = z[i * f.apart + 2 * j + 1];
  }
}
template <class R> void join(const FftLines<R>& f, R* lines, R scale) {
  if (f.apart == 2) return join_across(f, lines, scale);
  constexpr int L = kLanes<R>, G = 64 / sizeof(R);
  for (int q = 0; q < G; q += L) {
    R* z = lines + q * f.apart;
    const R *re = f.re + q, *im = f.im + q;
    int64_t j = 0;
    for (; j + L / 2 <= f.n; j += L / 2) {
      V<R> x[L];
#pragma GCC unroll 8
      for (int t = 0; t < L / 2; t++) x[2 * t] = get<V<R>>(re + (j + t) * G) * scale, x[2 * t + 1] = get<V<R>>(im + (j + t) * G) * scale;
      transpose<R>(x);
#pragma GCC unroll 16
      for (int i = 0; i < L; i++) put(z + i * f.apart + 2 * j, x[i]);
    }
    for (; j < f.n; j++)
      for (int i = 0; i < L; i++) z[i * f.apart + 2 * j] = re[j * G + i] * scale, z[i * f.apart + 2 * j + 1] = im[j * G + i] * scale;
  }
}
template <class R> void pass(const FftPass& f) {
  switch (f.r) {
    case 2: return fixed_radix<2, R>(f);
    case 3: return fixed_radix<3, R>(f);
    case 4: return fixed_radix<4, R>(f);
    case 5: return fixed_radix<5, R>(f);
    case 8: return fixed_radix<8, R>(f);
    default: return any_radix<R>(f);
  }
}

}

extern "C" const FftTable TG_TABLE(fft);
constinit const FftTable TG_TABLE(fft) = {{pass<float>, split<float>, join<float>}, {pass<double>, split<double>, join<double>}};

}  // namespace tapegrad
