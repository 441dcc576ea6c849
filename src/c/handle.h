// What the files of the C interface share: handles, and the way in, which lets no exception out.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "tapegrad/c.h"
#include "tapegrad/ops.h"

struct tg_list {
  std::vector<std::pair<std::string, tapegrad::Tensor>> items;
};

namespace tapegrad::c {

/// Of C callers only: NULL where something is needed.
struct NullArgument : Error {
  explicit NullArgument(const char* what) : Error(std::string(what) + " is NULL") {}
};
struct UnknownOp : Error { using Error::Error; };
struct ArgumentError : Error { using Error::Error; };

/// Notes the exception that is being handled as this thread's last error.
tg_status note_error() noexcept;

/// Runs f; what it throws becomes a status.
template <class F> tg_status guarded(F&& f) noexcept {
  try {
    f();
    return TG_OK;
  } catch (...) {
    return note_error();
  }
}
/// Runs f for a function that returns a value; `otherwise` when it throws.
template <class R, class F> R guarded(R otherwise, F&& f) noexcept {
  try {
    return f();
  } catch (...) {
    note_error();
    return otherwise;
  }
}

template <class P> P need(P pointer, const char* what) {
  if (!pointer) throw NullArgument(what);
  return pointer;
}
/// A handle is one count of the TensorImpl. `impl` borrows, `give` makes one.
inline TensorImpl* impl(const tg_tensor* t, const char* what = "the tensor") {
  return reinterpret_cast<TensorImpl*>(const_cast<tg_tensor*>(need(t, what)));
}
inline Tensor tensor_of(const tg_tensor* t, const char* what = "the tensor") { return Tensor::share(impl(t, what)); }
inline tg_tensor* give(Tensor t) { return reinterpret_cast<tg_tensor*>(t.release()); }

}  // namespace tapegrad::c
