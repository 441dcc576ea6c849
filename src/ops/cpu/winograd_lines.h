// The one-dimensional transforms of Winograd's F(2, 3) and F(4, 3), on packets of channels. With T = Out + 2 points, Out outputs
// are output(input(T numbers) * filter(3 taps)): F(2, 3) only. The gradient of the taps is taps(spread(Out gradients) * input(T numbers)).
#pragma once
#include "src/ops/cpu/pixels.h"

namespace tapegrad { inline namespace TG_NS {

#define TG_LINE __attribute__((always_inline))
template <int Out> struct Lines;

// Points 0, 1, -1 and infinity.
template <> struct Lines<2> {
  using V = Wide<float>;
  static constexpr auto input = [](const V* d, V* o) TG_LINE { o[0] = d[0] - d[2], o[1] = d[1] + d[2], o[2] = d[2] - d[1], o[3] = d[1] - d[3]; };
  static constexpr auto filter = [](const V* g, V* o) TG_LINE {
    const V e = .5f * (g[0] + g[2]), h = .5f * g[1];
    o[0] = g[0], o[1] = e + h, o[2] = e - h, o[3] = g[2];
  };
  static constexpr auto output = [](const V* m, V* o) TG_LINE { o[0] = m[0] + m[1] + m[2], o[1] = m[1] - m[2] - m[3]; };
  static constexpr auto spread = [](const V* y, V* o) TG_LINE { o[0] = y[0], o[1] = y[0] + y[1], o[2] = y[0] - y[1], o[3] = -y[1]; };
  static constexpr auto taps = [](const V* m, V* g) TG_LINE {
    const V e = .5f * (m[1] + m[2]), h = .5f * (m[1] - m[2]);
    g[0] = m[0] + e, g[1] = h, g[2] = e + m[3];
  };
};

// Points 0, ±a, ±b and infinity with a = 1/√2, b = √2: products of their powers stay near 1, so that the largest error is 3 to 5
// times smaller than with 0, ±1, ±2.
template <> struct Lines<4> {
  using V = Wide<float>;
  static constexpr float a = .70710678118654752f, b = 1.41421356237309505f, aa = .5f, bb = 2;
  static constexpr float at_0 = 1 / (aa * bb), at_a = 1 / (2 * aa * (aa - bb)), at_b = 1 / (2 * bb * (bb - aa));
  static constexpr auto input = [](const V* d, V* o) TG_LINE {
    const V e = d[4] - bb * d[2], f = a * (d[3] - bb * d[1]), g = d[4] - aa * d[2], h = b * (d[3] - aa * d[1]);
    o[0] = aa * bb * d[0] - (aa + bb) * d[2] + d[4];
    o[1] = e + f, o[2] = e - f, o[3] = g + h, o[4] = g - h;
    o[5] = aa * bb * d[1] - (aa + bb) * d[3] + d[5];
  };
  static constexpr auto spread = [](const V* y, V* o) TG_LINE {
    const V e = y[0] + aa * y[2], f = a * (y[1] + aa * y[3]), g = y[0] + bb * y[2], h = b * (y[1] + bb * y[3]);
    o[0] = y[0], o[1] = e + f, o[2] = e - f, o[3] = g + h, o[4] = g - h, o[5] = y[3];
  };
  static constexpr auto taps = [](const V* m, V* g) TG_LINE {
    const V s = at_a * (m[1] + m[2]), d = at_a * (m[1] - m[2]), t = at_b * (m[3] + m[4]), e = at_b * (m[3] - m[4]);
    g[0] = at_0 * m[0] + s + t, g[1] = a * d + b * e, g[2] = aa * s + bb * t + m[5];
  };
};

// Applies `line` to the columns, then to the rows, of an In x In square.
template <int In, int Out, class F, class Load, class Store> TG_IN void both(F line, Load load, Store store) {
  using V = Wide<float>;
  V t[Out][In];
  TG_EACH(j, In) {
    V c[In], o[Out];
    TG_EACH(i, In) c[i] = load(i, j);
    line(c, o);
    TG_EACH(i, Out) t[i][j] = o[i];
  }
  TG_EACH(i, Out) {
    V o[Out];
    line(t[i], o);
    TG_EACH(j, Out) store(i, j, o[j]);
  }
}

// Tiles of In x In pixels, `step` apart, `columns` in a row -> Out x Out planes of numbers, tile by tile.
template <int In, int Out, class F> inline void tiles(F line, const float* pixels, long row, long step, long channels, long tile_rows,
                                                      long columns, float* d, long plane, long tile) {
  using V = Wide<float>;
  for (long r = 0; r < tile_rows; r++)
    for (long q = 0; q < columns; q++, d += tile)
      for (long c = 0; c < channels; c += kLanes<float>) {
        const float* from = pixels + r * step * row + q * step * channels + c;
        both<In, Out>(line, [&](int i, int j) { return get<V>(from + i * row + j * channels); },
                      [&](int i, int j, V v) { put<V>(d + (i * Out + j) * plane + c, v); });
      }
}

}}  // namespace tapegrad
