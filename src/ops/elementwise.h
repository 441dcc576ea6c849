// The driver of every elementwise op. Checks, promotion, broadcasting, allocation, kernel choice and tape are one function,
// elementwise(), made for one, two and three inputs; unary<Op>, binary<Op>, ternary<Op> are one line over it. Only the gradient
// formulas on Tensors are templates over the op.
#pragma once
#include <type_traits>

#include "src/ops/formulas.h"
#include "src/ops/plain.h"
#include "src/ops/runs.h"
#include "tapegrad/ops.h"

namespace tapegrad {

using Formula = Tensor (*)(const void* params, const Tensor& g, const Tensor* values);
/// One constant an op, made by entry<Op, N>.
struct OpEntry {
  OpTraits traits;
  uint8_t inputs, params;  // how many; bytes
  uint8_t saves, slots;    // Needs of all gradients together, and how many they are
  uint16_t index;          // in its list
  bool complex;            // does its formula hold for complex numbers?
  Formula formula[3];
  /// Null when there is none for c.
  Kernel forward(Compute c) const {
    if (int(c) < kComputes) [[likely]] return elementwise_tables[kernel_set]->by_inputs[inputs - 1]->op[index].forward[int(c)];
    return plain_kernels[inputs - 1][index].forward[int(c) - kComputes];
  }
  Kernel backward(int k, Compute c) const {
    if (int(c) < kComputes) [[likely]] return elementwise_tables[kernel_set]->by_inputs[inputs - 1]->op[index].backward[k][c == Compute::F64];
    return plain_kernels[inputs - 1][index].backward[k][c == Compute::C128];
  }
};
inline constexpr int kMaxParams = 48;

/// op over in[0 … N), broadcast: N is op.inputs. `fixed` overrides the common dtype (the caller has promoted with numbers of its
/// own).
template <int N> Tensor elementwise(const OpEntry& op, const void* params, const Tensor* const* in, std::optional<Dtype> fixed = {});
/// The same into in[0].
const Tensor& elementwise_(const OpEntry& op, const void* params, const Tensor* const* in, std::optional<Dtype> fixed = {});

/// The dtype of an op over these, by PyTorch's rules: tensors with dims before 0-d ones before plain numbers.
Dtype result_type(const Tensor* const* in, int count);
/// The shape that these broadcast to. Throws ShapeError.
Shape broadcast_shape(const Tensor* const* in, int count);
/// Where all that F32 kernels would read and write is of one 16-bit dtype (or a number beside a wide_number op), and there is a kernel
/// for that dtype: that kernel, and the operands' compute types changed to its own. Else null. `backward`: of input k, or -1.
Kernel half_kernel(const OpEntry& op, Operand* arg, int args, int backward = -1);
/// Runs a kernel over operands that broadcast to the shape of arg[0], on several threads when it is worth it.
void run_kernel(Kernel kernel, const void* params, const Operand* arg, int args, bool costly);
/// The device that an op over these runs on: CUDA when one of them is there. Throws DeviceError where they differ: only 0-d CPU tensors
/// may stand beside those of a CUDA device.
Device common_device(const Tensor* const* in, int count);
inline bool any_cuda(const Tensor* const* in, int count) {
  for (int k = 0; k < count; k++) if (in[k]->is_cuda()) [[unlikely]] return true;
  return false;
}
/// The operands of a call over few elements, for the kernel at once: dense ones where they lie, single numbers (0-d or expanded)
/// splatted. `count` reaches to the end of the last packet; 0: a call of another kind.
struct SmallOperands {
  static constexpr int64_t kFew = 1024;
  char* p[kMaxArgs];
  int64_t count = 0;
  SmallOperands(const Operand* arg, int args);
 private:
  alignas(64) char numbers_[2][16 * kFew];
};
/// Throws when elements of self share memory (expand), so that writing them makes no sense.
void check_writable(const Tensor& self);
/// g summed to the shape and cast to the dtype of an input: what every gradient ends with.
Tensor reduce_gradient(Tensor g, IntList size, Dtype dtype);

/// The tape. record_in_place returns where the output is to be saved once its version is final, or null.
/// broadcast: is there an input of other sizes than out's?
void record_elementwise(const Tensor& out, const OpEntry& op, const void* params, const Tensor* const* in, bool broadcast);
SavedTensor* record_in_place(InPlace& guard, const Tensor& self, const OpEntry& op, const void* params,
    const Tensor* const* in, const Tensor* const* values);

inline Compute compute_for(Dtype d) {
  using enum Compute;
  static constexpr Compute table[kDtypes] = {I32, I32, I32, I32, I32, I64, F32, F32, F32, F64, C64, C128, I32, I64, U64};
  return table[int(d)];
}
inline bool same_sizes(const TensorImpl& a, const TensorImpl& b) {
  if (a.ndim != b.ndim) return false;
  for (int d = 0; d < a.ndim; d++) if (a.sizes[d] != b.sizes[d]) return false;
  return true;
}

// ---- templates over the op

template <class Op, class List> struct IndexIn;
template <class Op, class... Ops> struct IndexIn<Op, OpList<Ops...>> {
  static constexpr int value = [] {
    int i = 0, found = -1;
    ((std::is_same_v<Op, Ops> ? void(found = i++) : void(i++)), ...);
    return found;
  }();
  static_assert(value >= 0, "the op is missing from its list at the end of formulas.h");
};
template <class Op, int K> Tensor formula(const void* params, const Tensor& g, const Tensor* v) {
  const Op& op = *static_cast<const Op*>(params);
  constexpr int values = __builtin_popcount(Op::traits.needs[K]);
  if constexpr (values == 0) return call_backward<K>(op, g);
  else if constexpr (values == 1) return call_backward<K>(op, g, v[0]);
  else if constexpr (values == 2) return call_backward<K>(op, g, v[0], v[1]);
  else return call_backward<K>(op, g, v[0], v[1], v[2]);
}
template <class Op, int N, int K> constexpr Formula formula_or_null() {
  if constexpr (K < N && has_gradient<Op, K>) return formula<Op, K>; else return nullptr;
}
template <class Op, int N> constexpr OpEntry make_entry() {
  static_assert(std::is_trivially_copyable_v<Op> && sizeof(Op) <= kMaxParams);
  using List = std::conditional_t<N == 1, UnaryOps, std::conditional_t<N == 2, BinaryOps, TernaryOps>>;
  constexpr OpTraits t = Op::traits;
  constexpr uint8_t saves = t.needs[0] | t.needs[1] | t.needs[2];
  return {t, N, std::is_empty_v<Op> ? 0 : sizeof(Op), saves, uint8_t(__builtin_popcount(saves)), IndexIn<Op, List>::value, is_in<Op, ComplexOps>,
          {formula_or_null<Op, N, 0>(), formula_or_null<Op, N, 1>(), formula_or_null<Op, N, 2>()}};
}
template <class Op, int N> inline constexpr OpEntry entry = make_entry<Op, N>();

template <class Op> Tensor unary(const Tensor& x, const Op& op = {}) {
  const Tensor* in[] = {&x};
  return elementwise<1>(entry<Op, 1>, &op, in);
}
template <class Op> Tensor binary(const Tensor& a, const Tensor& b, const Op& op = {}) {
  const Tensor* in[] = {&a, &b};
  return elementwise<2>(entry<Op, 2>, &op, in);
}
template <class Op> Tensor ternary(const Tensor& a, const Tensor& b, const Tensor& c, const Op& op = {}) {
  const Tensor* in[] = {&a, &b, &c};
  return elementwise<3>(entry<Op, 3>, &op, in);
}
template <class Op> const Tensor& unary_(const Tensor& self, const Op& op = {}) {
  const Tensor* in[] = {&self};
  return elementwise_(entry<Op, 1>, &op, in);
}
template <class Op> const Tensor& binary_(const Tensor& self, const Tensor& b, const Op& op = {}) {
  const Tensor* in[] = {&self, &b};
  return elementwise_(entry<Op, 2>, &op, in);
}
template <class Op> const Tensor& ternary_(const Tensor& self, const Tensor& b, const Tensor& c, const Op& op = {}) {
  const Tensor* in[] = {&self, &b, &c};
  return elementwise_(entry<Op, 3>, &op, in);
}

}  // namespace tapegrad
