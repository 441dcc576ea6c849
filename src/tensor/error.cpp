// Error classes and the pieces that messages are made of.
#include "tapegrad/error.h"

#include "tapegrad/autograd.h"

namespace tapegrad {

Error::~Error() = default;
ShapeError::~ShapeError() = default;
DtypeError::~DtypeError() = default;
ValueError::~ValueError() = default;
IndexError::~IndexError() = default;
DeviceError::~DeviceError() = default;
GradError::~GradError() = default;
OutOfMemoryError::~OutOfMemoryError() = default;
NotImplementedError::~NotImplementedError() = default;
IoError::~IoError() = default;

namespace detail {

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
std::string in_op(std::string text) {
  return tls.scope ? std::string(tls.scope->name) + ": " + text : text;
}
void assert_failed(const char* condition, const char* file, int line) {
  const char* base = file;
  for (const char* p = file; *p; p++) if (*p == '/') base = p + 1;
  throw Error(in_op(std::string("internal error, please report it: ") + condition + " does not hold (" + base + ":" +
                    std::to_string(line) + ")"));
}

}  // namespace detail
}  // namespace tapegrad
