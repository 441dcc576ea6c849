// The tape's side of views; see Note [Views and in-place writes] in record.cpp.
#pragma once
#include "tapegrad/autograd.h"

namespace tapegrad {
/// Gives a view whose base changed its history a node that leads to the base.
void renew_view(const Tensor& view);
/// `view` was written in place and `value` (same memory) carries the new history: passes it on to view's base.
void write_into_base(const Tensor& view, const Tensor& value);
}  // namespace tapegrad
