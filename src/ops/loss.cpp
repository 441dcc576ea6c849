// Losses over classes: cross_entropy and nll_loss. With class indices both are one fused kernel each way over rows of classes;
// the backward makes the gradient in one pass from the logits and each row's maximum and sum of exponentials.
#include "src/ops/loss.h"

#include <algorithm>
#include <cmath>

#include "src/ops/cuda/calls.h"
#include "src/ops/cuda/launch.h"
#include "src/ops/op_info.h"
#include "src/ops/plain.h"
#include "src/ops/rows.h"
#include "src/ops/scratch.h"
#include "src/tensor/parallel.h"

namespace tapegrad {

namespace {

struct ClassLoss {
  int64_t ignore_index;
  double smoothing;
  Reduction reduction;
  bool logits;            // cross_entropy; else log-probabilities
  CudaLossCall on_device() const { return {ignore_index, smoothing, logits, reduction == Reduction::Mean, reduction == Reduction::None}; }
};

// Row r, with class t and w its weight (0 when ignored):
//   w (1 - s) (lse - x[t]) + [not ignored] s / C sum_c w_c (lse - x[c]),  lse = 0 for log-probabilities, else m + log S
// x is (N, C), target (N), both row-major; weight (C) float64 or undefined; sums (N, 2) holds m and S of each row.
struct ClassLossBackward final : NodeOf<1> {
  SavedTensor x, target, weight, sums;
  ClassLoss loss;
  double divide = 1;      // mean: by what
  Tensor divide_there;    // the same on a CUDA device
  ClassLossBackward(const Tensor& in, const Tensor& t, const Tensor& w, const Tensor& l, ClassLoss c)
      : NodeOf(in), x(in), target(t), weight(w), sums(l), loss(c) {}
  const char* name() const override { return "NllLossBackward0"; }
  void free_saved() override { x.reset(), target.reset(), weight.reset(), sums.reset(); }

  Tensor fused(const Tensor& grad, const Tensor& input, const Tensor& t, const Tensor& w, const Tensor& sum_exp) const {
    const Dtype d = input.dtype(), compute = row_dtype(d);
    const Tensor in = row_major(input, d), g = row_major(grad, compute);
    const int64_t rows = in->sizes[0], n = in->sizes[1], row_size = n * int64_t(item_size(compute));
    Tensor dx = empty(in.sizes(), d, in.device());
    const SoftmaxKernels& k = softmax_kernels(d);
    const StoreFn narrow = compute == d ? nullptr : store_for(Compute::F32, d);
    const int64_t* classes = t->host<const int64_t>();
    const double* weights = w.defined() ? w->host<const double>() : nullptr;
    const double* s = loss.logits ? sum_exp->host<const double>() : nullptr;
    double total = 0;
    for (int64_t c = 0; c < n; c++) total += weights ? weights[c] : 1;
    const bool each = loss.reduction == Reduction::None;
    LongKernel unlocked(rows * n);
    auto row = [&](int64_t r, char* y) {  // computed in double or float
      const int64_t c = classes[r];
      if (c == loss.ignore_index) return void(std::fill(y, y + row_size, 0));
      const double scale = element(g, each ? r : 0) / divide, hard = scale * (1 - loss.smoothing) * (weights ? weights[c] : 1);
      const double soft = scale * loss.smoothing / double(n);
      if (loss.logits) k.exp_affine(row_of(in, r, n), n, s[2 * r], (hard + soft * total) / s[2 * r + 1], weights ? 0 : -soft, y);
      else std::fill(y, y + row_size, 0);
      auto add = [&](int64_t i, double v) {
        if (compute == Dtype::Float64) reinterpret_cast<double*>(y)[i] += v; else reinterpret_cast<float*>(y)[i] += float(v);
      };
      if (weights && soft != 0) for (int64_t i = 0; i < n; i++) add(i, -soft * weights[i]);
      add(c, -hard);
    };
    std::atomic<bool> failed = false;
    parallel_for(rows, std::max<int64_t>(1, (1 << 13) / std::max<int64_t>(1, n)), [&](int64_t begin, int64_t end) {
      Streamed out(is_past_caches(dx));
      const Scratch scratch(narrow ? size_t(row_size) : 0, failed);
      if (!scratch) return;
      for (int64_t r = begin; r < end; r++) {
        if (narrow) row(r, scratch.get<char>());
        out.put(row_of(dx, r, n), row_bytes(dx, n), [&](char* y) {
          if (narrow) narrow(scratch.get<char>(), y, 2, n); else row(r, y);
        });
      }
    });
    check_memory(failed);
    return dx;
  }
  // g [coefficient softmax(x) - picked], with the two constants made as tensors.
  Tensor formula(const Tensor& grad, const Tensor& in, const Tensor& classes, const Tensor& w) const {
    const int64_t rows = in.size(0), n = in.size(1);
    const Tensor t = reshape(classes, {rows});
    const Tensor over = divide_there.defined() ? to(divide_there, Dtype::Float64) : full({}, divide, Dtype::Float64, Device());
    const Tensor ignored = eq(t, Tensor(Scalar(loss.ignore_index))), at = masked_fill(t, ignored, Scalar(0));
    const Tensor counts = masked_fill(expand(1.0 / over, {rows}), ignored, Scalar(0));
    const Tensor weights = w.defined() ? w : ones({n}, Dtype::Float64, in.device());
    const Tensor hard = reshape(counts * index_select(weights, 0, at), {rows, 1}) * (1 - loss.smoothing);
    const Tensor soft = reshape(counts, {rows, 1}) * (loss.smoothing / double(n));
    const Tensor picked = scatter_add(soft * weights, 1, reshape(at, {rows, 1}), hard), coefficient = hard + soft * sum(weights);
    const Tensor g = loss.reduction == Reduction::None ? reshape(grad, {rows, 1}) : grad;
    const Tensor minus = g * to(picked, in.dtype());
    return loss.logits ? softmax(in, 1) * (g * to(coefficient, in.dtype())) - minus : neg(minus);
  }
  void backward(Tensor g, Tensor* dx) override {
    if (!needs(0)) return;
    const Tensor in = x.unpack(*this), t = target.unpack(*this), w = weight.unpack(*this);
    const Tensor s = loss.logits ? sums.unpack(*this) : Tensor();
    if (grad_enabled()) dx[0] = formula(g, in, t, w);
    else if (in.is_cuda()) dx[0] = cuda_class_loss_backward(loss.on_device(), g, in, t, w, s, divide_there);
    else dx[0] = fused(g, in, t, w, s);
  }
};

Tensor class_loss(const Tensor& input, const Tensor& classes, const Tensor& w, ClassLoss loss) {
  if (input.is_cuda()) {
    Tensor stats, divide;
    const Tensor out = cuda_class_loss(loss.on_device(), input, classes, w, &stats, &divide);
    if (recording(input)) record<ClassLossBackward>(out, input, classes, w, stats, loss)->divide_there = divide;
    return out;
  }
  const Dtype d = row_dtype(input.dtype());
  const Tensor x = row_major(input, input.dtype());
  const int64_t rows = x->sizes[0], n = x->sizes[1];
  const int64_t* t = classes->host<const int64_t>();
  const double* weights = w.defined() ? w->host<const double>() : nullptr;
  double divide = 0;
  for (int64_t r = 0; r < rows; r++) {
    if (t[r] == loss.ignore_index) continue;
    TG_CHECK(t[r] >= 0 && t[r] < n, IndexError, "target must hold classes from 0 to ", n - 1, " or ignore_index, got ", t[r], Named{"input", input}, Named{"target", classes});
    divide += weights ? weights[t[r]] : 1;
  }
  Tensor sums;
  if (loss.logits) {
    sums = empty({rows, 2}, Dtype::Float64, x.device());
    double* s = sums->host<double>();
    LongKernel unlocked(rows * n * 4);
    parallel_for(rows, std::max<int64_t>(1, (1 << 13) / std::max<int64_t>(1, n)), [&](int64_t begin, int64_t end) {
      softmax_kernels(x.dtype()).sum_exp(row_of(x, begin, n), end - begin, n, s + 2 * begin);
    });
  }
  Tensor each = loss.reduction == Reduction::None ? empty({rows}, d, x.device()) : Tensor();
  double total = 0;
  for (int64_t r = 0; r < rows; r++) {
    double v = 0;
    if (t[r] != loss.ignore_index) {
      const double* s = sums.defined() ? sums->host<const double>() + 2 * r : nullptr;
      const double most = s ? s[0] : 0, rest = s ? std::log(s[1]) : 0;
      auto minus_log = [&](int64_t c) { return (most - element(x, r * n + c)) + rest; };
      v = (1 - loss.smoothing) * (weights ? weights[t[r]] : 1) * minus_log(t[r]);
      if (loss.smoothing != 0) {
        double soft = 0;
        for (int64_t c = 0; c < n; c++) soft += (weights ? weights[c] : 1) * minus_log(c);
        v += loss.smoothing / double(n) * soft;
      }
    }
    total += v;
    if (!each.defined()) continue;
    if (d == Dtype::Float64) each->host<double>()[r] = v; else each->host<float>()[r] = float(v);
  }
  Tensor out = each;
  if (!each.defined()) {
    out = empty({}, d, x.device());
    if (loss.reduction == Reduction::Mean) total /= divide; else divide = 1;
    if (d == Dtype::Float64) *out->host<double>() = total; else *out->host<float>() = float(total);
  } else {
    divide = 1;
  }
  out = cast_back(out, input.dtype());
  if (recording(input)) record<ClassLossBackward>(out, input, classes, w, sums, loss)->divide = divide;
  return out;
}

// Brings (C), (N, C) and (N, C, d1, …) to (N', C) rows, calls class_loss and gives "none" its shape back.
Tensor by_rows(const Tensor& input, const Tensor& target, const Tensor& weight, ClassLoss loss) {
  TG_CHECK(is_floating(input.dtype()), DtypeError, "input must be of a floating dtype, got ", input.dtype(), Named{"input", input});
  TG_CHECK(target.dtype() == Dtype::Int64 || target.dtype() == Dtype::UInt8, DtypeError, "target must hold int64 classes, got ", target.dtype(), Named{"target", target});
  TG_CHECK(input.dim() >= 1, ShapeError, "input must be (C), (N, C) or (N, C, d1, ...), got 0 dimensions", Named{"input", input});
  const int64_t channel = input.dim() == 1 ? 0 : 1, classes = input.size(channel);
  Shape want(input.sizes());
  want.erase(size_t(channel));
  TG_CHECK(target.sizes() == want, ShapeError, "target must have the input's shape without the class dimension, got ", target.sizes(), Named{"input", input}, Named{"target", target});
  TG_CHECK(!weight.defined() || (weight.dim() == 1 && weight.numel() == classes), ShapeError, "weight must have one element a class, got ", weight, Named{"input", input}, Named{"weight", weight});
  check_same_device("input", input, "target", target);
  if (weight.defined()) check_same_device("input", input, "weight", weight);
  Tensor x = input;
  if (input.dim() == 1) x = unsqueeze(input, 0);
  else if (input.dim() > 2) x = reshape(movedim(input, 1, -1), {target.numel(), classes});
  const Tensor t = row_major(target, Dtype::Int64), w = row_major(weight, Dtype::Float64);
  const Tensor out = class_loss(x, t, w, loss);
  return loss.reduction == Reduction::None ? reshape(out, want) : input.dim() == 1 && out.dim() ? squeeze(out) : out;
}

}  // namespace

Tensor cross_entropy(const Tensor& input, const Tensor& target, const Tensor& weight, int64_t ignore_index, std::string_view reduction, double label_smoothing) {
  OpScope op("cross_entropy");
  const Reduction how = reduction_of(reduction);
  TG_CHECK(label_smoothing >= 0 && label_smoothing <= 1, ValueError, "label_smoothing must be between 0 and 1, got ", label_smoothing);
  if (!is_floating(target.dtype())) return by_rows(input, target, weight, {ignore_index, label_smoothing, how, true});
  TG_CHECK(target.sizes() == input.sizes() && input.dim() >= 1, ShapeError, "target must have the input's shape when it holds probabilities, got ", target.sizes(), Named{"input", input}, Named{"target", target});
  const int64_t channel = input.dim() == 1 ? 0 : 1, classes = input.size(channel);
  TG_CHECK(!weight.defined() || (weight.dim() == 1 && weight.numel() == classes), ShapeError, "weight must have one element a class, got ", weight, Named{"input", input}, Named{"weight", weight});
  const Tensor p = label_smoothing > 0 ? target * Tensor(1 - label_smoothing) + Tensor(label_smoothing / double(classes)) : target;
  Tensor terms = log_softmax(input, channel) * p;
  if (weight.defined()) {
    Shape shape(size_t(input.dim()), 1);
    shape[size_t(channel)] = classes;
    terms = terms * reshape(weight, shape);
  }
  const Tensor each = neg(sum(terms, channel));
  return how == Reduction::Mean ? sum(each) / Tensor(double(each.numel())) : reduce_loss(each, how);
}
Tensor nll_loss(const Tensor& input, const Tensor& target, const Tensor& weight, int64_t ignore_index, std::string_view reduction) {
  OpScope op("nll_loss");
  return by_rows(input, target, weight, {ignore_index, 0, reduction_of(reduction), false});
}

void loss_ops(OpTable& t) {
  t.add("cross_entropy(Tensor input, Tensor target, Tensor? weight=None, int ignore_index=-100, str reduction='mean', float label_smoothing=0.0)", &cross_entropy,
        "-log softmax(input)[target] over classes: input (C), (N, C) or (N, C, d1, ...) logits; target int64 classes, or probabilities in input's shape.")
      .functional_only().samples({"T(3, 5), I(3, hi=5)", "T(5), I(hi=5)", "T(2, 5, 3), I(2, 3, hi=5)", "T(3, 5), I(3, hi=5), C([0.5, 1., 2., 1., 3.])", "T(3, 5), I(3, hi=5), ignore_index=2",
               "T(3, 5), I(3, hi=5), reduction='none'", "T(3, 5), I(3, hi=5), C([0.5, 1., 2., 1., 3.]), reduction='sum', label_smoothing=0.1", "T(3, 5), P(3, 5), label_smoothing=0.2"});
  t.add("nll_loss(Tensor input, Tensor target, Tensor? weight=None, int ignore_index=-100, str reduction='mean')", &nll_loss,
        "-input[target] over classes, for log-probabilities (C), (N, C) or (N, C, d1, ...).")
      .functional_only().samples({"T(3, 5), I(3, hi=5)", "T(5), I(hi=5)", "T(2, 5, 3), I(2, 3, hi=5)", "T(3, 5), I(3, hi=5), C([0.5, 1., 2., 1., 3.])", "T(3, 5), I(3, hi=5), reduction='none'"});
}

}  // namespace tapegrad
