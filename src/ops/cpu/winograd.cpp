// Winograd convolution with channels innermost, so that the small transforms fill vectors on maps of any size.
//
// Images become rows of pixels of c channels; each tile of 4x4 pixels (they overlap by 2) is transformed to 16 numbers per
// channel; for each of the 16 one matrix product over channels with the transformed filters; the inverse transform gives
// 2x2 outputs per tile; then back to planes. The outputs of the first row and column of a tile need no number of the last: where
// a map has an odd size, that is all that its last tiles are for.
#include "src/ops/cpu/winograd.h"

#include "src/ops/cpu/table.h"
#include "src/ops/cpu/winograd_lines.h"

namespace tapegrad {
extern "C" const WinogradTable TG_TABLE(winograd);
inline namespace TG_NS {
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
long filter_floats(const Winograd& g) { return filter_plane(g) * 16; }

// u[point][block of k][c][block]
void filters(const Winograd& g, const float* w, long k0, long k1, float* u) {
  const long kp = up(g.k, L), plane = filter_plane(g), block = block_vectors(kp) * L;
  for (long kb = k0; kb < least(k1, kp); kb += block)
    for (long c = 0; c < g.c; c++)
      for (long k = kb; k < kb + block; k += L) {
        V taps[9];
        const float* p = w + k * g.weight_k + c * g.weight_c;
        if (L > 9 && k + L <= g.k && (k + L - 1) * g.weight_k + c * g.weight_c + L <= g.k * g.c * 9) {
          V rows[L];
          TG_EACH(i, L) rows[i] = load(p + i * g.weight_k), __builtin_prefetch(p + i * g.weight_k + 32);
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
        both<3, 4>(Lines<2>::filter, [&](int i, int j) { return taps[i * 3 + j]; },
                   [&](int i, int j, V v) { store(to + (i * 4 + j) * plane, v); });
      }
}

// The tiles of some rows of some images, in the order of d and m: those that need all points but the last column's, all points,
// all but the last row's, and neither. Each kind is a range of rows and columns of every image.
struct Tiles {
  struct Kind { long r, q, rows, columns, at; } kinds[4];
  long all;
  Tiles(const Winograd& g, long images, long r0, long r1) {
    const long columns = g.ow / 2, rows = least(r1, g.oh / 2) - r0, right = g.ow % 2, bottom = r1 - r0 - rows;
    const Kind k[4] = {{0, columns, rows, right, 0}, {0, 0, rows, columns, 0}, {rows, 0, bottom, columns, 0},
                       {rows, columns, bottom, right, 0}};
    all = 0;
    for (int i = 0; i < 4; i++) kinds[i] = k[i], kinds[i].at = all, all += images * k[i].rows * k[i].columns;
  }
  long begin(long point) const { return point % 4 == 3 ? kinds[1].at : 0; }
  long end(long point) const { return point / 4 == 3 ? kinds[2].at : point % 4 == 3 ? kinds[3].at : all; }
};
long pixel_row(const Winograd& g, long channels) { return (g.tile * g.tile_columns + 2) * up(channels, L); }
long input_plane(const Winograd& g, long tiles) { return tiles * up(g.c, L) + kApart; }
long output_plane(const Winograd& g, long tiles) { return tiles * up(g.k, L) + kApart; }
long input_floats(const Winograd& g, long images, long rows) { return 16 * input_plane(g, images * rows * g.tile_columns); }
long input_workspace(const Winograd& g, long rows) { return (2 * rows + 2) * pixel_row(g, g.c); }
long output_workspace(const Winograd& g, long images, long rows) {
  const long tiles = images * rows * g.tile_columns;
  return 4 * tiles * up(g.k, L) + 16 * output_plane(g, tiles);
}

// The pixels that rows of tiles from r0 on need, zeros around.
void read_pixels(const Winograd& g, const float* x, long channels, long r0, long rows, float* pixels) {
  const long cp = up(channels, L), row = pixel_row(g, channels);
  const long top = g.tile * r0 - g.pad, first = most(top, 0), last = least(g.h, top + g.tile * rows + 2);
  __builtin_memset(pixels, 0, size_t(g.tile * rows + 2) * size_t(row) * sizeof(float));
  if (first < last) to_pixels(x + first * g.w, g.h * g.w, channels, last - first, g.w, pixels + (first - top) * row + g.pad * cp, row, cp, cp);
}

void input(const Winograd& g, const float* x, long x_image, long images, long begin, long end, long r0, long r1, float* d,
           float* pixels) {
  const Tiles tiles_of(g, images, r0, r1);
  const long cp = up(g.c, L), row = pixel_row(g, g.c), plane = input_plane(g, tiles_of.all);
  for (long n = begin; n < end; n++) {
    read_pixels(g, x + n * x_image, g.c, r0, r1 - r0, pixels);
    for (const auto& k : tiles_of.kinds)
      tiles<4, 4>(Lines<2>::input, pixels + 2 * (k.r * row + k.q * cp), row, 2, cp, k.rows, k.columns,
                  d + (k.at + n * k.rows * k.columns) * cp, plane, cp);
  }
}

void output(const Winograd& g, const float* d, const float* u, const float* bias, float* y, long y_image, long images, long r0, long r1,
            float* work) {
  const Tiles tiles_of(g, images, r0, r1);
  const long cp = up(g.c, L), kp = up(g.k, L), d_plane = input_plane(g, tiles_of.all), m_plane = output_plane(g, tiles_of.all);
  const long rows = r1 - r0, row = 2 * g.tile_columns * kp, image = 2 * rows * row, plane = filter_plane(g);
  const int vectors = block_vectors(up(g.all_k, L));
  float *out = work, *m = out + images * image;
  for (long i = 0; i < 16; i++)
    for (long k = 0; k < kp; k += vectors * L) {
      const long first = tiles_of.begin(i), t = tiles_of.end(i) - first;
      const float *a = d + i * d_plane + first * cp, *b = u + i * plane + k * g.c;
      float* to = m + i * m_plane + first * kp + k;
      if constexpr (L == 16) {
        if (vectors == 4) products<6, 4>(t, g.c, a, cp, b, to, kp);
        else if (vectors == 2) products<12, 2>(t, g.c, a, cp, b, to, kp);
        else products<12, 1>(t, g.c, a, cp, b, to, kp);
      } else {
        if (vectors == 2) products<6, 2>(t, g.c, a, cp, b, to, kp);
        else products<6, 1>(t, g.c, a, cp, b, to, kp);
      }
    }

  for (const auto& kind : tiles_of.kinds)
    for (long t = 0; t < images * kind.rows * kind.columns; t++) {
      const long n = t / (kind.rows * kind.columns), r = kind.r + t / kind.columns % kind.rows, q = kind.q + t % kind.columns;
      float* to = out + n * image + 2 * (r * row + q * kp);
      for (long k = 0; k < kp; k += L) {
        const float* from = m + (kind.at + t) * kp + k;
        both<4, 2>(Lines<2>::output, [&](int i, int j) { return load(from + (i * 4 + j) * m_plane); },
                   [&](int i, int j, V v) { store(to + i * row + j * kp + k, v); });
      }
    }
  const long bottom = least(g.oh, 2 * r1);
  for (long n = 0; n < images; n++)
    to_planes(out + n * image, row, kp, g.k, bottom - 2 * r0, g.ow, bias, y + n * y_image + 2 * r0 * g.ow, g.oh * g.ow);
}

// ---- the gradient of the weights: products over tiles, for each point

// Channels of a tile in memory: stepping over tiles by a power of two would use few sets of the cache.
long tile_row(long channels) { return up(channels, L) + kApart; }
long weight_workspace(const Winograd& g, long rows, long channels) { return (g.tile * rows + 2) * pixel_row(g, channels); }
long weight_sums(const Winograd& g) { return points(g) * (up(g.k, L) * up(g.c, L) + kApart); }
long tile_numbers(const Winograd& g, long channels, long held) { return points(g) * (held * tile_row(channels) + kApart); }

// Rows [r0, r1) of an image's tiles become tiles from `at` of those in `to`.
template <int Out> void weight_tiles(const Winograd& g, bool result, const float* from, long c0, long c1, long r0, long r1, long at,
                                     long held, float* to, float* pixels) {
  constexpr int T = Out + 2;
  const long rows = r1 - r0, cp = up(c1 - c0, L), tile = tile_row(result ? g.k : g.c), plane = held * tile + kApart;
  to += at * tile + c0;
  if (!result) {
    read_pixels(g, from + c0 * g.h * g.w, c1 - c0, r0, rows, pixels);
    return tiles<T, T>(Lines<Out>::input, pixels, pixel_row(g, c1 - c0), Out, cp, rows, g.tile_columns, to, plane, tile);
  }
  const long first = Out * r0, last = least(g.oh, Out * r1), row = Out * g.tile_columns * cp;
  __builtin_memset(pixels, 0, size_t(Out * rows * row) * sizeof(float));
  to_pixels(from + c0 * g.oh * g.ow + first * g.ow, g.oh * g.ow, c1 - c0, last - first, g.ow, pixels, row, cp, cp);
  tiles<Out, T>(Lines<Out>::spread, pixels, row, Out, cp, rows, g.tile_columns, to, plane, tile);
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

void weight_tiles_of(const Winograd& g, bool result, const float* from, long c0, long c1, long r0, long r1, long at, long held, float* to,
                     float* work) {
  g.tile == 2 ? weight_tiles<2>(g, result, from, c0, c1, r0, r1, at, held, to, work)
              : weight_tiles<4>(g, result, from, c0, c1, r0, r1, at, held, to, work);
}
void weight_taps_of(const Winograd& g, const float* u, long k0, long k1, float* w) {
  g.tile == 2 ? weight_taps<2>(g, u, k0, k1, w) : weight_taps<4>(g, u, k0, k1, w);
}

}  // namespace
}  // namespace TG_NS

const WinogradTable TG_TABLE(winograd) = {TG_NS::L, TG_NS::filter_floats, TG_NS::filters, TG_NS::input_floats, TG_NS::input_workspace,
    TG_NS::input, TG_NS::output_workspace, TG_NS::output, TG_NS::weight_workspace, TG_NS::tile_numbers, TG_NS::weight_sums,
    TG_NS::weight_tiles_of, TG_NS::weight_products, TG_NS::weight_taps_of};

}  // namespace tapegrad
