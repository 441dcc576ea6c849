// CUB's radix sort: the one file that includes it. The simulator sorts with the standard library.
#include "src/cuda/kernel/cuda.cuh"
#include "src/cuda/ops/sort.h"

#ifndef TG_SIMULATED
#include <cub/device/device_radix_sort.cuh>
#else
#include <algorithm>
#include <numeric>
#include <vector>
#endif

namespace tapegrad::cuda {

#ifndef TG_SIMULATED

template <class Key> size_t radix_sort_scratch(int64_t n) {
  size_t bytes = 0;
  const Key* keys = nullptr;
  const uint32_t* values = nullptr;
  TG_CUDA(cub::DeviceRadixSort::SortPairs(nullptr, bytes, keys, const_cast<Key*>(keys), values,
                                          const_cast<uint32_t*>(values), int(n), 0, int(sizeof(Key)) * 8,
                                          current_stream()));
  return bytes;
}
template <class Key> void radix_sort(void* scratch, size_t bytes, const Key* keys, Key* sorted, const uint32_t* values,
                                     uint32_t* sorted_values, int64_t n, int bits) {
  TG_CUDA(cub::DeviceRadixSort::SortPairs(scratch, bytes, keys, sorted, values, sorted_values, int(n), 0, bits,
                                          current_stream()));
}

#else

template <class Key> size_t radix_sort_scratch(int64_t) { return 1; }
template <class Key> __global__ void sort_at_once(const Key* keys, Key* sorted, const uint32_t* values,
                                                  uint32_t* sorted_values, int64_t n, int bits) {
  const Key mask = Key(Key(~Key(0)) >> (int(sizeof(Key)) * 8 - bits));
  std::vector<uint32_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(),
                   [&](uint32_t a, uint32_t b) { return (keys[a] & mask) < (keys[b] & mask); });
  for (int64_t i = 0; i < n; i++) sorted[i] = keys[order[size_t(i)]], sorted_values[i] = values[order[size_t(i)]];
}
template <class Key> void radix_sort(void*, size_t, const Key* keys, Key* sorted, const uint32_t* values,
                                     uint32_t* sorted_values, int64_t n, int bits) {
  launch(sort_at_once<Key>, dim3(1), dim3(1), 0, keys, sorted, values, sorted_values, n, bits);
}

#endif

template size_t radix_sort_scratch<uint32_t>(int64_t);
template size_t radix_sort_scratch<uint64_t>(int64_t);
template void radix_sort(void*, size_t, const uint32_t*, uint32_t*, const uint32_t*, uint32_t*, int64_t, int);
template void radix_sort(void*, size_t, const uint64_t*, uint64_t*, const uint32_t*, uint32_t*, int64_t, int);

}  // namespace tapegrad::cuda
