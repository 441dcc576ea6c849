// Calls of ops while somebody listens (src/autograd/watch.h): the arguments are noted, the results told.
#pragma once
#include <span>

#include "src/autograd/watch.h"
#include "src/ops/signature.h"

namespace tapegrad::py {

/// The op's function on these arguments, as o.call.invoke; with the tensor `out` or null.
void invoke_watched(const char* name, const Callable& call, const Value* v, const Tensor* out, Result& r);
/// f() of an operator on these tensors, or into the first of them.
template <class F> Tensor watched(std::initializer_list<const Tensor*> tensors, F&& f, bool in_place = false) {
  Argument arguments[2];
  size_t n = 0;
  for (const Tensor* t : tensors) arguments[n++] = {t, 1};
  const Call call("", {arguments, n}, in_place ? *tensors.begin() : nullptr);
  Tensor r = f();
  call.returned({&r, 1});
  return r;
}

}  // namespace tapegrad::py
