// Functions of two tensors, element by element, and their rows. The maths is in formulas_binary.h.
#include "src/ops/elementwise.h"
#include "src/ops/op_info.h"

namespace tapegrad {

// alpha must not turn an integer result into a float one.
static Number alpha_for(const Tensor& a, const Tensor& b, Scalar alpha) {
  TG_CHECK(!alpha.is_float() || is_floating(result_type(a, b)), DtypeError, "alpha must be an integer for integer tensors, got ", alpha);
  return {alpha.to_double(), alpha.to_int()};
}
static bool is_one(Scalar alpha) { return alpha.kind() == Scalar::Kind::Int && alpha.to_int() == 1; }
static void refuse_bool(const Tensor& a, const Tensor& b) {
  TG_CHECK(a->dtype != Dtype::Bool || b->dtype != Dtype::Bool, DtypeError, "subtraction is not for two bool tensors: use ^ or logical_xor");
}

Tensor add(const Tensor& a, const Tensor& b, Scalar alpha) {
  OpScope op("add");
  return is_one(alpha) ? binary<Add>(a, b) : binary(a, b, AddScaled{alpha_for(a, b, alpha)});
}
const Tensor& add_(const Tensor& self, const Tensor& other, Scalar alpha) {
  OpScope op("add_");
  return is_one(alpha) ? binary_<Add>(self, other) : binary_(self, other, AddScaled{alpha_for(self, other, alpha)});
}
Tensor sub(const Tensor& a, const Tensor& b, Scalar alpha) {
  OpScope op("sub");
  refuse_bool(a, b);
  return is_one(alpha) ? binary<Sub>(a, b) : binary(a, b, SubScaled{alpha_for(a, b, alpha)});
}
const Tensor& sub_(const Tensor& self, const Tensor& other, Scalar alpha) {
  OpScope op("sub_");
  refuse_bool(self, other);
  return is_one(alpha) ? binary_<Sub>(self, other) : binary_(self, other, SubScaled{alpha_for(self, other, alpha)});
}
Tensor mul(const Tensor& a, const Tensor& b) { OpScope op("mul"); return binary<Mul>(a, b); }
Tensor div(const Tensor& a, const Tensor& b) { OpScope op("div"); return binary<Div>(a, b); }
Tensor maximum(const Tensor& a, const Tensor& b) { OpScope op("maximum"); return binary<Maximum>(a, b); }
const Tensor& mul_(const Tensor& a, const Tensor& b) { OpScope op("mul_"); return binary_<Mul>(a, b); }
const Tensor& div_(const Tensor& a, const Tensor& b) { OpScope op("div_"); return binary_<Div>(a, b); }
Tensor eq(const Tensor& a, const Tensor& b) { OpScope op("eq"); return binary<Eq>(a, b); }
Tensor ne(const Tensor& a, const Tensor& b) { OpScope op("ne"); return binary<Ne>(a, b); }
Tensor lt(const Tensor& a, const Tensor& b) { OpScope op("lt"); return binary<Lt>(a, b); }
Tensor le(const Tensor& a, const Tensor& b) { OpScope op("le"); return binary<Le>(a, b); }
Tensor gt(const Tensor& a, const Tensor& b) { OpScope op("gt"); return binary<Gt>(a, b); }
Tensor ge(const Tensor& a, const Tensor& b) { OpScope op("ge"); return binary<Ge>(a, b); }

void elementwise_binary_ops(OpTable& t) {
  t.add("mul(Tensor input, Tensor|Number other)", &mul, Mul::doc).method().inplace(&mul_).with_out(true).alias("multiply")
      .samples({"T(2, 3), T(2, 3)", "T(2, 3), T(3)", "T(2, 1), T(3)", "T(2, 3), 2.5", "T(), T(3)", "T(0, 3), T(3)"});
}

}  // namespace tapegrad
