// What the files of the tape share beside autograd.h.
#pragma once
#include <vector>

#include "tapegrad/autograd.h"

namespace tapegrad {

/// Hooks and retained gradients of a node; most nodes have none.
struct NodeExtra {
  struct TensorHook { uint32_t output_nr; Ref<Hook> hook; };
  struct Retained { uint32_t output_nr; TensorImpl* tensor; };  // borrowed: the tensor takes itself out when it dies
  std::vector<TensorHook> tensor_hooks;
  std::vector<Retained> retained;
  std::vector<Ref<NodeHook>> before, after;
};
NodeExtra& extra_of(Node& n);

}  // namespace tapegrad
