// Reads the signatures of op rows. See signature.h.
#include "src/ops/signature.h"

#include <cstdlib>
#include <stdexcept>

namespace tapegrad {
namespace {

struct TypeName { std::string_view text; Want want; ArgKind cpp; };
constexpr TypeName kTypes[] = {
    {"Tensor", Want::Tensor, ArgKind::Tensor}, {"Tensor?", Want::OptionalTensor, ArgKind::Tensor},
    {"Tensor|Number", Want::TensorOrNumber, ArgKind::Tensor}, {"Tensor[]", Want::Tensors, ArgKind::Tensors},
    {"Scalar", Want::Scalar, ArgKind::Scalar}, {"Scalar?", Want::OptionalScalar, ArgKind::OptionalScalar},
    {"float", Want::Float, ArgKind::Float}, {"float?", Want::OptionalFloat, ArgKind::OptionalFloat},
    {"int", Want::Int, ArgKind::Int}, {"int?", Want::OptionalInt, ArgKind::OptionalInt},
    {"bool", Want::Bool, ArgKind::Bool}, {"bool?", Want::OptionalBool, ArgKind::OptionalBool},
    {"int[]", Want::Ints, ArgKind::Ints}, {"int[]?", Want::OptionalInts, ArgKind::Ints},
    {"float[]", Want::OptionalFloats, ArgKind::OptionalFloats}, {"float[]?", Want::OptionalFloats, ArgKind::OptionalFloats},
    {"str", Want::Text, ArgKind::Text}, {"str?", Want::OptionalText, ArgKind::OptionalText},
    {"dtype", Want::Dtype, ArgKind::Dtype}, {"dtype?", Want::OptionalDtype, ArgKind::OptionalDtype},
    {"device?", Want::OptionalDevice, ArgKind::OptionalDevice}, {"Generator?", Want::Generator, ArgKind::Generator},
    {"memory_format?", Want::MemoryFormat, ArgKind::MemoryFormat}};

std::string_view trim(std::string_view s) {
  while (!s.empty() && s.front() == ' ') s.remove_prefix(1);
  while (!s.empty() && s.back() == ' ') s.remove_suffix(1);
  return s;
}
/// Splits at commas outside of brackets and quotes.
std::vector<std::string_view> split_all(std::string_view s) {
  std::vector<std::string_view> parts;
  int depth = 0;
  char quote = 0;
  size_t begin = 0;
  for (size_t k = 0; k <= s.size(); k++) {
    const char c = k < s.size() ? s[k] : ',';
    if (quote && k < s.size()) {
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '(' || c == '[') {
      depth++;
    } else if (c == ')' || c == ']') {
      depth--;
    } else if (c == ',' && !depth) {
      if (auto part = trim(s.substr(begin, k - begin)); !part.empty()) parts.push_back(part);
      begin = k + 1;
    }
  }
  return parts;
}

/// Defaults live as long as the process: so does the table they belong to.
void read_default(Parameter& p, std::string_view text) {
  static const Tensor undefined;
  Value& v = p.fallback;
  p.has_fallback = true;
  const std::string s(text);
  if (text == "None") {
    v.none = true;
    switch (p.want) {
      case Want::Ints: case Want::OptionalInts: v.ints = {}; break;
      case Want::OptionalFloats: v.numbers = {}; break;
      case Want::Generator: v.generator = nullptr; break;
      default: v.tensor = &undefined;
    }
    return;
  }
  switch (p.want) {
    case Want::Tensor: case Want::OptionalTensor: case Want::TensorOrNumber:
      v.tensor = new Tensor(s.find_first_of(".e") == s.npos ? Scalar(std::atoll(s.c_str())) : Scalar(std::atof(s.c_str())));
      break;
    case Want::Scalar: case Want::OptionalScalar:
      if (text == "True" || text == "False") v.scalar = Scalar(text == "True");
      else if (s.find_first_of(".enN") == s.npos) v.scalar = Scalar(std::atoll(s.c_str()));
      else v.scalar = Scalar(std::strtod(s.c_str(), nullptr));
      break;
    case Want::Float: case Want::OptionalFloat: v.number = std::strtod(s.c_str(), nullptr); break;
    case Want::Int: case Want::OptionalInt: v.integer = std::atoll(s.c_str()); break;
    case Want::Bool: case Want::OptionalBool: v.boolean = text == "True"; break;
    case Want::Ints: case Want::OptionalInts: case Want::OptionalFloats: {
      const bool list = text.front() == '[' || text.front() == '(';
      const std::vector<std::string_view> items = split_all(list ? text.substr(1, text.size() - 2) : text);
      const size_t n = !list && p.repeat ? p.repeat : items.size();
      auto item = [&](size_t k) { return std::string(items[list ? k : 0]); };
      if (p.want == Want::OptionalFloats) {
        auto* floats = new double[n];
        for (size_t k = 0; k < n; k++) floats[k] = std::strtod(item(k).c_str(), nullptr);
        v.numbers = {floats, n};
      } else {
        auto* ints = new int64_t[n];
        for (size_t k = 0; k < n; k++) ints[k] = std::atoll(item(k).c_str());
        v.ints = {ints, n};
      }
      break;
    }
    case Want::Text: case Want::OptionalText: v.text = text.substr(1, text.size() - 2); break;
    case Want::Dtype: case Want::OptionalDtype:
      for (int k = 0; k < kDtypes; k++) if (text == name(Dtype(k))) v.dtype = Dtype(k);
      break;
    case Want::OptionalDevice: v.device = Device(text); break;
    case Want::MemoryFormat:
      v.format = text == "contiguous_format" ? MemoryFormat::Contiguous : text == "channels_last" ? MemoryFormat::ChannelsLast
               : text == "channels_last_3d" ? MemoryFormat::ChannelsLast3d : MemoryFormat::Preserve;
      break;
    case Want::Tensors: v.tensors = {}; break;
    case Want::Generator: v.generator = nullptr; break;
  }
}

[[noreturn]] void bad_row(const Signature& s, const std::string& why) {
  throw std::logic_error("op table: " + s.text + ": " + why);
}

Parameter read_parameter(const Signature& s, const Callable& call, std::string_view item, bool keyword_only) {
  size_t equals = std::string_view::npos;
  for (size_t k = 0, depth = 0; k < item.size(); k++) {
    if (item[k] == '[' || item[k] == '(') depth++;
    if (item[k] == ']' || item[k] == ')') depth--;
    if (item[k] == '=' && !depth) { equals = k; break; }
  }
  const std::string_view head = trim(item.substr(0, equals));
  const size_t space = head.rfind(' ');
  if (space == head.npos) bad_row(s, "no type in '" + std::string(item) + "'");
  std::string type(trim(head.substr(0, space)));
  Parameter p;
  p.name = head.substr(space + 1);
  if (const size_t open = type.find('['); open != type.npos && open + 1 < type.size() && type[open + 1] >= '0' && type[open + 1] <= '9') {
    p.repeat = uint8_t(std::atoi(type.c_str() + open + 1));
    type.erase(open + 1, type.find(']') - open - 1);
  }
  const size_t at = s.parameters.size();
  const TypeName* known = nullptr;
  for (const TypeName& t : kTypes) if (t.text == type) known = &t;
  if (!known) bad_row(s, "unknown type '" + type + "'");
  if (at >= call.kinds.size()) bad_row(s, "more parameters than the C++ function has");
  if (known->cpp != call.kinds[at]) bad_row(s, "the type of '" + std::string(p.name) + "' does not fit the C++ function");
  p.want = known->want;
  p.keyword_only = keyword_only;
  if (equals != item.npos) read_default(p, trim(item.substr(equals + 1)));
  return p;
}

// f(2, 3), f(a, b): the last int[] or Tensor[] that only a dtype or device may follow by position
void find_varargs(std::vector<Parameter>& parameters) {
  for (size_t k = parameters.size(); k-- > 0;) {
    Parameter& p = parameters[k];
    if (p.keyword_only) continue;
    const Want w = p.want;
    if (w == Want::Ints || w == Want::OptionalInts || w == Want::Tensors) { p.varargs = true; return; }
    if (w != Want::OptionalDtype && w != Want::OptionalDevice && w != Want::Generator && w != Want::MemoryFormat) return;
  }
}

}  // namespace

std::vector<std::string_view> split_parameters(std::string_view text) {
  const size_t open = text.find('('), close = text.rfind(')');
  if (open == text.npos || close == text.npos) throw std::logic_error("op table: no parameter list in " + std::string(text));
  return split_all(text.substr(open + 1, close - open - 1));
}

Signature read_signature(const OpInfo& info, const Callable& call, std::string_view name) {
  Signature s;
  const std::vector<std::string_view> items = split_parameters(info.signature);
  const size_t open = info.signature.find('(');
  s.text = std::string(name) + std::string(info.signature.substr(open, info.signature.rfind(')') + 1 - open));
  bool keyword_only = false;
  for (std::string_view item : items) {
    if (item == "*") keyword_only = true;
    else s.parameters.push_back(read_parameter(s, call, item, keyword_only));
  }
  if (s.parameters.size() != call.kinds.size()) bad_row(s, "fewer parameters than the C++ function has");
  find_varargs(s.parameters);
  return s;
}

}  // namespace tapegrad
