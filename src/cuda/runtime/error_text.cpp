#include "src/cuda/runtime/error_text.h"

namespace tapegrad::cuda {

std::string error_text(int code, const char* name, const char* text, const char* call, bool waited_for) {
  const std::string what = std::string(text) + " (" + name + ")";
  if (waited_for) return "its kernel failed: " + what;
  if (is_sticky(code)) return "an earlier kernel failed: " + what + "; run again with TAPEGRAD_CUDA_SYNC=1";
  return std::string(call) + " failed: " + what;
}

}  // namespace tapegrad::cuda
