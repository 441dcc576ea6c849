// The processor's sticky floating-point flags of this thread: invalid operation, division by zero, overflow.
#pragma once
#include <atomic>
#if defined(__x86_64__)
#include <xmmintrin.h>
#else
#include <cfenv>
#endif

namespace tapegrad {

#if defined(__x86_64__)  // <cfenv> also visits the x87 unit: 20 times slower
inline constexpr unsigned kFloatFlags = 1 | 4 | 8;
inline unsigned float_flags() { return _mm_getcsr() & kFloatFlags; }
inline void clear_float_flags() {
  if (const unsigned csr = _mm_getcsr(); csr & kFloatFlags) _mm_setcsr(csr & ~kFloatFlags);
}
inline void raise_float_flags(unsigned flags) { _mm_setcsr(_mm_getcsr() | flags); }
#else
inline constexpr int kFloatFlags = FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW;
inline unsigned float_flags() { return unsigned(std::fetestexcept(kFloatFlags)); }
inline void clear_float_flags() { std::feclearexcept(kFloatFlags); }
inline void raise_float_flags(unsigned flags) { std::feraiseexcept(int(flags)); }
#endif

/// Do workers of parallel_for hand their flags to its caller?
extern std::atomic<bool> collect_float_flags;

}  // namespace tapegrad
