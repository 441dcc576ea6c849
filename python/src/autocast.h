// Mixed precision in the bindings: which ops compute in the lower type, which in float32, and the casts of their arguments.
// Costs one byte looked at per call while no thread has ever switched it on. C++ programs convert their models instead.
#pragma once
#include "binder.h"

namespace tapegrad::py {

/// Has any thread ever switched autocast on?
extern bool autocast_used;

/// The rule for an op's name, for tensors on that kind of device.
Cast cast_of(std::string_view op, DeviceType device);

/// Casts made for one call; the Values point into it.
struct Casts {
  std::vector<Tensor> tensors;
  std::vector<std::vector<Tensor>> lists;
};
/// Replaces tensors among the arguments as o.cast wants it. Nothing happens when this thread has autocast off.
void cast_arguments(const Overload& o, Value* v, Casts& casts);
/// a @ b under autocast.
Tensor autocast_matmul(const Tensor& a, const Tensor& b);

PyMethodDef* autocast_functions();

}  // namespace tapegrad::py
