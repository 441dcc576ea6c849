// C++ operators on tensors and numbers. A number becomes a wrapped 0-d tensor, which is weak in promotion. a + b goes straight
// to the driver: tests/debugger counts the frames to the arithmetic.
#include "src/ops/elementwise.h"

namespace tapegrad {

Tensor operator-(const Tensor& x) { return neg(x); }
Tensor operator+(const Tensor& a, const Tensor& b) { OpScope op("add"); return binary<Add>(a, b); }
Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
Tensor operator*(const Tensor& a, const Tensor& b) { OpScope op("mul"); return binary<Mul>(a, b); }
Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
Tensor operator==(const Tensor& a, const Tensor& b) { return eq(a, b); }
Tensor operator!=(const Tensor& a, const Tensor& b) { return ne(a, b); }
Tensor operator<(const Tensor& a, const Tensor& b) { return lt(a, b); }
Tensor operator<=(const Tensor& a, const Tensor& b) { return le(a, b); }
Tensor operator>(const Tensor& a, const Tensor& b) { return gt(a, b); }
Tensor operator>=(const Tensor& a, const Tensor& b) { return ge(a, b); }
Tensor operator+(const Tensor& a, Scalar b) { return add(a, Tensor(b)); }
Tensor operator-(const Tensor& a, Scalar b) { return sub(a, Tensor(b)); }
Tensor operator*(const Tensor& a, Scalar b) { return mul(a, Tensor(b)); }
Tensor operator/(const Tensor& a, Scalar b) { return div(a, Tensor(b)); }
Tensor operator==(const Tensor& a, Scalar b) { return eq(a, Tensor(b)); }
Tensor operator!=(const Tensor& a, Scalar b) { return ne(a, Tensor(b)); }
Tensor operator<(const Tensor& a, Scalar b) { return lt(a, Tensor(b)); }
Tensor operator<=(const Tensor& a, Scalar b) { return le(a, Tensor(b)); }
Tensor operator>(const Tensor& a, Scalar b) { return gt(a, Tensor(b)); }
Tensor operator>=(const Tensor& a, Scalar b) { return ge(a, Tensor(b)); }
Tensor operator+(Scalar a, const Tensor& b) { return add(Tensor(a), b); }
Tensor operator-(Scalar a, const Tensor& b) { return sub(Tensor(a), b); }
Tensor operator*(Scalar a, const Tensor& b) { return mul(Tensor(a), b); }
Tensor operator/(Scalar a, const Tensor& b) { return div(Tensor(a), b); }
Tensor operator&(const Tensor& a, const Tensor& b) { return bitwise_and(a, b); }
Tensor operator&(const Tensor& a, Scalar b) { return bitwise_and(a, Tensor(b)); }
Tensor operator|(const Tensor& a, const Tensor& b) { return bitwise_or(a, b); }
Tensor operator|(const Tensor& a, Scalar b) { return bitwise_or(a, Tensor(b)); }
Tensor operator^(const Tensor& a, const Tensor& b) { return bitwise_xor(a, b); }
Tensor operator^(const Tensor& a, Scalar b) { return bitwise_xor(a, Tensor(b)); }
Tensor operator~(const Tensor& x) { return bitwise_not(x); }
Tensor operator==(Scalar a, const Tensor& b) { return eq(b, Tensor(a)); }
Tensor operator!=(Scalar a, const Tensor& b) { return ne(b, Tensor(a)); }
Tensor operator<(Scalar a, const Tensor& b) { return gt(b, Tensor(a)); }
Tensor operator<=(Scalar a, const Tensor& b) { return ge(b, Tensor(a)); }
Tensor operator>(Scalar a, const Tensor& b) { return lt(b, Tensor(a)); }
Tensor operator>=(Scalar a, const Tensor& b) { return le(b, Tensor(a)); }
const Tensor& operator+=(const Tensor& a, const Tensor& b) { return add_(a, b); }
const Tensor& operator-=(const Tensor& a, const Tensor& b) { return sub_(a, b); }
const Tensor& operator*=(const Tensor& a, const Tensor& b) { return mul_(a, b); }
const Tensor& operator/=(const Tensor& a, const Tensor& b) { return div_(a, b); }
const Tensor& operator+=(const Tensor& a, Scalar b) { return add_(a, Tensor(b)); }
const Tensor& operator-=(const Tensor& a, Scalar b) { return sub_(a, Tensor(b)); }
const Tensor& operator*=(const Tensor& a, Scalar b) { return mul_(a, Tensor(b)); }
const Tensor& operator/=(const Tensor& a, Scalar b) { return div_(a, Tensor(b)); }

}  // namespace tapegrad
