// Kernels of the elementwise ops with three inputs.
#include "src/ops/cpu/loops.h"

namespace tapegrad {
extern "C" const FamilyTable TG_TABLE(ternary);
constinit const FamilyTable TG_TABLE(ternary) = TG_NS::Family<3, TG_NS::TernaryOps>::table;
}  // namespace tapegrad
