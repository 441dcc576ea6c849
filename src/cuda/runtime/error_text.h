// What errors of CUDA say, apart from CUDA itself.
#pragma once
#include <string>

namespace tapegrad::cuda {

/// Whether an error of this number leaves the device's context unusable: every later call then returns it too.
constexpr bool is_sticky(int code) {
  return code == 214 || code == 700 || code == 702 || code == 710 || (code >= 714 && code <= 719);
}
/// `call` failed with error `name` ("cudaErrorIllegalAddress": "an illegal memory access was encountered"). `waited_for`: it was a
/// kernel alone in its stream, so that the fault is known to be its own.
std::string error_text(int code, const char* name, const char* text, const char* call, bool waited_for);

}  // namespace tapegrad::cuda
