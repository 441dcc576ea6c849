// TG_HD: before functions that CUDA's kernels share with the CPU.
#pragma once

#ifdef __CUDACC__
#define TG_HD __host__ __device__
#else
#define TG_HD
#endif
