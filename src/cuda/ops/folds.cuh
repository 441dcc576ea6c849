// The folds of src/ops/cpu/reduce.h on the device. C is what elements are computed in: float, double or int64.
#pragma once
#include "src/cuda/ops/fold.cuh"

namespace tapegrad::cuda {

/// The accumulator as a number of the results' dtype, or (in a first pass) as it is.
struct FoldOut {
  char* data;
  Dtype dtype;
  double divide;
  bool root;
  template <class T, class A>
  __device__ void operator()(const T*, Offsets at, const FoldPlan& p, int64_t chunk, A v) const {
    const int64_t i = at.to * p.chunks + chunk;
    if constexpr (std::is_integral_v<A>)
      if (dtype < Dtype::Float16) return put_integer(data, dtype, i, v);
    if (p.chunks > 1) return put_real(data, dtype, i, double(v));
    const double d = double(v) / divide;
    put_real(data, dtype, i, root ? sqrt(d) : d);
  }
};

template <class C> struct Sums {
  using Acc = C;
  static __device__ Acc id() { return 0; }
  static __device__ Acc of(C x, C, int64_t) { return x; }
  static __device__ Acc join(Acc a, Acc b) { return a + b; }
};
template <class C> struct SumSquares : Sums<C> {
  static __device__ C of(C x, C shift, int64_t) { return (x - shift) * (x - shift); }
};
template <class C> struct SumAbs : Sums<C> {
  static __device__ C of(C x, C, int64_t) { return x < 0 ? -x : x; }
};
template <class C> struct SumExp : Sums<C> {
  static __device__ C of(C x, C shift, int64_t) {
    if constexpr (sizeof(C) == 4) return expf(x - shift);
    else return exp(x - shift);
  }
};
template <class C>
struct Prods {  // floats in double: their products leave the range of float sooner than the result does
  using Acc = std::conditional_t<std::is_integral_v<C>, C, double>;
  static __device__ Acc id() { return 1; }
  static __device__ Acc of(C x, C, int64_t) { return Acc(x); }
  static __device__ Acc join(Acc a, Acc b) { return a * b; }
};
template <class C> __device__ inline C highest() {
  if constexpr (std::is_integral_v<C>) return INT64_MAX;
  else return C(INFINITY);
}
template <class C> __device__ inline C lowest() {
  if constexpr (std::is_integral_v<C>) return INT64_MIN;
  else return C(-INFINITY);
}
template <class C> struct Maxima {
  using Acc = C;
  static __device__ Acc id() { return lowest<C>(); }
  static __device__ Acc of(C x, C, int64_t) { return x; }
  static __device__ Acc join(Acc a, Acc b) { return ((a > b) | (a != a)) ? a : b; }
};
template <class C> struct Minima {
  using Acc = C;
  static __device__ Acc id() { return highest<C>(); }
  static __device__ Acc of(C x, C, int64_t) { return x; }
  static __device__ Acc join(Acc a, Acc b) { return ((a < b) | (a != a)) ? a : b; }
};
template <class C> struct MaxAbs : Maxima<C> {
  static __device__ C id() { return 0; }
  static __device__ C of(C x, C, int64_t) { return x < 0 ? -x : x; }
};
template <class C> struct MinAbs : Minima<C> {
  static __device__ C of(C x, C, int64_t) { return x < 0 ? -x : x; }
};
template <class C> struct Counts {
  using Acc = int64_t;
  static __device__ Acc id() { return 0; }
  static __device__ Acc of(C x, C, int64_t) { return x != 0; }
  static __device__ Acc join(Acc a, Acc b) { return a + b; }
};
template <class C> struct Alls {
  using Acc = int64_t;
  static __device__ Acc id() { return 1; }
  static __device__ Acc of(C x, C, int64_t) { return x != 0; }
  static __device__ Acc join(Acc a, Acc b) { return a < b ? a : b; }
};

template <template <class> class F> void run_fold(const CudaFold& f) {
  folded(f.in, [&](auto zero) {
    using T = decltype(zero);
    launch_fold<F<FoldNumber<T>>, T>(f.x, f.plan, f.shift, FoldOut{f.out_data, f.out, f.divide, f.root});
  });
}
/// For those that integers do not have.
template <template <class> class F> void run_real_fold(const CudaFold& f) {
  typed_real(f.in, [&](auto zero) {
    using T = decltype(zero);
    launch_fold<F<FoldNumber<T>>, T>(f.x, f.plan, f.shift, FoldOut{f.out_data, f.out, f.divide, f.root});
  });
}

}  // namespace tapegrad::cuda
