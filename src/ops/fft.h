// The transform that all of torch.fft is made of.
#pragma once
#include "tapegrad/tensor.h"

namespace tapegrad {

/// scale · the Fourier transform of complex x along dims (its inverse times n when not forward), row-major. Records nothing.
Tensor transformed(const Tensor& x, IntList dims, bool forward, double scale);

}  // namespace tapegrad
