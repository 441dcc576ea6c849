// The maths of every elementwise op: one struct an op, with forward and backward written once for numbers, packets, CUDA and
// Tensors. T is one of those, so: only the words of cpu/scalar.h, where instead of if, T(c) around constants. Included by the
// kernels (once per instruction set) and by the driver. A new op: a struct, its name in a list below, a function in ops.h.
#pragma once
#include "src/ops/cpu/elementwise.h"
#include "src/ops/cpu/scalar.h"
#include "src/ops/cpu/special.h"

namespace tapegrad { inline namespace TG_NS {

/// The promotion rule and at once which kernels exist. Float: integers become the default float type. FloatOnly: they are
/// refused. Number: any type. NotBool: any but bool. Compare: any type, result bool. Logical: computed on bools. Bitwise:
/// integers and bools.
enum class Types : uint8_t { Float, FloatOnly, Number, NotBool, Compare, Logical, Bitwise };
/// What a gradient needs besides g, handed to backward in this order: the inputs and the output.
enum Needs : uint8_t { Nothing = 0, A = 1, B = 2, C = 4, Out = 8 };
enum BackwardBy : bool { by_formula, fused };  // fused: a kernel of its own; by_formula: at most one op on tensors
enum Cost : bool { cheap, costly };          // how finely to cut work for threads
struct OpTraits {
  const char *name, *node;  // node: what grad_fn prints; null: no gradient
  Types types;
  BackwardBy fused = by_formula;
  Cost costly = cheap;
  uint8_t needs[3] = {};
  bool masked = false;      // the first of three inputs is a condition
  bool divides = false;     // integers: the last input must not hold zeros
  bool wide_number = false; // a 0-d operand keeps its digits beside 16-bit floats, as in PyTorch's mul and div
  uint8_t passes = 0;       // inputs whose gradient is g itself: nothing is computed
};

}}  // namespace tapegrad

#include "src/ops/formulas_unary.h"
#include "src/ops/formulas_activation.h"
#include "src/ops/formulas_binary.h"
#include "src/ops/formulas_ternary.h"

namespace tapegrad { inline namespace TG_NS {

template <class... Ops> struct OpList {};
using UnaryOps = OpList<
    Neg, Abs, Sign, Floor, Ceil, Trunc, Frac, Round, RoundDecimals, Clamp, ClampMin, ClampMax, NanToNum, Square, Cube,
        PowNumber, Sqrt, Rsqrt,
    Reciprocal, Exp, Exp2, Expm1, Log, Log2, Log10, Log1p, Sin, Cos, Tan, Asin, Acos, Atan, Sinh, Cosh, Tanh, Asinh, Acosh,
        Atanh, Sinc,
    Deg2Rad, Rad2Deg, Sigmoid, Logit, Erf, Erfc, Erfinv, Lgamma, Digamma, Polygamma, IsNan, IsInf, IsPosInf, IsNegInf,
        IsFinite, SignBit,
    LogicalNot, BitwiseNot, Relu, Hardtanh, LeakyRelu, Elu, Gelu, GeluTanh, Silu, Mish, Softplus, LogSigmoid, Softsign, Hardsigmoid,
    Hardswish, Tanhshrink, Softshrink, Hardshrink, Threshold>;
using BinaryOps = OpList<
    Add, Sub, Rsub, AddScaled, SubScaled, Mul, Div, DivTrunc, DivFloor, Remainder, Fmod, Pow, Atan2, Hypot, Copysign,
        LogAddExp, LogAddExp2,
    Xlogy, Maximum, Minimum, Fmax, Fmin, ClampMinTensor, ClampMaxTensor, Heaviside, Eq, Ne, Lt, Le, Gt, Ge, LogicalAnd, LogicalOr,
    LogicalXor, BitwiseAnd, BitwiseOr, BitwiseXor, ShiftLeft, ShiftRight, LerpNumber, Prelu>;
using TernaryOps = OpList<Where, Lerp, Addcmul, Addcdiv, ClampTensors>;

/// Those whose formulas hold for complex numbers as they stand: functions with a complex derivative, and tests.
using ComplexOps = OpList<
    Neg, Square, Cube, PowNumber, Sqrt, Rsqrt, Reciprocal, Exp, Exp2, Expm1, Log, Log2, Log10, Log1p, Sin, Cos, Tan, Asin, Acos, Atan,
    Sinh, Cosh, Tanh, Asinh, Acosh, Atanh, Sinc, Sigmoid, Silu, Tanhshrink, IsNan, IsInf, IsFinite, Add, Sub, Rsub, AddScaled,
    SubScaled, Mul, Div, Pow, Eq, Ne, LerpNumber, Where, Lerp, Addcmul, Addcdiv>;
/// Those that uint64, which no other compute type can hold, has.
using UnsignedOps = OpList<
    Square, PowNumber, Add, Sub, Rsub, AddScaled, SubScaled, Mul, DivTrunc, DivFloor, Remainder, Fmod, Pow, Maximum, Minimum, Eq, Ne, Lt,
    Le, Gt, Ge, BitwiseNot, BitwiseAnd, BitwiseOr, BitwiseXor, ShiftLeft, ShiftRight, Where, Sign, Floor, Ceil, Trunc, Round, IsNan, IsInf,
    IsFinite, IsPosInf, IsNegInf, Clamp, ClampMin, ClampMax>;
template <class Op, class List> inline constexpr bool is_in = false;
template <class Op, class... Ops> inline constexpr bool is_in<Op, OpList<Ops...>> = (__is_same(Op, Ops) || ...);

template <class Op> constexpr bool computes_in(Compute c) {
  switch (Op::traits.types) {
    case Types::Float: case Types::FloatOnly: return c == Compute::F32 || c == Compute::F64;
    case Types::Number: case Types::NotBool: case Types::Compare: return c != Compute::Bool;
    case Types::Logical: return c == Compute::Bool;
    default: return c == Compute::I64 || c == Compute::I32;
  }
}
template <class Op, int K> constexpr bool has_gradient = Op::traits.node && !(Op::traits.masked && K == 0);
template <int K, class Op, class... V> TG_HD inline auto call_backward(const Op& op, const V&... v) {
  if constexpr (requires { op.backward(v...); }) return op.backward(v...);
  else if constexpr (K == 0) return op.backward_a(v...);
  else if constexpr (K == 1) return op.backward_b(v...);
  else return op.backward_c(v...);
}

}}  // namespace tapegrad
