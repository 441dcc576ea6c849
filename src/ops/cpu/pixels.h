// Planes of numbers <-> pixels of channels, so that channels fill packets whatever the size of the planes.
#pragma once
#include "src/ops/cpu/frame.h"
#include "src/ops/cpu/panels.h"

namespace tapegrad { inline namespace TG_NS {

/// `rows` rows of w numbers of each of c planes (plane apart) -> d[row][pixel][channel], rows d_row and pixels d_pixel apart;
/// channels are filled up with zeros to cp, a multiple of a packet.
template <class T> void to_pixels(const T* x, long plane, long c, long rows, long w, T* d, long d_row, long d_pixel, long cp) {
  constexpr long L = kLanes<T>;
  using V = Wide<T>;
  const long n = rows * w;
  for (long p0 = 0; p0 < n; p0 += L) {
    const long p = n >= L && p0 + L > n ? n - L : p0, count = least(L, n - p);
    T* at[L];
    long r = p / w, q = p % w;
    for (long i = 0; i < count; i++) {
      at[i] = d + r * d_row + q * d_pixel;
      if (++q == w) q = 0, r++;
    }
    for (long ch = 0; ch < cp; ch += L) {
      V v[L];
      if (count == L && ch + L <= c) {
        TG_EACH(i, L) v[i] = get<V>(x + (ch + i) * plane + p), __builtin_prefetch(x + (ch + i) * plane + p + L);
      } else {
        for (long i = 0; i < L; i++) {
          T t[L] = {};
          if (ch + i < c) for (long l = 0; l < count; l++) t[l] = x[(ch + i) * plane + p + l];
          v[i] = get<V>(t);
        }
      }
      transpose<T>(v);
      for (long i = 0; i < count; i++) put<V>(at[i] + ch, v[i]);
    }
  }
}
/// The way back, plus bias.
template <class T> void to_planes(const T* s, long s_row, long kp, long k, long rows, long w, const T* bias, T* y, long plane) {
  constexpr long L = kLanes<T>;
  using V = Wide<T>;
  const long n = rows * w;
  for (long p0 = 0; p0 < n; p0 += L) {
    const long p = n >= L && p0 + L > n ? n - L : p0, count = least(L, n - p);
    const T* at[L];
    long r = p / w, q = p % w;
    for (long i = 0; i < L; i++) {
      at[i] = s + r * s_row + q * kp;
      if (i + 1 < count && ++q == w) q = 0, r++;
    }
    for (long ch = 0; ch < k; ch += L) {
      V v[L];
      TG_EACH(i, L) v[i] = get<V>(at[i] + ch);
      transpose<T>(v);
      for (long i = 0; i < least(L, k - ch); i++) {
        const V sum = bias ? v[i] + splat(bias[ch + i]) : v[i];
        T* to = y + (ch + i) * plane + p;
        __builtin_prefetch(to + L, 1);
        if (count == L) put<V>(to, sum);
        else for (long l = 0; l < count; l++) to[l] = sum[int(l)];
      }
    }
  }
}

}}  // namespace tapegrad
