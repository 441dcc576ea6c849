// PNG files, without compression.
#pragma once
#include <string>

#include "tapegrad/tensor.h"

namespace tapegrad::io {

/// The file of uint8 (h, w, 3 or 4).
std::string png(const Tensor& image);

}  // namespace tapegrad::io
