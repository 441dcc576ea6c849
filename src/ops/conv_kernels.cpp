// Chooses the kernels of a convolution's three products by its shape, and cuts the work: into pieces that depend on the shape only
// and of which no two write one number, so results do not depend on threads.
#include "src/ops/conv.h"

#include <algorithm>

#include "src/ops/cpu/depthwise.h"
#include "src/ops/cpu/table.h"
#include "src/ops/scratch.h"
#include "src/tensor/interrupt.h"
#include "tapegrad/ops.h"

namespace tapegrad {
namespace {

const ConvKernels<float>& kernels_for(float) { return conv_tables[kernel_set]->f32; }
const ConvKernels<double>& kernels_for(double) { return conv_tables[kernel_set]->f64; }
const DepthwiseKernels<float>& depthwise_for(float) { return depthwise_tables[kernel_set]->f32; }
const DepthwiseKernels<double>& depthwise_for(double) { return depthwise_tables[kernel_set]->f64; }

bool depthwise(const ConvPlan& p) { return p.groups > 1 && p.in_group() == 1 && p.out_group() <= 4; }
// Would frames of the result be mostly padding on the way back to the input, or too few rows to be worth them?
bool spreads(const ConvPlan& p) {
  const Window& w = p.window;
  for (int d = 0; d < 3; d++) if (w.stride[d] != 1) return false;
  return w.kernel[0] == 1 && w.in[0] == 1 && w.pad[0] == 0 && double(p.in()) > (p.in_group() < 8 ? 1.1 : 1.25) * double(p.out());
}
double work(const ConvPlan& p) { return double(p.batch) * p.out_channels * p.out() * p.in_group() * p.taps(); }
int64_t grain(const ConvPlan& p, int64_t pieces) { return std::clamp<int64_t>(int64_t(4e5 * pieces / std::max(work(p), 1.0)), 1, pieces); }

template <class T> struct Operands {
  T *x, *y, *w;
  const T* bias;
};

// f(begin, end, working memory) for pieces of the planes or channels of a depthwise convolution, of `least` or more
template <class T, class F> void each_depthwise(const ConvPlan& p, int64_t count, int64_t least, F f) {
  const int64_t size = depthwise_for(T()).workspace(p.window, p.out_group());
  std::atomic<bool> failed = false;
  interruptible_for(count, std::max(least, grain(p, count)), [&](int64_t begin, int64_t end) {
    Scratch memory(size_t(size) * sizeof(T), failed);
    if (memory) f(begin, end, memory.template get<T>());
  });
  check_memory(failed);
}

// One of the two products whose result has places: forward, or (back) data. Groups of images, or bands of lines of one, are pieces
// of their own when there are enough of them; otherwise the work in each is cut by columns and rows.
template <class T> void product(const ConvPlan& p, bool back, const T* from, const T* w, const T* bias, T* to) {
  const auto& kernel = kernels_for(T()).product;
  const int64_t c = back ? p.out_group() : p.in_group(), rows = back ? p.in_group() : p.out_group(), taps = p.taps();
  const int64_t plane = back ? p.out() : p.in(), result_plane = back ? p.in() : p.out();
  const int64_t lines = (back ? p.window.in : p.window.out)[1], line = result_plane / lines;
  const ConvShape all{p.window, back, c, rows, 0, lines};
  std::atomic<bool> failed = false;

  const int64_t weights = kernel.weight_numbers(all), blocks = (rows + 23) / 24;
  Scratch packed(size_t(p.groups * weights) * sizeof(T), failed);
  check_memory(failed);
  interruptible_for(p.groups * blocks, std::max<int64_t>(1, 16384 / (24 * c * taps)), [&](int64_t begin, int64_t end) {
    Scratch memory(size_t(2 * taps) * sizeof(long), failed);
    if (!memory) return;
    for (int64_t i = begin; i < end; i++) {
      const int64_t g = i / blocks, r = i % blocks * 24;
      kernel.pack(all, w + g * c * rows * taps, r, std::min(rows, r + 24), packed.get<T>() + g * weights, memory.get<long>());
    }
  });
  check_memory(failed);

  // Columns of a piece: as few as make 16 pieces. Frames of a band fit the second cache.
  const int64_t total = p.groups * p.batch * result_plane, wanted = total < 16 * 384 ? 1536 : total / 16;
  const int64_t images = std::clamp<int64_t>((std::min<int64_t>(wanted, 1536) + result_plane - 1) / result_plane, 1, p.batch);
  const int64_t step = back ? p.window.stride[1] : 1, framed = kernel.frame_numbers(all, 1);
  const int64_t parts = framed ? std::clamp<int64_t>(std::max(result_plane / wanted, framed / 150000), 1, lines) : 1;
  const int64_t band = ((lines + parts - 1) / parts + step - 1) / step * step, bands = (lines + band - 1) / band;
  const int64_t per_group = (p.batch + images - 1) / images, outer = per_group * p.groups * bands;
  const bool many = outer >= 16;
  const int64_t panels = (images * band * line + kernel.panel - 1) / kernel.panel;
  const int64_t column_parts = many ? 1 : std::clamp<int64_t>(panels / 2, 1, 16);
  const int64_t row_parts = many ? 1 : std::clamp<int64_t>(std::min(16 / column_parts, rows / 48), 1, 16);
  const int64_t columns = (panels + column_parts - 1) / column_parts * kernel.panel, block = (blocks + row_parts - 1) / row_parts * 24;
  interruptible_for(outer, many ? grain(p, outer) : outer, [&](int64_t begin, int64_t end) {
    ConvShape s = all;
    s.line_end = band;
    Scratch memory(size_t(kernel.frame_numbers(s, images)) * sizeof(T), failed);
    if (!memory) return;
    for (int64_t i = begin; i < end; i++) {
      const int64_t n = i / bands % per_group * images, g = i / bands / per_group, here = std::min(images, p.batch - n);
      s.line_begin = i % bands * band, s.line_end = std::min(lines, s.line_begin + band);
      const int64_t from_image = c * p.groups * plane, result_image = rows * p.groups * result_plane;
      const T* source = from + n * from_image + g * c * plane;
      ConvOperands<T> o{packed.get<T>() + g * weights, source, from + p.batch * from_image, from_image,
          to + n * result_image + g * rows * result_plane, result_image, bias ? bias + g * rows : nullptr, here};
      if (framed) {
        T* frames = memory.get<T>();
        interruptible_for(here * c, std::max<int64_t>(1, 32768 / plane), [&](int64_t first, int64_t last) {
          kernel.frames(s, source, from_image, first, last, frames);
        });
        o.source = frames, o.source_end = frames + kernel.frame_numbers(s, images), o.source_image = kernel.frame_size(s) * c;
      }
      const int64_t here_columns = here * (s.line_end - s.line_begin) * line;
      interruptible_for(column_parts * row_parts, grain(p, outer * column_parts * row_parts), [&](int64_t first, int64_t last) {
        Scratch work(size_t(kernel.workspace(s, std::min(block, rows))) * sizeof(T), failed);
        if (!work) return;
        for (int64_t piece = first; piece < last; piece++) {
          const int64_t column = piece / row_parts * columns, r = piece % row_parts * block;
          kernel.run(s, o, column, std::min(column + columns, here_columns), r, std::min(r + block, rows), work.get<T>());
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
    return each_depthwise<T>(p, p.batch * p.in_channels, 1, [&](int64_t begin, int64_t end, T* work) {
      depthwise_for(T()).forward(p.window, k, p.in_channels, begin, end, o.x, o.w, o.bias, o.y, work);
    });
  product<T>(p, false, o.x, o.w, o.bias, o.y);
}

// ---- x = the transpose of that: y's pixels spread over those they came from

template <class T> void spread(const ConvPlan& p, const Operands<T>& o) {
  const auto& kernel = kernels_for(T()).spread;
  const int64_t in = p.in(), out = p.out(), c = p.in_group(), k = p.out_group();
  const ConvShape s{p.window, true, k, c, 0, p.window.in[1]};
  const int64_t weights = kernel.weight_numbers(s);
  std::atomic<bool> failed = false;
  Scratch packed(size_t(p.groups * weights) * sizeof(T), failed);
  check_memory(failed);
  interruptible_for(p.groups, std::max<int64_t>(1, 32768 / weights), [&](int64_t begin, int64_t end) {
    for (int64_t g = begin; g < end; g++) kernel.pack(s, o.w + g * k * c * p.taps(), packed.get<T>() + g * weights);
  });
  const int64_t images = p.batch * p.groups, wanted = images < 16 ? std::max<int64_t>(16 / images, 1) : 1;
  const int64_t block = ((c + wanted - 1) / wanted + 7) / 8 * 8, blocks = (c + block - 1) / block;
  interruptible_for(images * blocks, grain(p, images * blocks), [&](int64_t begin, int64_t end) {
    Scratch memory(size_t(kernel.workspace(s, std::min(block, c))) * sizeof(T), failed);
    if (!memory) return;
    for (int64_t i = begin; i < end; i++) {
      const int64_t c0 = i % blocks * block, image = i / blocks, g = image % p.groups;
      kernel.run(s, packed.get<T>() + g * weights, o.y + image * k * out, o.bias ? o.bias + g * c : nullptr, o.x + image * c * in, c0,
          std::min(c, c0 + block), memory.get<T>());
    }
  });
  check_memory(failed);
}
template <class T> void data(const ConvPlan& p, const Operands<T>& o) {
  const int64_t k = p.out_group();
  if (depthwise(p))
    return each_depthwise<T>(p, p.batch * p.in_channels, 1, [&](int64_t begin, int64_t end, T* work) {
      depthwise_for(T()).data(p.window, k, p.in_channels, begin, end, o.y, o.w, o.bias, o.x, work);
    });
  spreads(p) ? spread(p, o) : product<T>(p, true, o.y, o.w, o.bias, o.x);
}

// ---- w = the product of both over all pixels of all images

template <class T> void weight(const ConvPlan& p, const Operands<T>& o) {
  const int64_t in = p.in(), out = p.out(), c = p.in_group(), k = p.out_group(), taps = p.taps();
  if (depthwise(p))
    return each_depthwise<T>(p, p.in_channels, std::clamp<int64_t>(p.in_channels / 16, 1, 8), [&](int64_t begin, int64_t end, T* work) {
      depthwise_for(T()).weight(p.window, k, p.in_channels, begin, end, p.batch, o.x, o.y, o.w, work);
    });
  if (p.batch * out == 0) return void(std::fill_n(o.w, p.out_channels * c * taps, T(0)));
  const auto& kernel = kernels_for(T()).weight;
  WeightShape s{p.window, c, k, p.batch};
  const WeightSizes size = kernel.sizes(s);
  const bool many = p.groups >= 16;
  std::atomic<bool> failed = false;
  interruptible_for(p.groups, many ? grain(p, p.groups) : p.groups, [&](int64_t begin, int64_t end) {
    Scratch prepared(size_t(size.prepared) * sizeof(T), failed), sums(size_t(size.sums) * sizeof(T), failed);
    if (!prepared || !sums) return;
    std::fill_n(prepared.get<T>(), size.prepared, T(0));
    for (int64_t g = begin; g < end; g++) {
      for (int64_t n = 0; n < p.batch; n += s.images) {
        const int64_t images = std::min<int64_t>(s.images, p.batch - n), parts = size.parts / s.images * images, steps = (p.batch + s.images - 1) / s.images;
        const T *x = o.x + (n * p.in_channels + g * c) * in, *y = o.y + (n * p.out_channels + g * k) * out;
        if (size.prepared)
          interruptible_for(parts, std::max<int64_t>(1, 32768 * parts / (images * (c * in + k * out))), [&](int64_t first, int64_t last) {
            kernel.prepare(s, x, p.in_channels * in, y, p.out_channels * out, first, last, prepared.get<T>());
          });
        interruptible_for(size.pieces, grain(p, size.pieces * steps * p.groups), [&](int64_t first, int64_t last) {
          Scratch memory(size_t(size.workspace) * sizeof(T), failed);
          if (memory) kernel.products(s, images, prepared.get<T>(), x, p.in_channels * in, y, p.out_channels * out, first, last, sums.get<T>(), n > 0, memory.get<T>());
        });
      }
      interruptible_for(k, std::max<int64_t>(1, 32768 / (c * taps)), [&](int64_t first, int64_t last) {
        kernel.finish(s, sums.get<T>(), first, last, o.w + g * k * c * taps);
      });
    }
  });
  check_memory(failed);
}

// A 1x1 convolution with a stride is one without on the numbers that it reads.
Tensor thin(const ConvPlan& p, Tensor x) {
  for (int d = 3 - p.dims; d < 3; d++)
    x = slice(x, d - 3, 0, (p.window.out[d] - 1) * p.window.stride[d] + 1, p.window.stride[d]);
  return contiguous(x);
}
bool can_thin(const ConvPlan& p) {
  const Window& w = p.window;
  bool strided = false;
  for (int d = 0; d < 3; d++) {
    if (w.kernel[d] != 1 || w.pad[d] != 0) return false;
    strided |= w.stride[d] > 1;
  }
  return strided && p.out() > 0;
}

template <class T> Operands<T> operands(const Tensor& x, const Tensor& y, const Tensor& w, const Tensor& bias) {
  return {x->host<T>(), y->host<T>(), w->host<T>(), bias.defined()
      ? bias->host<const T>() : nullptr};
}

}  // namespace

Tensor conv_forward(const ConvPlan& p, const Tensor& x, const Tensor& w, const Tensor& bias) {
  Tensor y = empty(p.y_size(), x.dtype(), x.device());
  if (y.numel() == 0) return y;
  LongKernel release(int64_t(work(p) / 4));
  if (x.dtype() == float32 && winograd(p, false, x, w, bias, y)) return y;
  x.dtype() == float32 ? forward(p, operands<float>(x, y, w, bias)) : forward(p, operands<double>(x, y, w, bias));
  return y;
}
Tensor conv_data(const ConvPlan& p, const Tensor& y, const Tensor& w, const Tensor& bias) {
  Tensor x = empty(p.x_size(), y.dtype(), y.device());
  if (x.numel() == 0) return x;
  LongKernel release(int64_t(work(p) / 4));
  if (y.dtype() == float32 && winograd(p, true, y, w, bias, x)) return x;
  y.dtype() == float32 ? data(p, operands<float>(x, y, w, bias)) : data(p, operands<double>(x, y, w, bias));
  return x;
}
Tensor conv_weight(const ConvPlan& p, const Tensor& x, const Tensor& y) {
  Tensor w = empty(p.w_size(), x.dtype(), x.device());
  if (w.numel() == 0) return w;
  LongKernel release(int64_t(work(p) / 4));
  if (can_thin(p)) {
    ConvPlan dense = p;
    for (int d = 0; d < 3; d++) dense.window.in[d] = p.window.out[d], dense.window.stride[d] = 1;
    return conv_weight(dense, thin(p, x), y);
  }
  if (x.dtype() == float32 && winograd_weight(p, x, y, w)) return w;
  x.dtype() == float32 ? weight(p, operands<float>(x, y, w, {})) : weight(p, operands<double>(x, y, w, {}));
  return w;
}

}  // namespace tapegrad
