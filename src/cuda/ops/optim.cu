// A step of an optimiser for many parameters in one launch: their addresses travel with the kernel's arguments, and each block finds the
// parameter that its chunk belongs to. Compiled without fused multiply-adds (cmake/Cuda.cmake): the CPU's bits.
#include "src/cuda/kernel/cuda.cuh"
#include "src/cuda/ops/families.h"
#include "src/ops/cuda/optim.h"
#include "src/ops/formulas_optim.h"

namespace tapegrad::cuda {
namespace {

constexpr int kStepBlock = 256, kWide = 4;      // elements that a thread takes at once
constexpr int64_t kChunk = 16 * kStepBlock * kWide;

template <int kItems> struct ItemList {
  CudaOptimItem item[kItems];
  int32_t first_chunk[kItems];
  int count;
};
struct Chunk {
  int item;
  int64_t begin, end;
};
template <int kItems> __device__ Chunk chunk_of(const ItemList<kItems>& list) {
  const int32_t chunk = int32_t(blockIdx.x);
  int low = 0, high = list.count;  // the last item that begins at or before it
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (list.first_chunk[middle] <= chunk) low = middle; else high = middle;
  }
  const int64_t begin = int64_t(chunk - list.first_chunk[low]) * kChunk, n = list.item[low].numel;
  return {low, begin, begin + kChunk < n ? begin + kChunk : n};
}
template <class T> __device__ bool all_aligned(const CudaOptimItem& item) {
  uintptr_t bits = 0;
  for (int k = 0; k < 5; k++) bits |= reinterpret_cast<uintptr_t>(item.part[k]);
  return bits % sizeof(Pack<T, kWide>) == 0;
}

template <class T, class M> struct Element {
  using C = Wide<T>;
  T *p, *a, *b, *c;
  const T* g;
  __device__ explicit Element(const CudaOptimItem& item)
      : p(static_cast<T*>(item.part[0])), a(static_cast<T*>(item.part[2])), b(static_cast<T*>(item.part[3])), c(static_cast<T*>(item.part[4])),
        g(static_cast<const T*>(item.part[1])) {}
  __device__ void one(const M& m, int64_t i) const {
    C to = C(p[i]), x = 0, y = 0, z = 0;
    if constexpr (M::states & 1) x = C(a[i]);
    if constexpr (M::states & 2) y = C(b[i]);
    if constexpr (M::states & 4) z = C(c[i]);
    m(to, C(g[i]), x, y, z);
    if constexpr (M::states & 1) a[i] = T(x);
    if constexpr (M::states & 2) b[i] = T(y);
    if constexpr (M::states & 4) c[i] = T(z);
    p[i] = T(to);
  }
  __device__ void several(const M& m, int64_t i) const {
    using P = Pack<T, kWide>;
    P to = load_pack<T, kWide>(p + i), x{}, y{}, z{};
    const P from = load_pack<T, kWide>(g + i);
    if constexpr (M::states & 1) x = load_pack<T, kWide>(a + i);
    if constexpr (M::states & 2) y = load_pack<T, kWide>(b + i);
    if constexpr (M::states & 4) z = load_pack<T, kWide>(c + i);
#pragma unroll
    for (int k = 0; k < kWide; k++) {
      C v = C(to[k]), s0 = C(x[k]), s1 = C(y[k]), s2 = C(z[k]);
      m(v, C(from[k]), s0, s1, s2);
      to[k] = T(v), x[k] = T(s0), y[k] = T(s1), z[k] = T(s2);
    }
    if constexpr (M::states & 1) store_pack(a + i, x);
    if constexpr (M::states & 2) store_pack(b + i, y);
    if constexpr (M::states & 4) store_pack(c + i, z);
    store_pack(p + i, to);
  }
};
template <class T, class M, int kItems> __global__ void step_chunk(const __grid_constant__ ItemList<kItems> list, const M m) {
  const Chunk chunk = chunk_of(list);
  const CudaOptimItem& item = list.item[chunk.item];
  const Element<T, M> at(item);
  int64_t tail = chunk.begin;
  if (all_aligned<T>(item)) {
    tail = chunk.end - chunk.end % kWide;
    for (int64_t i = chunk.begin + threadIdx.x * kWide; i < tail; i += kStepBlock * kWide) at.several(m, i);
  }
#pragma unroll 1
  for (int64_t i = tail + threadIdx.x; i < chunk.end; i += kStepBlock) at.one(m, i);
}
template <class T, int kItems> __global__ void unscale_chunk(const __grid_constant__ ItemList<kItems> list, const float* inv_scale, float* found) {
  const Chunk chunk = chunk_of(list);
  T* x = static_cast<T*>(list.item[chunk.item].part[0]);
  const Wide<T> scale = Wide<T>(*inv_scale);
  bool bad = false;
  for (int64_t i = chunk.begin + threadIdx.x; i < chunk.end; i += kStepBlock) {
    const Wide<T> v = Wide<T>(x[i]);
    bad |= !isfinite(v);
    x[i] = T(v * scale);
  }
  if (bad) *found = 1;  // whoever writes it, it is the same
}

// go(list, chunks) for lists of at most kItems items.
template <int kItems, class F> void each_list(const CudaOptimItem* items, int64_t count, F go) {
  ItemList<kItems> list;
  list.count = 0;
  int64_t chunks = 0;
  for (int64_t k = 0; k < count; k++) {
    const int64_t own = divide_up(items[k].numel, kChunk);
    if (!own) continue;
    if (list.count == kItems || chunks + own > INT32_MAX) {
      go(list, chunks);
      list.count = 0, chunks = 0;
    }
    list.item[list.count] = items[k];
    list.first_chunk[list.count++] = int32_t(chunks);
    chunks += own;
  }
  if (list.count) go(list, chunks);
}
// Few items in a small struct, since all of it is copied at each launch.
template <class F> void each_list(const CudaOptimItem* items, int64_t count, F go) {
  if (count <= 32) each_list<32>(items, count, go); else each_list<512>(items, count, go);
}
template <class T, class M> void run(const CudaOptimItem* items, int64_t count, const M& m) {
  each_list(items, count, [&]<int kItems>(const ItemList<kItems>& list, int64_t chunks) {
    launch(step_chunk<T, M, kItems>, dim3(unsigned(chunks)), dim3(kStepBlock), 0, list, m);
  });
}

void step(CudaMethod method, Dtype d, const CudaOptimItem* items, int64_t count, const void* numbers) {
  if (!count) return;
  int states = 0;
  for (int k = 0; k < 3; k++) states |= items[0].part[2 + k] ? 1 << k : 0;
  typed_real(d, [&](auto zero) {
    using T = decltype(zero);
    using C = Wide<T>;
    const auto go = [&](const auto& m) { run<T>(items, count, m); };
    switch (method) {
      case CudaMethod::Sgd: return sgd_formula<C>(*static_cast<const SgdStep*>(numbers), states, go);
      case CudaMethod::Adam: return adam_formula<C>(*static_cast<const AdamStep*>(numbers), states, go);
      case CudaMethod::Rmsprop: return rmsprop_formula<C>(*static_cast<const RmspropStep*>(numbers), states, go);
      case CudaMethod::Adagrad: return go(AdagradFormula<C>(*static_cast<const AdagradStep*>(numbers)));
      case CudaMethod::Adadelta: return go(AdadeltaFormula<C>(*static_cast<const AdadeltaStep*>(numbers)));
      case CudaMethod::Adamax: return go(AdamaxFormula<C>(*static_cast<const AdamaxStep*>(numbers)));
      case CudaMethod::Nadam: return go(NadamFormula<C>(*static_cast<const NadamStep*>(numbers)));
      default: return go(RadamFormula<C>(*static_cast<const RadamStep*>(numbers)));
    }
  });
}
void unscale(Dtype d, const CudaOptimItem* items, int64_t count, const float* inv_scale, float* found) {
  typed_real(d, [&](auto zero) {
    using T = decltype(zero);
    each_list(items, count, [&]<int kItems>(const ItemList<kItems>& list, int64_t chunks) {
      launch(unscale_chunk<T, kItems>, dim3(unsigned(chunks)), dim3(kStepBlock), 0, list, inv_scale, found);
    });
  });
}

}  // namespace

void fill(CudaOptim& t) { t.step = step, t.unscale = unscale; }

}  // namespace tapegrad::cuda
