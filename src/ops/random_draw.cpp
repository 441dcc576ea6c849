// Draws from given distributions: bernoulli, poisson, multinomial.
#include <algorithm>
#include <cmath>

#include "src/ops/cuda/calls.h"
#include "src/ops/draws.h"
#include "src/ops/op_info.h"
#include "src/ops/plain.h"
#include "src/ops/random.h"

namespace tapegrad {

static void check_floating(const Tensor& x) {
  TG_CHECK(is_floating(x.dtype()), DtypeError, "input must be of a floating dtype, got ", x.dtype(), Named{"input", x});
}

// ---- bernoulli: word / 2^24 < p
Tensor bernoulli(const Tensor& p, const Generator* generator) {
  OpScope op("bernoulli");
  check_floating(p);
  const Tensor prob = contiguous(to(detach(p), Dtype::Float32));
  Tensor out = empty(p.sizes(), p.dtype(), p.device());
  if (p.is_cuda()) {
    cuda_bernoulli(out, prob, generator);
    if (recording(p)) record<DrawBackward<1>>(out, "BernoulliBackward0", p);
    return out;
  }
  const float* q = prob->host<const float>();
  const int64_t n = out.numel(), size = int64_t(item_size(out.dtype()));
  bool good = true;
  for (int64_t i = 0; i < n; i++) good &= q[i] >= 0 && q[i] <= 1;
  TG_CHECK(good, ValueError, "probabilities must be between 0 and 1", Named{"input", p});
  const StoreFn store = store_for(Compute::Bool, out.dtype());
  const RandomTable& k = random_kernels();
  char* y = out->host();
  each_random_block(RandomStream(generator, (n + 3) / 4), (n + 3) / 4, 0, [=, &k](const uint32_t* w, int64_t block, int64_t count, Streamed&) {
    float u[4 * kRandomBlocks];
    uint8_t v[4 * kRandomBlocks];
    const int64_t at = 4 * block, m = std::min(4 * count, n - at);
    k.uniform(w, m, u);
    for (int64_t i = 0; i < m; i++) v[i] = u[i] < q[at + i];
    store(reinterpret_cast<const char*>(v), y + at * size, size, m);
  });
  if (recording(p)) record<DrawBackward<1>>(out, "BernoulliBackward0", p);
  return out;
}

// ---- poisson

Tensor poisson(const Tensor& rates, const Generator* generator) {
  OpScope op("poisson");
  check_floating(rates);
  const Tensor r = contiguous(to(detach(rates), Dtype::Float64)), out = empty(rates.sizes(), Dtype::Float64, rates.device());
  const int64_t n = r.numel();
  if (rates.is_cuda()) {
    NoGrad off;
    TG_CHECK(all(logical_and(r >= 0, r < INFINITY)).item<bool>(), ValueError, "rates must be finite and not negative", Named{"input", rates});
    cuda_counts(out, r, {}, generator);
  } else {
    const double* x = r->host<const double>();
    double* y = out->host<double>();
    for (int64_t i = 0; i < n; i++) TG_CHECK(x[i] >= 0 && x[i] < INFINITY, ValueError, "rates must be finite and not negative, got ", x[i], Named{"input", rates});
    const RandomStream s(generator, n);
    LongKernel unlocked(n * 8);
    parallel_for(n, 256, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) y[i] = poisson_draw(x[i], s.seed, s.first + uint64_t(i));
    });
  }
  const Tensor drawn = to(out, rates.dtype());
  if (recording(rates)) record<DrawBackward<1>>(drawn, "PoissonBackward0", rates);
  return drawn;
}

// ---- multinomial. With replacement: a search in the running sums. Without: the smallest -log(1 - u) / weight (Efraimidis and
// Spirakis, 2006).
// On CUDA, by other ops; the same numbers.
static Tensor cuda_multinomial(const Tensor& weights, int64_t samples, bool replacement, const Generator* generator) {
  const int64_t n = weights.size(-1), numbers = ((replacement ? samples : n) + 1) / 2 * 2;
  const Tensor w = reshape(to(weights, Dtype::Float64), {-1, n}), positive = w > 0;
  const int64_t rows = w.size(0);
  TG_CHECK(all(logical_and(w >= 0, w < INFINITY)).item<bool>(), ValueError, "weights must be finite and not negative", Named{"input", weights});
  const int64_t fewest = rows ? amin(sum(positive, {1})).item<int64_t>() : n;
  TG_CHECK(fewest, ValueError, "the weights of a row must not all be zero", Named{"input", weights});
  TG_CHECK(replacement || fewest >= samples, ValueError, "num_samples must not exceed the categories of positive weight without replacement, got ", samples, " of ", fewest);
  const Tensor u = narrow(rand({rows, numbers}, Dtype::Float64, w.device(), false, generator), 1, 0, replacement ? samples : n);
  Shape size(weights.sizes());
  size.back() = samples;
  if (!replacement) {
    const Tensor order = sort(where(positive, -log1p(-u) / w, Tensor(double(INFINITY))), 1, false, true).indices;
    return clone(reshape(narrow(order, 1, 0, samples), size));
  }
  const Tensor total = cumsum(w, 1), at = searchsorted(total, u * narrow(total, 1, n - 1, 1), true);
  // Rounding may point past the last positive weight, or to a zero between two.
  const Tensor place = arange(Scalar(n), Dtype::Int64, w.device()), last = cummax(where(positive, place, Tensor(0)), 1).values;
  return reshape(gather(last, 1, clamp_max(at, Scalar(n - 1))), size);
}
Tensor multinomial(const Tensor& weights, int64_t num_samples, OnlyBool replacement, const Generator* generator) {
  OpScope op("multinomial");
  TG_CHECK(weights.dim() == 1 || weights.dim() == 2, ShapeError, "input must have 1 or 2 dimensions, got ", weights.dim(), Named{"input", weights});
  check_floating(weights);
  TG_CHECK(num_samples > 0, ValueError, "num_samples must be positive, got ", num_samples);
  NoGrad off;
  const int64_t n = weights->sizes[weights.dim() - 1], rows = n ? weights.numel() / n : 0;
  TG_CHECK(n > 0, ShapeError, "input must have categories to draw from", Named{"input", weights});
  TG_CHECK(replacement || num_samples <= n, ValueError, "num_samples must not exceed the number of categories without replacement, got ", num_samples, " of ", n);
  if (weights.is_cuda()) return cuda_multinomial(weights, num_samples, replacement, generator);
  const Tensor w = contiguous(to(weights, Dtype::Float64));
  Shape size(weights.sizes());
  size.back() = num_samples;
  Tensor out = empty(size, Dtype::Int64);
  int64_t* y = out->host<int64_t>();
  std::vector<double> total(static_cast<size_t>(n));
  std::vector<std::pair<double, int64_t>> keys(replacement ? 0 : static_cast<size_t>(n));
  const int64_t blocks = ((replacement ? num_samples : n) + 1) / 2;
  for (int64_t r = 0; r < rows; r++) {  // all of it before the generator moves
    const double* p = w->host<const double>() + r * n;
    int64_t positive = 0;
    for (int64_t i = 0; i < n; i++) {
      TG_CHECK(p[i] >= 0 && p[i] < INFINITY, ValueError, "weights must be finite and not negative, got ", p[i], Named{"input", weights});
      positive += p[i] > 0;
    }
    TG_CHECK(positive, ValueError, "the weights of a row must not all be zero", Named{"input", weights});
    TG_CHECK(replacement || positive >= num_samples, ValueError, "num_samples must not exceed the categories of positive weight without replacement, got ", num_samples, " of ", positive);
  }
  const RandomStream s(generator, rows * blocks);
  std::vector<uint32_t> words(static_cast<size_t>(4 * blocks));
  for (int64_t r = 0; r < rows; r++, y += num_samples) {
    const double* p = w->host<const double>() + r * n;
    double sum = 0;
    for (int64_t i = 0; i < n; i++) total[size_t(i)] = sum += p[i];
    random_kernels().words(s.seed, s.first + uint64_t(r * blocks), blocks, words.data());
    if (replacement) {
      for (int64_t k = 0; k < num_samples; k++) {
        const auto at = std::upper_bound(total.begin(), total.end(), unit53(&words[size_t(2 * k)]) * sum);
        y[k] = std::min<int64_t>(at - total.begin(), n - 1);
        while (p[y[k]] == 0) y[k]--;  // rounding may point past the last positive weight
      }
    } else {
      for (int64_t i = 0; i < n; i++) keys[size_t(i)] = {p[i] > 0 ? -std::log1p(-unit53(&words[size_t(2 * i)])) / p[i] : INFINITY, i};
      std::partial_sort(keys.begin(), keys.begin() + num_samples, keys.end());
      for (int64_t k = 0; k < num_samples; k++) y[k] = keys[size_t(k)].second;
    }
  }
  return out;
}

// ---- rows

static Tensor bernoulli_with(const Tensor& x, double p, const Generator* generator) {
  Tensor out = empty(x.sizes(), x.dtype(), x.device());
  bernoulli_(out, p, generator);
  if (recording(x)) record<DrawBackward<1>>(out, "BernoulliBackward0", x);
  return out;
}
void random_draw_ops(OpTable& t) {
  t.add("bernoulli(Tensor input, *, Generator? generator=None)", &bernoulli, "Ones with probability input, else zeros, in input's dtype.").method().no_grad().with_out().samples({"T(2, 3, lo=0.1, hi=0.9)"});
  t.add("bernoulli(Tensor input, float p, *, Generator? generator=None)", &bernoulli_with,
        "Ones with probability p, else zeros, in the size and dtype of input.").method().no_grad().with_out().samples({"T(2, 3), 0.25"});
  t.add("multinomial(Tensor input, int num_samples, bool replacement=False, *, Generator? generator=None)", &multinomial,
        "Indices drawn from each row of weights, which need not sum to 1. Weights must be finite and not negative.").method().no_grad().with_out().samples({"P(2, 3), 2", "P(4), 6, True"});
  t.add("poisson(Tensor input, Generator? generator=None)", &poisson, "Poisson counts of the given rates.").no_grad().samples({"P(2, 3)"});
}

}  // namespace tapegrad
