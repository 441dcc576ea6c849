#include "src/cuda/lib/library.h"

#include <dlfcn.h>
#include <link.h>
#include <unistd.h>

#include <cstdlib>

namespace tapegrad::cuda {

namespace {

std::string variable(const std::string& name) {
  const char* v = std::getenv(name.c_str());
  return v ? v : "";
}

std::string own_folder() {
  Dl_info i{};
  dladdr(reinterpret_cast<void*>(&own_folder), &i);
  const std::string path = i.dli_fname ? i.dli_fname : "";
  const size_t slash = path.rfind('/');
  return slash == path.npos ? "." : path.substr(0, slash);
}

std::string path_of(void* handle, const char* otherwise) {
  link_map* m = nullptr;
  return dlinfo(handle, RTLD_DI_LINKMAP, &m) == 0 && m->l_name[0] ? m->l_name : otherwise;
}

}  // namespace

std::string version_text(size_t v) {
  return std::to_string(v / 10000) + "." + std::to_string(v / 100 % 100) + "." + std::to_string(v % 100);
}

const std::string& Library::open() {
  std::lock_guard g(lock_);
  if (!tried_) why_not_ = find();
  tried_ = true;
  return why_not_;
}

std::string Library::find() {
  const std::string named = variable(std::string("TAPEGRAD_") + info.name + "_PATH");
  std::string root = variable("TAPEGRAD_NVIDIA_ROOT"), reason;
  if (root.empty()) root = own_folder() + "/../../nvidia";  // from site-packages/tapegrad/lib
  const std::string wheel = root + "/" + info.folder + "/" + info.soname;

  handle_ = dlopen(info.soname, RTLD_NOLOAD | RTLD_LAZY | RTLD_LOCAL);
  auto attempt = [&](const char* path) {
    handle_ = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
    if (!handle_ && reason.empty()) reason = dlerror();  // the first is what the user meant
  };
  if (!handle_ && !named.empty()) attempt(named.c_str());
  if (!handle_ && access(wheel.c_str(), F_OK) == 0) attempt(wheel.c_str());
  if (!handle_) attempt(info.soname);
  if (!handle_) return std::string(info.soname) + " was not found (" + reason + "); install the package " + info.package;

  path_ = path_of(handle_, info.soname);
  version_ = info.version(handle_);
  if (version_ / 100 >= info.minimum / 100) return "";
  handle_ = nullptr;  // stays loaded: others may use it
  return std::string(info.soname) + " is too old (" + path_ + " has version " + version_text(version_) + ", this build needs " +
         version_text(info.minimum) + "); update the package " + info.package;
}

void* Library::symbol(const char* function) const { return dlsym(handle_, function); }

std::string Library::line() const {
  std::lock_guard g(lock_);
  return handle_ ? std::string(info.soname) + " " + version_text(version_) + " (" + path_ + ")" : "";
}

}  // namespace tapegrad::cuda
