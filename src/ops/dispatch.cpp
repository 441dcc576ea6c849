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

// TG_SETS(f, …): f(set, …) for each set that was built, the narrowest first.
#ifdef TG_HAVE_debug
#define TG_DEBUG(f, ...) f(debug, __VA_ARGS__)
#else
#define TG_DEBUG(...)
#endif
#ifdef TG_HAVE_sse42
#define TG_SSE42(f, ...) f(sse42, __VA_ARGS__)
#else
#define TG_SSE42(...)
#endif
#ifdef TG_HAVE_avx2
#define TG_AVX2(f, ...) f(avx2, __VA_ARGS__)
#else
#define TG_AVX2(...)
#endif
#ifdef TG_HAVE_avx512
#define TG_AVX512(f, ...) f(avx512, __VA_ARGS__)
#else
#define TG_AVX512(...)
#endif
#define TG_SETS(...) TG_DEBUG(__VA_ARGS__) TG_SSE42(__VA_ARGS__) TG_AVX2(__VA_ARGS__) TG_AVX512(__VA_ARGS__)
#define TG_DECLARE(set, name, Table) extern "C" const Table tg_##name##_##set;
#define TG_ADDRESS(set, name) &tg_##name##_##set,
#define TG_FAMILY(name, Table)       \
  TG_SETS(TG_DECLARE, name, Table)   \
  constinit const Table* const name##_tables[] = {TG_SETS(TG_ADDRESS, name)};

TG_FAMILY(halves, HalfTable)
TG_FAMILY(casts, CastTable)
TG_FAMILY(reduce, ReduceTable)
TG_FAMILY(gemm, GemmTable)
TG_FAMILY(conv, ConvTable)
TG_FAMILY(depthwise, DepthwiseTable)
TG_FAMILY(pool, PoolTable)
TG_FAMILY(winograd, WinogradTable)
TG_FAMILY(softmax, SoftmaxTable)
TG_FAMILY(norm, NormTable)
TG_FAMILY(random, RandomTable)
TG_FAMILY(rnn, RnnTable)
TG_FAMILY(fft, FftTable)
TG_FAMILY(attention, AttentionTable)
TG_FAMILY(moves, MoveTable)
TG_FAMILY(scan, ScanTable)
TG_FAMILY(complex, ComplexTable)
TG_FAMILY(distance, DistanceTable)
TG_FAMILY(sgd, OptimTable<SgdStep>)
TG_FAMILY(adam, OptimTable<AdamStep>)
TG_FAMILY(rmsprop, OptimTable<RmspropStep>)
TG_FAMILY(adagrad, OptimTable<AdagradStep>)
TG_FAMILY(adadelta, OptimTable<AdadeltaStep>)
TG_FAMILY(adamax, OptimTable<AdamaxStep>)
TG_FAMILY(nadam, OptimTable<NadamStep>)
TG_FAMILY(radam, OptimTable<RadamStep>)

#define TG_ELEMENTWISE(set, name)                                                       \
  TG_DECLARE(set, unary, FamilyTable)                                                   \
  TG_DECLARE(set, binary, FamilyTable)                                                  \
  TG_DECLARE(set, ternary, FamilyTable)                                                 \
  static constexpr ElementwiseTable name##_##set = {{&tg_unary_##set, &tg_binary_##set, &tg_ternary_##set}};
#define TG_ELEMENTWISE_ADDRESS(set, name) &name##_##set,
TG_SETS(TG_ELEMENTWISE, elementwise)
constinit const ElementwiseTable* const elementwise_tables[] = {TG_SETS(TG_ELEMENTWISE_ADDRESS, elementwise)};

#define TG_NUMBER(set, name) name##_##set,
[[maybe_unused]] static constexpr int bytes_debug = 1, bytes_sse42 = 16, bytes_avx2 = 32, bytes_avx512 = 64;
constinit const int vector_bytes[] = {TG_SETS(TG_NUMBER, bytes)};
namespace {
enum : int { TG_SETS(TG_NUMBER, set) };
}
constinit int kernel_set = 0;  // where only one set was built: the builder's word that it will do
#undef TG_SETS

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
  if (limit >= 1 && has_x86_64_v3()) kernel_set = set_avx2;
#endif
#ifdef TG_HAVE_avx512
  if (limit >= 2 && has_x86_64_v4()) kernel_set = set_avx512;
#endif
}

}  // namespace tapegrad
