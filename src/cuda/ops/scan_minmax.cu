// Running extremes, with their places, and the running log of a sum of exponentials.
#include "src/cuda/ops/folds.cuh"
#include "src/cuda/ops/reduce.h"
#include "src/cuda/ops/scan.cuh"

namespace tapegrad::cuda {
namespace {

template <class T> struct Reached {
  T value;
  int64_t at;  // -1: nothing yet
};
template <class T, bool smallest> struct RunningExtreme {
  using Acc = Reached<T>;
  const T* x;
  T* y;
  int64_t* index;
  ScanPlan plan;
  __device__ Acc id() const { return {T(0), -1}; }
  // Of equals the last; a NaN stays until the next one.
  __device__ Acc join(Acc a, Acc b) const {
    if (b.at < 0) return a;
    if (a.at < 0 || b.value != b.value) return b;
    return a.value == a.value && (smallest ? b.value <= a.value : b.value >= a.value) ? b : a;
  }
  __device__ Acc get(int64_t i) const { return {x[i], i / plan.inner % plan.n}; }
  __device__ void put(int64_t i, Acc v) const { y[i] = v.value, index[i] = v.at; }
};
template <class T> struct RunningLogSumExp {
  using Acc = double;
  const T* x;
  T* y;
  __device__ double id() const { return -INFINITY; }
  __device__ double join(double a, double b) const {
    if (a != a || b != b) return a + b;
    const double large = a > b ? a : b, small = a > b ? b : a;
    return isinf(large) ? large : large + log1p(exp(small - large));
  }
  __device__ double get(int64_t i) const { return double(x[i]); }
  __device__ void put(int64_t i, double v) const { y[i] = T(v); }
};

template <class T> void run(const CudaScan& s) {
  const T* x = reinterpret_cast<const T*>(s.x);
  T* y = reinterpret_cast<T*>(s.y);
  if (s.kind == kScanMax) return run_scan(RunningExtreme<T, false>{x, y, s.index, s.plan}, s);
  if (s.kind == kScanMin) return run_scan(RunningExtreme<T, true>{x, y, s.index, s.plan}, s);
  if constexpr (is_real<T>) return run_scan(RunningLogSumExp<T>{x, y}, s);
  refuse_dtype(s.dtype);
}

}  // namespace

void scan_extremes(const CudaScan& s) {
  switch (s.dtype) {
    case Dtype::Float32: return run<float>(s);
    case Dtype::Float64: return run<double>(s);
    case Dtype::Int64: return run<int64_t>(s);
    default: refuse_dtype(s.dtype);
  }
}

}  // namespace tapegrad::cuda
