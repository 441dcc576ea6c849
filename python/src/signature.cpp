// Signatures of OpInfo rows as the matcher wants them: names interned, what is not given in one array.
#include "signature.h"

#include <stdexcept>

#include "binder.h"

namespace tapegrad::py {

Overload parse(const OpInfo& info, const Callable& call, std::string_view name) {
  Signature s = read_signature(info, call, name);
  Overload o;
  o.info = &info;
  o.call = call;
  o.text = std::move(s.text);
  if (s.parameters.size() > kMaxParams) throw std::logic_error("op table: " + o.text + ": too many parameters");
  for (const Parameter& p : s.parameters) {
    o.params.push_back({checked(PyUnicode_InternFromString(std::string(p.name).c_str())), p.fallback, p.want, p.has_fallback, p.keyword_only, p.varargs, p.repeat});
    o.fallbacks.push_back(p.fallback);
    o.count++;
    if (!p.keyword_only) o.positional++;
    if (!p.has_fallback) o.required = o.count;
    if (p.want == Want::OptionalDevice) o.ignores_layout = true;
  }
  return o;
}

std::string inspect_text(const Overload& o, bool method) {
  std::string s = "(";
  bool first = true;
  for (std::string_view item : split_parameters(o.text)) {
    if (!first) s += ", ";
    if (item == "*") {
      s += "*";
    } else {
      const size_t space = item.find(' ');
      s += first && method ? "$self" : std::string(item.substr(space + 1));
    }
    first = false;
  }
  return s + ")";
}

}  // namespace tapegrad::py
