// One C++ type for each real dtype, on the CPU and in CUDA's kernels: typed(dtype, f) calls f with a value of that type.
#pragma once
#include <type_traits>

#include "src/tensor/half.h"
#include "src/tensor/host_device.h"
#include "tapegrad/types.h"

namespace tapegrad {

/// float16: 16 bits in memory, arithmetic in float. Conversions round to nearest even.
struct Half {
  uint16_t bits;
  Half() = default;
  TG_HD Half(float f) {
#ifdef __CUDA_ARCH__
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(f));
#else
    bits = float_to_half(f);
#endif
  }
  TG_HD operator float() const {
#ifdef __CUDA_ARCH__
    float f;
    asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(bits));
    return f;
#else
    return half_to_float(bits);
#endif
  }
};
struct BFloat {
  uint16_t bits;
  BFloat() = default;
  TG_HD BFloat(float f) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(f));
#elif defined(__CUDA_ARCH__)
    const uint32_t u = __float_as_uint(f);
    bits = f != f ? 0x7fff : uint16_t((u + 0x7fff + (u >> 16 & 1)) >> 16);
#else
    bits = float_to_bfloat(f);
#endif
  }
  TG_HD operator float() const {
#ifdef __CUDA_ARCH__
    return __uint_as_float(uint32_t(bits) << 16);
#else
    return bfloat_to_float(bits);
#endif
  }
};

template <class T> inline constexpr bool is_half = std::is_same_v<T, Half> || std::is_same_v<T, BFloat>;
template <class T> inline constexpr bool is_real = std::is_floating_point_v<T> || is_half<T>;
/// What arithmetic on T happens in.
template <class T> using Wide = std::conditional_t<is_half<T>, float, T>;

/// Throws: defined once in the library and once in the CUDA plugin.
[[noreturn]] void refuse_dtype(Dtype d);

template <class F> decltype(auto) typed_real(Dtype d, F&& f) {
  switch (d) {
    case Dtype::Float16: return f(Half());
    case Dtype::BFloat16: return f(BFloat());
    case Dtype::Float32: return f(float());
    case Dtype::Float64: return f(double());
    default: refuse_dtype(d);
  }
}
template <class F> decltype(auto) typed(Dtype d, F&& f) {
  switch (d) {
    case Dtype::Bool: return f(bool());
    case Dtype::UInt8: return f(uint8_t());
    case Dtype::Int8: return f(int8_t());
    case Dtype::Int16: return f(int16_t());
    case Dtype::Int32: return f(int32_t());
    case Dtype::Int64: return f(int64_t());
    default: return typed_real(d, f);
  }
}

}  // namespace tapegrad
