// Softmax and norms, row by row. A row is passed over several times while it sits in the cache.
#include "src/ops/cpu/rowwise.h"

#include "src/ops/cpu/past.h"
#include "src/ops/cpu/table.h"

namespace tapegrad { inline namespace TG_NS { namespace {

/// Computed in C, stored in S: C itself or a 16-bit float. What belongs to a column, not to a row, is stored in C.
template <class C, class S = C> struct Rows {
  static constexpr bool kSame = __is_same(C, S);
  static const S* in(const void* p) { return static_cast<const S*>(p); }
  static S* out(void* p) { return static_cast<S*>(p); }
  static const C* columns(const void* p) { return static_cast<const C*>(p); }
  static C* columns(void* p) { return static_cast<C*>(p); }
  static C log_of(C x) { return log(Vec<C, int(16 / sizeof(C))>(double(x))).v[0]; }

  // NaN may be ignored here: the sum of exponentials will be NaN.
  static C largest(const S* x, int64_t n) {
    return join_run<MostJoin, C>(n, [=](int64_t i, auto at) { return at.get(x + i); });
  }
  static C sum_exp(const S* x, int64_t n, C shift) {
    return join_run<AddJoin, C>(n, [=](int64_t i, auto at) {
      return exp_of<C>(at.get(x + i) - shift);
    });
  }

  static void softmax(const void* px, void* py, int64_t rows, int64_t n, bool log, bool past) {
    constexpr int64_t kLongest = (1 << 15) / sizeof(C);
    alignas(64) C block[kLongest];
    past = past && n <= kLongest;
    const S* x = in(px);
    S* y = out(py);
    for (int64_t r = 0; r < rows; r++, x += n, y += n) {
      const C m = largest(x, n);
      if (log) {
        const C rest = log_of(sum_exp(x, n, m));  // apart from m, which may be so large that the rest would drown in it
        write<C>(y, n, past, [=](int64_t i, auto at) { return at.get(x + i) - m - rest; });
        continue;
      }
      C* exps = block;
      if constexpr (kSame) if (!past) exps = y;
      if (!kSame && n > kLongest) {  // no room to keep the exponentials
        const C scale = C(1) / sum_exp(x, n, m);
        write<C>(y, n, past, [=](int64_t i, auto at) { return exp_of<C>(at.get(x + i) - m) * scale; });
        continue;
      }
      const C sum = join_run<AddJoin, C>(n, [=](int64_t i, auto at) {
        const auto e = exp_of<C>(at.get(x + i) - m);
        at.put(exps + i, e);
        return e;
      });
      const C scale = C(1) / sum;
      write<C>(y, n, past, [=](int64_t i, auto at) { return at.get(exps + i) * scale; });
    }
  }
  static void softmax_backward(const void* pg, const void* py, void* pd, int64_t rows, int64_t n, bool log, bool past) {
    const S *g = in(pg), *y = in(py);
    S* d = out(pd);
    for (int64_t r = 0; r < rows; r++, g += n, y += n, d += n) {
      const C s = join_run<AddJoin, C>(n, [=](int64_t i, auto at) {
        return log ? at.get(g + i) : at.get(g + i) * at.get(y + i);
      });
      write<C>(d, n, past, [=](int64_t i, auto at) {
        const auto gi = at.get(g + i), yi = at.get(y + i);
        return log ? gi - exp_of<C>(yi) * s : (gi - s) * yi;
      });
    }
  }

  // Columns stand beside each other in packets; what belongs to one is kept in small arrays.
  static constexpr int kStrip = 64;
  static void softmax_cols(const void* px, void* py, int64_t n, int64_t stride, int64_t cols, bool log) {
    const S* x = in(px);
    S* y = out(py);
    C most[kStrip], sums[kStrip] = {};
    C *m = most, *s = sums;
    for (int64_t c = 0; c < cols; c++) m[c] = C(-__builtin_inf());
    for (int64_t r = 0; r < n; r++) {
      const S* p = x + r * stride;
      steps<C>(cols, [=](int64_t i, auto at) { at.put(m + i, MostJoin::join(at.get(m + i), at.get(p + i))); });
    }
    for (int64_t r = 0; r < n; r++) {
      const S* p = x + r * stride;
      S* q = y + r * stride;
      steps<C>(cols, [=](int64_t i, auto at) {
        const auto e = exp_of<C>(at.get(p + i) - at.get(m + i));
        at.put(s + i, at.get(s + i) + e);
        if constexpr (kSame) if (!log) at.put(q + i, e);
      });
    }
    for (int64_t c = 0; c < cols; c++) s[c] = log ? log_of(s[c]) : C(1) / s[c];
    for (int64_t r = 0; r < n; r++) {
      const S* p = x + r * stride;
      S* q = y + r * stride;
      steps<C>(cols, [=](int64_t i, auto at) {
        const auto z = at.get(p + i) - at.get(m + i), t = at.get(s + i);
        if constexpr (kSame) at.put(q + i, log ? z - t : at.get(q + i) * t);
        else at.put(q + i, log ? z - t : exp_of<C>(z) * t);
      });
    }
  }
  static void softmax_backward_cols(const void* pg, const void* py, void* pd, int64_t n, int64_t stride, int64_t cols, bool log) {
    C sums[kStrip] = {};
    C* s = sums;
    for (int64_t r = 0; r < n; r++) {
      const S *g = in(pg) + r * stride, *y = in(py) + r * stride;
      steps<C>(cols, [=](int64_t i, auto at) {
        at.put(s + i, at.get(s + i) + (log ? at.get(g + i) : at.get(g + i) * at.get(y + i)));
      });
    }
    for (int64_t r = 0; r < n; r++) {
      const S *g = in(pg) + r * stride, *y = in(py) + r * stride;
      S* d = out(pd) + r * stride;
      steps<C>(cols, [=](int64_t i, auto at) {
        const auto gi = at.get(g + i), yi = at.get(y + i), si = at.get(s + i);
        at.put(d + i, log ? gi - exp_of<C>(yi) * si : (gi - si) * yi);
      });
    }
  }

  static void sum_exps(const void* px, int64_t rows, int64_t n, double* o) {
    const S* x = in(px);
    for (int64_t r = 0; r < rows; r++, x += n) {
      const C m = largest(x, n);
      o[2 * r] = double(m), o[2 * r + 1] = double(sum_exp(x, n, m));
    }
  }
  static void exp_affine(const void* px, int64_t n, double shift, double scale, double bias, void* py) {
    const S* x = in(px);
    const C h = C(shift), a = C(scale), b = C(bias);
    C* y = columns(py);
    steps<C>(n, [=](int64_t i, auto at) {
      at.put(y + i, exp_of<C>(at.get(x + i) - h) * a + b);
      __builtin_prefetch(x + n + i);  // the next row
    });
  }
  static void moments(const void* px, int64_t n, bool centred, double* mean, double* var) {
    const S* x = in(px);
    const C m = centred ? join_run<AddJoin, C>(n, [=](int64_t i, auto at) { return at.get(x + i); }) / C(n) : C(0);
    *mean = m;
    *var = double(join_run<AddJoin, C>(n, [=](int64_t i, auto at) {
             const auto d = at.get(x + i) - m;
             return d * d;
           })) / double(n);
  }
  static void dots(const void* pg, const void* px, const void* pw, int64_t n, double mean, double* sum_g, double* sum_gx) {
    const S *g = in(pg), *x = in(px);
    const C *w = columns(pw), m = C(mean);
    const auto sums = [&](auto weighted) {
      return sum_pairs<C>(n, [=](int64_t i, auto at) { const auto v = weighted(i, at); return Pair{v, v * (at.get(x + i) - m)}; });
    };
    const auto s = w ? sums([=](int64_t i, auto at) { return at.get(g + i) * at.get(w + i); })
                     : sums([=](int64_t i, auto at) { return at.get(g + i); });
    *sum_g = double(s.a), *sum_gx = double(s.b);
  }
  static void affine(const void* px, int64_t n, double mean, double pa, double pb, void* y, bool past) {
    const S* x = in(px);
    const C m = C(mean), a = C(pa), b = C(pb);
    write<C>(out(y), n, past, [=](int64_t i, auto at) { return (at.get(x + i) - m) * a + b; });
  }
  static void affine_by(const void* px, int64_t n, double mean, double pa, const void* pw, const void* pb, void* y, bool past) {
    const S* x = in(px);
    const C *w = columns(pw), *b = columns(pb), m = C(mean), a = C(pa);
    auto finish = [=](auto last) {
      write<C>(out(y), n, past, [=](int64_t i, auto at) { return last(i, at, (at.get(x + i) - m) * a); });
    };
    if (w && b) finish([=](int64_t i, auto at, auto v) { return v * at.get(w + i) + at.get(b + i); });
    else if (w) finish([=](int64_t i, auto at, auto v) { return v * at.get(w + i); });
    else if (b) finish([=](int64_t i, auto at, auto v) { return v + at.get(b + i); });
    else finish([](int64_t, auto, auto v) { return v; });
  }
  static void mix(const void* pg, const void* px, const void* pw, int64_t n, double mean, double pa, double pb, double pc, void* y,
      bool past) {
    const S *g = in(pg), *x = in(px);
    const C *w = columns(pw), m = C(mean), a = C(pa), b = C(pb), c = C(pc);
    if (w) write<C>(out(y), n, past, [=](int64_t i, auto at) { return at.get(g + i) * at.get(w + i) * a + (at.get(x + i) - m) * b + c; });
    else write<C>(out(y), n, past, [=](int64_t i, auto at) { return at.get(g + i) * a + (at.get(x + i) - m) * b + c; });
  }
  static void gather(const void* pg, const void* px, int64_t n, double mean, double pa, void* pw, void* pb) {
    const S *g = in(pg), *x = in(px);
    const C m = C(mean), a = C(pa);
    C *dw = columns(pw), *db = columns(pb);
    if (dw) steps<C>(n, [=](int64_t i, auto at) { at.put(dw + i, at.get(dw + i) + at.get(g + i) * ((at.get(x + i) - m) * a)); });
    if (db) steps<C>(n, [=](int64_t i, auto at) { at.put(db + i, at.get(db + i) + at.get(g + i)); });
  }
  static void mix_gather(const void* pg, const void* px, const void* pw, int64_t n, double mean, double pa, double pb, double pc,
      void* y, void* pdw, void* pdb, bool past) {
    const S *g = in(pg), *x = in(px);
    const C *w = columns(pw), m = C(mean), a = C(pa), b = C(pb), c = C(pc);
    C *dw = columns(pdw), *db = columns(pdb);
    write<C>(out(y), n, past, [=](int64_t i, auto at) {
      __builtin_prefetch(g + n + i), __builtin_prefetch(x + n + i);  // the next row: here there is much between two loads
      const auto gi = at.get(g + i), d = at.get(x + i) - m;
      at.put(dw + i, at.get(dw + i) + gi * (d * a));
      at.put(db + i, at.get(db + i) + gi);
      return (w ? gi * at.get(w + i) : gi) * a + d * b + c;
    });
  }
  static constexpr SoftmaxKernels softmaxes = {softmax, softmax_backward, softmax_cols, softmax_backward_cols, sum_exps, exp_affine};
  static constexpr NormKernels norms = {moments, dots, affine, affine_by, mix, gather, mix_gather};
};

}}  // namespace

extern "C" const SoftmaxTable TG_TABLE(softmax);
extern "C" const NormTable TG_TABLE(norm);
constinit const SoftmaxTable TG_TABLE(softmax) = {Rows<float>::softmaxes, Rows<double>::softmaxes, Rows<float, TG_NS::Half>::softmaxes,
                                                  Rows<float, TG_NS::Brain>::softmaxes};
constinit const NormTable TG_TABLE(norm) = {Rows<float>::norms, Rows<double>::norms, Rows<float, TG_NS::Half>::norms,
                                            Rows<float, TG_NS::Brain>::norms};

}  // namespace tapegrad
