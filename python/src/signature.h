// The parser of signature texts; see signature.cpp.
#pragma once
#include "binder.h"

namespace tapegrad::py {

inline constexpr int kMaxParams = 24;
/// Throws std::logic_error when the text is wrong or does not fit the C++ function.
Overload parse(const OpInfo& info, const Callable& call, std::string_view name);
/// "(input, dim=[], keepdim=False)" as inspect.signature reads it.
std::string inspect_text(const Overload& o, bool method);

}  // namespace tapegrad::py
