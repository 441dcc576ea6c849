// Pictures of shapes for error messages.
#pragma once
#include <string>
#include <vector>

#include "tapegrad/tensor.h"

namespace tapegrad {

std::string right(const std::string& text, size_t width);  ///< filled up with blanks on the left

struct ShapeRow {
  const char* name;
  IntList sizes;
  int column = 0;  // of the first size
};
/// Sizes that are to be compared stand under each other, with a mark under each of these columns:
///     input      2  3
///     mat2          4  5
///                   ^
std::string aligned(const std::vector<ShapeRow>& rows, const std::vector<int>& marks);
/// Aligned at the last size, as for broadcasting; sizes that differ and are not 1 are marked.
std::string aligned_at_end(std::vector<ShapeRow> rows);
/// Aligned at the first size; all that differ are marked but those of dimension `except`.
std::string aligned_at_start(const std::vector<ShapeRow>& rows, int except = -1);

}  // namespace tapegrad
