// In-place forms of ops that have no kernel for it: the result is computed beside self and written back.
#pragma once
#include "tapegrad/ops.h"

namespace tapegrad {

/// self becomes f(self), where f uses `others` too. The tape keeps a copy of what self was.
template <class F, class... T> const Tensor& replace(const Tensor& self, F f, const T&... others) {
  const Tensor y = f(recording(self, others...) ? clone(self) : self);
  TG_CHECK(can_cast(y.dtype(), self.dtype()), DtypeError, "result type ", y.dtype(), " can't be cast to the type of the tensor written to, ", self.dtype());
  TG_CHECK(y.sizes() == self.sizes(), ShapeError, "the result's shape ", y.sizes(), " must be that of the tensor written to, ", self.sizes(), Named{"input", self});
  return copy_(self, y);
}

}  // namespace tapegrad
