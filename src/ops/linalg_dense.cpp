#include "src/ops/linalg_dense.h"

#include <algorithm>
#include <limits>

#include "src/ops/gemm.h"

namespace tapegrad {

// Complex numbers as pairs: with rows (re, im) and (-im, re) for each row of b, c -= a b is a product of real matrices of which only
// b has to be copied.
template <class T> void subtract_product(const Block<T>& a, const Block<T>& b, const Block<T>& c) {
  using R = Real<T>;
  constexpr int64_t parts = Parts<T>::count;
  if (!c.rows || !c.columns || !a.columns) return;
  const int64_t k = a.columns * parts, n = c.columns * parts;
  std::vector<R> minus(size_t(k * n));
  for (int64_t p = 0; p < a.columns; p++) {
    const R* from = reinterpret_cast<const R*>(b.row(p));
    R* to = minus.data() + p * parts * n;
    for (int64_t j = 0; j < n; j++) to[j] = -from[j];
    if constexpr (parts == 2)
      for (int64_t j = 0; j < n; j += 2) to[n + j] = from[j + 1], to[n + j + 1] = -from[j];
  }
  gemm(Gemm<R>{c.rows, n, k, reinterpret_cast<const R*>(a.at), a.step * parts, 1, minus.data(), n, 1, reinterpret_cast<R*>(c.at), c.step * parts,
      nullptr, true});
}

template <class T> void solve_triangle(const Block<T>& a, bool lower, bool ones, const Block<T>& b) {
  constexpr int64_t kBase = 32;
  const int64_t n = a.rows;
  if (n <= kBase) {
    for (int64_t s = 0; s < n; s++) {
      const int64_t i = lower ? s : n - 1 - s;
      for (int64_t j = lower ? 0 : i + 1; j < (lower ? i : n); j++) row_subtract(b.columns, a(i, j), b.row(j), b.row(i));
      if (!ones)
        for (int64_t j = 0; j < b.columns; j++) b(i, j) /= a(i, i);
    }
    return;
  }
  const int64_t h = (n / 2 + kBase - 1) / kBase * kBase, rest = n - h;
  const Block<T> top = b.part(0, 0, h, b.columns), bottom = b.part(h, 0, rest, b.columns);
  if (lower) {
    solve_triangle(a.part(0, 0, h, h), lower, ones, top);
    subtract_product(a.part(h, 0, rest, h), top, bottom);
    solve_triangle(a.part(h, h, rest, rest), lower, ones, bottom);
  } else {
    solve_triangle(a.part(h, h, rest, rest), lower, ones, bottom);
    subtract_product(a.part(0, h, h, rest), bottom, top);
    solve_triangle(a.part(0, 0, h, h), lower, ones, top);
  }
}

// ---- Householder's reflections

template <class T> T reflect(int64_t n, T* x, int64_t step) {
  using R = Real<T>;
  R largest = 0;
  for (int64_t i = 1; i < n; i++) largest = std::max(largest, std::abs(x[i * step]));
  const R imag = kIsComplex<T> ? std::abs(std::imag(x[0])) : R(0);
  if (largest == 0 && imag == 0) return T(0);
  const R scale = std::max(largest, std::abs(x[0]));  // squares must neither overflow nor vanish
  const T first = x[0] / scale;
  R sum = square_of(first);
  for (int64_t i = 1; i < n; i++) sum += square_of(T(x[i * step] / scale));
  const R beta = std::copysign(std::sqrt(sum), -std::real(first));
  const T below = T(1) / (first - T(beta));
  for (int64_t i = 1; i < n; i++) x[i * step] = times(T(x[i * step] / scale), below);
  x[0] = T(beta * scale);
  return (T(beta) - first) / T(beta);
}

constexpr int64_t kPanel = 32;

// H1 H2 … = I - V S Vᴴ with S = (I + diag(tau) striu(Vᴴ V))⁻¹ diag(tau): Joffrain et al., "Accumulating Householder
// transformations, revisited" (2006).
template <class T> struct Reflections {
  Dense<T> V, Vh, S;
  Reflections(const Block<T>& a, const T* tau) : V(a.rows, a.columns), Vh(a.columns, a.rows), S(a.columns, a.columns) {
    const int64_t w = a.columns;
    for (int64_t i = 0; i < a.rows; i++)
      for (int64_t j = 0; j <= std::min(i, w - 1); j++) V(i, j) = i == j ? T(1) : a(i, j);
    copy_adjoint<T, T>(V, Vh);
    Dense<T> minus(w, w), inverse(w, w);
    subtract_product<T>(Vh, V, minus);
    for (int64_t i = 0; i < w; i++) {
      S(i, i) = tau[i], inverse(i, i) = T(1);
      for (int64_t j = i + 1; j < w; j++) inverse(i, j) = times(-tau[i], minus(i, j));
    }
    solve_triangle<T>(inverse, false, true, S);
  }
  void apply(const Block<T>& c, bool adjoint) const {
    Dense<T> x(V.columns, c.columns), y(V.columns, c.columns);
    subtract_product<T>(Vh, c, x);  // -Vᴴ c
    if (adjoint) subtract_product<T>(adjoint_of<T>(S), x, y);
    else subtract_product<T>(S, x, y);
    subtract_product<T>(V, y, c);
  }
};

template <class T> void factor_qr(const Block<T>& a, T* tau) {
  const int64_t k = std::min(a.rows, a.columns);
  std::vector<T> z(static_cast<size_t>(kPanel));
  for (int64_t j = 0; j < k; j += kPanel) {
    const int64_t w = std::min(kPanel, k - j);
    const Block<T> panel = a.part(j, j, a.rows - j, w);
    for (int64_t c = 0; c < w; c++) {
      tau[j + c] = reflect(panel.rows - c, &panel(c, c), panel.step);
      const int64_t right = w - c - 1;
      if (!right || tau[j + c] == T(0)) continue;
      std::fill_n(z.begin(), right, T(0));  // -vᴴ times the panel
      for (int64_t i = c; i < panel.rows; i++) row_subtract(right, i == c ? T(1) : conjugate(panel(i, c)), panel.row(i) + c + 1, z.data());
      for (int64_t i = c; i < panel.rows; i++)
        row_subtract(right, times(-conjugate(tau[j + c]), i == c ? T(1) : panel(i, c)), z.data(), panel.row(i) + c + 1);
    }
    if (j + w < a.columns) Reflections<T>(panel, tau + j).apply(a.from(j, j + w), true);
  }
}

template <class T> void apply_q(const Block<T>& a, int64_t k, const T* tau, const Block<T>& q) {
  for (int64_t j = (k - 1) / kPanel * kPanel; j >= 0 && k; j -= kPanel)
    Reflections<T>(a.part(j, j, a.rows - j, std::min(kPanel, k - j)), tau + j).apply(q.part(j, 0, q.rows - j, q.columns), false);
}

#define TG_INSTANTIATE(T)                                                                                  \
  template void subtract_product(const Block<T>&, const Block<T>&, const Block<T>&);                       \
  template void solve_triangle(const Block<T>&, bool, bool, const Block<T>&);                              \
  template T reflect(int64_t, T*, int64_t);                                                                \
  template void factor_qr(const Block<T>&, T*);                                                            \
  template void apply_q(const Block<T>&, int64_t, const T*, const Block<T>&);
TG_INSTANTIATE(float)
TG_INSTANTIATE(double)
TG_INSTANTIATE(std::complex<float>)
TG_INSTANTIATE(std::complex<double>)
#undef TG_INSTANTIATE

}  // namespace tapegrad
