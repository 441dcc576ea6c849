// What the files of the tape share beside autograd.h.
#pragma once
#include <vector>

#include "tapegrad/autograd.h"
#include "tapegrad/tape.h"

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

/// A leaf's `origin` after its gradient was taken away.
inline constexpr const char* kGradCleared = "grad = None";

/// Asked by n's backward: the gradient that the leaf behind input k has by now, taken out of the leaf, if n may add to it and give
/// the sum back as its dx[k]. That saves a buffer and a pass where many steps share a weight. Undefined where n cannot: no leaf, no
/// gradient yet, somebody else holds it, hooks or anomaly mode want to see each part, or the graph of the gradient is recorded.
Tensor lend_gradient(const Node& n, int k);
/// Puts it back when the sum could not be made, so that an exception takes no gradient with it.
void give_back_gradient(const Node& n, int k, Tensor lent);

/// set_history() in two steps. Only the first for a node that has been recorded before; no lock may be held in the second, which may
/// run Python code.
void link_history(const Tensor& out, Node* owned, uint32_t output_nr);
void tell_listeners(const Tensor& out, Node& node, uint32_t output_nr);

/// Note [Reading what a node saved]
/// free_saved() lists a node's saved tensors. While a reader is set in this thread, SavedTensor::reset() shows it what it holds and
/// keeps it, so that no node needs a second list.
struct SavedReader {
  Node& node;
  std::vector<TapeStep::Saved> found;
  explicit SavedReader(Node& n);
  ~SavedReader();
  void see(const Tensor& t, TapeStep::Saved::State state, bool output, uint32_t output_nr);
  SavedReader(const SavedReader&) = delete;
};
extern constinit thread_local SavedReader* saved_reader;
extern constinit thread_local TapeObserver* tape_observer;

}  // namespace tapegrad
