// One loop per op and compute type over a dense run. T is a packet for floats, 16-bit ones among them, a number for integers, bools and in
// the debug set. Family<N, Ops>::table takes the address of every loop, which is what instantiates them.
#pragma once
#include "src/ops/cpu/elementwise.h"
#include "src/ops/cpu/halves.h"
#include "src/ops/formulas.h"
#ifdef TG_VECTOR_BYTES
#include "src/ops/cpu/packet_trig.h"
#endif

namespace tapegrad { inline namespace TG_NS {

template <class T> struct PacketOf { using type = T; using mask = bool; static constexpr int lanes = 1; };
#ifdef TG_VECTOR_BYTES
template <class T, int N> struct VecPacket { using type = Vec<T, N>; using mask = Mask<T, N>; static constexpr int lanes = N; };
template <> struct PacketOf<float> : VecPacket<float, TG_VECTOR_BYTES / 4> {};
template <> struct PacketOf<double> : VecPacket<double, TG_VECTOR_BYTES / 8> {};
template <class T, int N> inline void put(char* p, int64_t i, Vec<T, N> x) { __builtin_memcpy(p + i * sizeof(T), &x, sizeof x); }
template <class T, int N> inline void put(char* p, int64_t i, Mask<T, N> m) {
#if defined(__AVX2__) && !defined(__AVX512F__)  // what the compiler makes of the conversion is slow here
  if constexpr (sizeof(T) == 4) {
    const __m256i v = (__m256i)m.v;
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    const __m128i bytes = _mm_and_si128(_mm_packs_epi16(words, words), _mm_set1_epi8(1));
    _mm_storel_epi64((__m128i*)(p + i), bytes);
  } else {
    const uint32_t bits = uint32_t(_mm256_movemask_pd((__m256d)m.v)), bytes = bits * 0x00204081u & 0x01010101u;
    __builtin_memcpy(p + i, &bytes, sizeof bytes);
  }
#else
  typedef signed char Bytes __attribute__((vector_size(N)));
  const Bytes b = __builtin_convertvector(m.v, Bytes) & 1;
  __builtin_memcpy(p + i, &b, sizeof b);
#endif
}
#endif
inline void put(char* p, int64_t i, bool m) { p[i] = m; }
inline void put(char* p, int64_t i, uint8_t m) { p[i] = char(m); }
inline void put(char* p, int64_t i, float x) { reinterpret_cast<float*>(p)[i] = x; }
inline void put(char* p, int64_t i, double x) { reinterpret_cast<double*>(p)[i] = x; }
inline void put(char* p, int64_t i, int32_t x) { reinterpret_cast<int32_t*>(p)[i] = x; }
inline void put(char* p, int64_t i, int64_t x) { reinterpret_cast<int64_t*>(p)[i] = x; }
inline void put(char* p, int64_t i, uint64_t x) { reinterpret_cast<uint64_t*>(p)[i] = x; }
template <class S> requires is_half<S> struct PacketOf<S> : PacketOf<float> {};
template <class V> struct RawOf { using type = V; };
template <class V> requires requires { typename V::Raw; } struct RawOf<V> { using type = typename V::Raw; };
template <class T> inline auto get(const char* p, int64_t i) {
  using V = typename PacketOf<T>::type;
  V x;
  if constexpr (is_half<T>) return V(get<typename RawOf<V>::type>(reinterpret_cast<const T*>(p) + i));
  else __builtin_memcpy(&x, p + i * sizeof(T), sizeof x);
  return x;
}
/// What a kernel of T has computed: numbers are rounded to a T of 16 bits, answers are bools.
template <class T, class X> inline void put(char* p, int64_t i, X x) {
  if constexpr (is_half<T> && !__is_same(X, typename PacketOf<T>::mask)) put(reinterpret_cast<T*>(p) + i, __builtin_bit_cast(typename RawOf<X>::type, x));
  else put(p, i, x);
}
#ifdef TG_VECTOR_BYTES
/// A bool a lane, as whole numbers. The compiler's conversion takes bytes one by one where it can.
template <class Raw, int lanes> inline Raw widened_bytes(const char* p) {
#if defined(__AVX512F__)
  if constexpr (lanes == TG_VECTOR_BYTES / 4) return (Raw)_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i*)p));
  else return (Raw)_mm512_cvtepi8_epi64(_mm_loadl_epi64((const __m128i*)p));
#elif defined(__AVX2__)
  if constexpr (lanes == TG_VECTOR_BYTES / 4) return (Raw)_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i*)p));
  else return (Raw)_mm256_cvtepi8_epi64(_mm_loadu_si32(p));
#else
  typedef signed char Bytes __attribute__((vector_size(lanes)));
  Bytes b;
  __builtin_memcpy(&b, p, sizeof b);
  return __builtin_convertvector(b, Raw);
#endif
}
#endif
template <class T> inline auto get_mask(const char* p, int64_t i) {
#ifdef TG_VECTOR_BYTES
  if constexpr (PacketOf<T>::lanes > 1) {
    using M = typename PacketOf<T>::mask;
    return M{-widened_bytes<typename M::Raw, PacketOf<T>::lanes>(p + i)};
  } else
#endif
    return bool(p[i]);
}

// The parameters are copied into a local: a store through char* could otherwise change them, as far as the compiler knows.
// A, B: what the first two inputs are stored in.
template <class Op, class T, int N, class A = T, class B = T> void forward_loop(const void* params, char* const* p, int64_t n) {
  const Op op = *static_cast<const Op*>(params);
  char *const y = p[0], *const a = p[1];
  if constexpr (N == 1) {
    for (int64_t i = 0; i < n; i += PacketOf<T>::lanes) put<T>(y, i, op.forward(get<A>(a, i)));
  } else if constexpr (N == 2) {
    char* const b = p[2];
    for (int64_t i = 0; i < n; i += PacketOf<T>::lanes) put<T>(y, i, op.forward(get<A>(a, i), get<B>(b, i)));
  } else {
    char *const b = p[2], *const c = p[3];
    for (int64_t i = 0; i < n; i += PacketOf<T>::lanes) {
      if constexpr (Op::traits.masked) put<T>(y, i, op.forward(get_mask<T>(a, i), get<T>(b, i), get<T>(c, i)));
      else put<T>(y, i, op.forward(get<T>(a, i), get<T>(b, i), get<T>(c, i)));
    }
  }
}
template <class T, bool mask> inline auto value(const char* p, int64_t i) {
  if constexpr (mask) return get_mask<T>(p, i); else return get<T>(p, i);
}
/// One fused pass: the gradient of input K from g and the values V that the traits list for it. For a complex function with
/// derivative h the gradient is g conj(h), which is conj(conj(g) h): the same formula between two conjugations.
template <class Op, class T, int K, int... V> void backward_loop(const void* params, char* const* p, int64_t n) {
  const Op op = *static_cast<const Op*>(params);
  char *const d = p[0], *const g = p[1];
  constexpr bool mask_first = Op::traits.masked && (Op::traits.needs[K] & A);
  for (int64_t i = 0; i < n; i += PacketOf<T>::lanes) {  // the formula is called from here, not through call_backward: a frame less
    const auto gi = conj(get<T>(g, i));
    if constexpr (requires { op.backward(gi, value<T, mask_first && V == 0>(p[2 + V], i)...); })
      put<T>(d, i, conj(op.backward(gi, value<T, mask_first && V == 0>(p[2 + V], i)...)));
    else if constexpr (K == 0) put<T>(d, i, conj(op.backward_a(gi, value<T, mask_first && V == 0>(p[2 + V], i)...)));
    else if constexpr (K == 1) put<T>(d, i, conj(op.backward_b(gi, value<T, mask_first && V == 0>(p[2 + V], i)...)));
    else put<T>(d, i, conj(op.backward_c(gi, value<T, mask_first && V == 0>(p[2 + V], i)...)));
  }
}

template <class Op, int N, class T, Compute C> constexpr Kernel forward_kernel() {
  if constexpr (computes_in<Op>(C)) return forward_loop<Op, T, N>; else return nullptr;
}
template <class Op, int N, class T, int K> constexpr Kernel backward_kernel() {
  constexpr int values = __builtin_popcount(Op::traits.needs[K]);
  if constexpr (!(K < N && has_gradient<Op, K> && Op::traits.fused)) return nullptr;
  else if constexpr (values == 0) return backward_loop<Op, T, K>;
  else if constexpr (values == 1) return backward_loop<Op, T, K, 0>;
  else if constexpr (values == 2) return backward_loop<Op, T, K, 0, 1>;
  else return backward_loop<Op, T, K, 0, 1, 2>;
}
template <class Op, int N> constexpr OpKernels op_kernels() {
  return {{forward_kernel<Op, N, float, Compute::F32>(), forward_kernel<Op, N, double, Compute::F64>(),
           forward_kernel<Op, N, int64_t, Compute::I64>(), forward_kernel<Op, N, int32_t, Compute::I32>(), forward_kernel<Op, N, uint8_t, Compute::Bool>()},
          {{backward_kernel<Op, N, float, 0>(), backward_kernel<Op, N, double, 0>()},
           {backward_kernel<Op, N, float, 1>(), backward_kernel<Op, N, double, 1>()},
           {backward_kernel<Op, N, float, 2>(), backward_kernel<Op, N, double, 2>()}}};
}
template <int N, class List> struct Family;
template <int N, class... Ops> struct Family<N, OpList<Ops...>> {
  static constexpr OpKernels kernels[] = {op_kernels<Ops, N>()...};
  static constexpr FamilyTable table = {kernels, sizeof...(Ops)};
};

}}  // namespace tapegrad
