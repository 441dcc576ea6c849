// Activation functions of floats and their gradients.
#include "src/cuda/ops/elementwise.cuh"

namespace tapegrad::cuda {

void add_activations(ElementwiseTable& t) {
  using Ops = OpList<Sigmoid, LeakyRelu, Elu, Gelu, GeluTanh, Silu, Mish, Softplus, LogSigmoid, Softsign, Hardsigmoid, Hardswish, Tanhshrink,
                     Softshrink, Hardshrink>;
  add_forwards(Ops(), t);
  add_backwards(Ops(), t);
  add_backwards(OpList<Relu, Hardtanh, Threshold>(), t);
}

}  // namespace tapegrad::cuda
