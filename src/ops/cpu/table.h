// The kernels of one instruction set. Shared by dispatch.cpp and the per-ISA files: plain C types only.
// Each file of src/ops/cpu exports one struct of function pointers, `extern "C" const FooTable tg_foo_<isa>`, defined
// through TG_TABLE(foo); FooTable is declared in src/ops/cpu/foo.h. To add one: a pointer here, a name in dispatch.cpp.
#pragma once
#define TG_JOIN_(a, b) a##b
#define TG_JOIN(a, b) TG_JOIN_(a, b)
#define TG_TABLE(name) TG_JOIN(tg_##name##_, TG_NS)

namespace tapegrad {
struct FamilyTable;
struct HalfTable;
struct CastTable;
struct ReduceTable;
struct GemmTable;
struct ConvTable;
struct DepthwiseTable;
struct PoolTable;
struct WinogradTable;
struct RowTable;
struct RandomTable;
struct RnnTable;
struct FftTable;
struct AttentionTable;
struct OptimTable;
struct MoveTable;
struct ScanTable;
struct ComplexTable;
struct DistanceTable;
struct KernelTable {
  const char* name;
  int vector_bytes;                // of a packet; 1 in the debug set, whose loops take one number at a time
  const FamilyTable* elementwise[3];  // by number of inputs
  const HalfTable* halves;
  const CastTable* casts;
  const ReduceTable* reduce;
  const GemmTable* gemm;
  const ConvTable* conv;
  const DepthwiseTable* depthwise;
  const PoolTable* pool;
  const WinogradTable* winograd;
  const RowTable* rows;
  const RandomTable* random;
  const RnnTable* rnn;
  const FftTable* fft;
  const AttentionTable* attention;
  const OptimTable* optim;
  const MoveTable* moves;
  const ScanTable* scan;
  const ComplexTable* complex;
  const DistanceTable* distance;
};
/// The best set this processor has, chosen at load; TAPEGRAD_ISA=sse42|avx2|avx512 may lower the choice.
extern const KernelTable* kernel_table;
inline const KernelTable& kernels() { return *kernel_table; }  // for drivers; the per-ISA files never ask
}  // namespace tapegrad
