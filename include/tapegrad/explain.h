// Why a tensor has no gradient.
#pragma once
#include "tapegrad/autograd.h"

namespace tapegrad {

/// A std::string: why t.grad() is undefined or t does not require grad, with the line that is the reason: where it was cut off by
/// detach(), where recording was switched off, which backward did not reach it. docs/errors.md lists the reasons.
/// Example: const Tensor x = ones({2}).set_requires_grad(), y = detach(x);
///   assert(explain(y).find("cut from the graph by detach()") != std::string::npos);
TG_API std::string explain(const Tensor& t);

}  // namespace tapegrad
