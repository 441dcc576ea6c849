// The convolution kernels of one instruction set, but for depthwise.h and winograd.h. Plain data only: see table.h.
#pragma once
#include "src/ops/cpu/window.h"

namespace tapegrad {

/// One group of a convolution: to its result from its input, or back: to the input from the result, with the transpose.
struct ConvShape {
  Window window;
  bool back;
  long channels, rows;  // of the source, and of what is made
  // Lines of the result's second dimension: all of them, or with frames a band of them, from a multiple of the stride on.
  long line_begin, line_end;
};
template <class T> struct ConvOperands {
  const T* weights;              // as pack() makes them
  const T *source, *source_end;  // planes, or frames of planes; nothing is read from the end on
  long source_image;             // from image to image; planes or frames of an image lie together
  T* result;
  long result_image;
  const T* bias;  // a number for each row, or null
  long images;
};
/// result[image][row] = bias + sum over channels and taps of weight times source.
template <class T> struct ProductKernels {
  long panel;  // columns that are worked on together
  /// Packed weights of rows [begin, end), multiples of 24 but for the last; memory is for two longs per tap.
  long (*weight_numbers)(const ConvShape& s);
  void (*pack)(const ConvShape& s, const T* w, long begin, long end, T* packed, long* memory);
  /// Numbers of a frame, and of all frames of some images: 0 if planes will do. Makes the frames of planes [begin, end).
  long (*frame_size)(const ConvShape& s);
  long (*frame_numbers)(const ConvShape& s, long images);
  void (*frames)(const ConvShape& s, const T* from, long from_image, long begin, long end, T* frames);
  /// Columns [begin, end) of the result's images times its numbers per plane, rows from row_begin, a multiple of 24, on.
  long (*workspace)(const ConvShape& s, long rows);
  void (*run)(const ConvShape& s, const ConvOperands<T>& o, long begin, long end, long row_begin, long row_end, T* work);
};
/// The same, back and for stride 1 only: rows of one image in the order of x, from c0, a multiple of 8, on.
template <class T> struct SpreadKernels {
  long (*weight_numbers)(const ConvShape& s);
  long (*workspace)(const ConvShape& s, long rows);
  void (*pack)(const ConvShape& s, const T* w, T* packed);
  void (*run)(const ConvShape& s, const T* packed, const T* y, const T* bias, T* x, long c0, long c1, T* work);
};
/// One group's weights, and images: all of them, or as many as are worked on together.
struct WeightShape {
  Window window;
  long channels, filters, images;
};
struct WeightSizes {
  long prepared;       // numbers of what prepare() makes, to be zero before the first time; 0: nothing to prepare
  long parts;          // that it may be cut into
  long sums, pieces;   // numbers that products() adds up, and pieces that it may be cut into
  long workspace;      // numbers, for each caller
};
template <class T> struct WeightKernels {
  WeightSizes (*sizes)(WeightShape& s);  // also says how many images go together
  /// x_step and y_step: numbers from image to image.
  void (*prepare)(const WeightShape& s, const T* x, long x_step, const T* y, long y_step, long begin, long end, T* prepared);
  void (*products)(const WeightShape& s, long images, const T* prepared, const T* x, long x_step, const T* y, long y_step, long begin,
                   long end, T* sums, bool add, T* work);
  /// The weights of filters [k0, k1) from all sums.
  void (*finish)(const WeightShape& s, const T* sums, long k0, long k1, T* w);
};
template <class T> struct ConvKernels {
  const ProductKernels<T>& product;
  const SpreadKernels<T>& spread;
  const WeightKernels<T>& weight;
};
struct ConvTable {
  ConvKernels<float> f32;
  ConvKernels<double> f64;
};

}  // namespace tapegrad
