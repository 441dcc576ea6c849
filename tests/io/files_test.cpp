// Readers and writers of other programs' files: NumPy's, PyTorch's; checkpoints; what any damage to them does.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include "tapegrad/io.h"

using namespace tapegrad;

namespace {

const std::string samples = TG_SAMPLES;

struct Folder {
  std::filesystem::path path = std::filesystem::temp_directory_path() / ("tapegrad-files-" + std::to_string(::getpid()));
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string operator/(const std::string& name) const { return (path / name).string(); }
};
void write(const std::string& path, const std::string& bytes) {
  std::filesystem::remove(path);  // some file systems flush a file that is written over
  std::ofstream(path, std::ios::binary) << bytes;
}
std::string read(const std::string& path) {
  std::ifstream f(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(f), {}};
}
Tensor at(const StateDict& state, const std::string& name) {
  for (auto& [key, t] : state)
    if (key == name) return t;
  ADD_FAILURE() << "no " << name;
  return {};
}
template <class F> std::string error_of(F f) {
  try {
    f();
    return "";
  } catch (const Error& e) {
    return e.what();
  }
}

}  // namespace

TEST(Npy, ComesBackAsItWas) {
  const Folder f;
  for (int d = 0; d < kDtypes; d++) {
    if (Dtype(d) == Dtype::BFloat16) continue;  // NumPy has no such type
    for (const Shape& size : {Shape{}, Shape{0, 3}, Shape{5}, Shape{2, 3, 4}}) {
      const Tensor t = empty(size, Dtype(d));
      for (int64_t i = 0; i < t.nbytes(); i++) t->data[i] = char(i % 2);
      save_npy(t, f / "t.npy");
      const Tensor back = load_npy(f / "t.npy");
      EXPECT_EQ(back.dtype(), t.dtype());
      EXPECT_EQ(back.sizes(), t.sizes());
      EXPECT_EQ(std::memcmp(back->data, t->data, size_t(t.nbytes())), 0);
    }
  }
  save_npy(arange(6).view({2, 3}).t(), f / "t.npy");
  EXPECT_TRUE(equal(load_npy(f / "t.npy"), tensor({{0, 3}, {1, 4}, {2, 5}})));
  EXPECT_THROW(save_npy(zeros({1}, bfloat16), f / "t.npy"), DtypeError);
  EXPECT_NE(error_of([&] { load_npy(f / "none.npy"); }).find("none.npy: cannot open"), std::string::npos);
}

TEST(Npz, ComesBackAsItWas) {
  const Folder f;
  const StateDict state = {{"a.b", arange(6).view({2, 3})}, {"ü", tensor(2.5)}, {"none", empty({0}, bool_)}};
  save_npz(state, f / "t.npz");
  for (const StateDict& back : {load_npz(f / "t.npz"), load(f / "t.npz")}) {
    ASSERT_EQ(back.size(), 3u);
    for (size_t k = 0; k < 3; k++) {
      EXPECT_EQ(back[k].first, state[k].first);
      EXPECT_TRUE(equal(back[k].second, state[k].second));
    }
  }
  save_npz({}, f / "t.npz");
  EXPECT_TRUE(load_npz(f / "t.npz").empty());
  EXPECT_TRUE(load(f / "t.npz").empty());
  EXPECT_THROW(save_npz({{"a", tensor(1)}, {"a", tensor(2)}}, f / "t.npz"), ValueError);
}

TEST(Npz, ReadsWhatNumpyPacked) {
  const StateDict s = load_npz(samples + "/compressed.npz");
  EXPECT_TRUE(equal(at(s, "a"), arange(600).to(int32).view({20, 30})));
  EXPECT_TRUE(equal(at(s, "big"), arange(6).to(float32).view({2, 3})));
  EXPECT_TRUE(equal(at(s, "columns"), arange(6).to(float64).view({2, 3})));
  EXPECT_TRUE(at(s, "columns").is_contiguous());
  EXPECT_EQ(std::string(at(s, "text_like")->data, 44), "the quick brown fox jumps over the lazy dog ");
  EXPECT_EQ(at(s, "noise").numel(), 300);
  EXPECT_EQ(at(s, "empty").sizes(), IntList({0, 4}));
  EXPECT_TRUE(equal(at(s, "flag"), tensor({true, false})));
}

TEST(TorchFile, ReadsStateDicts) {
  const StateDict s = load_torch(samples + "/model.pt");
  std::vector<std::string> names;
  for (auto& [name, t] : s) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var", "1.num_batches_tracked"}));
  EXPECT_EQ(at(s, "0.weight").sizes(), IntList({3, 2}));
  EXPECT_TRUE(equal(at(s, "1.weight"), ones({3})));
  EXPECT_EQ(at(s, "1.num_batches_tracked").dtype(), int64);
  EXPECT_EQ(load(samples + "/model.pt").size(), 7u);
}

TEST(TorchFile, RefusesADamagedStorage) {
  const Folder folder;
  std::string bytes = read(samples + "/model.pt");
  const size_t ones = bytes.find(std::string("\0\0\x80\x3f\0\0\x80\x3f\0\0\x80\x3f", 12));  // the first storage of three of them
  ASSERT_NE(ones, bytes.npos);
  bytes[ones + 4] ^= 1;
  write(folder / "damaged.pt", bytes);
  EXPECT_NE(error_of([&] { load_torch(folder / "damaged.pt"); }).find("is damaged: its checksum is wrong"), std::string::npos);
}
TEST(TorchFile, ReadsNestedThings) {
  Metadata texts;
  const StateDict s = load_torch(samples + "/nested.pt", &texts);
  EXPECT_EQ(texts, (Metadata{{"name", "réseau"}}));
  EXPECT_EQ(at(s, "epoch").item(), 3);
  EXPECT_EQ(at(s, "best").item(), 0.5);
  EXPECT_EQ(at(s, "done").item(), false);
  EXPECT_EQ(at(s, "optimizer.state.0.step").item(), 1);
  EXPECT_EQ(at(s, "optimizer.param_groups.0.betas.1").item(), 0.999);
  EXPECT_TRUE(equal(at(s, "views.1"), at(s, "views.0").t()));
  EXPECT_EQ(at(s, "views.0")->storage, at(s, "views.2")->storage);
  EXPECT_EQ(at(s, "half").dtype(), bfloat16);
  EXPECT_TRUE(equal(at(s, "param"), ones({2})));
  EXPECT_EQ(at(s, "u16").dtype(), uint16);
  EXPECT_EQ(at(s, "conj")(0), Scalar(Complex<float>(1, -2)));
  EXPECT_EQ(at(s, "size.1").item(), 3);
  for (auto& [name, t] : s) EXPECT_NE(name, "none");
}

TEST(TorchFile, ReadsFilesFromBeforeZip) {
  Metadata texts;
  const StateDict s = load_torch(samples + "/old.pt", &texts);
  EXPECT_TRUE(equal(at(s, "w"), arange(6).to(float32).view({2, 3})));
  EXPECT_TRUE(equal(at(s, "t"), at(s, "w").t()));
  EXPECT_EQ(at(s, "t")->storage, at(s, "w")->storage);
  EXPECT_TRUE(equal(at(s, "b"), tensor({true, false})));
  EXPECT_EQ(at(s, "h")(0), 1.5);
  EXPECT_EQ(at(s, "epoch").item(), 3);
  EXPECT_EQ(texts, (Metadata{{"name", "old"}}));
  EXPECT_EQ(load(samples + "/old.pt").size(), s.size());
}

TEST(TorchFile, RefusesPrograms) {
  const std::string message = error_of([] { load_torch(samples + "/evil.pt"); });
  EXPECT_NE(message.find("it wants posix.system, which is not on the list of names that are safe to load"), std::string::npos) << message;
}

TEST(Checkpoint, ComesBackSorted) {
  const Folder f;
  const Checkpoint c{.model = {{"b", ones({2})}, {"a", zeros({3})}}, .optimizer = {{"step.0", tensor(3)}}, .values = {{"epoch", tensor(7)}}, .texts = {{"note", "ü\n"}}};
  save_checkpoint(c, f / "c.safetensors");
  const std::string bytes = read(f / "c.safetensors");
  const Checkpoint back = load_checkpoint(f / "c.safetensors");
  EXPECT_EQ(back.model[0].first, "a");
  EXPECT_EQ(back.optimizer[0].first, "step.0");
  EXPECT_EQ(back.values[0].second.item(), 7);
  EXPECT_EQ(back.texts, c.texts);
  save_checkpoint(back, f / "c.safetensors");
  EXPECT_EQ(read(f / "c.safetensors"), bytes);
  save({{"x", ones({1})}}, f / "other.safetensors");
  EXPECT_THROW(load_checkpoint(f / "other.safetensors"), IoError);
}

// Whatever is done to a file, its reader gives tensors or an Error. Bytes are flipped, set, cut off and doubled.
TEST(Files, SurviveAnyDamage) {
  const Folder f;
  save_npy(arange(12).view({3, 4}), f / "whole.npy");
  save_npz({{"a", arange(12)}, {"b", ones({2, 2})}}, f / "whole.npz");
  save_checkpoint({.model = {{"w", ones({2})}}, .optimizer = {}, .values = {}, .texts = {{"t", "x"}}}, f / "whole.safetensors");
  const auto use = [](const StateDict& s) {  // a tensor that was read must be readable
    for (auto& [name, t] : s) {
      if (t.numel() > 100000) continue;  // a view that repeats its elements
      EXPECT_FALSE(to_string(t).empty());
    }
  };
  const std::vector<std::pair<std::string, void (*)(const std::string&, StateDict&)>> readers = {
      {f / "whole.npy", [](const std::string& p, StateDict& s) { s = {{"", load_npy(p)}}; }},
      {f / "whole.npz", [](const std::string& p, StateDict& s) { s = load_npz(p); }},
      {samples + "/compressed.npz", [](const std::string& p, StateDict& s) { s = load_npz(p); }},
      {samples + "/model.pt", [](const std::string& p, StateDict& s) { s = load_torch(p); }},
      {samples + "/nested.pt", [](const std::string& p, StateDict& s) { s = load_torch(p); }},
      {samples + "/old.pt", [](const std::string& p, StateDict& s) { s = load_torch(p); }},
      {f / "whole.safetensors", [](const std::string& p, StateDict& s) { s = load_checkpoint(p).model; }}};
  std::mt19937 random(0);
  const auto below = [&](size_t n) { return size_t(random() % n); };
  for (auto& [path, reader] : readers) {
    const std::string whole = read(path);
    ASSERT_FALSE(whole.empty()) << path;
    int refused = 0;
    constexpr int kRounds = 1500;
    for (int round = 0; round < kRounds; round++) {
      std::string bytes = whole;
      for (size_t changes = 1 + below(3); changes > 0; changes--) {
        const size_t k = below(bytes.size());
        switch (below(5)) {
          case 0: bytes[k] = char(bytes[k] ^ 1 << below(8)); break;
          case 1: bytes[k] = char(random()); break;
          case 2: bytes[k] = "\xff\x00\x7f\x80"[below(4)]; break;
          case 3: bytes.resize(k + 1); break;
          default: bytes.insert(k, bytes.substr(k, 1 + below(20))); break;
        }
      }
      write(f / "damaged", bytes);
      try {
        StateDict s;
        reader(f / "damaged", s);
        use(s);
      } catch (const Error&) {
        refused++;
      }
    }
    EXPECT_GT(refused, kRounds / 4) << path;
  }
}

// The same with archives whose checksums are right: damage reaches the pickle and the header within.
TEST(Files, SurviveDamagedPickles) {
  const Folder f;
  const auto crc32 = [](const std::string& s) {
    uint32_t c = ~0u;
    for (const char b : s) {
      c ^= uint8_t(b);
      for (int k = 0; k < 8; k++) c = c & 1 ? c >> 1 ^ 0xEDB88320u : c >> 1;
    }
    return ~c;
  };
  const std::string whole = read(samples + "/nested.pt");
  const auto number = [](const std::string& s, size_t k, int n) {
    uint64_t v = 0;
    std::memcpy(&v, s.data() + k, size_t(n));
    return size_t(v);
  };
  // data.pkl is the first entry: its header, name and padding come before it; its checksum is in the directory
  const size_t at = 30 + number(whole, 26, 2) + number(whole, 28, 2);
  const size_t entry = whole.find("PK\1\2");
  ASSERT_NE(entry, std::string::npos);
  const size_t size = number(whole, entry + 20, 4);
  ASSERT_EQ(crc32(whole.substr(at, size)), number(whole, entry + 16, 4));
  std::mt19937 random(1);
  int refused = 0;
  constexpr int kRounds = 6000;
  for (int round = 0; round < kRounds; round++) {
    std::string bytes = whole;
    for (size_t changes = 1 + random() % 3; changes > 0; changes--) {
      const size_t k = at + random() % size;
      bytes[k] = random() % 2 ? char(random()) : ".(R)tue}]lqrhjcQbK0\x94\x85\x81"[random() % 23];
    }
    const uint32_t crc = crc32(bytes.substr(at, size));
    std::memcpy(bytes.data() + entry + 16, &crc, 4);
    write(f / "damaged", bytes);
    try {
      for (auto& [name, t] : load_torch(f / "damaged"))
        if (t.numel() < 100000) to_string(t);
    } catch (const Error&) {
      refused++;
    }
  }
  EXPECT_GT(refused, kRounds / 4);
  EXPECT_LT(refused, kRounds);
}

// A pickle can name one thing many times: what looks at it each time must not take time or memory in proportion to the square of the file.
TEST(TorchFile, WorkStaysInProportion) {
  const Folder f;
  const auto repeat = [](std::string_view s, int n) {
    std::string out;
    while (n-- > 0) out += s;
    return out;
  };
  const std::string begin = "\x80\2\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.\x80\2M\xe9\3.\x80\2}.";  // what PyTorch wrote before 1.6
  const std::string copies = "\x80\2(" + repeat("K\1", 100000) + std::string("lq\0", 3) + "c__builtin__\nset\nq\1" + repeat(std::string("h\1h\0\x85R0", 7), 50000) + ".";
  const std::string looks = std::string("\x80\2}q\0(", 6) + repeat("NN", 200000) + "u0](" + repeat(std::string("h\0", 2), 100000) + "e.";
  for (const std::string& pickle : {copies, looks}) {
    write(f / "square", begin + pickle + "\x80\2].");
    const std::string error = error_of([&] { load_torch(f / "square"); });
    EXPECT_TRUE(error.find("more items than the pickle has") != error.npos || error.find("nested too deep") != error.npos) << error;
  }
}
