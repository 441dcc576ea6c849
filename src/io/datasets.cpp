// Data sets that come with the library, found relative to it.
#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "tapegrad/data.h"
#include "tapegrad/io.h"

namespace tapegrad::datasets {

// TAPEGRAD_DATA, or share/tapegrad beside the library's folder (installed, wheel) or in it (build folder).
static std::string find(const std::string& name) {
  if (const char* folder = std::getenv("TAPEGRAD_DATA")) return std::string(folder) + "/" + name;
  std::string tried;
  Dl_info info;
  if (::dladdr(reinterpret_cast<const void*>(&digits), &info) && info.dli_fname) {
    const std::string library = info.dli_fname;
    const size_t slash = library.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : library.substr(0, slash);
    for (const char* way : {"/../share/tapegrad/", "/../../share/tapegrad/", "/share/tapegrad/"}) {
      const std::string path = folder + way + name;
      if (::access(path.c_str(), R_OK) == 0) return path;
      tried += "\n  " + path;
    }
  }
  detail::fail<IoError>(name, " was not found; set TAPEGRAD_DATA to its folder. Tried:", tried);
}

data::TensorDataset digits(std::string_view split) {
  OpScope op("digits");
  NoGrad no_grad;
  TG_CHECK(split == "train" || split == "test" || split == "all", ValueError, "split must be \"train\", \"test\" or \"all\", got \"", split, "\"");
  Tensor images, labels;
  for (auto& [name, t] : load(find("digits.safetensors"))) {
    if (name == "images") images = unsqueeze(to(t, float32), 1) / 16;
    if (name == "labels") labels = to(t, int64);
  }
  if (split == "all") return {images, labels};
  const bool test = split == "test";
  const int64_t n = images.size(0), tests = (n + 4) / 5;
  const Tensor rows = empty({test ? tests : n - tests}, int64);
  int64_t* row = rows->host<int64_t>();
  for (int64_t i = 0; i < n; i++)
    if ((i % 5 == 0) == test) *row++ = i;
  return {index_select(images, 0, rows), index_select(labels, 0, rows)};
}

}  // namespace tapegrad::datasets
