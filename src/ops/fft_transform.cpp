// Fourier transforms of any length: Stockham's self-sorting passes for lengths of small primes (W. T. Cochran et al., Proc. IEEE
// 55, 1967), Bluestein's convolution with a chirp for the others (L. Bluestein, IEEE Trans. Audio 18, 1970). Several lines are
// transformed side by side, so that all loops are over neighbours.
#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "src/ops/copy.h"
#include "src/ops/cpu/fft.h"
#include "src/ops/cpu/table.h"
#include "src/ops/fft.h"
#include "src/ops/rows.h"
#include "src/ops/scratch.h"
#include "src/tensor/parallel.h"

namespace tapegrad {
namespace {

constexpr double kTurn = 6.283185307179586476925;

template <class R> struct Plan {
  int64_t n;
  std::vector<int> radices;
  std::vector<R> cos, sin;              // exp(-2 pi i t / n)
  std::unique_ptr<Plan> longer;         // Bluestein: a power of 2, at least 2n - 1
  std::vector<R> chirp_re, chirp_im;    // exp(-pi i k^2 / n)
  std::vector<R> filter_re, filter_im;  // the transform of the chirp's conjugate, over its length

  explicit Plan(int64_t length) : n(length) {
    int64_t rest = n;
    for (int r : {4, 2, 3, 5}) for (; rest % r == 0; rest /= r) radices.push_back(r);
    for (int r = 7; r <= kMaxRadix; r += 2) for (; rest % r == 0; rest /= r) radices.push_back(r);
    if (rest > 1) {
      make_chirp();
      return;
    }
    cos.resize(size_t(n)), sin.resize(size_t(n));
    for (int64_t t = 0; t < n; t++) cos[size_t(t)] = R(std::cos(kTurn * double(t) / double(n))), sin[size_t(t)] = R(-std::sin(kTurn * double(t) / double(n)));
  }
  void make_chirp() {
    int64_t m = 1;
    while (m < 2 * n - 1) m *= 2;
    longer = std::make_unique<Plan>(m);
    chirp_re.resize(size_t(n)), chirp_im.resize(size_t(n)), filter_re.assign(size_t(m), 0), filter_im.assign(size_t(m), 0);
    for (int64_t k = 0; k < n; k++) {
      const double angle = kTurn / 2 * double(k * k % (2 * n)) / double(n);
      chirp_re[size_t(k)] = R(std::cos(angle)), chirp_im[size_t(k)] = R(-std::sin(angle));
      for (int64_t at : {k, (m - k) % m}) filter_re[size_t(at)] = R(std::cos(angle) / double(m)), filter_im[size_t(at)] = R(std::sin(angle) / double(m));
    }
    std::vector<R> work(size_t(2 * m));
    longer->run(filter_re.data(), filter_im.data(), work.data(), 1);
  }
  /// Numbers of `work` that run() needs for each line.
  int64_t work() const { return longer ? 4 * longer->n : 2 * n; }

  /// The transforms of `lines` lines side by side, in place.
  void run(R* re, R* im, R* work, int64_t lines) const {
    if (longer) return run_chirp(re, im, work, lines);
    const auto pass = std::is_same_v<R, float> ? kernels().fft->f32 : kernels().fft->f64;
    R *x_re = re, *x_im = im, *y_re = work, *y_im = work + n * lines;
    int64_t done = 1;
    for (int r : radices) {
      pass({r, n / done / r, done * lines, done, cos.data(), sin.data(), x_re, x_im, y_re, y_im});
      std::swap(x_re, y_re), std::swap(x_im, y_im);
      done *= r;
    }
    if (x_re != re) std::copy_n(x_re, n * lines, re), std::copy_n(x_im, n * lines, im);
  }
  // With jk = (j^2 + k^2 - (k - j)^2) / 2 the sum becomes a convolution of x · chirp with the chirp's conjugate.
  void run_chirp(R* re, R* im, R* work, int64_t lines) const {
    const int64_t m = longer->n;
    R *u_re = work, *u_im = work + m * lines, *rest = work + 2 * m * lines;
    std::fill_n(work, 2 * m * lines, R(0));
    auto multiply = [lines](R* y_re, R* y_im, const R* x_re, const R* x_im, const std::vector<R>& a_re, const std::vector<R>& a_im) {
      for (size_t k = 0; k < a_re.size(); k++)
        for (int64_t q = int64_t(k) * lines; q < int64_t(k + 1) * lines; q++) {
          const R r = x_re[q], i = x_im[q];
          y_re[q] = r * a_re[k] - i * a_im[k], y_im[q] = r * a_im[k] + i * a_re[k];
        }
    };
    multiply(u_re, u_im, re, im, chirp_re, chirp_im);
    longer->run(u_re, u_im, rest, lines);
    multiply(u_re, u_im, u_re, u_im, filter_re, filter_im);
    longer->run(u_im, u_re, rest, lines);  // parts exchanged: the inverse
    multiply(re, im, u_re, u_im, chirp_re, chirp_im);
  }
};

// The last few of this thread.
template <class R> std::shared_ptr<const Plan<R>> plan_for(int64_t n) {
  constexpr size_t kKept = 8;
  static thread_local std::vector<std::shared_ptr<const Plan<R>>> plans;
  auto it = std::find_if(plans.begin(), plans.end(), [n](const auto& p) { return p->n == n; });
  if (it == plans.end()) {
    if (plans.size() == kKept) plans.pop_back();
    it = plans.insert(plans.begin(), std::make_shared<Plan<R>>(n));
  }
  std::rotate(plans.begin(), it, it + 1);
  return plans.front();
}

/// Along one dimension of a row-major complex tensor, in place.
template <class R> void transform(const Tensor& t, int64_t dim, bool forward, R scale) {
  const Split s(t, dim);
  const int64_t n = s.n, lines = s.outer * s.inner;
  const auto plan = plan_for<R>(n);
  constexpr int64_t kLines = 64 / sizeof(R), kTile = 8, kCache = 1 << 17;
  const int64_t each = 2 * n + plan->work(), group = std::clamp<int64_t>(kCache / (each * int64_t(sizeof(R))), 1, kLines);
  R* data = reinterpret_cast<R*>(t->data);
  std::atomic<bool> failed{false};
  LongKernel unlocked(lines * n * 8);
  parallel_for((lines + group - 1) / group, std::max<int64_t>(1, (1 << 13) / (n * group)), [&](int64_t begin, int64_t end) {
    Scratch memory(size_t(each * group) * sizeof(R), failed);
    if (!memory) return;
    for (int64_t g = begin; g < end; g++) {
      const int64_t first = g * group, count = std::min(group, lines - first);
      R *re = memory.get<R>(), *im = re + n * count, *work = im + n * count;
      R* line[kLines];
      for (int64_t l = 0; l < count; l++) line[l] = data + 2 * ((first + l) / s.inner * n * s.inner + (first + l) % s.inner);
      auto each_number = [&](auto f) {  // f(where in the tensor, where in the group); by tiles, so that cache lines are used up
        for (int64_t from = 0; from < n; from += kTile)
          for (int64_t l = 0; l < count; l++) {
            R* z = line[l] + 2 * from * s.inner;
            for (int64_t j = from; j < std::min(from + kTile, n); j++, z += 2 * s.inner) f(z, j * count + l);
          }
      };
      each_number([&](const R* z, int64_t q) { re[q] = z[0], im[q] = z[1]; });
      forward ? plan->run(re, im, work, count) : plan->run(im, re, work, count);  // parts exchanged: the inverse
      each_number([&](R* z, int64_t q) { z[0] = re[q] * scale, z[1] = im[q] * scale; });
    }
  });
  TG_CHECK(!failed, OutOfMemoryError, "cannot allocate the working memory of a Fourier transform");
}

}  // namespace

Tensor transformed(const Tensor& x, IntList dims, bool forward, double scale) {
  Tensor out = empty(x.sizes(), x.dtype(), x.device());
  copy_elements(out, x);
  if (!out.numel()) return out;
  for (int64_t d : dims) {
    const double s = d == dims.back() ? scale : 1;
    if (x.dtype() == Dtype::Complex128) transform<double>(out, d, forward, s);
    else transform<float>(out, d, forward, float(s));
  }
  return out;
}

}  // namespace tapegrad
