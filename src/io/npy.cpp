// NumPy's files: .npy is a header, a Python dict as text, and the elements; .npz is a zip archive of those.
#include <algorithm>
#include <charconv>
#include <cstring>

#include "src/io/zip.h"
#include "tapegrad/io.h"

namespace tapegrad {
namespace {

constexpr const char* kCodes[kDtypes] = {"|b1", "|u1", "|i1", "<i2", "<i4", "<i8", "<f2", nullptr, "<f4", "<f8", "<c8", "<c16", "<u2", "<u4", "<u8"};

struct Layout {
  Dtype dtype;
  bool swapped = false, columns_first = false;
  Shape shape;
  uint64_t start, bytes;  // of the elements
};

/// Reads the header of a .npy file, of which `text` is at least the beginning, and `total` its length.
class Header {
  const std::string& path_;
  std::string_view text_;
  size_t at_ = 0;

  [[noreturn]] void bad(const std::string& what) const { detail::fail<IoError>(path_, ": not a valid .npy file: ", what); }
  bool take(std::string_view word) {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) at_++;
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  void expect(std::string_view word) {
    if (!take(word)) bad("expected " + std::string(word) + " at byte " + std::to_string(at_) + " of the header");
  }
  std::string_view string() {
    const std::string_view quote = take("'") ? "'" : take("\"") ? "\"" : "";
    const size_t end = quote.empty() ? text_.npos : text_.find(quote, at_);
    if (end == text_.npos) bad("expected a text");
    const std::string_view s = text_.substr(at_, end - at_);
    at_ = end + 1;
    return s;
  }
  void dtype(Layout& l) {
    if (take("[")) bad("it has fields of several dtypes, which tensors do not have");
    std::string code(string());
    if (code.size() > 1 && code[0] == '>') l.swapped = true, code[0] = '<';
    for (int d = 0; d < kDtypes; d++)
      if (kCodes[d] && code == kCodes[d]) {
        l.dtype = Dtype(d);
        return;
      }
    detail::fail<IoError>(path_, ": NumPy's dtype ", code, " is not supported");
  }
  void shape(Layout& l) {
    expect("(");
    while (!take(")")) {
      while (at_ < text_.size() && text_[at_] == ' ') at_++;
      int64_t n = -1;
      const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), n);
      if (error != std::errc() || n < 0) bad("a size that is no whole number");
      if (l.shape.size() == kMaxDims) bad("more than " + std::to_string(kMaxDims) + " dimensions");
      l.shape.push_back(n);
      at_ = size_t(end - text_.data());
      if (!take(",")) {
        expect(")");
        return;
      }
    }
  }
 public:
  Header(const std::string& path, std::string_view text) : path_(path), text_(text) {}

  Layout read(uint64_t total) {
    if (text_.size() < 12 || text_.substr(0, 6) != "\x93NUMPY") bad("another beginning");
    const int version = uint8_t(text_[6]);
    if (version < 1 || version > 3) bad("version " + std::to_string(version));
    uint32_t length = 0;
    const size_t width = version == 1 ? 2 : 4;
    std::memcpy(&length, text_.data() + 8, width);
    if (length > text_.size() - 8 - width) bad("its header is cut short");
    text_ = text_.substr(0, 8 + width + length);
    at_ = 8 + width;
    Layout l{};
    l.start = text_.size();
    int seen = 0;
    expect("{");
    while (!take("}")) {
      const std::string_view key = string();
      expect(":");
      const int bit = key == "descr" ? 1 : key == "fortran_order" ? 2 : key == "shape" ? 4 : 0;
      if (bit == 0 || seen & bit) bad("a key that is unknown or comes twice");
      seen |= bit;
      if (bit == 1) dtype(l);
      else if (bit == 4) shape(l);
      else if (take("True")) l.columns_first = true;
      else expect("False");
      if (!take(",")) {
        expect("}");
        break;
      }
    }
    if (seen != 7) bad("descr, fortran_order or shape is missing");
    l.bytes = item_size(l.dtype);
    for (const int64_t n : l.shape)
      if (__builtin_mul_overflow(l.bytes, uint64_t(n), &l.bytes) || l.bytes >> 62) bad("its size overflows");
    if (l.bytes != total - l.start) bad("a shape of " + std::to_string(l.bytes) + " bytes and data of " + std::to_string(total - l.start));
    return l;
  }
};

// The tensor whose elements fill(memory) brings.
template <class F> Tensor tensor_of(const std::string& path, Layout l, F fill) {
  if (l.columns_first) std::reverse(l.shape.begin(), l.shape.end());
  Tensor t = empty(l.shape, l.dtype);
  fill(t->host());
  if (l.dtype == Dtype::Bool)
    TG_CHECK(std::all_of(t->host(), t->host() + t.nbytes(), [](char c) { return c == 0 || c == 1; }), IoError, path, ": it has bools that are neither 0 nor 1");
  if (l.swapped) {
    const size_t n = item_size(real_dtype(l.dtype));
    for (char* p = t->host(); p != t->host() + t.nbytes(); p += n) std::reverse(p, p + n);
  }
  if (!l.columns_first) return t;
  Shape back(l.shape.size(), 0);
  for (size_t d = 0; d < back.size(); d++) back[d] = int64_t(back.size() - 1 - d);
  return contiguous(permute(t, back));
}

std::string header_of(const Tensor& t) {
  TG_CHECK(kCodes[int(t.dtype())], DtypeError, "NumPy's files cannot hold ", t.dtype(), "; convert to float32");
  std::string s = std::string("{'descr': '") + kCodes[int(t.dtype())] + "', 'fortran_order': False, 'shape': (";
  for (int64_t d = 0; d < t.dim(); d++) s += (d ? " " : "") + std::to_string(t.size(d)) + (d + 1 < t.dim() || d == 0 ? "," : "");
  s += "), }";
  if (t.dim() > 0) s.append(21 - std::to_string(t.size(0)).size(), ' ');  // NumPy leaves room for the first size to grow
  s.append(64 - (10 + s.size() + 1) % 64, ' ');
  s += '\n';
  const auto length = uint16_t(s.size());
  return std::string("\x93NUMPY\1\0", 8) + std::string(reinterpret_cast<const char*>(&length), 2) + s;
}
Tensor dense(const Tensor& t) { return contiguous(detach(t)); }
std::string_view elements(const Tensor& t) { return {t->host(), size_t(t.nbytes())}; }

}  // namespace

void save_npy(const Tensor& tensor, const std::string& path) {
  OpScope op("save_npy");
  NoGrad no_grad;
  const Tensor t = dense(tensor);
  const std::string header = header_of(t);
  io::NewFile out(path);
  out.file.write(header);
  out.file.write(elements(t));
  out.commit();
}

Tensor load_npy(const std::string& path) {
  OpScope op("load_npy");
  NoGrad no_grad;
  const io::File file(path);
  const uint64_t total = file.size();
  const std::string head = file.read(std::min<uint64_t>(total, 1 << 16), 0);
  const Layout l = Header(path, head).read(total);
  return tensor_of(path, l, [&](char* to) { file.read(to, l.bytes, l.start); });
}

void save_npz(const StateDict& tensors, const std::string& path) {
  OpScope op("save_npz");
  NoGrad no_grad;
  for (size_t k = 0; k < tensors.size(); k++) {
    const std::string& name = tensors[k].first;
    TG_CHECK(tensors[k].second.defined(), ValueError, "\"", name, "\" is undefined");
    TG_CHECK(name.size() < 60000, ValueError, "a name of ", name.size(), " bytes");
    for (size_t j = 0; j < k; j++) TG_CHECK(tensors[j].first != name, ValueError, "\"", name, "\" comes twice");
  }
  io::NewFile out(path);
  io::ZipWriter zip(out.file);
  for (auto& [name, tensor] : tensors) {
    const Tensor t = dense(tensor);
    zip.add(name + ".npy", header_of(t), elements(t));
  }
  zip.finish();
  out.commit();
}

StateDict load_npz(const std::string& path) {
  OpScope op("load_npz");
  NoGrad no_grad;
  const io::File file(path);
  const io::ZipReader zip(file);
  StateDict out;
  for (const io::ZipEntry& e : zip.entries()) {
    TG_CHECK(e.name.ends_with(".npy"), IoError, path, ": not a .npz file: it holds \"", e.name, "\"");
    std::string data = zip.read(e);
    const std::string inside = path + ": " + e.name;
    const Layout l = Header(inside, data).read(data.size());
    out.emplace_back(e.name.substr(0, e.name.size() - 4), tensor_of(inside, l, [&](char* to) {
      std::memcpy(to, data.data() + l.start, l.bytes);
      data = {};
    }));
  }
  return out;
}

}  // namespace tapegrad
