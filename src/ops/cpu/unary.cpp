// Kernels of the elementwise ops with one input.
#include "src/ops/cpu/loops.h"

namespace tapegrad {
extern "C" const FamilyTable TG_TABLE(unary);
constinit const FamilyTable TG_TABLE(unary) = Family<1, UnaryOps>::table;
}  // namespace tapegrad
