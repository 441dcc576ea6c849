// Chooses the kernels of the best instruction set that was built and that this processor has, once.
#include <cpuid.h>

#include <cstdlib>
#include <string_view>

#include "src/ops/cpu/attention.h"
#include "src/ops/cpu/complex.h"
#include "src/ops/cpu/conv.h"
#include "src/ops/cpu/depthwise.h"
#include "src/ops/cpu/distance.h"
#include "src/ops/cpu/elementwise.h"
#include "src/ops/cpu/fft.h"
#include "src/ops/cpu/gemm.h"
#include "src/ops/cpu/moves.h"
#include "src/ops/cpu/optim.h"
#include "src/ops/cpu/pool.h"
#include "src/ops/cpu/random.h"
#include "src/ops/cpu/reduce.h"
#include "src/ops/cpu/rnn.h"
#include "src/ops/cpu/rowwise.h"
#include "src/ops/cpu/scan.h"
#include "src/ops/cpu/table.h"
#include "src/ops/cpu/winograd.h"

namespace tapegrad {

#define TG_KERNELS(isa, bytes)                                                                                \
  extern "C" const FamilyTable tg_unary_##isa, tg_binary_##isa, tg_ternary_##isa;                             \
  extern "C" const HalfTable tg_halves_##isa;                                                                 \
  extern "C" const CastTable tg_casts_##isa;                                                                  \
  extern "C" const ReduceTable tg_reduce_##isa;                                                               \
  extern "C" const GemmTable tg_gemm_##isa;                                                                   \
  extern "C" const ConvTable tg_conv_##isa;                                                                   \
  extern "C" const DepthwiseTable tg_depthwise_##isa;                                                         \
  extern "C" const PoolTable tg_pool_##isa;                                                                   \
  extern "C" const WinogradTable tg_winograd_##isa;                                                           \
  extern "C" const RowTable tg_rowwise_##isa;                                                                 \
  extern "C" const RandomTable tg_random_##isa;                                                               \
  extern "C" const RnnTable tg_rnn_##isa;                                                                     \
  extern "C" const FftTable tg_fft_##isa;                                                                     \
  extern "C" const AttentionTable tg_attention_##isa;                                                         \
  extern "C" const OptimTable tg_optim_##isa;                                                                 \
  extern "C" const MoveTable tg_moves_##isa;                                                                  \
  extern "C" const ScanTable tg_scan_##isa;                                                                   \
  extern "C" const DistanceTable tg_distance_##isa;                                                           \
  extern "C" const ComplexTable tg_complex_##isa;                                                             \
  static constexpr KernelTable table_##isa = {                                                                \
      .name = #isa,                                                                                           \
      .vector_bytes = bytes,                                                                                  \
      .elementwise = {&tg_unary_##isa, &tg_binary_##isa, &tg_ternary_##isa},                                  \
      .halves = &tg_halves_##isa,                                                                             \
      .casts = &tg_casts_##isa,                                                                               \
      .reduce = &tg_reduce_##isa,                                                                             \
      .gemm = &tg_gemm_##isa,                                                                                 \
      .conv = &tg_conv_##isa,                                                                                 \
      .depthwise = &tg_depthwise_##isa,                                                                       \
      .pool = &tg_pool_##isa,                                                                                 \
      .winograd = &tg_winograd_##isa,                                                                         \
      .rows = &tg_rowwise_##isa,                                                                              \
      .random = &tg_random_##isa,                                                                             \
      .rnn = &tg_rnn_##isa,                                                                                   \
      .fft = &tg_fft_##isa,                                                                                   \
      .attention = &tg_attention_##isa,                                                                       \
      .optim = &tg_optim_##isa,                                                                               \
      .moves = &tg_moves_##isa,                                                                               \
      .scan = &tg_scan_##isa,                                                                                 \
      .complex = &tg_complex_##isa,                                                                           \
      .distance = &tg_distance_##isa,                                                                         \
  };

#ifdef TG_HAVE_avx512
TG_KERNELS(avx512, 64)
#endif
#ifdef TG_HAVE_avx2
TG_KERNELS(avx2, 32)
#endif
#ifdef TG_HAVE_sse42
TG_KERNELS(sse42, 16)
#endif
#ifdef TG_HAVE_debug
TG_KERNELS(debug, 1)
#endif
#undef TG_KERNELS

#if defined(TG_HAVE_debug)
static constexpr const KernelTable& narrowest = table_debug;
#elif defined(TG_HAVE_sse42)
static constexpr const KernelTable& narrowest = table_sse42;
#elif defined(TG_HAVE_avx2)
static constexpr const KernelTable& narrowest = table_avx2;  // built for one set only: the builder's word that it will do
#else
static constexpr const KernelTable& narrowest = table_avx512;
#endif
constinit const KernelTable* kernel_table = &narrowest;

// By its parts: older compilers' __builtin_cpu_supports does not know the levels, nor those of the parts that cpuid is asked for here.
[[maybe_unused]] static bool has_x86_64_v3() {
  unsigned a, b, basic = 0, extended = 0, d;
  __get_cpuid(1, &a, &b, &basic, &d);
  __get_cpuid(0x80000001, &a, &b, &extended, &d);
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
         __builtin_cpu_supports("bmi2") && (basic & bit_F16C) && (basic & bit_MOVBE) && (extended & bit_LZCNT);
}
[[maybe_unused]] static bool has_x86_64_v4() {
  return has_x86_64_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

[[gnu::constructor]] static void choose_kernels() {
  const char* env = std::getenv("TAPEGRAD_ISA");
  const std::string_view wanted = env ? env : "";
  const int limit = wanted == "sse42" ? 0 : wanted == "avx2" ? 1 : 2;
  __builtin_cpu_init();
  (void)limit;
#ifdef TG_HAVE_avx2
  if (limit >= 1 && has_x86_64_v3()) kernel_table = &table_avx2;
#endif
#ifdef TG_HAVE_avx512
  if (limit >= 2 && has_x86_64_v4()) kernel_table = &table_avx512;
#endif
}

}  // namespace tapegrad
