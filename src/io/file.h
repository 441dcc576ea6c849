// Files that are closed whatever happens, and a file that replaces another only when it is complete.
#pragma once
#include <string>

#include "tapegrad/error.h"

namespace tapegrad::io {

class File {
  int fd_;
  std::string path_;
  [[noreturn]] void failed(const char* what) const;
 public:
  File(const std::string& path, int flags, const char* what);  // as open(2); `what` names the purpose in errors
  explicit File(const std::string& path);                      // for reading
  ~File();
  File(const File&) = delete;
  const std::string& path() const { return path_; }
  uint64_t size() const;  // throws IoError where it is not a regular file
  void read(void* to, uint64_t bytes, uint64_t at) const;
  std::string read(uint64_t bytes, uint64_t at) const;
  void write(const void* from, uint64_t bytes);
  void write(std::string_view s) { write(s.data(), s.size()); }
  void flush();
  void close();
};

/// A new file under a temporary name. commit() flushes it to the disk and renames it to `path`: that holds the old file or the
/// new one, never a part. Without commit() it is removed. A link stays one: its target is replaced. Permissions are the old file's.
class NewFile {
  std::string path_, temporary_;
  bool done_ = false;
 public:
  File file;
  explicit NewFile(const std::string& path);
  ~NewFile();
  void commit();
};

}  // namespace tapegrad::io
