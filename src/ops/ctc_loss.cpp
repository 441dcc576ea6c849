// Connectionist temporal classification (Graves et al. 2006): the forward and backward variables of the targets with blanks in
// between, in logarithms and double precision.
#include <algorithm>
#include <cmath>
#include <vector>

#include "src/ops/loss.h"
#include "src/ops/op_info.h"
#include "src/ops/rows.h"
#include "src/tensor/parallel.h"
#include "tapegrad/ops_more.h"

namespace tapegrad {
namespace {

// log(exp(a) + exp(b) + exp(c)); what is less than half an ulp of the largest is not worth an exp.
double log_add(double a, double b, double c = -INFINITY) {
  constexpr double kLeast = -37.5;
  const double most = std::max(a, std::max(b, c));
  if (most == -INFINITY) return most;
  double sum = 0;
  for (double x : {a, b, c}) sum += x == most ? 1 : x - most < kLeast ? 0 : std::exp(x - most);
  return sum == 1 ? most : most + std::log(sum);
}

/// One batch: log-probabilities (T, N, C) row-major and, for each n, how much of it counts and its labels.
struct Problem {
  Tensor log_probs;
  std::vector<int64_t> lengths;              // of the inputs
  std::vector<std::vector<int64_t>> labels;  // blank, target, blank, …, blank
  int64_t batch() const { return log_probs->sizes[1]; }
  int64_t classes() const { return log_probs->sizes[2]; }
  double log_prob(int64_t t, int64_t n, int64_t c) const { return element(log_probs, (t * batch() + n) * classes() + c); }
};
/// The log-probability of all ways to spell the first (back: the last) labels up to s in the steps up to (back: from) t, both
/// included, for every s, at each step in turn: step(t, values).
template <class F> void sweep(const Problem& p, int64_t n, bool back, F step) {
  const std::vector<int64_t>& labels = p.labels[size_t(n)];
  const int64_t m = int64_t(labels.size()), length = p.lengths[size_t(n)];
  const auto label = [&](int64_t s) { return labels[size_t(back ? m - 1 - s : s)]; };
  std::vector<double> now(static_cast<size_t>(m), -INFINITY), before(now);
  for (int64_t i = 0; i < length; i++) {
    const int64_t t = back ? length - 1 - i : i;
    for (int64_t s = 0; s < m; s++) {
      double sum = i ? before[size_t(s)] : s < 2 ? 0 : -INFINITY;
      const bool skips = i && s > 1 && s % 2 && label(s) != label(s - 2);  // over the blank between
      if (i && s > 0) sum = log_add(sum, before[size_t(s) - 1], skips ? before[size_t(s) - 2] : -INFINITY);
      now[size_t(s)] = sum + p.log_prob(t, n, label(s));
    }
    step(t, now);
    std::swap(now, before);
  }
}

struct OnlyOnceBackward final : NodeOf<1> {
  explicit OnlyOnceBackward(const Tensor& x) : NodeOf(x) {}
  const char* name() const override { return "CtcLossBackwardBackward0"; }
  void backward(Tensor, Tensor*) override { detail::fail<NotImplementedError>("ctc_loss has no second derivative"); }
};
struct CtcLossBackward final : NodeOf<1> {
  SavedTensor x, alpha;   // alpha: N, T, S, the forward variables
  Problem problem;        // without its tensor, which `x` keeps
  Tensor loss;            // N
  bool zero_infinity;
  CtcLossBackward(const Tensor& in, const Problem& p, const Tensor& l, const Tensor& f, bool zero) : NodeOf(in), x(in), alpha(f), problem(p),
      loss(l), zero_infinity(zero) {
    problem.log_probs = {};
  }
  const char* name() const override { return "CtcLossBackward0"; }
  void free_saved() override { x.reset(), alpha.reset(); }
  // p - (probability of being at class c at time t, given the targets): the gradient for logits under a log_softmax, which is
  // what PyTorch returns; log_softmax's own gradient leaves it as it is.
  void backward(Tensor g, Tensor* dx) override {
    const Tensor in = x.unpack(*this), forward = alpha.unpack(*this);
    Problem p = problem;
    p.log_probs = row_major(in, row_dtype(in.dtype()));
    const Tensor grad = row_major(g, Dtype::Float64);
    Tensor out = zeros(in.sizes(), Dtype::Float64, in.device());
    const int64_t batch = p.batch(), classes = p.classes(), steps = forward->sizes[1], width = forward->sizes[2];
    double* o = out->host<double>();
    {
      LongKernel unlocked(forward.numel() * 16);
      parallel_for(batch, 1, [&](int64_t begin, int64_t end) {
        std::vector<double> occupied(static_cast<size_t>(classes));
        for (int64_t n = begin; n < end; n++) {
          const double total = loss->host<double>()[n], scale = grad->host<double>()[n];
          if (zero_infinity && std::isinf(total)) continue;
          const std::vector<int64_t>& labels = p.labels[size_t(n)];
          const size_t m = labels.size();
          sweep(p, n, true, [&](int64_t t, const std::vector<double>& back) {
            const double* front = forward->host<double>() + (n * steps + t) * width;
            std::fill(occupied.begin(), occupied.end(), -INFINITY);
            for (size_t s = 0; s < m; s++) {
              double& sum = occupied[size_t(labels[s])];
              sum = log_add(sum, front[s] + back[m - 1 - s]);
            }
            for (int64_t c = 0; c < classes; c++) {
              const double lp = p.log_prob(t, n, c);
              o[(t * batch + n) * classes + c] = scale * (std::exp(lp) - std::exp(occupied[size_t(c)] + total - lp));
            }
          });
        }
      });
    }
    dx[0] = cast_back(out, in.dtype());
    if (recording(in, g)) record<OnlyOnceBackward>(dx[0], recording(in) ? in : g);
  }
};

std::vector<int64_t> lengths_of(const Tensor& t, int64_t batch, const char* what) {
  TG_CHECK(is_integral(t.dtype()), DtypeError, what, " must be integers, got ", t.dtype());
  TG_CHECK(t.numel() == batch && t.dim() <= 1, ShapeError, what, " must have one number for each of the ", batch, " sequences, got ",
      t.sizes());
  const Tensor l = row_major(t, Dtype::Int64);
  return {l->host<int64_t>(), l->host<int64_t>() + batch};
}

}  // namespace

Tensor ctc_loss(const Tensor& input, const Tensor& targets, const Tensor& input_lengths, const Tensor& target_lengths, int64_t blank,
    std::string_view reduction, bool zero_infinity) {
  OpScope op("ctc_loss");
  const Reduction how = reduction_of(reduction);
  TG_CHECK(input.dim() == 2 || input.dim() == 3, ShapeError, "log_probs must be (T, N, C) or (T, C), got ", input.sizes(),
      Named{"log_probs", input});
  TG_CHECK(is_floating(input.dtype()), DtypeError, "log_probs must be of a floating dtype, got ", input.dtype(), Named{"log_probs", input});
  if (input.dim() == 2) {
    const Tensor each = ctc_loss(unsqueeze(input, 1), targets.dim() == 1 ? unsqueeze(targets, 0) : targets, reshape(input_lengths, {-1}),
        reshape(target_lengths, {-1}), blank, reduction, zero_infinity);
    return how == Reduction::None ? squeeze(each, 0) : each;
  }
  TG_CHECK(is_integral(targets.dtype()) && (targets.dim() == 1 || targets.dim() == 2), ShapeError,
      "targets must be integers, (N, S) or all in a row", Named{"targets", targets});
  TG_CHECK(targets.dim() == 1 || targets->sizes[0] == input->sizes[1], ShapeError, "targets must have a row for each of the ",
      input->sizes[1], " sequences", Named{"log_probs", input}, Named{"targets", targets});
  const int64_t steps = input->sizes[0], batch = input->sizes[1], classes = input->sizes[2];
  TG_CHECK(batch > 0, ShapeError, "the batch must not be empty", Named{"log_probs", input});
  TG_CHECK(blank >= 0 && blank < classes, ValueError, "blank must be a class from 0 to ", classes - 1, ", got ", blank);
  Problem p{row_major(input, row_dtype(input.dtype())), lengths_of(input_lengths, batch, "input_lengths"), {}};
  const std::vector<int64_t> counts = lengths_of(target_lengths, batch, "target_lengths");
  const Tensor flat = row_major(targets, Dtype::Int64);
  int64_t at = 0, width = 1;
  for (int64_t n = 0; n < batch; n++) {
    const int64_t length = p.lengths[size_t(n)], count = counts[size_t(n)];
    TG_CHECK(length >= 0 && length <= steps, ValueError, "input_lengths must be from 0 to ", steps, ", got ", length);
    if (targets.dim() == 2) at = n * targets->sizes[1];
    TG_CHECK(count >= 0 && at + count <= (targets.dim() == 2 ? (n + 1) * targets->sizes[1] : flat.numel()), ValueError,
        "target_lengths must not exceed the targets, got ", count, Named{"targets", targets});
    std::vector<int64_t> labels(static_cast<size_t>(2 * count + 1), blank);
    for (int64_t s = 0; s < count; s++) {
      const int64_t c = flat->host<int64_t>()[at++];
      TG_CHECK(c >= 0 && c < classes, ValueError, "targets must be classes from 0 to ", classes - 1, ", got ", c);
      labels[size_t(2 * s + 1)] = c;
    }
    width = std::max(width, 2 * count + 1);
    p.labels.push_back(std::move(labels));
  }
  TG_CHECK(targets.dim() == 2 || at == flat.numel(), ShapeError, "target_lengths must add up to the ", flat.numel(), " targets, got ",
      at, Named{"targets", targets});
  const bool recorded = recording(input);
  const Tensor forward = empty({batch, recorded ? steps : 0, width}, Dtype::Float64), loss = empty({batch}, Dtype::Float64);
  {
    LongKernel unlocked(batch * steps * width * 8);
    parallel_for(batch, 1, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; n++) {
        const size_t m = p.labels[size_t(n)].size();
        double total = p.lengths[size_t(n)] == 0 && m == 1 ? 0 : -INFINITY;
        sweep(p, n, false, [&](int64_t t, const std::vector<double>& now) {
          if (recorded) std::copy(now.begin(), now.end(), forward->host<double>() + (n * steps + t) * width);
          if (t == p.lengths[size_t(n)] - 1) total = m > 1 ? log_add(now[m - 1], now[m - 2]) : now[0];
        });
        loss->host<double>()[n] = -total;
      }
    });
  }
  Tensor each = to(loss, input.dtype());
  if (zero_infinity) each = where(isinf(each), Tensor(0.0), each);
  if (each.is_same(loss)) each = clone(loss);
  if (recorded) record<CtcLossBackward>(each, input, p, loss, forward, zero_infinity);
  return how == Reduction::Mean ? mean(each / to(clamp_min(target_lengths, Scalar(1)), each.dtype())) : reduce_loss(each, how);
}

void ctc_loss_ops(OpTable& t) {
  t.add("ctc_loss(Tensor log_probs, Tensor targets, Tensor input_lengths, Tensor target_lengths, int blank=0, str reduction='mean', bool "
      "zero_infinity=False)", &ctc_loss,
        "Connectionist temporal classification (Graves et al. 2006): -log of the probability that a path through log_probs (T, N, C), or "
            "(T, C), spells the targets, (N, S) or all in a row, when repeats "
        "and then blanks are dropped. 'mean' divides each by its target length first; zero_infinity makes impossible targets count 0. The "
            "gradient is that for logits under log_softmax.")
      .functional_only().samples({"T(6, 2, 4, lo=-2, hi=-0.5, grad=False), C([1, 2, 2], [3, 1, 0]), C(6, 5), C(3, 2)",
          "T(6, 2, 4, lo=-2, hi=-0.5, grad=False), C(1, 2, 2, 3, 1), C(6, 6), C(3, 2), reduction='none'",
        "T(5, 4, lo=-2, hi=-0.5, grad=False), C(1, 2), C(5), C(2), blank=3, reduction='sum'",
            "T(3, 2, 4, lo=-2, hi=-0.5, grad=False), C([1, 1, 1], [3, 1, 0]), C(3, 3), C(3, 2), zero_infinity=True",
        "T(3, 1, 4, lo=-2, hi=-0.5, grad=False), I(0), C(3), C(0)"});
}

}  // namespace tapegrad
