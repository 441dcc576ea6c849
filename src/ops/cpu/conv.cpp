// Gather and scatter between images and the matrices that convolution multiplies.
// Both walk output rows: for one tap, the outputs of a row whose input lies inside the image form one interval.
#include "src/ops/cpu/conv.h"

#include "src/ops/cpu/table.h"

namespace tapegrad {
extern "C" const ConvTable TG_TABLE(conv);
namespace TG_NS {
extern const ProductKernels<float> product_f32;
extern const ProductKernels<double> product_f64;
namespace {

long clamp(long x, long low, long high) { return x < low ? low : x > high ? high : x; }

// Outputs [first, last) along dimension d see the image through tap t, output o at o * stride + offset.
struct Interval {
  long first, last, offset;
  Interval(const Window& w, int d, long t) {
    offset = t * w.dilation[d] - w.pad[d];
    const long s = w.stride[d];
    first = offset >= 0 ? 0 : (-offset + s - 1) / s;
    last = w.in[d] - offset <= 0 ? 0 : (w.in[d] - offset + s - 1) / s;
    if (last > w.out[d]) last = w.out[d];
    if (first > last) first = last;
  }
};

// Calls f(row in cols, first output column, one past the last, x of the row or null, interval of columns) for each piece of an
// output row in [begin, end) and each tap.
template <class F> void each_row(const Window& w, long begin, long end, F&& f) {
  long tap = 0;
  for (long td = 0; td < w.kernel[0]; td++) {
    const Interval d(w, 0, td);
    for (long th = 0; th < w.kernel[1]; th++) {
      const Interval h(w, 1, th);
      for (long tw = 0; tw < w.kernel[2]; tw++, tap++) {
        const Interval c(w, 2, tw);
        for (long q = begin; q < end;) {
          const long line = q / w.out[2], j = q % w.out[2], od = line / w.out[1], oh = line % w.out[1];
          const long stop = j + (end - q) < w.out[2] ? j + (end - q) : w.out[2];
          const bool inside = od >= d.first && od < d.last && oh >= h.first && oh < h.last;
          const long x = inside ? ((od * w.stride[0] + d.offset) * w.in[1] + oh * w.stride[1] + h.offset) * w.in[2] : -1;
          f(tap, q - begin, j, stop, x, c);
          q += stop - j;
        }
      }
    }
  }
}

template <class T> void gather(const Window& w, const T* x, long channels, long begin, long end, T* cols, long row) {
  const long taps = w.kernel[0] * w.kernel[1] * w.kernel[2], plane = w.in[0] * w.in[1] * w.in[2], s = w.stride[2];
  for (long c = 0; c < channels; c++, x += plane, cols += taps * row)
    each_row(w, begin, end, [&](long tap, long at, long j, long stop, long line, const Interval& in) {
      T* d = cols + tap * row + at - j;
      if (line < 0) {
        for (long i = j; i < stop; i++) d[i] = 0;
        return;
      }
      const long first = clamp(in.first, j, stop), last = clamp(in.last, first, stop);
      const T* from = x + line + in.offset;
      for (long i = j; i < first; i++) d[i] = 0;
      if (s == 1) for (long i = first; i < last; i++) d[i] = from[i];
      else for (long i = first; i < last; i++) d[i] = from[i * s];
      for (long i = last; i < stop; i++) d[i] = 0;
    });
}

template <class T> void scatter(const Window& w, T* x, long channels, long begin, long end, const T* cols, long row) {
  const long taps = w.kernel[0] * w.kernel[1] * w.kernel[2], plane = w.in[0] * w.in[1] * w.in[2], s = w.stride[2];
  for (long c = 0; c < channels; c++, x += plane, cols += taps * row)
    each_row(w, begin, end, [&](long tap, long at, long j, long stop, long line, const Interval& in) {
      if (line < 0) return;
      const T* from = cols + tap * row + at - j;
      const long first = clamp(in.first, j, stop), last = clamp(in.last, first, stop);
      T* d = x + line + in.offset;
      if (s == 1) for (long i = first; i < last; i++) d[i] += from[i];
      else for (long i = first; i < last; i++) d[i * s] += from[i];
    });
}

template <class T> constexpr ConvKernels<T> kernels_of = {gather<T>, scatter<T>};

}  // namespace
}  // namespace TG_NS

const ConvTable TG_TABLE(conv) = {TG_NS::kernels_of<float>, TG_NS::kernels_of<double>, &TG_NS::product_f32, &TG_NS::product_f64};

}  // namespace tapegrad
