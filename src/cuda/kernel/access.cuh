// Wide loads and stores, and division by numbers that the host knows.
#pragma once
#include <cuda_runtime.h>
#include <stdint.h>

namespace tapegrad::cuda {

/// N elements that are loaded and stored at once; sizeof(T) * N is 16 or another power of two below. As many as fit: Pack<T>.
template <class T, int N = 16 / int(sizeof(T))> struct alignas(sizeof(T) * N) Pack {
  static constexpr int size = N;
  T v[N];
  __host__ __device__ T& operator[](int i) { return v[i]; }
  __host__ __device__ const T& operator[](int i) const { return v[i]; }
};
/// From an address that is a multiple of the pack's size.
template <class T, int N = 16 / int(sizeof(T))> __device__ inline Pack<T, N> load_pack(const T* p) {
  return *reinterpret_cast<const Pack<T, N>*>(p);
}
template <class T, int N> __device__ inline void store_pack(T* p, const Pack<T, N>& v) { *reinterpret_cast<Pack<T, N>*>(p) = v; }

inline bool is_aligned(const void* p, size_t bytes = 16) { return (reinterpret_cast<uintptr_t>(p) & (bytes - 1)) == 0; }

/// n / d and n % d by a multiplication: exact for 0 <= n < 2^31 and 1 <= d < 2^31.
class IntDivider {
  uint32_t d_ = 1, factor_ = 1, shift_ = 0;
 public:
  struct Result {
    uint32_t quotient, rest;
  };
  IntDivider() = default;
  explicit IntDivider(uint32_t d) : d_(d) {
    while ((uint64_t(1) << shift_) < d) shift_++;
    factor_ = uint32_t((uint64_t(1) << 32) * ((uint64_t(1) << shift_) - d) / d + 1);
  }
  __host__ __device__ uint32_t divisor() const { return d_; }
  __host__ __device__ uint32_t operator()(uint32_t n) const {
#ifdef __CUDA_ARCH__
    const uint32_t high = __umulhi(n, factor_);
#else
    const uint32_t high = uint32_t(uint64_t(n) * factor_ >> 32);
#endif
    return (high + n) >> shift_;
  }
  __host__ __device__ Result split(uint32_t n) const {
    const uint32_t q = (*this)(n);
    return {q, n - q * d_};
  }
};

}  // namespace tapegrad::cuda
