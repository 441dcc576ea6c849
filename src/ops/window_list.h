// What users say of a window: an argument of one number, or one for each dimension of space.
#pragma once
#include "tapegrad/tensor.h"

namespace tapegrad {

/// Sizes, steps and padding stay below this, so that what is made of them does not overflow.
constexpr int64_t kWindowLimit = int64_t(1) << 31;

/// One number for all dimensions of space, or one each, as `dims` numbers.
inline void spread_list(IntList list, int dims, const char* name, int64_t least, int64_t* to) {
  TG_CHECK(list.size() == 1 || list.size() == size_t(dims), ShapeError, name, " must have 1 or ", dims, " entries, got ", list);
  for (int d = 0; d < dims; d++) {
    to[d] = list[list.size() == 1 ? 0 : size_t(d)];
    TG_CHECK(to[d] >= least, ValueError, name, " must be ", least ? "positive" : "0 or more", ", got ", list);
    TG_CHECK(to[d] < kWindowLimit, ValueError, name, " must be less than 2^31, got ", list);
  }
}

}  // namespace tapegrad
