// The table of the convolution kernels, which have a file each.
#include "src/ops/cpu/conv.h"

#include "src/ops/cpu/table.h"

namespace tapegrad {
extern "C" const ConvTable TG_TABLE(conv);
inline namespace TG_NS {
extern const ProductKernels<float> product_f32;
extern const ProductKernels<double> product_f64;
extern const SpreadKernels<float> spread_f32;
extern const SpreadKernels<double> spread_f64;
extern const WeightKernels<float> weight_f32;
extern const WeightKernels<double> weight_f64;
}  // namespace TG_NS

const ConvTable TG_TABLE(conv) = {{product_f32, spread_f32, weight_f32}, {product_f64, spread_f64, weight_f64}};

}  // namespace tapegrad
