// What cuBLASLt is asked for: the key that a product's plan is kept under. No CUDA in here: tests run it on any machine.
#pragma once
#include <string.h>

#include "src/ops/cuda/matmul.h"

namespace tapegrad::cuda {

/// A product in cuBLASLt's terms. It has matrices by columns, so a row-major c = a b is its cᵀ = bᵀ aᵀ: its first operand is our b,
/// `rows` is our n and `columns` our m. Also all that may change which algorithm serves.
struct MatmulKey {
  enum Matrix { kFirst, kSecond, kResult, kMatrices };
  int64_t rows, columns, depth;
  int64_t leading[kMatrices], batch[kMatrices];
  int32_t count, device;
  uint16_t alignment[kMatrices], bias_alignment;  // the last one of bias or row sums; 0: neither
  Dtype dtype;
  uint8_t tf32, transposed[2], gelu, before_gelu, sums, unused[1];
};
static_assert(sizeof(MatmulKey) == 9 * 8 + 8 + 8 + 8);

/// How many bytes an address is a multiple of, as far as kernels care: 256, 16, 8, 4, 2 or 1.
inline uint16_t alignment_of(const void* p) {
  const auto at = reinterpret_cast<uintptr_t>(p);
  const uint16_t a = uint16_t(at & -at & 0xffff);
  return at % 256 == 0 ? 256 : a < 16 ? a : 16;
}

inline MatmulKey key_of(const CudaProduct& p, int device) {
  MatmulKey key;
  memset(&key, 0, sizeof key);
  key.rows = p.b.cols, key.columns = p.a.rows, key.depth = p.a.cols;
  const auto operand = [&](MatmulKey::Matrix i, const CudaMatrix& m) {
    // Rows that lie side by side are the columns of the transposed matrix.
    const bool by_rows = m.col == 1 && m.row >= m.cols;
    key.transposed[i] = !by_rows, key.leading[i] = by_rows ? m.row : m.col;
    key.batch[i] = p.count > 1 ? m.batch : 0;
    key.alignment[i] = alignment_of(m.data);
  };
  operand(MatmulKey::kFirst, p.b);
  operand(MatmulKey::kSecond, p.a);
  key.leading[MatmulKey::kResult] = p.c_row, key.batch[MatmulKey::kResult] = p.count > 1 ? p.c_batch : 0;
  key.alignment[MatmulKey::kResult] = alignment_of(p.c);
  const char* beside = p.row_sums ? p.row_sums : p.bias;
  key.bias_alignment = beside ? alignment_of(beside) : uint16_t(0);
  key.gelu = p.gelu, key.before_gelu = p.before_gelu != nullptr, key.sums = p.row_sums != nullptr;
  key.count = int32_t(p.count), key.device = device, key.dtype = p.dtype;
  key.tf32 = p.tf32 && (p.dtype == float32 || p.dtype == complex64);
  return key;
}

}  // namespace tapegrad::cuda
