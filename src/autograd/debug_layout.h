// What debuggers read: where the fields of the library's structs lie. It stands in the library itself, so that the printers
// (python/tapegrad/share/tapegrad/debugger) work in release builds, in stripped ones and on core files, without debug information.
#pragma once
#include "tapegrad/types.h"

namespace tapegrad {

struct DebugField {
  char name[28];  // "TensorImpl.ndim"
  int32_t value;  // its offset; for names in small letters a size or a count
};
/// Both end with an empty name. Kept though no code reads them.
extern TG_API const DebugField debug_layout[];
extern TG_API const DebugField debug_layout_elementwise[];  // in src/ops: the names of elementwise nodes

}  // namespace tapegrad
