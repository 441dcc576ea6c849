// Counts, truth values, sums that skip NaN, and comparisons of whole tensors.
#include "src/ops/op_info.h"
#include "src/ops/reduce.h"

namespace tapegrad {

// ---- counts and truth

Tensor all(const Tensor& x, IntList dim, bool keepdim) {
  OpScope op("all");
  return fold(kAll, x, reduced_dims(x, dim), keepdim, x.dtype() == Dtype::UInt8 ? Dtype::UInt8 : Dtype::Bool);
}
Tensor any(const Tensor& x, IntList dim, bool keepdim) {
  OpScope op("any");
  Tensor out = fold(kCount, x, reduced_dims(x, dim), keepdim, Dtype::Bool);
  return x.dtype() == Dtype::UInt8 ? to(out, Dtype::UInt8) : out;
}
Tensor count_nonzero(const Tensor& x, IntList dim) {
  OpScope op("count_nonzero");
  return fold(kCount, x, reduced_dims(x, dim), false, Dtype::Int64);
}

void reduce_truth_ops(OpTable& t) {
  t.add("all(Tensor input, int[]? dim=None, bool keepdim=False)", &all, "Is every element (along dim) other than zero? True when there are none.")
      .method().on("any").no_grad().samples({"B(2, 3)", "B(2, 3), 1", "I(2, 3), [0, 1], True", "B(0, 3), 0"});
  t.add("any(Tensor input, int[]? dim=None, bool keepdim=False)", &any, "Is some element (along dim) other than zero?")
      .method().on("any").no_grad().samples({"B(2, 3)", "B(2, 3), 1", "I(2, 3), [0, 1], True", "B(0, 3), 0"});
  t.add("count_nonzero(Tensor input, int[]? dim=None)", &count_nonzero, "How many elements (along dim) are not zero, as int64.")
      .method().on("any").no_grad().samples({"I(2, 3, lo=0, hi=2)", "I(2, 3, lo=0, hi=2), 1", "T(2, 3), [0, 1]"});
}

}  // namespace tapegrad
