// The simulator's side of the device: what kernels may use, as plain C++. The threads of a block run one after the other on the thread
// that launched it, as fibers that change only at barriers and warp operations; so __shared__ is static, and atomics are plain.
#pragma once
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <type_traits>

#include "cuda_runtime_api.h"

#define __global__ __attribute__((visibility("default")))  // so that a report can name it
#define __device__
#define __host__
#define __constant__
#define __shared__ static
#define __forceinline__ inline
#define __align__(n) __attribute__((aligned(n)))
#define __launch_bounds__(...)
#define __grid_constant__
#define __restrict__ __restrict

struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
constexpr int warpSize = 32;

namespace simulator {

struct Place {  // of a barrier or warp operation in the source
  const char* file;
  int line;
};
#define TG_PLACE simulator::Place place = {__builtin_FILE(), __builtin_LINE()}

/// Waits until every lane of `mask` has come with a value to this operation; then value[i] is lane i's.
const uint64_t* exchange(const char* op, unsigned mask, uint64_t value, Place place);
void block_barrier(Place place);
/// Ends the process: a kernel did what is not defined.
[[noreturn]] __attribute__((format(printf, 2, 3))) void abort_kernel(Place place, const char* format, ...);
void* dynamic_shared();
int lane();
cudaError_t run(const void* kernel, dim3 grid, dim3 block, size_t shared, void (*thread)(void*), void* closure);
template <class F> cudaError_t launch(const void* kernel, dim3 grid, dim3 block, size_t shared, F& thread) {
  return run(kernel, grid, block, shared, [](void* f) { (*static_cast<F*>(f))(); }, &thread);
}

template <class T> T shuffle(const char* op, unsigned mask, T v, int source, Place place) {
  static_assert(std::is_arithmetic_v<T> && sizeof(T) >= 4, "shuffles take numbers of 4 or 8 bytes");
  uint64_t bits = 0;
  memcpy(&bits, &v, sizeof(T));
  const uint64_t* all = exchange(op, mask, bits, place);
  if (!(mask >> source & 1)) abort_kernel(place, "%s: lane %d reads lane %d, which its mask %08x leaves out", op, lane(), source, mask);
  memcpy(&v, &all[source], sizeof(T));
  return v;
}

}  // namespace simulator

// ---- barriers and warp operations
inline void __syncthreads(TG_PLACE) { simulator::block_barrier(place); }
inline void __syncwarp(unsigned mask = 0xffffffff, TG_PLACE) { simulator::exchange("__syncwarp", mask, 0, place); }
template <class T> T __shfl_sync(unsigned mask, T v, int source, int width = 32, TG_PLACE) {
  return simulator::shuffle("__shfl_sync", mask, v, (simulator::lane() & -width) + (source & (width - 1)), place);
}
template <class T> T __shfl_xor_sync(unsigned mask, T v, int bits, int width = 32, TG_PLACE) {
  const int lane = simulator::lane(), from = lane ^ bits;
  return simulator::shuffle("__shfl_xor_sync", mask, v, from < (lane & -width) + width ? from : lane, place);
}
template <class T> T __shfl_down_sync(unsigned mask, T v, unsigned by, int width = 32, TG_PLACE) {
  const int lane = simulator::lane(), from = lane + int(by);
  return simulator::shuffle("__shfl_down_sync", mask, v, from < (lane & -width) + width ? from : lane, place);
}
template <class T> T __shfl_up_sync(unsigned mask, T v, unsigned by, int width = 32, TG_PLACE) {
  const int lane = simulator::lane(), from = lane - int(by);
  return simulator::shuffle("__shfl_up_sync", mask, v, from >= (lane & -width) ? from : lane, place);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, TG_PLACE) {
  const uint64_t* all = simulator::exchange("__ballot_sync", mask, predicate != 0, place);
  unsigned out = 0;
  for (int i = 0; i < 32; i++) if (mask >> i & 1 && all[i]) out |= 1u << i;
  return out;
}
inline int __any_sync(unsigned mask, int predicate, TG_PLACE) { return __ballot_sync(mask, predicate, place) != 0; }
inline int __all_sync(unsigned mask, int predicate, TG_PLACE) { return !__ballot_sync(mask, !predicate, place); }
template <class T> unsigned __match_any_sync(unsigned mask, T v, TG_PLACE) {
  uint64_t bits = 0;
  memcpy(&bits, &v, sizeof(T));
  const uint64_t* all = simulator::exchange("__match_any_sync", mask, bits, place);
  unsigned out = 0;
  for (int i = 0; i < 32; i++) if (mask >> i & 1 && all[i] == bits) out |= 1u << i;
  return out;
}
inline int __syncthreads_count(int predicate, TG_PLACE) {
  static int count;
  simulator::block_barrier(place);
  count = 0;
  simulator::block_barrier(place);
  count += predicate != 0;
  simulator::block_barrier(place);
  return count;
}
inline int __syncthreads_or(int predicate, TG_PLACE) { return __syncthreads_count(predicate, place) != 0; }
inline int __syncthreads_and(int predicate, TG_PLACE) { return !__syncthreads_count(!predicate, place); }
inline void __threadfence() {}
inline void __threadfence_block() {}
#define __trap() simulator::abort_kernel({__FILE__, __LINE__}, "__trap()")

// ---- atomics: the value that was there before
template <class T> T atomicAdd(T* p, std::type_identity_t<T> v) { const T was = *p; *p = T(was + v); return was; }
template <class T> T atomicSub(T* p, std::type_identity_t<T> v) { const T was = *p; *p = T(was - v); return was; }
template <class T> T atomicMax(T* p, std::type_identity_t<T> v) { const T was = *p; if (v > was) *p = v; return was; }
template <class T> T atomicMin(T* p, std::type_identity_t<T> v) { const T was = *p; if (v < was) *p = v; return was; }
template <class T> T atomicAnd(T* p, std::type_identity_t<T> v) { const T was = *p; *p = was & v; return was; }
template <class T> T atomicOr(T* p, std::type_identity_t<T> v) { const T was = *p; *p = was | v; return was; }
template <class T> T atomicXor(T* p, std::type_identity_t<T> v) { const T was = *p; *p = was ^ v; return was; }
template <class T> T atomicExch(T* p, std::type_identity_t<T> v) { const T was = *p; *p = v; return was; }
template <class T> T atomicCAS(T* p, std::type_identity_t<T> expected, std::type_identity_t<T> v) {
  const T was = *p;
  if (was == expected) *p = v;
  return was;
}

// ---- loads and stores with hints
template <class T> T __ldg(const T* p) { return *p; }
template <class T> T __ldcs(const T* p) { return *p; }
template <class T> T __ldcg(const T* p) { return *p; }
template <class T> T __ldca(const T* p) { return *p; }
template <class T> void __stcs(T* p, std::type_identity_t<T> v) { *p = v; }
template <class T> void __stcg(T* p, std::type_identity_t<T> v) { *p = v; }
template <class T> void __stwt(T* p, std::type_identity_t<T> v) { *p = v; }

// ---- bits and integers
namespace simulator {
template <class To, class From> To bits_as(From v) {
  static_assert(sizeof(To) == sizeof(From));
  To out;
  memcpy(&out, &v, sizeof(To));
  return out;
}
}  // namespace simulator
inline unsigned __float_as_uint(float v) { return simulator::bits_as<unsigned>(v); }
inline int __float_as_int(float v) { return simulator::bits_as<int>(v); }
inline float __uint_as_float(unsigned v) { return simulator::bits_as<float>(v); }
inline float __int_as_float(int v) { return simulator::bits_as<float>(v); }
inline long long __double_as_longlong(double v) { return simulator::bits_as<long long>(v); }
inline double __longlong_as_double(long long v) { return simulator::bits_as<double>(v); }
inline int __popc(unsigned v) { return __builtin_popcount(v); }
inline int __popcll(unsigned long long v) { return __builtin_popcountll(v); }
inline int __clz(int v) { return v ? __builtin_clz(unsigned(v)) : 32; }
inline int __clzll(long long v) { return v ? __builtin_clzll(static_cast<unsigned long long>(v)) : 64; }
inline int __ffs(int v) { return __builtin_ffs(v); }
inline int __ffsll(long long v) { return __builtin_ffsll(v); }
inline unsigned __umulhi(unsigned a, unsigned b) { return unsigned(uint64_t(a) * b >> 32); }
inline int __mulhi(int a, int b) { return int(int64_t(a) * b >> 32); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) { return static_cast<unsigned long long>(static_cast<unsigned __int128>(a) * b >> 64); }
inline long long __mul64hi(long long a, long long b) { return static_cast<long long>(static_cast<__int128>(a) * b >> 64); }
inline unsigned __brev(unsigned v) {
  unsigned out = 0;
  for (int i = 0; i < 32; i++) out |= (v >> i & 1) << (31 - i);
  return out;
}
inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned by) { return unsigned(((uint64_t(high) << 32 | low) << (by & 31)) >> 32); }
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned by) { return unsigned((uint64_t(high) << 32 | low) >> (by & 31)); }
template <class A, class B> requires std::is_arithmetic_v<A> && std::is_arithmetic_v<B>
constexpr std::common_type_t<A, B> min(A a, B b) { return b < a ? b : a; }
template <class A, class B> requires std::is_arithmetic_v<A> && std::is_arithmetic_v<B>
constexpr std::common_type_t<A, B> max(A a, B b) { return a < b ? b : a; }

// ---- floats: the device's names beyond <math.h>; its fast functions are the exact ones here
inline float rsqrtf(float x) { return 1 / sqrtf(x); }
inline double rsqrt(double x) { return 1 / sqrt(x); }
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
inline float __log2f(float x) { return log2f(x); }
inline float __sinf(float x) { return sinf(x); }
inline float __cosf(float x) { return cosf(x); }
inline float __powf(float x, float y) { return powf(x, y); }
inline float __fdividef(float x, float y) { return x / y; }
inline float __saturatef(float x) { return x > 0 ? (x < 1 ? x : 1) : 0; }
inline float __fadd_rn(float x, float y) { return x + y; }
inline float __fsub_rn(float x, float y) { return x - y; }
inline float __fmul_rn(float x, float y) { return x * y; }
inline float __fdiv_rn(float x, float y) { return x / y; }
inline float __fsqrt_rn(float x) { return sqrtf(x); }
inline float __frcp_rn(float x) { return 1 / x; }
inline float __fmaf_rn(float x, float y, float z) { return fmaf(x, y, z); }
inline double __dadd_rn(double x, double y) { return x + y; }
inline double __dsub_rn(double x, double y) { return x - y; }
inline double __dmul_rn(double x, double y) { return x * y; }
inline double __ddiv_rn(double x, double y) { return x / y; }
inline double __dsqrt_rn(double x) { return sqrt(x); }
inline double __fma_rn(double x, double y, double z) { return fma(x, y, z); }
inline int __float2int_rn(float x) { return int(nearbyintf(x)); }
inline int __float2int_rz(float x) { return int(x); }

// ---- vectors
#define TG_VECTORS(T, name, a1, a2, a4)                                                       \
  struct __attribute__((aligned(a1))) name##1 { T x; };                                       \
  struct __attribute__((aligned(a2))) name##2 { T x, y; };                                    \
  struct __attribute__((aligned(a4))) name##4 { T x, y, z, w; };                              \
  inline name##2 make_##name##2(T x, T y) { return {x, y}; }                                  \
  inline name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }
TG_VECTORS(signed char, char, 1, 2, 4)
TG_VECTORS(unsigned char, uchar, 1, 2, 4)
TG_VECTORS(short, short, 2, 4, 8)
TG_VECTORS(unsigned short, ushort, 2, 4, 8)
TG_VECTORS(int, int, 4, 8, 16)
TG_VECTORS(unsigned, uint, 4, 8, 16)
TG_VECTORS(float, float, 4, 8, 16)
TG_VECTORS(long long, longlong, 8, 16, 16)
TG_VECTORS(unsigned long long, ulonglong, 8, 16, 16)
TG_VECTORS(double, double, 8, 16, 16)
#undef TG_VECTORS
