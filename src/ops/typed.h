// One C++ type for each dtype, for kernels that are plain templates: typed(dtype, f) calls f with a value of that type.
// Kernels that only move elements need the size alone: by_size.
#pragma once
#include <cstring>
#include <type_traits>
#include <utility>

#include "src/ops/numbers.h"
#include "src/tensor/parallel.h"
#include "tapegrad/error.h"

namespace tapegrad {

/// typed with the complex dtypes, for sums and products (src/ops/complex_number.h has the operators).
template <class F> decltype(auto) typed_or_complex(Dtype d, F&& f) {
  if (d == Dtype::Complex64) return f(Complex<float>());
  if (d == Dtype::Complex128) return f(Complex<double>());
  return typed(d, f);
}
template <class F> decltype(auto) by_size(size_t bytes, F&& f) {
  switch (bytes) {
    case 1: return f(uint8_t());
    case 2: return f(uint16_t());
    case 4: return f(uint32_t());
    case 8: return f(uint64_t());
    default: return f(Complex<double>());
  }
}
template <class T> T number_as(Scalar s) {
  if constexpr (std::is_same_v<T, bool>) return s.to_bool();
  else if constexpr (is_real<T>) return T(Wide<T>(s.to_double()));
  else if constexpr (ComplexNumber<T>) return T(typename T::value_type(s.to_double()), typename T::value_type(s.to_complex().im));
  else return T(s.to_int());
}

/// Walks positions of a shape in row-major order and keeps the element offsets of N operands; strides may be 0 or negative.
template <int N> struct Walk {
  Shape size;
  Shape stride[N];
  int64_t count = 1;
  /// Adds a dimension inside the ones there are.
  template <class... S> void add(int64_t n, S... s) {
    const int64_t all[N] = {s...};
    count *= n;
    if (n == 1) return;
    if (!size.empty()) {  // one with the last when every operand allows: fewer carries
      bool joins = true;
      for (int k = 0; k < N; k++) joins &= stride[k].back() == all[k] * n;
      if (joins) {
        size.back() *= n;
        for (int k = 0; k < N; k++) stride[k].back() = all[k];
        return;
      }
    }
    size.push_back(n);
    for (int k = 0; k < N; k++) stride[k].push_back(all[k]);
  }
  /// f(offsets) for the positions begin to end.
  template <class F> void operator()(int64_t begin, int64_t end, F&& f) const {
    int64_t at[kMaxDims], offset[N] = {};
    int64_t rest = begin;
    const int dims = int(size.size());
    for (int d = dims; d-- > 0;) {
      at[d] = rest % size[size_t(d)];
      rest /= size[size_t(d)];
      for (int k = 0; k < N; k++) offset[k] += at[d] * stride[k][size_t(d)];
    }
    for (int64_t i = begin; i < end; i++) {
      f(static_cast<const int64_t (&)[N]>(offset));
      for (int d = dims; d-- > 0;) {
        for (int k = 0; k < N; k++) offset[k] += stride[k][size_t(d)];
        if (++at[d] < size[size_t(d)]) break;
        at[d] = 0;
        for (int k = 0; k < N; k++) offset[k] -= stride[k][size_t(d)] * size[size_t(d)];
      }
    }
  }
};
/// Pieces of about 32k elements when one position costs `each`.
inline int64_t grain_for(int64_t each) { return each >= (1 << 15) ? 1 : (1 << 15) / (each > 0 ? each : 1); }

}  // namespace tapegrad
