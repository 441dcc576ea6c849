// An activation of input + mat1 mat2: on CUDA, where all fits, in the product's launch. PyTorch has it under this name, without a gradient.
#include "src/ops/matmul.h"
#include "src/ops/op_info.h"

namespace tapegrad {

static Tensor addmm_activation(const Tensor& input, const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha, bool use_gelu) {
  OpScope op("_addmm_activation");
  const bool plain = use_gelu && !recording(input, a, b) && is_floating(a.dtype()) && beta.to_double() == 1 && alpha.to_double() == 1;
  const bool fits = plain && a.is_cuda() && a.dim() == 2 && b.dim() == 2 && input.dim() == 1 && input.numel() == b.size(1) && a.size(1) == b.size(0) &&
                    input.dtype() == a.dtype() && b.dtype() == a.dtype() && (input.stride(0) == 1 || input.numel() < 2);
  if (fits) return gelu_of_product(a, b, input);
  const Tensor out = addmm(input, a, b, beta, alpha);
  return use_gelu ? gelu(out, a.is_cuda() ? "tanh" : "none") : relu(out);
}
void addmm_activation_ops(OpTable& t) {
  t.add("_addmm_activation(Tensor input, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1, bool use_gelu=False)", &addmm_activation,
        "relu, or gelu (on CUDA its form with tanh), of addmm.")
      .no_grad().samples({"T(4), T(2, 3), T(3, 4)", "T(4), T(2, 3), T(3, 4), use_gelu=True"});
}

}  // namespace tapegrad
