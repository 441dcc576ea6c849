// Convolution as matrix products: images are gathered into columns (one per output pixel, one row per channel and tap), a tile
// at a time, and multiplied with the weights. 1x1 convolutions need no gathering; depthwise ones run plane by plane.
// Work is cut into pieces by shape only, and no two pieces write one number, so results do not depend on threads.
#include "src/ops/conv.h"

#include <algorithm>

#include "src/ops/cpu/table.h"
#include "src/ops/gemm.h"
#include "src/ops/scratch.h"
#include "src/tensor/parallel.h"

namespace tapegrad {
namespace {

const ConvKernels<float>& kernels_for(float) { return kernels().conv->f32; }
const ConvKernels<double>& kernels_for(double) { return kernels().conv->f64; }

// How a convolution is cut: a tile is a number of whole small images, or a range of output pixels of one large image.
struct Tiles {
  int64_t images, pixels, per_image, groups_of_images;
  Tiles(const ConvPlan& p, size_t item) {
    const int64_t rows = p.in_group() * p.taps(), out = p.out();
    const int64_t wanted = std::clamp<int64_t>(int64_t(384 * 1024 / item) / std::max<int64_t>(rows, 1), 192, 4096);
        // columns near a core's cache
    images = out > 0 ? std::clamp<int64_t>(wanted / out, 1, std::max<int64_t>(p.batch, 1)) : 1;
    per_image = images > 1 ? 1 : std::max<int64_t>(1, (out + wanted / 2) / wanted);
    pixels = (out + per_image - 1) / per_image;
    groups_of_images = (p.batch + images - 1) / images;
  }
};
bool pointwise(const ConvPlan& p) {
  const Window& w = p.window;
  for (int d = 0; d < 3; d++) if (w.kernel[d] != 1 || w.stride[d] != 1 || w.pad[d] != 0) return false;
  return true;
}
bool depthwise(const ConvPlan& p) { return p.groups > 1 && p.in_group() == 1 && p.out_group() <= 4; }
double work(const ConvPlan& p) { return double(p.batch) * p.out_channels * p.out() * p.in_group() * p.taps(); }
int64_t grain(const ConvPlan& p, int64_t pieces) { return std::clamp<int64_t>(int64_t(4e5 * pieces / std::max(work(p), 1.0)), 1, pieces); }

template <class T> struct Operands {
  T *x, *y, *w;
  const T* bias;
};

// Rows of `planes` planes, side by side: the columns of a tile that holds several images.
template <class T> void collect(const T* from, int64_t image, int64_t plane, int64_t images, int64_t planes, T* to) {
  for (int64_t k = 0; k < planes; k++)
    for (int64_t n = 0; n < images; n++, to += plane) std::copy_n(from + n * image + k * plane, plane, to);
}

// ---- y = x * w

template <class T> void forward(const ConvPlan& p, const Operands<T>& o) {
  const auto& kernel = kernels_for(T());
  const int64_t in = p.in(), out = p.out(), c = p.in_group(), k = p.out_group(), taps = p.taps(), rows = c * taps;
  if (depthwise(p)) {
    parallel_for(p.batch * p.out_channels, grain(p, p.batch * p.out_channels), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) {
        const int64_t n = i / p.out_channels, ch = i % p.out_channels;
        kernel.plane(p.window, o.x + (n * p.in_channels + ch / k) * in, o.w + ch * taps, o.bias ? o.bias[ch] : T(0), o.y + i * out);
      }
    });
    return;
  }
  const Tiles t(p, sizeof(T));
  const bool direct = pointwise(p);
  const int64_t pieces = t.groups_of_images * t.per_image * p.groups;
  std::atomic<bool> failed = false;
  parallel_for(pieces, grain(p, pieces), [&](int64_t begin, int64_t end) {
    const bool several = t.images > 1;
    Scratch memory(((direct && !several ? 0 : rows * t.images * t.pixels) + (several ? k * t.images * t.pixels : 0)) * sizeof(T), failed);
    if (!memory) return;
    T* cols = memory.template get<T>();
    for (int64_t i = begin; i < end; i++) {
      const int64_t g = i % p.groups, tile = i / p.groups % t.per_image, n = i / p.groups / t.per_image * t.images;
      const int64_t images = std::min(t.images, p.batch - n), first = tile * t.pixels, last = std::min(out, first + t.pixels),
          width = images * (last - first);
      const T* x = o.x + (n * p.in_channels + g * c) * in;
      T* y = o.y + (n * p.out_channels + g * k) * out + first;
      if (!direct) {
        for (int64_t m = 0; m < images; m++) kernel.gather(p.window, x + m * p.in_channels * in, c, first, last,
            cols + m * (last - first), width);
      } else if (several) {
        collect<T>(x, p.in_channels * in, in, images, c, cols);
      }
      T* result = several ? cols + rows * width : y;
      const int64_t pitch = several ? width : out;
      if (o.bias) for (int64_t r = 0; r < k; r++) std::fill_n(result + r * pitch, width, o.bias[g * k + r]);
      const bool in_place = direct && !several;
      gemm_serial(Gemm<T>{k, width, rows, o.w + g * k * rows, rows, 1, in_place ? x + first : cols, in_place ? in : width, 1,
          result, pitch, nullptr, o.bias != nullptr});
      if (several)
        for (int64_t m = 0; m < images; m++)
          for (int64_t r = 0; r < k; r++) std::copy_n(result + r * width + m * out, out, y + m * p.out_channels * out + r * out);
    }
  });
  check_memory(failed);
}

// ---- x = the transpose of that: y's pixels spread over those they came from

template <class T> void data(const ConvPlan& p, const Operands<T>& o) {
  const auto& kernel = kernels_for(T());
  const int64_t in = p.in(), out = p.out(), c = p.in_group(), k = p.out_group(), taps = p.taps();
  const auto start = [&](int64_t n, int64_t channel, int64_t count) {
    for (int64_t ch = channel; ch < channel + count; ch++) std::fill_n(o.x + (n * p.in_channels + ch) * in, in, o.bias ? o.bias[ch] : T(0));
  };
  if (depthwise(p)) {
    parallel_for(p.batch * p.in_channels, grain(p, p.batch * p.in_channels), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) {
        const int64_t n = i / p.in_channels, ch = i % p.in_channels;
        start(n, ch, 1);
        for (int64_t m = ch * k; m < (ch + 1) * k; m++) kernel.plane_data(p.window, o.y + (n * p.out_channels + m) * out,
            o.w + m * taps, o.x + i * in);
      }
    });
    return;
  }
  const Tiles t(p, sizeof(T));
  const bool direct = pointwise(p);
  // Pieces must not share pixels of x: whole images, cut by channels when there are few.
  const int64_t blocks = std::clamp<int64_t>((16 + t.groups_of_images * p.groups - 1) / std::max<int64_t>(t.groups_of_images * p.groups, 1), 1, std::max<int64_t>(c / 8, 1));
  const int64_t block = (c + blocks - 1) / blocks, pieces = t.groups_of_images * p.groups * blocks;
  std::atomic<bool> failed = false;
  parallel_for(pieces, grain(p, pieces), [&](int64_t begin, int64_t end) {
    const bool several = t.images > 1;
    Scratch memory(((direct && !several ? 0 : block * taps * t.images * t.pixels) + (several ? k * t.images * t.pixels
        : 0)) * sizeof(T), failed);
    if (!memory) return;
    T* cols = memory.template get<T>();
    for (int64_t i = begin; i < end; i++) {
      const int64_t c0 = i % blocks * block, cb = std::min(block, c - c0), g = i / blocks % p.groups, n = i / blocks / p.groups * t.images;
      if (cb <= 0) continue;
      const int64_t images = std::min(t.images, p.batch - n), rows = cb * taps;
      const T *y = o.y + (n * p.out_channels + g * k) * out, *w = o.w + (g * k * c + c0) * taps;
      T* x = o.x + (n * p.in_channels + g * c + c0) * in;
      for (int64_t m = 0; m < images && (!direct || o.bias); m++) start(n + m, g * c + c0, cb);
      for (int64_t first = 0; first < out; first += t.pixels) {
        const int64_t last = std::min(out, first + t.pixels), width = images * (last - first);
        const T* right = y + first;
        if (several) {
          T* together = cols + rows * width;
          collect<T>(y, p.out_channels * out, out, images, k, together);
          right = together;
        }
        const bool in_place = direct && !several;
        gemm_serial(Gemm<T>{rows, width, k, w, 1, c * taps, right, several ? width : out, 1, in_place ? x + first : cols,
            in_place ? in : width, nullptr, in_place && o.bias});
        if (in_place) continue;
        for (int64_t m = 0; m < images; m++) {
          T* image = x + m * p.in_channels * in;
          if (!direct) kernel.scatter(p.window, image, cb, first, last, cols + m * (last - first), width);
          else for (int64_t r = 0; r < cb; r++)
            for (int64_t q = 0; q < in; q++) o.bias ? image[r * in + q] += cols[r * width + m * out + q] : image[r * in + q] =
                cols[r * width + m * out + q];
        }
      }
    }
  });
  check_memory(failed);
}

// ---- w = the product of both over all pixels of all images

template <class T> void weight(const ConvPlan& p, const Operands<T>& o) {
  const auto& kernel = kernels_for(T());
  const int64_t in = p.in(), out = p.out(), c = p.in_group(), k = p.out_group(), taps = p.taps();
  if (depthwise(p)) {
    parallel_for(p.out_channels, grain(p, p.out_channels), [&](int64_t begin, int64_t end) {
      for (int64_t ch = begin; ch < end; ch++) {
        std::fill_n(o.w + ch * taps, taps, T(0));
        for (int64_t n = 0; n < p.batch; n++) kernel.plane_weight(p.window, o.x + (n * p.in_channels + ch / k) * in,
            o.y + (n * p.out_channels + ch) * out, o.w + ch * taps);
      }
    });
    return;
  }
  const Tiles t(p, sizeof(T));
  const bool direct = pointwise(p);
  // Pieces: blocks of input channels, which share nothing; with few channels also slices of the batch, each with a sum of its
  // own, added in order at the end.
  const int64_t blocks = std::clamp<int64_t>(16 / std::max<int64_t>(p.groups, 1), 1, std::max<int64_t>(c / 16, 1)), block =
      (c + blocks - 1) / blocks;
  const int64_t slices = std::clamp<int64_t>(16 / (blocks * p.groups), 1, std::max<int64_t>(t.groups_of_images, 1));
  const int64_t per_slice = (t.groups_of_images + slices - 1) / slices, size = p.out_channels * c * taps, pieces =
      blocks * p.groups * slices;
  std::atomic<bool> failed = false;
  Scratch sums(slices > 1 ? size_t(slices * size) * sizeof(T) : 0, failed);
  check_memory(failed);
  parallel_for(pieces, grain(p, pieces), [&](int64_t begin, int64_t end) {
    const bool several = t.images > 1;
    Scratch memory(((direct && !several ? 0 : block * taps * t.images * t.pixels) + (several ? k * t.images * t.pixels
        : 0)) * sizeof(T), failed);
    if (!memory) return;
    T* cols = memory.template get<T>();
    for (int64_t i = begin; i < end; i++) {
      const int64_t slice = i / (blocks * p.groups), g = i / blocks % p.groups, c0 = i % blocks * block, cb = std::min(block,
          c - c0), rows = cb * taps;
      if (cb <= 0) continue;
      T* w = (slices > 1 ? sums.template get<T>() + slice * size : o.w) + (g * k * c + c0) * taps;
      bool add = false;
      for (int64_t group = slice * per_slice; group < std::min(t.groups_of_images, (slice + 1) * per_slice); group++) {
        const int64_t n = group * t.images, images = std::min(t.images, p.batch - n);
        const T *x = o.x + (n * p.in_channels + g * c + c0) * in, *y = o.y + (n * p.out_channels + g * k) * out;
        for (int64_t first = 0; first < out; first += t.pixels) {
          const int64_t last = std::min(out, first + t.pixels), width = images * (last - first);
          if (!direct) for (int64_t m = 0; m < images; m++) kernel.gather(p.window, x + m * p.in_channels * in, cb, first,
              last, cols + m * (last - first), width);
          else if (several) collect<T>(x, p.in_channels * in, in, images, cb, cols);
          const T* left = y + first;
          if (several) {
            T* together = cols + rows * width;
            collect<T>(y, p.out_channels * out, out, images, k, together);
            left = together;
          }
          const bool in_place = direct && !several;
          gemm_serial(Gemm<T>{k, rows, width, left, several ? width : out, 1, in_place ? x + first : cols, 1, in_place ? in
              : width, w, c * taps, nullptr, add});
          add = true;
        }
      }
      if (!add) for (int64_t r = 0; r < k; r++) std::fill_n(w + r * c * taps, rows, T(0));
    }
  });
  check_memory(failed);
  if (slices > 1) {
    const T* s = sums.get<T>();
    std::copy_n(s, size, o.w);
    for (int64_t slice = 1; slice < slices; slice++)
      for (int64_t i = 0; i < size; i++) o.w[i] += s[slice * size + i];
  }
}

template <class T> Operands<T> operands(const Tensor& x, const Tensor& y, const Tensor& w, const Tensor& bias) {
  return {reinterpret_cast<T*>(x->data), reinterpret_cast<T*>(y->data), reinterpret_cast<T*>(w->data), bias.defined()
      ? reinterpret_cast<const T*>(bias->data) : nullptr};
}

}  // namespace

Tensor conv_forward(const ConvPlan& p, const Tensor& x, const Tensor& w, const Tensor& bias) {
  Tensor y = empty(p.y_size(), x.dtype());
  if (y.numel() == 0) return y;
  LongKernel release(int64_t(work(p) / 4));
  if (x.dtype() == float32 && winograd(p, false, x, w, bias, y)) return y;
  x.dtype() == float32 ? forward(p, operands<float>(x, y, w, bias)) : forward(p, operands<double>(x, y, w, bias));
  return y;
}
Tensor conv_data(const ConvPlan& p, const Tensor& y, const Tensor& w, const Tensor& bias) {
  Tensor x = empty(p.x_size(), y.dtype());
  if (x.numel() == 0) return x;
  LongKernel release(int64_t(work(p) / 4));
  if (y.dtype() == float32 && winograd(p, true, y, w, bias, x)) return x;
  y.dtype() == float32 ? data(p, operands<float>(x, y, w, bias)) : data(p, operands<double>(x, y, w, bias));
  return x;
}
Tensor conv_weight(const ConvPlan& p, const Tensor& x, const Tensor& y) {
  Tensor w = empty(p.w_size(), x.dtype());
  if (w.numel() == 0) return w;
  LongKernel release(int64_t(work(p) / 4));
  x.dtype() == float32 ? weight(p, operands<float>(x, y, w, {})) : weight(p, operands<double>(x, y, w, {}));
  return w;
}

}  // namespace tapegrad
