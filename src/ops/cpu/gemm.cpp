// Matrix products: Eigen's blocked product, its matrix-vector product when a side is one, and a direct loop when b is tiny.
// Serial: src/ops/gemm.cpp cuts the work.
#define EIGEN_DONT_PARALLELIZE
#include "src/ops/cpu/gemm.h"

#include <Eigen/Core>

#include "src/ops/cpu/table.h"

namespace tapegrad {
extern "C" const GemmTable TG_TABLE(gemm);
namespace TG_NS {
namespace {

constexpr long kTiny = 8;  // b of at most 8x8 is held in registers' worth of stack

template <class T, int N> struct Row {
  typedef T V __attribute__((vector_size(N * sizeof(T))));
  static V load(const T* s, long step) {
    if constexpr (N == 4) return V{s[0], s[step], s[2 * step], s[3 * step]};
    else return V{s[0], s[step], s[2 * step], s[3 * step], s[4 * step], s[5 * step], s[6 * step], s[7 * step]};
  }
  static V load(const T* s) {
    V v;
    __builtin_memcpy(&v, s, sizeof v);
    return v;
  }
};
// b becomes rows of N (zeros behind its n columns): then each row of c is k multiply-adds of one vector.
template <class T, int N> void tiny(const Gemm<T>& g) {
  using R = Row<T, N>;
  using V = typename R::V;
  V b[kTiny], start = {};
  if (g.n == N) {
    for (long p = 0; p < g.k; p++) b[p] = g.b_col == 1 ? R::load(g.b + p * g.b_row) : R::load(g.b + p * g.b_row, g.b_col);
    if (g.bias) start = R::load(g.bias);
  } else {
    T rows[kTiny][N] = {}, first[N] = {};
    for (long p = 0; p < g.k; p++) for (long j = 0; j < g.n; j++) rows[p][j] = g.b[p * g.b_row + j * g.b_col];
    for (long p = 0; p < g.k; p++) b[p] = R::load(rows[p]);
    if (g.bias) for (long j = 0; j < g.n; j++) first[j] = g.bias[j];
    start = R::load(first);
  }
  for (long i = 0; i < g.m; i++) {
    const T* a = g.a + i * g.a_row;
    T* c = g.c + i * g.c_row;
    V sum = start;
    if (g.add) for (long j = 0; j < g.n; j++) sum[j] += c[j];
    for (long p = 0; p < g.k; p++) sum += a[p * g.a_col] * b[p];
    if (g.n == N) __builtin_memcpy(c, &sum, sizeof sum);
    else for (long j = 0; j < g.n; j++) c[j] = sum[j];
  }
}

template <class T> void start(const Gemm<T>& g) {
  if (g.add) return;
  for (long i = 0; i < g.m; i++) {
    if (g.bias) __builtin_memcpy(g.c + i * g.c_row, g.bias, size_t(g.n) * sizeof(T));
    else __builtin_memset(g.c + i * g.c_row, 0, size_t(g.n) * sizeof(T));
  }
}

template <class T> using Vector = Eigen::Map<Eigen::Matrix<T, Eigen::Dynamic, 1>>;
template <class T> using ConstVector = Eigen::Map<const Eigen::Matrix<T, Eigen::Dynamic, 1>>;
template <class T, int Order> using ConstMatrix = Eigen::Map<const Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Order>, 0,
    Eigen::OuterStride<>>;

// y += a x, a of rows x cols
template <class T> void gemv(long rows, long cols, const T* a, long a_row, long a_col, const T* x, T* y) {
  if (a_col == 1 && (a_row != 1 || rows == 1))
    Vector<T>(y, rows).noalias() += ConstMatrix<T, Eigen::RowMajor>(a, rows, cols, Eigen::OuterStride<>(a_row)) * ConstVector<T>(x, cols);
  else
    Vector<T>(y, rows).noalias() += ConstMatrix<T, Eigen::ColMajor>(a, rows, cols, Eigen::OuterStride<>(a_col)) * ConstVector<T>(x, cols);
}

template <class T, int A, int B> void product(const Gemm<T>& g) {
  Eigen::Map<Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>, 0, Eigen::OuterStride<>> c(g.c, g.m, g.n,
      Eigen::OuterStride<>(g.c_row));
  c.noalias() += ConstMatrix<T, A>(g.a, g.m, g.k, Eigen::OuterStride<>(A == Eigen::RowMajor ? g.a_row : g.a_col)) *
                 ConstMatrix<T, B>(g.b, g.k, g.n, Eigen::OuterStride<>(B == Eigen::RowMajor ? g.b_row : g.b_col));
}

template <class T> void gemm(const Gemm<T>& g) {
  if (g.n <= kTiny && g.k <= kTiny && g.m <= 64) return g.n <= 4 ? tiny<T, 4>(g) : tiny<T, 8>(g);
  start(g);
  if (g.k == 0) return;
  if (g.n == 1 && g.b_row == 1 && (g.c_row == 1 || g.m == 1)) return gemv(g.m, g.k, g.a, g.a_row, g.a_col, g.b, g.c);
  if (g.m == 1 && g.a_col == 1) return gemv(g.n, g.k, g.b, g.b_col, g.b_row, g.a, g.c);
  const bool a_rows = g.a_col == 1, b_rows = g.b_col == 1;
  if (a_rows) b_rows ? product<T, Eigen::RowMajor, Eigen::RowMajor>(g) : product<T, Eigen::RowMajor, Eigen::ColMajor>(g);
  else b_rows ? product<T, Eigen::ColMajor, Eigen::RowMajor>(g) : product<T, Eigen::ColMajor, Eigen::ColMajor>(g);
}

}  // namespace
}  // namespace TG_NS

const GemmTable TG_TABLE(gemm) = {TG_NS::gemm<float>, TG_NS::gemm<double>};

}  // namespace tapegrad
