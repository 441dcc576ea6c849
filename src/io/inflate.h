// The inverse of "deflate" (RFC 1951), the compression of zip archives.
#pragma once
#include <string>
#include <string_view>

namespace tapegrad::io {

struct InflateError {
  const char* what;
};
/// The `size` bytes that `packed` stands for. Throws InflateError when it stands for fewer or more, or breaks the format's rules.
std::string inflate(std::string_view packed, size_t size);

}  // namespace tapegrad::io
