// Draws from less common laws, by inversion of uniform numbers in double; the binomial by rejection.
#include <algorithm>
#include <cmath>

#include "src/ops/cuda/calls.h"
#include "src/ops/cuda/launch.h"
#include "src/ops/draws.h"
#include "src/ops/op_info.h"
#include "src/ops/random.h"
#include "tapegrad/ops_more.h"

namespace tapegrad {
namespace {

// self becomes f(u), u uniform in [0, 1), computed in double.
template <class F> const Tensor& inverted(const Tensor& self, const Generator* g, F f) {
  Tensor values;
  {
    NoGrad off;
    values = f(rand(self.sizes(), Dtype::Float64, self.device(), false, g));
  }
  return copy_(self, values);
}
void check_floating(const Tensor& t, const char* what) {
  TG_CHECK(is_floating(t.dtype()), DtypeError, what, " must be of a floating dtype, got ", t.dtype(), Named{what, t});
}

}  // namespace

const Tensor& cauchy_(const Tensor& self, double median, double sigma, const Generator* generator) {
  OpScope op("cauchy_");
  check_floating(self, "input");
  TG_CHECK(sigma > 0, ValueError, "sigma must be positive, got ", sigma);
  return inverted(self, generator, [&](const Tensor& u) { return tan((u - 0.5) * M_PI) * sigma + median; });
}
const Tensor& log_normal_(const Tensor& self, double mean, double std, const Generator* generator) {
  OpScope op("log_normal_");
  check_floating(self, "input");
  TG_CHECK(std > 0, ValueError, "std must be positive, got ", std);
  Tensor values;
  {
    NoGrad off;
    values = exp(normal(mean, std, self.sizes(), Dtype::Float64, self.device(), generator));
  }
  return copy_(self, values);
}
const Tensor& geometric_(const Tensor& self, double p, const Generator* generator) {
  OpScope op("geometric_");
  TG_CHECK(p > 0 && p < 1, ValueError, "p must be between 0 and 1, got ", p);
  return inverted(self, generator, [&](const Tensor& u) { return clamp_min(ceil(log1p(-u) / std::log1p(-p)), Scalar(1)); });
}
Tensor binomial(const Tensor& count, const Tensor& prob, const Generator* generator) {
  OpScope op("binomial");
  check_floating(count, "count");
  TG_CHECK(count.dtype() == prob.dtype(), DtypeError, "count and prob must be of one dtype", Named{"count", count}, Named{"prob", prob});
  const std::vector<Tensor> both = broadcast_tensors({to(detach(count), Dtype::Float64), to(detach(prob), Dtype::Float64)});
  const Tensor n = contiguous(both[0]), p = contiguous(both[1]), out = empty(n.sizes(), Dtype::Float64, n.device());
  if (n.is_cuda()) {
    check_same_device("count", count, "prob", prob);
    NoGrad off;
    TG_CHECK(all(logical_and(logical_and(n >= 0, n < INFINITY), floor(n) == n)).item<bool>(), ValueError,
        "count must hold whole numbers, not negative", Named{"count", count});
    TG_CHECK(all(logical_and(p >= 0, p <= 1)).item<bool>(), ValueError, "prob must be between 0 and 1", Named{"prob", prob});
    cuda_counts(out, n, p, generator);
  } else {
    const double *trials = n->host<double>(), *chance = p->host<double>();
    for (int64_t i = 0; i < n.numel(); i++) {
      TG_CHECK(trials[i] >= 0 && trials[i] < INFINITY && std::floor(trials[i]) == trials[i], ValueError,
          "count must hold whole numbers, not negative, got ", trials[i], Named{"count", count});
      TG_CHECK(chance[i] >= 0 && chance[i] <= 1, ValueError, "prob must be between 0 and 1, got ", chance[i], Named{"prob", prob});
    }
    const RandomStream s(generator, n.numel());
    parallel_for(n.numel(), 256, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) out->host<double>()[i] = binomial_draw(trials[i], chance[i], s.seed, s.first + uint64_t(i));
    });
  }
  const Tensor drawn = to(out, count.dtype());
  if (recording(count, prob)) {
    const std::vector<Tensor> seen = broadcast_tensors({count, prob});
    record<DrawBackward<2>>(drawn, "BinomialBackward0", seen[0], seen[1]);
  }
  return drawn;
}

void random_more_ops(OpTable& t) {
  t.add("cauchy_(Tensor input, float median=0, float sigma=1, *, Generator? generator=None)", &cauchy_,
      "Fills with numbers of the Cauchy distribution.").method_only().no_grad().samples({"T(2, 3)", "T(2, 3), 1.0, 0.5"});
  t.add("log_normal_(Tensor input, float mean=1, float std=2, *, Generator? generator=None)", &log_normal_,
      "Fills with exp of normal numbers of that mean and standard deviation.")
      .method_only().no_grad().samples({"T(2, 3)", "T(2, 3), 0.0, 0.5"});
  t.add("geometric_(Tensor input, float p, *, Generator? generator=None)", &geometric_,
      "Fills with how many trials of probability p it takes until one succeeds.").method_only().no_grad()
      .samples({"T(2, 3), 0.25", "I(3), 0.5"});
  t.add("binomial(Tensor count, Tensor prob, Generator? generator=None)", &binomial,
      "How many of count trials of probability prob succeed; both broadcast.").no_grad()
      .samples({"C(5.0, 100.0), P(2, 1, lo=0.1, hi=0.9)"});
}

}  // namespace tapegrad
