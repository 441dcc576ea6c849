// Error classes and the pieces that messages are made of.
#include "tapegrad/error.h"

#include <string>

#include "tapegrad/autograd.h"

namespace tapegrad {

// "hstack: " even when cat, which it calls, found the fault: users know the op that they called. Below backward it is the
// inner op that says more, and so it is inside a custom function.
static std::string running_op() {
  const OpScope* s = tls.scope;
  if (!s) return "";
  auto encloses = [](std::string_view name) { return name == "backward" || name == "grad" || name.ends_with("Backward"); };
  while (s->outer && !encloses(s->outer->name)) s = s->outer;
  return std::string(s->name) + ": ";
}

struct Error::Text : Counted {
  std::string text;
  explicit Text(std::string t) : text(std::move(t)) {}
};
Error::Error(const char* text) : text_(new Text(text)) {}
Error::Error(const std::string& text) : text_(new Text(text)) {}
Error::Error(const detail::Message& m) : text_(new Text(running_op() + m.text())) {}
Error::Error(const Error& o) noexcept : std::exception(o), text_(o.text_) { text_->retain(); }
Error::~Error() { if (text_->drop()) delete text_; }
const char* Error::what() const noexcept { return text_->text.c_str(); }

ShapeError::~ShapeError() = default;
DtypeError::~DtypeError() = default;
ValueError::~ValueError() = default;
IndexError::~IndexError() = default;
DeviceError::~DeviceError() = default;
GradError::~GradError() = default;
OutOfMemoryError::~OutOfMemoryError() = default;
NotImplementedError::~NotImplementedError() = default;
LinAlgError::~LinAlgError() = default;
IoError::~IoError() = default;

namespace detail {

Message::Message() : text_(new std::string) {}
Message::~Message() { delete text_; }

void put(std::string& s, const char* v) { s += v; }
void put(std::string& s, const std::string& v) { s += v; }
void put(std::string& s, std::string_view v) { s += v; }
void put(std::string& s, int64_t v) { s += std::to_string(v); }
void put(std::string& s, double v) { s += to_string(Scalar(v)); }
void put(std::string& s, Dtype v) { s += name(v); }
void put(std::string& s, Device v) { s += to_string(v); }
void put(std::string& s, IntList v) { s += to_string(v); }
void put(std::string& s, Scalar v) { s += to_string(v); }
void put(std::string& s, const Tensor& v) {
  if (!v.defined()) { s += "none"; return; }
  s += std::string(name(v.dtype())) + to_string(v.sizes()) + " " + to_string(v.device());
}
void put(std::string& s, Named v) {
  s += std::string("\n  ") + v.name + ": ";
  put(s, v.tensor);
}
void assert_failed(const char* condition, const char* file, int line) {
  const char* base = file;
  for (const char* p = file; *p; p++) if (*p == '/') base = p + 1;
  fail<Error>("internal error, please report it: ", condition, " does not hold (", base, ":", line, ")");
}

}  // namespace detail
}  // namespace tapegrad
