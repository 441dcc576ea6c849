// From tensors to what device kernels take. Which family calls what is in the family's file; here are the parts they share.
#pragma once
#include "src/ops/cuda/kernels.h"
#include "src/ops/elementwise.h"
#include "src/tensor/cuda.h"

namespace tapegrad {

/// The operands as one strided problem over the sizes of arg[0], which is on a CUDA device; the others broadcast. 0-d CPU tensors become
/// numbers.
CudaWalk cuda_walk(const Operand* arg, int args);
/// op's kernel over arg[1 …] into arg[0].
void cuda_forward(const OpEntry& op, Compute c, const void* params, const Operand* arg);
/// The gradient of input k: arg[1] is the output's, the others are what the op's traits ask for.
void cuda_backward(const OpEntry& op, int k, Compute c, const void* params, const Operand* arg, int args);
/// A function of special_math.h of a and, unless undefined, b, into out. All are of floating dtypes.
void cuda_special(Special f, const Tensor& out, const Tensor& a, const Tensor& b);
/// The op at `index` of formulas_plain.h's list for so many inputs; b is undefined for one.
void cuda_plain(int inputs, int index, const void* params, const Tensor& out, const Tensor& a, const Tensor& b = {});
/// dst = src: any devices, dtypes and strides; src broadcasts.
void cuda_copy(const Tensor& dst, const Tensor& src, bool non_blocking = false);
/// Throws DeviceError unless all are on x's device; `names` are the arguments' names.
void check_same_device(const char* name, const Tensor& x, const char* other_name, const Tensor& other);

}  // namespace tapegrad
