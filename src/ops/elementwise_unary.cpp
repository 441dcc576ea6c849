// Functions of one tensor, element by element, and their rows. The maths is in formulas_unary.h.
#include "src/ops/elementwise.h"
#include "src/ops/op_info.h"

namespace tapegrad {

Tensor neg(const Tensor& x) { OpScope op("neg"); return unary<Neg>(x); }
Tensor exp(const Tensor& x) { OpScope op("exp"); return unary<Exp>(x); }
Tensor log(const Tensor& x) { OpScope op("log"); return unary<Log>(x); }
Tensor sqrt(const Tensor& x) { OpScope op("sqrt"); return unary<Sqrt>(x); }
Tensor relu(const Tensor& x) { OpScope op("relu"); return unary<Relu>(x); }
const Tensor& exp_(const Tensor& x) { OpScope op("exp_"); return unary_<Exp>(x); }

void elementwise_unary_ops(OpTable& t) {
  t.add("exp(Tensor input)", static_cast<Tensor (*)(const Tensor&)>(&exp), Exp::doc).method().inplace(&exp_).with_out(true).samples({"T(2, 3)", "T()", "T(0, 3)"});
}

}  // namespace tapegrad
