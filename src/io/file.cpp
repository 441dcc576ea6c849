#include "src/io/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace tapegrad::io {

void File::failed(const char* what) const { detail::fail<IoError>(path_, ": cannot ", what, ": ", std::strerror(errno)); }

File::File(const std::string& path, int flags, const char* what) : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0666)), path_(path) {
  if (fd_ < 0) failed(what);
}
File::File(const std::string& path) : File(path, O_RDONLY, "open") {}
File::~File() {
  if (fd_ >= 0) ::close(fd_);
}

uint64_t File::size() const {
  struct stat s;
  if (::fstat(fd_, &s) != 0) failed("read");
  TG_CHECK(S_ISREG(s.st_mode), IoError, path_, ": not a regular file");
  return uint64_t(s.st_size);
}
void File::read(void* to, uint64_t bytes, uint64_t at) const {
  for (auto* p = static_cast<char*>(to); bytes > 0;) {
    const ssize_t n = ::pread(fd_, p, std::min<uint64_t>(bytes, 1 << 30), off_t(at));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) failed("read");
    TG_CHECK(n > 0, IoError, path_, ": the file ended while it was read");
    p += n, at += uint64_t(n), bytes -= uint64_t(n);
  }
}
std::string File::read(uint64_t bytes, uint64_t at) const {
  std::string s(bytes, '\0');
  read(s.data(), bytes, at);
  return s;
}
void File::write(const void* from, uint64_t bytes) {
  for (auto* p = static_cast<const char*>(from); bytes > 0;) {
    const ssize_t n = ::write(fd_, p, std::min<uint64_t>(bytes, 1 << 30));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) failed("write");
    p += n, bytes -= uint64_t(n);
  }
}
void File::flush() {
  if (::fsync(fd_) != 0) failed("flush");
}
void File::close() {
  const int fd = fd_;
  fd_ = -1;
  if (::close(fd) != 0) failed("close");
}

// What a rename is to replace: the target of a link, and no device, pipe or folder.
static std::string target_of(const std::string& path) {
  struct stat s;
  if (::stat(path.c_str(), &s) != 0) return path;
  TG_CHECK(S_ISREG(s.st_mode), IoError, path, ": cannot create: it exists and is not a regular file");
  const std::unique_ptr<char, void (*)(void*)> target(::realpath(path.c_str(), nullptr), ::free);
  return target ? target.get() : path;
}
static std::string temporary_name(const std::string& path) {
  static std::atomic<unsigned> counter{0};
  return path + ".tmp" + std::to_string(::getpid()) + "-" + std::to_string(counter++);
}
NewFile::NewFile(const std::string& path)
    : path_(target_of(path)), temporary_(temporary_name(path_)), file(temporary_, O_WRONLY | O_CREAT | O_EXCL, "create") {}
NewFile::~NewFile() {
  if (!done_) ::unlink(temporary_.c_str());
}
void NewFile::commit() {
  struct stat s;
  if (::stat(path_.c_str(), &s) == 0) ::chmod(temporary_.c_str(), s.st_mode & 0777);  // as the old file; no matter if that cannot be
  file.flush();
  file.close();
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) detail::fail<IoError>(path_, ": cannot rename into place: ", std::strerror(errno));
  done_ = true;
  // The new name itself is on disk once its folder is. Some file systems cannot flush a folder: then there is no more to do.
  const size_t slash = path_.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : path_.substr(0, slash);
  if (const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); fd >= 0) {
    ::fsync(fd);
    ::close(fd);
  }
}

}  // namespace tapegrad::io
