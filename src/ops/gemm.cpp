// How products are cut: one into tiles of its result, many over the batch.
#include "src/ops/gemm.h"

#include <algorithm>

#include "src/ops/cpu/table.h"
#include "src/tensor/parallel.h"

namespace tapegrad {
namespace {

// Below this many multiply-adds a piece is not worth a thread; larger products get larger pieces, for each piece packs its
// part of a and b again.
constexpr double kPiece = 4e5, kLarge = 4e7;

void run(const Gemm<float>& g) { kernels().gemm->f32(g); }
void run(const Gemm<double>& g) { kernels().gemm->f64(g); }

// Rows and columns of a tile: multiples of what the kernel works on at once.
struct Tiles {
  int64_t rows, columns, count_m, count_n;
  Tiles(int64_t m, int64_t n, int64_t k) : rows(m), columns(n) {
    const double work = double(m) * n * k;
    const double piece = work < 32 * kPiece ? kPiece * 2 : std::min(work / 16, kLarge);
    while (double(rows) * columns * k > piece) {
      if (rows >= columns && rows > 32) rows = (rows / 2 + 15) / 16 * 16;
      else if (columns > 96) columns = (columns / 2 + 47) / 48 * 48;
      else if (rows > 32) rows = (rows / 2 + 15) / 16 * 16;
      else break;
    }
    count_m = (m + rows - 1) / rows, count_n = (n + columns - 1) / columns;
  }
};

template <class T> void cut(const Gemm<T>& g) {
  if (double(g.m) * g.n * g.k <= 2 * kPiece) return run(g);
  const Tiles t(g.m, g.n, g.k);
  parallel_for(t.count_m * t.count_n, 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; p++) {
      const int64_t i = p / t.count_n * t.rows, j = p % t.count_n * t.columns;
      Gemm<T> piece = g;
      piece.m = std::min(t.rows, g.m - i), piece.n = std::min(t.columns, g.n - j);
      piece.a += i * g.a_row, piece.b += j * g.b_col, piece.c += i * g.c_row + j;
      if (g.bias) piece.bias += j;
      run(piece);
    }
  });
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
void serial(const Gemm<float>& g) { run(g); }
void serial(const Gemm<double>& g) { run(g); }
template <class T> void serial(const Gemm<T>& g) { integers(g); }
template <class T> void one(const Gemm<T>& g) {
  if constexpr (std::is_floating_point_v<T>) return cut(g);
  const double row = double(g.n) * g.k;
  parallel_for(g.m, std::max<int64_t>(1, int64_t(kPiece / 4 / std::max(row, 1.0))), [&](int64_t begin, int64_t end) {
    Gemm<T> piece = g;
    piece.m = end - begin, piece.a += begin * g.a_row, piece.c += begin * g.c_row;
    serial(piece);
  });
}

template <class T> void batched(const BatchedGemm& g) {
  const auto item = [&](int64_t i) {
    int64_t a = 0, b = 0, rest = i;
    for (size_t d = g.size.size(); d-- > 0; rest /= g.size[d]) {
      const int64_t at = rest % g.size[d];
      a += at * g.a_stride[d], b += at * g.b_stride[d];
    }
    return Gemm<T>{g.m, g.n, g.k, reinterpret_cast<const T*>(g.a) + a, g.a_row, g.a_col, reinterpret_cast<const T*>(g.b) + b,
        g.b_row, g.b_col,
                   reinterpret_cast<T*>(g.c) + i * g.m * g.n, g.n, reinterpret_cast<const T*>(g.bias), false};
  };
  if (g.count == 1) return one(item(0));
  const double work = double(g.m) * g.n * g.k;
  if (g.count < 16 && work > 16 * kPiece) {
    for (int64_t i = 0; i < g.count; i++) one(item(i));
    return;
  }
  parallel_for(g.count, std::max<int64_t>(1, int64_t(kPiece / std::max(work, 1.0))), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) serial(item(i));
  });
}

}  // namespace

void gemm(const Gemm<float>& g) { cut(g); }
void gemm(const Gemm<double>& g) { cut(g); }
void gemm_serial(const Gemm<float>& g) { run(g); }
void gemm_serial(const Gemm<double>& g) { run(g); }

void gemm(const BatchedGemm& g) {
  switch (g.dtype) {
    case Dtype::Float32: return batched<float>(g);
    case Dtype::Float64: return batched<double>(g);
    case Dtype::UInt8: return batched<uint8_t>(g);
    case Dtype::Int8: return batched<int8_t>(g);
    case Dtype::Int16: return batched<int16_t>(g);
    case Dtype::Int32: return batched<int32_t>(g);
    case Dtype::Int64: return batched<int64_t>(g);
    default: TG_CHECK(false, NotImplementedError, "products of ", g.dtype, " tensors are not implemented");
  }
}

}  // namespace tapegrad
