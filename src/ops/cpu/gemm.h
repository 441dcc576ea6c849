// The products of one instruction set: serial, on raw memory. Plain data only: see table.h.
#pragma once

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

struct GemmTable {
  void (*f32)(const Gemm<float>&);
  void (*f64)(const Gemm<double>&);
};

}  // namespace tapegrad
