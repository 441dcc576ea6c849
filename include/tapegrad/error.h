// What the library throws, and TG_CHECK, the one way to throw it.
// A message reads `op: what must hold, got what`, then one line per tensor; see Named.
#pragma once
#include <exception>
#include <utility>

#include "tapegrad/types.h"

namespace tapegrad {
class Tensor;

/// Base of all errors. In Python: tapegrad.Error, a RuntimeError.
class TG_API Error : public std::exception {
  std::string text_;
 public:
  explicit Error(std::string text) : text_(std::move(text)) {}
  const char* what() const noexcept override { return text_.c_str(); }
  ~Error() override;
};
class TG_API ShapeError : public Error { using Error::Error; public: ~ShapeError() override; };    ///< Python: also ValueError
class TG_API DtypeError : public Error { using Error::Error; public: ~DtypeError() override; };    ///< Python: also TypeError
class TG_API ValueError : public Error { using Error::Error; public: ~ValueError() override; };    ///< Python: also ValueError
class TG_API IndexError : public Error { using Error::Error; public: ~IndexError() override; };    ///< Python: also IndexError
class TG_API DeviceError : public Error { using Error::Error; public: ~DeviceError() override; };
class TG_API GradError : public Error { using Error::Error; public: ~GradError() override; };
class TG_API OutOfMemoryError : public Error { using Error::Error; public: ~OutOfMemoryError() override; };
class TG_API NotImplementedError : public Error { using Error::Error; public: ~NotImplementedError() override; };
class TG_API IoError : public Error { using Error::Error; public: ~IoError() override; };          ///< Python: also OSError

/// Prints as a line of its own: `  weight: float32[64, 10] cpu`.
struct Named {
  const char* name;
  const Tensor& tensor;
};

namespace detail {
TG_API void put(std::string& s, std::string_view v);
TG_API void put(std::string& s, int64_t v);
TG_API void put(std::string& s, double v);
TG_API void put(std::string& s, Dtype v);
TG_API void put(std::string& s, Device v);
TG_API void put(std::string& s, IntList v);
TG_API void put(std::string& s, Scalar v);
TG_API void put(std::string& s, const Tensor& v);  // float32[2, 3] cpu
TG_API void put(std::string& s, Named v);
inline void put(std::string& s, const char* v) { put(s, std::string_view(v)); }
inline void put(std::string& s, const std::string& v) { put(s, std::string_view(v)); }
inline void put(std::string& s, const Shape& v) { put(s, IntList(v)); }
inline void put(std::string& s, int v) { put(s, int64_t(v)); }
inline void put(std::string& s, unsigned v) { put(s, int64_t(v)); }
inline void put(std::string& s, size_t v) { put(s, int64_t(v)); }
inline void put(std::string& s, uint8_t v) { put(s, int64_t(v)); }
inline void put(std::string& s, bool v) { put(s, std::string_view(v ? "True" : "False")); }
TG_API std::string in_op(std::string text);  // puts "op: " of the running op in front
template <class E, class... P> [[noreturn, gnu::cold, gnu::noinline]] void fail(const P&... parts) {
  std::string s;
  (put(s, parts), ...);
  throw E(in_op(std::move(s)));
}
}  // namespace detail

/// User's fault: TG_CHECK(a.dim() == 2, ShapeError, "input must have 2 dimensions, got ", a.dim(), Named{"input", a}).
/// The running op's name is put in front. Lower case, no full stop.
#define TG_CHECK(condition, E, ...) \
  do { if (!(condition)) [[unlikely]] ::tapegrad::detail::fail<::tapegrad::E>(__VA_ARGS__); } while (0)
/// Our fault: says so, with file and line, and asks for a report.
#define TG_ASSERT(condition) \
  do { if (!(condition)) [[unlikely]] ::tapegrad::detail::assert_failed(#condition, __FILE__, __LINE__); } while (0)
namespace detail {
[[noreturn]] TG_API void assert_failed(const char* condition, const char* file, int line);
}

}  // namespace tapegrad
