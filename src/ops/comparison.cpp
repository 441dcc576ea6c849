// Comparisons and logic of two tensors: the result is bool. The maths is in formulas_binary.h.
#include "src/ops/elementwise.h"
#include "src/ops/op_info.h"

namespace tapegrad {

Tensor eq(const Tensor& a, const Tensor& b) { OpScope op("eq"); return binary<Eq>(a, b); }
Tensor ne(const Tensor& a, const Tensor& b) { OpScope op("ne"); return binary<Ne>(a, b); }
Tensor lt(const Tensor& a, const Tensor& b) { OpScope op("lt"); return binary<Lt>(a, b); }
Tensor le(const Tensor& a, const Tensor& b) { OpScope op("le"); return binary<Le>(a, b); }
Tensor gt(const Tensor& a, const Tensor& b) { OpScope op("gt"); return binary<Gt>(a, b); }
Tensor ge(const Tensor& a, const Tensor& b) { OpScope op("ge"); return binary<Ge>(a, b); }
Tensor logical_and(const Tensor& a, const Tensor& b) { OpScope op("logical_and"); return binary<LogicalAnd>(a, b); }
Tensor logical_or(const Tensor& a, const Tensor& b) { OpScope op("logical_or"); return binary<LogicalOr>(a, b); }
Tensor logical_xor(const Tensor& a, const Tensor& b) { OpScope op("logical_xor"); return binary<LogicalXor>(a, b); }
const Tensor& eq_(const Tensor& self, const Tensor& other) { OpScope op("eq_"); return binary_<Eq>(self, other); }
const Tensor& ne_(const Tensor& self, const Tensor& other) { OpScope op("ne_"); return binary_<Ne>(self, other); }
const Tensor& lt_(const Tensor& self, const Tensor& other) { OpScope op("lt_"); return binary_<Lt>(self, other); }
const Tensor& le_(const Tensor& self, const Tensor& other) { OpScope op("le_"); return binary_<Le>(self, other); }
const Tensor& gt_(const Tensor& self, const Tensor& other) { OpScope op("gt_"); return binary_<Gt>(self, other); }
const Tensor& ge_(const Tensor& self, const Tensor& other) { OpScope op("ge_"); return binary_<Ge>(self, other); }
const Tensor& logical_and_(const Tensor& self, const Tensor& other) {
  OpScope op("logical_and_");
  return binary_<LogicalAnd>(self, other);
}
const Tensor& logical_or_(const Tensor& self, const Tensor& other) {
  OpScope op("logical_or_");
  return binary_<LogicalOr>(self, other);
}
const Tensor& logical_xor_(const Tensor& self, const Tensor& other) {
  OpScope op("logical_xor_");
  return binary_<LogicalXor>(self, other);
}

using Pair = Tensor (*)(const Tensor&, const Tensor&);
using PairInPlace = const Tensor& (*)(const Tensor&, const Tensor&);
static OpInfo& row(OpTable& t, const char* signature, Pair f, PairInPlace in_place, const char* doc) {
  return t.add(signature, f, doc).method().inplace(in_place).with_out(true).no_grad();
}

void comparison_ops(OpTable& t) {
  row(t, "eq(Tensor input, Tensor|Number other)", &eq, &eq_, Eq::doc)
      .complex().samples({"I(2, 3), I(2, 3)", "T(2, 3), T(3)", "I(2, 3), 2", "T(0, 3), 1.5", "B(3), B(3)"});
  row(t, "ne(Tensor input, Tensor|Number other)", &ne, &ne_, Ne::doc)
      .alias("not_equal").complex().samples({"I(2, 3), I(2, 3)", "T(2, 3), T(3)", "I(2, 3), 2", "T(0, 3), 1.5", "B(3), B(3)"});
  row(t, "lt(Tensor input, Tensor|Number other)", &lt, &lt_, Lt::doc)
      .alias("less").samples({"I(2, 3), I(2, 3)", "T(2, 3), T(3)", "I(2, 3), 2", "T(0, 3), 1.5", "B(3), B(3)"});
  row(t, "le(Tensor input, Tensor|Number other)", &le, &le_, Le::doc)
      .alias("less_equal").samples({"I(2, 3), I(2, 3)", "T(2, 3), T(3)", "I(2, 3), 2", "T(0, 3), 1.5", "B(3), B(3)"});
  row(t, "gt(Tensor input, Tensor|Number other)", &gt, &gt_, Gt::doc)
      .alias("greater").samples({"I(2, 3), I(2, 3)", "T(2, 3), T(3)", "I(2, 3), 2", "T(0, 3), 1.5", "B(3), B(3)"});
  row(t, "ge(Tensor input, Tensor|Number other)", &ge, &ge_, Ge::doc)
      .alias("greater_equal").samples({"I(2, 3), I(2, 3)", "T(2, 3), T(3)", "I(2, 3), 2", "T(0, 3), 1.5", "B(3), B(3)"});
  row(t, "logical_and(Tensor input, Tensor other)", &logical_and, &logical_and_, LogicalAnd::doc)
      .complex().samples({"B(2, 3), B(3)", "I(2, 3), I(2, 3)", "C(0, 1.5), C(1, 0)"});
  row(t, "logical_or(Tensor input, Tensor other)", &logical_or, &logical_or_, LogicalOr::doc)
      .complex().samples({"B(2, 3), B(3)", "I(2, 3), I(2, 3)", "C(0, 1.5), C(1, 0)"});
  row(t, "logical_xor(Tensor input, Tensor other)", &logical_xor, &logical_xor_, LogicalXor::doc)
      .complex().samples({"B(2, 3), B(3)", "I(2, 3), I(2, 3)", "C(0, 1.5), C(1, 0)"});
}

}  // namespace tapegrad
