// What a failed call of an op says: its own message, in the words of the call. Ops share code, so a message may call a tensor `A` that the
// caller gave as `input`, or show one that an op made of others has flattened or joined.
#include <algorithm>
#include <cctype>
#include <typeinfo>

#include "binder.h"

namespace tapegrad::py {

std::string type_of(PyObject* o) {
  if (!is_tensor(o)) return Py_TYPE(o)->tp_name;
  std::string s;
  detail::put(s, unwrap(o));
  return "Tensor " + s;
}

namespace {

/// A tensor, as a line of a message shows it: "  name: text".
struct Shown {
  std::string name, text;
  bool used = false;
  std::string line() const { return "  " + name + ": " + text; }
};
bool read_shown(const std::string& line, Shown& s) {
  const size_t colon = line.find(": ");
  if (!line.starts_with("  ") || colon == line.npos || line.find(' ', 2) < colon) return false;
  s.name = line.substr(2, colon - 2), s.text = line.substr(colon + 2);
  return s.text.ends_with(" cpu") || s.text.find("] cuda") != s.text.npos;
}
std::vector<Shown> tensors_of_call(const Overload& o, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  std::vector<Shown> all;
  auto add = [&](std::string name, PyObject* t) {
    if (!is_tensor(t)) return;
    all.push_back({std::move(name), {}});
    detail::put(all.back().text, unwrap(t));
  };
  const Py_ssize_t count = nargs + (kwnames ? PyTuple_GET_SIZE(kwnames) : 0);
  for (Py_ssize_t k = 0; k < count; k++) {
    const std::string name = text_of(k < nargs ? o.params[std::min(size_t(k), o.params.size() - 1)].name : PyTuple_GET_ITEM(kwnames, k - nargs));
    add(name, args[k]);
    if (!PyTuple_Check(args[k]) && !PyList_Check(args[k])) continue;
    for (Py_ssize_t i = 0; i < std::min<Py_ssize_t>(8, PySequence_Fast_GET_SIZE(args[k])); i++)
      add(name + "[" + std::to_string(i) + "]", PySequence_Fast_GET_ITEM(args[k], i));
  }
  return all;
}

bool word_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }
/// An alias, or an op that is another one with other arguments: the message begins with that one's name.
void name_called(std::string& sentence, const std::string& called) {
  size_t end = 0;
  while (end < sentence.size() && (word_char(sentence[end]) || sentence[end] == '.')) end++;
  if (end && sentence.compare(end, 2, ": ") == 0) sentence.replace(0, end, called);
}
/// In a sentence `from` is a name unless it follows an article.
void rename_words(std::string& sentence, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = sentence.find(from, at)) != sentence.npos; at += to.size()) {
    const std::string_view before = std::string_view(sentence).substr(0, at);
    const size_t end = at + from.size();
    const bool whole = (before.empty() || !word_char(before.back())) && (end == sentence.size() || !word_char(sentence[end]));
    bool name = whole;
    for (const char* article : {"the ", "one ", "each ", "a ", "an ", "every ", "no "}) name &= !before.ends_with(article);
    if (name) sentence.replace(at, from.size(), to);
    else at = end - to.size();
  }
}
/// In a picture of shapes (src/tensor/align.h) names stand in front, filled up with blanks.
void rename_row(std::string& line, const std::string& from, const std::string& to) {
  const std::string old = "    " + from;
  if (!line.starts_with(old)) return;
  const size_t sizes = std::min(line.find_first_not_of(' ', old.size()), line.size());  // a 0-d tensor has none
  if (sizes < old.size() + 2) return;
  const size_t room = sizes - 4;
  if (to.size() + 2 <= room) line.replace(4, room, to + std::string(room - to.size(), ' '));
}

/// The call's tensors in place of all that the message shows. A picture stays when its rows are theirs.
void show_own(std::vector<std::string>& lines, const std::vector<Shown>& own) {
  const auto row = [](const std::string& l) { return l.size() > 4 && l.find_first_not_of(' ') == 4; };
  const auto marks = [](const std::string& l) { return l.find('^') != l.npos && l.find_first_not_of(" ^") == l.npos; };
  bool theirs = true;
  for (const std::string& l : lines)
    if (row(l)) theirs &= std::any_of(own.begin(), own.end(), [&](const Shown& o) { return l.starts_with("    " + o.name + " "); });
  std::erase_if(lines, [&](const std::string& l) {
    Shown s;
    return read_shown(l, s) || (!theirs && (row(l) || marks(l)));
  });
  for (size_t k = 0; k < own.size(); k++) lines.insert(lines.begin() + std::ptrdiff_t(k) + 1, own[k].line());
}

std::string in_words_of_call(const std::string& called, const std::string& message, std::vector<Shown> own) {
  std::vector<std::string> lines;
  for (size_t at = 0, end; at <= message.size(); at = end + 1) {
    end = std::min(message.find('\n', at), message.size());
    lines.push_back(message.substr(at, end - at));
  }
  bool any = false, foreign = false;
  std::vector<size_t> unknown;  // lines that show a tensor by another name
  for (size_t k = 1; k < lines.size(); k++) {
    Shown s;
    if (!read_shown(lines[k], s)) continue;
    any = true;
    const auto same = std::find_if(own.begin(), own.end(), [&](const Shown& o) { return o.name == s.name && o.text == s.text; });
    if (same == own.end()) unknown.push_back(k);
    else same->used = true;
  }
  for (size_t k : unknown) {
    Shown s;
    read_shown(lines[k], s);
    const auto same = std::find_if(own.begin(), own.end(), [&](const Shown& o) { return !o.used && o.text == s.text; });
    foreign |= same == own.end();
    if (same == own.end()) continue;
    same->used = true;
    lines[k] = same->line();
    if (same->name.ends_with(']')) continue;
    rename_words(lines[0], s.name, same->name);
    for (size_t row = k; row < lines.size(); row++) rename_row(lines[row], s.name, same->name);
  }
  if (!any || foreign) show_own(lines, own);
  name_called(lines[0], called);
  std::string text = lines[0];
  for (size_t k = 1; k < lines.size(); k++) text += "\n" + lines[k];
  return text;
}

/// Code for the CPU that meets a tensor of another device says that the op is not implemented there. Where the call mixes devices, this
/// is the reason. Numbers (0-d tensors of the CPU) may stand beside any.
void check_one_device(const std::string& called, const std::vector<Shown>& own) {
  std::string first;
  for (const Shown& s : own) {
    const std::string device = s.text.substr(s.text.rfind(' ') + 1);
    if (s.text.ends_with("[] cpu")) continue;
    if (first.empty()) first = device;
    TG_CHECK(device == first, DeviceError, called, ": all tensors must be on one device, got ", first, " and ", device);
  }
}

}  // namespace

PyObject* raise_in_call(const std::string& name, const Overload& o, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  const auto say = [&](const Error& e) { return raise_error(e, in_words_of_call(name, e.what(), tensors_of_call(o, args, nargs, kwnames))); };
  try {
    throw;
  } catch (const OutOfMemoryError&) {
    return raise_current();
  } catch (const Error& e) {
    if (std::string_view(e.what()).starts_with("detect_nonfinite: ")) return raise_current();  // shows the arguments itself
    try {
      if (typeid(e) == typeid(NotImplementedError)) check_one_device(name, tensors_of_call(o, args, nargs, kwnames));
      return say(e);
    } catch (const DeviceError& d) { return say(d);
    } catch (...) { return raise_current(); }
  } catch (...) { return raise_current(); }
}

}  // namespace tapegrad::py
