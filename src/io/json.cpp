// See json.h.
#include "src/io/json.h"

#include <cstdio>

namespace tapegrad::io {

static void put_utf8(std::string& s, unsigned c) {
  if (c < 0x80) {
    s += char(c);
  } else if (c < 0x800) {
    s += char(0xc0 | c >> 6);
    s += char(0x80 | (c & 63));
  } else if (c < 0x10000) {
    s += char(0xe0 | c >> 12);
    s += char(0x80 | (c >> 6 & 63));
    s += char(0x80 | (c & 63));
  } else {
    s += char(0xf0 | c >> 18);
    s += char(0x80 | (c >> 12 & 63));
    s += char(0x80 | (c >> 6 & 63));
    s += char(0x80 | (c & 63));
  }
}

unsigned Json::hex4() {
  unsigned v = 0;
  for (int i = 0; i < 4; i++, at_++) {
    if (at_ == text_.size()) bad("unfinished \\u escape");
    const char c = text_[at_];
    if (c >= '0' && c <= '9') v = v * 16 + unsigned(c - '0');
    else if (c >= 'a' && c <= 'f') v = v * 16 + unsigned(c - 'a' + 10);
    else if (c >= 'A' && c <= 'F') v = v * 16 + unsigned(c - 'A' + 10);
    else bad("bad \\u escape");
  }
  return v;
}

std::string Json::string() {
  expect('"', "expected a string");
  std::string s;
  for (;;) {
    if (at_ == text_.size()) bad("unfinished string");
    const char c = text_[at_++];
    if (c == '"') return s;
    if (uint8_t(c) < 0x20) bad("control character in a string");
    if (c != '\\') {
      s += c;
      continue;
    }
    if (at_ == text_.size()) bad("unfinished escape");
    switch (text_[at_++]) {
      case '"': s += '"'; break;
      case '\\': s += '\\'; break;
      case '/': s += '/'; break;
      case 'b': s += '\b'; break;
      case 'f': s += '\f'; break;
      case 'n': s += '\n'; break;
      case 'r': s += '\r'; break;
      case 't': s += '\t'; break;
      case 'u': {
        unsigned v = hex4();
        if (v >= 0xdc00 && v < 0xe000) bad("half a surrogate pair");
        if (v >= 0xd800 && v < 0xdc00) {
          if (text_.substr(at_, 2) != "\\u") bad("half a surrogate pair");
          at_ += 2;
          const unsigned low = hex4();
          if (low < 0xdc00 || low >= 0xe000) bad("half a surrogate pair");
          v = 0x10000 + ((v - 0xd800) << 10) + (low - 0xdc00);
        }
        put_utf8(s, v);
        break;
      }
      default: bad("unknown escape");
    }
  }
}

uint64_t Json::integer() {
  space();
  const size_t start = at_;
  uint64_t v = 0;
  while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') {
    if (__builtin_mul_overflow(v, uint64_t(10), &v) || __builtin_add_overflow(v, uint64_t(text_[at_] - '0'), &v) || v >> 63) bad("number too large");
    at_++;
  }
  if (at_ == start) bad("expected a whole number");
  if (text_[start] == '0' && at_ > start + 1) bad("number with a leading zero");
  return v;
}

bool is_utf8(std::string_view s) {
  for (size_t i = 0; i < s.size();) {
    const uint8_t c = uint8_t(s[i++]);
    if (c < 0x80) continue;
    const int more = c >= 0xc2 && c < 0xe0 ? 1 : c >= 0xe0 && c < 0xf0 ? 2 : c >= 0xf0 && c < 0xf5 ? 3 : 0;
    if (more == 0 || s.size() - i < size_t(more)) return false;
    unsigned v = c & (63 >> more);
    for (int k = 0; k < more; k++, i++) {
      if ((uint8_t(s[i]) & 0xc0) != 0x80) return false;
      v = v << 6 | (uint8_t(s[i]) & 63);
    }
    if ((more == 2 && (v < 0x800 || (v >= 0xd800 && v < 0xe000))) || (more == 3 && (v < 0x10000 || v > 0x10ffff))) return false;
  }
  return true;
}

void put_json(std::string& out, std::string_view s) {
  out += '"';
  for (const char c : s) {
    constexpr std::string_view kShort = "\"\\\b\f\n\r\t", kLetter = "\"\\bfnrt";
    if (const size_t k = kShort.find(c); k != kShort.npos) {
      out += '\\';
      out += kLetter[k];
    } else if (uint8_t(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", unsigned(uint8_t(c)));
      out += escape;
    } else {
      out += c;
    }
  }
  out += '"';
}

}  // namespace tapegrad::io
