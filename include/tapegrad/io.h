// Files. State dicts are saved as safetensors, readable by Python (tapegrad.load, the safetensors package) and back.
// Reading trusts nothing: every size, offset, name and dtype is checked, and a file is either read whole or refused with an
// IoError; no file can run code, read outside itself or crash the reader.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "tapegrad/nn.h"

namespace tapegrad {

/// Free text beside the tensors of a file.
using Metadata = std::vector<std::pair<std::string, std::string>>;

/// Writes the tensors, row-major, under a temporary name, flushes them to the disk and renames: `path` holds the old file or
/// the new one, never a part.
TG_API void save(const StateDict& tensors, const std::string& path, const Metadata& metadata = {});
inline void save(const nn::Module& m, const std::string& path, const Metadata& metadata = {}) { save(m.state_dict(), path, metadata); }
/// The tensors of a safetensors file in the header's order, and its metadata when wanted.
TG_API StateDict load(const std::string& path, Metadata* metadata = nullptr);

}  // namespace tapegrad
