// Softmax, norms and losses on CUDA tensors. Rows are read and written in their own dtype; where weights have another one all goes through
// float, as on the CPU.
#include "src/ops/cuda/calls.h"
#include "src/ops/reduce.h"
#include "src/ops/rows.h"

namespace tapegrad {
namespace {

/// What the device computes in.
Dtype stats_dtype(Dtype d) { return d == Dtype::Float64 ? Dtype::Float64 : Dtype::Float32; }
void* memory(const Tensor& t) { return t.defined() ? t->data : nullptr; }
CudaRowShape row_shape(const Tensor& x, int64_t dim) {
  const Split s(x, dim);
  return {x.dtype(), s.outer, s.n, s.inner};
}

}  // namespace

Tensor cuda_softmax(const Tensor& input, int64_t dim, bool log) {
  const Tensor x = row_major(input, input.dtype()), y = empty(x.sizes(), x.dtype(), x.device());
  const CudaGuard device(x.device());
  if (x.numel()) cuda_kernels().rows.softmax(row_shape(x, dim), x->data, y->data, log);
  return y;
}
Tensor cuda_softmax_backward(const Tensor& grad, const Tensor& output, int64_t dim, bool log) {
  const Tensor g = row_major(grad, output.dtype()), y = row_major(output, output.dtype()), dx = empty(y.sizes(), y.dtype(), y.device());
  const CudaGuard device(y.device());
  if (y.numel()) cuda_kernels().rows.softmax_backward(row_shape(y, dim), g->data, y->data, dx->data, log);
  return cast_back(dx, grad.dtype());
}

// ---- norms

static Dtype norm_dtype(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const bool same = (!weight.defined() || weight.dtype() == x.dtype()) && (!bias.defined() || bias.dtype() == x.dtype());
  return same ? x.dtype() : row_dtype(x.dtype());
}
static CudaNorm norm_of(const CudaNormCall& c, const Tensor& x, const Tensor& weight, const Tensor& stats) {
  const int64_t rows = c.n ? x.numel() / c.n : 0, size = c.channels && x.numel() ? x.numel() / x->sizes[0] / c.channels : 0;
  return {x.dtype(), rows, c.n, size, c.channels, c.eps, c.centred, x->data, memory(weight), stats->data};
}
Tensor cuda_norm(const CudaNormCall& c, const Tensor& input, const Tensor& weight, const Tensor& bias, Tensor* stats) {
  const Dtype d = norm_dtype(input, weight, bias);
  const Tensor x = row_major(input, d), w = row_major(weight, d), b = row_major(bias, d), y = empty(x.sizes(), d, x.device());
  *stats = empty({c.n ? x.numel() / c.n : 0, 2}, stats_dtype(d), x.device());
  const CudaGuard device(x.device());
  if (x.numel()) cuda_kernels().rows.norm(norm_of(c, x, w, *stats), memory(b), y->data);
  return cast_back(y, input.dtype());
}
void cuda_norm_backward(const CudaNormCall& c, const Tensor& grad, const Tensor& input, const Tensor& weight, const Tensor& stats, IntList own,
                        const bool (&wanted)[3], Tensor* dx) {
  const Dtype d = norm_dtype(input, weight, weight), c_dtype = stats.dtype(), w_dtype = weight.defined() ? weight.dtype() : input.dtype();
  const Tensor x = row_major(input, d), g = row_major(grad, d), w = row_major(weight, d);
  const CudaGuard device(x.device());
  const CudaNorm norm = norm_of(c, x, w, stats);
  const CudaRows& k = cuda_kernels().rows;
  if (wanted[0] && (wanted[1] || wanted[2]) && !c.channels && x.numel() && norm_at_once(d, c.n)) {
    const Tensor out = empty(x.sizes(), d, x.device()), partial = empty({2, norm_shares(norm.rows, c.n), c.n}, c_dtype, x.device());
    Tensor sums[2];
    for (int i = 0; i < 2; i++) if (wanted[1 + i]) sums[i] = empty(own, d, x.device());
    k.norm_backward_sums(norm, g->data, out->data, partial->data, memory(sums[0]), memory(sums[1]));
    dx[0] = cast_back(out, input.dtype());
    for (int i = 0; i < 2; i++) if (wanted[1 + i]) dx[1 + i] = cast_back(sums[i], w_dtype);
    return;
  }
  if (wanted[0]) {
    const Tensor out = empty(x.sizes(), d, x.device());
    if (x.numel()) k.norm_backward(norm, g->data, out->data);
    dx[0] = cast_back(out, input.dtype());
  }
  if (!wanted[1] && !wanted[2]) return;
  if (!x.numel()) {
    for (int i = 1; i < 3; i++) if (wanted[i]) dx[i] = zeros(own, w_dtype, x.device());
  } else if (c.channels) {
    const int64_t batch = x->sizes[0];
    const Tensor dots[] = {empty({batch, c.channels}, c_dtype, x.device()), empty({batch, c.channels}, c_dtype, x.device())};
    k.norm_dots(norm, g->data, dots[0]->data, dots[1]->data);
    for (int i = 1; i < 3; i++) if (wanted[i]) dx[i] = fold(kSum, dots[i - 1], 1, false, w_dtype);
  } else {
    const Tensor partial = empty({2, norm_pieces(norm.rows), c.n}, c_dtype, x.device());
    Tensor sums[2];
    for (int i = 0; i < 2; i++) if (wanted[1 + i]) sums[i] = empty(own, d, x.device());
    k.norm_sums(norm, g->data, partial->data, memory(sums[0]), memory(sums[1]));
    for (int i = 0; i < 2; i++) if (wanted[1 + i]) dx[1 + i] = cast_back(sums[i], w_dtype);
  }
}

// ---- losses

static CudaClassLoss loss_of(const CudaLossCall& c, const Tensor& x, const Tensor& classes, const Tensor& w, const Tensor& w_sum, const Tensor& stats) {
  return {x.dtype(), x->sizes[0], x->sizes[1], c.ignore_index, c.smoothing, c.logits, x->data, reinterpret_cast<const int64_t*>(classes->data),
          memory(w), memory(w_sum), memory(stats)};
}
Tensor cuda_class_loss(const CudaLossCall& c, const Tensor& input, const Tensor& classes, const Tensor& weight, Tensor* stats, Tensor* divide) {
  NoGrad off;
  const Tensor x = row_major(input, input.dtype());
  const Dtype d = stats_dtype(x.dtype());
  const Tensor w = row_major(weight, d);
  const int64_t rows = x->sizes[0];
  if (c.logits) *stats = empty({rows, 2}, d, x.device());
  *divide = ones({}, d, x.device());
  const Tensor each = empty({rows}, d, x.device()), weights = empty({rows}, d, x.device());
  const CudaGuard device(x.device());
  const CudaRows& k = cuda_kernels().rows;
  if (rows) k.class_loss(loss_of(c, x, classes, w, {}, *stats), each->data, weights->data);
  if (c.each) return cast_back(each, input.dtype());
  const Tensor out = empty({}, x.dtype(), x.device());
  k.class_loss_sum(x.dtype(), each->data, weights->data, rows, c.mean, out->data, (*divide)->data);
  return out;
}
Tensor cuda_class_loss_backward(const CudaLossCall& c, const Tensor& grad, const Tensor& input, const Tensor& classes, const Tensor& weight,
                                const Tensor& stats, const Tensor& divide) {
  NoGrad off;
  const Tensor x = row_major(input, input.dtype()), g = row_major(grad, x.dtype()), w = row_major(weight, divide.dtype());
  const Tensor w_sum = w.defined() ? sum(w) : Tensor(), dx = empty(x.sizes(), x.dtype(), x.device());
  const CudaGuard device(x.device());
  if (x.numel()) cuda_kernels().rows.class_loss_backward(loss_of(c, x, classes, w, w_sum, stats), g->data, c.each, divide->data, dx->data);
  return dx;
}

}  // namespace tapegrad
