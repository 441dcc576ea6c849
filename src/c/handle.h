// What the files of the C interface share: handles, and the way in, which lets no exception out.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "tapegrad/autograd.h"
#include "tapegrad/c.h"
#include "tapegrad/ops.h"

struct tg_list {
  std::vector<std::pair<std::string, tapegrad::Tensor>> items;
};

namespace tapegrad::c {

/// Errors of C callers only: NULL where something is needed; a wrong name; arguments that fit no form of an op.
struct NullArgument : Error { using Error::Error; };
struct UnknownOp : Error { using Error::Error; };
struct ArgumentError : Error { using Error::Error; };

/// Notes the exception that is being handled as this thread's last error.
tg_status note_error() noexcept;

/// Runs f for the C function of this name; what it throws becomes a status. Inlined, so that the tape notes the C caller's place.
template <class F> [[gnu::always_inline]] inline tg_status guarded(const char* name, F&& f) noexcept {
  const OpScope op(name);
  try {
    f();
    return TG_OK;
  } catch (...) {
    return note_error();
  }
}
/// The same for a function that returns a value: `otherwise` when f throws.
template <class R, class F> [[gnu::always_inline]] inline R guarded(const char* name, R otherwise, F&& f) noexcept {
  guarded(name, [&] { otherwise = f(); });
  return otherwise;
}

template <class P> P need(P pointer, const char* what) {
  if (!pointer) detail::fail<NullArgument>(what, " is NULL");
  return pointer;
}
/// A handle is one count of the TensorImpl. `impl` borrows, `give` makes one.
inline TensorImpl* impl(const tg_tensor* t, const char* what = "the tensor") {
  return reinterpret_cast<TensorImpl*>(const_cast<tg_tensor*>(need(t, what)));
}
inline Tensor tensor_of(const tg_tensor* t, const char* what = "the tensor") { return Tensor::share(impl(t, what)); }
inline tg_tensor* give(Tensor t) { return reinterpret_cast<tg_tensor*>(t.release()); }

}  // namespace tapegrad::c
