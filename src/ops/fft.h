// The transform that all of torch.fft is made of.
#pragma once
#include "tapegrad/tensor.h"

namespace tapegrad {

/// scale · the Fourier transform of complex x along dims (its inverse times n when not forward), row-major. Records nothing.
Tensor transformed(const Tensor& x, IntList dims, bool forward, double scale);

/// Whether n real numbers along dim can be transformed as n / 2 complex ones; then, along the last dimension:
bool is_packed_real(const Tensor& x, int64_t dim, int64_t n);
/// the first n / 2 + 1 frequencies of n real numbers, and the real numbers of so many frequencies.
Tensor frequencies_of_real(const Tensor& x, int64_t n, bool forward, double scale);
Tensor real_of_frequencies(const Tensor& x, int64_t n, bool forward, double scale);

}  // namespace tapegrad
