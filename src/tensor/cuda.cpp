// Loads libtapegrad_cuda.so when CUDA is first asked for, and says why where it cannot be used.
#include "src/tensor/cuda.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>
#include <mutex>

#include "src/tensor/make.h"

namespace tapegrad {
namespace {

void fail(int error, const char* text) {
  switch (error) {
    case CudaHost::kOutOfMemory: detail::fail<OutOfMemoryError>(text);
    case CudaHost::kNotImplemented: detail::fail<NotImplementedError>(text);
    case CudaHost::kIndexError: detail::fail<IndexError>(text);
    case CudaHost::kValueError: detail::fail<ValueError>(text);
    default: detail::fail<Error>(text);
  }
}
const char* running_op() { return tls.scope ? tls.scope->name : nullptr; }

constexpr CudaHost kHost{kCudaAbi, sizeof(CudaHost), TAPEGRAD_VERSION, &fail, &running_op};

struct Loaded {
  CudaPlugin plugin{};
  std::string why_not;
};
std::string own_folder() {
  Dl_info info{};
  dladdr(reinterpret_cast<const void*>(&own_folder), &info);
  const std::string path = info.dli_fname ? info.dli_fname : "";
  const size_t slash = path.rfind('/');
  return slash == path.npos ? "." : path.substr(0, slash);
}
// The plugin stays loaded for good: tensors may outlive static destructors.
std::string load(CudaPlugin& plugin) {
  const char* given = std::getenv("TAPEGRAD_CUDA_LIB");
  const std::string path = given ? given : own_folder() + "/libtapegrad_cuda.so";
  if (access(path.c_str(), R_OK) != 0)
    return given ? "TAPEGRAD_CUDA_LIB names a file that cannot be read (" + path + ")"
                 : "this build has no CUDA backend (libtapegrad_cuda.so is not beside libtapegrad.so)";
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) return std::string("its CUDA backend cannot be loaded: ") + dlerror();
  auto* init = reinterpret_cast<CudaInit>(dlsym(handle, "tapegrad_cuda_init"));
  if (!init) return path + " is not a CUDA backend of tapegrad";
  char why[1024] = "";
  if (init(&kHost, &plugin, why, sizeof why)) return why;
  if (plugin.abi != kCudaAbi || plugin.size != sizeof(CudaPlugin) || std::string_view(plugin.version) != TAPEGRAD_VERSION)
    return path + " belongs to another version of tapegrad (" + plugin.version + ", this is " TAPEGRAD_VERSION ")";
  return "";
}
const Loaded& loaded() {
  static const Loaded& l = [] () -> const Loaded& {
    auto* fresh = new Loaded;
    fresh->why_not = load(fresh->plugin);
    return *fresh;
  }();
  return l;
}

}  // namespace

const std::string& cuda_why_not() { return loaded().why_not; }
const CudaPlugin& cuda_plugin() {
  const Loaded& l = loaded();
  TG_CHECK(l.why_not.empty(), DeviceError, "CUDA requested but ", l.why_not);
  return l.plugin;
}
Device cuda_device(Device d) {
  const CudaRuntime& r = cuda_runtime();
  const int n = r.device_count();
  TG_CHECK(d.index < n, DeviceError, "there is no device ", d, ": ", n, n == 1 ? " CUDA device is" : " CUDA devices are", " visible");
  return d.index < 0 ? Device(DeviceType::CUDA, r.current_device()) : d;
}
void TensorImpl::not_on_cpu() {
  detail::fail<NotImplementedError>("not implemented on CUDA yet; use .cpu() and move the result back");
}

Tensor host_copy(const Tensor& x) {
  if (!x.is_cuda()) return x;
  int64_t reach = x->numel ? 1 : 0;
  for (int d = 0; d < x->ndim && reach; d++) reach += (x->sizes[d] - 1) * x->strides[d];
  const Tensor span = empty({reach}, x->dtype);
  cuda_runtime().copy(span->data, -1, x->data, x->device.index, size_t(reach) * x.element_size(), false);
  return alias(span, x.sizes(), x.strides(), 0, false);
}

}  // namespace tapegrad
