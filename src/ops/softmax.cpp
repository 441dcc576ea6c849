// softmax and log_softmax: one fused kernel each way along the last dimension or down columns.
#include <algorithm>

#include "src/ops/cuda/calls.h"
#include "src/ops/op_info.h"
#include "src/ops/rows.h"
#include "src/tensor/parallel.h"

namespace tapegrad {

namespace {

constexpr int64_t kStrip = 64;         // columns a kernel takes at once
constexpr int64_t kPiece = 1 << 13;    // elements worth a thread's while …
constexpr int64_t kBigPiece = 1 << 17; // … where the end of a piece waits for stores past the caches

// The result y by row(first, count) over whole rows, or cols(offset, stride, count) over strips of columns.
template <class R, class C> void cut(const Split& s, const Tensor& y, R row, C cols) {
  LongKernel unlocked(s.outer * s.n * s.inner * 4);
  if (!s.n || !s.inner) return;
  if (s.inner == 1) {
    const int64_t piece = is_past_caches(y) ? kBigPiece : kPiece;
    parallel_for(s.outer, std::max<int64_t>(1, piece / s.n), [&](int64_t begin, int64_t end) { row(begin, end - begin); });
    return;
  }
  const int64_t strips = (s.inner + kStrip - 1) / kStrip;
  parallel_for(s.outer * strips, std::max<int64_t>(1, kPiece / (s.n * std::min(kStrip, s.inner))), [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; t++) {
      const int64_t c = t % strips * kStrip;
      cols(t / strips * s.n * s.inner + c, s.inner, std::min(kStrip, s.inner - c));
    }
  });
}
Tensor forward(const Tensor& input, int64_t dim, bool log) {
  if (input.is_cuda()) return cuda_softmax(input, dim, log);
  const Tensor x = row_major(input, input.dtype());
  Tensor y = empty(x.sizes(), x.dtype(), x.device());
  const SoftmaxKernels& k = softmax_kernels(x.dtype());
  const Split s(x, dim);
  cut(s, y, [&](int64_t begin, int64_t count) {
        each_row(y, begin, count, s.n, [&](int64_t r, int64_t m, char* to, bool past) { k.softmax(row_of(x, r, s.n), to, m, s.n, log, past); });
      },
      [&](int64_t at, int64_t stride, int64_t count) { k.softmax_cols(row_of(x, at, 1), row_of(y, at, 1), s.n, stride, count, log); });
  return y;
}
Tensor fused_backward(const Tensor& grad, const Tensor& output, int64_t dim, bool log) {
  if (output.is_cuda()) return cuda_softmax_backward(grad, output, dim, log);
  const Dtype d = output.dtype();
  const Tensor g = row_major(grad, d), y = row_major(output, d);
  Tensor dx = empty(y.sizes(), d, y.device());
  const SoftmaxKernels& k = softmax_kernels(d);
  const Split s(y, dim);
  cut(s, dx, [&](int64_t begin, int64_t count) {
        each_row(dx, begin, count, s.n, [&](int64_t r, int64_t m, char* to, bool past) {
          k.softmax_backward(row_of(g, r, s.n), row_of(y, r, s.n), to, m, s.n, log, past);
        });
      },
      [&](int64_t at, int64_t stride, int64_t count) {
        k.softmax_backward_cols(row_of(g, at, 1), row_of(y, at, 1), row_of(dx, at, 1), s.n, stride, count, log);
      });
  return dx;
}

struct SoftmaxBackward final : NodeOf<1> {
  SavedTensor y;
  int64_t dim;
  bool log;
  SoftmaxBackward(const Tensor& x, int64_t d, bool l) : NodeOf(x), dim(d), log(l) {}
  const char* name() const override { return log ? "LogSoftmaxBackward0" : "SoftmaxBackward0"; }
  void free_saved() override { y.reset(); }
  void backward(Tensor g, Tensor* dx) override {
    if (!needs(0)) return;
    const Tensor out = y.unpack(*this);
    if (!grad_enabled()) dx[0] = fused_backward(g, out, dim, log);
    else if (log) dx[0] = g - exp(out) * sum(g, dim, true);
    else dx[0] = (g - sum(g * out, dim, true)) * out;
  }
};
Tensor run(const Tensor& x, int64_t dim, std::optional<Dtype> dtype, bool log) {
  if (dtype && *dtype != x.dtype()) return run(to(x, *dtype), dim, {}, log);
  TG_CHECK(is_floating(x.dtype()), DtypeError, "input must be of a floating dtype, got ", x.dtype(), Named{"input", x});
  const int64_t d = wrap_dim(dim, x.dim(), x);
  Tensor y = forward(x, d, log);
  if (recording(x)) record<SoftmaxBackward>(y, x, d, log)->y = SavedTensor(y, SavedTensor::output);
  return y;
}

}  // namespace

Tensor softmax(const Tensor& x, int64_t dim, std::optional<Dtype> dtype) {
  OpScope op("softmax");
  return run(x, dim, dtype, false);
}
Tensor log_softmax(const Tensor& x, int64_t dim, std::optional<Dtype> dtype) {
  OpScope op("log_softmax");
  return run(x, dim, dtype, true);
}

void softmax_ops(OpTable& t) {
  t.add("softmax(Tensor input, int dim, dtype? dtype=None)", &softmax, "exp(x) / sum exp(x) along dim, without overflow.")
      .method().functional().with_out().samples({"T(2, 3), 1", "T(2, 3, 4), -2", "T(70, 3), 0", "T(), 0", "T(3, 200), dim=-1"});
  t.add("log_softmax(Tensor input, int dim, dtype? dtype=None)", &log_softmax, "x - log sum exp(x) along dim, without overflow.")
      .method().functional().with_out().samples({"T(2, 3), 1", "T(2, 3, 4), -2", "T(70, 3), 0", "T(), 0", "T(3, 200), dim=-1"});
}

}  // namespace tapegrad
