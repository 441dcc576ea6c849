// The search for the first NaN. The processor keeps a flag for each invalid operation, division by zero and overflow until it is
// cleared; an op's results are looked through only where one is set, or where the op is known to make such values without.
#pragma once
#include <string>

#include "src/autograd/watch.h"

namespace tapegrad {

/// `hit` gets the text of an error; what it throws ends the op or the backward.
TG_API void watch_nonfinite(void (*hit)(const std::string& text));
TG_API void raise_nonfinite(const std::string& text);  ///< a hit that throws GradError
TG_API void unwatch_nonfinite();

}  // namespace tapegrad
