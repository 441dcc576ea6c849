// The softmax of attention, block by block: Milakov & Gimelshein 2018, "Online normalizer calculation for softmax", as Dao et al.
// 2022 use it in "FlashAttention".
#include "src/ops/cpu/attention.h"

#include "src/ops/cpu/panels.h"
#include "src/ops/cpu/table.h"

namespace tapegrad { inline namespace TG_NS { namespace {

template <class C> struct Blocks {
  static constexpr int L = kLanes<C>;
  using V = Wide<C>;
  static constexpr C kNever = C(-__builtin_inf());
  static const C* in(const void* p) { return static_cast<const C*>(p); }
  static C* out(void* p) { return static_cast<C*>(p); }
  static C log_of(C x) { return log(Vec<C, int(16 / sizeof(C))>(double(x))).v[0]; }

  // The first n lanes of v, `other` in the rest.
  static TG_IN V keep(V v, int64_t n, C other) { return n >= L ? v : Part<C, L>{int(n)}.keep(v, other); }

  static int64_t seen(const Scores& s, int64_t row) {
    const int64_t n = s.visible + row;
    return n < 0 ? 0 : n < s.columns ? n : s.columns;
  }
  static const C* mask_of(const Scores& s, int64_t row) { return s.mask ? in(s.mask) + row * s.mask_row : nullptr; }
  // Scores from i on, of n; -inf behind them.
  static TG_IN V scores(const C* x, const C* mask, C scale, int64_t i, int64_t n) {
    V y = get<V>(x + i) * scale;
    if (mask) y += load_part(mask + i, n - i);
    return keep(y, n - i, kNever);
  }
  static TG_IN void clear(C* x, int64_t from, int64_t to) { for (int64_t i = from; i < to; i += L) put<V>(x + i, V{}); }

  static void soften(const Scores& s, void* pm, void* ps, void* po, int64_t out_row, int64_t width) {
    C *most = out(pm), *sum = out(ps), *o = out(po), *x = out(s.data);
    const C scale = C(s.scale);
    for (int64_t r = 0; r < s.rows; r++, x += s.step) {
      const int64_t n = seen(s, r);
      const C *mask = mask_of(s, r), before = o ? most[r] : kNever;
      V top = V{} + before, total = {};
      int64_t end = 0;
      for (; end < n; end += L) {
        const V y = scores(x, mask, scale, end, n);
        put<V>(x + end, y);
        top = MostJoin::join(top, y);
      }
      const C now = tree<MostJoin, C, L, 1>(&top), shift = now == kNever ? C(0) : now;
      for (int64_t i = 0; i < end; i += L) {
        const V e = exp_of<C>(V(get<V>(x + i) - shift));
        put<V>(x + i, e);
        total += e;
      }
      clear(x, end, s.columns);
      most[r] = now;
      const C all = tree<AddJoin, C, L, 1>(&total);
      if (!o) {
        sum[r] = all;
        continue;
      }
      const C shrink = exp_of<C>(C(before - shift));
      C* to = o + r * out_row;
      sum[r] = sum[r] * shrink + all;
      if (shrink != C(1)) each<C>(width, [=](int64_t i, auto v) { using P = decltype(v); put<P>(to + i, P(get<P>(to + i) * shrink)); });
    }
  }
  static void finish(int64_t rows, const void* pm, const void* ps, void* po, int64_t out_row, int64_t width, void* pl) {
    const C *most = in(pm), *sum = in(ps);
    C *o = out(po), *log_sum = out(pl);
    for (int64_t r = 0; r < rows; r++, o += out_row) {
      const bool blind = sum[r] == C(0);
      const C scale = blind ? C(0) : C(1) / sum[r];
      each<C>(width, [=](int64_t i, auto v) { using P = decltype(v); put<P>(o + i, P(get<P>(o + i) * scale)); });
      log_sum[r] = blind ? C(__builtin_inf()) : most[r] + log_of(sum[r]);
    }
  }
  static void backward(const Scores& s, void* pd, const void* pl, const void* pdots) {
    const C *log_sum = in(pl), *dots = in(pdots), scale = C(s.scale);
    C *x = out(s.data), *d = out(pd);
    for (int64_t r = 0; r < s.rows; r++, x += s.step, d += s.step) {
      const int64_t n = seen(s, r);
      const C *mask = mask_of(s, r), shift = log_sum[r], dot = dots[r];
      int64_t end = 0;
      for (; end < n; end += L) {
        const V p = exp_of<C>(V(scores(x, mask, scale, end, n) - shift));
        put<V>(x + end, p);
        put<V>(d + end, keep(p * (get<V>(d + end) - dot) * scale, n - end, C(0)));
      }
      clear(x, end, s.columns), clear(d, end, s.columns);
    }
  }
  static void dots(int64_t rows, int64_t width, const void* pa, int64_t a_row, const void* pb, int64_t b_row, void* pd) {
    const C *a = in(pa), *b = in(pb);
    C* d = out(pd);
    for (int64_t r = 0; r < rows; r++, a += a_row, b += b_row) {
      V sum = {};
      for (int64_t i = 0; i < width; i += L) sum += load_part(a + i, width - i) * load_part(b + i, width - i);
      d[r] = tree<AddJoin, C, L, 1>(&sum);
    }
  }
  static constexpr AttentionKernels table = {soften, finish, backward, dots};
};

}}  // namespace

extern "C" const AttentionTable TG_TABLE(attention);
constinit const AttentionTable TG_TABLE(attention) = {Blocks<float>::table, Blocks<double>::table};

}  // namespace tapegrad
