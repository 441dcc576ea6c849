#include "src/io/checksum.h"

#include <array>
#include <cstring>

namespace tapegrad::io {
namespace {

// table[j][b]: what byte b does to the remainder when j more bytes follow, so that eight bytes are looked up at once.
using Tables = std::array<std::array<uint32_t, 256>, 8>;
constexpr Tables tables_of(uint32_t polynomial) {  // with its bits reversed
  Tables t{};
  for (uint32_t b = 0; b < 256; b++) {
    uint32_t c = b;
    for (int bit = 0; bit < 8; bit++) c = c & 1 ? c >> 1 ^ polynomial : c >> 1;
    t[0][b] = c;
  }
  for (uint32_t b = 0; b < 256; b++)
    for (size_t j = 1; j < 8; j++) t[j][b] = t[j - 1][b] >> 8 ^ t[0][t[j - 1][b] & 255];
  return t;
}
constexpr Tables kIeee = tables_of(0xEDB88320u), kCastagnoli = tables_of(0x82F63B78u);

uint32_t run(const Tables& t, std::string_view data, uint32_t before) {
  uint32_t c = ~before;
  const char* p = data.data();
  size_t left = data.size();
  for (; left >= 8; p += 8, left -= 8) {
    uint64_t v;
    std::memcpy(&v, p, 8);
    v ^= c;
    c = 0;
    for (size_t j = 0; j < 8; j++) c ^= t[7 - j][v >> 8 * j & 255];
  }
  for (; left > 0; p++, left--) c = c >> 8 ^ t[0][(c ^ uint8_t(*p)) & 255];
  return ~c;
}

}  // namespace

uint32_t crc32(std::string_view data, uint32_t before) { return run(kIeee, data, before); }
uint32_t crc32c(std::string_view data, uint32_t before) { return run(kCastagnoli, data, before); }

}  // namespace tapegrad::io
