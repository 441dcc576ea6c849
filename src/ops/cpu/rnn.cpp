// Recurrent cells. Formulas: Hochreiter & Schmidhuber 1997 with forget gates (Gers et al. 2000) for the LSTM, Cho et al. 2014 with
// the reset gate after the product (as cuDNN and PyTorch have it) for the GRU.
#include "src/ops/cpu/rnn.h"

#include "src/ops/cpu/lanes.h"
#include "src/ops/cpu/table.h"

namespace tapegrad { inline namespace TG_NS { namespace {

// Numbers go through a packet too, so that their bits are a packet's.
template <class C, class V> TG_IN V sigmoid_of(V x) { return C(1) / (C(1) + exp_of<C>(V(-x))); }
template <class C, class V> TG_IN V tanh_of(V x) {
  if constexpr (__is_same(V, C)) return tanh(Vec<C, int(16 / sizeof(C))>(double(x))).v[0];
  else return tanh(Vec<C, int(sizeof(V) / sizeof(C))>(x)).v;
}

// M rows of c = [c +] a b for one panel: M x 2 packets of sums stay in registers.
template <class C, int M> void tile(const C* a, int64_t a_row, const C* b, int64_t k, C* c, int64_t c_row, int64_t width, bool add) {
  constexpr int L = TG_VECTOR_BYTES / sizeof(C);
  using V = typename Packet<C, L>::type;
  V sum[M][2] = {};
  for (int64_t p = 0; p < k; p++, b += 2 * L) {
    const V b0 = get<V>(b), b1 = get<V>(b + L);
    for (int i = 0; i < M; i++) {
      const C x = a[i * a_row + p];
      sum[i][0] += x * b0, sum[i][1] += x * b1;
    }
  }
  for (int i = 0; i < M; i++, c += c_row) {
    if (width == 2 * L) {
      for (int h = 0; h < 2; h++) put<V>(c + h * L, add ? V(get<V>(c + h * L) + sum[i][h]) : sum[i][h]);
    } else {
      C row[2 * L];
      put<V>(row, sum[i][0]), put<V>(row + L, sum[i][1]);
      for (int64_t j = 0; j < width; j++) c[j] = add ? c[j] + row[j] : row[j];
    }
  }
}
template <class C> struct Panels {
  static constexpr int64_t kWidth = 2 * TG_VECTOR_BYTES / sizeof(C), kDepth = 512 / sizeof(C);  // so that a's part stays in the L1 cache
  static void pack(const void* pb, int64_t b_row, int64_t b_col, int64_t k, int64_t n, void* to) {
    const C* b = static_cast<const C*>(pb);
    C* out = static_cast<C*>(to);
    for (int64_t j = 0; j < n; j += kWidth) {
      const int64_t width = n - j < kWidth ? n - j : kWidth;
      for (int64_t p = 0; p < k; p++, out += kWidth) {
        const C* row = b + p * b_row + j * b_col;
        for (int64_t i = 0; i < width; i++) out[i] = row[i * b_col];
        for (int64_t i = width; i < kWidth; i++) out[i] = 0;
      }
    }
  }
  static void rows(int64_t m, const C* a, int64_t a_row, const C* b, int64_t k, C* c, int64_t c_row, int64_t width, bool add) {
    switch (m) {
      case 1: return tile<C, 1>(a, a_row, b, k, c, c_row, width, add);
      case 2: return tile<C, 2>(a, a_row, b, k, c, c_row, width, add);
      case 3: return tile<C, 3>(a, a_row, b, k, c, c_row, width, add);
      case 4: return tile<C, 4>(a, a_row, b, k, c, c_row, width, add);
      case 5: return tile<C, 5>(a, a_row, b, k, c, c_row, width, add);
      default: return tile<C, 6>(a, a_row, b, k, c, c_row, width, add);
    }
  }
  static void times(const void* pa, const void* panels, void* pc, int64_t m, int64_t k, int64_t n, int64_t begin, int64_t end, bool add) {
    const C* a = static_cast<const C*>(pa);
    const int64_t tiles = (m + 5) / 6;  // of nearly equal height, at most 6
    for (int64_t p = 0; p < k; p += kDepth) {
      const int64_t depth = k - p < kDepth ? k - p : kDepth;
      for (int64_t panel = begin; panel < end; panel++) {
        const int64_t column = panel * kWidth, width = n - column < kWidth ? n - column : kWidth;
        const C* b = static_cast<const C*>(panels) + (panel * k + p) * kWidth;
        C* c = static_cast<C*>(pc) + column;
        for (int64_t t = 0; t < tiles; t++) {
          const int64_t i = t * m / tiles, height = (t + 1) * m / tiles - i;
          rows(height, a + i * k + p, k, b, depth, c + i * n, n, width, add || p);
        }
      }
    }
  }
};

template <class C> struct Cells {
  static const C* in(const void* p) { return static_cast<const C*>(p); }
  static C* out(void* p) { return static_cast<C*>(p); }

  static void lstm(void* pg, void* pc, void* pk, void* ph, int64_t rows, int64_t n) {
    C *g = out(pg), *c = out(pc), *kept = out(pk), *h = out(ph);
    for (int64_t r = 0; r < rows; r++, g += 4 * n, c += n, h += n) {
      each<C>(n, [=](int64_t k, auto v) {
        using V = decltype(v);
        const V i = sigmoid_of<C>(get<V>(g + k)), f = sigmoid_of<C>(get<V>(g + n + k)), a = tanh_of<C>(get<V>(g + 2 * n + k)),
                o = sigmoid_of<C>(get<V>(g + 3 * n + k));
        const V before = get<V>(c + k), cell = f * before + i * a;
        put<V>(g + k, i), put<V>(g + n + k, f), put<V>(g + 2 * n + k, a), put<V>(g + 3 * n + k, o);
        put<V>(c + k, cell);
        if (kept) put<V>(kept + k, before);
        put<V>(h + k, V(o * tanh_of<C>(cell)));
      });
      if (kept) kept += n;
    }
  }
  static void lstm_backward(const void* pg, const void* pk, const void* pdh, void* pdc, void* pd, void* ph, int64_t rows, int64_t n) {
    const C *g = in(pg), *kept = in(pk), *dh = in(pdh);
    C *dc = out(pdc), *d = out(pd), *h = out(ph);
    for (int64_t r = 0; r < rows; r++, g += 4 * n, d += 4 * n, kept += n, dh += n, dc += n) {
      each<C>(n, [=](int64_t k, auto v) {
        using V = decltype(v);
        const V i = get<V>(g + k), f = get<V>(g + n + k), a = get<V>(g + 2 * n + k), o = get<V>(g + 3 * n + k);
        const V before = get<V>(kept + k), t = tanh_of<C>(V(f * before + i * a)), from = get<V>(dh + k);
        const V cell = get<V>(dc + k) + from * o * (C(1) - t * t);
        put<V>(d + k, V(cell * a * i * (C(1) - i)));
        put<V>(d + n + k, V(cell * before * f * (C(1) - f)));
        put<V>(d + 2 * n + k, V(cell * i * (C(1) - a * a)));
        put<V>(d + 3 * n + k, V(from * t * o * (C(1) - o)));
        put<V>(dc + k, V(cell * f));
        if (h) put<V>(h + k, V(o * t));
      });
      if (h) h += n;
    }
  }

  static void gru(void* pg, const void* pu, void* pk, void* ph, void* py, int64_t rows, int64_t n) {
    C *g = out(pg), *kept = out(pk), *h = out(ph), *y = out(py);
    const C* u = in(pu);
    for (int64_t row = 0; row < rows; row++, g += 3 * n, u += 3 * n, h += n, y += n) {
      each<C>(n, [=](int64_t k, auto v) {
        using V = decltype(v);
        const V r = sigmoid_of<C>(V(get<V>(g + k) + get<V>(u + k))), z = sigmoid_of<C>(V(get<V>(g + n + k) + get<V>(u + n + k)));
        const V from_h = get<V>(u + 2 * n + k), a = tanh_of<C>(V(get<V>(g + 2 * n + k) + r * from_h));
        const V next = a + z * (get<V>(h + k) - a);
        put<V>(g + k, r), put<V>(g + n + k, z), put<V>(g + 2 * n + k, a);
        if (kept) put<V>(kept + k, from_h);
        put<V>(h + k, next), put<V>(y + k, next);
      });
      if (kept) kept += n;
    }
  }
  static void gru_backward(const void* pg, const void* pk, const void* pb, void* pdh, void* pd, void* pu, int64_t rows, int64_t n) {
    const C *g = in(pg), *kept = in(pk), *before = in(pb);
    C *dh = out(pdh), *d = out(pd), *u = out(pu);
    for (int64_t row = 0; row < rows; row++, g += 3 * n, d += 3 * n, u += 3 * n, kept += n, before += n, dh += n) {
      each<C>(n, [=](int64_t k, auto v) {
        using V = decltype(v);
        const V r = get<V>(g + k), z = get<V>(g + n + k), a = get<V>(g + 2 * n + k), from = get<V>(dh + k);
        const V da = from * (C(1) - z) * (C(1) - a * a), dz = from * (get<V>(before + k) - a) * z * (C(1) - z);
        const V dr = da * get<V>(kept + k) * r * (C(1) - r);
        put<V>(d + k, dr), put<V>(d + n + k, dz), put<V>(d + 2 * n + k, da);
        put<V>(u + k, dr), put<V>(u + n + k, dz), put<V>(u + 2 * n + k, V(da * r));
        put<V>(dh + k, V(from * z));
      });
    }
  }

  static void plain(void* px, void* ph, int64_t n, bool relu) {
    C *x = out(px), *h = out(ph);
    each<C>(n, [=](int64_t k, auto v) {
      using V = decltype(v);
      const V a = get<V>(x + k), y = relu ? V(a < V{} ? V{} : a) : tanh_of<C>(a);
      put<V>(x + k, y), put<V>(h + k, y);
    });
  }
  static void plain_backward(const void* ph, const void* pdh, void* pd, int64_t n, bool relu) {
    const C *h = in(ph), *dh = in(pdh);
    C* d = out(pd);
    each<C>(n, [=](int64_t k, auto v) {
      using V = decltype(v);
      const V x = get<V>(h + k), g = get<V>(dh + k);
      put<V>(d + k, V(relu ? V(x > V{} ? g : V{}) : V(g * (C(1) - x * x))));
    });
  }
  static constexpr RnnKernels table = {lstm, lstm_backward, gru, gru_backward, plain, plain_backward,
                                       Panels<C>::kWidth, Panels<C>::pack, Panels<C>::times};
};

}}  // namespace

extern "C" const RnnTable TG_TABLE(rnn);
constinit const RnnTable TG_TABLE(rnn) = {Cells<float>::table, Cells<double>::table};

}  // namespace tapegrad
