// NVIDIA's libraries, opened when first needed: the plugin links none of them. A library is looked for, in this order, in the
// process (torch may have brought it), at TAPEGRAD_<NAME>_PATH, in NVIDIA's wheels (TAPEGRAD_NVIDIA_ROOT, else ../../nvidia from the
// plugin's package), and where the system's loader looks.
#pragma once
#include <mutex>
#include <string>

namespace tapegrad::cuda {

class Library {
 public:
  struct Info {
    const char* name;       // in the variable's name: "CUBLASLT"
    const char* soname;    // "libcublasLt.so.13"
    const char* folder;    // under NVIDIA's root: "cu13/lib"
    const char* package;   // whom to install
    size_t (*version)(void* handle);  // of the opened library, as major * 10000 + minor * 100 + patch
    size_t minimum;        // only major and minor count
  };
  explicit Library(const Info& i) : info(i) {}
  const Info info;

  /// Opens it once. Empty when it is open, else the reason, in a full sentence for users.
  const std::string& open();
  /// A function's address; null where the library has none (open() said yes before).
  void* symbol(const char* function) const;
  /// "cublasLt 13.1.0 (/path)" when open, else empty.
  std::string line() const;

 private:
  std::string find();  // the reason why not
  mutable std::mutex lock_;
  bool tried_ = false;
  void* handle_ = nullptr;
  size_t version_ = 0;
  std::string path_, why_not_;
};

/// "13.1.0" of 130100.
std::string version_text(size_t version);

}  // namespace tapegrad::cuda
