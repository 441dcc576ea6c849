// The rows of products (matmul.cpp), and one that is made of another and an activation.
#include "src/ops/matmul.h"
#include "src/ops/op_info.h"

namespace tapegrad {

// On CUDA, where all fits, in one launch. PyTorch has it under this name, without a gradient.
static Tensor addmm_activation(const Tensor& input, const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha, bool use_gelu) {
  OpScope op("_addmm_activation");
  const bool plain = use_gelu && is_floating(a.dtype()) && beta.to_double() == 1 && alpha.to_double() == 1;
  const bool fits = plain && a.is_cuda() && a.dim() == 2 && b.dim() == 2 && input.dim() == 1 && input.numel() == b.size(1) && a.size(1) == b.size(0) &&
                    input.dtype() == a.dtype() && b.dtype() == a.dtype() && (input.stride(0) == 1 || input.numel() < 2);
  if (fits) return gelu_of_product(a, b, input);
  const Tensor out = addmm(input, a, b, beta, alpha);
  return use_gelu ? gelu(out, a.is_cuda() ? "tanh" : "none") : relu(out);
}

void matmul_ops(OpTable& t) {
  t.add("matmul(Tensor input, Tensor other)", &matmul,
        "Matrix product over the last two dimensions; leading ones broadcast. A 1-D input is a row, a 1-D other a column, and the "
        "dimension made for them is dropped: (m, k) x (k, n) -> (m, n), (k) x (k) -> ().")
      .method().with_out()
      .complex().samples({"T(2, 3), T(3, 4)", "T(3), T(3)", "T(2, 3), T(3)", "T(3), T(3, 4)", "T(2, 2, 3), T(3, 4)",
      "T(2, 1, 2, 3), T(3, 3, 2)", "T(3), T(2, 3, 4)",
                "T(2, 2, 3), T(3)", "T(0, 3), T(3, 2)", "T(2, 0), T(0, 3)"});
  t.add("mm(Tensor input, Tensor mat2)", &mm, "Product of two matrices: (m, k) x (k, n) -> (m, n). No broadcasting.")
      .method().with_out().complex().samples({"T(2, 3), T(3, 4)", "T(1, 3), T(3, 1)", "T(0, 3), T(3, 2)", "T(9, 17), T(17, 10)"});
  t.add("bmm(Tensor input, Tensor mat2)", &bmm, "Products of two batches of matrices: (b, m, k) x (b, k, n) -> (b, m, n).")
      .method().with_out().complex().samples({"T(2, 3, 4), T(2, 4, 2)", "T(0, 2, 3), T(0, 3, 4)", "T(3, 1, 9), T(3, 9, 10)"});
  t.add("mv(Tensor input, Tensor vec)", &mv,
      "Matrix times vector: (m, k) x (k) -> (m).").method().with_out().complex().samples({"T(2, 3), T(3)", "T(9, 10), T(10)", "T(0, 3), T(3)"});
  t.add("dot(Tensor input, Tensor tensor)", &dot,
      "Sum of the products of two vectors of equal size.").method().with_out().complex().samples({"T(3), T(3)", "T(0), T(0)", "T(100), T(100)"});
  t.add("vdot(Tensor input, Tensor other)", &vdot, "dot(conj(input), other).").method().with_out().complex().samples({"T(3), T(3)"});
  t.add("outer(Tensor input, Tensor vec2)", &outer,
      "All products of two vectors: (m), (n) -> (m, n).").method().alias("ger").with_out().complex().samples({"T(3), T(4)", "T(0), T(2)"});
  t.add("addmm(Tensor input, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1)", &addmm,
        "beta · input + alpha · mat1 mat2; input broadcasts to the product. With beta 0 input is not read.")
      .method().inplace(&addmm_).with_out()
      .complex().samples({"T(2, 4), T(2, 3), T(3, 4)", "T(4), T(2, 3), T(3, 4)", "T(2, 1), T(2, 3), T(3, 4), beta=2., alpha=.5",
      "T(2, 4), T(2, 3), T(3, 4), beta=0, alpha=2"});
  t.add("addmv(Tensor input, Tensor mat, Tensor vec, *, Scalar beta=1, Scalar alpha=1)", &addmv, "beta · input + alpha · mat vec.")
      .method().inplace(&addmv_).with_out().complex().samples({"T(2), T(2, 3), T(3)", "T(1), T(2, 3), T(3), beta=2., alpha=3."});
  t.add("addr(Tensor input, Tensor vec1, Tensor vec2, *, Scalar beta=1, Scalar alpha=1)", &addr,
      "beta · input + alpha · outer(vec1, vec2).")
      .method().inplace(&addr_).with_out().complex().samples({"T(2, 3), T(2), T(3)", "T(3), T(2), T(3), beta=.5, alpha=2."});
  t.add("baddbmm(Tensor input, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1)", &baddbmm,
      "beta · input + alpha · bmm(batch1, batch2).")
      .method().inplace(&baddbmm_).with_out().complex().samples({"T(2, 3, 2), T(2, 3, 4), T(2, 4, 2)",
      "T(2), T(2, 3, 4), T(2, 4, 2), beta=.5, alpha=2."});
  t.add("addbmm(Tensor input, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1)", &addbmm,
      "beta · input + alpha · the sum of bmm(batch1, batch2) over the batch.")
      .method().inplace(&addbmm_).with_out().complex().samples({"T(3, 2), T(2, 3, 4), T(2, 4, 2)",
      "T(3, 2), T(2, 3, 4), T(2, 4, 2), beta=.5, alpha=2."});
  t.add("linear(Tensor input, Tensor weight, Tensor? bias=None)", &linear, "input weightᵀ + bias: (…, in), (out, in), (out) -> (…, out).")
      .functional_only()
      .complex().with_out().samples({"T(2, 3), T(4, 3), T(4)", "T(2, 3), T(4, 3)", "T(3), T(4, 3), T(4)", "T(2, 2, 3), T(4, 3), T(4)",
      "T(2, 3), T(3)", "T(0, 3), T(2, 3), T(2)"});
  t.add("_addmm_activation(Tensor input, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1, bool use_gelu=False)", &addmm_activation,
        "relu, or gelu (on CUDA its form with tanh), of addmm.")
      .no_grad().samples({"T(4), T(2, 3), T(3, 4)", "T(4), T(2, 3), T(3, 4), use_gelu=True"});
}

}  // namespace tapegrad
