// The products of one instruction set: serial, on raw memory. Plain data only: see table.h.
#pragma once
#include <stdint.h>

namespace tapegrad {

/// c[m][n] = start + a[m][k] b[k][n]. Strides count elements. Of a and of b one stride is 1, unless b is at most 8x8; c is
/// row-major with rows c_row apart.
template <class T> struct Gemm {
  long m, n, k;
  const T* a;
  long a_row, a_col;
  const T* b;
  long b_row, b_col;
  T* c;
  long c_row;
  const T* bias;  // start: this row of n numbers in each row of c; null: 0
  bool add;       // start: what c holds
};

/// Two ways: directly, or from panels: a's of `rows` rows and b's of `columns` columns, with zeros behind the last.
template <class T> struct GemmKernels {
  long rows, columns;
  void (*direct)(const Gemm<T>&);
  void (*pack_a)(const Gemm<T>&, T* panels);
  void (*pack_b)(const Gemm<T>&, T* panels);
  void (*packed)(const Gemm<T>&, const T* a_panels, const T* b_panels);
};
/// The same from bfloat16 numbers into float ones; panels hold pairs of neighbours in k. Null where the set has none.
struct BfloatGemm {
  long m, n, k;
  const uint16_t* a;
  long a_row, a_col;
  const uint16_t* b;
  long b_row, b_col;
  float* c;
  long c_row;
  const float* bias;
  bool add;
};
struct BfloatTable {
  long rows, columns;
  void (*row)(const BfloatGemm&);  // m = 1; a is dense, or b's rows are
  void (*pack_a)(const BfloatGemm&, uint32_t* panels);
  void (*pack_b)(const BfloatGemm&, uint32_t* panels);
  void (*packed)(const BfloatGemm&, const uint32_t* a_panels, const uint32_t* b_panels);
};

struct GemmTable {
  GemmKernels<float> f32;
  GemmKernels<double> f64;
  const BfloatTable* bfloat;
};

}  // namespace tapegrad
