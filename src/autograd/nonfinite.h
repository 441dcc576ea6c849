// The search for the first NaN. The processor keeps a flag for each invalid operation, division by zero and overflow until it is
// cleared; an op's results are looked through only where one is set, or where the op is known to make such values without.
#pragma once
#include <string>

#include "src/autograd/watch.h"

namespace tapegrad {

/// Gets the text of an error; what it throws ends the op or the backward.
using NonfiniteHit = void (*)(const std::string& text);
TG_API void raise_nonfinite(const std::string& text);  ///< throws GradError
/// Of several that watch at once, the one that came last is told.
TG_API void watch_nonfinite(NonfiniteHit hit);
TG_API void unwatch_nonfinite(NonfiniteHit hit);

}  // namespace tapegrad
