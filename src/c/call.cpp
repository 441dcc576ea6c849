// The C interface: ops by name. Arguments are matched against the signatures of the op table, as in Python.
#include <list>
#include <map>
#include <memory>

#include "src/c/handle.h"
#include "src/ops/signature.h"

namespace tapegrad::c {
namespace {

struct Form {
  const OpInfo* info;
  Callable call;
  Signature signature;
};
/// All forms of each name, parsed once: about a thousand.
struct Forms {
  std::map<std::string, std::vector<Form>, std::less<>> of;
  std::vector<std::pair<std::string, std::string>> texts;  // signature, doc

  void add(const OpInfo& info, const std::string& name, const Callable& call) {
    of[name].push_back({&info, call, read_signature(info, call, name)});
    texts.emplace_back(of[name].back().signature.text, info.doc);
  }
  Forms() {
    for (const OpInfo& info : all_ops()) {
      std::vector<std::string_view> names{info.name};
      names.insert(names.end(), info.aliases.begin(), info.aliases.end());
      for (std::string_view name : names) {
        add(info, std::string(name), info.call);
        if (info.in_place.function) add(info, std::string(name) + "_", info.in_place);
      }
    }
  }
};
const Forms& forms() {
  static const Forms& all = *new Forms;
  return all;
}

bool has_form(int64_t i) { return i >= 0 && size_t(i) < forms().texts.size(); }

/// What converted arguments need beyond their Values: places that do not move.
struct Kept {
  std::vector<Tensor> tensors;  // room for one an argument
  std::list<std::vector<Tensor>> lists;
  std::list<std::vector<int64_t>> ints;
  std::list<std::vector<double>> floats;
  explicit Kept(size_t arguments) { tensors.reserve(arguments); }
};

std::string text_of(const tg_value& a) {
  switch (a.kind) {
    case TG_KIND_NONE: return "none";
    case TG_KIND_TENSOR: {
      std::string s = "Tensor ";
      detail::put(s, a.data ? tensor_of(static_cast<const tg_tensor*>(a.data)) : Tensor());
      return s;
    }
    case TG_KIND_TENSORS: return std::to_string(a.count) + " tensors";
    case TG_KIND_INT: return "int " + std::to_string(a.integer);
    case TG_KIND_FLOAT: return "float " + to_string(Scalar(a.number));
    case TG_KIND_BOOL: return a.integer ? "true" : "false";
    case TG_KIND_COMPLEX: return "a complex number";
    case TG_KIND_INTS: return std::to_string(a.count) + " ints";
    case TG_KIND_FLOATS: return std::to_string(a.count) + " floats";
    case TG_KIND_TEXT: return std::string("\"") + static_cast<const char*>(a.data) + "\"";
    case TG_KIND_DTYPE: return "dtype " + std::to_string(a.integer);
    default: return "a value of kind " + std::to_string(a.kind);
  }
}

/// What must hold of every value before it is looked at.
void check(const tg_value& a) {
  const bool many = a.kind == TG_KIND_TENSORS || a.kind == TG_KIND_INTS || a.kind == TG_KIND_FLOATS;
  if (a.kind < TG_KIND_NONE || a.kind > TG_KIND_DTYPE) throw ArgumentError("there is no kind of value " + std::to_string(a.kind));
  if (many && a.count < 0) throw ArgumentError("a list of " + std::to_string(a.count) + " values");
  if ((many && a.count) || a.kind == TG_KIND_TENSOR || a.kind == TG_KIND_TEXT) need(a.data, "the data of a value");
}

bool is_number(const tg_value& a) { return a.kind >= TG_KIND_INT && a.kind <= TG_KIND_COMPLEX; }
Scalar scalar_of(const tg_value& a) {
  switch (a.kind) {
    case TG_KIND_FLOAT: return a.number;
    case TG_KIND_BOOL: return a.integer != 0;
    case TG_KIND_COMPLEX: return Complex<double>(a.number, a.imag);
    default: return a.integer;
  }
}
std::string_view string_of(const tg_value& a) { return static_cast<const char*>(a.data); }

bool load_format(std::string_view text, MemoryFormat& format) {
  static constexpr std::string_view names[] = {"contiguous_format", "preserve_format", "channels_last", "channels_last_3d"};
  for (int k = 0; k < 4; k++) if (text == names[k]) return format = MemoryFormat(k), true;
  return false;
}

bool load_none(const Parameter& p, Value& v) {
  static const Tensor undefined;
  v.none = true;
  switch (p.want) {
    case Want::OptionalTensor: v.none = false, v.tensor = &undefined; return true;
    case Want::OptionalInts: v.ints = {}; return true;
    case Want::OptionalFloats: v.numbers = {}; return true;
    case Want::Generator: v.generator = nullptr; return true;
    case Want::Ints: if (p.has_fallback) v = p.fallback; return p.has_fallback;
    case Want::TensorOrNumber: v = p.fallback; return p.has_fallback && p.fallback.none;
    case Want::OptionalScalar: case Want::OptionalFloat: case Want::OptionalInt: case Want::OptionalBool: case Want::OptionalText:
    case Want::OptionalDtype: case Want::OptionalDevice: case Want::MemoryFormat: return true;
    default: return false;
  }
}

// False when the value is not of the parameter's type.
bool load(const Parameter& p, const tg_value& a, Value& v, Kept& kept) {
  v.none = false;
  if (a.kind == TG_KIND_NONE) return load_none(p, v);
  const bool number = is_number(a), real = number && a.kind != TG_KIND_COMPLEX;
  switch (p.want) {
    case Want::TensorOrNumber:
      if (number) return v.tensor = &kept.tensors.emplace_back(scalar_of(a)), true;
      [[fallthrough]];
    case Want::Tensor: case Want::OptionalTensor:
      if (a.kind != TG_KIND_TENSOR) return false;
      v.tensor = &kept.tensors.emplace_back(tensor_of(static_cast<const tg_tensor*>(a.data)));
      return true;
    case Want::Tensors: {
      if (a.kind != TG_KIND_TENSORS) return false;
      auto& list = kept.lists.emplace_back();
      for (const tg_tensor* t : std::span(static_cast<const tg_tensor* const*>(a.data), size_t(a.count))) list.push_back(tensor_of(t, "a tensor of the list"));
      v.tensors = list;
      return true;
    }
    case Want::Scalar: case Want::OptionalScalar: return number ? v.scalar = scalar_of(a), true : false;
    case Want::Float: case Want::OptionalFloat: return real ? v.number = scalar_of(a).to_double(), true : false;
    case Want::Int: case Want::OptionalInt: return v.integer = a.integer, a.kind == TG_KIND_INT;
    case Want::Bool: case Want::OptionalBool: return v.boolean = a.integer != 0, a.kind == TG_KIND_BOOL;
    case Want::Ints: case Want::OptionalInts:
      if (a.kind == TG_KIND_INT) v.ints = kept.ints.emplace_back(p.repeat ? p.repeat : 1, a.integer);
      else v.ints = {static_cast<const int64_t*>(a.data), size_t(a.kind == TG_KIND_INTS ? a.count : 0)};
      return a.kind == TG_KIND_INT || a.kind == TG_KIND_INTS;
    case Want::OptionalFloats:
      if (real) v.numbers = kept.floats.emplace_back(1, scalar_of(a).to_double());
      else v.numbers = {static_cast<const double*>(a.data), size_t(a.kind == TG_KIND_FLOATS ? a.count : 0)};
      return real || a.kind == TG_KIND_FLOATS;
    case Want::Text: case Want::OptionalText: return a.kind == TG_KIND_TEXT ? v.text = string_of(a), true : false;
    case Want::Dtype: case Want::OptionalDtype:
      v.dtype = Dtype(a.integer);
      return a.kind == TG_KIND_DTYPE && a.integer >= 0 && a.integer < kDtypes;
    case Want::OptionalDevice: return a.kind == TG_KIND_TEXT ? v.device = Device(string_of(a)), true : false;
    case Want::MemoryFormat: return a.kind == TG_KIND_TEXT && load_format(string_of(a), v.format);
    case Want::Generator: return false;  // tg_manual_seed sets the default one
  }
  return false;
}

/// "" or what does not fit.
std::string match(const Signature& s, std::span<const tg_value> args, std::vector<Value>& values, Kept& kept) {
  const auto& parameters = s.parameters;
  std::vector<bool> given(parameters.size());
  values.resize(parameters.size());
  for (size_t k = 0; k < args.size(); k++) {
    size_t at = k;
    if (args[k].name) for (at = 0; at < parameters.size() && parameters[at].name != args[k].name; at++);
    else if (at >= parameters.size() || parameters[at].keyword_only) return "takes fewer arguments by position";
    if (at == parameters.size()) return std::string("has no argument '") + args[k].name + "'";
    const std::string name = "argument '" + std::string(parameters[at].name) + "' ";
    if (given[at]) return name + "is given twice";
    if (!load(parameters[at], args[k], values[at], kept)) return name + "cannot be " + text_of(args[k]);
    given[at] = true;
  }
  for (size_t k = 0; k < parameters.size(); k++) {
    if (given[k]) continue;
    if (!parameters[k].has_fallback) return "argument '" + std::string(parameters[k].name) + "' is missing";
    values[k] = parameters[k].fallback;
  }
  return "";
}

Result call(const char* op, const tg_value* args, int32_t n_args, std::string_view& fields) {
  const auto found = forms().of.find(std::string_view(need(op, "the op's name")));
  if (found == forms().of.end()) throw UnknownOp(std::string("there is no op named \"") + op + "\"");
  const std::span<const tg_value> given(n_args > 0 ? need(args, "args") : args, size_t(n_args > 0 ? n_args : 0));
  for (size_t k = 0; k < given.size(); k++) {
    check(given[k]);
    if (k && given[k - 1].name && !given[k].name) throw ArgumentError("arguments by position come before those by name");
  }
  std::string why;
  for (const Form& form : found->second) {
    std::vector<Value> values;
    Kept kept(given.size());
    if (why = match(form.signature, given, values, kept); !why.empty()) continue;
    Result r;
    form.call.invoke(form.call.function, values.data(), r);
    if (form.info->fields) fields = form.info->fields;
    return r;
  }
  std::string text = found->first + ": " + (found->second.size() == 1 ? why : "no form takes these arguments") + "; got (";
  for (size_t k = 0; k < given.size(); k++) {
    if (k) text += ", ";
    if (given[k].name) text += std::string(given[k].name) + "=";
    text += text_of(given[k]);
  }
  text += "), takes";
  for (const Form& form : found->second) text += "\n  " + form.signature.text;
  throw ArgumentError(text);
}

/// A tuple without names leaves out what was not asked for, as in Python: unique's counts.
std::vector<Tensor> tensors_of(Result& r, bool named) {
  switch (r.kind) {
    case Result::Kind::Tensor: return {r.tensor};
    case Result::Kind::List: return r.tensors;
    case Result::Kind::Tensors: if (!named) std::erase_if(r.tensors, [](const Tensor& t) { return !t.defined(); }); return r.tensors;
    case Result::Kind::Boolean: return {full({}, Scalar(r.integer != 0))};
    case Result::Kind::Integer: return {full({}, Scalar(r.integer))};
    case Result::Kind::Number: return {full({}, r.number, Dtype::Float64)};
    case Result::Kind::Nothing: break;
  }
  return {};
}

tg_value value(int32_t kind) { return {nullptr, kind, 0, 0, 0, 0, nullptr}; }
tg_value value(int32_t kind, const void* data, int32_t count) { return {nullptr, kind, count, 0, 0, 0, data}; }
tg_value value(int32_t kind, int64_t integer) { return {nullptr, kind, 0, integer, 0, 0, nullptr}; }

}  // namespace
}  // namespace tapegrad::c

using namespace tapegrad;
using namespace tapegrad::c;

tg_value tg_arg_none() { return value(TG_KIND_NONE); }
tg_value tg_arg_tensor(const tg_tensor* t) { return t ? value(TG_KIND_TENSOR, t, 0) : tg_arg_none(); }
tg_value tg_arg_tensors(const tg_tensor* const* tensors, int32_t count) { return value(TG_KIND_TENSORS, tensors, count); }
tg_value tg_arg_int(int64_t v) { return value(TG_KIND_INT, v); }
tg_value tg_arg_float(double v) { return {nullptr, TG_KIND_FLOAT, 0, 0, v, 0, nullptr}; }
tg_value tg_arg_bool(int32_t v) { return value(TG_KIND_BOOL, int64_t(v != 0)); }
tg_value tg_arg_complex(double re, double im) { return {nullptr, TG_KIND_COMPLEX, 0, 0, re, im, nullptr}; }
tg_value tg_arg_ints(const int64_t* ints, int32_t count) { return value(TG_KIND_INTS, ints, count); }
tg_value tg_arg_floats(const double* numbers, int32_t count) { return value(TG_KIND_FLOATS, numbers, count); }
tg_value tg_arg_text(const char* text) { return value(TG_KIND_TEXT, text, 0); }
tg_value tg_arg_dtype(int32_t dtype) { return value(TG_KIND_DTYPE, int64_t(dtype)); }
tg_value tg_named(const char* name, tg_value v) {
  v.name = name;
  return v;
}

tg_status tg_call(const char* op, const tg_value* args, int32_t n_args, tg_tensor** result) {
  return guarded(op ? op : "tg_call", [&] {
    std::string_view fields;
    Result r = call(op, args, n_args, fields);
    std::vector<Tensor> all = tensors_of(r, !fields.empty());
    TG_CHECK(all.size() == 1 || (all.empty() && !result), ValueError, "it has ", all.size(), " results; use tg_call_list");
    if (result) *result = give(std::move(all[0]));
  });
}
tg_status tg_call_list(const char* op, const tg_value* args, int32_t n_args, tg_list** results) {
  return guarded(op ? op : "tg_call_list", [&] {
    need(results, "results");
    std::string_view fields;
    Result r = call(op, args, n_args, fields);
    auto list = std::make_unique<tg_list>();
    const bool named = !fields.empty();
    for (Tensor& t : tensors_of(r, named)) {
      const size_t space = std::min(fields.find(' '), fields.size());
      list->items.emplace_back(fields.substr(0, space), std::move(t));
      fields.remove_prefix(std::min(space + 1, fields.size()));
    }
    *results = list.release();
  });
}
const char* tg_op_signature(int64_t i) {
  return guarded<const char*>("tg_op_signature", nullptr, [&] { return has_form(i) ? forms().texts[size_t(i)].first.c_str() : nullptr; });
}
const char* tg_op_doc(int64_t i) {
  return guarded<const char*>("tg_op_doc", nullptr, [&] { return has_form(i) ? forms().texts[size_t(i)].second.c_str() : nullptr; });
}
