// Ops of formulas_plain.h: divisors, neighbours, mantissas.
#include "src/ops/formulas_plain.h"

#include "src/cuda/ops/elementwise.cuh"

namespace tapegrad::cuda {

template <class Op, int N, class T> static void add(KernelEntry* row, Compute c) { row[int(c)] = entry_of<Forward<Op, N, T>>(param_bytes<Op>); }
template <int N, class... Ops> static void add_if_computed(OpList<Ops...>, ElementwiseTable& t) {
  const auto add_types = [&]<class Op>(Op, KernelEntry* row) {
    if constexpr (computes_in<Op>(Compute::F32)) add<Op, N, float>(row, Compute::F32), add<Op, N, double>(row, Compute::F64);
    else add<Op, N, int64_t>(row, Compute::I64), add<Op, N, int32_t>(row, Compute::I32);
  };
  int i = 0;
  (add_types(Ops(), t.plain[N - 1][i++]), ...);
}
void add_plain(ElementwiseTable& t) {
  add_if_computed<1>(PlainUnaryOps(), t);
  add_if_computed<2>(PlainBinaryOps(), t);
}

}  // namespace tapegrad::cuda
