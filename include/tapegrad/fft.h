// Discrete Fourier transforms, as torch.fft: X[k] = sum over j of x[j] exp(-2 pi i j k / n), of any length, along any dimensions.
// norm: "backward" (the default: the inverse divides by n), "ortho" (both by sqrt n) or "forward". Differentiable any number of times.
#pragma once
#include "tapegrad/tensor.h"

namespace tapegrad::fft {

using Norm = std::optional<std::string_view>;

/// Along one dimension, which is cut or padded with zeros to n first.
TG_API Tensor fft(const Tensor& input, std::optional<int64_t> n = {}, int64_t dim = -1, Norm norm = {});
TG_API Tensor ifft(const Tensor& input, std::optional<int64_t> n = {}, int64_t dim = -1, Norm norm = {});
/// Of real numbers: the first n / 2 + 1 frequencies, and back. The others are their conjugates.
/// Example: const Tensor x = randn({8}); assert(allclose(fft::irfft(fft::rfft(x)), x, 0, 1e-5));
TG_API Tensor rfft(const Tensor& input, std::optional<int64_t> n = {}, int64_t dim = -1, Norm norm = {});
TG_API Tensor irfft(const Tensor& input, std::optional<int64_t> n = {}, int64_t dim = -1, Norm norm = {});
/// The same with time and frequency exchanged: real spectra of Hermitian signals.
TG_API Tensor hfft(const Tensor& input, std::optional<int64_t> n = {}, int64_t dim = -1, Norm norm = {});
TG_API Tensor ihfft(const Tensor& input, std::optional<int64_t> n = {}, int64_t dim = -1, Norm norm = {});
/// Along several dimensions: the last s.size() ones, or all, unless dim names them. s: their sizes, -1 for as it is.
using Dims = std::optional<IntList>;
TG_API Tensor fftn(const Tensor& input, Dims s = {}, Dims dim = {}, Norm norm = {});
TG_API Tensor ifftn(const Tensor& input, Dims s = {}, Dims dim = {}, Norm norm = {});
TG_API Tensor rfftn(const Tensor& input, Dims s = {}, Dims dim = {}, Norm norm = {});
TG_API Tensor irfftn(const Tensor& input, Dims s = {}, Dims dim = {}, Norm norm = {});
TG_API Tensor hfftn(const Tensor& input, Dims s = {}, Dims dim = {}, Norm norm = {});
TG_API Tensor ihfftn(const Tensor& input, Dims s = {}, Dims dim = {}, Norm norm = {});

/// The frequencies that belong to fft's and rfft's results, for samples d apart.
TG_API Tensor fftfreq(int64_t n, double d = 1, std::optional<Dtype> dtype = {}, std::optional<Device> device = {}, OnlyBool requires_grad = false);
TG_API Tensor rfftfreq(int64_t n, double d = 1, std::optional<Dtype> dtype = {}, std::optional<Device> device = {}, OnlyBool requires_grad = false);
/// Frequency 0 to the middle, and back.
TG_API Tensor fftshift(const Tensor& input, Dims dim = {});
TG_API Tensor ifftshift(const Tensor& input, Dims dim = {});

}  // namespace tapegrad::fft
