// What the ops over whole rows share: which kernels, and row-major inputs.
#pragma once
#include "src/ops/cpu/rowwise.h"
#include "src/ops/cpu/table.h"
#include "src/ops/stream.h"
#include "src/ops/view.h"
#include "src/tensor/half.h"

namespace tapegrad {

/// What the row kernels compute in: for the 16-bit floats, float.
inline Dtype row_dtype(Dtype d) { return d == Dtype::Float64 ? Dtype::Float64 : Dtype::Float32; }
/// For rows of dtype d.
template <class Table> const auto& kernels_for(Dtype d, const Table& t) {
  return d == Dtype::Float64 ? t.f64 : d == Dtype::Float32 ? t.f32 : d == Dtype::Float16 ? t.f16 : t.bf16;
}
inline const SoftmaxKernels& softmax_kernels(Dtype d) { return kernels_for(d, *softmax_tables[kernel_set]); }
inline const NormKernels& norm_kernels(Dtype d) { return kernels_for(d, *norm_tables[kernel_set]); }
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
  switch (x.dtype()) {
    case Dtype::Float64: return x->host<const double>()[i];
    case Dtype::Float32: return x->host<const float>()[i];
    case Dtype::Float16: return half_to_float(x->host<const uint16_t>()[i]);
    default: return bfloat_to_float(x->host<const uint16_t>()[i]);
  }
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
