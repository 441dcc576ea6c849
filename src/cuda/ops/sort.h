// The files of the sorting family.
#pragma once
#include "src/ops/cuda/sort.h"

namespace tapegrad::cuda {

// radix_sort.cu: pairs sorted by the lowest `bits` of their keys (uint32_t or uint64_t), stably. n < 2^31.
template <class Key> size_t radix_sort_scratch(int64_t n);
template <class Key> void radix_sort(void* scratch, size_t bytes, const Key* keys, Key* sorted, const uint32_t* values,
                                     uint32_t* sorted_values, int64_t n, int bits);

// sort.cu
uint64_t sort_scratch_bytes(int64_t rows, int64_t n, Dtype dtype);
void sort_rows(const CudaSortRows& s);
// select.cu
void search(const CudaSearch& s);
void count_set(const uint8_t* flags, int64_t n, int64_t* counts);
void write_set(const uint8_t* flags, int64_t n, const int64_t* ends, int dims, const int64_t* sizes, int64_t found,
               int64_t* out);

}  // namespace tapegrad::cuda
