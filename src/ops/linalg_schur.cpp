#include "src/ops/linalg_schur.h"

#include <algorithm>
#include <utility>

namespace tapegrad {

namespace {

using Complex = std::complex<double>;
constexpr double kEpsilon = 0x1p-52, kSmallest = 0x1p-960;  // beside the largest number: what is smaller counts as 0

// Zᴴ a Z is zero below the diagonal beside the main one.
template <class T> void make_hessenberg(const Block<T>& a, const Block<T>& zh) {
  const int64_t n = a.rows;
  std::vector<T> tau(static_cast<size_t>(n)), v(tau), v_conj(tau), sums(tau);
  for (int64_t k = 0; k + 2 < n; k++) {
    const int64_t m = n - k - 1;
    ask_for_interrupt();
    const T t = tau[size_t(k)] = reflect(m, &a(k + 1, k), a.step);
    if (t == T(0)) continue;
    for (int64_t i = 0; i < m; i++) v[size_t(i)] = i ? a(k + 1 + i, k) : T(1), v_conj[size_t(i)] = conjugate(v[size_t(i)]);
    std::fill(sums.begin(), sums.end(), T(0));  // -vᴴ a
    for (int64_t i = 0; i < m; i++) row_subtract(m, v_conj[size_t(i)], a.row(k + 1 + i) + k + 1, sums.data());
    for (int64_t i = 0; i < m; i++) row_subtract(m, times(-conjugate(t), v[size_t(i)]), sums.data(), a.row(k + 1 + i) + k + 1);
    for (int64_t i = 0; i < n; i++) {
      T* row = a.row(i) + k + 1;
      row_subtract(m, times(t, row_dot(m, row, v.data())), v_conj.data(), row);
    }
  }
  if (zh.rows) {
    Dense<T> z(n, n);
    set_identity<T>(z);
    if (n > 1) apply_q(a.part(1, 0, n - 1, n - 1), n - 1, tau.data(), z.from(1, 1));
    copy_adjoint<T, T>(z, zh);
  }
  for (int64_t i = 2; i < n; i++) std::fill(a.row(i), a.row(i) + i - 1, T(0));
}

// The reflection I - tau v vᴴ of a few neighbouring rows, or columns.
template <class T, int count> struct Few {
  T tau, v[count];
  explicit Few(T (&x)[count]) : tau(reflect(count, x, 1)) {
    v[0] = T(1);
    for (int i = 1; i < count; i++) v[i] = x[i];
  }
  void on_rows(const Block<T>& a, int64_t row, int64_t begin, int64_t end) const {  // its adjoint
    T* r[count];
    for (int i = 0; i < count; i++) r[i] = a.row(row + i);
    for (int64_t j = begin; j < end; j++) {
      T sum = r[0][j];
      for (int i = 1; i < count; i++) sum += times(conjugate(v[i]), r[i][j]);
      sum = times(conjugate(tau), sum);
      for (int i = 0; i < count; i++) r[i][j] -= times(v[i], sum);
    }
  }
  void on_columns(const Block<T>& a, int64_t column, int64_t begin, int64_t end) const {
    for (int64_t k = begin; k < end; k++) {
      T* r = a.row(k) + column;
      T sum = r[0];
      for (int i = 1; i < count; i++) sum += times(r[i], v[i]);
      sum = times(tau, sum);
      for (int i = 0; i < count; i++) r[i] -= times(sum, conjugate(v[i]));
    }
  }
};

// One step of the iteration on rows and columns [first, last], which are all that is worked on when there is no zh.
template <class T> struct Step {
  const Block<T>&a, &zh;
  int64_t first, last;
  int64_t begin() const { return zh.rows ? 0 : first; }
  int64_t end() const { return zh.rows ? a.rows : last + 1; }

  template <int count> void reflect_at(int64_t k, T (&x)[count]) const {
    const Few<T, count> f(x);
    if (k > first) {
      a(k, k - 1) = x[0];
      for (int i = 1; i < count; i++) a(k + i, k - 1) = T(0);
    }
    f.on_rows(a, k, k, end());
    f.on_columns(a, k, begin(), std::min(k + count, last) + 1);
    if (zh.rows) f.on_rows(zh, k, 0, zh.columns);
  }
  // With a shift that is the eigenvalue of the last 2 by 2 block next to its corner; at times another, which breaks cycles.
  void run(const Block<Complex>&, bool unusual) const {
    const Complex p = (a(last - 1, last - 1) - a(last, last)) * 0.5, bc = times(a(last - 1, last), a(last, last - 1));
    Complex root = std::sqrt(times(p, p) + bc);
    if (std::real(times(conjugate(p), root)) < 0) root = -root;
    const Complex away = p + root, shift = unusual ? a(last, last) + std::abs(a(last, last - 1)) : away == 0.0 ? a(last, last) : a(last, last) - bc / away;
    for (int64_t k = first; k < last; k++) {
      Complex x[2] = {k > first ? a(k, k - 1) : a(k, k) - shift, k > first ? a(k + 1, k - 1) : a(k + 1, k)};
      reflect_at(k, x);
    }
  }
  // With both eigenvalues of that block at once, so that conjugate ones leave real numbers real.
  void run(const Block<double>&, bool unusual) const {
    double sum = a(last - 1, last - 1) + a(last, last), product = a(last - 1, last - 1) * a(last, last) - a(last - 1, last) * a(last, last - 1);
    if (unusual) {
      const double s = std::abs(a(last, last - 1)) + std::abs(a(last - 1, last - 2));
      sum = 1.5 * s, product = s * s;
    }
    const double d = a(first, first), below = a(first + 1, first);
    double x[3] = {d * (d - sum) + product + a(first, first + 1) * below, below * (d + a(first + 1, first + 1) - sum), below * a(first + 2, first + 1)};
    for (int64_t k = first; k + 1 < last; k++) {
      if (k > first) for (int64_t i = 0; i < 3; i++) x[i] = a(k + i, k - 1);
      reflect_at(k, x);
    }
    double y[2] = {a(last - 1, last - 2), a(last, last - 2)};
    reflect_at(last - 1, y);
  }
};
// The eigenvalues of [[a, b], [c, d]], the one that is farther from d first.
struct Two { Complex first, second; };
Two eigenvalues_of(double a, double b, double c, double d) {
  const double p = (a - d) / 2, square = p * p + b * c;
  if (square < 0) return {{d + p, std::sqrt(-square)}, {d + p, -std::sqrt(-square)}};
  const double away = p + std::copysign(std::sqrt(square), p);
  return {d + away, away == 0 ? d : d - b * c / away};
}
// A block at rows first and first + 1 is made triangular if its eigenvalues are real.
void split(const Step<double>& s) {
  const int64_t k = s.first;
  const Two two = eigenvalues_of(s.a(k, k), s.a(k, k + 1), s.a(k + 1, k), s.a(k + 1, k + 1));
  if (two.first.imag() != 0) return;
  double x[2] = {two.first.real() - s.a(k + 1, k + 1), s.a(k + 1, k)};
  s.reflect_at(k, x);
  s.a(k + 1, k) = 0;
}
void split(const Step<Complex>&) {}

}  // namespace

template <class T> bool make_schur(const Block<T>& a, const Block<T>& zh) {
  constexpr int64_t smallest = kIsComplex<T> ? 1 : 2;  // rows of a block that is done
  make_hessenberg(a, zh);
  double norm = 0;
  for (int64_t i = 0; i < a.rows; i++)
    for (int64_t j = std::max<int64_t>(i - 1, 0); j < a.columns; j++) norm = std::max(norm, std::abs(a(i, j)));
  const auto negligible = [&](int64_t i) {  // beside the diagonal, in row i
    const double around = std::abs(a(i - 1, i - 1)) + std::abs(a(i, i));
    return std::abs(a(i, i - 1)) <= std::max(kEpsilon * (around == 0 ? norm : around), kSmallest * norm);
  };
  int64_t steps = 0;
  for (int64_t last = a.rows - 1; last > 0;) {
    ask_for_interrupt();
    int64_t first = last;
    while (first > 0 && !negligible(first)) first--;
    if (first > 0) a(first, first - 1) = T(0);
    const Step<T> step{a, zh, first, last};
    if (last - first < smallest) {
      if (last > first) split(step);
      last = first - 1, steps = 0;
      continue;
    }
    if (++steps > 100) return false;
    step.run(a, steps % 10 == 0);
  }
  return true;
}

template <class T> std::vector<Complex> schur_eigenvalues(const Block<T>& t) {
  std::vector<Complex> values(size_t(t.rows));
  for (int64_t i = 0; i < t.rows; i++) {
    values[size_t(i)] = t(i, i);
    if constexpr (!kIsComplex<T>) {
      if (i + 1 == t.rows || t(i + 1, i) == 0) continue;
      const Two two = eigenvalues_of(t(i, i), t(i, i + 1), t(i + 1, i), t(i + 1, i + 1));
      values[size_t(i)] = two.first, values[size_t(++i)] = two.second;
    }
  }
  return values;
}

// x with (T - value) x = 0 and nothing behind row k; of T's rows from k or, in a block, k - 1 on x is there already. Where T - value
// is singular above, as it is for equal eigenvalues, it is taken to be a little off.
template <class T> static void solve_above(const Block<T>& t, int64_t k, Complex value, double norm, Complex* x) {
  const auto pivot = [&](Complex p) { return std::abs(p) < kEpsilon * norm ? Complex(kEpsilon * norm) : p; };
  const auto right_side = [&](int64_t i, int64_t begin) {
    Complex sum = 0;
    for (int64_t j = begin; j <= k; j++) sum -= t(i, j) * x[j];
    return sum;
  };
  for (int64_t i = k; i-- > 0;) {
    if (x[i] != 0.0) continue;  // in the block
    const bool pair = i > 0 && t(i, i - 1) != T(0);
    Complex r = right_side(i, i + 1);
    if (!pair) {
      x[i] = r / pivot(t(i, i) - value);
    } else {
      Complex q = right_side(i - 1, i + 1), a = t(i - 1, i - 1) - value, b = t(i - 1, i), c = t(i, i - 1), d = t(i, i) - value;
      if (std::abs(c) > std::abs(a)) std::swap(a, c), std::swap(b, d), std::swap(q, r);
      a = pivot(a), c /= a;
      x[i] = (r - c * q) / pivot(d - c * b), x[i - 1] = (q - b * x[i]) / a;
    }
    const double size = std::max(std::abs(x[i]), pair ? std::abs(x[i - 1]) : 0.0);
    if (size > 1e100) for (int64_t j = pair ? i - 1 : i; j <= k; j++) x[j] /= size;
    if (pair) i--;
  }
}
template <class T> Dense<Complex> schur_eigenvectors(const Block<T>& t, const Block<T>& zh, const std::vector<Complex>& values) {
  const int64_t n = t.rows;
  double norm = 1e-300;
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++) norm = std::max(norm, std::abs(t(i, j)));
  Dense<Complex> out(n, n), vectors(n, n);
  std::vector<Complex> x(static_cast<size_t>(n));
  for (int64_t k = 0; k < n; k++) {
    std::fill(x.begin(), x.end(), Complex(0));
    x[size_t(k)] = 1;
    int64_t last = k;
    if constexpr (!kIsComplex<T>) {
      if (values[size_t(k)].imag() < 0) {  // of a pair, the conjugate of the one before
        for (int64_t i = 0; i < n; i++) vectors(i, k) = conjugate(vectors(i, k - 1));
        continue;
      }
      if (values[size_t(k)].imag() > 0) {
        last = k + 1;
        if (std::abs(t(k, last)) >= std::abs(t(last, k))) x[size_t(last)] = (values[size_t(k)] - t(k, k)) / t(k, last);
        else x[size_t(last)] = 1, x[size_t(k)] = (values[size_t(k)] - t(last, last)) / t(last, k);
      }
    }
    solve_above(t, last, values[size_t(k)], norm, x.data());
    for (int64_t i = 0; i < n; i++) vectors(i, k) = x[size_t(i)];
  }
  const Dense<T> z = adjoint_of(zh);
  if constexpr (kIsComplex<T>) subtract_product<T>(z, vectors, out);
  else subtract_product<T>(z, {reinterpret_cast<double*>(vectors.at), n, 2 * n, 2 * n}, {reinterpret_cast<double*>(out.at), n, 2 * n, 2 * n});
  for (int64_t k = 0; k < n; k++) {
    double largest = 0, sum = 0;
    for (int64_t i = 0; i < n; i++) largest = std::max(largest, std::abs(out(i, k)));
    for (int64_t i = 0; i < n; i++) sum += square_of(Complex(out(i, k) / largest));
    for (int64_t i = 0; i < n; i++) out(i, k) /= -largest * std::sqrt(sum);
  }
  return out;
}

#define TG_INSTANTIATE(T)                                          \
  template bool make_schur(const Block<T>&, const Block<T>&);      \
  template std::vector<Complex> schur_eigenvalues(const Block<T>&); \
  template Dense<Complex> schur_eigenvectors(const Block<T>&, const Block<T>&, const std::vector<Complex>&);
TG_INSTANTIATE(double)
TG_INSTANTIATE(Complex)
#undef TG_INSTANTIATE

}  // namespace tapegrad
