// The two checksums of file formats: crc32 (zip, png) and crc32c (TensorBoard's event files).
#pragma once
#include <string_view>

#include "tapegrad/types.h"

namespace tapegrad::io {

/// Of `data` behind bytes whose checksum is `before`.
uint32_t crc32(std::string_view data, uint32_t before = 0);
TG_API uint32_t crc32c(std::string_view data, uint32_t before = 0);

}  // namespace tapegrad::io
