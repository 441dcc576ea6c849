// Who listens to ops as they run: the profiler, the search for the first NaN. Nobody does in normal runs, which pay a test of one
// byte an op.
#pragma once
#include "tapegrad/autograd.h"

namespace tapegrad {

/// The tensors among the arguments of an op that Python calls, one entry an argument: none for what is no tensor.
struct Argument {
  const Tensor* tensors = nullptr;
  size_t count = 0;
  bool list = false;
  double number = 0;  // of what is one
};
struct TG_API Call {
  const char* name;
  std::span<const Argument> arguments;
  const Call* outer;
  const OpScope* scope;  // that it was made in
  const Tensor* target;  // that it writes into, or null
  bool target_was_finite = true;  // and what else lies in its memory among the arguments; for a Watcher to set
  std::vector<uint32_t> versions; // before it, of the arguments that are one tensor
  Call(const char* name, std::span<const Argument> a, const Tensor* target = nullptr);
  ~Call();
  Call(const Call&) = delete;
  /// To be called with what the op gave. May throw.
  void returned(std::span<const Tensor> results) const;
};
/// The innermost that runs in this thread and noted its arguments; null for none.
TG_API const Call* running_call();

/// Called in the thread that runs the op.
struct Watcher {
  /// For each OpScope, nested ones too (`scope.outer`).
  virtual void opened(const OpScope&) noexcept {}
  virtual void closed(const OpScope&) noexcept {}
  // What follows may throw: the op or the backward then ends with it.
  /// Before an op with a target.
  virtual void will_write(Call&) {}
  virtual void returned(const Call&, std::span<const Tensor>) {}
  virtual void recorded(const Node&, const Tensor& /*out*/) {}
  /// A node's backward begins and ends; the latter is not heard when it throws. g: by output, dx: by input, undefined for none.
  virtual void node_opened(const Node&, const Tensor* /*g*/) {}
  virtual void node_closed(const Node&, const Tensor* /*dx*/) {}
  virtual ~Watcher() = default;
};
/// Does anybody listen to this thread? Another thread may have begun it.
inline bool is_watched() { return __atomic_load_n(&tls.watched, __ATOMIC_RELAXED); }
/// From now on `w` hears of the ops of all threads; it hears of the end of an op whose begin it has missed.
TG_API void add_watcher(Watcher* w);
/// Afterwards no thread is inside `w`. Not to be called by a Watcher, nor with Python's lock held: a Watcher may wait for that.
TG_API void remove_watcher(Watcher* w);

namespace detail {  // where is_watched()
void tell_recorded(const Node& n, const Tensor& out);
void tell_node_opened(const Node& n, const Tensor* g);
void tell_node_closed(const Node& n, const Tensor* dx);
}  // namespace detail

}  // namespace tapegrad
