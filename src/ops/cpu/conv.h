// What convolution needs of one instruction set besides products: gathering, scattering, depthwise loops. Plain data only.
#pragma once
#include "src/ops/cpu/window.h"

namespace tapegrad {

template <class T> struct ConvKernels {
  /// cols[(c, tap)][q - begin] = x[c][pixel that tap sees for output pixel q], 0 in the padding, for q in [begin, end) and
  /// `channels` planes of x; rows of cols lie `row` apart.
  void (*gather)(const Window& w, const T* x, long channels, long begin, long end, T* cols, long row);
  /// The transpose of gather: adds cols into x.
  void (*scatter)(const Window& w, T* x, long channels, long begin, long end, const T* cols, long row);
  /// One plane: y = start + x * taps; dx += the transpose; dtaps += the gradient of taps.
  void (*plane)(const Window& w, const T* x, const T* taps, T start, T* y);
  void (*plane_data)(const Window& w, const T* dy, const T* taps, T* dx);
  void (*plane_weight)(const Window& w, const T* x, const T* dy, T* dtaps);
};
struct ConvTable {
  ConvKernels<float> f32;
  ConvKernels<double> f64;
};

}  // namespace tapegrad
