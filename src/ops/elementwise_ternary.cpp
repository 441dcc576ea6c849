// Functions of three tensors, element by element, and their rows. The maths is in formulas_ternary.h.
#include "src/ops/elementwise.h"
#include "src/ops/op_info.h"

namespace tapegrad {

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) { OpScope op("where"); return ternary<Where>(condition, a, b); }

void elementwise_ternary_ops(OpTable& t) {
  t.add("where(Tensor condition, Tensor|Number input, Tensor|Number other)", static_cast<Tensor (*)(const Tensor&, const Tensor&, const Tensor&)>(&where), Where::doc).with_out(true)
      .samples({"B(2, 3), T(2, 3), T(2, 3)", "B(3), T(2, 1), T()", "B(2, 3), T(2, 3), 0.5"});
}

}  // namespace tapegrad
