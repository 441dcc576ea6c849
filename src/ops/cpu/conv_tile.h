// The tile of a product that registers hold: a few rows of packed weights against a panel of columns.
#pragma once
#include "src/ops/cpu/frame.h"
#include "src/ops/cpu/panels.h"

namespace tapegrad { inline namespace TG_NS {

// c[m][v] = [c +] start + sum over k of a[k][m] b[k][v]; meanwhile asks for what lies `ahead`, a number for each k.
template <class T, int N> inline void tile(long depth, const T* a, const T* b, const T* start, T* c, long c_row, bool add, const T* ahead,
                                           long step) {
  constexpr long L = kLanes<T>;
  TG_EACH(m, kRows) { TG_EACH(v, N) __builtin_prefetch(c + m * c_row + v * L, 1); }
  Wide<T> sum[kRows][N] = {};
  multiply<T>(sum, depth, a, 1, kRows, b, kColumns<T>, [&](const T* x, int j) {
    if (j == 0) __builtin_prefetch(ahead), ahead += step;
    return get<Wide<T>>(x);
  });
  if (add) TG_EACH(m, kRows) { TG_EACH(v, N) sum[m][v] += get<Wide<T>>(c + m * c_row + v * L); }
  else if (start) TG_EACH(m, kRows) { TG_EACH(v, N) sum[m][v] += splat(start[m]); }
  TG_EACH(m, kRows) { TG_EACH(v, N) put<Wide<T>>(c + m * c_row + v * L, sum[m][v]); }
}
// With as many packets of columns as are needed.
template <class T> inline void tile(long packets, long depth, const T* a, const T* b, const T* start, T* c, long c_row, bool add,
                                    const T* ahead, long step) {
  if (packets == 1) tile<T, 1>(depth, a, b, start, c, c_row, add, ahead, step);
  else if (packets == 2) tile<T, 2>(depth, a, b, start, c, c_row, add, ahead, step);
  else if constexpr (kPackets > 2) tile<T, 3>(depth, a, b, start, c, c_row, add, ahead, step);
}

}}  // namespace tapegrad
