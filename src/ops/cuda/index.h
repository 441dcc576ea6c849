// Gather, scatter, indexing by rows: src/cuda/ops/index.cu, index_put.cu, embedding_bag.cu.
//
// An index out of bounds is a fault (src/cuda/runtime/fault.h): nothing is read or written for it, and an IndexError follows at the next
// synchronisation.
#pragma once
#include "src/ops/cuda/walk.h"

namespace tapegrad {

/// A few nested dims, innermost first, merged where they can be. Strides in elements.
struct CudaDims {
  int dims;
  int64_t count, size[kMaxDims], stride[kMaxDims];
};
/// x seen as rows: before × n × after. Row i is at[i] * stride away (bounds: at[i] must lie within `size`, or (from_end) may be negative
/// and count from the end); without bounds at[i] has been checked and only needs the stride.
struct CudaPick {
  CudaDims before, after;
  const int64_t* at;
  int64_t n, stride, size;
  int dim;
  bool bounds, from_end;
};
/// One index tensor of several, n elements: its dimension of x.
struct CudaIndexPart {
  const int64_t* index;
  int64_t size, stride;
  int dim;
};
enum class CudaPut : uint8_t { Set, Add, Multiply, Max, Min };
/// embedding_bag: entries of `index`, a piece for each bag: from its start to the next one (the last one's to n unless there is a start
/// more), or `width` each where `start` is null. An entry is a row of weight, or `padding`, which does not count. Also used on the CPU.
enum class BagMode : uint8_t { Sum, Mean, Max };
struct EmbeddingBags {
  const int64_t *index, *start;
  int64_t n, bags, starts, width, rows, columns, padding;  // padding -1: none
  BagMode mode;
};

struct CudaIndex {
  /// out[k] = the sum of index[k] * stride over the parts, wrapped and checked.
  void (*offsets)(const CudaIndexPart* parts, int count, int64_t n, int64_t* out);
  /// out[k] = x's offset for element k of an index: index[k] * stride along dim, and its position in `place` (stride 0 along dim).
  /// -1 where out of bounds.
  void (*line_offsets)(const CudaDims& place, const CudaIndexPart& along, int64_t* out);
  /// out[k] = x[the same].
  void (*gather)(const CudaDims& place, const CudaIndexPart& along, const void* x, void* out, int element_size);
  /// out, row-major (before, n, after).
  void (*get_rows)(const CudaPick&, const void* x, void* out, int element_size);
  /// The last of equal places wins. `owner`: as many zeros as there are places, or null where no place comes twice or all values are one
  /// (`one`: values has a single element).
  void (*set_rows)(const CudaPick&, void* x, const void* values, bool one, uint32_t* owner, int element_size);
  /// places[i] = at[i], wrapped and checked, for sorting; -1 where out of bounds.
  void (*places)(const CudaPick&, int64_t* places);
  /// All values at a place are folded in index order, and the result with x: in float for 16-bit types. `order`: the rows' numbers sorted
  /// by place; `sorted`: the places in that order. The first ten dtypes; `values` times alpha first.
  void (*fold_rows)(const CudaPick&, CudaPut, Dtype, void* x, const void* values, bool one, double alpha, const int64_t* sorted,
                    const int64_t* order, void* partial);
  /// out (bags, columns) from weight (rows, columns), all row-major. `scale`: a factor for each entry, or null. `kept`: of 'mean' (bags)
  /// how many entries count; of 'max' (bags, columns) the row that each number is from, or -1. Starts that do not rise are a fault.
  void (*fill_bags)(const EmbeddingBags&, Dtype, const void* weight, const void* scale, void* out, int64_t* kept);
  /// Each entry's row of weight, or -1 where it does not count, and its bag, or 0.
  void (*bag_entries)(const EmbeddingBags&, int64_t* row, int64_t* bag);
};
inline constexpr int64_t kCudaFoldTile = 32;  // sorted rows that a thread folds before they are joined across tiles
/// Bytes of fold_rows' `partial`.
inline int64_t cuda_fold_bytes(const CudaPick& p) {
  return p.before.count * ((p.n + kCudaFoldTile - 1) / kCudaFoldTile) * 2 * p.after.count * 8;
}

}  // namespace tapegrad
