// The signatures of op rows, read: "sum(Tensor input, int[] dim=[], bool keepdim=False, *, dtype? dtype=None)". What the bindings
// match arguments against. The text is checked against the C++ function's type.
#pragma once
#include <string>

#include "src/ops/op_info.h"

namespace tapegrad {

/// What a parameter accepts: the types of the signature text.
enum class Want : uint8_t {
  Tensor, OptionalTensor, TensorOrNumber, Tensors, Scalar, OptionalScalar, Float, OptionalFloat, Int, OptionalInt, Bool, OptionalBool,
  Ints, OptionalInts, OptionalFloats, Text, OptionalText, Dtype, OptionalDtype, OptionalDevice, Generator, MemoryFormat,
};

struct Parameter {
  std::string_view name;          // in the row's text
  Value fallback;                 // when has_fallback; what it points to is never freed, as the table
  Want want;
  bool has_fallback = false;
  bool keyword_only = false;
  bool varargs = false;           // Ints, Tensors: f(2, 3) for f((2, 3))
  uint8_t repeat = 0;             // int[2]: an int stands for that many
};
struct Signature {
  std::string text;               // with the name by which the op is called
  std::vector<Parameter> parameters;
};
/// Throws std::logic_error that names the row when the text is wrong or does not fit the function.
TG_API Signature read_signature(const OpInfo& info, const Callable& call, std::string_view name);
/// The text's parameters, "*" among them.
TG_API std::vector<std::string_view> split_parameters(std::string_view text);

}  // namespace tapegrad
