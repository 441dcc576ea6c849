// Winograd convolution with channels innermost, so that the small transforms fill vectors on maps of any size.
//
// Images become rows of pixels of c channels; each tile of 4x4 pixels (they overlap by 2) is transformed to 16 numbers per
// channel; for each of the 16 one matrix product over channels with the transformed filters; the inverse transform gives
// 2x2 outputs per tile; then back to planes.
#include "src/ops/cpu/winograd.h"

#include "src/ops/cpu/table.h"

#ifdef TG_VECTOR_BYTES
#define TG_LANES (TG_VECTOR_BYTES / 4)
#else
#define TG_LANES 4
#endif
#define TG_EACH(i, n) _Pragma("GCC unroll 16") for (int i = 0; i < (n); i++)

namespace tapegrad {
extern "C" const WinogradTable TG_TABLE(winograd);
namespace TG_NS {
namespace {

constexpr int L = TG_LANES;
constexpr long kPoints = 16;  // of the transform: 4 x 4
typedef float V __attribute__((vector_size(4 * L)));
typedef float Loose __attribute__((vector_size(4 * L), aligned(4), may_alias));
typedef int VI __attribute__((vector_size(4 * L)));
inline V load(const float* p) { return *reinterpret_cast<const Loose*>(p); }
inline void store(float* p, V v) { *reinterpret_cast<Loose*>(p) = v; }
inline V splat(float x) { return x - V{}; }
inline long up(long a, long b) { return (a + b - 1) / b * b; }
inline long least(long a, long b) { return a < b ? a : b; }

inline void transpose(V* v) {
  _Pragma("GCC unroll 4") for (int h = 1; h < L; h *= 2) {
    VI low, high;
    TG_EACH(l, L) low[l] = (l & h) ? L + l - h : l, high[l] = (l & h) ? L + l : l + h;
    TG_EACH(i, L)
      if (!(i & h)) {
        const V a = v[i], b = v[i + h];
        v[i] = __builtin_shuffle(a, b, low), v[i + h] = __builtin_shuffle(a, b, high);
      }
  }
}

// The three transforms of one line: 4 inputs, 4 products -> 2 outputs, 3 taps -> 4.
inline void input_line(const V* d, V* o) { o[0] = d[0] - d[2], o[1] = d[1] + d[2], o[2] = d[2] - d[1], o[3] = d[1] - d[3]; }
inline void output_line(const V* m, V* o) { o[0] = m[0] + m[1] + m[2], o[1] = m[1] - m[2] - m[3]; }
inline void filter_line(const V* g, V* o) {
  const V e = .5f * (g[0] + g[2]), h = .5f * g[1];
  o[0] = g[0], o[1] = e + h, o[2] = e - h, o[3] = g[2];
}
// Applies `line` to the columns, then to the rows, of an In x In square.
template <int In, int Out, class F, class Load, class Store> inline void both(F line, Load get, Store put) {
  V t[Out][In];
  TG_EACH(j, In) {
    V c[In], o[Out];
    TG_EACH(i, In) c[i] = get(i, j);
    line(c, o);
    TG_EACH(i, Out) t[i][j] = o[i];
  }
  TG_EACH(i, Out) {
    V o[Out];
    line(t[i], o);
    TG_EACH(j, Out) put(i, j, o[j]);
  }
}

// ---- planes <-> pixels of channels

// `rows` rows of w pixels of each of c planes (plane apart) -> d[row][pixel][cp], rows d_row apart
void to_pixels(const float* x, long plane, long c, long rows, long w, float* d, long d_row, long cp) {
  const long n = rows * w;
  for (long p0 = 0; p0 < n; p0 += L) {
    const long p = n >= L && p0 + L > n ? n - L : p0, count = least(L, n - p);
    float* at[L];
    long r = p / w, q = p % w;
    for (long i = 0; i < count; i++) {
      at[i] = d + r * d_row + q * cp;
      if (++q == w) q = 0, r++;
    }
    for (long ch = 0; ch < cp; ch += L) {
      V v[L];
      if (count == L && ch + L <= c) {
        TG_EACH(i, L) v[i] = load(x + (ch + i) * plane + p);
      } else {
        for (long i = 0; i < L; i++) {
          float t[L] = {};
          if (ch + i < c) for (long l = 0; l < count; l++) t[l] = x[(ch + i) * plane + p + l];
          v[i] = load(t);
        }
      }
      transpose(v);
      for (long i = 0; i < count; i++) store(at[i] + ch, v[i]);
    }
  }
}
// The way back, plus bias.
void to_planes(const float* s, long s_row, long kp, long k, long rows, long w, const float* bias, float* y, long plane) {
  const long n = rows * w;
  for (long p0 = 0; p0 < n; p0 += L) {
    const long p = n >= L && p0 + L > n ? n - L : p0, count = least(L, n - p);
    const float* at[L];
    long r = p / w, q = p % w;
    for (long i = 0; i < L; i++) {
      at[i] = s + r * s_row + q * kp;
      if (i + 1 < count && ++q == w) q = 0, r++;
    }
    for (long ch = 0; ch < k; ch += L) {
      V v[L];
      TG_EACH(i, L) v[i] = load(at[i] + ch);
      transpose(v);
      for (long i = 0; i < least(L, k - ch); i++) {
        const V sum = bias ? v[i] + splat(bias[ch + i]) : v[i];
        float* to = y + (ch + i) * plane + p;
        if (count == L) store(to, sum);
        else for (long l = 0; l < count; l++) to[l] = sum[int(l)];
      }
    }
  }
}

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

long filter_plane(const Winograd& g) { return up(g.k, L) * g.c + 16; }  // + 16: else 16 planes share few sets of the cache
long filter_floats(const Winograd& g) { return filter_plane(g) * kPoints; }

// u[point][block of k][c][block]
void filters(const Winograd& g, const float* w, long k0, long k1, float* u) {
  const long kp = up(g.k, L), plane = filter_plane(g), block = block_vectors(kp) * L;
  for (long kb = k0; kb < least(k1, kp); kb += block)
    for (long c = 0; c < g.c; c++)
      for (long k = kb; k < kb + block; k += L) {
        V taps[9];
        const float* p = w + k * g.weight_k + c * g.weight_c;
        for (int t = 0; t < 9; t++) {
          V v = {};
          for (int i = 0; i < L; i++) v[i] = k + i < g.k ? p[i * g.weight_k + (g.flip ? 8 - t : t)] : 0;
          taps[t] = v;
        }
        float* to = u + kb * g.c + c * block + k - kb;
        both<3, 4>(filter_line, [&](int i, int j) { return taps[i * 3 + j]; }, [&](int i, int j,
            V v) { store(to + (i * 4 + j) * plane, v); });
      }
}

struct Sizes {
  long cp, kp, tiles, x_row, x_image, y_row, y_image, d_plane, m_plane;
  Sizes(const Winograd& g, long images, long rows) {
    cp = up(g.c, L), kp = up(g.k, L);
    tiles = images * rows * g.tile_columns;
    x_row = (2 * g.tile_columns + 2) * cp, x_image = (2 * rows + 2) * x_row;
    y_row = 2 * g.tile_columns * kp, y_image = 2 * rows * y_row;
    d_plane = tiles * cp + 16, m_plane = tiles * kp + 16;
  }
};
long workspace(const Winograd& g, long images, long rows) {
  const Sizes s(g, images, rows);
  return images * (s.x_image + s.y_image) + kPoints * (s.d_plane + s.m_plane);
}

void run(const Winograd& g, const float* x, long x_image, const float* u, const float* bias, float* y, long y_image,
    long images, long r0, long r1, float* work) {
  const long rows = r1 - r0;
  const Sizes s(g, images, rows);
  float *pixels = work, *out = pixels + images * s.x_image, *d = out + images * s.y_image, *m = d + kPoints * s.d_plane;
  const long top = 2 * r0 - g.pad, first = top < 0 ? 0 : top, last = least(g.h, top + 2 * rows + 2);  // input rows this needs
  __builtin_memset(pixels, 0, (unsigned long)(images * s.x_image) * sizeof(float));
  for (long n = 0; n < images && first < last; n++)
    to_pixels(x + n * x_image + first * g.w, g.h * g.w, g.c, last - first, g.w,
        pixels + n * s.x_image + (first - top) * s.x_row + g.pad * s.cp, s.x_row, s.cp);

  const long per_image = rows * g.tile_columns;
  for (long t = 0; t < s.tiles; t++) {
    const long n = t / per_image, q = t % per_image;
    const float* a = pixels + n * s.x_image + q / g.tile_columns * 2 * s.x_row + q % g.tile_columns * 2 * s.cp;
    for (long c = 0; c < s.cp; c += L) {
      float* to = d + t * s.cp + c;
      both<4, 4>(input_line, [&](int i, int j) { return load(a + i * s.x_row + j * s.cp + c); }, [&](int i, int j,
          V v) { store(to + (i * 4 + j) * s.d_plane, v); });
    }
  }

  const int vectors = block_vectors(s.kp);
  const long plane = filter_plane(g);
  for (long i = 0; i < kPoints; i++)
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
    float* to = out + n * s.y_image + q / g.tile_columns * 2 * s.y_row + q % g.tile_columns * 2 * s.kp;
    for (long k = 0; k < s.kp; k += L) {
      const float* from = m + t * s.kp + k;
      both<4, 2>(output_line, [&](int i, int j) { return load(from + (i * 4 + j) * s.m_plane); }, [&](int i, int j,
          V v) { store(to + i * s.y_row + j * s.kp + k, v); });
    }
  }
  const long bottom = least(g.oh, 2 * r1);
  for (long n = 0; n < images; n++)
    to_planes(out + n * s.y_image, s.y_row, s.kp, g.k, bottom - 2 * r0, g.ow, bias, y + n * y_image + 2 * r0 * g.ow, g.oh * g.ow);
}

}  // namespace
}  // namespace TG_NS

const WinogradTable TG_TABLE(winograd) = {TG_NS::L, TG_NS::filter_floats, TG_NS::filters, TG_NS::workspace, TG_NS::run};

}  // namespace tapegrad
