// Error classes and the pieces that messages are made of.
#include "tapegrad/error.h"

#include <mutex>
#include <string>
#include <utility>

#include "src/tensor/ledger.h"
#include "src/tensor/places.h"

namespace tapegrad {

// "hstack: " even when cat, which it calls, found the fault: users know the op that they called. Below backward it is the
// inner op that says more, and so it is inside a custom function.
static std::string running_op() { return tls.scope ? std::string(called_op()) + ": " : ""; }
// What fails while a node's backward runs is told with the line of its forward.
static std::string with_forward_line(std::string text) {
  const Node* n = tls.differentiating;
  if (!n || !n->place.where || text.find(describe(n->place)) != text.npos) return text;
  return text + place_line((std::string("in the backward of ") + n->name() + ", called at").c_str(), n->place);
}
static std::string module_line() {
  const uint16_t module = tls.differentiating ? tls.differentiating->module : tls.module;
  return module ? "\n  in " + module_path_text(module) : "";
}

struct Error::Text : Counted {
  std::string text;
  std::mutex lock;  // of both, in what()
  Place caller;  // not yet in the text; a Python program's traceback says it
  explicit Text(std::string t) : text(std::move(t)) {}
};
Error::Error(const char* text) : text_(new Text(with_forward_line(text))) {}
Error::Error(const std::string& text) : text_(new Text(with_forward_line(text))) {}
Error::Error(const detail::Message& m) : text_(new Text(with_forward_line(running_op() + m.text() + module_line()))) {
  if (tls.scope && !tls.in_python && !tls.differentiating) text_->caller = {tls.scope->caller, -1};
}
Error::Error(const Error& o) noexcept : std::exception(o), text_(o.text_) { text_->retain(); }
Error::~Error() { if (text_->drop()) delete text_; }
const char* Error::what() const noexcept {
  const std::lock_guard guard(text_->lock);
  const Place caller = std::exchange(text_->caller, {});
  if (caller.where) try {
    text_->text += place_line("called at", caller);
  } catch (...) {}  // no memory for the line
  return text_->text.c_str();
}

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
