// The largest number of a row and the sum of exp(x - it), found in one pass: what softmax and cross entropy share.
#pragma once
#include "src/cuda/kernel/team.cuh"

namespace tapegrad::cuda {

__device__ inline float exp_of(float x) { return expf(x); }
__device__ inline double exp_of(double x) { return exp(x); }
__device__ inline float log_of(float x) { return logf(x); }
__device__ inline double log_of(double x) { return log(x); }

template <class C> struct ExpSum {
  C most = -C(INFINITY), sum = 0;
  __device__ void raise_to(C other) {
    if (other > most) sum *= exp_of(most - other), most = other;
  }
  /// -inf adds nothing as long as nothing else has been seen; NaN makes the sum NaN.
  __device__ C power(C x) const { return exp_of(most == -C(INFINITY) && x == most ? x : x - most); }
  __device__ void add(C x) {
    raise_to(x);
    sum += power(x);
  }
};
/// Of a whole row, for all threads of its team.
template <int kThreads, class T> __device__ ExpSum<Wide<T>> team_exp_sum(const T* x, const RowOf<T>& row) {
  using C = Wide<T>;
  ExpSum<C> own;
  C v[kPack<T>];
  for (int64_t j = threadIdx.x; j < row.packs(); j += kThreads) {
    row.read(x, row.start(j), v, -C(INFINITY));
    C most = v[0];
#pragma unroll
    for (int e = 1; e < kPack<T>; e++) most = larger_of(most, v[e]);
    own.raise_to(most);
#pragma unroll
    for (int e = 0; e < kPack<T>; e++) own.sum += own.power(v[e]);
  }
  ExpSum<C> all;
  all.most = team_max<kThreads>(own.most);
  all.sum = team_sum<kThreads>(own.most == all.most ? own.sum : own.sum * exp_of(own.most - all.most));
  return all;
}

}  // namespace tapegrad::cuda
