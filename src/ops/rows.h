// What the ops over whole rows share: which kernels, and row-major inputs of a type that the kernels compute in.
#pragma once
#include "src/ops/cpu/rowwise.h"
#include "src/ops/cpu/table.h"
#include "src/ops/stream.h"
#include "src/ops/view.h"

namespace tapegrad {

/// The 16-bit floats are computed in float.
inline Dtype row_dtype(Dtype d) { return d == Dtype::Float64 ? Dtype::Float64 : Dtype::Float32; }
inline const RowKernels& row_kernels(Dtype d) { return d == Dtype::Float64 ? kernels().rows->f64 : kernels().rows->f32; }
/// x in that dtype, row-major, without history. x itself when it is so already. Undefined stays undefined.
inline Tensor row_major(const Tensor& x, Dtype d) {
  if (!x.defined() || (x->contiguous && x.dtype() == d)) return x;
  NoGrad off;
  return contiguous(to(x, d));
}
inline Tensor cast_back(const Tensor& y, Dtype d) {
  if (y.dtype() == d) return y;
  NoGrad off;
  return to(y, d);
}
/// Row r of a row-major tensor with rows of n.
inline char* row_of(const Tensor& x, int64_t r, int64_t n) { return x->host() + r * n * int64_t(item_size(x.dtype())); }
inline int64_t row_bytes(const Tensor& x, int64_t n) { return n * int64_t(item_size(x.dtype())); }
inline bool is_past_caches(const Tensor& x) { return is_past_caches(row_bytes(x, x.numel())); }
/// write(r, m, to, past) for the rows [begin, begin + count) of y, m at a time.
template <class F> void each_row(const Tensor& y, int64_t begin, int64_t count, int64_t n, F write) {
  const int64_t bytes = row_bytes(y, n);
  Streamed out(is_past_caches(y));
  if (!out.past() || bytes >= kLongRow) return write(begin, count, row_of(y, begin, n), out.past());
  const int64_t group = 2 * kLongRow / bytes;
  for (int64_t r = begin; r < begin + count; r += group) {
    const int64_t m = r + group < begin + count ? group : begin + count - r;
    out.put(row_of(y, r, n), m * bytes, [&](char* to) { write(r, m, to, false); });
  }
}
inline double element(const Tensor& x, int64_t i) {
  return x.dtype() == Dtype::Float64 ? x->host<const double>()[i] : double(x->host<const float>()[i]);
}
/// The lengths before, along and after a dimension.
struct Split {
  int64_t outer = 1, n = 1, inner = 1;
  Split(const Tensor& x, int64_t dim) {
    n = size_of(x, dim);
    for (int64_t d = 0; d < x.dim(); d++) (d < dim ? outer : inner) *= d == dim ? 1 : x->sizes[d];
  }
};

}  // namespace tapegrad
