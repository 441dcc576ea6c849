// Products with few rows or columns, which wait for the other matrix's memory and for nothing else.
#pragma once
#include "src/ops/cuda/matmul.h"

namespace tapegrad::cuda {

constexpr int64_t kFewRows = 8;

/// Whether multiply_few is to make this product: a real one whose result has at most kFewRows rows or columns, and enough of the others.
inline bool has_few(const CudaProduct& p) {
  if (!is_floating(p.dtype) || p.row_sums || p.count > 65535) return false;
  const int64_t others = p.a.rows <= kFewRows ? p.b.cols : p.b.cols <= kFewRows ? p.a.rows : 0;
  return others * p.count >= 64 || (others && p.a.cols <= 4096);
}
void multiply_few(const CudaProduct& p);

/// Pieces of the depth that blocks take by themselves where the large matrix is read along its columns: a function of the sizes only.
inline int64_t few_pieces(int64_t depth, int64_t columns, int64_t count) {
  const int64_t blocks = (columns + 63) / 64 * count, wanted = blocks < 512 ? 512 / blocks : 1, most = (depth + 63) / 64;
  return wanted < most ? wanted : most;
}

}  // namespace tapegrad::cuda
