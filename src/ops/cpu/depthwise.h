// Depthwise convolution: every channel of the input alone makes `multiple` channels of the output. Plain data only: see table.h.
#pragma once
#include "src/ops/cpu/window.h"

namespace tapegrad {

template <class T> struct DepthwiseKernels {
  /// Numbers of working memory that the others need.
  long (*workspace)(const Window& w, long multiple);
  /// y = bias + x * taps for planes [begin, end) of x, of which every image has `channels`. bias may be null.
  void (*forward)(const Window& w, long multiple, long channels, long begin, long end, const T* x, const T* taps, const T* bias, T* y,
                  T* work);
  /// x = bias + the transpose of that.
  void (*data)(const Window& w, long multiple, long channels, long begin, long end, const T* y, const T* taps, const T* bias, T* x,
               T* work);
  /// The gradient of the taps of channels [begin, end), over all images.
  void (*weight)(const Window& w, long multiple, long channels, long begin, long end, long images, const T* x, const T* y, T* taps,
                 T* work);
};
struct DepthwiseTable {
  DepthwiseKernels<float> f32;
  DepthwiseKernels<double> f64;
};

}  // namespace tapegrad
