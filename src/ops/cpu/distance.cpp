// Distances, tile by tile as products are: some rows of x against packets that have one row of y in each lane. Differences are taken
// before they are squared, so that near rows lose nothing and equal ones are at 0.
#include "src/ops/cpu/distance.h"

#include "src/ops/cpu/lanes.h"
#include "src/ops/cpu/table.h"

namespace tapegrad { inline namespace TG_NS { namespace {

template <class C> using Numbers = Vec<C, kLanes<C>>;
// Lane by lane in the debug set, which has no instructions for packets.
template <class V> TG_IN V root_of(V x) {
  if constexpr (requires { sqrt(x); }) return sqrt(x); else return each_lane([](auto t) { return sqrt(t); }, x);
}
template <class V> TG_IN V power_of(V x, double p) {
  if constexpr (requires { sqrt(x); }) return pow(x, V(p)); else return each_lane([p](auto t) { return pow(t, decltype(t)(p)); }, x);
}

// What p makes of a packet of differences, how two of those join, what the distance is of all; and the factor of a gradient. Tiles of the
// powers that cost much have one packet.
struct NormOfSums {
  static constexpr bool costly = false;
  template <class V> TG_IN V join(V a, V b) const { return a + b; }
  template <class V> TG_IN V root(V s) const { return s; }
};
template <class C> struct NormOne : NormOfSums {
  TG_IN auto of(Numbers<C> t) const { return abs(t); }
  TG_IN auto factor(Numbers<C> t, Numbers<C>) const { return where(t == Numbers<C>(0), t, copysign(Numbers<C>(1), t)); }
};
template <class C> struct NormTwo : NormOfSums {
  TG_IN auto of(Numbers<C> t) const { return t * t; }
  TG_IN auto root(Numbers<C> s) const { return root_of(s); }
  TG_IN auto factor(Numbers<C> t, Numbers<C>) const { return t; }
};
template <class C> struct NormMax : NormOne<C> {
  static constexpr bool costly = true;
  TG_IN auto join(Numbers<C> a, Numbers<C> b) const { return maximum(a, b); }
  TG_IN auto factor(Numbers<C> t, Numbers<C> distance) const {
    return where(abs(t) == distance, NormOne<C>::factor(t, distance), Numbers<C>(0));
  }
};
template <class C> struct NormZero : NormOfSums {
  static constexpr bool costly = true;
  TG_IN auto of(Numbers<C> t) const { return where(t == Numbers<C>(0), t, Numbers<C>(1)); }
  TG_IN auto factor(Numbers<C> t, Numbers<C>) const { return zeros_like(t); }
};
template <class C> struct NormAny : NormOfSums {
  static constexpr bool costly = true;
  double p;
  explicit NormAny(double power) : p(power) {}
  TG_IN auto of(Numbers<C> t) const { return power_of(abs(t), p); }
  TG_IN auto root(Numbers<C> s) const { return power_of(s, 1 / p); }
  TG_IN auto factor(Numbers<C> t, Numbers<C>) const { return where(t == Numbers<C>(0), t, copysign(power_of(abs(t), p - 1), t)); }
};
/// f(what p is).
template <class C, class F> TG_IN void with_power(double p, F f) {
  if (p == 1) f(NormOne<C>());
  else if (p == 2) f(NormTwo<C>());
  else if (p == 0) f(NormZero<C>());
  else if (p == __builtin_inf()) f(NormMax<C>());
  else f(NormAny<C>(p));
}

template <class C> struct Distances {
  using V = Wide<C>;
  using N = Numbers<C>;
  static constexpr int L = kLanes<C>;
  static constexpr bool kManyRegisters = TG_VECTOR_BYTES == 64;
  static constexpr int64_t kDepth = 256;  // elements of a row at a time: rounding errors do not grow with more, and a panel stays in L2

  /// A row of `n` results: what the elements before this panel's have given, joined with s; all of them when `last`.
  template <class Op> [[gnu::noinline]] static void finish(Op op, const C* s, C* out, int64_t n, bool first, bool last) {
    steps<C>(n, [=](int64_t j, auto at) {
      N v = get<V>(s + j);
      if (!first) v = op.join(N(at.get(out + j)), v);
      if (last) v = op.root(v);
      at.put(out + j, V(v.v));
    });
  }
  /// The distances to `n` rows of y, which fill at most P packets.
  template <int R, int P, class Op> static void strip(Op op, const C* x, const C* y, C* r, int64_t m, int64_t n, int64_t k, int64_t stride) {
    alignas(64) C panel[kDepth * P * L];  // row i has element i of each row of y
    for (int64_t from = 0; from == 0 || from < k; from += kDepth) {
      const int64_t depth = k - from < kDepth ? k - from : kDepth;
      const bool first = from == 0, last = from + kDepth >= k;
      for (int64_t j = 0; j < P * L; j++)
        for (int64_t i = 0; i < depth; i++) panel[i * P * L + j] = j < n ? y[j * k + from + i] : C(0);
      for (int64_t i = 0; i < m; i += R) {
        const C* row[R];
        for (int q = 0; q < R; q++) row[q] = x + (i + q < m ? i + q : m - 1) * k + from;
        V s[R][P] = {};
        for (int64_t e = 0; e < depth; e++) {
          V t[P];
          for (int c = 0; c < P; c++) t[c] = get<V>(panel + (e * P + c) * L);
          for (int q = 0; q < R; q++)
            for (int c = 0; c < P; c++) s[q][c] = op.join(N(s[q][c]), op.of(N(t[c] - row[q][e]))).v;
        }
        alignas(64) C sums[R][P * L];
        for (int q = 0; q < R; q++) for (int c = 0; c < P; c++) put(sums[q] + c * L, s[q][c]);
        for (int q = 0; q < R && i + q < m; q++) finish(op, sums[q], r + (i + q) * stride, n, first, last);
      }
    }
  }
  static void forward(double p, const void* px, const void* py, void* pr, int64_t m, int64_t n, int64_t k, int64_t stride) {
    const C *x = static_cast<const C*>(px), *y = static_cast<const C*>(py);
    C* r = static_cast<C*>(pr);
    with_power<C>(p, [&](auto op) {
      constexpr int R = op.costly ? 1 : kManyRegisters ? 8 : 4, P = op.costly ? 1 : kManyRegisters ? 3 : 2;
      int64_t j = 0;
      for (; j + (P - 1) * L < n; j += P * L) strip<R, P>(op, x, y + j * k, r + j, m, n - j < P * L ? n - j : P * L, k, stride);
      for (; j < n; j += L) strip<R, 1>(op, x, y + j * k, r + j, m, n - j < L ? n - j : L, k, stride);
    });
  }

  struct Gradient {
    const C *w, *distance, *x, *y;
    C* dx;
    int64_t row, col, m, n, k;
  };
  /// P packets of elements, R rows at a time.
  template <int R, int P, class Op, class At> static TG_IN void columns(Op op, const Gradient& g, int64_t c, At at) {
    for (int64_t i = 0; i < g.m; i += R) {
      const C *w[R], *distance[R];
      V x[R][P], s[R][P] = {};
      for (int q = 0; q < R; q++) {
        const int64_t there = i + q < g.m ? i + q : g.m - 1;
        w[q] = g.w + there * g.row, distance[q] = g.distance + there * g.row;
        for (int e = 0; e < P; e++) x[q][e] = at.get(g.x + there * g.k + c + e * L);
      }
      const C* y = g.y + c;
      for (int64_t j = 0; j < g.n; j++, y += g.k) {
        V t[P];
        for (int e = 0; e < P; e++) t[e] = at.get(y + e * L);
        for (int q = 0; q < R; q++)
          for (int e = 0; e < P; e++) s[q][e] += op.factor(N(x[q][e] - t[e]), N(V{} + distance[q][j * g.col])).v * w[q][j * g.col];
      }
      for (int q = 0; q < R && i + q < g.m; q++)
        for (int e = 0; e < P; e++) at.put(g.dx + (i + q) * g.k + c + e * L, s[q][e]);
    }
  }
  static void backward(double p, const void* w, const void* distance, int64_t row, int64_t col, const void* x, const void* y, void* dx,
                       int64_t m, int64_t n, int64_t k) {
    const Gradient g{static_cast<const C*>(w), static_cast<const C*>(distance), static_cast<const C*>(x), static_cast<const C*>(y),
                     static_cast<C*>(dx), row, col, m, n, k};
    with_power<C>(p, [&](auto op) {
      constexpr int R = op.costly ? 1 : 4, P = op.costly ? 1 : kManyRegisters ? 4 : 2;
      int64_t c = 0;
      for (; P > 1 && c + P * L <= k; c += P * L) columns<R, P>(op, g, c, Whole<C, L>{});
      for (; c < k; c += L) columns<R, 1>(op, g, c, Part<C, L>{int(k - c < L ? k - c : L)});
    });
  }
  static constexpr DistanceKernels kernels{forward, backward};
};

}}  // namespace

extern "C" const DistanceTable TG_TABLE(distance);
constinit const DistanceTable TG_TABLE(distance) = {TG_NS::Distances<float>::kernels, TG_NS::Distances<double>::kernels};

}  // namespace tapegrad
