// Files. State dicts are saved as safetensors, readable by Python (tapegrad.load, the safetensors package) and back; NumPy's .npy
// and .npz are written and read, PyTorch's .pt and .pth read.
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
/// Example: save({{"w", ones({2})}}, "example.safetensors");
///   for (const auto& [name, t] : load("example.safetensors")) assert(name == "w" && equal(t, ones({2})));
TG_API void save(const StateDict& tensors, const std::string& path, const Metadata& metadata = {});
inline void save(const nn::Module& m, const std::string& path, const Metadata& metadata = {}) { save(m.state_dict(), path, metadata); }
/// The tensors of a safetensors file in the header's order, and its metadata when wanted. What the file is, its first bytes tell:
/// .npz and .pt files are read as by the functions below.
TG_API StateDict load(const std::string& path, Metadata* metadata = nullptr);

/// One tensor, byte for byte what numpy.save writes. DtypeError for bfloat16, which NumPy does not have.
TG_API void save_npy(const Tensor& tensor, const std::string& path);
/// Any byte order and either order of the dimensions; the tensor is row-major.
TG_API Tensor load_npy(const std::string& path);
/// An uncompressed archive for numpy.load.
TG_API void save_npz(const StateDict& tensors, const std::string& path);
/// numpy.savez and savez_compressed.
TG_API StateDict load_npz(const std::string& path);

/// The tensors in a file of torch.save(state_dict) or of tapegrad.save, without running anything in it: names that are not of
/// tensors, numbers and containers are refused. Dicts, lists and tuples within each other become dotted names ("optimizer.state.0.step");
/// numbers become tensors without dimensions, texts go into the metadata, and None is left out.
TG_API StateDict load_torch(const std::string& path, Metadata* metadata = nullptr);

/// A training run's state in one safetensors file. The same contents give the same bytes, from C++ and from Python's
/// tapegrad.checkpoint; the order of entries is by name when read.
struct Checkpoint {
  StateDict model, optimizer, values;  ///< net.state_dict(), adam.state_dict(), and what you like: {{"epoch", tensor(3)}}
  Metadata texts;
};
TG_API void save_checkpoint(const Checkpoint& checkpoint, const std::string& path);
TG_API Checkpoint load_checkpoint(const std::string& path);

}  // namespace tapegrad
