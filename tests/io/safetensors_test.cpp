#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include "tapegrad/io.h"

using namespace tapegrad;

namespace {

struct Folder {
  std::filesystem::path path = std::filesystem::temp_directory_path() / ("tapegrad-io-" + std::to_string(::getpid()));
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string operator/(const char* name) const { return (path / name).string(); }
};

std::string file_with(const std::string& header, size_t data_bytes) {
  const uint64_t n = header.size();
  return std::string(reinterpret_cast<const char*>(&n), 8) + header + std::string(data_bytes, '\1');
}
void write(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }
std::string read(const std::string& path) {
  std::ifstream f(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(f), {}};
}
std::string load_error(const std::string& path) {
  try {
    load(path);
    return "";
  } catch (const Error& e) {
    return e.what();
  }
}

}  // namespace

TEST(Safetensors, ComesBackAsItWas) {
  const Folder f;
  StateDict state;
  for (int d = 0; d < kDtypes; d++) {
    if (Dtype(d) == Dtype::Complex128) continue;  // the format has no such type
    Tensor t = empty({2, 3}, Dtype(d));
    for (int64_t i = 0; i < t.nbytes(); i++) t->data[i] = char(i % 2);
    state.emplace_back(std::string("t.") + name(Dtype(d)), t);
  }
  state.emplace_back("scalar \"ü\"\n", empty({}, float32));
  state.emplace_back("none", empty({0, 3}, int64));
  save(state, f / "a.safetensors", {{"format", "pt"}, {"note", "\t\x01"}});
  Metadata metadata;
  const StateDict back = load(f / "a.safetensors", &metadata);
  EXPECT_EQ(metadata, (Metadata{{"format", "pt"}, {"note", "\t\x01"}}));
  ASSERT_EQ(back.size(), state.size());
  for (auto& [key, t] : state) {
    const auto it = std::find_if(back.begin(), back.end(), [&, name = key](auto& e) { return e.first == name; });
    ASSERT_NE(it, back.end()) << key;
    EXPECT_EQ(it->second.dtype(), t.dtype());
    EXPECT_EQ(it->second.sizes(), t.sizes());
    EXPECT_EQ(std::memcmp(it->second->data, t->data, size_t(t.nbytes())), 0) << key;
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(f.path), {}), 1) << "no temporary file is left";
}

TEST(Safetensors, RefusesWhatTheSpecificationForbids) {
  const Folder f;
  const std::string a = R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  const struct { std::string bytes, text; } cases[] = {
      {"", "shorter than 8"},
      {std::string(8, '\xff'), "a header of"},
      {file_with("", 0), "does not start with {"},
      {file_with("[]", 0), "does not start with {"},
      {file_with("{", 0), "expected"},
      {file_with("{} x", 0), "text after the end"},
      {file_with("{\xff}", 0), "UTF-8"},
      {file_with("{" + a + "}", 7), "outside the file"},
      {file_with("{" + a + "}", 9), "belongs to no tensor"},
      {file_with("{" + a + "," + a + "}", 8), "comes twice"},
      {file_with(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8), "outside the file"},
      {file_with(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8), "shape of 12 bytes and data of 8"},
      {file_with(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,8]}})", 8), "whole number"},
      {file_with(R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})", 0), "overflows"},
      {file_with(R"({"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,0]}})", 0), "too large"},
      {file_with(R"({"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}})", 4), "more than 16"},
      {file_with(R"({"a":{"dtype":"F7","shape":[2],"data_offsets":[0,8]}})", 8), "dtype F7"},
      {file_with(R"({"a":{"dtype":"F32","shape":[2]}})", 8), "lacks"},
      {file_with(R"({"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8), "key comes twice"},
      {file_with(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}})", 8), "unknown key"},
      {file_with(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}})", 8), "two data_offsets"},
      {file_with(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})", 3), "overlaps"},
      {file_with(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[3,5]}})", 5), "hole"},
      {file_with(R"({"__metadata__":{"a":1}})", 0), "expected a string"},
      {file_with(R"({"\ud800":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})", 0), "surrogate"},
      {file_with("{" + std::string(100000, '['), 0), "expected"},
  };
  for (const auto& c : cases) {
    write(f / "bad", c.bytes);
    EXPECT_NE(load_error(f / "bad").find(c.text), std::string::npos) << c.text << " not in: " << load_error(f / "bad");
  }
  std::string bools = file_with(R"({"a":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}})", 1);
  bools.back() = 2;
  write(f / "bad", bools);
  EXPECT_NE(load_error(f / "bad").find("neither 0 nor 1"), std::string::npos);
  EXPECT_NE(load_error(f / "absent").find("cannot open"), std::string::npos);
  EXPECT_NE(load_error(f.path.string()).find("not a regular file"), std::string::npos);
}

TEST(Safetensors, SurvivesAnyDamage) {  // an error or a tensor, never a crash: run it under asan
  const Folder f;
  save({{"weight", zeros({4, 3})}, {"bias", zeros({3}, int64)}, {"flag", zeros({2}, bool_)}}, f / "good", {{"format", "pt"}});
  const std::string good = read(f / "good");
  std::mt19937 random(0);
  int refused = 0;
  for (int round = 0; round < 1000; round++) {
    std::string bytes = good;
    const int edits = 1 + int(random() % 4);
    for (int e = 0; e < edits; e++) {
      if (bytes.empty()) break;
      const size_t at = random() % bytes.size();
      switch (random() % 5) {
        case 0: bytes[at] = char(random()); break;
        case 1: bytes.erase(at, random() % 8); break;
        case 2: bytes.insert(at, std::string(random() % 8, "{}[]\":,0"[random() % 8])); break;
        case 3: bytes.resize(at + 1); break;
        case 4: bytes[at] = "0123456789"[random() % 10]; break;
      }
    }
    write(f / "bad", bytes);
    refused += !load_error(f / "bad").empty();
  }
  EXPECT_GT(refused, 700);
}

TEST(Safetensors, AFailedSaveLeavesTheOldFile) {
  const Folder f;
  save({{"a", ones({2})}}, f / "x");
  const std::string before = read(f / "x");
  EXPECT_THROW(save({{"a", ones({2})}, {"a", ones({2})}}, f / "x"), ValueError);
  EXPECT_THROW(save({{"a", Tensor()}}, f / "x"), ValueError);
  EXPECT_EQ(read(f / "x"), before);
  EXPECT_THROW(save({{"a", ones({2})}}, f / "no/such/folder/x"), IoError);
}

TEST(Safetensors, PipesAndDevicesAreNotReplaced) {
  const Folder f;
  const std::string pipe = f / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THROW(save({{"a", ones({2})}}, pipe), IoError);
  EXPECT_THROW(save_npy(ones({2}), pipe), IoError);
  EXPECT_TRUE(std::filesystem::is_fifo(pipe));
}

TEST(Safetensors, LinksAndPermissionsStay) {
  namespace fs = std::filesystem;
  const Folder f;
  save({{"a", ones({2})}}, f / "x");
  fs::permissions(f / "x", fs::perms::owner_read | fs::perms::owner_write);
  fs::create_symlink("x", f / "link");
  save({{"b", ones({3})}}, f / "link");
  EXPECT_TRUE(fs::is_symlink(f / "link"));
  EXPECT_EQ(load(f / "x").front().first, "b");
  EXPECT_EQ(fs::status(f / "x").permissions(), fs::perms::owner_read | fs::perms::owner_write);
}
