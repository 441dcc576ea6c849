// Random numbers and dropout: src/cuda/ops/random.cu. The same bits as src/ops/cpu/random.cpp and src/ops/random.cpp give.
#pragma once
#include "src/ops/cuda/walk.h"

namespace tapegrad {

/// Counters `first` … of the stream of `seed`; the driver has reserved them.
struct CudaStreamPart { uint64_t seed, first; };
enum class CudaLaw : uint8_t { Uniform, Normal, Exponential };
/// Uniform and normal: min(a + width * draw, top). Exponential: max(draw / a, least).
struct CudaReal {
  CudaLaw law;
  double a, width, top, least;
};

struct CudaRandom {
  void (*real)(CudaStreamPart, const CudaReal&, Dtype, void* out, int64_t n);
  /// low + floor(u * range), a range of 0 standing for 2^64.
  void (*whole)(CudaStreamPart, int64_t low, uint64_t range, Dtype, void* out, int64_t n);
  /// Ones where a word's 24 bits are below the threshold, else zeros.
  void (*chance)(CudaStreamPart, uint32_t threshold, Dtype, void* out, int64_t n);
  /// The same with a probability for each; one outside [0, 1] is a fault.
  void (*bernoulli)(CudaStreamPart, const float* p, Dtype, void* out, int64_t n);
  /// Poisson counts of rates a, or with p binomial ones of a trials.
  void (*counts)(CudaStreamPart, const double* a, const double* p, double* out, int64_t n);
  /// y = x * scale where a word's 24 bits are at least `threshold` (below: where they are less), else 0.
  void (*dropout)(CudaStreamPart, uint32_t threshold, bool below, double scale, Dtype, const void* x, void* y, int64_t n);
};

}  // namespace tapegrad
