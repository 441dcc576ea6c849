// Kernels of tests/cuda/simulator_test.cpp, in a .cu file so that nvcc takes them too.
#pragma once
#include <stdint.h>

namespace tapegrad::cuda {

void add(const float* a, const float* b, float* out, int64_t n);        // in packs of four, with a tail
void row_sums(const float* x, float* out, int rows, int columns);       // a block of 256 a row
void transpose(const float* x, float* out, int rows, int columns);      // through shared memory
void double_halves(const uint16_t* x, uint16_t* out, int n, bool bfloat);
void warp_operations(unsigned* out);                                    // 8 results for each of 32 lanes
void reverse_in_dynamic_shared(const int* x, int* out, int n);
void histogram(const int* x, int n, int* counts, int bins);
void by_dtype(int dtype, void* out, int n);                             // out[i] = i
void divide(const uint32_t* n, uint32_t d, uint32_t* quotient, uint32_t* rest, int count);
void positions(int* out);                                               // of threads in a 3-d grid of 3-d blocks

void neighbours(const int* x, int* out, int n, bool barrier);           // out[i] = x[i + 1] through shared memory
// What the simulator refuses.
void divergent_barrier();
void barrier_after_return();
void two_barriers();
void shuffle_in_branch();
void shuffle_from_outside();
void misaligned(const float* x, float* out);
void beyond_shared();
void beyond_array(int i, int* out);
void follow(int* p);                                                    // *p = 1

}  // namespace tapegrad::cuda
