// Kernels of the elementwise ops with two inputs.
#include "src/ops/cpu/loops.h"

namespace tapegrad {
extern "C" const FamilyTable TG_TABLE(binary);
constinit const FamilyTable TG_TABLE(binary) = Family<2, BinaryOps>::table;
}  // namespace tapegrad
