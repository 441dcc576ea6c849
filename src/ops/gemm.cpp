// How products are cut: one into tiles of its result, many over the batch.
#include "src/ops/gemm.h"

#include <algorithm>

#include "src/ops/cpu/table.h"
#include "src/ops/scratch.h"
#include "src/ops/typed.h"
#include "src/tensor/interrupt.h"

namespace tapegrad {
namespace {

// Below this many multiply-adds a piece is not worth a thread.
constexpr double kPiece = 4e5, kLarge = 2e7;
// A block: how much of a and of b is packed at a time.
constexpr int64_t kDepth = 384, kBlock = 3072;

const GemmKernels<float>& kernels_of(float) { return gemm_tables[kernel_set]->f32; }
const GemmKernels<double>& kernels_of(double) { return gemm_tables[kernel_set]->f64; }

// Rows and columns of a tile: multiples of 16 and of `unit`, what the kernel works on at once.
struct Tiles {
  int64_t rows, columns, count_m, count_n;
  Tiles(int64_t m, int64_t n, int64_t k, int64_t unit) : rows(m), columns(n) {
    const double work = double(m) * n * k;
    const double piece = work < 32 * kPiece ? kPiece * 2 : std::min(work / 16, kLarge);
    const auto half = [](int64_t size, int64_t step) { return (size / 2 + step - 1) / step * step; };
    while (double(rows) * columns * k > piece) {
      if (rows >= columns && rows > 32) rows = half(rows, 16);
      else if (columns > 2 * unit) columns = half(columns, unit);
      else if (rows > 32) rows = half(rows, 16);
      else break;
    }
    count_m = (m + rows - 1) / rows, count_n = (n + columns - 1) / columns;
  }
};
// Rows [i, i + m) and columns [j, j + n), or less at the end.
template <class G> G part_of(G g, int64_t i, int64_t m, int64_t j, int64_t n) {
  g.m = std::min(m, g.m - i), g.n = std::min(n, g.n - j);
  g.a += i * g.a_row, g.b += j * g.b_col, g.c += i * g.c_row + j;
  if (g.bias) g.bias += j;
  return g;
}
// f(i, rows, j, columns) for all tiles of m x n.
template <class F> void each_tile(int64_t m, int64_t n, int64_t k, int64_t unit, F f) {
  const Tiles t(m, n, k, unit);
  interruptible_for(t.count_m * t.count_n, 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; p++) f(p / t.count_n * t.rows, t.rows, p % t.count_n * t.columns, t.columns);
  });
}

// Packing pays when each number of a and of b is read often, or when b lies across.
template <class T> bool is_direct(const Gemm<T>& g) {
  if (g.m == 1 || g.n == 1 || g.k == 0 || (g.n <= 8 && g.k <= 8)) return true;
  if (g.b_col == 1) return g.m <= 32 || g.n * g.k * int64_t(sizeof(T)) <= 1 << 19;
  return g.a_col == 1 && g.b_row == 1 && g.m <= 16;
}
template <class T> void direct(const Gemm<T>& g) {
  const GemmKernels<T>& k = kernels_of(T());
  const bool whole_rows = g.m == 1 && num_threads() == 1;  // one stream is faster than several; columns do not depend on each other
  if (whole_rows || double(g.m) * g.n * g.k <= 2 * kPiece) return k.direct(g);
  each_tile(g.m, g.n, g.k, g.n <= 512 ? 16 : 48, [&](int64_t i, int64_t m, int64_t j, int64_t n) { k.direct(part_of(g, i, m, j, n)); });
}
// One block of a and of b: packed, then multiplied. Panels have `steps` numbers for each row of a and column of b.
template <class G, class K, class P> void block(const G& g, const K& kernel, int64_t steps, P* a, P* b) {
  constexpr int64_t rows = 96, columns = 192;  // multiples of every kernel's tile
  const int64_t blocks_a = (g.m + rows - 1) / rows, blocks_b = (g.n + columns - 1) / columns;
  const auto pack = [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; p++) {
      if (p < blocks_a) kernel.pack_a(part_of(g, p * rows, rows, 0, g.n), a + p * rows * steps);
      else kernel.pack_b(part_of(g, 0, g.m, (p - blocks_a) * columns, columns), b + (p - blocks_a) * columns * steps);
    }
  };
  if ((g.m + g.n) * g.k < 1 << 16) pack(0, blocks_a + blocks_b);
  else interruptible_for(blocks_a + blocks_b, 1, pack);
  const auto multiply = [&](int64_t i, int64_t m, int64_t j, int64_t n) { kernel.packed(part_of(g, i, m, j, n), a + i * steps, b + j * steps); };
  if (double(g.m) * g.n * g.k <= 2 * kPiece) multiply(0, g.m, 0, g.n);
  else each_tile(g.m, g.n, g.k, 48, multiply);
}
// False when there is no memory for the panels. P holds `per` numbers that are neighbours in k.
template <class P, int per, class G, class K> bool blocks(const G& g, const K& kernel) {
  constexpr int64_t deepest = kDepth * per;
  const int64_t count = (g.k + deepest - 1) / deepest, depth = ((g.k + count - 1) / count + per - 1) / per * per, steps = depth / per;
  const auto rounded = [](int64_t n, int64_t unit) { return (std::min(n, kBlock) + unit - 1) / unit * unit; };
  const int64_t a_size = rounded(g.m, kernel.rows) * steps;
  const size_t bytes = size_t(a_size + rounded(g.n, kernel.columns) * steps) * sizeof(P);
  std::atomic<bool> failed = false;
  const Scratch memory(bytes, failed);
  if (failed) return false;
  P* work = memory.get<P>();
  for (int64_t i = 0; i < g.m; i += kBlock)
    for (int64_t j = 0; j < g.n; j += kBlock)
      for (int64_t p = 0; p < g.k; p += depth) {
        G s = part_of(g, i, kBlock, j, kBlock);
        s.k = std::min(depth, g.k - p), s.a += p * g.a_col, s.b += p * g.b_row, s.add |= p > 0;
        block(s, kernel, (s.k + per - 1) / per, work, work + a_size);
      }
  return true;
}
template <class T> void cut(const Gemm<T>& g) {
  if (is_direct(g) || !blocks<T, 1>(g, kernels_of(T()))) direct(g);  // which needs no memory of its own
}

// Integers: plain loops that wrap around as PyTorch's do.
template <class T> void integers(const Gemm<T>& g) {
  using U = std::make_unsigned_t<T>;
  for (int64_t i = 0; i < g.m; i++) {
    U* c = reinterpret_cast<U*>(g.c + i * g.c_row);
    for (int64_t j = 0; j < g.n; j++) c[j] = g.bias ? U(g.bias[j]) : U(0);
    for (int64_t p = 0; p < g.k; p++) {
      const U x = U(g.a[i * g.a_row + p * g.a_col]);
      const T* b = g.b + p * g.b_row;
      if (g.b_col == 1) for (int64_t j = 0; j < g.n; j++) c[j] = U(c[j] + x * U(b[j]));
      else for (int64_t j = 0; j < g.n; j++) c[j] = U(c[j] + x * U(b[j * g.b_col]));
    }
  }
}
template <class T> void product(const Gemm<T>& g) {
  if constexpr (std::is_floating_point_v<T>) cut(g);
  else integers(g);
}
template <class T> void one(const Gemm<T>& g) {
  if constexpr (std::is_floating_point_v<T>) return cut(g);
  const double row = double(g.n) * g.k;
  interruptible_for(g.m, std::max<int64_t>(1, int64_t(kPiece / 4 / std::max(row, 1.0))), [&](int64_t begin, int64_t end) {
    Gemm<T> piece = g;
    piece.m = end - begin, piece.a += begin * g.a_row, piece.c += begin * g.c_row;
    product(piece);
  });
}

template <class T> void batched(const BatchedGemm& g) {
  Walk<2> items;
  for (size_t d = 0; d < g.size.size(); d++) items.add(g.size[d], g.a_stride[d], g.b_stride[d]);
  const Gemm<T> first = {g.m, g.n, g.k, reinterpret_cast<const T*>(g.a), g.a_row, g.a_col, reinterpret_cast<const T*>(g.b), g.b_row, g.b_col,
      reinterpret_cast<T*>(g.c), g.n, reinterpret_cast<const T*>(g.bias), false};
  if (g.count == 1) return one(first);
  const double work = double(g.m) * g.n * g.k;
  const bool each_cut = g.count < 16 && work > 16 * kPiece;
  const bool tiny = std::is_floating_point_v<T> && g.n <= 8 && g.k <= 8 && g.m <= 64;
  const int64_t grain = each_cut ? g.count : std::max<int64_t>(1, int64_t(kPiece / std::max(work, 1.0)));
  interruptible_for(g.count, grain, [&](int64_t begin, int64_t end) {
    Gemm<T> item = first;
    item.c += begin * g.m * g.n;
    items(begin, end, [&](const int64_t (&at)[2]) {
      item.a = first.a + at[0], item.b = first.b + at[1];
      if constexpr (std::is_floating_point_v<T>) tiny ? kernels_of(T()).direct(item) : each_cut ? one(item) : product(item);
      else each_cut ? one(item) : product(item);
      item.c += g.m * g.n;
    });
  });
}

void bfloat_products(const BatchedGemm& g) {
  Walk<2> items;
  for (size_t d = 0; d < g.size.size(); d++) items.add(g.size[d], g.a_stride[d], g.b_stride[d]);
  BfloatGemm item{g.m, g.n, g.k, nullptr, g.a_row, g.a_col, nullptr, g.b_row, g.b_col, reinterpret_cast<float*>(g.c), g.n,
      reinterpret_cast<const float*>(g.bias), false};
  items(0, g.count, [&](const int64_t (&at)[2]) {
    item.a = reinterpret_cast<const uint16_t*>(g.a) + at[0], item.b = reinterpret_cast<const uint16_t*>(g.b) + at[1];
    if (g.m == 1 && (g.a_col == 1 || g.b_col == 1))
      interruptible_for(g.n, std::max<int64_t>(32, int64_t(kPiece) / g.k / 32 * 32), [&](int64_t begin, int64_t end) {
        gemm_tables[kernel_set]->bfloat->row(part_of(item, 0, 1, begin, end - begin));
      });
    else TG_CHECK((blocks<uint32_t, 2>(item, *gemm_tables[kernel_set]->bfloat)), OutOfMemoryError, "cannot allocate the working memory of a product");
    item.c += g.m * g.n;
  });
}

}  // namespace

bool has_bfloat_products(int64_t m, int64_t n, int64_t k) {
#if defined(__x86_64__)
  static const bool have = __builtin_cpu_supports("avx512bf16");
  return have && gemm_tables[kernel_set]->bfloat->packed && (m == 1 || m >= 8) && n >= 16 && k >= 16;
#else
  (void)m, (void)n, (void)k;
  return false;
#endif
}

void gemm(const Gemm<float>& g) { cut(g); }
void gemm(const Gemm<double>& g) { cut(g); }
void gemm_serial(const Gemm<float>& g) { cut(g); }
void gemm_serial(const Gemm<double>& g) { cut(g); }

void gemm(const BatchedGemm& g) {
  if (g.device.type == DeviceType::CUDA) [[unlikely]] return void(cuda_gemm(g));
  switch (g.dtype) {
    case Dtype::Float32: return batched<float>(g);
    case Dtype::Float64: return batched<double>(g);
    case Dtype::BFloat16: return bfloat_products(g);
    case Dtype::UInt8: return batched<uint8_t>(g);
    case Dtype::Int8: return batched<int8_t>(g);
    case Dtype::Int16: return batched<int16_t>(g);
    case Dtype::Int32: return batched<int32_t>(g);
    case Dtype::Int64: return batched<int64_t>(g);
    default: TG_CHECK(false, NotImplementedError, "products of ", g.dtype, " tensors are not implemented");
  }
}

}  // namespace tapegrad
