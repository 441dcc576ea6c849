// Layers that learn their input size from the first input, or from the state that they load. Until then parameters and buffers are
// empty; afterwards they are the ordinary layer, and optimisers that were made before stay valid.
//   const nn::Sequential net{nn::LazyConv2d(8, 3), nn::ReLU(), nn::Flatten(), nn::LazyLinear(10)};
//   net(images);  // now every weight has its size
#pragma once
#include "tapegrad/nn_conv.h"
#include "tapegrad/nn_linear.h"
#include "tapegrad/nn_norm.h"

namespace tapegrad::nn {

struct TG_API LazyLinear : Linear {
  explicit LazyLinear(int64_t out_features, bool bias = true);
};
template <int N> struct TG_API LazyConv : Conv<N> {
  LazyConv(int64_t out_channels, Dims kernel_size, ConvOptions options = {});
};
using LazyConv1d = LazyConv<1>;
using LazyConv2d = LazyConv<2>;
using LazyConv3d = LazyConv<3>;
template <int N> struct TG_API LazyConvTranspose : ConvTranspose<N> {
  LazyConvTranspose(int64_t out_channels, Dims kernel_size, ConvTransposeOptions options = {});
};
using LazyConvTranspose1d = LazyConvTranspose<1>;
using LazyConvTranspose2d = LazyConvTranspose<2>;
using LazyConvTranspose3d = LazyConvTranspose<3>;
template <int N> struct TG_API LazyBatchNorm : BatchNorm<N> {
  explicit LazyBatchNorm(BatchNormOptions options = {});
};
using LazyBatchNorm1d = LazyBatchNorm<1>;
using LazyBatchNorm2d = LazyBatchNorm<2>;
using LazyBatchNorm3d = LazyBatchNorm<3>;
template <int N> struct TG_API LazyInstanceNorm : InstanceNorm<N> {
  explicit LazyInstanceNorm(InstanceNormOptions options = {});
};
using LazyInstanceNorm1d = LazyInstanceNorm<1>;
using LazyInstanceNorm2d = LazyInstanceNorm<2>;
using LazyInstanceNorm3d = LazyInstanceNorm<3>;

}  // namespace tapegrad::nn
