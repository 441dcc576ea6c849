// Zip archives, as NumPy's .npz and PyTorch's .pt files use them: entries stored or deflated, zip64 where large.
// The reader refuses encryption, other compressions, names that come twice, and whatever reaches beyond the file or its neighbour.
#pragma once
#include <string>
#include <unordered_map>
#include <vector>

#include "src/io/file.h"

namespace tapegrad::io {

struct ZipEntry {
  std::string name;
  uint64_t at;            // of the data in the file
  uint64_t packed, size;  // bytes in the file; bytes of the data
  uint32_t crc;
  bool deflated;
};

class ZipReader {
  const File& file_;
  uint64_t total_;
  std::vector<ZipEntry> entries_;
  std::unordered_map<std::string_view, const ZipEntry*> by_name_;
  [[noreturn]] void bad(const std::string& what) const;
  void read_directory(uint64_t at, uint64_t size, uint64_t count);
 public:
  explicit ZipReader(const File& file);  // which must outlive it
  ZipReader(const ZipReader&) = delete;
  const std::vector<ZipEntry>& entries() const { return entries_; }
  const ZipEntry* find(std::string_view name) const;
  /// The data of an entry, its checksum compared.
  std::string read(const ZipEntry& e) const;
  /// The same of a stored entry, into `to`.
  void read_stored(const ZipEntry& e, void* to) const;
};

/// Writes stored entries; finish() writes the directory.
class ZipWriter {
  File& file_;
  uint64_t at_ = 0, count_ = 0;
  std::string directory_;
  void put(std::string_view s);
 public:
  explicit ZipWriter(File& file) : file_(file) {}
  /// One entry, `head` followed by `data`; the data begins at a multiple of 64 bytes where `head` has a multiple of 64.
  void add(const std::string& name, std::string_view head, std::string_view data);
  void finish();
};

}  // namespace tapegrad::io
