// How an operation that takes long can be ended from outside.
#pragma once
#include "tapegrad/tensor.h"

namespace tapegrad {

/// Called about every 100 ms by operations that take long (backward passes, products, convolutions, attention, sorting, factorizations), on
/// the thread that called the operation, which ends with whatever this throws. Null: nobody asks. The Python module handles signals here,
/// so that Ctrl-C becomes a KeyboardInterrupt. Set it before the first operation.
extern TG_API void (*check_interrupt)();

}  // namespace tapegrad
