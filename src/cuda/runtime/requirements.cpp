#include "src/cuda/runtime/requirements.h"

#include <dlfcn.h>

#include <algorithm>
#include <cctype>
#include <vector>

namespace tapegrad::cuda {

namespace {

constexpr int kNeeded = 13000, kDriver = 580;  // CUDA 13.0 and the first driver that has it

struct Arch {
  int number;  // 90
  bool exact, later;
  bool runs_on(int major, int minor) const {
    const int device = major * 10 + minor;
    return device == number || (!exact && device > number && (later || device / 10 == number / 10));
  }
};

std::vector<Arch> parse(const std::string& archs) {
  std::vector<Arch> found;
  for (size_t at = 0; at < archs.size();) {
    const size_t end = std::min(archs.find_first_of(",;", at), archs.size());
    const std::string one = archs.substr(at, end - at);
    size_t digits = 0;
    while (digits < one.size() && std::isdigit(static_cast<unsigned char>(one[digits]))) digits++;
    const bool exact = digits < one.size() && one[digits] == 'a';
    if (digits) found.push_back({std::stoi(one.substr(0, digits)), exact, one.find("-real") == one.npos && !exact});
    at = end + 1;
  }
  return found;
}

}  // namespace

std::string driver_problem() {
  void* library = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  if (!library) return "no NVIDIA driver is installed (libcuda.so.1 was not found)";
  int version = 0;
  if (auto get = reinterpret_cast<int (*)(int*)>(dlsym(library, "cuDriverGetVersion"))) get(&version);
  if (version >= kNeeded) return "";
  auto text = [](int v) { return std::to_string(v / 1000) + "." + std::to_string(v % 1000 / 10); };
  return "the NVIDIA driver is too old (it supports CUDA " + text(version) + ", this build needs " + text(kNeeded) + ": driver >= " +
         std::to_string(kDriver) + ")";
}

bool runs_on(const std::string& archs, int major, int minor) {
  for (const Arch& a : parse(archs)) if (a.runs_on(major, minor)) return true;
  return false;
}

std::string unsupported(const std::string& archs, const char* name, int major, int minor) {
  auto text = [](int number) { return std::to_string(number / 10) + "." + std::to_string(number % 10); };
  std::string list;
  const std::vector<Arch> all = parse(archs);
  for (size_t i = 0; i < all.size(); i++) {
    if (i) list += i + 1 < all.size() ? ", " : " and ";
    list += text(all[i].number);
    if (all[i].later) list += " or later";
  }
  return std::string("the device ") + name + " (compute capability " + text(major * 10 + minor) + ") is not supported: this build has code for " +
         list;
}

}  // namespace tapegrad::cuda
