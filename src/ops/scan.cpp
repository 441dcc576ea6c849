// Running sums, products, extremes. All gradients come down to one op that is its own gradient: the linear recurrence
// r[i] = a[i] r[i-1] + b[i].
#include <algorithm>
#include <cmath>

#include "src/ops/complex_number.h"
#include "src/ops/cpu/scan.h"
#include "src/ops/cuda/launch_reduce.h"
#include "src/ops/in_place.h"
#include "src/ops/op_info.h"
#include "src/ops/rows.h"
#include "src/tensor/parallel.h"
#include "tapegrad/ops_more.h"

namespace tapegrad {

namespace {

// step(offset of the first element, stride) for each line along dim of a row-major tensor.
template <class F> void each_line(const Split& s, F line) {
  LongKernel unlocked(s.outer * s.n * s.inner * 2);
  parallel_for(s.outer * s.inner, std::max<int64_t>(1, (1 << 14) / std::max<int64_t>(1, s.n)), [&](int64_t begin, int64_t end) {
    for (int64_t l = begin; l < end; l++) line(l / s.inner * s.n * s.inner + l % s.inner, s.inner);
  });
}
// r[at] = acc = f(acc, at) along each line, from its back if `back`. Several lines go side by side: none waits for its own sum.
template <class T, class A, class F> void scan_lines(const Split& s, T* __restrict r, A start, bool back, F f) {
  LongKernel unlocked(s.outer * s.n * s.inner * 2);
  const int64_t first = back ? (s.n - 1) * s.inner : 0, step = back ? -s.inner : s.inner;
  const auto grain = [&](int64_t lines) { return std::max<int64_t>(1, (1 << 14) / std::max<int64_t>(1, s.n * lines)); };
  if (s.inner == 1) {
    constexpr int64_t kLines = 4;
    parallel_for((s.outer + kLines - 1) / kLines, grain(kLines), [&](int64_t begin, int64_t end) {
      for (int64_t line = begin * kLines; line < std::min(end * kLines, s.outer); line += kLines) {
        const int64_t count = std::min(kLines, s.outer - line);
        A acc[kLines] = {start, start, start, start};
        int64_t at = line * s.n + first;
        if (count < kLines) {
          for (int64_t l = 0; l < count; l++)
            for (int64_t i = 0, k = at + l * s.n; i < s.n; i++, k += step) r[k] = T(acc[l] = f(acc[l], k));
        } else {
          for (int64_t i = 0; i < s.n; i++, at += step)
            for (int64_t l = 0, k = at; l < kLines; l++, k += s.n) r[k] = T(acc[l] = f(acc[l], k));
        }
      }
    });
    return;
  }
  constexpr int64_t kWidth = 128;
  const int64_t blocks = (s.inner + kWidth - 1) / kWidth;
  parallel_for(s.outer * blocks, grain(std::min(kWidth, s.inner)), [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; b++) {
      const int64_t column = b % blocks * kWidth, width = std::min(kWidth, s.inner - column);
      A acc[kWidth];
      std::fill_n(acc, width, start);
      int64_t at = b / blocks * s.n * s.inner + column + first;
      for (int64_t i = 0; i < s.n; i++, at += step)
        for (int64_t l = 0; l < width; l++) r[at + l] = T(acc[l] = f(acc[l], at + l));
    }
  });
}
// What running sums and products of this dtype are computed in.
Dtype scan_dtype(Dtype d) { return is_complex(d) ? Dtype::Complex128 : is_floating(d) ? row_dtype(d) : Dtype::Int64; }
template <class T> T* data(const Tensor& t) { return t->host<T>(); }

// ---- r[i] = a[i] r[i-1] + b[i], from the front or from the back; an undefined `a` is 1
template <class T, class A> void recurrence_lines(const Split& s, const T* a, const T* b, T* r, bool back) {
  if (a) scan_lines(s, r, A(0), back, [=](A acc, int64_t at) { return acc * A(a[at]) + A(b[at]); });
  else scan_lines(s, r, A(0), back, [=](A acc, int64_t at) { return acc + A(b[at]); });
}
/// The same with every a = 1: running sums, rows or strips of columns at a time.
void running_sums(const Split& s, const Tensor& b, const Tensor& r, bool back) {
  const Dtype d = b.dtype();
  const RunningSum& k = scan_tables[kernel_set]->sum[d == Dtype::Float32 ? 0 : d == Dtype::Float64 ? 1 : d == Dtype::Int64 ? 2 : d == Dtype::Float16 ? 3 : 4];
  LongKernel unlocked(s.outer * s.n * s.inner);
  if (!s.n || !s.inner) return;
  if (s.inner == 1) {
    parallel_for(s.outer, std::max<int64_t>(1, (1 << 15) / s.n), [&](int64_t begin, int64_t end) {
      for (int64_t l = begin; l < end; l++) k.row(row_of(b, l, s.n), row_of(r, l, s.n), s.n, back);
    });
    return;
  }
  constexpr int64_t kStrip = 256;
  const int64_t strips = (s.inner + kStrip - 1) / kStrip;
  parallel_for(s.outer * strips, std::max<int64_t>(1, (1 << 15) / (s.n * std::min(kStrip, s.inner))), [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; t++) {
      const int64_t c = t % strips * kStrip, at = t / strips * s.n * s.inner + c;
      k.cols(row_of(b, at, 1), row_of(r, at, 1), s.n, s.inner, std::min(kStrip, s.inner - c), back);
    }
  });
}
Tensor recurrence(const Tensor& a, const Tensor& b, int64_t dim, bool back);

// x[i-1] at i (x[i+1] when back), `first` at the end that has no neighbour. Recorded.
Tensor shifted(const Tensor& x, int64_t dim, bool back, double first) {
  const int64_t n = x.size(dim);
  if (!n) return x;
  const Tensor edge = full_like(narrow(x, dim, 0, 1), first), rest = narrow(x, dim, back, n - 1);
  return back ? cat({rest, edge}, dim) : cat({edge, rest}, dim);
}
struct RecurrenceBackward final : NodeOf<2> {
  SavedTensor a, r;
  int64_t dim;
  bool back;
  RecurrenceBackward(const Tensor& x, const Tensor& y, int64_t d, bool k) : NodeOf(x, y), a(x), dim(d), back(k) {}
  const char* name() const override { return a.defined() ? "RecurrenceBackward0" : "CumsumBackward0"; }
  void free_saved() override { a.reset(), r.reset(); }
  void backward(Tensor g, Tensor* dx) override {
    Tensor factor = a.unpack(*this);
    if (factor.defined()) factor = conj(factor);
    const Tensor s = recurrence(factor.defined() ? shifted(factor, dim, !back, 0) : factor, g, dim, !back);
    if (needs(0)) dx[0] = s * shifted(conj(r.unpack(*this)), dim, back, 0);
    if (needs(1)) dx[1] = s;
  }
};
Tensor recurrence(const Tensor& a_in, const Tensor& b_in, int64_t dim, bool back) {
  const bool sums = !a_in.defined() && is_floating(b_in.dtype()) && !b_in.is_cuda();  // kernels of every dtype
  const Dtype d = sums ? b_in.dtype() : scan_dtype(b_in.dtype());
  const Tensor a = row_major(a_in, d), b = row_major(b_in, d);
  Tensor r = empty(b.sizes(), d, b.device());
  const Split s(b, dim);
  if (b.is_cuda()) cuda_scan(a.defined() ? kScanRecurrence : kScanSum, r, b, dim, back, a);
  else if (!a.defined() && d != Dtype::Complex128) running_sums(s, b, r, back);
  else if (d == Dtype::Float32) recurrence_lines<float, double>(s, data<float>(a), data<float>(b), data<float>(r), back);
  else if (d == Dtype::Float64) recurrence_lines<double, double>(s, data<double>(a), data<double>(b), data<double>(r), back);
  else recurrence_lines<Complex<double>, Complex<double>>(s, a.defined() ? data<Complex<double>>(a) : nullptr, data<Complex<double>>(b),
      data<Complex<double>>(r), back);
  r = cast_back(r, is_differentiable(b_in.dtype()) ? b_in.dtype() : Dtype::Int64);
  if (recording(a_in, b_in)) {
    auto* n = record<RecurrenceBackward>(r, a_in, b_in, dim, back);
    if (a_in.defined()) n->r = SavedTensor(r, SavedTensor::output);
  }
  return r;
}

// ---- cumprod: d y[j] / d x[i] is the product of the other x up to j, so the gradient at i is the product before i times a
// recurrence from the back over what follows. No division: zeros are no special case.
struct CumprodBackward final : NodeOf<1> {
  SavedTensor x, y;
  int64_t dim;
  CumprodBackward(const Tensor& t, int64_t d) : NodeOf(t), x(t), dim(d) {}
  const char* name() const override { return "CumprodBackward0"; }
  void free_saved() override { x.reset(), y.reset(); }
  void backward(Tensor g, Tensor* dx) override {
    if (!needs(0)) return;
    const Tensor in = conj(x.unpack(*this));
    if (!in.dim()) { dx[0] = g; return; }
    dx[0] = shifted(conj(y.unpack(*this)), dim, false, 1) * recurrence(shifted(in, dim, true, 0), g, dim, true);
  }
};
template <class T, class A> void product_lines(const Split& s, const T* x, T* y) {
  scan_lines(s, y, A(1), false, [=](A acc, int64_t at) { return acc * A(x[at]); });
}

// ---- logcumsumexp: with y the result, the gradient is exp(x - y) times a recurrence whose factors exp(y[i] - y[i+1]) are at most 1
struct LogcumsumexpBackward final : NodeOf<1> {
  SavedTensor x, y;
  int64_t dim;
  LogcumsumexpBackward(const Tensor& t, int64_t d) : NodeOf(t), x(t), dim(d) {}
  const char* name() const override { return "LogcumsumexpBackward0"; }
  void free_saved() override { x.reset(), y.reset(); }
  void backward(Tensor g, Tensor* dx) override {
    if (!needs(0)) return;
    const Tensor in = x.unpack(*this), out = y.unpack(*this);
    if (!in.dim()) { dx[0] = g; return; }
    dx[0] = exp(in - out) * recurrence(exp(out - shifted(out, dim, true, INFINITY)), g, dim, true);
  }
};
template <class T> void logsumexp_lines(const Split& s, const T* x, T* y) {
  each_line(s, [=](int64_t at, int64_t step) {
    double acc = -INFINITY;
    for (int64_t i = 0; i < s.n; i++, at += step) {
      const double v = double(x[at]), most = std::max(acc, v), least = std::min(acc, v);
      if (acc != acc || v != v) acc = NAN;
      else acc = std::isinf(most) ? most : most + std::log1p(std::exp(least - most));
      y[at] = T(acc);
    }
  });
}

// ---- cummax and cummin: of equals the last; NaN stays
template <class T> void extreme_lines(const Split& s, const T* x, T* y, int64_t* index, bool largest) {
  each_line(s, [=](int64_t at, int64_t step) {
    T best = s.n ? x[at] : T();
    int64_t where = 0;
    for (int64_t i = 0; i < s.n; i++, at += step) {
      const T v = x[at];
      if (v != v || (best == best && (largest ? v >= best : v <= best))) best = v, where = i;
      y[at] = best, index[at] = where;
    }
  });
}
struct CumextremeBackward final : NodeOf<1> {
  SavedTensor index;
  int64_t dim;
  bool largest;
  CumextremeBackward(const Tensor& x, const Tensor& i, int64_t d, bool l) : NodeOf(x), index(i), dim(d), largest(l) {}
  const char* name() const override { return largest ? "CummaxBackward0" : "CumminBackward0"; }
  void free_saved() override { index.reset(); }
  void backward(Tensor g, Tensor* dx) override {
    if (!needs(0)) return;
    if (!g.dim()) { dx[0] = g; return; }
    dx[0] = scatter_add_(zeros(g.sizes(), g.dtype(), g.device()), dim, index.unpack(*this), g);
  }
};
ValuesIndices cumextreme(const Tensor& input, int64_t dim, bool largest) {
  TG_CHECK(!is_complex(input.dtype()), DtypeError, "not implemented for ", input.dtype(), Named{"input", input});
  const int64_t d = wrap_dim(dim, input.dim(), input);
  const Dtype compute = scan_dtype(input.dtype());
  const Tensor x = row_major(input, compute);
  Tensor y = empty(x.sizes(), compute, x.device()), index = empty(x.sizes(), Dtype::Int64, x.device());
  const Split s(x, d);
  if (x.is_cuda()) cuda_scan(largest ? kScanMax : kScanMin, y, x, d, false, {}, index);
  else if (compute == Dtype::Float32) extreme_lines(s, data<float>(x), data<float>(y), data<int64_t>(index), largest);
  else if (compute == Dtype::Float64) extreme_lines(s, data<double>(x), data<double>(y), data<int64_t>(index), largest);
  else extreme_lines(s, data<int64_t>(x), data<int64_t>(y), data<int64_t>(index), largest);
  y = cast_back(y, input.dtype());
  if (recording(input)) record<CumextremeBackward>(y, input, index, d, largest);
  return {y, index};
}

}  // namespace

Tensor cumsum(const Tensor& x, int64_t dim, std::optional<Dtype> dtype) {
  OpScope op("cumsum");
  if (dtype) return to(cumsum(to(x, *dtype), dim), *dtype);
  return recurrence({}, x, wrap_dim(dim, x.dim(), x), false);
}
Tensor cumprod(const Tensor& input, int64_t dim, std::optional<Dtype> dtype) {
  OpScope op("cumprod");
  if (dtype) return to(cumprod(to(input, *dtype), dim), *dtype);
  const int64_t d = wrap_dim(dim, input.dim(), input);
  const Dtype compute = scan_dtype(input.dtype());
  const Tensor x = row_major(input, compute);
  Tensor y = empty(x.sizes(), compute, x.device());
  const Split s(x, d);
  if (x.is_cuda()) cuda_scan(kScanProd, y, x, d);
  else if (compute == Dtype::Float32) product_lines<float, double>(s, data<float>(x), data<float>(y));
  else if (compute == Dtype::Float64) product_lines<double, double>(s, data<double>(x), data<double>(y));
  else if (compute == Dtype::Complex128) product_lines<Complex<double>, Complex<double>>(s, data<Complex<double>>(x), data<Complex<double>>(y));
  else product_lines<int64_t, int64_t>(s, data<int64_t>(x), data<int64_t>(y));
  if (is_differentiable(input.dtype())) y = cast_back(y, input.dtype());
  if (recording(input)) record<CumprodBackward>(y, input, d)->y = SavedTensor(y, SavedTensor::output);
  return y;
}
const Tensor& cumsum_(const Tensor& self, int64_t dim, std::optional<Dtype> dtype) {
  OpScope op("cumsum_");
  return replace(self, [&](const Tensor& x) { return cumsum(x, dim, dtype); });
}
const Tensor& cumprod_(const Tensor& self, int64_t dim, std::optional<Dtype> dtype) {
  OpScope op("cumprod_");
  return replace(self, [&](const Tensor& x) { return cumprod(x, dim, dtype); });
}
Tensor logcumsumexp(const Tensor& input, int64_t dim) {
  OpScope op("logcumsumexp");
  TG_CHECK(is_floating(input.dtype()), DtypeError, "input must be of a floating dtype, got ", input.dtype(), Named{"input", input});
  const int64_t d = wrap_dim(dim, input.dim(), input);
  const Tensor x = row_major(input, row_dtype(input.dtype()));
  Tensor y = empty(x.sizes(), x.dtype(), x.device());
  const Split s(x, d);
  if (x.is_cuda()) cuda_scan(kScanLogSumExp, y, x, d);
  else if (x.dtype() == Dtype::Float32) logsumexp_lines(s, data<float>(x), data<float>(y));
  else logsumexp_lines(s, data<double>(x), data<double>(y));
  y = cast_back(y, input.dtype());
  if (recording(input)) record<LogcumsumexpBackward>(y, input, d)->y = SavedTensor(y, SavedTensor::output);
  return y;
}
ValuesIndices cummax(const Tensor& x, int64_t dim) {
  OpScope op("cummax");
  return cumextreme(x, dim, true);
}
ValuesIndices cummin(const Tensor& x, int64_t dim) {
  OpScope op("cummin");
  return cumextreme(x, dim, false);
}

void scan_ops(OpTable& t) {
  t.add("cumsum(Tensor input, int dim, *, dtype? dtype=None)", &cumsum, "Running sum along dim. Integers and bools give int64.")
      .method().inplace(&cumsum_).with_out().on("any").complex().samples({"T(2, 3), 1", "T(2, 3, 4), -2", "T(), 0", "T(0, 3), 0"});
  t.add("cumprod(Tensor input, int dim, *, dtype? dtype=None)", &cumprod, "Running product along dim. Integers and bools give int64.")
      .method().inplace(&cumprod_).with_out().on("any").complex().samples({"T(2, 3), 1", "T(2, 3, 4), -2", "T(), 0", "C([1., 0., 2., 0., 3.]), 0"});
  t.add("logcumsumexp(Tensor input, int dim)", &logcumsumexp, "log of the running sum of exp(x) along dim, without overflow.")
      .method().with_out().samples({"T(2, 3), 1", "T(2, 3, 4), -2", "T(), 0"});
  t.add("cummax(Tensor input, int dim)", &cummax, "Running maximum along dim and where it is; of equals the last.")
      .method().on("any").returns("values indices").with_out().samples({"T(2, 3), 1", "T(2, 3, 4), -2", "T(), 0"});
  t.add("cummin(Tensor input, int dim)", &cummin, "Running minimum along dim and where it is; of equals the last.")
      .method().on("any").returns("values indices").with_out().samples({"T(2, 3), 1", "T(2, 3, 4), -2", "T(), 0"});
}

}  // namespace tapegrad
