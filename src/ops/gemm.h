// Matrix products on raw memory, cut over the thread pool. The base of matmul, convolution and whatever else multiplies.
// How a product is cut depends on its sizes only, so its bits depend neither on threads nor on load.
#pragma once
#include "src/ops/cpu/gemm.h"
#include "tapegrad/tensor.h"

namespace tapegrad {

/// One product, in parallel when worth it.
void gemm(const Gemm<float>& g);
void gemm(const Gemm<double>& g);
/// The same within a piece of a parallel loop, where the calling thread does all of it.
void gemm_serial(const Gemm<float>& g);
void gemm_serial(const Gemm<double>& g);

/// Products over broadcast leading dimensions: item i of `count` has its operands at a + a_offset[i] and so on (elements).
/// Any dtype but bool and float16. Of bfloat16, where has_bfloat_products, c and bias are float; else convert first.
struct BatchedGemm {
  Dtype dtype;
  int64_t m, n, k;
  const char* a;
  int64_t a_row, a_col;
  const char* b;
  int64_t b_row, b_col;
  char* c;                 // count x m x n, row-major
  const char* bias;        // n numbers, or null
  int64_t count;
  IntList size, a_stride, b_stride;  // the leading dimensions, count in all; strides in elements, 0 where broadcast
  // On a CUDA device, where float16 and complex dtypes are taken too, and bias (not of complex ones) and c are always of `dtype`:
  Device device = {};
  bool add = false;        // to what c holds
  bool gelu = false;       // of the result, in its form with tanh
  char* before_gelu = nullptr;  // for the numbers that gelu is of, as c's
  char* row_sums = nullptr;  // if one product: for the sums of a's rows
};
void gemm(const BatchedGemm& g);
/// On a CUDA device: src/ops/cuda/matmul.cpp. Both matrices are as make_readable (cuda/matmul.h) leaves them, and nothing is empty.
/// False, and nothing has been done, where gelu, before_gelu or row_sums cannot be made on the way.
bool cuda_gemm(const BatchedGemm& g);
/// How many launches that takes: more than one where the leading dimensions have no common stride.
int64_t cuda_launches(const BatchedGemm& g);
/// Whether float32 products on CUDA may round their operands to TF32's 10 bits. False at first.
TG_API void allow_tf32(bool allow);
TG_API bool tf32_allowed();
/// Whether the processor multiplies bfloat16 numbers, and the sizes are worth it.
bool has_bfloat_products(int64_t m, int64_t n, int64_t k);

}  // namespace tapegrad
