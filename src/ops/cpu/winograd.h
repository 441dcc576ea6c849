// Winograd's F(2x2, 3x3): 3x3 convolutions of stride 1 in 16 multiplications per 4 outputs instead of 36; for the gradient of the
// weights also F(4x4, 3x3). Float32 only.
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
  /// Rows of tiles [r0, r1) of `images` images, in two steps: the transformed input of images [begin, end) into d, of
  /// `input_floats`; from all of d, which is of images * rows * columns tiles, output channels: all or, with g.k of them, from some
  /// on that are a multiple of 4 lanes; u, bias (which may be null) and y then begin with them.
  long (*input_floats)(const Winograd& g, long images, long rows);
  long (*input_workspace)(const Winograd& g, long rows);
  void (*input)(const Winograd& g, const float* x, long x_image, long images, long begin, long end, long r0, long r1, float* d, float* work);
  long (*output_workspace)(const Winograd& g, long images, long rows);
  void (*output)(const Winograd& g, const float* d, const float* u, const float* bias, float* y, long y_image, long images, long r0,
                 long r1, float* work);

  /// The gradient of the weights: rows of tiles of x and of y become tiles of d and m, of which `held` are held; their products
  /// at each point are summed up, and make the taps in the end. Sizes in floats. weight_tiles() does channels [c0, c1), the first
  /// a multiple of the lanes, of one image of x, or (result) of y.
  long (*weight_workspace)(const Winograd& g, long rows, long channels);
  long (*tile_numbers)(const Winograd& g, long channels, long held);
  long (*weight_sums)(const Winograd& g);
  void (*weight_tiles)(const Winograd& g, bool result, const float* from, long c0, long c1, long r0, long r1, long at, long held,
                       float* to, float* work);
  void (*weight_products)(const Winograd& g, long point, long k0, long k1, const float* d, const float* m, long held, long count,
                          float* u, bool add);
  void (*weight_taps)(const Winograd& g, const float* u, long k0, long k1, float* w);
};

}  // namespace tapegrad
