// Winograd convolution with channels innermost, so that the small transforms fill vectors on maps of any size.
//
// Images become rows of pixels of c channels; each tile of 4x4 pixels (they overlap by 2) is transformed to 16 numbers per
// channel; for each of the 16 one matrix product over channels with the transformed filters; the inverse transform gives
// 2x2 outputs per tile; then back to planes.
#include "src/ops/cpu/winograd.h"

#include "src/ops/cpu/table.h"
#include "src/ops/cpu/winograd_lines.h"

namespace tapegrad {
extern "C" const WinogradTable TG_TABLE(winograd);
namespace TG_NS {
namespace {

constexpr int L = int(kLanes<float>);
constexpr long kApart = 16;  // more numbers between planes of points: else these share few sets of the cache
using V = Wide<float>;
inline V load(const float* p) { return get<V>(p); }
inline void store(float* p, V v) { put<V>(p, v); }
long points(const Winograd& g) { return (g.tile + 2) * (g.tile + 2); }

// ---- the products: m[t][block] = sum over c of a[t][c] u[c][block]

template <int R, int N> void product(long c, const float* a, long a_row, const float* u, float* m, long m_row) {
  V sum[R][N] = {};
  for (long k = 0; k < c; k++, u += N * L) {
    V x[N];
    TG_EACH(n, N) x[n] = load(u + n * L);
    TG_EACH(r, R) {
      const V s = splat(a[r * a_row + k]);
      TG_EACH(n, N) sum[r][n] += s * x[n];
    }
  }
  TG_EACH(r, R) { TG_EACH(n, N) store(m + r * m_row + n * L, sum[r][n]); }
}
template <int R, int N> void products(long t, long c, const float* a, long a_row, const float* u, float* m, long m_row) {
  long i = 0;
  for (; i + R <= t; i += R) product<R, N>(c, a + i * a_row, a_row, u, m + i * m_row, m_row);
  if constexpr (R > 1) if (i < t) products<(R + 1) / 2, N>(t - i, c, a + i * a_row, a_row, u, m + i * m_row, m_row);
}
// Vectors of output channels that one product makes: what the registers hold.
int block_vectors(long kp) { return L == 16 && kp % (4 * L) == 0 ? 4 : kp % (2 * L) == 0 ? 2 : 1; }

// ---- the table's functions

long filter_plane(const Winograd& g) { return up(g.all_k, L) * g.c + kApart; }
long filter_floats(const Winograd& g) { return filter_plane(g) * points(g); }

// u[point][block of k][c][block]
template <int Out> void filters(const Winograd& g, const float* w, long k0, long k1, float* u) {
  const long kp = up(g.k, L), plane = filter_plane(g), block = block_vectors(kp) * L;
  for (long kb = k0; kb < least(k1, kp); kb += block)
    for (long c = 0; c < g.c; c++)
      for (long k = kb; k < kb + block; k += L) {
        V taps[9];
        const float* p = w + k * g.weight_k + c * g.weight_c;
        if (L > 9 && k + L <= g.k && (k + L - 1) * g.weight_k + c * g.weight_c + L <= g.k * g.c * 9) {
          V rows[L];
          TG_EACH(i, L) rows[i] = load(p + i * g.weight_k);
          transpose<float>(rows);
          TG_EACH(t, 9) taps[t] = rows[(g.flip ? 8 - t : t) % L];
        } else {
          for (int t = 0; t < 9; t++) {
            V v = {};
            for (int i = 0; i < L; i++) v[i] = k + i < g.k ? p[i * g.weight_k + (g.flip ? 8 - t : t)] : 0;
            taps[t] = v;
          }
        }
        float* to = u + kb * g.c + c * block + k - kb;
        both<3, Out + 2>(Lines<Out>::filter, [&](int i, int j) { return taps[i * 3 + j]; },
                         [&](int i, int j, V v) { store(to + (i * (Out + 2) + j) * plane, v); });
      }
}

struct Sizes {
  long cp, kp, tiles, x_row, x_image, y_row, y_image, d_plane, m_plane;
  Sizes(const Winograd& g, long images, long rows) {
    cp = up(g.c, L), kp = up(g.k, L);
    tiles = images * rows * g.tile_columns;
    x_row = (g.tile * g.tile_columns + 2) * cp, x_image = (g.tile * rows + 2) * x_row;
    y_row = g.tile * g.tile_columns * kp, y_image = g.tile * rows * y_row;
    d_plane = tiles * cp + kApart, m_plane = tiles * kp + kApart;
  }
};
long workspace(const Winograd& g, long images, long rows) {
  const Sizes s(g, images, rows);
  return images * (s.x_image + s.y_image) + points(g) * (s.d_plane + s.m_plane);
}

// The pixels that rows of tiles from r0 on need, zeros around.
void read_pixels(const Winograd& g, const float* x, long r0, long rows, float* pixels, long row, long cp) {
  const long top = g.tile * r0 - g.pad, first = most(top, 0), last = least(g.h, top + g.tile * rows + 2);
  __builtin_memset(pixels, 0, size_t(g.tile * rows + 2) * size_t(row) * sizeof(float));
  if (first < last) to_pixels(x + first * g.w, g.h * g.w, g.c, last - first, g.w, pixels + (first - top) * row + g.pad * cp, row, cp, cp);
}

template <int Out> void run(const Winograd& g, const float* x, long x_image, const float* u, const float* bias, float* y, long y_image,
                            long images, long r0, long r1, float* work) {
  constexpr int T = Out + 2;
  const long rows = r1 - r0;
  const Sizes s(g, images, rows);
  float *pixels = work, *out = pixels + images * s.x_image, *d = out + images * s.y_image, *m = d + T * T * s.d_plane;
  const long per_image = rows * g.tile_columns;
  for (long n = 0; n < images; n++) {
    read_pixels(g, x + n * x_image, r0, rows, pixels + n * s.x_image, s.x_row, s.cp);
    tiles<T, T>(Lines<Out>::input, pixels + n * s.x_image, s.x_row, Out, s.cp, rows, g.tile_columns, d + n * per_image * s.cp, s.d_plane, s.cp);
  }

  const int vectors = block_vectors(up(g.all_k, L));
  const long plane = filter_plane(g);
  for (long i = 0; i < T * T; i++)
    for (long k = 0; k < s.kp; k += vectors * L) {
      const float *a = d + i * s.d_plane, *b = u + i * plane + k * g.c;
      float* to = m + i * s.m_plane + k;
      if constexpr (L == 16) {
        if (vectors == 4) products<6, 4>(s.tiles, g.c, a, s.cp, b, to, s.kp);
        else if (vectors == 2) products<12, 2>(s.tiles, g.c, a, s.cp, b, to, s.kp);
        else products<12, 1>(s.tiles, g.c, a, s.cp, b, to, s.kp);
      } else {
        if (vectors == 2) products<6, 2>(s.tiles, g.c, a, s.cp, b, to, s.kp);
        else products<6, 1>(s.tiles, g.c, a, s.cp, b, to, s.kp);
      }
    }

  for (long t = 0; t < s.tiles; t++) {
    const long n = t / per_image, q = t % per_image;
    float* to = out + n * s.y_image + q / g.tile_columns * Out * s.y_row + q % g.tile_columns * Out * s.kp;
    for (long k = 0; k < s.kp; k += L) {
      const float* from = m + t * s.kp + k;
      both<T, Out>(Lines<Out>::output, [&](int i, int j) { return load(from + (i * T + j) * s.m_plane); },
                   [&](int i, int j, V v) { store(to + i * s.y_row + j * s.kp + k, v); });
    }
  }
  const long bottom = least(g.oh, Out * r1);
  for (long n = 0; n < images; n++)
    to_planes(out + n * s.y_image, s.y_row, s.kp, g.k, bottom - Out * r0, g.ow, bias, y + n * y_image + Out * r0 * g.ow, g.oh * g.ow);
}

// ---- the gradient of the weights: products over tiles, for each point

// Channels of a tile in memory: stepping over tiles by a power of two would use few sets of the cache.
long tile_row(long channels) { return up(channels, L) + kApart; }
long weight_workspace(const Winograd& g, long rows) {
  const Sizes s(g, 1, rows);
  return s.x_image + s.y_image;
}
long weight_sums(const Winograd& g) { return points(g) * (up(g.k, L) * up(g.c, L) + kApart); }
long tile_numbers(const Winograd& g, long channels, long count) { return points(g) * (count * tile_row(channels) + kApart); }

// Rows [r0, r1) of an image's tiles become tiles from `at` of `count` in d (from x) and m (from the gradient y).
template <int Out> void weight_tiles(const Winograd& g, const float* x, const float* y, long r0, long r1, long at, long count, float* d,
                                     float* m, float* work) {
  constexpr int T = Out + 2;
  const long rows = r1 - r0;
  const Sizes s(g, 1, rows);
  float *pixels = work, *out = pixels + s.x_image;
  read_pixels(g, x, r0, rows, pixels, s.x_row, s.cp);
  const long first = Out * r0, last = least(g.oh, Out * r1), xr = tile_row(g.c), yr = tile_row(g.k);
  __builtin_memset(out, 0, size_t(s.y_image) * sizeof(float));
  to_pixels(y + first * g.ow, g.oh * g.ow, g.k, last - first, g.ow, out, s.y_row, s.kp, s.kp);
  tiles<T, T>(Lines<Out>::input, pixels, s.x_row, Out, s.cp, rows, g.tile_columns, d + at * xr, count * xr + kApart, xr);
  tiles<Out, T>(Lines<Out>::spread, out, s.y_row, Out, s.kp, rows, g.tile_columns, m + at * yr, count * yr + kApart, yr);
}

// c[i][v] = [c +] sum over t of a[t][i] b[t][v]
template <int M, int N> void outer(long count, const float* a, long a_row, const float* b, long b_row, float* c, long c_row, bool add) {
  V sum[M][N] = {};
  for (long t = 0; t < count; t++, a += a_row, b += b_row) {
    V x[N];
    TG_EACH(v, N) x[v] = load(b + v * L);
    TG_EACH(i, M) {
      const V s = splat(a[i]);
      TG_EACH(v, N) sum[i][v] += s * x[v];
    }
  }
  if (add) TG_EACH(i, M) { TG_EACH(v, N) sum[i][v] += load(c + i * c_row + v * L); }
  TG_EACH(i, M) { TG_EACH(v, N) store(c + i * c_row + v * L, sum[i][v]); }
}
template <int M, int N> void outer_rows(long k0, long k1, long count, const float* a, long a_row, const float* b, long b_row, float* c,
                                        long c_row, bool add) {
  for (long k = k0; k < k1; k += M) outer<M, N>(count, a + k, a_row, b, b_row, c + k * c_row, c_row, add);
}
// u[point][k][c] = [u +] the products of `count` tiles, for output channels [k0, k1), multiples of the lanes.
void weight_products(const Winograd& g, long point, long k0, long k1, const float* d, const float* m, long held, long count, float* u,
                     bool add) {
  const long cp = up(g.c, L), kp = up(g.k, L), xr = tile_row(g.c), yr = tile_row(g.k);
  const float *a = m + point * (held * yr + kApart), *b = d + point * (held * xr + kApart);
  float* c = u + point * (kp * cp + kApart);
  constexpr int M = L == 16 ? 8 : 4;
  for (long v = 0; v < cp;) {
    const long left = (cp - v) / L;
    if (left >= 3 && left != 4) outer_rows<M, 3>(k0, least(k1, kp), count, a, yr, b + v, xr, c + v, cp, add), v += 3 * L;
    else if (left >= 2) outer_rows<M, 2>(k0, least(k1, kp), count, a, yr, b + v, xr, c + v, cp, add), v += 2 * L;
    else outer_rows<M, 1>(k0, least(k1, kp), count, a, yr, b + v, xr, c + v, cp, add), v += L;
  }
}
// The taps of output channels [k0, k1) from all products.
template <int Out> void weight_taps(const Winograd& g, const float* u, long k0, long k1, float* w) {
  constexpr int T = Out + 2;
  const long cp = up(g.c, L), plane = up(g.k, L) * cp + kApart;
  for (long k = k0; k < k1; k++)
    for (long c = 0; c < g.c; c += L) {
      float taps[9][L];
      const float* from = u + k * cp + c;
      both<T, 3>(Lines<Out>::taps, [&](int i, int j) { return load(from + (i * T + j) * plane); },
                 [&](int i, int j, V v) { store(taps[i * 3 + j], v); });
      float* to = w + (k * g.c + c) * 9;
      for (long l = 0; l < least(L, g.c - c); l++) for (int t = 0; t < 9; t++) *to++ = taps[t][l];
    }
}

void filters_of(const Winograd& g, const float* w, long k0, long k1, float* u) {
  g.tile == 2 ? filters<2>(g, w, k0, k1, u) : filters<4>(g, w, k0, k1, u);
}
void run_of(const Winograd& g, const float* x, long x_image, const float* u, const float* bias, float* y, long y_image, long images,
            long r0, long r1, float* work) {
  g.tile == 2 ? run<2>(g, x, x_image, u, bias, y, y_image, images, r0, r1, work)
              : run<4>(g, x, x_image, u, bias, y, y_image, images, r0, r1, work);
}
void weight_tiles_of(const Winograd& g, const float* x, const float* y, long r0, long r1, long at, long count, float* d, float* m, float* work) {
  g.tile == 2 ? weight_tiles<2>(g, x, y, r0, r1, at, count, d, m, work) : weight_tiles<4>(g, x, y, r0, r1, at, count, d, m, work);
}
void weight_taps_of(const Winograd& g, const float* u, long k0, long k1, float* w) {
  g.tile == 2 ? weight_taps<2>(g, u, k0, k1, w) : weight_taps<4>(g, u, k0, k1, w);
}

}  // namespace
}  // namespace TG_NS

const WinogradTable TG_TABLE(winograd) = {TG_NS::L, TG_NS::filter_floats, TG_NS::filters_of, TG_NS::workspace, TG_NS::run_of,
    TG_NS::weight_workspace, TG_NS::tile_numbers, TG_NS::weight_sums, TG_NS::weight_tiles_of, TG_NS::weight_products, TG_NS::weight_taps_of};

}  // namespace tapegrad
