// Threads: one fork-safe pool in which the caller works too. Work is cut by its size, never by the number of threads, and
// pieces are taken dynamically, so results do not depend on either.
#pragma once
#include <type_traits>

#include "tapegrad/tensor.h"

namespace tapegrad {

namespace detail {
using PieceFn = void (*)(void* arg, int64_t begin, int64_t end);
void run_pieces(int64_t n, int64_t grain, PieceFn f, void* arg);
}

/// f(begin, end) for the pieces [0, grain), [grain, 2·grain) … of [0, n), in any order, on several threads at once.
/// Nested, or with one thread, the caller does all pieces itself. f must not throw.
/// As a rule of thumb one piece should be worth 10 µs: 32k cheap elements, 8k transcendental ones, 4e5 flops.
template <class F> void parallel_for(int64_t n, int64_t grain, F&& f) {
  if (n <= grain) {
    if (n > 0) f(int64_t(0), n);
    return;
  }
  using G = std::remove_reference_t<F>;
  detail::run_pieces(n, grain, [](void* p, int64_t b, int64_t e) { (*static_cast<G*>(p))(b, e); }, const_cast<void*>(static_cast<const void*>(&f)));
}

}  // namespace tapegrad
