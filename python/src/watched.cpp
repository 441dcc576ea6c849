#include "watched.h"

namespace tapegrad::py {

static Argument argument(ArgKind kind, const Value& v) {
  switch (kind) {
    case ArgKind::Tensor: return {v.tensor, 1};
    case ArgKind::Tensors: return {v.tensors.begin(), v.tensors.size(), true};
    case ArgKind::Scalar: return {.number = v.scalar.is_complex() ? 0 : v.scalar.to_double()};
    case ArgKind::OptionalScalar: return {.number = v.none || v.scalar.is_complex() ? 0 : v.scalar.to_double()};
    case ArgKind::Float: return {.number = v.number};
    case ArgKind::OptionalFloat: return {.number = v.none ? 0 : v.number};
    default: return {};
  }
}
void invoke_watched(const char* name, const Callable& call, const Value* v, const Tensor* out, Result& r) {
  std::vector<Argument> arguments;
  arguments.reserve(call.kinds.size());
  for (size_t k = 0; k < call.kinds.size(); k++) arguments.push_back(argument(call.kinds[k], v[k]));
  const std::string_view op = name;
  const bool in_place = op.ends_with('_') && !op.ends_with("__") && call.kinds[0] == ArgKind::Tensor;
  const Call noted(name, arguments, in_place ? arguments[0].tensors : out);
  call.invoke(call.function, v, r);
  if (r.kind == Result::Kind::Tensor) noted.returned({&r.tensor, 1});
  else noted.returned(r.tensors);
}

}  // namespace tapegrad::py
