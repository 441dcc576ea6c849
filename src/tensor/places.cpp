// Places: where in the user's program an op was called, and the notes made of them.
#include <cxxabi.h>
#include <dlfcn.h>
#include <link.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <tuple>

#include "src/tensor/fork.h"
#include "src/tensor/places.h"

namespace tapegrad {

Place place_slow() { return tls.differentiating->place; }
Place caller_place(const void* return_address) {
  if (tls.scope || tls.differentiating || tls.in_python) return place_now();
  return {__builtin_extract_return_addr(const_cast<void*>(return_address)), -1};
}
const char* called_op() {
  const OpScope* s = tls.scope;
  if (!s) return "";
  auto encloses = [](std::string_view name) { return name == "backward" || name == "grad" || name.ends_with("Backward"); };
  while (s->outer && !encloses(s->outer->name)) s = s->outer;
  return s->name;
}

// ---- text

static std::string demangled(const std::string& name) {
  int status = 0;
  char* text = abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status);
  if (!text) return name;
  const std::string r = text;
  std::free(text);
  const size_t arguments = r.rfind('(');
  return arguments == r.npos || !arguments ? r : r.substr(0, arguments);
}
static std::string source_text(const std::string& file, int line) {
  std::ifstream in(file);
  std::string text;
  for (int k = 0; k < line; k++) if (!std::getline(in, text)) return "";
  const size_t from = text.find_first_not_of(" \t"), to = text.find_last_not_of(" \t\r");
  return from == text.npos ? "" : text.substr(from, to - from + 1);
}
static std::string code_text(const void* return_address) {
  if (!return_address) return "an unknown place";
  const char* call = static_cast<const char*>(return_address) - 1;  // the next line may begin at the return address
  Dl_info info{};
  link_map* object = nullptr;
  if (!dladdr1(call, &info, reinterpret_cast<void**>(&object), RTLD_DL_LINKMAP) || !info.dli_fname || !object) return "an unknown place";
  const bool program = !object->l_name || !*object->l_name;
  const uint64_t address = uint64_t(reinterpret_cast<uintptr_t>(call) - object->l_addr);
  CodeLine at = find_code_line(program ? "/proc/self/exe" : object->l_name, address);
  std::string function = demangled(at.function.empty() && info.dli_sname ? info.dli_sname : at.function);
  if (at.line) {
    const std::string text = source_text(at.file, at.line);
    return at.file + ":" + std::to_string(at.line) + (function.empty() ? "" : " in " + function) + (text.empty() ? "" : "\n" + text);
  }
  char offset[32];
  std::snprintf(offset, sizeof offset, "+0x%zx", size_t(address));  // addr2line -e file offset
  return std::string(info.dli_fname) + offset + (function.empty() ? "" : " in " + function);
}

/// "file:line in function", then perhaps a newline and the source.
static std::string place_text(const Place& p) { return p.offset >= 0 ? python_place_text(p) : code_text(p.where); }
std::string describe(const Place& p) {
  const std::string text = place_text(p);
  return text.substr(0, text.find('\n'));
}
std::string quote(const Place& p) {
  std::string text = place_text(p);
  if (const size_t end = text.find('\n'); end != text.npos) text.insert(end + 1, "      ");
  return text;
}
std::string place_line(const char* what, const Place& p) { return p.where ? std::string("\n  ") + what + " " + quote(p) : ""; }

// ---- notes

namespace {
using NoteKey = std::tuple<const void*, int32_t, const char*>;
struct Notes {
  ForkSafeMutex lock;
  std::map<NoteKey, uint16_t> numbers;
  std::vector<Note> all{{}};  // 0 says nothing
};
Notes& notes() {
  static Notes& n = *new Notes;  // tensors may outlive static destructors
  return n;
}
[[maybe_unused]] const Notes& at_load = notes();
/// The last few notes of this thread: a loop makes the same ones again and again. Pointers, as a library that is opened late has
/// little room for such variables.
thread_local const std::pair<const NoteKey, uint16_t>* recent[16];
}  // namespace

uint16_t make_note(const char* op, const Place& place) try {
  const NoteKey key{place.where, place.offset, op};
  auto& r = recent[(reinterpret_cast<uintptr_t>(place.where) >> 4 ^ size_t(place.offset) >> 1 ^ reinterpret_cast<uintptr_t>(op)) % 16];
  if (r && r->first == key) [[likely]] return r->second;
  Notes& n = notes();
  std::lock_guard guard(n.lock);
  auto it = n.numbers.find(key);
  if (it == n.numbers.end()) {
    if (n.all.size() > 65535) return 0;
    n.all.push_back({op, place});  // one that nobody finds, should the next line throw
    it = n.numbers.emplace(key, uint16_t(n.all.size() - 1)).first;
  }
  r = &*it;
  return it->second;
} catch (const std::bad_alloc&) {
  return 0;  // what is noted has been done by now
}
Note note(uint16_t number) {
  std::lock_guard guard(notes().lock);
  return notes().all[number];
}
void detail::note_write(Storage& s) { s.written = make_note(called_op(), place_now()); }

}  // namespace tapegrad
