// From the address of an instruction to file, line and function, out of an ELF file. Read only when a message needs it.
//
// .debug_line holds one program per source file. A program is run by a small machine whose registers are address, file and line; it
// emits rows, and a row holds from its address to the next row's. See DWARF 5, section 6.2; version 4 differs in the tables of names.
#include <elf.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "src/tensor/fork.h"
#include "src/tensor/places.h"

namespace tapegrad {
namespace {

/// Reads numbers and texts; past the end everything is 0 and ok() is false.
class Bytes {
  const uint8_t *at_ = nullptr, *end_ = nullptr;
  bool ok_ = true;

 public:
  Bytes() = default;
  Bytes(const uint8_t* data, size_t size) : at_(data), end_(data + size) {}
  bool ok() const { return ok_; }
  bool more() const { return at_ < end_; }
  size_t left() const { return size_t(end_ - at_); }
  const uint8_t* take(uint64_t n) {
    if (n > left()) {
      ok_ = false, at_ = end_;
      return nullptr;
    }
    return std::exchange(at_, at_ + n);
  }
  Bytes part(uint64_t n) {
    const uint8_t* p = take(n);
    return p ? Bytes(p, size_t(n)) : Bytes();
  }
  template <class T> T get() {
    T v{};
    if (const uint8_t* p = take(sizeof v)) std::memcpy(&v, p, sizeof v);
    return v;
  }
  uint64_t offset(bool wide) { return wide ? get<uint64_t>() : get<uint32_t>(); }
  uint64_t uleb() {
    uint64_t v = 0;
    for (unsigned shift = 0; more(); shift += 7) {
      const uint8_t b = get<uint8_t>();
      if (shift < 64) v |= uint64_t(b & 127) << shift;
      if (!(b & 128)) return v;
    }
    ok_ = false;
    return 0;
  }
  int64_t sleb() {
    uint64_t v = 0;
    for (unsigned shift = 0; more();) {
      const uint8_t b = get<uint8_t>();
      if (shift < 64) v |= uint64_t(b & 127) << shift;
      shift += 7;
      if (b & 128) continue;
      return int64_t(b & 64 && shift < 64 ? v | ~uint64_t(0) << shift : v);
    }
    ok_ = false;
    return 0;
  }
  std::string_view text() {
    const void* zero = more() ? std::memchr(at_, 0, left()) : nullptr;
    if (!zero) return take(left() + 1), std::string_view();
    const size_t n = size_t(static_cast<const uint8_t*>(zero) - at_);
    return {reinterpret_cast<const char*>(take(n + 1)), n};
  }
};

// ---- the file

struct Section {
  std::vector<uint8_t> data;
  Bytes bytes(uint64_t from = 0) const { return from < data.size() ? Bytes(data.data() + from, data.size() - from) : Bytes(); }
};
struct Symbol {
  uint64_t address, size, name;
};
struct Object {
  Section lines, line_texts, texts, symbol_texts;
  std::vector<Symbol> functions;
};

struct File {
  std::FILE* f;
  uint64_t size = 0;
  explicit File(const std::string& name) : f(std::fopen(name.c_str(), "rb")) {
    if (f && !std::fseek(f, 0, SEEK_END)) size = uint64_t(std::max(0L, std::ftell(f)));
  }
  ~File() { if (f) std::fclose(f); }
  File(const File&) = delete;
  bool read(uint64_t from, void* into, uint64_t n) const {
    return f && from <= size && n <= size - from && !std::fseek(f, long(from), SEEK_SET) && std::fread(into, 1, n, f) == n;
  }
};

Section read_section(const File& file, const Elf64_Shdr& s) {
  Section r;
  if (s.sh_type == SHT_NOBITS || s.sh_flags & SHF_COMPRESSED || s.sh_offset > file.size || s.sh_size > file.size - s.sh_offset) return r;
  r.data.resize(s.sh_size);
  if (!file.read(s.sh_offset, r.data.data(), s.sh_size)) r.data.clear();
  return r;
}
void read_symbols(Object& o, const File& file, const Elf64_Shdr& table, const std::vector<Elf64_Shdr>& sections) {
  if (table.sh_link >= sections.size()) return;
  o.functions.clear();
  o.symbol_texts = read_section(file, sections[table.sh_link]);
  const Section s = read_section(file, table);
  for (Bytes b = s.bytes(); b.left() >= sizeof(Elf64_Sym);) {
    const auto symbol = b.get<Elf64_Sym>();
    if (ELF64_ST_TYPE(symbol.st_info) == STT_FUNC && symbol.st_size) o.functions.push_back({symbol.st_value, symbol.st_size, symbol.st_name});
  }
}
Object read_object(const std::string& name) {
  Object o;
  const File file(name);
  Elf64_Ehdr h;
  if (!file.read(0, &h, sizeof h) || std::memcmp(h.e_ident, ELFMAG, SELFMAG) || h.e_ident[EI_CLASS] != ELFCLASS64 ||
      h.e_ident[EI_DATA] != ELFDATA2LSB || h.e_shentsize != sizeof(Elf64_Shdr)) return o;
  std::vector<Elf64_Shdr> sections(h.e_shnum);
  if (sections.empty() || h.e_shstrndx >= h.e_shnum || !file.read(h.e_shoff, sections.data(), h.e_shnum * sizeof(Elf64_Shdr))) return o;
  const Section names = read_section(file, sections[h.e_shstrndx]);
  bool full = false;  // .symtab was there: .dynsym has less
  for (const Elf64_Shdr& s : sections) {
    const std::string_view title = names.bytes(s.sh_name).text();
    if (title == ".debug_line") o.lines = read_section(file, s);
    if (title == ".debug_line_str") o.line_texts = read_section(file, s);
    if (title == ".debug_str") o.texts = read_section(file, s);
    if (s.sh_type == SHT_SYMTAB || (s.sh_type == SHT_DYNSYM && !full)) read_symbols(o, file, s, sections), full |= s.sh_type == SHT_SYMTAB;
  }
  return o;
}

// ---- a line program

struct Name {
  std::string_view text;
  uint64_t directory = 0;
};
struct Program {
  unsigned version = 0;
  uint8_t min_length = 1, line_range = 1, opcode_base = 1;
  int8_t line_base = 0;
  std::vector<uint8_t> arguments;  // of each standard opcode
  std::vector<Name> directories, files;
  Bytes code;
};

/// One table of names of version 5, where each entry says of what it is made.
std::vector<Name> read_names(Bytes& b, const Object& o, bool wide) {
  constexpr uint64_t kPath = 1, kDirectory = 2;
  std::vector<std::pair<uint64_t, uint64_t>> format(b.get<uint8_t>());
  for (auto& [kind, form] : format) kind = b.uleb(), form = b.uleb();
  std::vector<Name> names;
  for (uint64_t left = b.uleb(); left && b.more() && !format.empty(); left--) {
    Name n;
    for (auto [kind, form] : format) {
      std::string_view text;
      uint64_t number = 0;
      switch (form) {
        case 0x08: text = b.text(); break;                                    // string
        case 0x0e: text = o.texts.bytes(b.offset(wide)).text(); break;        // strp
        case 0x1f: text = o.line_texts.bytes(b.offset(wide)).text(); break;   // line_strp
        case 0x0b: number = b.get<uint8_t>(); break;                          // data1
        case 0x05: number = b.get<uint16_t>(); break;                         // data2
        case 0x06: number = b.get<uint32_t>(); break;                         // data4
        case 0x07: number = b.get<uint64_t>(); break;                         // data8
        case 0x0f: number = b.uleb(); break;                                  // udata
        case 0x1e: b.take(16); break;                                         // data16
        case 0x09: b.take(b.uleb()); break;                                   // block
        default: b.take(b.left() + 1); return names;                          // of unknown length
      }
      if (kind == kPath) n.text = text;
      if (kind == kDirectory) n.directory = number;
    }
    names.push_back(n);
  }
  return names;
}
/// The tables of version 4. Number 0, the directory of compilation, is only in .debug_info.
void read_old_names(Bytes& b, Program& p) {
  p.directories.emplace_back(), p.files.emplace_back();
  for (std::string_view s; b.more() && !(s = b.text()).empty();) p.directories.push_back({s, 0});
  for (std::string_view s; b.more() && !(s = b.text()).empty();) {
    const uint64_t directory = b.uleb();
    b.uleb(), b.uleb();  // time and length
    p.files.push_back({s, directory});
  }
}
/// The next unit of the section. False at the end, or where nothing more can be made of it.
bool next_program(Bytes& section, const Object& o, Program& p) {
  while (section.more()) {
    uint64_t length = section.get<uint32_t>();
    const bool wide = length == 0xffffffff;
    if (wide) length = section.get<uint64_t>();
    Bytes b = section.part(length);
    if (!section.ok()) return false;
    p = {};
    p.version = b.get<uint16_t>();
    if (p.version < 2 || p.version > 5) continue;
    if (p.version == 5) b.take(2);  // sizes of addresses and segments
    Bytes header = b.part(b.offset(wide));
    p.code = b;
    p.min_length = header.get<uint8_t>();
    if (p.version >= 4) header.take(1);  // operations per instruction: 1 on all machines but VLIW
    header.take(1);                      // are rows statements at first?
    p.line_base = header.get<int8_t>(), p.line_range = header.get<uint8_t>(), p.opcode_base = header.get<uint8_t>();
    for (int k = 1; k < p.opcode_base; k++) p.arguments.push_back(header.get<uint8_t>());
    if (!header.ok() || !p.line_range || !p.opcode_base) continue;
    if (p.version == 5) p.directories = read_names(header, o, wide), p.files = read_names(header, o, wide);
    else read_old_names(header, p);
    return true;
  }
  return false;
}

struct Row {
  uint64_t address = 0, file = 1, line = 1;
};
/// Runs p until some row covers `address`.
bool find_row(const Program& p, uint64_t address, Row& found) {
  enum { kCopy = 1, kAdvance, kAdvanceLine, kFile, kColumn, kStatement, kBlock, kAddConstant, kAdvanceFixed };
  Bytes b = p.code;
  Row now, last;
  bool in_sequence = false;
  uint64_t start = 0;
  auto emit = [&] {  // true: the row before this one is it. Functions that the linker dropped lie at 0.
    const bool hit = in_sequence && start && last.address <= address && address < now.address;
    if (hit) found = last;
    if (!in_sequence) start = now.address;
    last = now, in_sequence = true;
    return hit;
  };
  while (b.more()) {
    const uint8_t op = b.get<uint8_t>();
    if (op >= p.opcode_base) {
      now.address += uint64_t((op - p.opcode_base) / p.line_range) * p.min_length;
      now.line += uint64_t(p.line_base + (op - p.opcode_base) % p.line_range);
      if (emit()) return true;
      continue;
    }
    switch (op) {
      case 0: {
        Bytes extended = b.part(b.uleb());
        switch (extended.get<uint8_t>()) {
          case 1:  // end of sequence
            if (emit()) return true;
            now = {}, in_sequence = false;
            break;
          case 2: now.address = extended.left() >= 8 ? extended.get<uint64_t>() : extended.get<uint32_t>(); break;
          default: break;
        }
        break;
      }
      case kCopy: if (emit()) return true; break;
      case kAdvance: now.address += b.uleb() * p.min_length; break;
      case kAdvanceLine: now.line += uint64_t(b.sleb()); break;
      case kFile: now.file = b.uleb(); break;
      case kAddConstant: now.address += uint64_t((255 - p.opcode_base) / p.line_range) * p.min_length; break;
      case kAdvanceFixed: now.address += b.get<uint16_t>(); break;
      default:
        for (int k = 0; k < p.arguments[op - 1u]; k++) b.uleb();
    }
  }
  return false;
}

std::string path_of(const Program& p, uint64_t file) {
  if (file >= p.files.size()) return "";
  const Name& name = p.files[file];
  std::string path(name.text);
  for (uint64_t d = name.directory;; d = 0) {  // directory 0 is what the others are relative to
    if (path.starts_with('/') || d >= p.directories.size() || p.directories[d].text.empty()) return path;
    path = std::string(p.directories[d].text) + "/" + path;
    if (!d) return path;
  }
}

CodeLine find(const Object& o, uint64_t address) {
  CodeLine r;
  Bytes section = o.lines.bytes();
  Program p;
  Row row;
  while (next_program(section, o, p)) {
    if (!find_row(p, address, row)) continue;
    r.file = path_of(p, row.file), r.line = int(row.line);
    break;
  }
  for (const Symbol& s : o.functions)
    if (address >= s.address && address - s.address < s.size) r.function = o.symbol_texts.bytes(s.name).text();
  return r;
}

struct Lines {
  ForkSafeMutex lock;
  std::map<std::string, Object> objects;
  std::map<std::pair<std::string, uint64_t>, CodeLine> known;
};
Lines& lines() {
  static Lines& l = *new Lines;  // messages may be made after static destructors
  return l;
}
[[maybe_unused]] const Lines& at_load = lines();

}  // namespace

CodeLine find_code_line(const std::string& elf_file, uint64_t address) {
  auto& [lock, objects, known] = lines();
  const std::lock_guard guard(lock);
  const std::pair key(elf_file, address);
  if (const auto at = known.find(key); at != known.end()) return at->second;
  auto object = objects.find(elf_file);
  if (object == objects.end()) object = objects.emplace(elf_file, read_object(elf_file)).first;
  return known.emplace(key, find(object->second, address)).first->second;
}

}  // namespace tapegrad
