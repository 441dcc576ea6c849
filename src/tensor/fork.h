// Locks and forks.
#pragma once
#include <mutex>

#include "tapegrad/types.h"

namespace tapegrad {

/// A fork waits for who holds it, so that the child finds it free and what it guards whole. Its holder must wait for nothing that the
/// forking thread may have: not for Python's lock, not for another one of these. It is made as the library is loaded: were it made when
/// first needed, a fork in that moment would leave the child waiting for the thread that made it.
class TG_API ForkSafeMutex : public std::mutex {
 public:
  ForkSafeMutex();
  ~ForkSafeMutex();
};

}  // namespace tapegrad
