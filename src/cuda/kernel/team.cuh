// A row's threads: a warp (four rows a block) or a whole block. Joins over a team, and rows of any length and alignment read and written
// 16 bytes at a time, with single elements at their ends.
#pragma once
#include "src/cuda/kernel/reduce.cuh"

namespace tapegrad::cuda {

inline constexpr int kTeamRows = 4;  // of a block whose teams are warps

template <int kThreads> __device__ int64_t team_row() {
  return kThreads == 32 ? int64_t(blockIdx.x) * kTeamRows + threadIdx.y : int64_t(blockIdx.x);
}
template <int kThreads> dim3 team_block() { return kThreads == 32 ? dim3(32, kTeamRows) : dim3(kThreads); }
template <int kThreads> dim3 team_grid(int64_t rows) { return dim3(unsigned(kThreads == 32 ? (rows + kTeamRows - 1) / kTeamRows : rows)); }

/// All threads get the join of their values; which joins which depends on the team's size alone.
template <int kThreads, class C, class Join> __device__ C team_join(C v, Join join) {
#pragma unroll
  for (int o = 16; o; o >>= 1) v = join(v, shuffle_xor(v, o));
  if constexpr (kThreads > 32) {
    __shared__ C part[kThreads / 32];
    __syncthreads();  // a join before this one may still be reading
    if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = v;
    __syncthreads();
    v = part[0];
    for (int k = 1; k < kThreads / 32; k++) v = join(v, part[k]);
  }
  return v;
}
template <int kThreads, class C> __device__ C team_sum(C v) { return team_join<kThreads>(v, [](C a, C b) { return a + b; }); }
__device__ inline float larger_of(float a, float b) { return fmaxf(a, b); }  // the other one when one is NaN
__device__ inline double larger_of(double a, double b) { return fmax(a, b); }
template <int kThreads, class C> __device__ C team_max(C v) { return team_join<kThreads>(v, [](C a, C b) { return larger_of(a, b); }); }

template <class T> inline constexpr int kPack = Pack<T>::size;
/// Packs of a row that one thread keeps in registers: 32 elements, or 16 doubles.
template <class T> inline constexpr int kHeld = sizeof(T) == 2 ? 4 : 8;

/// A row of n elements in packs that begin at multiples of 16 bytes. The first and the last may reach past the row's ends.
template <class T> struct RowOf {
  using C = Wide<T>;
  int64_t n;
  int shift;  // elements that the first pack begins before the row

  __device__ RowOf(const T* row, int64_t length) : n(length), shift(int(reinterpret_cast<uintptr_t>(row) % 16 / sizeof(T))) {}
  __device__ int64_t packs() const { return (n + shift + kPack<T> - 1) / kPack<T>; }
  /// Where pack j begins, which is the row's element to take its first number for; may be negative.
  __device__ int64_t start(int64_t j) const { return j * kPack<T> - shift; }
  __device__ bool has(int64_t i) const { return i >= 0 && i < n; }
  __device__ bool whole(const void* p, int64_t at) const {
    return at >= 0 && at + kPack<T> <= n && reinterpret_cast<uintptr_t>(p) % 16 == 0;
  }
  /// The pack at `at`; `other` for what is outside the row. `row` is this row or another operand's of the same length.
  __device__ void read(const T* row, int64_t at, C (&v)[kPack<T>], C other = C(0)) const {
    const T* p = row + at;
    if (whole(p, at)) {
      const Pack<T> raw = load_pack<T>(p);
#pragma unroll
      for (int e = 0; e < kPack<T>; e++) v[e] = C(raw[e]);
    } else {
#pragma unroll
      for (int e = 0; e < kPack<T>; e++) v[e] = has(at + e) ? C(p[e]) : other;
    }
  }
  __device__ void write(T* row, int64_t at, const C (&v)[kPack<T>]) const {
    T* p = row + at;
    if (whole(p, at)) {
      Pack<T> raw;
#pragma unroll
      for (int e = 0; e < kPack<T>; e++) raw[e] = T(v[e]);
      store_pack(p, raw);
    } else {
#pragma unroll
      for (int e = 0; e < kPack<T>; e++)
        if (has(at + e)) p[e] = T(v[e]);
    }
  }
};

template <int t> struct Threads { static constexpr int value = t; };
/// held(Threads) with the team whose registers hold a row of n elements of T, or long_row(Threads) when none does.
template <class T, class Held, class Long> void by_team(int64_t n, Held held, Long long_row) {
  constexpr int64_t pack = kPack<T>, each = kHeld<T> * pack;  // a row that begins between two packs needs one more
  if (n <= 32 * each - pack) held(Threads<32>());
  else if (n <= 256 * each - pack) held(Threads<256>());
  else long_row(Threads<512>());
}
/// The same where nothing is held.
template <class F> void by_length(int64_t n, F run) {
  if (n <= 1024) run(Threads<32>()); else run(Threads<512>());
}

}  // namespace tapegrad::cuda
