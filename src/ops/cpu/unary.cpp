// Kernels of the elementwise ops with one input.
#include "src/ops/cpu/loops.h"

namespace tapegrad {
extern "C" const FamilyTable TG_TABLE(unary);
constinit const FamilyTable TG_TABLE(unary) = TG_NS::Family<1, TG_NS::UnaryOps>::table;
}  // namespace tapegrad
