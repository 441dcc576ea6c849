// The tape as data and as text, for people and debuggers: what was recorded, in which order, from which line. Nothing here costs
// anything until it is called.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "tapegrad/autograd.h"

namespace tapegrad {

/// One recorded op.
struct TapeStep {
  struct Output {
    bool known = false;   // its sizes and dtype: nodes keep neither, so they are learnt from a backward on the side
    Shape sizes;
    Dtype dtype = Dtype::Float32;
    std::string name;     // of the variable that holds it
  };
  struct Input {
    enum Kind : uint8_t { constant, step, leaf } kind = constant;
    uint32_t output_nr = 0;
    size_t index = 0;     // of the step or leaf
  };
  struct Saved {
    std::string role;     // "input 0", "output 0", "saved 2"
    Tensor tensor;        // undefined when freed or packed
    enum State : uint8_t { kept, freed, packed, changed } state = kept;
  };
  Node* node = nullptr;   // borrowed: the tape's root keeps it
  std::string op;
  std::vector<Output> outputs;
  std::vector<Input> inputs;
  std::vector<Saved> saved;
  int64_t saved_bytes = 0;
  std::string place;      // as describe() says it, and its parts where it names a line
  std::string file, function, source;
  int line = 0;
  std::string module;     // path of the nn module whose forward ran: "Net.blocks.0"
};
struct TapeLeaf {
  Tensor tensor;
  std::string name;       // empty when not known
};
/// What lies behind one tensor, in the order of recording.
struct Tape {
  Tensor root;
  std::vector<TapeStep> steps;
  std::vector<TapeLeaf> leaves;
  int64_t saved_bytes = 0;  // of all saved tensors, each buffer once and the leaves' own not at all
  std::string problem;      // why sizes are missing: the graph was freed, a value was overwritten …
  TG_API std::string text() const;
};
/// Sees the gradients of a backward on the side.
struct TG_API TapeVisitor {
  /// of the step's outputs and inputs; undefined for those that get none
  virtual void step(const Tape& tape, size_t index, TensorList outputs, TensorList inputs) = 0;
  virtual void leaf(const Tape& tape, size_t index, const Tensor& gradient) = 0;
  virtual ~TapeVisitor();
};
using TapeNames = std::vector<std::pair<std::string, Tensor>>;
/// Reads the tape behind `root`. Runs backward once on the side: no .grad is written, no hook called, nothing freed.
TG_API Tape read_tape(const Tensor& root, const TapeNames& names = {}, TapeVisitor* visitor = nullptr);
/// read_tape(root, names).text(), a table.
/// Example: const Tensor x = ones({2}).set_requires_grad();
///   assert(tape((x * 3).sum(), {{"x", x}}).find("MulBackward0") != std::string::npos);
TG_API std::string tape(const Tensor& root, const TapeNames& names = {});
/// The gradients of n's inputs for these gradients of its outputs, without hooks; undefined for inputs that need none.
TG_API std::vector<Tensor> run_node(Node& n, TensorList grad_outputs);
/// What n saved.
TG_API std::vector<TapeStep::Saved> saved_tensors(Node& n);

/// Told of each recorded op of this thread while it is set: the values are there, the node knows its inputs and place.
struct TG_API TapeObserver {
  virtual void recorded(const Tensor& out, Node& node, uint32_t output_nr) = 0;
  virtual ~TapeObserver();
};
/// Returns the one before; null switches off.
TG_API TapeObserver* set_tape_observer(TapeObserver* observer);

}  // namespace tapegrad
