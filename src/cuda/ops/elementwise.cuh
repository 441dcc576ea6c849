// From the formulas of src/ops/formulas.h to kernels. Each elementwise_*.cu makes those of some ops.
#pragma once
#ifdef __CUDACC__
#pragma nv_diag_suppress 186  // formulas for all numbers ask unsigned ones, too, whether they are below 0
#endif
#include "src/cuda/kernel/elementwise.cuh"
#include "src/cuda/ops/elementwise.h"
#include "src/ops/formulas.h"

namespace tapegrad::cuda {

template <class Op> __device__ inline Op read(const Params& p) {
  static_assert(sizeof(Op) <= sizeof(Params));
  Op op;
  if constexpr (!std::is_empty_v<Op>) memcpy(&op, p.bytes, sizeof op);
  return op;
}
template <class Op, int N, class Number> struct Forward {
  using T = Number;
  using In = Stored<T>;
  static constexpr int inputs = N, mask = Op::traits.masked ? 0 : -1, each = kEach<T>;
  using Result = decltype([] {
    if constexpr (N == 1) return Op().forward(T());
    else if constexpr (N == 2) return Op().forward(T(), T());
    else if constexpr (mask == 0) return Op().forward(bool(), T(), T());
    else return Op().forward(T(), T(), T());
  }());
  using Out = Stored<Result>;
  Op op;
  __device__ explicit Forward(const Params& p) : op(read<Op>(p)) {}
  template <class... X> __device__ Result operator()(const X&... x) const { return op.forward(x...); }
};
template <int k, class Op, class... V> __device__ inline auto gradient(const Op& op, const V&... v) {
  if constexpr (requires { op.backward(v...); }) return op.backward(v...);
  else if constexpr (k == 0) return op.backward_a(v...);
  else if constexpr (k == 1) return op.backward_b(v...);
  else return op.backward_c(v...);
}
/// The gradient of input k from the output's and the values that the traits list. On conj: see cpu/loops.h.
template <class Op, int k, class Number> struct Backward {
  using T = Number;
  using Result = T;
  using In = Stored<T>;
  using Out = Stored<T>;
  static constexpr int inputs = 1 + __builtin_popcount(Op::traits.needs[k]), mask = Op::traits.masked && (Op::traits.needs[k] & A) ? 1 : -1;
  static constexpr int each = kEach<T>;
  Op op;
  __device__ explicit Backward(const Params& p) : op(read<Op>(p)) {}
  template <class... V> __device__ T operator()(const T& g, const V&... v) const {
    return conj(gradient<k>(op, T(conj(g)), v...));
  }
};

template <class Op, class List> inline constexpr int index_in = -1;
template <class Op, class... Ops> inline constexpr int index_in<Op, OpList<Ops...>> = [] {
  int i = 0, found = -1;
  ((__is_same(Op, Ops) ? void(found = i++) : void(i++)), ...);
  return found;
}();
template <class Op> constexpr int inputs_of() {
  return index_in<Op, UnaryOps> >= 0 ? 1 : index_in<Op, BinaryOps> >= 0 ? 2 : 3;
}
template <class Op> OpKernelTable& row_of(ElementwiseTable& t) {
  constexpr int n = inputs_of<Op>();
  return t.op[n - 1][index_in<Op, std::conditional_t<n == 1, UnaryOps, std::conditional_t<n == 2, BinaryOps, TernaryOps>>>];
}

template <class Op> inline constexpr size_t param_bytes = std::is_empty_v<Op> ? 0 : sizeof(Op);
template <class Op, class T> void add_forward(ElementwiseTable& t, Compute c) {
  row_of<Op>(t).forward[int(c)] = entry_of<Forward<Op, inputs_of<Op>(), T>>(param_bytes<Op>);
}
template <class Op, int k, class T> void add_gradient(ElementwiseTable& t, Compute c) {
  if constexpr (k < inputs_of<Op>() && has_gradient<Op, k> && Op::traits.fused)
    row_of<Op>(t).backward[k][int(c)] = entry_of<Backward<Op, k, T>>(param_bytes<Op>);
}
template <class Op, class T> void add_gradients(ElementwiseTable& t, Compute c) {
  add_gradient<Op, 0, T>(t, c), add_gradient<Op, 1, T>(t, c), add_gradient<Op, 2, T>(t, c);
}

/// Those that the CPU has for each instruction set (cpu/loops.h).
template <class Op, class T, Compute c> void add_if(ElementwiseTable& t) {
  if constexpr (computes_in<Op>(c)) add_forward<Op, T>(t, c);
}
template <class... Ops> void add_forwards(OpList<Ops...>, ElementwiseTable& t) {
  (add_if<Ops, float, Compute::F32>(t), ...);
  (add_if<Ops, double, Compute::F64>(t), ...);
  (add_if<Ops, int64_t, Compute::I64>(t), ...);
  (add_if<Ops, int32_t, Compute::I32>(t), ...);
  (add_if<Ops, bool, Compute::Bool>(t), ...);
}
template <class... Ops> void add_backwards(OpList<Ops...>, ElementwiseTable& t) {
  (add_gradients<Ops, float>(t, Compute::F32), ...);
  (add_gradients<Ops, double>(t, Compute::F64), ...);
}

}  // namespace tapegrad::cuda
