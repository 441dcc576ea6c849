// The two kernels under all reductions: lanes along a row, and lanes down columns. Which elements a lane takes, and how lanes are
// joined, is told by FoldPlan (src/ops/cuda/fold_plan.h) alone.
//
// A fold F has an accumulator Acc, id(), join(a, b), of(element, shift, i): the accumulator of the i-th element alone.
#pragma once
#include "src/cuda/kernel/reduce.cuh"
#include "src/ops/cuda/reduce.h"

namespace tapegrad::cuda {

/// What elements of T are computed in: float, double or int64.
template <class T> using FoldNumber = std::conditional_t<is_real<T>, Wide<T>, int64_t>;

/// A number of one of the float dtypes at p[i].
__device__ inline void put_real(char* p, Dtype dtype, int64_t i, double v) {
  switch (dtype) {
    case Dtype::Float16: reinterpret_cast<Half*>(p)[i] = Half(float(v)); break;
    case Dtype::BFloat16: reinterpret_cast<BFloat*>(p)[i] = BFloat(float(v)); break;
    case Dtype::Float32: reinterpret_cast<float*>(p)[i] = float(v); break;
    default: reinterpret_cast<double*>(p)[i] = v;
  }
}
/// Of one of the others.
__device__ inline void put_integer(char* p, Dtype dtype, int64_t i, int64_t v) {
  switch (dtype) {
    case Dtype::Bool: reinterpret_cast<bool*>(p)[i] = v != 0; break;
    case Dtype::UInt8:
    case Dtype::Int8: reinterpret_cast<int8_t*>(p)[i] = int8_t(v); break;
    case Dtype::Int16: reinterpret_cast<int16_t*>(p)[i] = int16_t(v); break;
    case Dtype::Int32: reinterpret_cast<int32_t*>(p)[i] = int32_t(v); break;
    default: reinterpret_cast<int64_t*>(p)[i] = v;
  }
}

struct Offsets {
  int64_t from, to;
};
/// Of the r-th result.
__device__ inline Offsets result_at(const FoldPlan& p, int64_t r) {
  Offsets at = {0, 0};
#pragma unroll 1
  for (int d = 0; d < p.kept; d++) {
    const int64_t n = p.keep[d].size;
    const int64_t q = (r | n) >> 32 ? r / n : uint32_t(r) / uint32_t(n);
    at.from += (r - q * n) * p.keep[d].from, at.to += (r - q * n) * p.keep[d].to;
    r = q;
  }
  return at;
}
/// Where a result's i-th element is.
struct Along {
  int64_t inner, outer;  // strides
  IntDivider size;
  bool one;
  explicit Along(const FoldPlan& p)
      : inner(p.reduced ? p.reduce[0].from : 0),
        outer(p.reduced > 1 ? p.reduce[1].from : 0),
        size(p.reduced > 1 ? uint32_t(p.reduce[0].size) : 1),
        one(p.reduced < 2) {}
  __device__ int64_t operator()(int64_t i) const {
    if (one) return i * inner;
    const IntDivider::Result at = size.split(uint32_t(i));
    return at.rest * inner + at.quotient * outer;
  }
};

template <class F, class A> __device__ inline A join_across(A v, int from, int down_to) {
  for (int step = from; step >= down_to; step /= 2) v = F::join(v, shuffle_xor(v, step));
  return v;
}

constexpr int kFoldChains = 4;  // accumulators of a thread, so that none waits for its own sum

/// What a thread does for the r-th result: its elements are some of those from begin to end. There is nothing to do past the last one.
template <class F, class T> struct Share {
  using A = typename F::Acc;
  using C = FoldNumber<T>;
  const T* x;
  Offsets at = {0, 0};
  C shift = 0;
  int64_t begin = 0, end = 0;
  A acc[kFoldChains];

  __device__ Share(const T* data, const FoldPlan& p, const double* shifts, int64_t r) : x(data) {
#pragma unroll
    for (int k = 0; k < kFoldChains; k++) acc[k] = F::id();
    if (r >= p.results) return;
    at = result_at(p, r);
    x += at.from;
    if (shifts) shift = C(shifts[at.to]);
    begin = int64_t(blockIdx.y) * p.chunk, end = begin + p.chunk < p.each ? begin + p.chunk : p.each;
  }
  __device__ void take(int chain, T v, int64_t i) { acc[chain] = F::join(acc[chain], F::of(C(v), shift, i)); }
  __device__ A joined() const { return F::join(F::join(acc[0], acc[1]), F::join(acc[2], acc[3])); }
};

template <class F, class T, class Out> __global__ void __launch_bounds__(FoldPlan::kThreads)
    fold_rows(const T* x, FoldPlan p, Along along, const double* shifts, Out out) {
  using A = typename F::Acc;
  constexpr int kPacket = 16 / int(sizeof(T)), kTogether = sizeof(T) < 4 ? 2 : 4;
  const int lane = int(threadIdx.x) & (p.lanes - 1);
  const int64_t r = int64_t(blockIdx.x) * (FoldPlan::kThreads / p.lanes) + int(threadIdx.x) / p.lanes;
  Share<F, T> s(x, p, shifts, r);
  const auto take = [&](const Pack<T, kPacket>& v, int64_t i) {
#pragma unroll
    for (int k = 0; k < kPacket; k++) s.take(k % kFoldChains, v[k], i + k);
  };
  int64_t i = s.begin + lane * p.packet;
  const int64_t step = int64_t(p.lanes) * p.packet;
  if (p.packet > 1) {
    if ((reinterpret_cast<uintptr_t>(s.x) & 15) == 0 && (along.one || along.outer % kPacket == 0)) {
#pragma unroll 1
      for (; i + (kTogether - 1) * step + kPacket <= s.end; i += kTogether * step) {
        Pack<T, kPacket> v[kTogether];
#pragma unroll
        for (int k = 0; k < kTogether; k++) v[k] = load_pack<T>(s.x + along(i + k * step));
#pragma unroll
        for (int k = 0; k < kTogether; k++) take(v[k], i + k * step);
      }
    }
#pragma unroll 1
    for (; i + kPacket <= s.end; i += step) {  // the same elements in the same order
      const T* from = s.x + along(i);
      Pack<T, kPacket> v;
#pragma unroll
      for (int k = 0; k < kPacket; k++) v[k] = from[k];
      take(v, i);
    }
  }
  // One by one: what is left of the last packet, or everything where there are no packets.
  const int64_t last = p.packet > 1 ? i + kPacket : s.end, next = p.packet > 1 ? 1 : step;
#pragma unroll 1
  for (; i < s.end && i < last; i += next) s.take(0, s.x[along(i)], i);
  A v = join_across<F>(s.joined(), p.lanes < kWarp ? p.lanes / 2 : kWarp / 2, 1);
  if (p.lanes > kWarp) {
    constexpr int kWarps = FoldPlan::kThreads / kWarp;
    __shared__ __align__(16) unsigned char room[kWarps * sizeof(A)];
    A* part = reinterpret_cast<A*>(room);
    if (threadIdx.x % kWarp == 0) part[threadIdx.x / kWarp] = v;
    __syncthreads();
    v = join_across<F>(part[threadIdx.x % kWarps], kWarps / 2, 1);
  }
  if (lane == 0 && r < p.results) out(s.x, s.at, p, int64_t(blockIdx.y), v);
}

template <class F, class T, class Out> __global__ void __launch_bounds__(FoldPlan::kThreads)
    fold_columns(const T* x, FoldPlan p, Along along, const double* shifts, Out out) {
  using A = typename F::Acc;
  const int width = FoldPlan::kThreads / p.lanes, lane = int(threadIdx.x) / width;
  const int64_t r = int64_t(blockIdx.x) * width + int(threadIdx.x) % width, step = p.lanes;
  Share<F, T> s(x, p, shifts, r);
  int64_t i = s.begin + lane;
#pragma unroll 1
  for (; i + (kFoldChains - 1) * step < s.end; i += kFoldChains * step) {
    T v[kFoldChains];
#pragma unroll
    for (int k = 0; k < kFoldChains; k++) v[k] = s.x[along(i + k * step)];
#pragma unroll
    for (int k = 0; k < kFoldChains; k++) s.take(k, v[k], i + k * step);
  }
#pragma unroll 1
  for (; i < s.end; i += step) s.take(0, s.x[along(i)], i);
  __shared__ __align__(16) unsigned char room[FoldPlan::kThreads * sizeof(A)];
  A* part = reinterpret_cast<A*>(room);
  part[threadIdx.x] = s.joined();
  for (int half = p.lanes / 2; half > 0; half /= 2) {
    __syncthreads();
    if (lane < half) part[threadIdx.x] = F::join(part[threadIdx.x], part[int(threadIdx.x) + half * width]);
  }
  if (lane == 0 && r < p.results) out(s.x, s.at, p, int64_t(blockIdx.y), part[threadIdx.x]);
}

template <class F, class T, class Out>
void launch_fold(const char* x, const FoldPlan& p, const double* shifts, const Out& out) {
  if (p.blocks() > kMaxGridX)
    fail(CudaHost::kNotImplemented, "not implemented on CUDA for so many results (%lld)",
         static_cast<long long>(p.results));
  launch(p.rows ? fold_rows<F, T, Out> : fold_columns<F, T, Out>, dim3(unsigned(p.blocks()), unsigned(p.chunks)),
         dim3(FoldPlan::kThreads), 0, reinterpret_cast<const T*>(x), p, Along(p), shifts, out);
}

/// f(a value of the type that holds it) for the dtypes that reductions read as they are.
template <class F> void folded(Dtype d, F&& f) {
  switch (d) {
    case Dtype::Bool:
    case Dtype::UInt8: return f(uint8_t());
    case Dtype::Int32: return f(int32_t());
    case Dtype::Int64: return f(int64_t());
    default: return typed_real(d, f);
  }
}

}  // namespace tapegrad::cuda
