#include "src/io/png.h"

#include <algorithm>

#include "src/io/checksum.h"
#include "tapegrad/ops.h"

namespace tapegrad::io {
namespace {

std::string big_endian(uint32_t v) { return {char(v >> 24), char(v >> 16), char(v >> 8), char(v)}; }
std::string chunk(const std::string& kind, const std::string& data) {
  return big_endian(uint32_t(data.size())) + kind + data + big_endian(crc32(kind + data));
}

// zlib's format around plain blocks of deflate.
std::string zlib_stored(const std::string& data) {
  constexpr size_t kBlock = 0xFFFF;
  std::string out = "\x78\x01";
  for (size_t at = 0; at == 0 || at < data.size(); at += kBlock) {
    const size_t n = std::min(kBlock, data.size() - at);
    out += char(at + n == data.size());
    for (const size_t v : {n, ~n}) out += char(v & 255), out += char(v >> 8 & 255);
    out.append(data, at, n);
  }
  uint32_t a = 1, b = 0;  // Adler's checksum
  for (const char c : data) a = (a + uint8_t(c)) % 65521, b = (b + a) % 65521;
  return out + big_endian(b << 16 | a);
}

}  // namespace

std::string png(const Tensor& image) {
  const Tensor x = contiguous(image);
  const size_t h = size_t(x.size(0)), row = size_t(x.size(1) * x.size(2));
  std::string rows;
  for (size_t y = 0; y < h; y++) {
    rows += '\0';  // this row is not filtered
    rows.append(x->host() + y * row, row);
  }
  const std::string header = big_endian(uint32_t(x.size(1))) + big_endian(uint32_t(h)) + std::string{8, char(x.size(2) == 3 ? 2 : 6), 0, 0, 0};
  return "\x89PNG\r\n\x1a\n" + chunk("IHDR", header) + chunk("IDAT", zlib_stored(rows)) + chunk("IEND", "");
}

}  // namespace tapegrad::io
