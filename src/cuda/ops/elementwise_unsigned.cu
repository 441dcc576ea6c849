// The ops that uint64 has.
#include "src/cuda/ops/elementwise.cuh"

namespace tapegrad::cuda {

template <class... Ops> static void add_all(OpList<Ops...>, ElementwiseTable& t) { (add_forward<Ops, uint64_t>(t, Compute::U64), ...); }
void add_unsigned(ElementwiseTable& t) { add_all(UnsignedOps(), t); }

}  // namespace tapegrad::cuda
