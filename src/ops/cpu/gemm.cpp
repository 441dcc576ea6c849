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

// b is copied into rows of eight, zeros behind: then each row of c is k multiply-adds of one vector.
template <class T> void tiny(const Gemm<T>& g) {
  typedef T V __attribute__((vector_size(kTiny * sizeof(T))));
  V b[kTiny], start = {};
  for (long p = 0; p < g.k; p++) {
    V row = {};
    const T* s = g.b + p * g.b_row;
    for (long j = 0; j < g.n; j++) row[j] = s[j * g.b_col];
    b[p] = row;
  }
  if (g.bias) for (long j = 0; j < g.n; j++) start[j] = g.bias[j];
  for (long i = 0; i < g.m; i++) {
    const T* a = g.a + i * g.a_row;
    T* c = g.c + i * g.c_row;
    V sum = start;
    if (g.add) for (long j = 0; j < g.n; j++) sum[j] += c[j];
    for (long p = 0; p < g.k; p++) sum += a[p * g.a_col] * b[p];
    if (g.n == kTiny) __builtin_memcpy(c, &sum, sizeof sum);
    else if (g.n == kTiny / 2) __builtin_memcpy(c, &sum, sizeof sum / 2);
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
template <class T, int Order> using ConstMatrix = Eigen::Map<const Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Order>, 0, Eigen::OuterStride<>>;

// y += a x, a of rows x cols
template <class T> void gemv(long rows, long cols, const T* a, long a_row, long a_col, const T* x, T* y) {
  if (a_col == 1 && (a_row != 1 || rows == 1))
    Vector<T>(y, rows).noalias() += ConstMatrix<T, Eigen::RowMajor>(a, rows, cols, Eigen::OuterStride<>(a_row)) * ConstVector<T>(x, cols);
  else
    Vector<T>(y, rows).noalias() += ConstMatrix<T, Eigen::ColMajor>(a, rows, cols, Eigen::OuterStride<>(a_col)) * ConstVector<T>(x, cols);
}

template <class T, int A, int B> void product(const Gemm<T>& g) {
  Eigen::Map<Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>, 0, Eigen::OuterStride<>> c(g.c, g.m, g.n, Eigen::OuterStride<>(g.c_row));
  c.noalias() += ConstMatrix<T, A>(g.a, g.m, g.k, Eigen::OuterStride<>(A == Eigen::RowMajor ? g.a_row : g.a_col)) *
                 ConstMatrix<T, B>(g.b, g.k, g.n, Eigen::OuterStride<>(B == Eigen::RowMajor ? g.b_row : g.b_col));
}

template <class T> void gemm(const Gemm<T>& g) {
  if (g.n <= kTiny && g.k <= kTiny && g.m <= 64) return tiny(g);
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
