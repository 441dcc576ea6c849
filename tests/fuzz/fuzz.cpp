// libFuzzer over the readers of files: any bytes are a model or an exception. One program for all targets; the name it is called by says
// which one runs: safetensors, npy, zip (.npz and .pt), pickle (of a .pt file), old_pt (before PyTorch 1.6), inflate.
// Found are: what the sanitizers find, exceptions of other kinds than the readers', tensors that reach beyond their storage, and memory
// beyond the limits of docs/reliability.md. run.sh builds and runs it.
#include <fcntl.h>
#include <sanitizer/allocator_interface.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "src/io/checksum.h"
#include "src/io/inflate.h"
#include "src/io/zip.h"
#include "tapegrad/io.h"

using namespace tapegrad;

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace {


size_t current_size;  // of the input, for what is found
[[noreturn]] void found(const char* what, uint64_t a = 0, uint64_t b = 0) {
  std::fprintf(stderr, "%s (%llu, %llu; input of %zu bytes)\n", what, (unsigned long long)a, (unsigned long long)b, current_size);
  std::abort();
}

// ---- memory

thread_local bool counting = false;
int64_t live, peak;
void on_malloc(const volatile void*, size_t n) {
  if (counting && (live += int64_t(n)) > peak) peak = live;
}
void on_free(const volatile void* p) {
  if (counting && p) live -= int64_t(__sanitizer_get_allocated_size(p));
}

/// f(), which may hold at most `limit` bytes at any time.
template <class F> void within(uint64_t limit, F&& f) {
  live = peak = 0;
  counting = true;
  try {
    f();
  } catch (const IoError&) {
  } catch (const NotImplementedError&) {
  }
  counting = false;
  if (peak > int64_t(limit)) found("memory: the peak and its limit", uint64_t(peak), limit);
}

// ---- files

const int file = ::memfd_create("input", 0);
const std::string path = "/proc/self/fd/" + std::to_string(file);
void put(const void* data, size_t size) {
  if (::ftruncate(file, 0) != 0 || ::pwrite(file, data, size, 0) != ssize_t(size)) std::abort();
}

/// Every element lies within its storage.
void look_at(const Tensor& t) {
  if (t.numel() == 0) return;
  int64_t last = 0;
  for (int64_t d = 0; d < t.dim(); d++) {
    if (t.size(d) < 1 || t.stride(d) < 0) found("a size or stride", uint64_t(t.size(d)), uint64_t(t.stride(d)));
    last += (t.size(d) - 1) * t.stride(d);
  }
  const Storage& s = *t->storage;
  const char* end = t->host() + (last + 1) * int64_t(t.element_size());
  if (t->host() < s.data || end > s.data + s.bytes) found("a tensor reaches beyond its storage", uint64_t(end - s.data), s.bytes);
  static volatile char sink;
  sink = *t->host() ^ end[-1];
}
void look_at(const StateDict& s) {
  for (auto& [name, t] : s) look_at(t);
}

// ---- targets

constexpr uint64_t kSmall = 64 << 10;  // names of files, messages, tables of inflate

void safetensors(const uint8_t* data, size_t size) {
  if (size >= 9 && data[0] == 0x80 && std::memcmp(data + 4, "\0\0\0\0{", 5) != 0) return;  // load() takes it for a pickle: old_pt's part
  if (size >= 4 && std::memcmp(data, "PK\3\4", 4) == 0) return;                              // zip's
  put(data, size);
  uint64_t header = 0;
  if (size >= 8) std::memcpy(&header, data, 8);
  const uint64_t limit = 2 * size + 32 * (header < size ? header : 0) + kSmall;
  within(limit, [] { Metadata texts; look_at(load(path, &texts)); });
  within(limit, [] { look_at(load_checkpoint(path).model); });
}

void npy(const uint8_t* data, size_t size) {
  put(data, size);
  within(2 * size + kSmall, [] { look_at(load_npy(path)); });
}

// What compressed entries say that they hold counts as bytes of the file: the format allows 1032 times as many.
void zip(const uint8_t* data, size_t size) {
  put(data, size);
  uint64_t unpacked = size, entries = 0, pickle = 0;
  within(2 * size + 64 * size + kSmall, [&] {
    const io::File f(path);
    const io::ZipReader archive(f);
    for (const io::ZipEntry& e : archive.entries()) {
      entries++;
      if (e.deflated) unpacked += std::min(e.size, 1032 * e.packed);
      if (e.name.ends_with("data.pkl")) pickle += e.size;
    }
  });
  if (size < 4 || std::memcmp(data, "PK\3\4", 4) != 0) return;  // load() takes it for what safetensors and old_pt read
  within(2 * unpacked + 1024 * pickle + 1024 * entries + 64 * size + kSmall, [] { look_at(load(path)); });
}

void pickle(const uint8_t* data, size_t size) {
  static const std::string storage(64, '\1');
  {
    io::File f(path, O_WRONLY | O_TRUNC, "write");
    io::ZipWriter zip(f);
    zip.add("a/data.pkl", {reinterpret_cast<const char*>(data), size}, "");
    zip.add("a/data/0", storage, "");
    zip.add("a/data/1", {storage.data(), 8}, "");
    zip.finish();
  }
  within(1024 * size + kSmall, [] { Metadata texts; look_at(load_torch(path, &texts)); });
}

void old_pt(const uint8_t* data, size_t size) {
  put(data, size);
  within(1024 * size + kSmall, [] { look_at(load_torch(path)); });
}

// The first two bytes say how much is expected.
void inflate(const uint8_t* data, size_t size) {
  if (size < 2) return;
  const size_t expected = data[0] | size_t(data[1]) << 8;
  within(expected + kSmall, [&] {
    try {
      if (io::inflate({reinterpret_cast<const char*>(data + 2), size - 2}, expected).size() != expected) found("another size");
    } catch (const io::InflateError&) {
    }
  });
}

struct Target {
  std::string_view name;
  void (*run)(const uint8_t*, size_t);
} constexpr kTargets[] = {{"safetensors", safetensors}, {"npy", npy}, {"zip", zip}, {"pickle", pickle}, {"old_pt", old_pt}, {"inflate", inflate}};
const Target* target;

// ---- a mutator that keeps checksums right, so that what is behind them is reached

uint32_t get(const uint8_t* p, int n) {
  uint32_t v = 0;
  std::memcpy(&v, p, size_t(n));
  return v;
}
void mend_checksums(uint8_t* data, size_t size) {
  for (size_t at = 0; at + 46 <= size; at++) {
    if (std::memcmp(data + at, "PK\1\2", 4) != 0) continue;
    const uint64_t packed = get(data + at + 20, 4), unpacked = get(data + at + 24, 4), header = get(data + at + 42, 4);
    if (header + 30 > size) continue;
    const uint64_t begin = header + 30 + get(data + header + 26, 2) + get(data + header + 28, 2);
    if (begin + packed > size) continue;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + begin, packed);
    uint32_t crc = 0;
    try {
      crc = get(data + at + 10, 2) == 8 ? io::crc32(io::inflate(bytes, unpacked)) : io::crc32(bytes);
    } catch (const io::InflateError&) {
      continue;
    }
    std::memcpy(data + at + 16, &crc, 4);
  }
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char*** argv) {
  const std::string_view program = (*argv)[0];
  const std::string_view name = program.substr(program.rfind('/') + 1);
  for (const Target& t : kTargets)
    if (t.name == name) target = &t;
  if (!target) {
    std::fprintf(stderr, "%s: call it by the name of a target\n", (*argv)[0]);
    std::exit(2);
  }
  __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
  set_num_threads(1);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  current_size = size;
  target->run(data, size);
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  const size_t n = LLVMFuzzerMutate(data, size, max_size);
  if (target->run == zip && seed % 8) mend_checksums(data, n);
  return n;
}
