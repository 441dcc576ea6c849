// Patches of images as columns, and columns summed back into images: nn.functional.unfold and fold. Each is the other's gradient.
#include "src/ops/op_info.h"
#include "src/ops/typed.h"
#include "src/ops/view.h"
#include "src/ops/window_list.h"

namespace tapegrad {
namespace {

struct Patches {  // heights and widths of everything
  int64_t size[2], kernel[2], dilation[2], padding[2], stride[2], count[2];
};
Patches make_patches(IntList size, IntList kernel, IntList dilation, IntList padding, IntList stride) {
  Patches p;
  spread_list(size, 2, "output_size", 1, p.size), spread_list(kernel, 2, "kernel_size", 1, p.kernel);
  spread_list(dilation, 2, "dilation", 1, p.dilation), spread_list(padding, 2, "padding", 0, p.padding), spread_list(stride, 2, "stride", 1, p.stride);
  for (int k = 0; k < 2; k++) {
    const int64_t room = p.size[k] + 2 * p.padding[k] - p.dilation[k] * (p.kernel[k] - 1) - 1;
    TG_CHECK(room >= 0, ShapeError, "the kernel must fit in the padded image, got kernel ", kernel, " and image ", IntList(p.size, 2));
    p.count[k] = room / p.stride[k] + 1;
  }
  return p;
}
// f(image element or -1 outside, column element) for one plane: columns are (kh, kw, count, count).
template <class F> void each_pixel(const Patches& p, F&& f) {
  int64_t column = 0;
  for (int64_t i = 0; i < p.kernel[0]; i++)
    for (int64_t j = 0; j < p.kernel[1]; j++)
      for (int64_t a = 0; a < p.count[0]; a++) {
        const int64_t y = a * p.stride[0] - p.padding[0] + i * p.dilation[0];
        for (int64_t b = 0; b < p.count[1]; b++, column++) {
          const int64_t x = b * p.stride[1] - p.padding[1] + j * p.dilation[1];
          const bool inside = y >= 0 && y < p.size[0] && x >= 0 && x < p.size[1];
          f(inside ? y * p.size[1] + x : -1, column);
        }
      }
}
int64_t column_size(const Patches& p) { return p.kernel[0] * p.kernel[1] * p.count[0] * p.count[1]; }

Tensor to_columns(const Tensor& images, const Patches& p);
Tensor to_images(const Tensor& columns, const Patches& p);
struct ToColumnsBackward final : NodeOf<1> {
  Patches p;
  ToColumnsBackward(const Tensor& x, const Patches& q) : NodeOf(x), p(q) {}
  const char* name() const override { return "Im2ColBackward0"; }
  void backward(Tensor g, Tensor* dx) override { dx[0] = to_images(g, p); }
};
struct ToImagesBackward final : NodeOf<1> {
  Patches p;
  ToImagesBackward(const Tensor& x, const Patches& q) : NodeOf(x), p(q) {}
  const char* name() const override { return "Col2ImBackward0"; }
  void backward(Tensor g, Tensor* dx) override { dx[0] = to_columns(g, p); }
};
// images (N, C, H, W) → (N, C kh kw, L)
Tensor to_columns(const Tensor& images, const Patches& p) {
  const int64_t n = images->sizes[0], c = images->sizes[1], plane = p.size[0] * p.size[1], size = column_size(p);
  Tensor out = empty({n, c * p.kernel[0] * p.kernel[1], p.count[0] * p.count[1]}, images.dtype(), images.device());
  {
    NoGrad guard;
    const Tensor x = contiguous(images);
    LongKernel unlock(out.numel());
    typed(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      parallel_for(n * c, grain_for(size), [&](int64_t begin, int64_t end) {
        for (int64_t k = begin; k < end; k++) {
          const T* from = x->host<const T>() + k * plane;
          T* to = out->host<T>() + k * size;
          each_pixel(p, [&](int64_t pixel, int64_t column) { to[column] = pixel < 0 ? T(0) : from[pixel]; });
        }
      });
    });
  }
  if (recording(images)) record<ToColumnsBackward>(out, images, p);
  return out;
}
Tensor to_images(const Tensor& columns, const Patches& p) {
  const int64_t n = columns->sizes[0], c = columns->sizes[1] / (p.kernel[0] * p.kernel[1]), plane = p.size[0] * p.size[1], size = column_size(p);
  Tensor out = zeros({n, c, p.size[0], p.size[1]}, columns.dtype(), columns.device());
  {
    NoGrad guard;
    const Tensor x = contiguous(columns);
    LongKernel unlock(x.numel());
    typed(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      parallel_for(n * c, grain_for(size), [&](int64_t begin, int64_t end) {
        for (int64_t k = begin; k < end; k++) {
          const T* from = x->host<const T>() + k * size;
          T* to = out->host<T>() + k * plane;
          each_pixel(p, [&](int64_t pixel, int64_t column) {
            if (pixel >= 0) to[pixel] = T(Wide<T>(to[pixel]) + Wide<T>(from[column]));
          });
        }
      });
    });
  }
  if (recording(columns)) record<ToImagesBackward>(out, columns, p);
  return out;
}

}  // namespace

Tensor im2col(const Tensor& x, IntList kernel_size, IntList dilation, IntList padding, IntList stride) {
  OpScope op("unfold");
  TG_CHECK(x.dim() == 3 || x.dim() == 4, ShapeError, "input must have 3 or 4 dimensions, got ", x.dim(), Named{"input", x});
  if (x.dim() == 3) return squeeze(im2col(unsqueeze(x, 0), kernel_size, dilation, padding, stride), {0});
  if (x.is_complex()) {
    const auto part = [&](const Tensor& y) { return im2col(y, kernel_size, dilation, padding, stride); };
    return complex(part(real(x)), part(imag(x)));
  }
  return to_columns(x, make_patches({x->sizes + 2, 2}, kernel_size, dilation, padding, stride));
}
Tensor col2im(const Tensor& x, IntList output_size, IntList kernel_size, IntList dilation, IntList padding, IntList stride) {
  OpScope op("fold");
  TG_CHECK(x.dim() == 2 || x.dim() == 3, ShapeError, "input must have 2 or 3 dimensions, got ", x.dim(), Named{"input", x});
  if (x.dim() == 2) return squeeze(col2im(unsqueeze(x, 0), output_size, kernel_size, dilation, padding, stride), {0});
  const Patches p = make_patches(output_size, kernel_size, dilation, padding, stride);
  TG_CHECK(x->sizes[1] % (p.kernel[0] * p.kernel[1]) == 0 && x->sizes[2] == p.count[0] * p.count[1], ShapeError,
           "input must be (N, channels · ", p.kernel[0] * p.kernel[1], ", ", p.count[0] * p.count[1], "), got ", x.sizes(), Named{"input", x});
  if (x.is_complex()) return complex(to_images(contiguous(real(x)), p), to_images(contiguous(imag(x)), p));
  return to_images(x, p);
}

void patches_ops(OpTable& t) {
  t.add("unfold(Tensor input, int[] kernel_size, int[] dilation=1, int[] padding=0, int[] stride=1)", &im2col, "Patches of images (N, C, H, W) as columns: (N, C kh kw, patches).")
      .functional_only().samples({"T(1, 2, 4, 5), (2, 3)", "T(2, 1, 5, 5), 2, 2, 1, 2", "T(2, 4, 4), 3, padding=1"});
  t.add("fold(Tensor input, int[] output_size, int[] kernel_size, int[] dilation=1, int[] padding=0, int[] stride=1)", &col2im, "Columns summed back into images of output_size: the gradient of unfold.")
      .functional_only().samples({"T(1, 12, 9), (4, 5), (2, 3)", "T(4, 9), 5, 2, 1, 1, (2, 2)"});
}

}  // namespace tapegrad
