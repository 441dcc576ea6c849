// What the library throws, and TG_CHECK, the one way to throw it.
// A message reads `op: what must hold, got what`, then one line per tensor; see Named.
#pragma once
#include <exception>

#include "tapegrad/types.h"

namespace tapegrad {
class Tensor;

namespace detail {
/// Text being put together: a std::string behind a pointer, so that headers need not know it.
class TG_API Message {
  std::string* text_;
 public:
  Message();
  ~Message();
  Message(const Message&) = delete;
  std::string& text() const { return *text_; }
};
}  // namespace detail

/// Base of all errors. In Python: tapegrad.Error, a RuntimeError.
/// Example: try { matmul(ones({2, 3}), ones({2, 3})); assert(false); }
///   catch (const ShapeError& e) { assert(std::string(e.what()).starts_with("matmul: ")); }
class TG_API Error : public std::exception {
  struct Text;
  Text* text_;  // shared by copies, which may not throw
 public:
  explicit Error(const char* text);
  explicit Error(const std::string& text);
  explicit Error(const detail::Message& m);  ///< with the running op's name in front
  Error(const Error& o) noexcept;
  Error& operator=(const Error&) = delete;
  const char* what() const noexcept override;
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
class TG_API LinAlgError : public Error { using Error::Error; public: ~LinAlgError() override; };       ///< a matrix is singular, not positive definite, …
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
TG_API void put(std::string& s, const char* v);
TG_API void put(std::string& s, const std::string& v);
inline void put(std::string& s, const Shape& v) { put(s, IntList(v)); }
inline void put(std::string& s, int v) { put(s, int64_t(v)); }
inline void put(std::string& s, unsigned v) { put(s, int64_t(v)); }
inline void put(std::string& s, size_t v) { put(s, int64_t(v)); }
inline void put(std::string& s, uint8_t v) { put(s, int64_t(v)); }
inline void put(std::string& s, bool v) { put(s, std::string_view(v ? "True" : "False")); }
template <class E, class... P> [[noreturn, gnu::cold, gnu::noinline]] void fail(const P&... parts) {
  Message m;
  (put(m.text(), parts), ...);
  throw E(m);
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
