// Convolution as matrix products: images are gathered into columns (one per output pixel, one row per channel and tap), a tile
// at a time, and multiplied with the weights. 1x1 convolutions need no gathering; depthwise ones run plane by plane.
// Work is cut into pieces by shape only, and no two pieces write one number, so results do not depend on threads.
#include "src/ops/conv.h"

#include <algorithm>

#include "src/ops/cpu/depthwise.h"
#include "src/ops/cpu/table.h"
#include "src/ops/gemm.h"
#include "src/ops/scratch.h"
#include "src/tensor/parallel.h"

namespace tapegrad {
namespace {

const ConvKernels<float>& kernels_for(float) { return kernels().conv->f32; }
const ConvKernels<double>& kernels_for(double) { return kernels().conv->f64; }
const ProductKernels<float>& product_for(float) { return *kernels().conv->product_f32; }
const ProductKernels<double>& product_for(double) { return *kernels().conv->product_f64; }
const DepthwiseKernels<float>& depthwise_for(float) { return kernels().depthwise->f32; }
const DepthwiseKernels<double>& depthwise_for(double) { return kernels().depthwise->f64; }

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
// Is the input so much larger than the result that reading taps of padding would cost more than adding columns up?
bool grows(const ConvPlan& p) {
  bool dense = true;
  for (int d = 0; d < 3; d++) dense &= p.window.stride[d] == 1;
  return dense && p.in() > p.out() + p.out() / 2;
}
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

// f(begin, end, working memory) for pieces of the planes or channels of a depthwise convolution
template <class T, class F> void each_depthwise(const ConvPlan& p, int64_t count, F f) {
  const int64_t size = depthwise_for(T()).workspace(p.window, p.out_group());
  std::atomic<bool> failed = false;
  parallel_for(count, grain(p, count), [&](int64_t begin, int64_t end) {
    Scratch memory(size_t(size) * sizeof(T), failed);
    if (memory) f(begin, end, memory.template get<T>());
  });
  check_memory(failed);
}

// One of the two products whose result has places: forward, or (back) data. Groups of images are pieces of their own when there
// are enough of them; otherwise the work in each is cut by columns and rows.
template <class T> void product(const ConvPlan& p, bool back, const T* from, const T* w, const T* bias, T* to) {
  const auto& kernel = product_for(T());
  const int64_t c = back ? p.out_group() : p.in_group(), rows = back ? p.in_group() : p.out_group(), taps = p.taps();
  const int64_t plane = back ? p.out() : p.in(), result_plane = back ? p.in() : p.out();
  const ConvShape s{p.window, back, c, rows};
  std::atomic<bool> failed = false;

  const int64_t weights = kernel.weight_numbers(s), blocks = (rows + 23) / 24;
  Scratch packed(size_t(p.groups * weights) * sizeof(T), failed);
  check_memory(failed);
  parallel_for(p.groups * blocks, std::max<int64_t>(1, 16384 / (24 * c * taps)), [&](int64_t begin, int64_t end) {
    Scratch memory(size_t(2 * taps) * sizeof(long), failed);
    if (!memory) return;
    for (int64_t i = begin; i < end; i++) {
      const int64_t g = i / blocks, r = i % blocks * 24;
      kernel.pack(s, w + g * c * rows * taps, r, std::min(rows, r + 24), packed.get<T>() + g * weights, memory.get<long>());
    }
  });
  check_memory(failed);

  const int64_t images = std::clamp<int64_t>((1536 + result_plane - 1) / result_plane, 1, p.batch);
  const int64_t per_group = (p.batch + images - 1) / images, outer = per_group * p.groups;
  const bool many = outer >= 16;
  const int64_t panels = (images * result_plane + kernel.panel - 1) / kernel.panel;
  const int64_t column_parts = many ? 1 : std::clamp<int64_t>(panels / 2, 1, 16);
  const int64_t row_parts = many ? 1 : std::clamp<int64_t>(std::min(16 / column_parts, rows / 48), 1, 16);
  const int64_t columns = (panels + column_parts - 1) / column_parts * kernel.panel, block = (blocks + row_parts - 1) / row_parts * 24;
  parallel_for(outer, many ? grain(p, outer) : outer, [&](int64_t begin, int64_t end) {
    const int64_t size = kernel.frame_numbers(s, images);
    Scratch memory(size_t(size) * sizeof(T), failed);
    if (!memory) return;
    for (int64_t i = begin; i < end; i++) {
      const int64_t n = i % per_group * images, g = i / per_group, here = std::min(images, p.batch - n);
      const int64_t from_image = c * p.groups * plane, result_image = rows * p.groups * result_plane;
      const T* source = from + n * from_image + g * c * plane;
      ConvOperands<T> o{packed.get<T>() + g * weights, source, from + p.batch * from_image, from_image,
          to + n * result_image + g * rows * result_plane, result_image, bias ? bias + g * rows : nullptr, here};
      if (size) {
        T* frames = memory.get<T>();
        parallel_for(here * c, std::max<int64_t>(1, 32768 / plane), [&](int64_t first, int64_t last) {
          kernel.frames(s, source, from_image, first, last, frames);
        });
        o.source = frames, o.source_end = frames + size, o.source_image = kernel.frame_size(s) * c;
      }
      parallel_for(column_parts * row_parts, grain(p, outer * column_parts * row_parts), [&](int64_t first, int64_t last) {
        Scratch work(size_t(kernel.workspace(s, std::min(block, rows))) * sizeof(T), failed);
        if (!work) return;
        for (int64_t piece = first; piece < last; piece++) {
          const int64_t column = piece / row_parts * columns, r = piece % row_parts * block;
          kernel.run(s, o, column, std::min(column + columns, here * result_plane), r, std::min(r + block, rows), work.get<T>());
        }
      });
    }
  });
  check_memory(failed);
}

// ---- y = x * w

template <class T> void forward(const ConvPlan& p, const Operands<T>& o) {
  const int64_t k = p.out_group();
  if (depthwise(p))
    return each_depthwise<T>(p, p.batch * p.in_channels, [&](int64_t begin, int64_t end, T* work) {
      depthwise_for(T()).forward(p.window, k, p.in_channels, begin, end, o.x, o.w, o.bias, o.y, work);
    });
  product<T>(p, false, o.x, o.w, o.bias, o.y);
}

// ---- x = the transpose of that: y's pixels spread over those they came from

template <class T> void data(const ConvPlan& p, const Operands<T>& o) {
  const auto& kernel = kernels_for(T());
  const int64_t in = p.in(), out = p.out(), c = p.in_group(), k = p.out_group(), taps = p.taps();
  const auto start = [&](int64_t n, int64_t channel, int64_t count) {
    for (int64_t ch = channel; ch < channel + count; ch++) std::fill_n(o.x + (n * p.in_channels + ch) * in, in, o.bias ? o.bias[ch] : T(0));
  };
  if (depthwise(p))
    return each_depthwise<T>(p, p.batch * p.in_channels, [&](int64_t begin, int64_t end, T* work) {
      depthwise_for(T()).data(p.window, k, p.in_channels, begin, end, o.y, o.w, o.bias, o.x, work);
    });
  if (!grows(p)) return product<T>(p, true, o.y, o.w, o.bias, o.x);
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
  if (depthwise(p))
    return each_depthwise<T>(p, p.in_channels, [&](int64_t begin, int64_t end, T* work) {
      depthwise_for(T()).weight(p.window, k, p.in_channels, begin, end, p.batch, o.x, o.y, o.w, work);
    });
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
