// JSON as safetensors headers use it: objects, arrays, strings, whole numbers. A pull parser: the caller says what it expects
// and gets a JsonError where the text is something else. Depth is the caller's, so no input can overflow the stack.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace tapegrad::io {

struct JsonError {
  const char* what;
  size_t at;
};

class Json {
  std::string_view text_;
  size_t at_ = 0;

  [[noreturn]] void bad(const char* what) const { throw JsonError{what, at_}; }
  void space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) at_++;
  }
  bool take(char c) {
    space();
    if (at_ == text_.size() || text_[at_] != c) return false;
    at_++;
    return true;
  }
  void expect(char c, const char* what) { if (!take(c)) bad(what); }
  unsigned hex4();
 public:
  explicit Json(std::string_view text) : text_(text) {}

  /// f(key) must read the value.
  template <class F> void object(F&& f) {
    expect('{', "expected an object");
    if (take('}')) return;
    do {
      const std::string key = string();
      expect(':', "expected :");
      f(key);
    } while (take(','));
    expect('}', "expected , or }");
  }
  /// f() must read one element.
  template <class F> void array(F&& f) {
    expect('[', "expected an array");
    if (take(']')) return;
    do f(); while (take(','));
    expect(']', "expected , or ]");
  }
  std::string string();
  uint64_t integer();  // at most 2^63 - 1
  void end() {
    space();
    if (at_ != text_.size()) bad("text after the end");
  }
};

bool is_utf8(std::string_view s);
/// Appends s in quotes.
void put_json(std::string& out, std::string_view s);

}  // namespace tapegrad::io
