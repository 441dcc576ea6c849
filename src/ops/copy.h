// Moving elements without recording: what copy_, to, clone, cat, index and others are made of.
#pragma once
#include "tapegrad/tensor.h"

namespace tapegrad {

/// Writes src, broadcast and cast, into dst's memory. No checks but shapes, no tape, no version.
void copy_elements(const Tensor& dst, const Tensor& src);
/// Writes one number everywhere. No checks, no tape, no version.
void fill_elements(const Tensor& dst, Scalar value);
/// ValueError when an integer dtype cannot hold the value: NaN, an infinity, 2^64 and above.
void check_fits(Scalar value, Dtype dtype);
/// The bytes of `value` as dtype d, into out[16]. Throws ValueError when the number does not fit.
void write_scalar(Scalar value, Dtype d, char* out);

}  // namespace tapegrad
