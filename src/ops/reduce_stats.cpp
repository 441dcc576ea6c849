// Variance, norms and logsumexp: folds that need a second pass or a root, and gradients that must be safe at zero.
#include <algorithm>
#include <cmath>

#include "src/ops/op_info.h"
#include "src/ops/reduce.h"
#include "src/ops/rows.h"
#include "src/tensor/parallel.h"

namespace tapegrad {

// A tensor with the reduced dims as size 1, so that it broadcasts against the input.
static Tensor kept(const Tensor& t, IntList sizes, uint32_t dims, bool keepdim) {
  return keepdim || !dims ? t : reshape(t, reduced_shape(sizes, dims, true));
}

// ---- var and std

struct VarBackward final : NodeOf<1> {
  SavedTensor x;
  uint32_t dims;
  bool keepdim;
  double freedom;
  VarBackward(const Tensor& t, uint32_t d, bool k, double f) : NodeOf(t), x(t), dims(d), keepdim(k), freedom(f) {}
  const char* name() const override { return "VarBackward0"; }
  void free_saved() override { x.reset(); }
  void backward(Tensor g, Tensor* dx) override {
    if (!needs(0)) return;
    const Tensor in = x.unpack(*this);
    const Tensor centred = in - sum_over(in, dims, true, double(reduced_count(in, dims)));
    dx[0] = kept(g, in.sizes(), dims, keepdim) * Tensor(2 / freedom) * centred;
  }
};
struct StdBackward final : NodeOf<1> {
  SavedTensor x, y;
  uint32_t dims;
  bool keepdim;
  double freedom;
  StdBackward(const Tensor& t, uint32_t d, bool k, double f) : NodeOf(t), x(t), dims(d), keepdim(k), freedom(f) {}
  const char* name() const override { return "StdBackward0"; }
  void free_saved() override { x.reset(), y.reset(); }
  void backward(Tensor g, Tensor* dx) override {  // 0 where the deviation is 0
    if (!needs(0)) return;
    const Tensor in = x.unpack(*this), out = y.unpack(*this);
    const Tensor scaled = where(out == Tensor(0.0), Tensor(0.0), g / (out * Tensor(freedom)));
    const Tensor centred = in - sum_over(in, dims, true, double(reduced_count(in, dims)));
    dx[0] = kept(scaled, in.sizes(), dims, keepdim) * centred;
  }
};
// Of complex numbers: E |x - mean|^2, which is the variances of the parts added.
static Tensor complex_var(const Tensor& x, uint32_t dims, Scalar correction, bool keepdim) {
  Shape dim;
  for (int64_t d = 0; d < x.dim(); d++) if (dims >> d & 1) dim.push_back(d);
  return x.dim() ? var(real(x), dim, correction, keepdim) + var(imag(x), dim, correction, keepdim)
                 : var(real(x), {}, correction) + var(imag(x), {}, correction);
}
// Over rows that lie one after another, in one pass over memory: each block's mean and squared deviations while it is in L1, then
// the blocks of a row joined (Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances",
// 1979).
static Tensor row_variances(const Tensor& x, uint32_t dims, double freedom, bool keepdim, bool root) {
  constexpr int64_t kBlock = 4096;
  Tensor out = empty(reduced_shape(x.sizes(), dims, keepdim), row_dtype(x.dtype()), x.device());
  const int64_t rows = out.numel(), n = x.numel() / rows, blocks = (n + kBlock - 1) / kBlock;
  Tensor parts = empty({rows, blocks, 2}, Dtype::Float64);
  double* part = parts->host<double>();
  LongKernel unlocked(x.numel());
  parallel_for(rows * blocks, std::max<int64_t>(1, 8 * kBlock / std::min(n, kBlock)), [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; k++) {
      const int64_t at = k % blocks * kBlock;
      norm_kernels(x.dtype()).moments(row_of(x, k / blocks * n + at, 1), std::min(kBlock, n - at), true, part + 2 * k, part + 2 * k + 1);
    }
  });
  for (int64_t r = 0; r < rows; r++) {
    double count = 0, mean = 0, squares = 0;
    for (int64_t b = 0; b < blocks; b++, part += 2) {
      const double m = double(std::min(kBlock, n - b * kBlock)), apart = part[0] - mean, all = count + m;
      squares += part[1] * m + apart * apart * count * m / all;
      mean += apart * m / all;
      count = all;
    }
    const double v = root ? std::sqrt(squares / freedom) : squares / freedom;
    if (out.dtype() == Dtype::Float64) out->host<double>()[r] = v; else out->host<float>()[r] = float(v);
  }
  return cast_back(out, x.dtype());
}
/// Are the reduced dims the last ones of a row-major tensor?
static bool in_rows(const Tensor& x, uint32_t dims) {
  const uint32_t all = (uint32_t(1) << x.dim()) - 1;
  return !x.is_cuda() && x->contiguous && x.numel() && dims && ((all & ~dims) & ((all & ~dims) + 1)) == 0;
}
static Tensor spread_about_mean(const Tensor& x, uint32_t dims, Scalar correction, bool keepdim, bool root) {
  if (is_complex(x.dtype())) return root ? sqrt(complex_var(x, dims, correction, keepdim)) : complex_var(x, dims, correction, keepdim);
  TG_CHECK(is_floating(x.dtype()), DtypeError, "input must be of a floating dtype, got ", x.dtype(), Named{"input", x});
  const double n = double(reduced_count(x, dims)), freedom = std::fmax(0, n - correction.to_double());
  Tensor out;
  if (in_rows(x, dims)) {
    out = row_variances(x, dims, freedom, keepdim, root);
  } else {
    const Tensor mean = fold(kSum, x, dims, keepdim, Dtype::Float64, {.divide = n});
    out = fold(kSumSquares, x, dims, keepdim, x.dtype(), {.divide = freedom, .root = root, .shift = &mean});
  }
  if (recording(x)) {
    if (root) record<StdBackward>(out, x, dims, keepdim, freedom)->y = SavedTensor(out, SavedTensor::output);
    else record<VarBackward>(out, x, dims, keepdim, freedom);
  }
  return out;
}
Tensor var(const Tensor& x, IntList dim, Scalar correction, bool keepdim) {
  OpScope op("var");
  return spread_about_mean(x, reduced_dims(x, dim), correction, keepdim, false);
}
Tensor std(const Tensor& x, IntList dim, Scalar correction, bool keepdim) {
  OpScope op("std");
  return spread_about_mean(x, reduced_dims(x, dim), correction, keepdim, true);
}
std::tuple<Tensor, Tensor> var_mean(const Tensor& x, IntList dim, Scalar correction, bool keepdim) {
  OpScope op("var_mean");
  return {var(x, dim, correction, keepdim), mean(x, dim, keepdim)};
}
std::tuple<Tensor, Tensor> std_mean(const Tensor& x, IntList dim, Scalar correction, bool keepdim) {
  OpScope op("std_mean");
  return {std(x, dim, correction, keepdim), mean(x, dim, keepdim)};
}

// ---- norm

struct NormBackward final : NodeOf<1> {
  SavedTensor x, y;
  uint32_t dims;
  bool keepdim;
  double p;
  NormBackward(const Tensor& t, uint32_t d, bool k, double e) : NodeOf(t), x(t), dims(d), keepdim(k), p(e) {}
  const char* name() const override { return "LinalgVectorNormBackward0"; }
  void free_saved() override { x.reset(), y.reset(); }
  void backward(Tensor grad, Tensor* dx) override {
    if (!needs(0)) return;
    const Tensor in = x.unpack(*this), zero(0.0);
    const Tensor g = kept(grad, in.sizes(), dims, keepdim), norm = kept(y.unpack(*this), in.sizes(), dims, keepdim);
    if (p == 0) dx[0] = zeros_like(in);
    else if (p == 1) dx[0] = sign(in) * g;
    else if (p == 2) dx[0] = in * where(norm == zero, zero, g / norm);
    else if (std::isinf(p)) {  // shared evenly among those that reach it
      const Tensor reached = to(abs(in) == norm, in.dtype());
      dx[0] = sign(in) * reached * (g / sum_over(reached, dims, true));
    } else {                   // sign(x) |x|^(p-1) norm^(1-p), 0 where x or norm is
      const Tensor a = abs(in), some = a > zero, safe = where(some, a, Tensor(1.0)), n = where(norm == zero, Tensor(1.0), norm);
      dx[0] = where(some, sign(in) * pow(safe, Tensor(p - 1)), zero) * where(norm == zero, zero, g * pow(n, Tensor(1 - p)));
    }
  }
};
Tensor norm(const Tensor& x, Scalar p, IntList dim, bool keepdim, std::optional<Dtype> dtype) {
  OpScope op("norm");
  if (dtype && *dtype != x.dtype()) return norm(to(x, *dtype), p, dim, keepdim);
  if (is_complex(x.dtype())) return norm(abs(x), p, dim, keepdim);
  TG_CHECK(is_floating(x.dtype()), DtypeError, "input must be of a floating dtype, got ", x.dtype(), Named{"input", x});
  const uint32_t dims = reduced_dims(x, dim);
  const double e = p.to_double();
  const Dtype d = x.dtype();
  TG_CHECK(!(std::isinf(e) || e < 0) || reduced_count(x, dims) > 0, IndexError, "norm of order ", e, " needs at least one element along dim", Named{"input", x});
  Tensor out;
  if (e == 0) out = fold(kCount, x, dims, keepdim, d);
  else if (e == 1) out = fold(kSumAbs, x, dims, keepdim, d);
  else if (e == 2) out = fold(kSumSquares, x, dims, keepdim, d, {.root = true});
  else if (e == INFINITY) out = fold(kMaxAbs, x, dims, keepdim, d);
  else if (e == -INFINITY) out = fold(kMinAbs, x, dims, keepdim, d);
  else {
    NoGrad off;
    const Tensor powers = pow(abs(to(x, d == Dtype::Float64 ? d : Dtype::Float32)), Tensor(e));  // a float16 overflows too soon
    out = to(pow(fold(kSum, powers, dims, keepdim, powers.dtype()), Tensor(1 / e)), d);
  }
  if (recording(x)) record<NormBackward>(out, x, dims, keepdim, e)->y = SavedTensor(out, SavedTensor::output);
  return out;
}

// ---- logsumexp

struct LogsumexpBackward final : NodeOf<1> {
  SavedTensor x, y;
  uint32_t dims;
  bool keepdim;
  LogsumexpBackward(const Tensor& t, uint32_t d, bool k) : NodeOf(t), x(t), dims(d), keepdim(k) {}
  const char* name() const override { return "LogsumexpBackward0"; }
  void free_saved() override { x.reset(), y.reset(); }
  void backward(Tensor g, Tensor* dx) override {
    if (!needs(0)) return;
    const Tensor in = x.unpack(*this);
    dx[0] = kept(g, in.sizes(), dims, keepdim) * exp(in - kept(y.unpack(*this), in.sizes(), dims, keepdim));
  }
};
static Tensor log_of_sum(const Tensor& x, uint32_t dims, bool keepdim) {
  Tensor most = fold(kMax, x, dims, keepdim, Dtype::Float64), out;
  NoGrad off;
  if (x.is_cuda()) {
    most = where(isinf(most), Tensor(0.0), most);
    out = log(fold(kSumExp, x, dims, keepdim, Dtype::Float64, {.shift = &most})) + most;
  } else {
    double* m = most->host<double>();
    for (int64_t i = 0; i < most.numel(); i++) if (std::isinf(m[i])) m[i] = 0;
    out = fold(kSumExp, x, dims, keepdim, Dtype::Float64, {.shift = &most});
    double* s = out->host<double>();
    for (int64_t i = 0; i < out.numel(); i++) s[i] = std::log(s[i]) + m[i];
  }
  return to(out, x.dtype());
}
Tensor logsumexp(const Tensor& x, IntList dim, bool keepdim) {
  OpScope op("logsumexp");
  if (is_complex(x.dtype())) {
    const Tensor most = amax(detach(real(x)), dim, true), total = log(sum(exp(x - most), dim, keepdim));
    return total + (keepdim ? most : reshape(most, total.sizes()));
  }
  if (!is_floating(x.dtype())) return logsumexp(to(x, default_dtype()), dim, keepdim);
  const uint32_t dims = reduced_dims(x, dim);
  const Tensor out = log_of_sum(x, dims, keepdim);
  if (recording(x)) record<LogsumexpBackward>(out, x, dims, keepdim)->y = SavedTensor(out, SavedTensor::output);
  return out;
}

// ---- rows

static Tensor var_unbiased(const Tensor& x, IntList dim, bool unbiased, bool keepdim) { return var(x, dim, unbiased, keepdim); }
static Tensor std_unbiased(const Tensor& x, IntList dim, bool unbiased, bool keepdim) { return std(x, dim, unbiased, keepdim); }
static std::tuple<Tensor, Tensor> var_mean_unbiased(const Tensor& x, IntList dim, bool unbiased, bool keepdim) {
  return var_mean(x, dim, unbiased, keepdim);
}
static std::tuple<Tensor, Tensor> std_mean_unbiased(const Tensor& x, IntList dim, bool unbiased, bool keepdim) {
  return std_mean(x, dim, unbiased, keepdim);
}
static std::tuple<Tensor, Tensor> var_mean_all(const Tensor& x, bool unbiased) { return var_mean(x, {}, unbiased); }
static std::tuple<Tensor, Tensor> std_mean_all(const Tensor& x, bool unbiased) { return std_mean(x, {}, unbiased); }
static Tensor var_all(const Tensor& x, bool unbiased) { return var(x, {}, unbiased); }
static Tensor std_all(const Tensor& x, bool unbiased) { return std(x, {}, unbiased); }

template <auto F> static auto corrected(const Tensor& x, IntList dim, std::optional<Scalar> correction, bool keepdim) {
  return F(x, dim, correction.value_or(Scalar(1)), keepdim);
}

void reduce_stats_ops(OpTable& t) {
  t.add("var(Tensor input, int[]? dim=None, *, Scalar? correction=1, bool keepdim=False)", &corrected<&var>,
        "Variance: the sum of squared deviations from the mean, divided by n - correction.")
      .method().complex().with_out().samples({"T(3, 4)", "T(3, 4), 1", "T(2, 3, 4), [0, -1], correction=0, keepdim=True", "T(40, 3), 0"});
  t.add("var(Tensor input, int[]? dim, bool unbiased, bool keepdim=False)", &var_unbiased, "Variance; unbiased divides by n - 1, else by n.")
      .method().complex().with_out().samples({"T(3, 4), 1, False", "T(3, 4), [0], True, True"});
  t.add("var(Tensor input, bool unbiased)", &var_all, "Variance over all elements.").method().complex().with_out().samples({"T(3, 4), False"});
  t.add("std(Tensor input, int[]? dim=None, *, Scalar? correction=1, bool keepdim=False)", &corrected<&std>,
        "Standard deviation, the root of var.")
      .method().complex().with_out().samples({"T(3, 4)", "T(3, 4), 1", "T(2, 3, 4), [0, -1], correction=0, keepdim=True"});
  t.add("std(Tensor input, int[]? dim, bool unbiased, bool keepdim=False)", &std_unbiased, "Standard deviation; unbiased divides by n - 1, else by n.")
      .method().complex().with_out().samples({"T(3, 4), 1, False", "T(3, 4), [0], True, True"});
  t.add("std(Tensor input, bool unbiased)", &std_all, "Standard deviation over all elements.").method().complex().with_out().samples({"T(3, 4), False"});
  t.add("var_mean(Tensor input, int[]? dim=None, *, Scalar? correction=1, bool keepdim=False)", &corrected<&var_mean>, "Variance and mean.")
      .returns("var mean").complex().samples({"T(3, 4)", "T(3, 4), 1, keepdim=True"});
  t.add("var_mean(Tensor input, int[]? dim, bool unbiased, bool keepdim=False)", &var_mean_unbiased, "Variance and mean; unbiased divides by n - 1, else by n.")
      .returns("var mean").complex().samples({"T(3, 4), 1, False", "T(3, 4), [0], True, True"});
  t.add("var_mean(Tensor input, bool unbiased)", &var_mean_all, "Variance and mean of all elements.").returns("var mean").complex().samples({"T(3, 4), False"});
  t.add("std_mean(Tensor input, int[]? dim=None, *, Scalar? correction=1, bool keepdim=False)", &corrected<&std_mean>, "Standard deviation and mean.")
      .returns("std mean").complex().samples({"T(3, 4)", "T(3, 4), 1, keepdim=True"});
  t.add("std_mean(Tensor input, int[]? dim, bool unbiased, bool keepdim=False)", &std_mean_unbiased, "Standard deviation and mean; unbiased divides by n - 1, else by n.")
      .returns("std mean").complex().samples({"T(3, 4), 1, False", "T(3, 4), [0], True, True"});
  t.add("std_mean(Tensor input, bool unbiased)", &std_mean_all, "Standard deviation and mean of all elements.").returns("std mean").complex().samples({"T(3, 4), False"});
  t.add("norm(Tensor input, Scalar p=2, int[]? dim=None, bool keepdim=False, *, dtype? dtype=None)", &norm,
        "(sum |x|^p)^(1/p); p = 0 counts what is not zero, inf and -inf give the largest and smallest |x|. The gradient is 0 where the norm is.")
      .method().complex().with_out().samples({"T(2, 3)", "T(2, 3), 1, 1", "T(2, 3), float('inf'), [0], True", "T(2, 3), 3, 1", "T(2, 3), 1.5", "C(0., 0.), 2"});
  t.add("logsumexp(Tensor input, int[] dim, bool keepdim=False)", &logsumexp, "log sum exp(x) along dim, without overflow.")
      .method().complex().with_out().samples({"T(2, 3), 1", "T(2, 3, 4), [0, 2], True", "T(), 0", "T(3, 40), 0"});
}

}  // namespace tapegrad
