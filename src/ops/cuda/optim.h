// Optimisers over many tensors at once: src/cuda/ops/optim.cu.
#pragma once
#include "src/ops/cuda/walk.h"

namespace tapegrad {

/// One parameter, its gradient and up to three states (null: not there), dense in one order.
struct CudaOptimItem {
  void* part[5];
  int64_t numel;
};
enum class CudaMethod : uint8_t { Sgd, Adam, Rmsprop, Adagrad, Adadelta, Adamax, Nadam, Radam };

struct CudaOptim {
  /// One step for all items, of one dtype; `numbers` is the method's struct of src/ops/cpu/optim.h. One launch for up to 512 items.
  void (*step)(CudaMethod, Dtype, const CudaOptimItem* items, int64_t count, const void* numbers);
  /// Every element of the items' first part times *inv_scale; *found = 1 when one of them was not finite. Both float, on the device.
  void (*unscale)(Dtype, const CudaOptimItem* items, int64_t count, const float* inv_scale, float* found);
};

}  // namespace tapegrad
