// Softmax and norms, row by row. A row is passed over several times while it sits in the cache.
#include "src/ops/cpu/rowwise.h"

#include "src/ops/cpu/lanes.h"
#include "src/ops/cpu/table.h"

namespace tapegrad { inline namespace TG_NS { namespace {

template <class C> struct Rows {
  static const C* in(const void* p) { return static_cast<const C*>(p); }
  static C* out(void* p) { return static_cast<C*>(p); }
  static C log_of(C x) { return log(Vec<C, int(16 / sizeof(C))>(double(x))).v[0]; }

  static C largest(const C* x, int64_t n) {
    return join_run<MaxJoin, C>(n, C(-__builtin_inf()), [=](int64_t i, auto v) { return get<decltype(v)>(x + i); });
  }
  static C sum_exp(const C* x, int64_t n, C shift) {
    return join_run<AddJoin, C>(n, C(0), [=](int64_t i, auto v) {
      using V = decltype(v);
      return exp_of<C>(V(get<V>(x + i) - shift));
    });
  }

  static void softmax(const void* px, void* py, int64_t rows, int64_t n, bool log) {
    const C* x = in(px);
    C* y = out(py);
    for (int64_t r = 0; r < rows; r++, x += n, y += n) {
      const C m = largest(x, n);
      if (log) {
        const C rest = log_of(sum_exp(x, n, m));  // apart from m, which may be so large that the rest would drown in it
        each<C>(n, [=](int64_t i, auto v) { using V = decltype(v); put<V>(y + i, V(get<V>(x + i) - m - rest)); });
        continue;
      }
      const C sum = join_run<AddJoin, C>(n, C(0), [=](int64_t i, auto v) {
        using V = decltype(v);
        const V e = exp_of<C>(V(get<V>(x + i) - m));
        put<V>(y + i, e);
        return e;
      });
      const C scale = C(1) / sum;
      each<C>(n, [=](int64_t i, auto v) { using V = decltype(v); put<V>(y + i, V(get<V>(y + i) * scale)); });
    }
  }
  static void softmax_backward(const void* pg, const void* py, void* pd, int64_t rows, int64_t n, bool log) {
    const C *g = in(pg), *y = in(py);
    C* d = out(pd);
    for (int64_t r = 0; r < rows; r++, g += n, y += n, d += n) {
      const C s = join_run<AddJoin, C>(n, C(0), [=](int64_t i, auto v) {
        using V = decltype(v);
        return log ? get<V>(g + i) : V(get<V>(g + i) * get<V>(y + i));
      });
      each<C>(n, [=](int64_t i, auto v) {
        using V = decltype(v);
        const V gi = get<V>(g + i), yi = get<V>(y + i);
        put<V>(d + i, log ? V(gi - exp_of<C>(yi) * s) : V((gi - s) * yi));
      });
    }
  }

  // Columns stand beside each other in packets; what belongs to one is kept in small arrays.
  static constexpr int kStrip = 64;
  static void softmax_cols(const void* px, void* py, int64_t n, int64_t stride, int64_t cols, bool log) {
    const C* x = in(px);
    C* y = out(py);
    C most[kStrip], sums[kStrip] = {};
    C *m = most, *s = sums;
    for (int64_t c = 0; c < cols; c++) m[c] = C(-__builtin_inf());
    for (int64_t r = 0; r < n; r++) {
      const C* p = x + r * stride;
      each<C>(cols, [=](int64_t i, auto v) { using V = decltype(v); put<V>(m + i, MaxJoin::join<V>(get<V>(m + i), get<V>(p + i))); });
    }
    for (int64_t r = 0; r < n; r++) {
      const C* p = x + r * stride;
      C* q = y + r * stride;
      each<C>(cols, [=](int64_t i, auto v) {
        using V = decltype(v);
        const V e = exp_of<C>(V(get<V>(p + i) - get<V>(m + i)));
        put<V>(s + i, V(get<V>(s + i) + e));
        if (!log) put<V>(q + i, e);
      });
    }
    for (int64_t c = 0; c < cols; c++) s[c] = log ? log_of(s[c]) : C(1) / s[c];
    for (int64_t r = 0; r < n; r++) {
      const C* p = x + r * stride;
      C* q = y + r * stride;
      each<C>(cols, [=](int64_t i, auto v) {
        using V = decltype(v);
        put<V>(q + i, log ? V(get<V>(p + i) - get<V>(m + i) - get<V>(s + i)) : V(get<V>(q + i) * get<V>(s + i)));
      });
    }
  }
  static void softmax_backward_cols(const void* pg, const void* py, void* pd, int64_t n, int64_t stride, int64_t cols, bool log) {
    C sums[kStrip] = {};
    C* s = sums;
    for (int64_t r = 0; r < n; r++) {
      const C *g = in(pg) + r * stride, *y = in(py) + r * stride;
      each<C>(cols, [=](int64_t i, auto v) {
        using V = decltype(v);
        put<V>(s + i, V(get<V>(s + i) + (log ? get<V>(g + i) : V(get<V>(g + i) * get<V>(y + i)))));
      });
    }
    for (int64_t r = 0; r < n; r++) {
      const C *g = in(pg) + r * stride, *y = in(py) + r * stride;
      C* d = out(pd) + r * stride;
      each<C>(cols, [=](int64_t i, auto v) {
        using V = decltype(v);
        const V gi = get<V>(g + i), yi = get<V>(y + i), si = get<V>(s + i);
        put<V>(d + i, log ? V(gi - exp_of<C>(yi) * si) : V((gi - si) * yi));
      });
    }
  }

  static void sum_exps(const void* px, int64_t rows, int64_t n, double* o) {
    const C* x = in(px);
    for (int64_t r = 0; r < rows; r++, x += n) {
      const C m = largest(x, n);
      o[2 * r] = double(m), o[2 * r + 1] = double(sum_exp(x, n, m));
    }
  }
  static void exp_affine(const void* px, int64_t n, double shift, double scale, double bias, void* py) {
    const C *x = in(px), h = C(shift), a = C(scale), b = C(bias);
    C* y = out(py);
    each<C>(n, [=](int64_t i, auto v) { using V = decltype(v); put<V>(y + i, V(exp_of<C>(V(get<V>(x + i) - h)) * a + b)); });
  }
  static void moments(const void* px, int64_t n, bool centred, double* mean, double* var) {
    const C* x = in(px);
    const C m = centred ? join_run<AddJoin, C>(n, C(0), [=](int64_t i, auto v) { return get<decltype(v)>(x + i); }) / C(n) : C(0);
    *mean = m;
    *var = double(join_run<AddJoin, C>(n, C(0), [=](int64_t i, auto v) {
             using V = decltype(v);
             const V d = get<V>(x + i) - m;
             return V(d * d);
           })) / double(n);
  }
  static void dots(const void* pg, const void* px, const void* pw, int64_t n, double mean, double* sum_g, double* sum_gx) {
    const C *g = in(pg), *x = in(px), *w = in(pw), m = C(mean);
    if (w) {
      *sum_g = join_run<AddJoin, C>(n, C(0), [=](int64_t i, auto v) { using V = decltype(v); return V(get<V>(g + i) * get<V>(w + i)); });
      *sum_gx = join_run<AddJoin, C>(n, C(0), [=](int64_t i, auto v) { using V = decltype(v); return V(get<V>(g + i) * get<V>(w + i) * (get<V>(x + i) - m)); });
    } else {
      *sum_g = join_run<AddJoin, C>(n, C(0), [=](int64_t i, auto v) { return get<decltype(v)>(g + i); });
      *sum_gx = join_run<AddJoin, C>(n, C(0), [=](int64_t i, auto v) { using V = decltype(v); return V(get<V>(g + i) * (get<V>(x + i) - m)); });
    }
  }
  static void affine(const void* px, int64_t n, double mean, double pa, double pb, void* py) {
    const C *x = in(px), m = C(mean), a = C(pa), b = C(pb);
    C* y = out(py);
    each<C>(n, [=](int64_t i, auto v) { using V = decltype(v); put<V>(y + i, V((get<V>(x + i) - m) * a + b)); });
  }
  static void affine_by(const void* px, int64_t n, double mean, double pa, const void* pw, const void* pb, void* py) {
    const C *x = in(px), *w = in(pw), *b = in(pb), m = C(mean), a = C(pa);
    C* y = out(py);
    if (w && b) each<C>(n, [=](int64_t i, auto v) { using V = decltype(v); put<V>(y + i, V((get<V>(x + i) - m) * a * get<V>(w + i) + get<V>(b + i))); });
    else if (w) each<C>(n, [=](int64_t i, auto v) { using V = decltype(v); put<V>(y + i, V((get<V>(x + i) - m) * a * get<V>(w + i))); });
    else if (b) each<C>(n, [=](int64_t i, auto v) { using V = decltype(v); put<V>(y + i, V((get<V>(x + i) - m) * a + get<V>(b + i))); });
    else each<C>(n, [=](int64_t i, auto v) { using V = decltype(v); put<V>(y + i, V((get<V>(x + i) - m) * a)); });
  }
  static void mix(const void* pg, const void* px, const void* pw, int64_t n, double mean, double pa, double pb, double pc, void* py) {
    const C *g = in(pg), *x = in(px), *w = in(pw), m = C(mean), a = C(pa), b = C(pb), c = C(pc);
    C* y = out(py);
    if (w) each<C>(n, [=](int64_t i, auto v) { using V = decltype(v); put<V>(y + i, V(get<V>(g + i) * get<V>(w + i) * a + (get<V>(x + i) - m) * b + c)); });
    else each<C>(n, [=](int64_t i, auto v) { using V = decltype(v); put<V>(y + i, V(get<V>(g + i) * a + (get<V>(x + i) - m) * b + c)); });
  }
  static void gather(const void* pg, const void* px, int64_t n, double mean, double pa, void* pw, void* pb) {
    const C *g = in(pg), *x = in(px), m = C(mean), a = C(pa);
    C *dw = out(pw), *db = out(pb);
    if (dw) each<C>(n, [=](int64_t i, auto v) { using V = decltype(v); put<V>(dw + i, V(get<V>(dw + i) + get<V>(g + i) * ((get<V>(x + i) - m) * a))); });
    if (db) each<C>(n, [=](int64_t i, auto v) { using V = decltype(v); put<V>(db + i, V(get<V>(db + i) + get<V>(g + i))); });
  }
  static constexpr RowKernels table = {softmax, softmax_backward, softmax_cols, softmax_backward_cols, sum_exps, exp_affine,
                                       moments, dots, affine, affine_by, mix, gather};
};

}}  // namespace

extern "C" const RowTable TG_TABLE(rowwise);
constinit const RowTable TG_TABLE(rowwise) = {Rows<float>::table, Rows<double>::table};

}  // namespace tapegrad
