// Running folds. Two kernels: lines that lie one after another, lanes along each; lines side by side, a thread for each. Long lines are
// cut into chunks: a first pass leaves each chunk's total, the second begins each chunk with what those before it come to.
//
// An op has an accumulator Acc, id(), join(before, after), get(at) and put(at, acc) of the element at an offset.
#pragma once
#include "src/cuda/kernel/reduce.cuh"
#include "src/ops/cuda/reduce.h"

namespace tapegrad::cuda {

template <class A> __device__ inline A shuffle_up(const A& v, int by) {
  return by_words(v, [by](uint32_t w) { return __shfl_up_sync(kAllLanes, w, by); });
}

/// What the lanes before this one come to (*total: all of them), over groups of 32 or of all 256 threads. The room is of kThreads / 32.
template <class Op> __device__ typename Op::Acc scan_lanes(const Op& op, typename Op::Acc v, int lanes,
                                                           typename Op::Acc* room, typename Op::Acc* total) {
  using A = typename Op::Acc;
  constexpr int kWarps = ScanPlan::kThreads / kWarp;
  const int lane = int(threadIdx.x) % kWarp, warp = int(threadIdx.x) / kWarp;
#pragma unroll 1
  for (int step = 1; step < kWarp; step *= 2) {
    const A u = shuffle_up(v, step);
    if (lane >= step) v = op.join(u, v);
  }
  const A neighbour = shuffle_up(v, 1);
  A before = lane ? neighbour : op.id();
  if (lane == kWarp - 1) room[warp] = v;
  __syncthreads();
  A all = lanes == kWarp ? room[warp] : op.id();
  if (lanes > kWarp) {
#pragma unroll 1
    for (int k = 0; k < kWarps; k++) {
      if (k == warp) before = op.join(all, before);
      all = op.join(all, room[k]);
    }
  }
  __syncthreads();
  *total = all;
  return before;
}

template <class Op> __global__ void __launch_bounds__(ScanPlan::kThreads)
    scan_rows(Op op, ScanPlan p, bool back, char* totals_, bool first_pass) {
  using A = typename Op::Acc;
  constexpr int kEach = ScanPlan::kEach;
  __shared__ __align__(16) unsigned char bytes[ScanPlan::kThreads / kWarp * sizeof(A)];
  A* room = reinterpret_cast<A*>(bytes);
  A* totals = reinterpret_cast<A*>(totals_);
  const int lane = int(threadIdx.x) % p.lanes, chunk = int(blockIdx.y);
  const int64_t line = int64_t(blockIdx.x) * (ScanPlan::kThreads / p.lanes) + int(threadIdx.x) / p.lanes;
  const bool live = line < p.outer;
  const int64_t begin = chunk * p.chunk, end = begin + p.chunk < p.n ? begin + p.chunk : p.n, base = line * p.n;
  const auto at = [&](int64_t i) { return base + (back ? p.n - 1 - i : i); };
  A carry = op.id();
  if (p.chunks > 1 && !first_pass) {
    const A before = live && int(threadIdx.x) < chunk ? totals[line * p.chunks + int(threadIdx.x)] : op.id();
    scan_lanes(op, before, p.lanes, room, &carry);
  }
#pragma unroll 1
  for (int64_t tile = begin; tile < end; tile += int64_t(p.lanes) * kEach) {
    const int64_t i = tile + lane * kEach;
    A v[kEach];
#pragma unroll
    for (int k = 0; k < kEach; k++) v[k] = live && i + k < end ? op.get(at(i + k)) : op.id();
#pragma unroll
    for (int k = 1; k < kEach; k++) v[k] = op.join(v[k - 1], v[k]);
    A total;
    const A before = op.join(carry, scan_lanes(op, v[kEach - 1], p.lanes, room, &total));
#pragma unroll
    for (int k = 0; k < kEach; k++)
      if (live && i + k < end && !first_pass) op.put(at(i + k), op.join(before, v[k]));
    carry = op.join(carry, total);
  }
  if (first_pass && threadIdx.x == 0) totals[line * p.chunks + chunk] = carry;
}

template <class Op> __global__ void __launch_bounds__(ScanPlan::kThreads)
    scan_columns(Op op, ScanPlan p, bool back, char* totals_, bool first_pass) {
  using A = typename Op::Acc;
  A* totals = reinterpret_cast<A*>(totals_);
  const int64_t line = int64_t(blockIdx.x) * ScanPlan::kThreads + int(threadIdx.x), chunk = int64_t(blockIdx.y);
  if (line >= p.lines()) return;
  const int64_t begin = chunk * p.chunk, end = begin + p.chunk < p.n ? begin + p.chunk : p.n;
  const int64_t base = line / p.inner * p.n * p.inner + line % p.inner;
  A acc = op.id();
  if (p.chunks > 1 && !first_pass)
    for (int64_t k = 0; k < chunk; k++) acc = op.join(acc, totals[k * p.lines() + line]);
#pragma unroll 2
  for (int64_t i = begin; i < end; i++) {
    const int64_t at = base + (back ? p.n - 1 - i : i) * p.inner;
    acc = op.join(acc, op.get(at));
    if (!first_pass) op.put(at, acc);
  }
  if (first_pass) totals[chunk * p.lines() + line] = acc;
}

template <class Op> void run_scan(const Op& op, const CudaScan& s) {
  static_assert(sizeof(typename Op::Acc) <= CudaScan::kTotal);
  const ScanPlan& p = s.plan;
  if (p.blocks() > kMaxGridX)
    fail(CudaHost::kNotImplemented, "not implemented on CUDA for so many lines (%lld)",
         static_cast<long long>(p.lines()));
  for (int first_pass = p.chunks > 1; first_pass >= 0; first_pass--)
    launch(p.inner == 1 ? scan_rows<Op> : scan_columns<Op>, dim3(unsigned(p.blocks()), unsigned(p.chunks)),
           dim3(ScanPlan::kThreads), 0, op, p, s.back, s.totals, bool(first_pass));
}

}  // namespace tapegrad::cuda
