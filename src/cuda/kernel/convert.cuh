// Casts between all dtypes, with the results of the CPU's (src/ops/cpu/casts.cpp, src/ops/plain_casts.cpp) where those are defined.
#pragma once
#include "src/cuda/kernel/cuda.cuh"

namespace tapegrad::cuda {

template <class T> inline constexpr bool is_complex_type = false;
template <class R> inline constexpr bool is_complex_type<Complex<R>> = true;
template <class T> inline constexpr bool is_any_integer = std::is_integral_v<T> && !std::is_same_v<T, bool>;

template <class T> inline constexpr Dtype dtype_of = DtypeOf<T>::value;
template <> inline constexpr Dtype dtype_of<Half> = Dtype::Float16;
template <> inline constexpr Dtype dtype_of<BFloat> = Dtype::BFloat16;

/// To D: bools are "not zero", narrow integers wrap, also from floats, complex numbers lose their imaginary part.
template <class D, class S> __host__ __device__ inline D converted(const S& v) {
  if constexpr (std::is_same_v<D, S>) {
    return v;
  } else if constexpr (is_complex_type<S>) {
    if constexpr (is_complex_type<D>) return {typename D::value_type(v.re), typename D::value_type(v.im)};
    else if constexpr (std::is_same_v<D, bool>) return v.re != 0 || v.im != 0;
    else return converted<D>(v.re);
  } else if constexpr (is_complex_type<D>) {
    return D(typename D::value_type(Wide<S>(v)));
  } else if constexpr (is_half<S>) {
    return converted<D>(float(v));
  } else if constexpr (std::is_same_v<D, bool>) {
    return v != S(0);
  } else if constexpr (is_half<D>) {
    return D(float(v));
  } else if constexpr (std::is_floating_point_v<S> && is_any_integer<D>) {
    if constexpr (sizeof(D) < 4) return D(int64_t(v));
    else if constexpr (std::is_signed_v<D>) return D(v);
    else return v < S(0x1p63) ? D(int64_t(v)) : D(uint64_t(v));
  } else {
    return D(v);
  }
}

}  // namespace tapegrad::cuda
