#include "src/ops/linalg_rotations.h"

#include <algorithm>
#include <utility>

#include "src/tensor/interrupt.h"

namespace tapegrad {

namespace {

constexpr double kEpsilon = 0x1p-52;

struct Rotation { double c, s, r; };  // c x + s y = r, c y - s x = 0
Rotation rotation(double x, double y) {
  if (y == 0) return {1, 0, x};
  const double r = std::hypot(x, y);
  return {x / r, y / r, r};
}

// Rotations of rows, kept until there are many: then a strip of columns at a time goes through all of them, inside the cache.
class RowRotations {
 public:
  explicit RowRotations(const Block<double>& x) : rows(x) {}
  /// row i = c row i + s row j, row j = c row j - s row i
  void add(int64_t i, int64_t j, Rotation r) {
    if (!rows.rows) return;
    pairs.push_back({i, j, r.c, r.s});
    if (pairs.size() == kMany) apply();
  }
  void apply() {
    const int64_t strips = (rows.columns + kStrip - 1) / kStrip;
    interruptible_for(strips, 1 + kMany / int64_t(pairs.size() + 1), [&](int64_t begin, int64_t end) {
      for (int64_t j = begin * kStrip; j < end * kStrip && j < rows.columns; j += kStrip) rotate_strip(j, std::min(kStrip, rows.columns - j));
    });
    pairs.clear();
  }

 private:
  static constexpr size_t kMany = 4096;
  static constexpr int64_t kStrip = 64;
  struct Pair { int64_t i, j; double c, s; };
  void rotate_strip(int64_t at, int64_t n) {
    for (const Pair& p : pairs) {
      double* __restrict__ x = rows.row(p.i) + at;
      double* __restrict__ y = rows.row(p.j) + at;
      for (int64_t k = 0; k < n; k++) {
        const double u = x[k], v = y[k];
        x[k] = p.c * u + p.s * v, y[k] = p.c * v - p.s * u;
      }
    }
  }
  Block<double> rows;
  std::vector<Pair> pairs;
};

// The eigenvalue of [[a, b], [b, c]] next to c.
double shift_of(double a, double b, double c) {
  if (b == 0) return c;
  const double half = (a - c) / 2;
  return c - b / ((half + std::copysign(std::hypot(half, b), half)) / b);
}

double largest_of(const std::vector<double>& d, const std::vector<double>& e) {
  double largest = 0;
  for (const double v : d) largest = std::max(largest, std::abs(v));
  for (const double v : e) largest = std::max(largest, std::abs(v));
  return largest;
}
// Sets what is negligible of e to 0, and finds the last part [first, last] of which no e is 0. False when none is left.
struct Part { int64_t first, last; };
bool next_part(const std::vector<double>& d, std::vector<double>& e, double norm, Part& p) {
  const auto negligible = [&](int64_t i) {
    return std::abs(e[size_t(i)]) <= kEpsilon * std::max(norm, std::abs(d[size_t(i)]) + std::abs(d[size_t(i + 1)]));
  };
  for (; p.last > 0 && negligible(p.last - 1); p.last--) e[size_t(p.last - 1)] = 0;
  for (p.first = p.last; p.first > 0 && !negligible(p.first - 1); p.first--) {}
  if (p.first > 0) e[size_t(p.first - 1)] = 0;
  return p.last > 0;
}

}  // namespace

bool diagonalize_symmetric(std::vector<double>& d, std::vector<double>& e, const Block<double>& x) {
  RowRotations rotations(x);
  const double norm = largest_of(d, e);
  int64_t steps = 40 * int64_t(d.size());
  for (Part p{0, int64_t(d.size()) - 1}; next_part(d, e, norm, p);) {
    ask_for_interrupt();
    if (!steps--) return false;
    const size_t first = size_t(p.first), last = size_t(p.last);
    double y = d[first] - shift_of(d[last - 1], e[last - 1], d[last]), z = e[first];
    for (size_t k = first; k < last; k++) {
      const Rotation r = rotation(y, z);
      const double a = d[k], b = e[k], c = d[k + 1], t = 2 * r.c * b + r.s * (c - a);
      if (k > first) e[k - 1] = r.r;
      d[k] = a + r.s * t, d[k + 1] = c - r.s * t, e[k] = r.c * t - b;
      y = e[k];
      if (k + 1 < last) z = r.s * e[k + 1], e[k + 1] *= r.c;
      rotations.add(int64_t(k), int64_t(k + 1), r);
    }
  }
  rotations.apply();
  return true;
}

bool diagonalize_bidiagonal(std::vector<double>& d, std::vector<double>& e, const Block<double>& x, const Block<double>& y) {
  RowRotations left(x), right(y);
  const double norm = largest_of(d, e);
  const auto vanishes = [&](size_t k) { return std::abs(d[k]) <= kEpsilon * norm; };
  int64_t steps = 60 * int64_t(d.size());
  for (Part p{0, int64_t(d.size()) - 1}; next_part(d, e, norm, p);) {
    ask_for_interrupt();
    if (!steps--) return false;
    const size_t first = size_t(p.first), last = size_t(p.last);
    size_t zero = first;
    while (zero < last && !vanishes(zero)) zero++;
    if (zero < last) {  // with a 0 on the diagonal its row can be cleared
      double f = std::exchange(e[zero], 0);
      d[zero] = 0;
      for (size_t k = zero + 1; k <= last && f != 0; k++) {
        const Rotation r = rotation(d[k], f);
        d[k] = r.r, f = 0;
        if (k < last) f = -r.s * e[k], e[k] *= r.c;
        left.add(int64_t(k), int64_t(zero), r);
      }
      continue;
    }
    if (vanishes(last)) {  // or its column
      double f = std::exchange(e[last - 1], 0);
      d[last] = 0;
      for (size_t k = last; k-- > first && f != 0;) {
        const Rotation r = rotation(d[k], f);
        d[k] = r.r, f = 0;
        if (k > first) f = -r.s * e[k - 1], e[k - 1] *= r.c;
        right.add(int64_t(k), int64_t(last), r);
      }
      continue;
    }
    const double before = last - 1 > first ? e[last - 2] : 0, a = d[last - 1], b = e[last - 1], c = d[last];
    double u = d[first] - shift_of(a * a + before * before, a * b, c * c + b * b) / d[first], v = e[first];
    for (size_t k = first; k < last; k++) {
      const Rotation r = rotation(u, v);
      if (k > first) e[k - 1] = r.r;
      const double f = d[k], g = e[k], h = d[k + 1];
      e[k] = r.c * g - r.s * f, d[k + 1] = r.c * h;
      right.add(int64_t(k), int64_t(k + 1), r);
      const Rotation l = rotation(r.c * f + r.s * g, r.s * h);
      const double off = e[k], next = d[k + 1];
      d[k] = l.r, e[k] = l.c * off + l.s * next, d[k + 1] = l.c * next - l.s * off;
      u = e[k];
      if (k + 1 < last) v = l.s * e[k + 1], e[k + 1] *= l.c;
      left.add(int64_t(k), int64_t(k + 1), l);
    }
  }
  left.apply(), right.apply();
  return true;
}

}  // namespace tapegrad
