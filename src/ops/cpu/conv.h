// What convolution needs of one instruction set besides ordinary products. Plain data only: see table.h.
#pragma once
#include "src/ops/cpu/window.h"

namespace tapegrad {

/// One group of a convolution: to its result from its input, or back: to the input from the result, with the transpose.
struct ConvShape {
  Window window;
  bool back;
  long channels, rows;  // of the source, and of what is made
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
template <class T> struct ConvKernels {
  /// cols[(c, tap)][q - begin] = x[c][pixel that tap sees for output pixel q], 0 in the padding, for q in [begin, end) and
  /// `channels` planes of x; rows of cols lie `row` apart.
  void (*gather)(const Window& w, const T* x, long channels, long begin, long end, T* cols, long row);
  /// The transpose of gather: adds cols into x.
  void (*scatter)(const Window& w, T* x, long channels, long begin, long end, const T* cols, long row);
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
struct ConvTable {
  ConvKernels<float> f32;
  ConvKernels<double> f64;
  const ProductKernels<float>* product_f32;
  const ProductKernels<double>* product_f64;
};

}  // namespace tapegrad
