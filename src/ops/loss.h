// The reduction that every loss ends with.
#pragma once
#include "tapegrad/ops.h"

namespace tapegrad {

enum class Reduction : uint8_t { None, Mean, Sum };
inline Reduction reduction_of(std::string_view text) {
  if (text == "mean") return Reduction::Mean;
  if (text == "sum") return Reduction::Sum;
  TG_CHECK(text == "none", ValueError, "reduction must be 'mean', 'sum' or 'none', got '", text, "'");
  return Reduction::None;
}
inline Tensor reduce_loss(const Tensor& each, Reduction r) {
  return r == Reduction::None ? each : r == Reduction::Mean ? mean(each) : sum(each);
}

}  // namespace tapegrad
