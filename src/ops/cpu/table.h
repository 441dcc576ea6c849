// The kernels of one instruction set. Shared by dispatch.cpp and the per-ISA files: plain C types only.
// Each file of src/ops/cpu exports one struct of function pointers, `extern "C" const FooTable tg_foo_<isa>`, defined
// through TG_TABLE(foo); FooTable is declared in src/ops/cpu/foo.h. To add one: a line here and one in dispatch.cpp.
#pragma once
#define TG_JOIN_(a, b) a##b
#define TG_JOIN(a, b) TG_JOIN_(a, b)
#define TG_TABLE(name) TG_JOIN(tg_##name##_, TG_NS)

namespace tapegrad {

/// The best set that was built and that this processor has, chosen at load; TAPEGRAD_ISA=sse42|avx2|avx512 may lower the choice.
extern int kernel_set;
/// Of its packets; 1 in the debug set, whose loops take one number at a time.
extern const int vector_bytes[];

// A family's tables, one for each set: `gemm_tables[kernel_set]->…`, for drivers; the per-ISA files never ask. A program has those
// families in it only whose arrays it mentions.
extern const struct ElementwiseTable* const elementwise_tables[];
extern const struct HalfTable* const halves_tables[];
extern const struct CastTable* const casts_tables[];
extern const struct ReduceTable* const reduce_tables[];
extern const struct GemmTable* const gemm_tables[];
extern const struct ConvTable* const conv_tables[];
extern const struct DepthwiseTable* const depthwise_tables[];
extern const struct PoolTable* const pool_tables[];
extern const struct WinogradTable* const winograd_tables[];
extern const struct SoftmaxTable* const softmax_tables[];
extern const struct NormTable* const norm_tables[];
extern const struct RandomTable* const random_tables[];
extern const struct RnnTable* const rnn_tables[];
extern const struct FftTable* const fft_tables[];
extern const struct AttentionTable* const attention_tables[];
extern const struct MoveTable* const moves_tables[];
extern const struct ScanTable* const scan_tables[];
extern const struct ComplexTable* const complex_tables[];
extern const struct DistanceTable* const distance_tables[];
template <class Step> struct OptimTable;
extern const OptimTable<struct SgdStep>* const sgd_tables[];
extern const OptimTable<struct AdamStep>* const adam_tables[];
extern const OptimTable<struct RmspropStep>* const rmsprop_tables[];
extern const OptimTable<struct AdagradStep>* const adagrad_tables[];
extern const OptimTable<struct AdadeltaStep>* const adadelta_tables[];
extern const OptimTable<struct AdamaxStep>* const adamax_tables[];
extern const OptimTable<struct NadamStep>* const nadam_tables[];
extern const OptimTable<struct RadamStep>* const radam_tables[];

}  // namespace tapegrad
