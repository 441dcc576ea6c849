// One running backward.
#pragma once
#include <optional>
#include <unordered_map>
#include <vector>

#include "src/autograd/node.h"

namespace tapegrad {

class Backward {
 public:
  Backward(BackwardOptions options, const char* called);
  ~Backward();
  Backward(const Backward&) = delete;
  /// Collect the gradients of `inputs` instead of writing leaves' .grad; only nodes on a path to them run.
  void want(TensorList inputs, const std::vector<Node*>& roots);
  void push(Node* n, uint32_t output_nr, Tensor g);
  void give_leaf(const Tensor& leaf, Tensor g);
  void run();
  Tensor captured(const Tensor& input);
  static bool captures() { return current_->capture_.has_value(); }  // the innermost running one
  static void lent(int k) { current_->lent_ |= 1u << k; }              // k < 32: lend_gradient() is for nodes of few inputs

 private:
  struct Capture {
    std::unordered_map<TensorImpl*, Tensor> leaves;
    std::unordered_map<Node*, std::unordered_map<uint32_t, Tensor>> node_outputs;
  };
  void give(const Edge& e, Tensor g);
  Node* pop();
  void next_from_heap();
  void keep_in_heap(Node* n);
  Tensor* gathered(Node* n, std::vector<Tensor>& side);
  bool prepare(Node* n, Tensor* g);
  void run_hooks_before(Node* n, Tensor* g);
  bool take_over(Node* n);
  void find_needed(const std::vector<Node*>& roots);

  BackwardOptions options_;
  Backward* outer_;                                          // the one this was started from inside of
  uint16_t note_;                                            // of the line that called it
  uint16_t outer_origin_ = tls.origin;
  uint32_t lent_ = 0;                                        // inputs of the running node whose leaves have lent it their gradients
  Node* next_ = nullptr;                                     // recorded last of all that are queued …
  std::vector<Node*> heap_;                                  // … and the others: a chain never gets here
  std::optional<std::unordered_map<Node*, std::vector<Tensor>>> side_;  // gradients for nodes that another backward owns
  struct Need {
    bool runs;          // false: only its gradient is captured
    uint32_t unwanted;  // bit k: nothing wanted lies behind input k
  };
  std::optional<std::unordered_map<Node*, Need>> needed_;
  std::optional<Capture> capture_;
  std::vector<std::pair<Tensor, Tensor>> with_hooks_;        // leaves with hooks: called at the end, with the whole gradient
  static thread_local Backward* current_;
};

/// The last backward of any thread that was not run by another one.
struct alignas(4) LastBackward {  // so that clang, too, loads it at once when it is atomic
  uint16_t note = 0;  // "backward", "backward(inputs=)" or "grad", and its line; 0: there was none
  bool failed = false;
};
LastBackward last_backward();

}  // namespace tapegrad
