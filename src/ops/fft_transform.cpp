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
#include "tapegrad/ops.h"

namespace tapegrad {
namespace {

constexpr double kTurn = 6.283185307179586476925;

// Arrays that are used together must not lie a power of 2 apart, where they would share lines of the cache.
int64_t apart(int64_t n) { return n + 80; }

const FftKernels<float>& fft_kernels(float) { return fft_tables[kernel_set]->f32; }
const FftKernels<double>& fft_kernels(double) { return fft_tables[kernel_set]->f64; }

template <class R> struct Plan {
  int64_t n;
  std::vector<int> radices;
  std::vector<R> cos, sin;              // exp(-2 pi i t / n)
  std::unique_ptr<Plan> longer;         // Bluestein: a power of 2, at least 2n - 1
  std::vector<R> chirp_re, chirp_im;    // exp(-pi i k^2 / n)
  std::vector<R> filter_re, filter_im;  // the transform of the chirp's conjugate, over its length

  explicit Plan(int64_t length) : n(length) {
    int64_t rest = n;
    for (int r : {8, 4, 2, 3, 5}) for (; rest % r == 0; rest /= r) radices.push_back(r);
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
    std::vector<R> work(size_t(longer->work(1)));
    longer->run(filter_re.data(), filter_im.data(), work.data(), 1);
  }
  /// Numbers of `work` that run() needs for so many lines.
  int64_t work(int64_t lines) const { return longer ? 2 * apart(longer->n * lines) + longer->work(lines) : 2 * apart(n * lines); }

  /// The transforms of `lines` lines side by side, in place.
  void run(R* re, R* im, R* work, int64_t lines) const {
    if (longer) return run_chirp(re, im, work, lines);
    const auto pass = fft_kernels(R()).pass;
    R *x_re = re, *x_im = im, *y_re = work, *y_im = work + apart(n * lines);
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
    R *u_re = work, *u_im = work + apart(m * lines), *rest = u_im + apart(m * lines);
    std::fill(work, rest, R(0));
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

// n real numbers as n / 2 complex ones: between their transform z and the first n / 2 + 1 frequencies x of the real ones. With
// e and o the transforms of the even and of the odd numbers, z = e + i o and x[k] = e[k] + w^k o[k], w = exp(-2 pi i / n).
template <class R> void to_frequencies(const Plan<R>& plan, const R* z, R* x, bool conjugate) {
  const int64_t m = plan.n / 2;
  const R sign = conjugate ? -1 : 1;
  for (int64_t k = 0; k <= m; k++) {
    const R *a = z + 2 * (k < m ? k : 0), *b = z + 2 * (k ? m - k : 0), c = plan.cos[size_t(k)], s = plan.sin[size_t(k)];
    const R e_re = (a[0] + b[0]) / 2, e_im = (a[1] - b[1]) / 2, o_re = (a[1] + b[1]) / 2, o_im = (b[0] - a[0]) / 2;
    x[2 * k] = e_re + c * o_re - s * o_im, x[2 * k + 1] = sign * (e_im + c * o_im + s * o_re);
  }
}
template <class R> void from_frequencies(const Plan<R>& plan, const R* x, R* z, bool conjugate) {  // twice z
  const int64_t m = plan.n / 2;
  const R sign = conjugate ? -1 : 1;
  for (int64_t k = 0; k < m; k++) {
    const R *a = x + 2 * k, *b = x + 2 * (m - k), c = plan.cos[size_t(k)], s = -plan.sin[size_t(k)];
    const R a_im = k ? sign * a[1] : R(0), b_im = k ? sign * b[1] : R(0);
    const R e_re = a[0] + b[0], e_im = a_im - b_im, d_re = a[0] - b[0], d_im = a_im + b_im;
    const R o_re = c * d_re - s * d_im, o_im = c * d_im + s * d_re;
    z[2 * k] = e_re - o_im, z[2 * k + 1] = e_im + o_re;
  }
}

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

// The divisor of n nearest below its root.
int64_t middle_divisor(int64_t n) {
  int64_t d = int64_t(std::sqrt(double(n)));
  while (n % d) d--;
  return d;
}
/// One long line of n1 n2 numbers, `step` apart, as a matrix (D. H. Bailey, J. Supercomputing 4, 1990): its columns, a turn of
/// w^(row column), then its rows. Lines side by side again, and work for several threads.
template <class R> void transform_long(const R* x, R* y, int64_t n, int64_t step, bool forward, R scale, std::atomic<bool>& failed) {
  constexpr int64_t kLines = 64 / sizeof(R);
  const int64_t n1 = middle_divisor(n), n2 = n / n1;
  const auto turns = plan_for<R>(n), columns = plan_for<R>(n1), rows = plan_for<R>(n2);
  Scratch middle(size_t(2 * apart(n)) * sizeof(R), failed);
  if (!middle) return;
  R *m_re = middle.get<R>(), *m_im = m_re + apart(n);
  const int re_at = forward ? 0 : 1, im_at = 1 - re_at;  // parts exchanged: the inverse
  const auto blocks = [&](int64_t count, const Plan<R>& plan, auto load, auto store) {
    const int64_t each = apart(plan.n * kLines);
    parallel_for((count + kLines - 1) / kLines, std::max<int64_t>(1, (1 << 13) / (plan.n * kLines)), [&](int64_t begin, int64_t end) {
      Scratch memory(size_t(2 * each + plan.work(kLines)) * sizeof(R), failed);
      if (!memory) return;
      R *re = memory.get<R>(), *im = re + each;
      for (int64_t b = begin; b < end; b++) {
        const int64_t first = b * kLines, c = std::min(kLines, count - first);
        for (int64_t j = 0; j < plan.n; j++) for (int64_t l = 0; l < c; l++) load(j, first + l, re[j * c + l], im[j * c + l]);
        plan.run(re, im, im + each, c);
        for (int64_t j = 0; j < plan.n; j++) for (int64_t l = 0; l < c; l++) store(j, first + l, re[j * c + l], im[j * c + l]);
      }
    });
  };
  blocks(n2, *columns, [=](int64_t j, int64_t q, R& re, R& im) {
    const R* z = x + 2 * (j * n2 + q) * step;
    re = z[re_at], im = z[im_at];
  }, [=, &turns](int64_t k, int64_t q, R re, R im) {
    const R c = turns->cos[size_t(k * q)], s = turns->sin[size_t(k * q)];
    m_re[k * n2 + q] = re * c - im * s, m_im[k * n2 + q] = re * s + im * c;
  });
  if (failed) return;
  blocks(n1, *rows, [=](int64_t j, int64_t k, R& re, R& im) { re = m_re[k * n2 + j], im = m_im[k * n2 + j]; },
      [=](int64_t j, int64_t k, R re, R im) {
        R* z = y + 2 * (j * n1 + k) * step;
        z[re_at] = re * scale, z[im_at] = im * scale;
      });
}

/// Along one dimension of a row-major complex tensor, into another of its size, or in place.
template <class R> void transform(const Tensor& x, const Tensor& y, int64_t dim, bool forward, R scale) {
  const Split s(x, dim);
  const int64_t n = s.n, lines = s.outer * s.inner;
  const auto plan = plan_for<R>(n);
  constexpr int64_t kLines = 64 / sizeof(R), kTile = 8;
  const int64_t group = std::min(kLines, lines);
  const R* from = x->host<const R>();
  R* to = y->host<R>();
  std::atomic<bool> failed{false};
  LongKernel unlocked(lines * n * 8);
  if (2 * lines <= kLines && n >= 2048 && !plan->longer && middle_divisor(n) >= 16) {
    for (int64_t l = 0; l < lines; l++) {
      const int64_t at = 2 * (l / s.inner * n * s.inner + l % s.inner);
      transform_long(from + at, to + at, n, s.inner, forward, scale, failed);
    }
    TG_CHECK(!failed, OutOfMemoryError, "cannot allocate the working memory of a Fourier transform");
    return;
  }
  parallel_for((lines + group - 1) / group, std::max<int64_t>(1, (1 << 13) / (n * group)), [&](int64_t begin, int64_t end) {
    Scratch memory(size_t(2 * apart(n * group) + plan->work(group)) * sizeof(R), failed);
    if (!memory) return;
    for (int64_t g = begin; g < end; g++) {
      const int64_t first = g * group, count = std::min(group, lines - first);
      R *re = memory.get<R>(), *im = re + apart(n * count), *work = im + apart(n * count);
      int64_t line[kLines];
      for (int64_t l = 0; l < count; l++) line[l] = 2 * ((first + l) / s.inner * n * s.inner + (first + l) % s.inner);
      auto each_number = [&](auto f) {  // f(where in the tensor, where in the group); by tiles, so that cache lines are used up
        for (int64_t tile = 0; tile < n; tile += kTile)
          for (int64_t l = 0; l < count; l++) {
            int64_t at = line[l] + 2 * tile * s.inner;
            for (int64_t j = tile; j < std::min(tile + kTile, n); j++, at += 2 * s.inner) f(at, j * count + l);
          }
      };
      const FftLines<R> group_lines{n, s.inner == 1 ? 2 * n : 2, 2 * s.inner, re, im};
      const bool full = count == kLines && (s.inner == 1 || first % s.inner + count <= s.inner);
      if (full) fft_kernels(R()).split(group_lines, from + line[0]);
      else each_number([&](int64_t at, int64_t q) { re[q] = from[at], im[q] = from[at + 1]; });
      forward ? plan->run(re, im, work, count) : plan->run(im, re, work, count);  // parts exchanged: the inverse
      if (full) fft_kernels(R()).join(group_lines, to + line[0], scale);
      else each_number([&](int64_t at, int64_t q) { to[at] = re[q] * scale, to[at + 1] = im[q] * scale; });
    }
  });
  TG_CHECK(!failed, OutOfMemoryError, "cannot allocate the working memory of a Fourier transform");
}

}  // namespace

Tensor transformed(const Tensor& x, IntList dims, bool forward, double scale) {
  const Tensor out = empty(x.sizes(), x.dtype(), x.device());
  Tensor from = x;
  if (!x->contiguous) from = empty(x.sizes(), x.dtype(), x.device()), copy_elements(from, x);
  if (out.numel())
    for (int64_t d : dims) {
      const double s = d == dims.back() ? scale : 1;
      if (x.dtype() == Dtype::Complex128) transform<double>(from, out, d, forward, s);
      else transform<float>(from, out, d, forward, float(s));
      from = out;
    }
  return out;
}

bool is_packed_real(const Tensor& x, int64_t dim, int64_t n) {
  int64_t rest = n;
  for (int r : {2, 3, 5, 7}) while (rest % r == 0) rest /= r;
  return rest == 1 && n % 2 == 0 && dim == x.dim() - 1 && x->contiguous;
}
// f(plan of n, line) for all of them.
template <class R, class F> static void each_line(int64_t lines, int64_t n, F f) {
  const auto plan = plan_for<R>(n);
  LongKernel unlocked(lines * n * 4);
  parallel_for(lines, std::max<int64_t>(1, (1 << 15) / n), [&](int64_t begin, int64_t end) {
    for (int64_t l = begin; l < end; l++) f(*plan, l);
  });
}
Tensor frequencies_of_real(const Tensor& x, int64_t n, bool forward, double scale) {
  Shape size(x.sizes()), half(x.sizes());
  size.back() = n / 2 + 1, half.back() = n / 2, half.push_back(2);
  const Tensor z = transformed(view_as_complex(reshape(x, half)), {x.dim() - 1}, true, scale);
  Tensor out = empty(size, z.dtype(), x.device());
  const auto run = [&](auto zero) {
    using R = decltype(zero);
    const R* from = z->host<const R>();
    R* to = out->host<R>();
    each_line<R>(x.numel() / n, n, [=](const Plan<R>& plan, int64_t l) { to_frequencies(plan, from + l * n, to + l * (n + 2), !forward); });
  };
  x.dtype() == Dtype::Float64 ? run(double()) : run(float());
  return out;
}
Tensor real_of_frequencies(const Tensor& x, int64_t n, bool forward, double scale) {
  Shape size(x.sizes()), half(x.sizes());
  size.back() = n, half.back() = n / 2;
  const Tensor z = empty(half, x.dtype(), x.device());
  const auto run = [&](auto zero) {
    using R = decltype(zero);
    const R* from = x->host<const R>();
    R* to = z->host<R>();
    each_line<R>(2 * z.numel() / n, n, [=](const Plan<R>& plan, int64_t l) { from_frequencies(plan, from + l * (n + 2), to + l * n, forward); });
  };
  x.dtype() == Dtype::Complex128 ? run(double()) : run(float());
  return reshape(view_as_real(transformed(z, {x.dim() - 1}, false, scale)), size);
}

}  // namespace tapegrad
