// Elementwise kernels: the table of them, and how one is launched over a CudaWalk.
#pragma once
#include "src/cuda/kernel/walk.h"
#include "src/ops/cuda/elementwise.h"

namespace tapegrad::cuda {

struct OpKernelTable {
  KernelEntry forward[kAllComputes], backward[3][kAllComputes];
};
/// By number of inputs, then by place in the lists of formulas.h.
struct ElementwiseTable {
  OpKernelTable op[3][96];
  KernelEntry plain[2][4][kAllComputes];  // formulas_plain.h: by number of inputs and place in its list
  KernelEntry special[64];                // special_math.h
};
// Each of these is a file.
void add_arithmetic(ElementwiseTable&);
void add_integers(ElementwiseTable&);
void add_rounding(ElementwiseTable&);
void add_functions(ElementwiseTable&);
void add_activations(ElementwiseTable&);
void add_unary_backward(ElementwiseTable&);
void add_backward(ElementwiseTable&);
void add_complex(ElementwiseTable&);
void add_unsigned(ElementwiseTable&);
void add_plain(ElementwiseTable&);
void add_special(ElementwiseTable&);

/// Launches a kernel over w, which is not empty, in pieces where 32 bits do not address it. It reads and writes the operands' dtypes.
void run_elementwise(const KernelEntry& e, const Params& params, const CudaWalk& w);

}  // namespace tapegrad::cuda
