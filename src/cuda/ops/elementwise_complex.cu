// The ops that hold for complex numbers, and their gradients. complex64 has no kernels of its own: it is computed in complex128, faster than
// memory delivers it, and rounded once.
#include "src/ops/complex_number.h"

#include "src/cuda/ops/elementwise.cuh"

namespace tapegrad::cuda {

template <class... Ops> static void add_all(OpList<Ops...>, ElementwiseTable& t) {
  (add_forward<Ops, Complex<double>>(t, Compute::C128), ...);
  (add_gradients<Ops, Complex<double>>(t, Compute::C128), ...);
  const auto share = [](OpKernelTable& op) {
    op.forward[int(Compute::C64)] = op.forward[int(Compute::C128)];
    for (auto& b : op.backward) b[int(Compute::C64)] = b[int(Compute::C128)];
  };
  (share(row_of<Ops>(t)), ...);
}
void add_complex(ElementwiseTable& t) { add_all(ComplexOps(), t); }

}  // namespace tapegrad::cuda
