// What users are told when a driver or one of NVIDIA's libraries is missing, broken or too old, word for word. The libraries are made
// here from a few lines of C, and each case runs in a process of its own: what has been loaded stays loaded.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "src/cuda/lib/library.h"
#include "src/cuda/runtime/error_text.h"
#include "src/cuda/runtime/requirements.h"
#include "tests/cuda/in_child.h"

using namespace tapegrad::cuda;

namespace {

struct CudaLoading : testing::Test {
  std::filesystem::path folder;
  void SetUp() override {
    char pattern[] = "/tmp/tapegrad_loading_XXXXXX";
    folder = mkdtemp(pattern);
    setenv("TAPEGRAD_NVIDIA_ROOT", folder.c_str(), 1);
  }
  void TearDown() override {
    unsetenv("TAPEGRAD_NVIDIA_ROOT");
    std::filesystem::remove_all(folder);
  }
  // A shared library of that name, at a path under the folder.
  std::string library(const std::string& path, const char* soname, const std::string& source) {
    const std::filesystem::path at = folder / path;
    std::filesystem::create_directories(at.parent_path());
    std::ofstream(folder / "source.c") << source;
    const std::string command = "cc -shared -fPIC -Wl,-soname," + std::string(soname) + " -o " + at.string() + " " + (folder / "source.c").string();
    EXPECT_EQ(std::system(command.c_str()), 0);
    return at.string();
  }
  std::string fake(const std::string& path, int version) {
    return library(path, "libtapegrad_fake.so.3", "unsigned long fakeVersion(void) { return " + std::to_string(version) + "; }");
  }
};

size_t fake_version(void* handle) {
  auto f = reinterpret_cast<size_t (*)()>(dlsym(handle, "fakeVersion"));
  return f ? f() : 0;
}
constexpr Library::Info kFake = {"FAKE", "libtapegrad_fake.so.3", "cu13/lib", "nvidia-fake", fake_version, 130100};
std::string open_fake() {
  Library l(kFake);
  const std::string& why = l.open();
  return why.empty() ? l.line() : why;
}

}  // namespace

TEST_F(CudaLoading, NoLibrary) {
  EXPECT_EQ(in_child(open_fake), "libtapegrad_fake.so.3 was not found (libtapegrad_fake.so.3: cannot open shared object file: No such file or "
                                 "directory); install the package nvidia-fake");
}

TEST_F(CudaLoading, FromTheWheels) {
  const std::string at = fake("cu13/lib/libtapegrad_fake.so.3", 130203);
  EXPECT_EQ(in_child(open_fake), "libtapegrad_fake.so.3 13.2.3 (" + at + ")");
}

TEST_F(CudaLoading, ThePathOfTheVariableComesBeforeTheWheels) {
  fake("cu13/lib/libtapegrad_fake.so.3", 130203);
  const std::string at = fake("elsewhere.so", 130100);
  EXPECT_EQ(in_child([&] {
    setenv("TAPEGRAD_FAKE_PATH", at.c_str(), 1);
    return open_fake();
  }), "libtapegrad_fake.so.3 13.1.0 (" + at + ")");
}

TEST_F(CudaLoading, WhatTheProcessHasComesFirst) {
  fake("cu13/lib/libtapegrad_fake.so.3", 130203);
  const std::string at = fake("torch/lib/libtapegrad_fake.so.3", 130100);
  EXPECT_EQ(in_child([&] {
    dlopen(at.c_str(), RTLD_LAZY | RTLD_LOCAL);
    return open_fake();
  }), "libtapegrad_fake.so.3 13.1.0 (" + at + ")");
}

TEST_F(CudaLoading, TooOld) {
  const std::string at = fake("cu13/lib/libtapegrad_fake.so.3", 130099);
  EXPECT_EQ(in_child(open_fake), "libtapegrad_fake.so.3 is too old (" + at + " has version 13.0.99, this build needs 13.1.0); update the package "
                                 "nvidia-fake");
}

TEST_F(CudaLoading, OtherPatchVersionsWillDo) {
  fake("cu13/lib/libtapegrad_fake.so.3", 130100);
  EXPECT_EQ(in_child([] {
    Library::Info i = kFake;
    i.minimum = 130105;
    return Library(i).open();
  }), "");
}

TEST_F(CudaLoading, BrokenFilesSayWhatIsWrong) {
  std::filesystem::create_directories(folder / "cu13/lib");
  std::ofstream(folder / "cu13/lib/libtapegrad_fake.so.3") << std::string(4096, 'x');
  const std::string at = folder / "cu13/lib/libtapegrad_fake.so.3";
  EXPECT_EQ(in_child(open_fake), "libtapegrad_fake.so.3 was not found (" + at + ": invalid ELF header); install the package nvidia-fake");
  EXPECT_EQ(in_child([] {
    setenv("TAPEGRAD_FAKE_PATH", "/nowhere/lib.so", 1);
    unsetenv("TAPEGRAD_NVIDIA_ROOT");
    return open_fake();
  }), "libtapegrad_fake.so.3 was not found (/nowhere/lib.so: cannot open shared object file: No such file or directory); install the package "
      "nvidia-fake");
}

TEST_F(CudaLoading, IsAskedOnlyOnce) {
  EXPECT_EQ(in_child([&] {
    Library l(kFake);
    l.open();
    fake("cu13/lib/libtapegrad_fake.so.3", 130100);
    return l.open().substr(0, 35);
  }), "libtapegrad_fake.so.3 was not found");
}

TEST_F(CudaLoading, NoDriver) {
  if (dlopen("libcuda.so.1", RTLD_LAZY)) GTEST_SKIP() << "this machine has one";
  EXPECT_EQ(in_child(driver_problem), "no NVIDIA driver is installed (libcuda.so.1 was not found)");
}

TEST_F(CudaLoading, OldAndNewDriver) {
  if (dlopen("libcuda.so.1", RTLD_LAZY)) GTEST_SKIP() << "this machine has one";
  auto with_version = [&](int version) {
    const std::string at = library("libcuda.so.1", "libcuda.so.1", "int cuDriverGetVersion(int* v) { *v = " + std::to_string(version) + "; return 0; }");
    return in_child([&] {
      dlopen(at.c_str(), RTLD_LAZY | RTLD_LOCAL);
      return driver_problem();
    });
  };
  EXPECT_EQ(with_version(12040), "the NVIDIA driver is too old (it supports CUDA 12.4, this build needs 13.0: driver >= 580)");
  EXPECT_EQ(with_version(13000), "");
  EXPECT_EQ(with_version(13020), "");
}

TEST(CudaRequirements, CodeForADevice) {
  EXPECT_TRUE(runs_on("90-real", 9, 0));
  EXPECT_FALSE(runs_on("90-real", 10, 0));
  EXPECT_FALSE(runs_on("90-real", 8, 9));
  EXPECT_TRUE(runs_on("80-real;90-real", 8, 6));  // a later chip of the same generation
  EXPECT_FALSE(runs_on("86-real", 8, 0));
  EXPECT_TRUE(runs_on("75-real,90", 12, 0));      // through PTX
  EXPECT_TRUE(runs_on("90-virtual", 10, 3));
  EXPECT_FALSE(runs_on("90a-real", 10, 0));
  EXPECT_TRUE(runs_on("90a-real", 9, 0));
  EXPECT_TRUE(runs_on("100-real,120", 12, 1));
  EXPECT_FALSE(runs_on("", 9, 0));
}

TEST(CudaRequirements, UnsupportedDevice) {
  EXPECT_EQ(unsupported("75-real,90-real,120", "NVIDIA GeForce GTX 1080", 6, 1),
            "the device NVIDIA GeForce GTX 1080 (compute capability 6.1) is not supported: this build has code for 7.5, 9.0 and 12.0 or later");
  EXPECT_EQ(unsupported("90-real", "NVIDIA B200", 10, 0),
            "the device NVIDIA B200 (compute capability 10.0) is not supported: this build has code for 9.0");
}

TEST(CudaErrors, StickyErrorsPointAtAnEarlierKernel) {
  const char *name = "cudaErrorIllegalAddress", *text = "an illegal memory access was encountered";
  EXPECT_EQ(error_text(700, name, text, "cudaMemcpyAsync", false),
            "an earlier kernel failed: an illegal memory access was encountered (cudaErrorIllegalAddress); run again with TAPEGRAD_CUDA_SYNC=1");
  EXPECT_EQ(error_text(700, name, text, "", true), "its kernel failed: an illegal memory access was encountered (cudaErrorIllegalAddress)");
  EXPECT_EQ(error_text(1, "cudaErrorInvalidValue", "invalid argument", "cudaMemcpyAsync(to, from, bytes, kind, s)", false),
            "cudaMemcpyAsync(to, from, bytes, kind, s) failed: invalid argument (cudaErrorInvalidValue)");
  for (int sticky : {214, 700, 702, 710, 714, 715, 716, 717, 718, 719}) EXPECT_TRUE(is_sticky(sticky));
  for (int other : {0, 1, 2, 100, 400, 600, 701, 704}) EXPECT_FALSE(is_sticky(other));
}
