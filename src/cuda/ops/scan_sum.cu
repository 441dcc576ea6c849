// Running sums and products, and the linear recurrence r[i] = a[i] r[i-1] + b[i] that gradients are made of. Floats in double.
#include "src/cuda/ops/reduce.h"
#include "src/cuda/ops/scan.cuh"

namespace tapegrad::cuda {
namespace {

template <class R> __host__ __device__ inline Complex<R> operator+(Complex<R> a, Complex<R> b) {
  return {a.re + b.re, a.im + b.im};
}
template <class R> __host__ __device__ inline Complex<R> operator*(Complex<R> a, Complex<R> b) {
  return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

template <class T, class A> struct RunningSum {
  using Acc = A;
  const T* x;
  T* y;
  __device__ A id() const { return A(0); }
  __device__ A join(A a, A b) const { return a + b; }
  __device__ A get(int64_t i) const { return A(x[i]); }
  __device__ void put(int64_t i, A v) const { y[i] = T(v); }
};
template <class T, class A> struct RunningProduct : RunningSum<T, A> {
  __device__ A id() const { return A(1); }
  __device__ A join(A a, A b) const { return a * b; }
};
// What a stretch does to the number before it: r becomes a r + b.
template <class A> struct Linear { A a, b; };
template <class T, class A> struct Recurrence {
  using Acc = Linear<A>;
  const T *a, *b;
  T* y;
  __device__ Acc id() const { return {A(1), A(0)}; }
  __device__ Acc join(Acc u, Acc v) const { return {u.a * v.a, v.a * u.b + v.b}; }
  __device__ Acc get(int64_t i) const { return {A(a[i]), A(b[i])}; }
  __device__ void put(int64_t i, Acc v) const { y[i] = T(v.b); }
};

template <class T, class A> void run(const CudaScan& s) {
  const T* x = reinterpret_cast<const T*>(s.x);
  T* y = reinterpret_cast<T*>(s.y);
  if (s.kind == kScanSum) return run_scan(RunningSum<T, A>{x, y}, s);
  if (s.kind == kScanProd) return run_scan(RunningProduct<T, A>{{x, y}}, s);
  if constexpr (!std::is_integral_v<T>) return run_scan(Recurrence<T, A>{reinterpret_cast<const T*>(s.a), x, y}, s);
  refuse_dtype(s.dtype);
}

}  // namespace

void scan_sums(const CudaScan& s) {
  switch (s.dtype) {
    case Dtype::Float32: return run<float, double>(s);
    case Dtype::Float64: return run<double, double>(s);
    case Dtype::Int64: return run<int64_t, int64_t>(s);
    case Dtype::Complex128: return run<Complex<double>, Complex<double>>(s);
    default: refuse_dtype(s.dtype);
  }
}

}  // namespace tapegrad::cuda
