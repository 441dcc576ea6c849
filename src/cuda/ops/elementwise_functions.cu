// Functions of one and two numbers: powers, exponentials, trigonometry, special functions.
#include "src/cuda/ops/elementwise.cuh"

namespace tapegrad::cuda {

void add_functions(ElementwiseTable& t) {
  add_forwards(OpList<Sqrt, Rsqrt, Reciprocal, Exp, Exp2, Expm1, Log, Log2, Log10, Log1p, Sin, Cos, Tan, Asin, Acos, Atan, Sinh, Cosh, Tanh, Asinh,
                 Acosh, Atanh, Sinc, Deg2Rad, Rad2Deg, Logit, Erf, Erfc, Erfinv, Lgamma, Digamma, Polygamma, Atan2, Hypot, Copysign,
                 LogAddExp, LogAddExp2, Xlogy>(), t);
}

}  // namespace tapegrad::cuda
