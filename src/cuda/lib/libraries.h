// The libraries that the plugin may open, and how their functions are found.
#pragma once
#include <dlfcn.h>

#include "src/cuda/lib/library.h"
#include "src/cuda/runtime/error.h"

namespace tapegrad::cuda {

extern Library cublaslt_library;

/// Opens a library and fills function pointers with what it exports, each checked by its declared type only. Throws "CUDA requested
/// but …" where the library or a function is missing.
class Loader {
  Library& library_;
 public:
  explicit Loader(Library& library) : library_(library) {
    const std::string& why_not = library_.open();
    if (!why_not.empty()) fail(CudaHost::kError, "CUDA requested but %s", why_not.c_str());
  }
  template <class R, class... A> void operator()(const char* name, R (*&function)(A...)) const {
    function = reinterpret_cast<R (*)(A...)>(library_.symbol(name));
    if (!function) fail(CudaHost::kError, "CUDA requested but %s has no %s; update the package %s", library_.info.soname, name, library_.info.package);
  }
};

}  // namespace tapegrad::cuda
