// Winograd's F(2x2, 3x3): 3x3 convolutions of stride 1 in 16 multiplications per 4 outputs instead of 36. Float32 only.
// Plain data only: see table.h.
#pragma once

namespace tapegrad {

/// One convolution as the kernels see it: c planes of h x w numbers -> k planes of oh x ow, `pad` zeros around.
struct Winograd {
  long c, h, w, k, oh, ow, pad;
  long weight_k, weight_c;  // strides of the weights, in floats; the 9 taps lie together
  bool flip;                // taps in reverse order: the gradient of a convolution
  long all_k;               // output channels of the filters, of which run() makes k
  long tile;                // outputs of a tile: 2 or 4 each way
  long tile_columns;        // ceil(ow / tile)
};
struct WinogradTable {
  /// Channels are padded to a multiple of this.
  long lanes;
  /// Floats of all transformed filters, and those that filters() makes for output channels [k0, k1), multiples of 4 lanes.
  long (*filter_floats)(const Winograd& g);
  void (*filters)(const Winograd& g, const float* w, long k0, long k1, float* u);
  /// Rows of tiles [r0, r1) of `images` images: workspace in floats, and the work. bias may be null. For output channels from
  /// k0 on, a multiple of 4 lanes, u begins filters of k0 channels further on.
  long (*workspace)(const Winograd& g, long images, long rows);
  void (*run)(const Winograd& g, const float* x, long x_image, const float* u, const float* bias, float* y, long y_image,
      long images, long r0, long r1, float* work);

  /// The gradient of the weights: rows of tiles of x and of y become tiles of d and m, of which `count` are held; their products
  /// at each point are summed up, and make the taps in the end. Sizes in floats.
  long (*weight_workspace)(const Winograd& g, long rows);
  long (*tile_numbers)(const Winograd& g, long channels, long count);
  long (*weight_sums)(const Winograd& g);
  void (*weight_tiles)(const Winograd& g, const float* x, const float* y, long r0, long r1, long at, long count, float* d, float* m,
                       float* work);
  void (*weight_products)(const Winograd& g, long point, long k0, long k1, const float* d, const float* m, long held, long count,
                          float* u, bool add);
  void (*weight_taps)(const Winograd& g, const float* u, long k0, long k1, float* w);
};

}  // namespace tapegrad
