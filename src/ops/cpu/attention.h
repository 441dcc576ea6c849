// What attention does with a block of its scores between two products. For float and double; pointers are to elements of that type.
#pragma once
#include <stdint.h>

namespace tapegrad {

/// A block of query · key, with rows `step` apart: a multiple of 64 bytes, all of which may be written. Its numbers enter the softmax
/// as score · scale + mask; row r sees the columns before `visible` + r, the others weigh nothing.
struct Scores {
  void* data;
  int64_t rows, columns, step, visible;
  double scale;
  const void* mask;  // null: none. Its rows lie mask_row apart
  int64_t mask_row;
};
struct AttentionKernels {
  // Scores become exp(score - most), with `most` (rows) the largest of each row in this block and those before, and `sum` (rows)
  // the sum of all weights so far. out (rows, width), rows out_row apart, is what the blocks before gave: it shrinks when a larger
  // score turns up. Null for the first block.
  void (*soften)(const Scores& s, void* most, void* sum, void* out, int64_t out_row, int64_t width);
  // out / sum, and log_sum (rows) = log(sum of exp(score)). A row that sees nothing gives zeros and +inf.
  void (*finish)(int64_t rows, const void* most, const void* sum, void* out, int64_t out_row, int64_t width, void* log_sum);
  // Scores become weights, and d (like them), the gradient of the weights, becomes that of query · key; dots (rows): g · out.
  void (*backward)(const Scores& s, void* d, const void* log_sum, const void* dots);
  // dots[r] = the sum of a b over the columns of row r.
  void (*dots)(int64_t rows, int64_t width, const void* a, int64_t a_row, const void* b, int64_t b_row, void* dots);
};
struct AttentionTable {
  AttentionKernels f32, f64;
};

}  // namespace tapegrad
