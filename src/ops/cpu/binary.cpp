// Kernels of the elementwise ops with two inputs.
#include "src/ops/cpu/loops.h"

namespace tapegrad {
extern "C" const FamilyTable TG_TABLE(binary);
constinit const FamilyTable TG_TABLE(binary) = TG_NS::Family<2, TG_NS::BinaryOps>::table;
}  // namespace tapegrad
