// The tile of a product that registers hold: a few rows of packed weights against a panel of columns.
#pragma once
#include "src/ops/cpu/frame.h"

namespace tapegrad { inline namespace TG_NS {

constexpr int kTileRows = TG_VECTOR_BYTES == 64 ? 8 : 4, kTileColumns = 3;
template <class T> constexpr long kPanel = kTileColumns * kWide<T>;

// c[m][v] = [c +] start + sum over k of a[k][m] b[k][v]
template <class T, int M, int N> inline void tile(long depth, const T* a, const T* b, const T* start, T* c, long c_row, bool add) {
  using V = Wide<T>;
  constexpr long L = kWide<T>;
  V sum[M][N];
  TG_EACH(m, M) { TG_EACH(v, N) __builtin_prefetch(c + m * c_row + v * L, 1); }
  TG_EACH(m, M) { TG_EACH(v, N) sum[m][v] = V{}; }
  for (long k = 0; k < depth; k++, a += M, b += kPanel<T>) {
    V x[N];
    TG_EACH(v, N) x[v] = get<V>(b + v * L);
    TG_EACH(m, M) {
      const V s = splat(a[m]);
      TG_EACH(v, N) sum[m][v] += s * x[v];
    }
  }
  if (add) TG_EACH(m, M) { TG_EACH(v, N) sum[m][v] += get<V>(c + m * c_row + v * L); }
  else if (start) TG_EACH(m, M) { TG_EACH(v, N) sum[m][v] += splat(start[m]); }
  TG_EACH(m, M) {
    TG_EACH(v, N) {
      put<V>(c + m * c_row + v * L, sum[m][v]);
    }
  }
}
// With as many packets of columns as are needed.
template <class T> inline void tile(long packets, long depth, const T* a, const T* b, const T* start, T* c, long c_row, bool add) {
  if (packets == 3) tile<T, kTileRows, 3>(depth, a, b, start, c, c_row, add);
  else if (packets == 2) tile<T, kTileRows, 2>(depth, a, b, start, c, c_row, add);
  else tile<T, kTileRows, 1>(depth, a, b, start, c, c_row, add);
}

}}  // namespace tapegrad
