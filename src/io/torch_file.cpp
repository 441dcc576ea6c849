// PyTorch's .pt files: a zip archive of a pickle and one stored entry for each storage; before 1.6, five pickles (a magic number, a
// version, the system, the object, the storages' keys) followed by the storages.
#include <algorithm>
#include <cstring>
#include <unordered_set>

#include "src/io/pickle.h"
#include "src/io/zip.h"
#include "tapegrad/io.h"

namespace tapegrad {
namespace {

using Item = io::Value;
using Kind = Item::Kind;

struct StorageName {
  std::string_view name;
  Dtype dtype;
};
constexpr StorageName kStorages[] = {
    {"FloatStorage", Dtype::Float32},  {"DoubleStorage", Dtype::Float64},          {"HalfStorage", Dtype::Float16},
    {"BFloat16Storage", Dtype::BFloat16}, {"LongStorage", Dtype::Int64},           {"IntStorage", Dtype::Int32},
    {"ShortStorage", Dtype::Int16},    {"CharStorage", Dtype::Int8},               {"ByteStorage", Dtype::UInt8},
    {"BoolStorage", Dtype::Bool},      {"ComplexFloatStorage", Dtype::Complex64},  {"ComplexDoubleStorage", Dtype::Complex128},
    {"UntypedStorage", Dtype::UInt8},  {"TypedStorage", Dtype::UInt8}};
/// What may be called; anything else that a file names is refused.
constexpr std::string_view kCallable[] = {
    "collections.OrderedDict", "collections.Counter", "torch.Size", "torch.device", "torch.nn.parameter.Parameter", "torch.Tensor",
    "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3", "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state", "torch._tensor._rebuild_from_type_v2", "_codecs.encode", "builtins.bytearray",
    "builtins.bytes", "builtins.set", "builtins.frozenset", "builtins.complex"};

bool are_bools(const Tensor& t) {
  return std::all_of(t->host(), t->host() + t.nbytes(), [](char c) { return c == 0 || c == 1; });
}

/// What both formats share: names, calls and tensors.
class TorchPickle : public io::Pickle {
  uint64_t copies_;  // bytes that negated and conjugated tensors may still take
  uint64_t looks_;   // items that calls may still look at: a pickle can name one list many times

  const std::vector<Item*>& items_of(const Item& v) {
    if (v.items.size() > looks_) bad("calls with more items than the pickle has");
    looks_ -= v.items.size();
    return v.items;
  }

  Item* name(const std::string& module, const std::string& n) override {
    const std::string m = module == "__builtin__" ? "builtins" : module == "torch.cuda" || module == "torch.storage" || module == "tapegrad" ? "torch" : module;
    const std::string full = m + "." + n;
    if (m == "torch") {
      for (const StorageName& s : kStorages)
        if (n == s.name) return dtype(s.dtype);
      for (int d = 0; d < kDtypes; d++)
        if (n == tapegrad::name(Dtype(d))) return dtype(Dtype(d));
    }
    if (std::find(std::begin(kCallable), std::end(kCallable), full) == std::end(kCallable))
      bad("it wants " + full + ", which is not on the list of names that are safe to load; save a state_dict() of tensors, numbers, texts and containers");
    Item* v = make(Kind::Name);
    v->text = full;
    return v;
  }
  Item* dtype(Dtype d) {
    Item* v = make(Kind::Dtype);
    v->integer = int64_t(d);
    return v;
  }

  Item* call(const Item& f, const std::vector<Item*>& args) override {
    const std::string_view full = f.text;
    if (full.starts_with("torch._utils._rebuild_tensor")) return tensor(args, full.ends_with("v3"));
    if (full.starts_with("torch._utils._rebuild_parameter") || full == "torch.nn.parameter.Parameter") {
      if (args.empty() || !args[0]->is(Kind::Tensor)) bad("a Parameter without a tensor");
      return args[0];
    }
    if (full == "torch._tensor._rebuild_from_type_v2") {  // (function, class, arguments, attributes)
      if (args.size() < 3 || !args[0]->is(Kind::Name) || !args[0]->text.starts_with("torch._utils._rebuild_") || !args[2]->is(Kind::Tuple))
        bad("attributes for what is no tensor");
      return call(*args[0], args[2]->items);
    }
    if (full == "torch.Tensor") bad("a call of torch.Tensor");
    if (full.starts_with("collections.")) {
      Item* v = make(Kind::Dict);
      if (!args.empty() && args[0]->is(Kind::Dict)) v->items = items_of(*args[0]);
      else if (!args.empty())
        for (const Item* pair : items_of(*args[0])) {
          if (pair->items.size() != 2 || pair->is(Kind::Dict)) bad("a dict of what are no pairs");
          v->items.insert(v->items.end(), pair->items.begin(), pair->items.end());
        }
      return v;
    }
    const bool list = full == "builtins.set" || full == "builtins.frozenset", size = full == "torch.Size";
    if ((list || size) && !args.empty() && !args[0]->is(Kind::Tuple) && !args[0]->is(Kind::List)) bad("a container of what is no list");
    Item* v = make(list ? Kind::List : size ? Kind::Tuple : Kind::Other);
    if ((list || size) && !args.empty()) v->items = items_of(*args[0]);
    return v;
  }

  Shape sizes(const Item& v) const {
    if ((!v.is(Kind::Tuple) && !v.is(Kind::List)) || v.items.size() > size_t(kMaxDims)) bad("a size that is no tuple, or too long a one");
    Shape out;
    for (const Item* n : v.items) {
      if (!n->is(Kind::Int) || n->integer < 0) bad("a size that is no number");
      out.push_back(n->integer);
    }
    return out;
  }
  // (storage, offset, size, stride, requires_grad, hooks, [dtype], [metadata])
  Item* tensor(const std::vector<Item*>& args, bool with_dtype) {
    if (args.size() < (with_dtype ? 7 : 4) || !args[0]->is(Kind::Storage) || !args[1]->is(Kind::Int) || args[1]->integer < 0) bad("a tensor without a storage");
    Tensor elements = args[0]->tensor;
    if (with_dtype) {
      if (!args[6]->is(Kind::Dtype) || Dtype(args[6]->integer) == Dtype::Bool) bad("a tensor without a dtype");
      const Dtype d = Dtype(args[6]->integer);
      if (elements.nbytes() % int64_t(item_size(d))) bad("a storage that holds no whole number of elements");
      elements = elements.numel() == 0 ? empty({0}, d) : view(elements, d);
    }
    const Shape size = sizes(*args[2]), stride = sizes(*args[3]);
    if (size.size() != stride.size()) bad("a tensor with another number of sizes than of strides");
    uint64_t last = uint64_t(args[1]->integer), numel = elements.element_size();
    bool none = false, overflow = false;
    for (size_t d = 0; d < size.size(); d++) {
      uint64_t step = 0;
      none |= size[d] == 0;
      overflow |= __builtin_mul_overflow(numel, uint64_t(std::max<int64_t>(size[d], 1)), &numel) || numel >> 62;
      overflow |= size[d] > 0 && (__builtin_mul_overflow(uint64_t(size[d] - 1), uint64_t(stride[d]), &step) || __builtin_add_overflow(last, step, &last));
    }
    if (overflow || (!none && last >= uint64_t(elements.numel()))) bad("a tensor that reaches beyond its storage");
    Item* v = make(Kind::Tensor);
    v->tensor = none ? empty(size, elements.dtype()) : alias(elements, size, stride, args[1]->integer, false);
    const Item* metadata = args.size() > (with_dtype ? 7u : 6u) ? args.back() : nullptr;
    if (!metadata || !metadata->is(Kind::Dict)) return v;
    const std::vector<Item*>& flags = items_of(*metadata);
    for (size_t k = 0; k < flags.size(); k += 2) {
      const Item &key = *flags[k], &on = *flags[k + 1];
      if ((key.text != "conj" && key.text != "neg") || !on.integer) continue;
      if (uint64_t(v->tensor.nbytes()) > copies_) bad("more negated tensors than storages");
      copies_ -= uint64_t(v->tensor.nbytes());
      v->tensor = key.text == "conj" ? conj(v->tensor) : neg(v->tensor);
    }
    return v;
  }

 protected:
  std::unordered_map<std::string, Item*> storages_;

  TorchPickle(std::string_view data, uint64_t copies) : Pickle(data), copies_(copies), looks_(4 * data.size() + 4096) {}
  ~TorchPickle() = default;
  /// The parts of a persistent id: "storage", the dtype, the key, the device, the number of elements.
  const std::vector<Item*>& parts_of(const Item& id, size_t n) const {
    const auto& p = id.items;
    if (!id.is(Kind::Tuple) || p.size() != n || !p[0]->is(Kind::Text) || p[0]->text != "storage" || !p[1]->is(Kind::Dtype) ||
        !p[2]->is(Kind::Text) || !p[4]->is(Kind::Int) || p[4]->integer < 0)
      bad("a persistent id that is not of a storage");
    return p;
  }
  Item* storage_of(const Tensor& elements) {
    Item* v = make(Kind::Storage);
    v->tensor = elements;
    return v;
  }
};

class ZipPickle final : public TorchPickle {
  const io::ZipReader& zip_;
  const std::string root_;

  Item* persistent(const Item& id) override {
    const auto& p = parts_of(id, 5);
    const std::string& key = p[2]->text;
    Item*& storage = storages_[key];
    if (storage) return storage;
    const Dtype d = Dtype(p[1]->integer);
    const io::ZipEntry* e = zip_.find(root_ + "data/" + key);
    if (!e) bad("storage " + key + " is missing");
    if (e->size % item_size(d) || e->size / item_size(d) != uint64_t(p[4]->integer)) bad("storage " + key + " has another size than the pickle says");
    const Tensor t = empty({p[4]->integer}, d);
    zip_.read_stored(*e, t->host());
    if (d == Dtype::Bool && !are_bools(t)) bad("bools that are neither 0 nor 1");
    return storage = storage_of(t);
  }
 public:
  ZipPickle(std::string_view data, const io::ZipReader& zip, std::string root, uint64_t file_bytes)
      : TorchPickle(data, file_bytes), zip_(zip), root_(std::move(root)) {}
};

class OldPickle final : public TorchPickle {
  const std::string_view file_;
  uint64_t left_;  // bytes that storages may still take

  Item* persistent(const Item& id) override {
    const auto& p = parts_of(id, 6);
    const Dtype d = Dtype(p[1]->integer);
    Item*& storage = storages_[p[2]->text];
    if (!storage) {
      const auto n = uint64_t(p[4]->integer);
      if (n > left_ / item_size(d)) bad("storages of more bytes than the file has");
      left_ -= n * item_size(d);
      storage = storage_of(empty({p[4]->integer}, d));
    }
    if (p[5]->is(Kind::None)) return storage;
    const auto& view = p[5]->items;  // (key, offset, size) of a part of the storage
    const int64_t total = storage->tensor.numel();
    if (view.size() != 3 || !view[1]->is(Kind::Int) || !view[2]->is(Kind::Int) || view[1]->integer < 0 || view[1]->integer > total || view[2]->integer < 0 ||
        view[2]->integer > total - view[1]->integer)
      bad("a part that reaches beyond its storage");
    return storage_of(narrow(storage->tensor, 0, view[1]->integer, view[2]->integer));
  }
 public:
  explicit OldPickle(std::string_view file) : TorchPickle(file, 0), file_(file), left_(file.size()) {}

  const Item* read_file() {
    const Item *magic = read(), *version = read();
    if (!magic->is(Kind::Other) || !version->is(Kind::Int) || version->integer != 1001) bad("another beginning than PyTorch's");
    read();  // the system
    const Item* result = read();
    const Item* keys = read();
    uint64_t at = this->at();
    for (const Item* key : keys->items) {
      const auto it = key->is(Kind::Text) ? storages_.find(key->text) : storages_.end();
      if (it == storages_.end()) bad("a storage that belongs to no tensor");
      const Tensor& t = it->second->tensor;
      const auto bytes = uint64_t(t.nbytes());
      int64_t numel = 0;
      if (file_.size() - at < 8 || file_.size() - at - 8 < bytes) bad("the file ends within storage " + key->text);
      std::memcpy(&numel, file_.data() + at, 8);
      if (numel != t.numel()) bad("storage " + key->text + " has another size than its tensors say");
      std::memcpy(t->host(), file_.data() + at + 8, bytes);
      if (t.dtype() == Dtype::Bool && !are_bools(t)) bad("bools that are neither 0 nor 1");
      at += 8 + bytes;
      storages_.erase(it);
    }
    if (!storages_.empty()) bad("storages are missing at the end");
    return result;
  }
};

/// The tensors within a value under dotted names.
class Flattened {
  const std::string& path_;
  uint64_t budget_;  // bytes that names and tensors of single numbers may still take: a pickle can say "twice the last list" many times
  std::unordered_set<std::string> names_;

  [[noreturn]] void bad(const std::string& what) const { detail::fail<IoError>(path_, ": not a valid PyTorch file: ", what); }
  void put(const std::string& name, const Tensor& t) {
    if (!names_.insert(name).second) bad("two things are called \"" + name + "\"");
    tensors.emplace_back(name, t);
  }
  static std::string key_text(const Item& key) {
    return key.is(Kind::Text) ? key.text : key.is(Kind::Int) ? std::to_string(key.integer) : key.is(Kind::Bool) ? (key.integer ? "True" : "False") : "?";
  }
 public:
  StateDict tensors;
  Metadata texts;

  Flattened(const std::string& path, uint64_t budget) : path_(path), budget_(budget) {}
  void add(const std::string& name, const Item& v, int depth = 0) {
    const bool leaf = v.kind != Kind::None && v.kind != Kind::Other && v.kind != Kind::Tuple && v.kind != Kind::List && v.kind != Kind::Dict;
    const uint64_t cost = 2 * name.size() + v.text.size() + (v.is(Kind::Dict) ? 256 : 8) * v.items.size() + (leaf ? 512 : 1);
    if (depth > 100 || budget_ < cost) bad("its containers are nested too deep");
    budget_ -= cost;
    const std::string prefix = name.empty() ? "" : name + ".", own = name.empty() ? "value" : name;
    switch (v.kind) {
      case Kind::Tensor: put(own, v.tensor); break;
      case Kind::Bool: put(own, full({}, v.integer != 0, Dtype::Bool)); break;
      case Kind::Int: put(own, full({}, v.integer, Dtype::Int64)); break;
      case Kind::Float: put(own, full({}, v.real, Dtype::Float64)); break;
      case Kind::Text: texts.emplace_back(own, v.text); break;
      case Kind::Tuple: case Kind::List:
        for (size_t k = 0; k < v.items.size(); k++) add(prefix + std::to_string(k), *v.items[k], depth + 1);
        break;
      case Kind::Dict: {
        std::unordered_map<std::string, size_t> last;  // a key that comes again replaces the value
        for (size_t k = 0; k < v.items.size(); k += 2) last[key_text(*v.items[k])] = k;
        for (size_t k = 0; k < v.items.size(); k += 2)
          if (const std::string key = key_text(*v.items[k]); last[key] == k) add(prefix + key, *v.items[k + 1], depth + 1);
        break;
      }
      default: break;
    }
  }
};

/// What read() gives, as named tensors.
template <class F> StateDict flattened(const std::string& path, uint64_t pickle_bytes, Metadata* metadata, F read) {
  try {
    const Item* top = read();
    Flattened flat(path, 600 * pickle_bytes + 4096);
    flat.add("", *top);
    if (metadata) *metadata = std::move(flat.texts);
    return std::move(flat.tensors);
  } catch (const io::PickleError& e) {
    detail::fail<IoError>(path, ": not a valid PyTorch file: ", e.what, " (byte ", e.at, " of its pickle)");
  }
}

}  // namespace

StateDict load_torch(const std::string& path, Metadata* metadata) {
  OpScope op("load_torch");
  NoGrad no_grad;
  const io::File file(path);
  if (file.size() > 0 && file.read(1, 0) == "\x80") {
    const std::string whole = file.read(file.size(), 0);
    OldPickle machine(whole);
    return flattened(path, whole.size(), metadata, [&] { return machine.read_file(); });
  }
  const io::ZipReader zip(file);
  const io::ZipEntry* pickle = nullptr;
  for (const io::ZipEntry& e : zip.entries())
    if (!pickle && (e.name == "data.pkl" || e.name.ends_with("/data.pkl"))) pickle = &e;
  TG_CHECK(pickle, IoError, path, ": the archive holds no data.pkl, so PyTorch did not write it");
  const std::string root = pickle->name.substr(0, pickle->name.size() - 8);
  for (const io::ZipEntry& e : zip.entries()) TG_CHECK(!e.deflated, IoError, path, ": \"", e.name, "\" is compressed; PyTorch stores plain bytes");
  if (zip.find(root + "constants.pkl"))
    detail::fail<NotImplementedError>(path, ": the file is a TorchScript archive, which is a program; save the model's state_dict() instead");
  if (const io::ZipEntry* order = zip.find(root + "byteorder"); order && zip.read(*order) != "little")
    detail::fail<NotImplementedError>(path, ": the file has the other byte order than this machine");
  const std::string text = zip.read(*pickle);
  ZipPickle machine(text, zip, root, file.size());
  return flattened(path, text.size(), metadata, [&] { return machine.read(); });
}

}  // namespace tapegrad
