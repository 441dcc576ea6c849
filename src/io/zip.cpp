#include "src/io/zip.h"

#include <algorithm>
#include <cstring>

#include "src/io/checksum.h"
#include "src/io/inflate.h"

namespace tapegrad::io {
namespace {

constexpr uint32_t kMax32 = 0xFFFFFFFF;
constexpr uint16_t kMax16 = 0xFFFF, kUtf8 = 0x800, kZip64 = 45;

template <class T> T number(std::string_view s, size_t at) {
  T v;
  std::memcpy(&v, s.data() + at, sizeof(T));
  return v;
}
template <class... T> std::string bytes(T... v) {
  std::string s;
  (s.append(reinterpret_cast<const char*>(&v), sizeof(v)), ...);
  return s;
}

}  // namespace

// ---- reading -------------------------------------------------------------------------------------------------------

void ZipReader::bad(const std::string& what) const { tapegrad::detail::fail<IoError>(file_.path(), ": not a valid zip archive: ", what); }

ZipReader::ZipReader(const File& file) : file_(file), total_(file.size()) {
  if (total_ < 22) bad("too short");
  const uint64_t tail = std::min<uint64_t>(total_, 22 + kMax16);
  const std::string end = file.read(tail, total_ - tail);
  size_t at = end.size() - 22;  // the end record has a comment of any length behind it
  while (end.compare(at, 4, "PK\5\6") != 0 || number<uint16_t>(end, at + 20) != end.size() - at - 22)
    if (at-- == 0) bad("it has no end record, maybe it was cut short");
  uint64_t count = number<uint16_t>(end, at + 10), size = number<uint32_t>(end, at + 12), start = number<uint32_t>(end, at + 16);
  uint64_t limit = total_ - tail + at;  // where the end record begins
  if (number<uint16_t>(end, at + 4) != number<uint16_t>(end, at + 6)) bad("it is one of several parts");
  if (limit >= 20 && (count == kMax16 || size == kMax32 || start == kMax32)) {
    const std::string locator = file.read(20, limit - 20);
    if (locator.compare(0, 4, "PK\6\7") == 0) {
      const uint64_t wide = number<uint64_t>(locator, 8);
      if (limit < 76 || wide > limit - 76) bad("its zip64 end record lies outside");
      const std::string record = file.read(56, wide);
      if (record.compare(0, 4, "PK\6\6") != 0) bad("its zip64 end record is missing");
      count = number<uint64_t>(record, 32), size = number<uint64_t>(record, 40), start = number<uint64_t>(record, 48);
      limit = wide;
    }
  }
  if (start > limit || size > limit - start) bad("its directory lies outside");
  if (count > size / 46) bad("its directory is too short");
  read_directory(start, size, count);
}

void ZipReader::read_directory(uint64_t start, uint64_t size, uint64_t count) {
  const std::string text = file_.read(size, start);
  std::vector<std::pair<uint64_t, uint64_t>> places;
  size_t at = 0;
  for (uint64_t k = 0; k < count; k++) {
    if (text.size() - at < 46 || text.compare(at, 4, "PK\1\2") != 0) bad("its directory is broken");
    const auto flags = number<uint16_t>(text, at + 8), method = number<uint16_t>(text, at + 10);
    ZipEntry e{{}, number<uint32_t>(text, at + 42), number<uint32_t>(text, at + 20), number<uint32_t>(text, at + 24), number<uint32_t>(text, at + 16), method == 8};
    const size_t name = number<uint16_t>(text, at + 28), extra = number<uint16_t>(text, at + 30), comment = number<uint16_t>(text, at + 32);
    at += 46;
    if (text.size() - at < name + extra + comment) bad("its directory is broken");
    e.name = text.substr(at, name);
    // zip64: the 64-bit forms of those numbers that are all ones, in this order
    for (size_t x = at + name, end = x + extra; end - x >= 4;) {
      const size_t kind = number<uint16_t>(text, x), length = number<uint16_t>(text, x + 2);
      x += 4;
      if (length > end - x) bad("an extra field is broken");
      if (kind == 1) {
        size_t p = x;
        for (uint64_t* v : {&e.size, &e.packed, &e.at}) {
          if (*v != kMax32) continue;
          if (x + length - p < 8) bad("a zip64 field is too short");
          *v = number<uint64_t>(text, p);
          p += 8;
        }
      }
      x += length;
    }
    at += name + extra + comment;
    if (flags & 1) bad("\"" + e.name + "\" is encrypted");
    if (method != 0 && method != 8) bad("\"" + e.name + "\" has compression " + std::to_string(method) + ", only stored and deflated entries are read");
    if (method == 0 && e.packed != e.size) bad("\"" + e.name + "\" is stored with two sizes");
    const uint64_t header = e.at;
    if (header > start || start - header < 30) bad("\"" + e.name + "\" lies outside");
    const std::string local = file_.read(30, header);
    if (local.compare(0, 4, "PK\3\4") != 0) bad("\"" + e.name + "\" has no header");
    e.at += 30 + uint64_t(number<uint16_t>(local, 26)) + number<uint16_t>(local, 28);
    if (e.at > start || e.packed > start - e.at) bad("\"" + e.name + "\" lies outside");
    places.emplace_back(header, e.at + e.packed);
    entries_.push_back(std::move(e));
  }
  for (const ZipEntry& e : entries_)
    if (!by_name_.emplace(e.name, &e).second) bad("\"" + e.name + "\" comes twice");
  std::sort(places.begin(), places.end());
  for (size_t k = 1; k < places.size(); k++)
    if (places[k].first < places[k - 1].second) bad("its entries overlap");
}

const ZipEntry* ZipReader::find(std::string_view name) const {
  const auto it = by_name_.find(name);
  return it == by_name_.end() ? nullptr : it->second;
}

std::string ZipReader::read(const ZipEntry& e) const {
  std::string s = file_.read(e.packed, e.at);
  if (e.deflated) {
    try {
      s = inflate(s, e.size);
    } catch (const InflateError& error) {
      bad("\"" + e.name + "\": " + error.what);
    }
  }
  if (crc32(s) != e.crc) bad("\"" + e.name + "\" is damaged: its checksum is wrong");
  return s;
}
void ZipReader::read_stored(const ZipEntry& e, void* to) const {
  if (e.deflated) bad("\"" + e.name + "\" is compressed");
  file_.read(to, e.size, e.at);
  if (crc32({static_cast<const char*>(to), e.size}) != e.crc) bad("\"" + e.name + "\" is damaged: its checksum is wrong");
}

// ---- writing -------------------------------------------------------------------------------------------------------

void ZipWriter::put(std::string_view s) {
  file_.write(s);
  at_ += s.size();
}

void ZipWriter::add(const std::string& name, std::string_view head, std::string_view data) {
  const uint64_t size = head.size() + data.size(), start = at_;
  const bool wide = size >= kMax32, far = start >= kMax32;
  const uint32_t crc = crc32(data, crc32(head)), size32 = wide ? kMax32 : uint32_t(size);
  const std::string big = wide ? bytes(uint16_t(1), uint16_t(16), size, size) : "";
  const uint64_t before = start + 30 + name.size() + big.size() + 4, padding = (64 - before % 64) % 64;
  const std::string extra = big + bytes(uint16_t(0x4246), uint16_t(padding)) + std::string(padding, '\0');
  const uint16_t date = 0x21;  // the first day that the format knows: the same tensors give the same file
  put("PK\3\4" + bytes(kZip64, kUtf8, uint16_t(0), uint16_t(0), date, crc, size32, size32, uint16_t(name.size()), uint16_t(extra.size())) + name + extra);
  put(head);
  put(data);
  std::string index;
  if (wide) index += bytes(size, size);
  if (far) index += bytes(start);
  if (!index.empty()) index = bytes(uint16_t(1), uint16_t(index.size())) + index;
  directory_ += "PK\1\2" + bytes(kZip64, kZip64, kUtf8, uint16_t(0), uint16_t(0), date, crc, size32, size32, uint16_t(name.size()), uint16_t(index.size()),
                                 uint16_t(0), uint16_t(0), uint16_t(0), uint32_t(0), far ? kMax32 : uint32_t(start)) + name + index;
  count_++;
}

void ZipWriter::finish() {
  const uint64_t start = at_, size = directory_.size(), end = start + size;
  put(directory_);
  if (count_ >= kMax16 || end >= kMax32) {
    put("PK\6\6" + bytes(uint64_t(44), kZip64, kZip64, uint32_t(0), uint32_t(0), count_, count_, size, start));
    put("PK\6\7" + bytes(uint32_t(0), end, uint32_t(1)));
  }
  const auto few = uint16_t(std::min<uint64_t>(count_, kMax16));
  put("PK\5\6" + bytes(uint16_t(0), uint16_t(0), few, few, uint32_t(std::min<uint64_t>(size, kMax32)), uint32_t(std::min<uint64_t>(start, kMax32)), uint16_t(0)));
}

}  // namespace tapegrad::io
