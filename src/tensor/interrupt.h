// Loops that can be ended from outside (tapegrad/interrupt.h).
#pragma once
#include "src/tensor/parallel.h"

namespace tapegrad {

namespace detail {
void run_interruptible_pieces(int64_t n, int64_t grain, PieceFn f, void* arg);
}

/// parallel_for for kernels that may take long and write only what nobody else sees yet: the caller's thread asks for interrupts between
/// two pieces. When there is one this throws, and pieces were left out.
template <class F> void interruptible_for(int64_t n, int64_t grain, F&& f) {
  if (n <= grain) return parallel_for(n, grain, f);
  using G = std::remove_reference_t<F>;
  detail::run_interruptible_pieces(n, grain, [](void* p, int64_t b, int64_t e) { (*static_cast<G*>(p))(b, e); }, const_cast<void*>(static_cast<const void*>(&f)));
}
/// Throws when this operation is to end; for long loops outside of these. Inside a piece it does nothing.
void ask_for_interrupt();

}  // namespace tapegrad
