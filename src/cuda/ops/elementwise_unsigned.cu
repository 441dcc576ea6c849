// The ops that uint64 has.
#ifdef __CUDACC__
#pragma nv_diag_suppress 186  // formulas for all numbers ask whether one is below 0
#endif
#include "src/cuda/ops/elementwise.cuh"

namespace tapegrad::cuda {

template <class... Ops> static void add_all(OpList<Ops...>, ElementwiseTable& t) { (add_forward<Ops, uint64_t>(t, Compute::U64), ...); }
void add_unsigned(ElementwiseTable& t) { add_all(UnsignedOps(), t); }

}  // namespace tapegrad::cuda
