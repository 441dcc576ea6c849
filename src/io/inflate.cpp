#include "src/io/inflate.h"

#include <array>
#include <cstdint>

namespace tapegrad::io {
namespace {

constexpr int kMaxBits = 15;

[[noreturn]] void bad(const char* what) { throw InflateError{what}; }

/// Bits of a text, the lowest of each byte first.
class Bits {
  std::string_view in_;
  size_t at_ = 0;
  uint64_t have_ = 0;
  unsigned count_ = 0;
  void fill() {
    for (; count_ <= 56 && at_ < in_.size(); count_ += 8) have_ |= uint64_t(uint8_t(in_[at_++])) << count_;
  }
 public:
  explicit Bits(std::string_view in) : in_(in) {}
  /// The next bits without taking them, zeros behind the end.
  unsigned peek(unsigned n) {
    fill();
    return unsigned(have_ & ((uint64_t(1) << n) - 1));
  }
  void drop(unsigned n) {
    if (n > count_) bad("the data ends too early");
    have_ >>= n, count_ -= n;
  }
  unsigned take(unsigned n) {
    const unsigned v = peek(n);
    drop(n);
    return v;
  }
  /// Whole bytes from the next byte's border on.
  std::string_view bytes(size_t n) {
    drop(count_ % 8);
    at_ -= count_ / 8;
    have_ = 0, count_ = 0;
    if (n > in_.size() - at_) bad("the data ends too early");
    at_ += n;
    return in_.substr(at_ - n, n);
  }
  bool at_end() const { return at_ == in_.size() && count_ < 8; }
};

/// A Huffman code. Words of up to kFast bits are looked up, longer ones compared with the first word of each length: a block's codes are
/// made in little time, so that a file of nothing but blocks is read as fast as others.
class Code {
  static constexpr int kFast = 10;
  uint16_t fast_[1 << kFast] = {};       // for each pattern of bits: the symbol it begins with and that symbol's length; 0: none
  uint16_t counts_[kMaxBits + 1] = {};   // words of each length
  uint16_t symbols_[288];                // in the words' order
 public:
  /// `lengths` of each symbol's code, 0 for unused ones. `single`: one code alone may leave the rest of the patterns unused.
  Code(const uint8_t* lengths, int symbols, bool single) {
    for (int s = 0; s < symbols; s++) counts_[lengths[s]]++;
    const int used = symbols - counts_[0];
    counts_[0] = 0;
    unsigned next[kMaxBits + 1] = {}, at[kMaxBits + 1] = {}, code = 0, before = 0;
    for (int bits = 1; bits <= kMaxBits; bits++) {
      next[bits] = code, at[bits] = before;
      before += counts_[bits];
      code += counts_[bits];
      if (code > 1u << bits) bad("a code with too many words");
      code <<= 1;
    }
    if (code != 1u << (kMaxBits + 1) && !(single && used <= 1 && counts_[1] == used)) bad("a code with too few words");
    for (int s = 0; s < symbols; s++) {
      const int bits = lengths[s];
      if (bits == 0) continue;
      symbols_[at[bits]++] = uint16_t(s);
      unsigned word = next[bits]++, reversed = 0;
      if (bits > kFast) continue;
      for (int k = 0; k < bits; k++, word >>= 1) reversed = reversed << 1 | (word & 1);
      for (unsigned k = reversed; k < 1u << kFast; k += 1u << bits) fast_[k] = uint16_t(s << 4 | bits);
    }
  }
  int symbol(Bits& in) const {
    if (const uint16_t entry = fast_[in.peek(kFast)]) {
      in.drop(entry & 15);
      return entry >> 4;
    }
    unsigned rest = in.peek(kMaxBits), word = 0, first = 0, before = 0;
    for (unsigned bits = 1; bits <= kMaxBits; bits++, rest >>= 1) {
      word |= rest & 1;
      if (word - first < counts_[bits]) {
        in.drop(bits);
        return symbols_[before + word - first];
      }
      before += counts_[bits];
      first = (first + counts_[bits]) << 1;
      word <<= 1;
    }
    bad("a word that the code lacks");
  }
};

// Lengths 3 to 258 and distances 1 to 32768: bases, each with some extra bits that are added.
struct Range {
  uint16_t base;
  uint8_t bits;
};
template <size_t n> constexpr std::array<Range, n> ranges(unsigned first, unsigned plain, unsigned every) {
  std::array<Range, n> out{};
  for (unsigned k = 0; k < n; k++) {
    const unsigned bits = k < plain ? 0 : (k - plain) / every + 1;
    out[k] = {uint16_t(first), uint8_t(bits)};
    first += 1u << bits;
  }
  return out;
}
constexpr std::array<Range, 29> kLengths = [] {
  auto r = ranges<29>(3, 8, 4);
  r[28] = {258, 0};
  return r;
}();
constexpr std::array<Range, 30> kDistances = ranges<30>(1, 4, 2);

void copy_block(Bits& in, const Code& literals, const Code& distances, std::string& out, size_t size) {
  for (;;) {
    const int s = literals.symbol(in);
    if (s == 256) return;
    if (s < 256) {
      if (out.size() == size) bad("more data than was said");
      out += char(s);
      continue;
    }
    if (s > 285) bad("an unknown length");
    const Range l = kLengths[size_t(s - 257)];
    const size_t length = l.base + in.take(l.bits);
    const int d = distances.symbol(in);
    if (d > 29) bad("an unknown distance");
    const size_t distance = kDistances[size_t(d)].base + in.take(kDistances[size_t(d)].bits);
    if (distance > out.size()) bad("a copy from before the beginning");
    if (length > size - out.size()) bad("more data than was said");
    for (size_t k = 0; k < length; k++) out += out[out.size() - distance];
  }
}

void dynamic_block(Bits& in, std::string& out, size_t size) {
  const int literals = int(in.take(5)) + 257, distances = int(in.take(5)) + 1, given = int(in.take(4)) + 4;
  if (literals > 286 || distances > 30) bad("a code of too many symbols");
  constexpr uint8_t kOrder[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
  uint8_t first[19] = {}, lengths[286 + 30] = {};
  for (int k = 0; k < given; k++) first[kOrder[k]] = uint8_t(in.take(3));
  const Code code(first, 19, false);
  for (int k = 0; k < literals + distances;) {
    const int s = code.symbol(in);
    if (s < 16) {
      lengths[k++] = uint8_t(s);
      continue;
    }
    if (s == 16 && k == 0) bad("a repeated length without one before");
    const uint8_t value = s == 16 ? lengths[k - 1] : 0;
    int repeat = s == 16 ? 3 + int(in.take(2)) : s == 17 ? 3 + int(in.take(3)) : 11 + int(in.take(7));
    if (repeat > literals + distances - k) bad("too many code lengths");
    while (repeat-- > 0) lengths[k++] = value;
  }
  if (lengths[256] == 0) bad("a block without an end");
  copy_block(in, Code(lengths, literals, true), Code(lengths + literals, distances, true), out, size);
}

void fixed_block(Bits& in, std::string& out, size_t size) {
  uint8_t lengths[288], distances[32];
  for (int s = 0; s < 288; s++) lengths[s] = s < 144 ? 8 : s < 256 ? 9 : s < 280 ? 7 : 8;
  for (uint8_t& d : distances) d = 5;
  copy_block(in, Code(lengths, 288, false), Code(distances, 32, false), out, size);
}

}  // namespace

std::string inflate(std::string_view packed, size_t size) {
  if (size / 1032 > packed.size()) bad("more data than the format can pack so small");
  Bits in(packed);
  std::string out;
  out.reserve(size);
  for (bool last = false; !last;) {
    last = in.take(1);
    switch (in.take(2)) {
      case 0: {
        const std::string_view head = in.bytes(4);
        const auto number = [&](size_t k) { return unsigned(uint8_t(head[k])) | unsigned(uint8_t(head[k + 1])) << 8; };
        if ((number(0) ^ number(2)) != 0xFFFF) bad("a plain block whose two lengths differ");
        if (number(0) > size - out.size()) bad("more data than was said");
        out += in.bytes(number(0));
        break;
      }
      case 1: fixed_block(in, out, size); break;
      case 2: dynamic_block(in, out, size); break;
      default: bad("an unknown kind of block");
    }
  }
  if (out.size() != size) bad("less data than was said");
  if (!in.at_end()) bad("data behind the end");
  return out;
}

}  // namespace tapegrad::io
