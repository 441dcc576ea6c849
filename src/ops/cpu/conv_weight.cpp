// The gradient of a convolution's weights: for every tap, the products of all pixels' gradients with what the tap saw.
//
// With enough channels both sides become pixels of channels, a tap is an offset between the two, and packets hold input channels.
// With few channels, and for 1x1 on large planes, packets hold pixels: frames of the input (see frame.h) against the rows of the
// gradient laid out with the frame's pitch and zeros between, so that both run on without a break. (An infinite number in the
// input then meets these zeros: NaN.)
#include "src/ops/cpu/conv.h"
#include "src/ops/cpu/frame.h"
#include "src/ops/cpu/panels.h"
#include "src/ops/cpu/pixels.h"

namespace tapegrad { inline namespace TG_NS { namespace {

constexpr long kSlices = 4;    // of an image, each prepared on its own
constexpr long kPixels = 128;  // at a time: their channels that a tile needs stay in the first cache

bool by_pixels(const WeightShape& s) {
  const bool pointwise = volume(s.window.kernel) == 1;
  return s.channels < 8 || (pointwise && volume(s.window.out) >= 512);
}

// ---- packets of channels

template <class T> struct Channels {
  const WeightShape& s;
  const Window& w;
  long cp, kp, x_pixel, x_row, x_slab, x_image, y_pixel, y_image;
  explicit Channels(const WeightShape& shape) : s(shape), w(shape.window) {
    constexpr long L = kLanes<T>;
    cp = up(s.channels, L), kp = up(s.filters, L);
    x_pixel = cp < 128 ? cp : cp + 16, y_pixel = kp < 128 ? kp : kp + 16;  // steps of a power of two would use few sets of the cache
    long padded[3];
    for (int d = 0; d < 3; d++) padded[d] = most(w.in[d] + w.pad[d], (w.out[d] - 1) * w.stride[d] + (w.kernel[d] - 1) * w.dilation[d] + 1);
    x_row = padded[2] * x_pixel, x_slab = padded[1] * x_row, x_image = padded[0] * x_slab;
    y_image = volume(w.out) * y_pixel;
  }
  long prepared() const { return s.images * (x_image + y_image); }
  long sums() const { return volume(w.kernel) * kp * cp; }
  long k_block() const { return kp > 64 ? 32 : most(kLanes<T>, 16); }  // filters of a piece
  long pieces() const { return (kp + k_block() - 1) / k_block(); }

  void prepare(const T* x, long x_step, const T* y, long y_step, long begin, long end, T* to) const {
    for (long i = begin; i < end; i++) {
      const long n = i / kSlices, slice = i % kSlices;
      T *px = to + n * x_image, *py = to + s.images * x_image + n * y_image;
      const long b0 = w.in[1] * slice / kSlices, b1 = w.in[1] * (slice + 1) / kSlices;
      for (long a = 0; a < w.in[0] && b0 < b1; a++)
        to_pixels(x + n * x_step + (a * w.in[1] + b0) * w.in[2], volume(w.in), s.channels, b1 - b0, w.in[2],
                  px + (a + w.pad[0]) * x_slab + (b0 + w.pad[1]) * x_row + w.pad[2] * x_pixel, x_row, x_pixel, cp);
      const long out = volume(w.out), p0 = out * slice / kSlices, p1 = out * (slice + 1) / kSlices;
      if (p0 < p1) to_pixels(y + n * y_step + p0, out, s.filters, 1, p1 - p0, py + p0 * y_pixel, 0, y_pixel, kp);
    }
  }

  // c[i][v] = [c +] sum over pixels of y[i] x[v], for lines [l0, l1) of all images
  template <int M, int N> void outer(long images, long l0, long l1, const T* x, const T* y, T* c, bool add) const {
    using V = Wide<T>;
    constexpr long L = kLanes<T>;
    const long x_step = w.stride[2] * x_pixel;
    V sum[M][N] = {};
    for (long n = 0; n < images; n++)
      for (long l = l0; l < l1; l++) {
        const T *b = x + n * x_image + l / w.out[1] * w.stride[0] * x_slab + l % w.out[1] * w.stride[1] * x_row;
        const T* a = y + n * y_image + l * w.out[2] * y_pixel;
        multiply<T>(sum, w.out[2], a, 1, y_pixel, b, x_step, [](const T* from, int) { return get<V>(from); });
      }
    if (add) TG_EACH(i, M) { TG_EACH(q, N) sum[i][q] += get<V>(c + i * cp + q * L); }
    TG_EACH(i, M) { TG_EACH(q, N) put<V>(c + i * cp + q * L, sum[i][q]); }
  }
  template <int N> void outer_rows(long images, long l0, long l1, const T* x, const T* y, long k0, long k1, T* c, bool add) const {
    constexpr int M = kRows;
    long k = k0;
    for (; k + M <= k1; k += M) outer<M, N>(images, l0, l1, x, y + k, c + k * cp, add);
    for (; k < k1; k += 2) outer<2, N>(images, l0, l1, x, y + k, c + k * cp, add);
  }
  void products(long images, const T* prepared, long begin, long end, T* sums, bool add) const {
    constexpr long L = kLanes<T>;
    const long lines = w.out[0] * w.out[1], out = lines * w.out[2];
    const long block = most(1, kPixels / out), rows = most(1, least(lines, kPixels / w.out[2]));  // images and lines at a time
    const T *x = prepared, *y = prepared + s.images * x_image;
    const long k0 = begin * k_block(), k1 = least(kp, end * k_block());
    for (long n = 0; n < images; n += block)
      for (long l = 0; l < lines; l += rows)
        for (long t = 0; t < volume(w.kernel); t++) {
          const long c2 = t % w.kernel[2], c1 = t / w.kernel[2] % w.kernel[1], c0 = t / w.kernel[2] / w.kernel[1];
          const T* from = x + n * x_image + c0 * w.dilation[0] * x_slab + c1 * w.dilation[1] * x_row + c2 * w.dilation[2] * x_pixel;
          const T* g = y + n * y_image;
          T* to = sums + t * kp * cp;
          const long here = least(block, images - n), l1 = least(lines, l + rows);
          const bool more = add || n > 0 || l > 0;
          for (long v = 0; v < cp;) {
            const long left = (cp - v) / L;
            if (left >= 3 && left != 4) outer_rows<3>(here, l, l1, from + v, g, k0, k1, to + v, more), v += 3 * L;
            else if (left >= 2) outer_rows<2>(here, l, l1, from + v, g, k0, k1, to + v, more), v += 2 * L;
            else outer_rows<1>(here, l, l1, from + v, g, k0, k1, to + v, more), v += L;
          }
        }
  }
  void finish(const T* sums, long k0, long k1, T* to) const {
    const long taps = volume(w.kernel);
    for (long k = k0; k < k1; k++)
      for (long c = 0; c < s.channels; c++)
        for (long t = 0; t < taps; t++) to[(k * s.channels + c) * taps + t] = sums[(t * kp + k) * cp + c];
  }
};

// ---- packets of pixels

template <class T> struct Pixels {
  static constexpr int L = kLanes<T>, kFilters = 4, kBlock = 16;  // filters of a tile and of a piece
  const WeightShape& s;
  const Window& w;
  Frame f;
  bool plain;
  long taps, channel, span, chunk;
  explicit Pixels(const WeightShape& shape) : s(shape), w(shape.window), f(Frame::strided(w)) {
    taps = volume(w.kernel);
    plain = volume(f.phases) == 1 && volume(f.take) == 1 && volume(w.out) % L == 0;
    for (int d = 0; d < 3; d++) plain &= w.out[d] == w.in[d] && w.kernel[d] == 1 && w.pad[d] == 0;
    channel = plain ? volume(w.in) : f.numbers();
    span = plain ? volume(w.out) : up(f.line(w.out[0] - 1, w.out[1] - 1) + w.out[2], L);
    chunk = up(most(L, least(1024, 200000 / s.channels)), L);
  }
  static constexpr long slack = 4 * L;
  long prepared() const { return plain ? 0 : s.images * s.channels * channel + slack; }
  long pairs() const { return s.channels * taps; }
  long sums() const { return up(s.filters, kFilters) * pairs() * L; }
  long block() const { return plain ? kBlock : kFilters; }
  long pieces() const { return (s.filters + block() - 1) / block(); }
  long workspace() const { return (plain ? 0 : kFilters * span) + pairs() * long(sizeof(long) / sizeof(T)); }

  void prepare(const T* x, long x_step, long begin, long end, T* to) const {
    for (long i = begin * s.channels / kSlices; i < end * s.channels / kSlices; i++)  // of images times channels
      f.place(x + i / s.channels * x_step + i % s.channels * volume(w.in), to + i * channel);
  }
  // c[filter][pair] = [c +] sum over pixels of y[filter] x[pair's place]
  template <int M, int N> static void dot(long n, const T* x, const long* offset, const T* y, long y_row, T* c, long c_row, bool add) {
    using V = Wide<T>;
    V sum[N][M] = {};
    const T* at[M];
    TG_EACH(m, M) at[m] = x + offset[m];
    for (long i = 0; i < n; i += L) {
      V g[N];
      TG_EACH(k, N) g[k] = get<V>(y + k * y_row + i);
      TG_EACH(m, M) {
        const V v = get<V>(at[m] + i);
        TG_EACH(k, N) sum[k][m] += v * g[k];
      }
    }
    if (add) TG_EACH(k, N) { TG_EACH(m, M) sum[k][m] += get<V>(c + k * c_row + m * L); }
    TG_EACH(k, N) { TG_EACH(m, M) put<V>(c + k * c_row + m * L, sum[k][m]); }
  }
  template <int N> void dots(long n, const T* x, const long* offset, const T* y, long y_row, T* c, bool add) const {
    long m = 0;
    const long all = pairs(), row = all * L;
    if constexpr (TG_VECTOR_BYTES == 64) {
      if (all % 5 == 0 && all % 3) for (; m < all; m += 5) dot<5, N>(n, x, offset + m, y, y_row, c + m * L, row, add);
      else for (; m + 6 <= all; m += 6) dot<6, N>(n, x, offset + m, y, y_row, c + m * L, row, add);
    }
    for (; m + 3 <= all; m += 3) dot<3, N>(n, x, offset + m, y, y_row, c + m * L, row, add);
    for (; m < all; m++) dot<1, N>(n, x, offset + m, y, y_row, c + m * L, row, add);
  }
  void products(long images, const T* prepared, const T* x, long x_step, const T* y, long y_step, long begin, long end, T* sums, bool add,
                T* work) const {
    long* offset = reinterpret_cast<long*>(work);
    T* rows = work + pairs() * long(sizeof(long) / sizeof(T));
    for (long i = 0; i < pairs(); i++) offset[i] = i / taps * channel + (plain ? 0 : f.tap(w, i % taps));
    Frame g = f;  // the gradient's rows with the frame's pitch
    for (int d = 0; d < 3; d++) g.size[d] = g.in[d] = w.out[d], g.skip[d] = g.low[d] = 0, g.take[d] = g.phases[d] = 1;
    if (!plain) __builtin_memset(rows, 0, size_t(kFilters * span) * sizeof(T));
    const long out = volume(w.out), k1 = least(s.filters, end * block());
    if (plain) {
      for (long n = 0; n < images; n++)
        for (long p = 0; p < span; p += chunk)
          for (long k = begin * kBlock; k < k1; k += kFilters)
            filters(k, least(chunk, span - p), x + n * x_step + p, offset, y + n * y_step + k * out + p, sums, add || n > 0 || p > 0);
      return;
    }
    for (long n = 0; n < images; n++)
      for (long k = begin * kFilters; k < k1; k += kFilters) {
        for (long j = 0; j < least(kFilters, s.filters - k); j++) g.place(y + n * y_step + (k + j) * out, rows + j * span);
        for (long p = 0; p < span; p += chunk)
          filters(k, least(chunk, span - p), prepared + n * s.channels * channel + p, offset, rows + p, sums, add || n > 0 || p > 0);
      }
  }
  void filters(long k, long n, const T* x, const long* offset, const T* y, T* sums, bool add) const {
    T* to = sums + k * pairs() * L;
    if (k + kFilters <= s.filters) dots<kFilters>(n, x, offset, y, span, to, add);
    else for (; k < s.filters; k++, y += span, to += pairs() * L) dots<1>(n, x, offset, y, span, to, add);
  }
  void finish(const T* sums, long k0, long k1, T* to) const {
    using V = Wide<T>;
    for (long i = k0 * pairs(); i < k1 * pairs(); i++) {
      V v = get<V>(sums + i * L);
      to[i] = tree<AddJoin, T, int(L), 1>(&v);
    }
  }
};

// ---- the table's functions

template <class T> WeightSizes sizes(WeightShape& s) {
  const long out = volume(s.window.out), pixels = by_pixels(s) && s.channels < 8 ? 2048 : 768;
  s.images = most(1, least(s.images, (pixels + out - 1) / out));
  if (by_pixels(s)) {
    const Pixels<T> p(s);
    return {p.prepared(), s.images * kSlices, p.sums(), p.pieces(), p.workspace()};
  }
  const Channels<T> c(s);
  return {c.prepared(), s.images * kSlices, c.sums(), c.pieces(), 0};
}
template <class T> void prepare(const WeightShape& s, const T* x, long x_step, const T* y, long y_step, long begin, long end, T* to) {
  if (by_pixels(s)) Pixels<T>(s).prepare(x, x_step, begin, end, to);
  else Channels<T>(s).prepare(x, x_step, y, y_step, begin, end, to);
}
template <class T> void products(const WeightShape& s, long images, const T* prepared, const T* x, long x_step, const T* y, long y_step,
                                 long begin, long end, T* sums, bool add, T* work) {
  if (by_pixels(s)) Pixels<T>(s).products(images, prepared, x, x_step, y, y_step, begin, end, sums, add, work);
  else Channels<T>(s).products(images, prepared, begin, end, sums, add);
}
template <class T> void finish(const WeightShape& s, const T* sums, long k0, long k1, T* to) {
  if (by_pixels(s)) Pixels<T>(s).finish(sums, k0, k1, to);
  else Channels<T>(s).finish(sums, k0, k1, to);
}

}  // namespace

extern const WeightKernels<float> weight_f32 = {sizes<float>, prepare<float>, products<float>, finish<float>};
extern const WeightKernels<double> weight_f64 = {sizes<double>, prepare<double>, products<double>, finish<double>};

}}  // namespace tapegrad
