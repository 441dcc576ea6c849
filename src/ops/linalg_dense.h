// Dense matrices in memory, as the factorizations work on them. Loops go along rows, in which numbers are neighbours; whatever is
// big is a product, and goes to the library's own kernels.
#pragma once
#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdint>
#include <vector>

namespace tapegrad {

// ---- numbers

template <class T> struct Parts {
  using Real = T;
  static constexpr int64_t count = 1;
};
template <class R> struct Parts<std::complex<R>> {
  using Real = R;
  static constexpr int64_t count = 2;
};
template <class T> using Real = typename Parts<T>::Real;
template <class T> constexpr bool kIsComplex = Parts<T>::count == 2;

inline float conjugate(float x) { return x; }
inline double conjugate(double x) { return x; }
template <class R> std::complex<R> conjugate(std::complex<R> x) { return {x.real(), -x.imag()}; }
/// a b; of complex numbers without the standard's repair of infinities, which takes longer than the product.
template <class T> T times(T a, T b) {
  if constexpr (kIsComplex<T>) return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
  else return a * b;
}
/// |x|²
template <class T> Real<T> square_of(T x) { return std::real(times(conjugate(x), x)); }

// ---- rows

/// y -= f x
template <class T> void row_subtract(int64_t n, T f, const T* __restrict__ x, T* __restrict__ y) {
  if constexpr (kIsComplex<T>) {
    const Real<T> re = f.real(), im = f.imag(), *from = reinterpret_cast<const Real<T>*>(x);
    Real<T>* to = reinterpret_cast<Real<T>*>(y);
    for (int64_t i = 0; i < 2 * n; i += 2) {
      to[i] -= re * from[i] - im * from[i + 1];
      to[i + 1] -= re * from[i + 1] + im * from[i];
    }
  } else {
    for (int64_t i = 0; i < n; i++) y[i] -= f * x[i];
  }
}
/// The sum of x y, of eight sums side by side, so that packets can hold them.
template <class T> T row_dot(int64_t n, const T* __restrict__ x, const T* __restrict__ y) {
  constexpr int64_t lanes = 8;
  int64_t i = 0;
  if constexpr (kIsComplex<T>) {
    Real<T> re[lanes] = {}, im[lanes] = {};  // of pairs: re re, im im, …; re im, im re, …
    const Real<T>*a = reinterpret_cast<const Real<T>*>(x), *b = reinterpret_cast<const Real<T>*>(y);
    for (; i + lanes <= 2 * n; i += lanes)
      for (int64_t k = 0; k < lanes; k++) re[k] += a[i + k] * b[i + k], im[k] += a[i + k] * b[i + (k ^ 1)];
    for (int64_t k = 0; i < 2 * n; i++, k++) re[k] += a[i] * b[i], im[k] += a[i] * b[i ^ 1];
    return {(re[0] - re[1]) + (re[2] - re[3]) + ((re[4] - re[5]) + (re[6] - re[7])), (im[0] + im[1]) + (im[2] + im[3]) + ((im[4] + im[5]) + (im[6] + im[7]))};
  } else {
    T s[lanes] = {};
    for (; i + lanes <= n; i += lanes)
      for (int64_t k = 0; k < lanes; k++) s[k] += x[i + k] * y[i + k];
    for (int64_t k = 0; i < n; i++, k++) s[k] += x[i] * y[i];
    return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
  }
}

// ---- matrices

/// A matrix or a part of one: rows `step` numbers apart.
template <class T> struct Block {
  T* at;
  int64_t rows, columns, step;
  T* row(int64_t i) const { return at + i * step; }
  T& operator()(int64_t i, int64_t j) const { return at[i * step + j]; }
  Block part(int64_t i, int64_t j, int64_t m, int64_t n) const { return {at + i * step + j, m, n, step}; }
  /// Rows from i on and columns from j on.
  Block from(int64_t i, int64_t j) const { return part(i, j, rows - i, columns - j); }
};
/// A matrix with memory of its own, zeros at first.
template <class T> struct Dense : Block<T> {
  std::vector<T> numbers;
  Dense(int64_t m, int64_t n) : Block<T>{nullptr, m, n, n}, numbers(size_t(m * n)) { this->at = numbers.data(); }
  Dense(Dense&&) = default;
  Dense(const Dense&) = delete;
};
template <class From, class To> void copy(const Block<From>& x, const Block<To>& y) {
  for (int64_t i = 0; i < x.rows; i++)
    for (int64_t j = 0; j < x.columns; j++) y(i, j) = To(x(i, j));
}
/// y = xᴴ
template <class From, class To> void copy_adjoint(const Block<From>& x, const Block<To>& y) {
  for (int64_t i = 0; i < x.rows; i++)
    for (int64_t j = 0; j < x.columns; j++) y(j, i) = To(conjugate(x(i, j)));
}
template <class T> Dense<T> adjoint_of(const Block<T>& x) {
  Dense<T> y(x.columns, x.rows);
  copy_adjoint(x, y);
  return y;
}
template <class T> void set_identity(const Block<T>& x) {
  for (int64_t i = 0; i < x.rows; i++)
    for (int64_t j = 0; j < x.columns; j++) x(i, j) = T(i == j);
}
/// Divides x by the largest absolute value of its numbers, if that is not 0, and returns it: nothing overflows then.
template <class T> Real<T> scale_to_one(const Block<T>& x) {
  Real<T> largest = 0;
  for (int64_t i = 0; i < x.rows; i++)
    for (int64_t j = 0; j < x.columns; j++) largest = std::max(largest, std::abs(x(i, j)));
  for (int64_t i = 0; largest && i < x.rows; i++)
    for (int64_t j = 0; j < x.columns; j++) x(i, j) /= largest;
  return largest ? largest : 1;
}

// The following are made for float, double and their complex numbers, in linalg_dense.cpp.

/// c -= a b
template <class T> void subtract_product(const Block<T>& a, const Block<T>& b, const Block<T>& c);
/// b = a⁻¹ b. Of a only one triangle is read, lower or upper; and not its diagonal, when that is ones.
template <class T> void solve_triangle(const Block<T>& a, bool lower, bool ones, const Block<T>& b);

/// A reflection I - tau v vᴴ with v[0] = 1, whose adjoint takes x, n numbers `step` apart, to (beta, 0, …), beta real: x becomes
/// (beta, the rest of v). Returns tau.
template <class T> T reflect(int64_t n, T* x, int64_t step);
/// a = R above and the rest of the vectors below the diagonal, tau the reflections of which Q is the product: LAPACK's geqrf.
template <class T> void factor_qr(const Block<T>& a, T* tau);
/// q = Q q, for the product Q of k reflections whose vectors lie below the diagonal of a.
template <class T> void apply_q(const Block<T>& a, int64_t k, const T* tau, const Block<T>& q);

}  // namespace tapegrad
