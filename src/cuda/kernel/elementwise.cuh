// The kernel of all elementwise ops: y[i] = f(x1[i], x2[i], …) over strided operands. A thread fetches its elements into registers as
// they are stored, whole groups by loads of up to 16 bytes, and widens them there: one kernel for all dtypes that are computed in a
// type, and for all walks. Groups that are not whole (a base between two lines, a ragged end) go element by element, as all do when
// p.wide is not set.
#pragma once
#include <string.h>

#include <utility>

#include "src/cuda/kernel/convert.cuh"
#include "src/cuda/kernel/walk.h"

namespace tapegrad::cuda {

// ---- what is computed in T

template <class... S> struct Types {};
template <class T> struct StoredAs { using list = Types<T>; };  // the dtypes of memory that T's kernels read and write
template <> struct StoredAs<float> { using list = Types<float, Half, BFloat>; };
template <> struct StoredAs<int64_t> { using list = Types<int64_t, uint32_t>; };
template <> struct StoredAs<int32_t> { using list = Types<int32_t, bool, uint8_t, int8_t, int16_t, uint16_t>; };
template <> struct StoredAs<Complex<double>> { using list = Types<Complex<double>, Complex<float>>; };
template <class T> using Stored = typename StoredAs<T>::list;
using AnyFloat = Types<double, float, Half, BFloat>;  // for functions that are computed in double whatever comes
template <class T> inline constexpr Compute compute_of = [] {
  constexpr Dtype stored[] = {Dtype::Float32, Dtype::Float64, Dtype::Int64, Dtype::Int32, Dtype::Bool, Dtype::Complex64, Dtype::Complex128};
  int c = 0;
  while (c < 7 && stored[c] != dtype_of<T>) c++;
  return Compute(c);
}();
/// Elements of a thread: 32 bytes of T.
template <class T> inline constexpr int kEach = sizeof(T) == 1 ? 16 : 32 / int(sizeof(T));

template <class... S> constexpr bool has_size(Types<S...>, int bytes) { return ((int(sizeof(S)) == bytes) || ...); }
template <class... S> constexpr int largest(Types<S...>) {
  int size = 0;
  ((size = int(sizeof(S)) > size ? int(sizeof(S)) : size), ...);
  return size;
}

// ---- elements in registers

/// E elements of any of the types in List, in order, without gaps.
template <class List, int E> struct Words {
  uint32_t w[(largest(List()) * E + 3) / 4];
};
template <int bytes> using Bits = std::conditional_t<bytes == 1, uint8_t, std::conditional_t<bytes == 2, uint16_t,
    std::conditional_t<bytes == 4, uint32_t, std::conditional_t<bytes == 8, uint2, uint4>>>>;
template <class S> __device__ inline S element(const uint32_t* w, int e) {
  Bits<sizeof(S)> bits;
  if constexpr (sizeof(S) == 1) bits = uint8_t(w[e / 4] >> e % 4 * 8);
  else if constexpr (sizeof(S) == 2) bits = uint16_t(w[e / 2] >> e % 2 * 16);
  else if constexpr (sizeof(S) == 4) bits = w[e];
  else if constexpr (sizeof(S) == 8) bits = {w[2 * e], w[2 * e + 1]};
  else bits = {w[4 * e], w[4 * e + 1], w[4 * e + 2], w[4 * e + 3]};
  if constexpr (std::is_same_v<S, bool>) return bits != 0;
  else {
    S x;
    memcpy(static_cast<void*>(&x), &bits, sizeof(S));
    return x;
  }
}
/// In order of e: the first of a word's elements clears the others.
__device__ inline void set(uint32_t* w, int e, uint8_t b) { w[e / 4] = e % 4 ? w[e / 4] | uint32_t(b) << e % 4 * 8 : b; }
__device__ inline void set(uint32_t* w, int e, uint16_t b) { w[e / 2] = e % 2 ? w[e / 2] | uint32_t(b) << 16 : b; }
__device__ inline void set(uint32_t* w, int e, uint32_t b) { w[e] = b; }
__device__ inline void set(uint32_t* w, int e, uint2 b) { w[2 * e] = b.x, w[2 * e + 1] = b.y; }
__device__ inline void set(uint32_t* w, int e, uint4 b) { w[4 * e] = b.x, w[4 * e + 1] = b.y, w[4 * e + 2] = b.z, w[4 * e + 3] = b.w; }
template <class S> __device__ inline Bits<sizeof(S)> bits_of(const S& x) {
  Bits<sizeof(S)> b;
  memcpy(&b, &x, sizeof(S));
  return b;
}

template <class S, class T, int E> __device__ inline bool widen_as(Dtype d, const uint32_t* w, T (&x)[E]) {
  if (d != dtype_of<S>) return false;
#pragma unroll
  for (int e = 0; e < E; e++) x[e] = converted<T>(element<S>(w, e));
  return true;
}
template <class T, int E, class... S> __device__ inline void widen(Types<S...>, Dtype d, const uint32_t* w, T (&x)[E]) {
  (widen_as<S>(d, w, x) || ...);
}
template <class S, class T, int E> __device__ inline bool narrow_as(Dtype d, const T (&y)[E], uint32_t* w) {
  if (d != dtype_of<S>) return false;
#pragma unroll
  for (int e = 0; e < E; e++) set(w, e, bits_of(converted<S>(y[e])));
  return true;
}
template <class T, int E, class... S> __device__ inline void narrow(Types<S...>, Dtype d, const T (&y)[E], uint32_t* w) {
  (narrow_as<S>(d, y, w) || ...);
}

// ---- memory

template <class B> __device__ inline B load_bits(const char* p) { return *reinterpret_cast<const B*>(p); }
template <class B> __device__ inline void store_bits(char* p, B b) { *reinterpret_cast<B*>(p) = b; }

template <class List, int E> struct Groups {
  static constexpr bool moves(int bytes) {  // do groups of this size occur?
    for (int size = 1; size <= 16; size *= 2)
      if (has_size(List(), size) && (size * E == bytes || size * E == 2 * bytes)) return true;
    return false;
  }
  template <class B> static __device__ void load_as(uint32_t* w, const char* p, const char* q, bool two) {
    set(w, 0, load_bits<B>(p));
    if (two) set(w, 1, load_bits<B>(q));
  }
  template <class B> static __device__ void store_as(const uint32_t* w, char* p, char* q, bool two) {
    store_bits(p, element<B>(w, 0));
    if (two) store_bits(q, element<B>(w, 1));
  }
  /// The group at p and, if there are two, the one at q.
  static __device__ void load(uint32_t* w, const char* p, const char* q, int bytes, bool two) {
    if (moves(16) && bytes == 16) load_as<uint4>(w, p, q, two);
    else if (moves(8) && bytes == 8) load_as<uint2>(w, p, q, two);
    else if (moves(4) && bytes == 4) load_as<uint32_t>(w, p, q, two);
    else if (moves(2) && bytes == 2) load_as<uint16_t>(w, p, q, two);
    else if (moves(1)) load_as<uint8_t>(w, p, q, two);
  }
  static __device__ void store(const uint32_t* w, char* p, char* q, int bytes, bool two) {
    if (moves(16) && bytes == 16) store_as<uint4>(w, p, q, two);
    else if (moves(8) && bytes == 8) store_as<uint2>(w, p, q, two);
    else if (moves(4) && bytes == 4) store_as<uint32_t>(w, p, q, two);
    else if (moves(2) && bytes == 2) store_as<uint16_t>(w, p, q, two);
    else if (moves(1)) store_as<uint8_t>(w, p, q, two);
  }
  /// The elements at p and q all over the first and the second half.
  static __device__ void spread(uint32_t* w, const char* p, const char* q, int size) {
    const auto by = [&]<int bytes>() {
      if constexpr (has_size(List(), bytes)) {
        if (size != bytes) return;
        const auto b = load_bits<Bits<bytes>>(p), c = load_bits<Bits<bytes>>(q);
#pragma unroll
        for (int e = 0; e < E; e++) set(w, e, e < E / 2 ? b : c);
      }
    };
    by.template operator()<1>(), by.template operator()<2>(), by.template operator()<4>(), by.template operator()<8>(), by.template operator()<16>();
  }
};
template <class T, int E> __device__ inline void fill(uint32_t* w, const unsigned char* value) {
  Bits<sizeof(T)> b;
  memcpy(&b, value, sizeof b);
#pragma unroll
  for (int e = 0; e < E; e++) set(w, e, b);
}

/// One element at p.
template <class T, class... S> __device__ inline T load_one(Types<S...>, const KernelArg& arg, const char* p) {
  if (arg.mode == KernelArg::number) return load_bits<T>(reinterpret_cast<const char*>(arg.value));
  T x{};
  static_cast<void>(((arg.dtype == dtype_of<S> && (x = converted<T>(load_bits<S>(p)), true)) || ...));
  return x;
}
template <class T, class... S> __device__ inline void store_one(Types<S...>, const KernelArg& arg, char* p, T y) {
  static_cast<void>(((arg.dtype == dtype_of<S> && (store_bits(p, converted<S>(y)), true)) || ...));
}

/// Bytes from the bases to where group g begins.
template <int K> __device__ inline void offsets(const KernelWalk<K>& p, uint32_t g, int32_t (&at)[K]) {
#pragma unroll
  for (int k = 0; k < K; k++) at[k] = 0;
  const int last = p.dims - 1;
#pragma unroll 1
  for (int d = 0; d < last; d++) {
    const IntDivider::Result r = p.size[d].split(g);
#pragma unroll
    for (int k = 0; k < K; k++) at[k] += int32_t(r.rest) * p.stride[k][d];
    g = r.quotient;
  }
#pragma unroll
  for (int k = 0; k < K; k++) at[k] += int32_t(g) * p.stride[k][last];
}

// ---- the kernel

/// F: a function made from an op's parameters, of `inputs` numbers of type T, stored as one of In, of which the one at `mask` (if not -1)
/// is a bool instead; its Result is stored as one of Out. A thread has `each` elements.
template <class F, int K, int... I>
__device__ inline void elementwise(const KernelWalk<K>& p, const Params& params, std::integer_sequence<int, I...>) {
  using T = typename F::T;
  using Y = typename F::Result;
  using In = typename F::In;
  using Out = typename F::Out;
  constexpr int E = F::each, M = F::mask;
  const F f(params);
  const uint32_t groups = uint32_t(p.each) >> p.lg, g = blockIdx.x * (kThreads * groups) + threadIdx.x;
  const bool two = groups == 2;
  const uint32_t h = two ? g + kThreads : g;
  const KernelArg& to = p.arg[0];
  if (p.wide && g << p.lg >= p.first && (h + 1) << p.lg <= p.end) {
    int32_t a[K], b[K];
    offsets(p, g, a);
    offsets(p, h, b);
    Words<In, E> in[K];  // all are under way before the first is looked at
    Words<Types<bool>, E> mask_in;
    const auto load = [&]<class S, class List>(const KernelArg& x, int k, S, List, uint32_t* w) {
      if (x.mode == KernelArg::dense) Groups<List, E>::load(w, x.data + a[k], x.data + b[k], x.group, two);
      else if (x.mode == KernelArg::same) Groups<List, E>::spread(w, x.data + a[k], x.data + b[k], x.size);
      else fill<S, E>(w, x.value);
    };
    const auto load_input = [&]<int k>() {
      if constexpr (k == M) load(p.arg[1 + k], 1 + k, bool(), Types<bool>(), mask_in.w);
      else load(p.arg[1 + k], 1 + k, T(), In(), in[k].w);
    };
    (load_input.template operator()<I>(), ...);
    T x[K][E];
    bool mask[E];
    const auto widen_input = [&]<int k>() {
      if constexpr (k == M) widen(Types<bool>(), Dtype::Bool, mask_in.w, mask);
      else widen(In(), p.arg[1 + k].dtype, in[k].w, x[k]);
    };
    (widen_input.template operator()<I>(), ...);
    Y y[E];
#pragma unroll
    for (int e = 0; e < E; e++) {
      const auto value = [&]<int k>() {
        if constexpr (k == M) return mask[e]; else return x[k][e];
      };
      y[e] = f(value.template operator()<I>()...);
    }
    Words<Out, E> out;
    narrow(Out(), to.dtype, y, out.w);
    Groups<Out, E>::store(out.w, to.data + a[0], to.data + b[0], to.group, two);
    return;
  }
#pragma unroll 1
  for (uint32_t e = 0; e < p.each; e += 2) {
    T x[K][2];
    bool mask[2], there[2];
    int32_t at[2];
#pragma unroll
    for (int i = 0; i < 2; i++) {
      const uint32_t j = (e + i) & ((1u << p.lg) - 1), group = g + ((e + i) >> p.lg) * kThreads, index = (group << p.lg) + j;
      there[i] = index >= p.first && index < p.end;
      if (!there[i]) continue;
      int32_t a[K];
      offsets(p, group, a);
      at[i] = a[0] + int32_t(j) * to.step;
      const auto load_input = [&]<int k>() {
        const KernelArg& from = p.arg[1 + k];
        const char* q = from.data + a[1 + k] + int32_t(j) * from.step;
        if constexpr (k == M) mask[i] = load_one<bool>(Types<bool>(), from, q);
        else x[k][i] = load_one<T>(In(), from, q);
      };
      (load_input.template operator()<I>(), ...);
    }
#pragma unroll
    for (int i = 0; i < 2; i++) {
      if (!there[i]) continue;
      const auto value = [&]<int k>() {
        if constexpr (k == M) return mask[i]; else return x[k][i];
      };
      store_one<Y>(Out(), to, to.data + at[i], f(value.template operator()<I>()...));
    }
  }
}
template <class F> __global__ void __launch_bounds__(kThreads)
elementwise_kernel(const __grid_constant__ KernelWalk<F::inputs + 1> p, const __grid_constant__ Params params) {
  elementwise<F>(p, params, std::make_integer_sequence<int, F::inputs>());
}
template <class F> KernelEntry entry_of(size_t param_bytes) {
  const ElementwiseKernel<F::inputs + 1> kernel = elementwise_kernel<F>;
  return {reinterpret_cast<void (*)()>(kernel), F::inputs + 1, F::mask + 1, F::each, uint8_t(param_bytes), compute_of<typename F::T>,
          !std::is_same_v<typename F::Result, typename F::T>, std::is_same_v<typename F::In, AnyFloat>};
}

}  // namespace tapegrad::cuda
