// Random numbers and dropout. A thread makes the four words of one counter. Compiled without fused multiply-adds (cmake/Cuda.cmake), so that
// the numbers have the CPU's bits.
#include "src/ops/draws.h"

#include "src/cuda/kernel/fault.cuh"
#include "src/cuda/kernel/cuda.cuh"
#include "src/cuda/ops/families.h"
#include "src/ops/cuda/random.h"

namespace tapegrad::cuda {
namespace {

constexpr int kDrawBlock = 256;
__device__ inline int64_t counter_number() { return int64_t(blockIdx.x) * kDrawBlock + threadIdx.x; }
__device__ inline void words_of(CudaStreamPart s, int64_t block, uint32_t* w) { philox(s.seed, s.first + uint64_t(block), 0, w); }
template <class... P, class... A> void launch_counters(void (*kernel)(P...), int64_t n, int each, A&&... args) {
  launch_line(kernel, divide_up(n, each), kDrawBlock, static_cast<A&&>(args)...);
}

// Up to four elements at `at`, in one access where that can be.
template <class T> __device__ inline bool fits4(const T* p, int64_t at, int64_t n) {
  return at + 4 <= n && reinterpret_cast<uintptr_t>(p + at) % (4 * sizeof(T)) == 0;
}
template <class T, class V> __device__ inline void put4(T* out, int64_t at, int64_t n, const V (&v)[4]) {
  if (fits4(out, at, n)) {
    Pack<T, 4> pack;
#pragma unroll
    for (int k = 0; k < 4; k++) pack[k] = T(v[k]);
    store_pack(out + at, pack);
  } else {
#pragma unroll
    for (int k = 0; k < 4; k++)
      if (at + k < n) out[at + k] = T(v[k]);
  }
}

__device__ inline double exponential(double u, double half_step, const CudaReal& o) {
  const double draw = -log1p(-(u > half_step ? u : half_step)) / o.a;
  return draw > o.least ? draw : o.least;
}
template <class T> __global__ void draw_real(CudaStreamPart s, CudaReal o, T* out, int64_t n) {
  const int64_t block = counter_number(), at = 4 * block;
  if (at >= n) return;
  uint32_t w[4];
  words_of(s, block, w);
  float v[4];
  if (o.law == CudaLaw::Normal) {
    normal_pair(w[0], w[1], v[0], v[1]);
    normal_pair(w[2], w[3], v[2], v[3]);
  } else {
    for (int k = 0; k < 4; k++) v[k] = unit24(w[k]);
  }
  const float start = float(o.a), scale = float(o.width), end = float(o.top);
  const bool plain = start == 0 && scale == 1 && sizeof(T) == 4;
#pragma unroll
  for (int k = 0; k < 4; k++) {
    if (o.law == CudaLaw::Exponential) {
      v[k] = float(exponential(double(v[k]), 0x1p-25, o));
    } else if (!plain) {
      const float moved = start + scale * v[k];
      v[k] = end < moved ? end : moved;
    }
  }
  put4(out, at, n, v);
}
__global__ void draw_double(CudaStreamPart s, CudaReal o, double* out, int64_t n) {
  const int64_t block = counter_number(), at = 2 * block;
  if (at >= n) return;
  uint32_t w[4];
  words_of(s, block, w);
  double v[2] = {unit53(w), unit53(w + 2)};
  if (o.law == CudaLaw::Normal) {
    const double r = sqrt(-2 * log1p(-v[0])), t = 6.283185307179586476925 * v[1];
    v[0] = r * cos(t), v[1] = r * sin(t);
  }
  for (int k = 0; k < 2 && at + k < n; k++) {
    const double moved = o.a + o.width * v[k];
    out[at + k] = o.law == CudaLaw::Exponential ? exponential(v[k], 0x1p-54, o) : o.top < moved ? o.top : moved;
  }
}
void real(CudaStreamPart s, const CudaReal& o, Dtype d, void* out, int64_t n) {
  if (d == Dtype::Float64) return launch_counters(draw_double, n, 2, s, o, static_cast<double*>(out), n);
  typed_real(d, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (sizeof(T) < 8) launch_counters(draw_real<T>, n, 4, s, o, static_cast<T*>(out), n);
  });
}

template <class T> __global__ void draw_whole(CudaStreamPart s, int64_t low, uint64_t range, bool narrow, T* out, int64_t n) {
  const int64_t block = counter_number(), at = (narrow ? 4 : 2) * block;
  if (at >= n) return;
  uint32_t w[4];
  words_of(s, block, w);
  for (int k = 0; k < (narrow ? 4 : 2) && at + k < n; k++) {
    uint64_t u;
    if (narrow) {
      u = w[k] * range >> 32;
    } else {
      __extension__ using Wide = unsigned __int128;
      u = uint64_t(w[2 * k + 1]) << 32 | w[2 * k];
      if (range) u = uint64_t(Wide(u) * range >> 64);
    }
    const int64_t v = int64_t(uint64_t(low) + u);
    if constexpr (is_half<T>) out[at + k] = T(float(v)); else out[at + k] = T(v);
  }
}
Dtype signed_one(Dtype d) {  // of the same size: the same bits
  return d == Dtype::UInt16 ? Dtype::Int16 : d == Dtype::UInt32 ? Dtype::Int32 : d == Dtype::UInt64 ? Dtype::Int64 : d;
}
void whole(CudaStreamPart s, int64_t low, uint64_t range, Dtype d, void* out, int64_t n) {
  const bool narrow = range && range <= uint64_t(1) << 32;
  typed(signed_one(d), [&](auto zero) {
    using T = decltype(zero);
    launch_counters(draw_whole<T>, n, narrow ? 4 : 2, s, low, range, narrow, static_cast<T*>(out), n);
  });
}

template <class T> __global__ void draw_chance(CudaStreamPart s, uint32_t threshold, T* out, int64_t n) {
  const int64_t block = counter_number(), at = 4 * block;
  if (at >= n) return;
  uint32_t w[4];
  words_of(s, block, w);
  float v[4];
#pragma unroll
  for (int k = 0; k < 4; k++) v[k] = (w[k] >> 8) < threshold ? 1.f : 0.f;
  put4(out, at, n, v);
}
void chance(CudaStreamPart s, uint32_t threshold, Dtype d, void* out, int64_t n) {
  typed(signed_one(d), [&](auto zero) {
    using T = decltype(zero);
    launch_counters(draw_chance<T>, n, 4, s, threshold, static_cast<T*>(out), n);
  });
}
template <class T> __global__ void draw_bernoulli(CudaStreamPart s, const float* p, T* out, int64_t n, Fault* fault, const char* op) {
  const int64_t block = counter_number(), at = 4 * block;
  if (at >= n) return;
  uint32_t w[4];
  words_of(s, block, w);
  for (int k = 0; k < 4 && at + k < n; k++) {
    const float chance = p[at + k];
    if (!(chance >= 0 && chance <= 1)) note_fault(fault, op, Fault::kProbability, 0, 0, 0);
    out[at + k] = T(unit24(w[k]) < chance ? 1.f : 0.f);
  }
}
void bernoulli(CudaStreamPart s, const float* p, Dtype d, void* out, int64_t n) {
  typed_real(d, [&](auto zero) {
    using T = decltype(zero);
    launch_counters(draw_bernoulli<T>, n, 4, s, p, static_cast<T*>(out), n, fault_record(), running_op());
  });
}

__global__ void draw_counts(CudaStreamPart s, const double* a, const double* p, double* out, int64_t n) {
  const int64_t i = counter_number();
  if (i < n) out[i] = p ? binomial_draw(a[i], p[i], s.seed, s.first + uint64_t(i)) : poisson_draw(a[i], s.seed, s.first + uint64_t(i));
}
void counts(CudaStreamPart s, const double* a, const double* p, double* out, int64_t n) { launch_counters(draw_counts, n, 1, s, a, p, out, n); }

template <class T> __global__ void drop(CudaStreamPart s, uint32_t threshold, bool below, Wide<T> scale, const T* x, T* y, int64_t n) {
  const int64_t block = counter_number(), at = 4 * block;
  if (at >= n) return;
  uint32_t w[4];
  words_of(s, block, w);
  Wide<T> v[4];
  if (fits4(x, at, n)) {
    const Pack<T, 4> pack = load_pack<T, 4>(x + at);
#pragma unroll
    for (int k = 0; k < 4; k++) v[k] = Wide<T>(pack[k]);
  } else {
#pragma unroll
    for (int k = 0; k < 4; k++) v[k] = at + k < n ? Wide<T>(x[at + k]) : Wide<T>(0);
  }
#pragma unroll
  for (int k = 0; k < 4; k++) v[k] = ((w[k] >> 8) < threshold) == below ? v[k] * scale : Wide<T>(0);
  put4(y, at, n, v);
}
void dropout(CudaStreamPart s, uint32_t threshold, bool below, double scale, Dtype d, const void* x, void* y, int64_t n) {
  typed_real(d, [&](auto zero) {
    using T = decltype(zero);
    launch_counters(drop<T>, n, 4, s, threshold, below, Wide<T>(T(Wide<T>(scale))), static_cast<const T*>(x), static_cast<T*>(y), n);
  });
}

}  // namespace

void fill(CudaRandom& t) { t.real = real, t.whole = whole, t.chance = chance, t.bernoulli = bernoulli, t.counts = counts, t.dropout = dropout; }

}  // namespace tapegrad::cuda
