// The three products of a convolution y = x * w, on contiguous tensors, not recorded. Each is the gradient of the others:
// data is y's gradient sent back to x (and what a transposed convolution computes), weight is w's gradient.
#pragma once
#include "src/ops/cpu/conv.h"
#include "tapegrad/autograd.h"

namespace tapegrad {

/// x is (batch, in_channels, in…), y (batch, out_channels, out…), w (out_channels, in_channels / groups, kernel…).
struct ConvPlan {
  int64_t batch = 0, in_channels = 0, out_channels = 0, groups = 1;
  int dims = 2;  // of space: 1 to 3, the last ones of the window
  Window window;

  int64_t in() const { return window.in[0] * window.in[1] * window.in[2]; }
  int64_t out() const { return window.out[0] * window.out[1] * window.out[2]; }
  int64_t taps() const { return window.kernel[0] * window.kernel[1] * window.kernel[2]; }
  int64_t in_group() const { return in_channels / groups; }
  int64_t out_group() const { return out_channels / groups; }
  Shape x_size() const { return size(batch, in_channels, window.in); }
  Shape y_size() const { return size(batch, out_channels, window.out); }
  Shape w_size() const { return size(out_channels, in_group(), window.kernel); }

 private:
  Shape size(int64_t a, int64_t b, const long* space) const {
    Shape s{a, b};
    for (int d = 3 - dims; d < 3; d++) s.push_back(space[d]);
    return s;
  }
};

/// Forward: (x, w) to y. Data: (y, w) to x. Weight: (x, y) to w.
enum class ConvPass : uint8_t { Forward, Data, Weight };

/// Float32 or Float64, all contiguous; bias has a number per channel of the result, or is undefined.
Tensor conv_forward(const ConvPlan& p, const Tensor& x, const Tensor& w, const Tensor& bias);
Tensor conv_data(const ConvPlan& p, const Tensor& y, const Tensor& w, const Tensor& bias);
Tensor conv_weight(const ConvPlan& p, const Tensor& x, const Tensor& y);
/// The forward (or, transposed, the data) product of a float32 3x3 convolution by Winograd's method, into `to`. False, and
/// nothing done, where it does not apply or does not pay.
bool winograd(const ConvPlan& p, bool transposed, const Tensor& from, const Tensor& w, const Tensor& bias, const Tensor& to);
/// The same for the gradient of the weights.
bool winograd_weight(const ConvPlan& p, const Tensor& x, const Tensor& y, const Tensor& w);
/// Any of the three on its two operands, float32, by oneDNN in builds with TAPEGRAD_ONEDNN. Undefined elsewhere and where it does not apply.
Tensor onednn(ConvPass pass, const ConvPlan& p, const Tensor& u, const Tensor& v, const Tensor& bias);

}  // namespace tapegrad
