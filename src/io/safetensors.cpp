// The safetensors format: eight bytes of header length, a JSON header {name: {dtype, shape, data_offsets}}, the data.
// The reader accepts what the specification allows and nothing else: sizes that overflow, ranges that overlap, leave holes or
// pass the end, names that come twice, bools that are neither 0 nor 1 are all refused.
#include <algorithm>
#include <bit>
#include <string>
#include <unordered_set>

#include "src/io/file.h"
#include "src/io/json.h"
#include "src/io/zip.h"
#include "tapegrad/io.h"

namespace tapegrad {

static_assert(std::endian::native == std::endian::little, "safetensors files are little endian");

namespace {

constexpr uint64_t kMaxHeader = 100'000'000;
constexpr const char* kNames[kDtypes] = {"BOOL", "U8", "I8", "I16", "I32", "I64", "F16", "BF16", "F32", "F64",
                                          "C64", nullptr, "U16", "U32", "U64"};

Dtype dtype_of(const std::string& path, const std::string& text) {
  for (int d = 0; d < kDtypes; d++)
    if (kNames[d] && text == kNames[d]) return Dtype(d);
  detail::fail<IoError>(path, ": dtype ", text, " is not supported");
}

struct Entry {
  std::string name;
  Dtype dtype = Dtype::Float32;
  Shape shape;
  uint64_t begin = 0, end = 0;
};

class Header {
  const std::string& path_;
  io::Json json_;

  [[noreturn]] void bad(const std::string& what) const { detail::fail<IoError>(path_, ": not a valid safetensors file: ", what); }

  Entry entry(std::string name) {
    Entry e;
    e.name = std::move(name);
    bool dtype = false, shape = false, offsets = false;
    const auto once = [&](bool& seen) { if (seen) bad("a key comes twice in \"" + e.name + "\""); seen = true; };
    json_.object([&](const std::string& key) {
      if (key == "dtype") {
        once(dtype);
        e.dtype = dtype_of(path_, json_.string());
      } else if (key == "shape") {
        once(shape);
        json_.array([&] {
          if (e.shape.size() == kMaxDims) bad("\"" + e.name + "\" has more than " + std::to_string(kMaxDims) + " dimensions");
          e.shape.push_back(int64_t(json_.integer()));
        });
      } else if (key == "data_offsets") {
        once(offsets);
        int n = 0;
        json_.array([&] {
          const uint64_t v = json_.integer();
          if (n == 0) e.begin = v;
          if (n == 1) e.end = v;
          n++;
        });
        if (n != 2) bad("\"" + e.name + "\" must have two data_offsets");
      } else {
        bad("unknown key \"" + key + "\" in \"" + e.name + "\"");
      }
    });
    if (!dtype || !shape || !offsets) bad("\"" + e.name + "\" lacks dtype, shape or data_offsets");
    return e;
  }

 public:
  std::vector<Entry> entries;
  Metadata metadata;

  Header(const std::string& path, std::string_view text, uint64_t data_bytes) : path_(path), json_(text) {
    std::unordered_set<std::string> names;
    try {
      json_.object([&](const std::string& key) {
        if (!names.insert(key).second) bad("\"" + key + "\" comes twice");
        if (key == "__metadata__") {
          json_.object([&](const std::string& k) { metadata.emplace_back(k, json_.string()); });
        } else {
          entries.push_back(entry(key));
        }
      });
      json_.end();
    } catch (const io::JsonError& e) {
      bad(std::string(e.what) + " at byte " + std::to_string(e.at) + " of the header");
    }
    std::vector<const Entry*> by_place;
    for (const Entry& e : entries) {
      uint64_t bytes = item_size(e.dtype);
      for (int64_t n : IntList(e.shape))
        if (__builtin_mul_overflow(bytes, uint64_t(n), &bytes)) bad("the size of \"" + e.name + "\" overflows");
      if (e.begin > e.end || e.end > data_bytes) bad("\"" + e.name + "\" lies outside the file");
      if (e.end - e.begin != bytes) bad("\"" + e.name + "\" has a shape of " + std::to_string(bytes) + " bytes and data of " + std::to_string(e.end - e.begin));
      by_place.push_back(&e);
    }
    std::sort(by_place.begin(), by_place.end(), [](const Entry* a, const Entry* b) { return std::pair(a->begin, a->end) < std::pair(b->begin, b->end); });
    uint64_t at = 0;
    for (const Entry* e : by_place) {
      if (e->begin != at) bad("\"" + e->name + (e->begin < at ? "\" overlaps another tensor" : "\" comes after a hole"));
      at = e->end;
    }
    if (at != data_bytes) bad("there is data that belongs to no tensor");
  }
};

// Data in order of falling element size, so that every tensor is aligned; equal sizes by name.
std::vector<Entry> lay_out(const StateDict& tensors, std::vector<Tensor>& data) {
  std::vector<size_t> order(tensors.size());
  for (size_t i = 0; i < order.size(); i++) order[i] = i;
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const size_t sa = tensors[a].second.element_size(), sb = tensors[b].second.element_size();
    return sa != sb ? sa > sb : tensors[a].first < tensors[b].first;
  });
  std::vector<Entry> out;
  uint64_t at = 0;
  for (size_t i : order) {
    const Tensor t = contiguous(detach(tensors[i].second));
    out.push_back({tensors[i].first, t.dtype(), Shape(t.sizes()), at, at + uint64_t(t.nbytes())});
    at = out.back().end;
    data.push_back(t);
  }
  return out;
}

std::string header_text(const std::vector<Entry>& entries, const Metadata& metadata) {
  std::string s = "{";
  if (!metadata.empty()) {
    s += "\"__metadata__\":{";
    for (size_t i = 0; i < metadata.size(); i++) {
      if (i) s += ',';
      io::put_json(s, metadata[i].first);
      s += ':';
      io::put_json(s, metadata[i].second);
    }
    s += entries.empty() ? "}" : "},";
  }
  for (size_t i = 0; i < entries.size(); i++) {
    const Entry& e = entries[i];
    TG_CHECK(kNames[int(e.dtype)], DtypeError, "safetensors files cannot hold ", e.dtype, ": \"", e.name, "\"");
    if (i) s += ',';
    io::put_json(s, e.name);
    s += ":{\"dtype\":\"" + std::string(kNames[int(e.dtype)]) + "\",\"shape\":[";
    for (size_t d = 0; d < e.shape.size(); d++) s += (d ? "," : "") + std::to_string(e.shape[d]);
    s += "],\"data_offsets\":[" + std::to_string(e.begin) + "," + std::to_string(e.end) + "]}";
  }
  s += '}';
  s.append((8 - s.size() % 8) % 8, ' ');
  return s;
}

}  // namespace

void save(const StateDict& tensors, const std::string& path, const Metadata& metadata) {
  OpScope op("save");
  NoGrad no_grad;
  std::unordered_set<std::string_view> names;
  for (auto& [name, t] : tensors) {
    TG_CHECK(t.defined(), ValueError, "\"", name, "\" is undefined");
    TG_CHECK(name != "__metadata__" && io::is_utf8(name), ValueError, "\"", name, "\" cannot be a tensor's name");
    TG_CHECK(names.insert(name).second, ValueError, "\"", name, "\" comes twice");
  }
  for (auto& [key, value] : metadata) TG_CHECK(io::is_utf8(key) && io::is_utf8(value), ValueError, "metadata must be UTF-8");
  std::vector<Tensor> data;
  const std::string header = header_text(lay_out(tensors, data), metadata);
  TG_CHECK(header.size() <= kMaxHeader, ValueError, "too many tensors: a header of ", header.size(), " bytes");

  io::NewFile out(path);
  const uint64_t length = header.size();
  out.file.write(&length, 8);
  out.file.write(header);
  for (const Tensor& t : data) out.file.write(t->host(), uint64_t(t.nbytes()));
  out.commit();
}

StateDict load(const std::string& path, Metadata* metadata) {
  OpScope op("load");
  NoGrad no_grad;
  const io::File file(path);
  const uint64_t size = file.size();
  if (const std::string head = file.read(std::min<uint64_t>(size, 4), 0); head == "PK\3\4" || head == "PK\5\6") {
    const io::ZipReader zip(file);
    const bool torch = std::any_of(zip.entries().begin(), zip.entries().end(), [](auto& e) { return e.name.ends_with("data.pkl"); });
    return torch ? load_torch(path, metadata) : load_npz(path);
  }
  if (size >= 9 && file.read(1, 0) == "\x80" && file.read(5, 4) != std::string("\0\0\0\0{", 5)) return load_torch(path, metadata);  // before PyTorch 1.6
  TG_CHECK(size >= 8, IoError, path, ": not a safetensors file: shorter than 8 bytes");
  uint64_t length;
  file.read(&length, 8, 0);
  TG_CHECK(length <= kMaxHeader && length <= size - 8, IoError, path, ": not a safetensors file: a header of ", std::to_string(length), " bytes in a file of ", std::to_string(size));
  const std::string text = file.read(length, 8);
  TG_CHECK(length > 0 && text[0] == '{', IoError, path, ": not a safetensors file: the header does not start with {");
  TG_CHECK(io::is_utf8(text), IoError, path, ": not a valid safetensors file: the header is not UTF-8");
  Header header(path, text, size - 8 - length);
  StateDict out;
  for (const Entry& e : header.entries) {
    Tensor t = empty(e.shape, e.dtype);
    file.read(t->host(), e.end - e.begin, 8 + length + e.begin);
    if (e.dtype == Dtype::Bool)
      TG_CHECK(std::all_of(t->host(), t->host() + t.nbytes(), [](char c) { return c == 0 || c == 1; }), IoError, path, ": \"", e.name, "\" has bools that are neither 0 nor 1");
    out.emplace_back(e.name, t);
  }
  if (metadata) *metadata = std::move(header.metadata);
  return out;
}

}  // namespace tapegrad
