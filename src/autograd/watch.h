// Who listens to ops as they begin and end: the profiler, the search for the first NaN. Nobody does in normal runs, which pay a
// test of one byte an op.
#pragma once
#include "tapegrad/autograd.h"

namespace tapegrad {

/// Called in the thread that runs the op, for each OpScope, nested ones too (`scope.outer`).
struct Watcher {
  virtual void opened(const OpScope&) noexcept {}
  virtual void closed(const OpScope&) noexcept {}
  virtual ~Watcher() = default;
};
/// From now on `w` hears of the ops of all threads; it hears of the end of an op whose begin it has missed.
void add_watcher(Watcher* w);
/// Afterwards no thread is inside `w`. Not to be called by a Watcher.
void remove_watcher(Watcher* w);

}  // namespace tapegrad
