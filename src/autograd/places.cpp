// Places: where in the user's program an op was called, and the notes made of them.
#include <dlfcn.h>

#include <cstdio>
#include <map>
#include <mutex>
#include <string>
#include <tuple>

#include "tapegrad/autograd.h"

namespace tapegrad {

Place place_slow() { return tls.differentiating->place; }

std::string describe(const Place& p) {
  if (p.offset >= 0) return python_place_text(p);
  Dl_info info{};
  if (!p.where || !dladdr(p.where, &info) || !info.dli_fname) return "an unknown place";
  char text[32];
  std::snprintf(text, sizeof text, "+0x%zx", size_t(static_cast<const char*>(p.where) - static_cast<const char*>(info.dli_fbase)));
  return std::string(info.dli_fname) + text;  // addr2line -e file offset
}

// ---- notes

namespace {
using NoteKey = std::tuple<const void*, int32_t, const char*>;
struct Notes {
  std::mutex lock;
  std::map<NoteKey, uint16_t> numbers;
  std::vector<Note> all{{}};  // 0 says nothing
};
Notes& notes() {
  static Notes& n = *new Notes;  // tensors may outlive static destructors
  return n;
}
/// The last few notes of this thread: a loop makes the same ones again and again.
struct Recent {
  NoteKey key;
  uint16_t number;
};
thread_local Recent recent[64];
}  // namespace

uint16_t make_note(const char* op, const Place& place) {
  const NoteKey key{place.where, place.offset, op};
  Recent& r = recent[(reinterpret_cast<uintptr_t>(place.where) >> 4 ^ size_t(place.offset) >> 1 ^ reinterpret_cast<uintptr_t>(op)) % 64];
  if (r.number && r.key == key) [[likely]] return r.number;
  Notes& n = notes();
  std::lock_guard guard(n.lock);
  auto [it, fresh] = n.numbers.try_emplace(key, uint16_t(n.all.size()));
  if (fresh) {
    if (n.all.size() > 65535) {
      n.numbers.erase(it);
      return 0;
    }
    n.all.push_back({op, place});
  }
  r = {key, it->second};
  return it->second;
}
Note note(uint16_t number) {
  std::lock_guard guard(notes().lock);
  return notes().all[number];
}
void detail::note_write(Storage& s) { s.written = make_note(tls.scope ? tls.scope->name : "", place_now()); }

}  // namespace tapegrad
