// The geometry that convolution and pooling share. Plain data only: see table.h.
#pragma once

namespace tapegrad {

/// A window that slides over planes of in[0] x in[1] x in[2] numbers; 1-D and 2-D have leading ones.
struct Window {
  long in[3], out[3], kernel[3], stride[3], pad[3], dilation[3];
};

}  // namespace tapegrad
