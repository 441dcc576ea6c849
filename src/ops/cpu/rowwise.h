// Kernels over whole rows: softmax and the norms. For the four floating types; pointers are to elements of that type, but what belongs
// to columns (w, b, dw, db) is float for 16-bit rows, which are computed so. Where a kernel is told so, its result goes past the
// caches (src/ops/stream.h).
#pragma once
#include <stdint.h>

namespace tapegrad {

struct SoftmaxKernels {
  void (*softmax)(const void* x, void* y, int64_t rows, int64_t n, bool log, bool past);
  void (*softmax_backward)(const void* g, const void* y, void* dx, int64_t rows, int64_t n, bool log, bool past);
  // Down the columns of an n × stride matrix, `cols` (at most 64) of them.
  void (*softmax_cols)(const void* x, void* y, int64_t n, int64_t stride, int64_t cols, bool log);
  void (*softmax_backward_cols)(const void* g, const void* y, void* dx, int64_t n, int64_t stride, int64_t cols, bool log);
  // out[2 r] = m, the largest of row r; out[2 r + 1] = sum exp(x - m)
  void (*sum_exp)(const void* x, int64_t rows, int64_t n, double* out);
  // y = exp(x - shift) * scale + bias; y is float for 16-bit rows
  void (*exp_affine)(const void* x, int64_t n, double shift, double scale, double bias, void* y);
};
struct SoftmaxTable {
  SoftmaxKernels f32, f64, f16, bf16;
};
struct NormKernels {
  // Mean and mean squared deviation from it; about 0 when !centred.
  void (*moments)(const void* x, int64_t n, bool centred, double* mean, double* var);
  // Sums of g w and of g w (x - mean); w may be null.
  void (*dots)(const void* g, const void* x, const void* w, int64_t n, double mean, double* sum_g, double* sum_gx);
  // y = (x - mean) * a + b
  void (*affine)(const void* x, int64_t n, double mean, double a, double b, void* y, bool past);
  // y = (x - mean) * a * w + b; w and b may be null
  void (*affine_by)(const void* x, int64_t n, double mean, double a, const void* w, const void* b, void* y, bool past);
  // y = a g w + b (x - mean) + c; w may be null
  void (*mix)(const void* g, const void* x, const void* w, int64_t n, double mean, double a, double b, double c, void* y, bool past);
  // dw += g (x - mean) a, db += g; either may be null
  void (*gather)(const void* g, const void* x, int64_t n, double mean, double a, void* dw, void* db);
  // mix and gather in one pass
  void (*mix_gather)(const void* g, const void* x, const void* w, int64_t n, double mean, double a, double b, double c, void* y,
                     void* dw, void* db, bool past);
};
struct NormTable {
  NormKernels f32, f64, f16, bf16;
};

}  // namespace tapegrad
