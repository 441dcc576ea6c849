// lib/cublaslt.h beside NVIDIA's header, wherever the plugin is compiled with that one installed.
#if !defined TG_SIMULATED && __has_include(<cublasLt.h>)
#include <cublasLt.h>

#include <algorithm>
#include <iterator>
#include <type_traits>
#include <utility>

#include "src/cuda/lib/cublaslt.h"

namespace tapegrad::cuda::lt {

constexpr std::pair<int, int> numbers[] = {
  {Success, CUBLAS_STATUS_SUCCESS}, {NotInitialized, CUBLAS_STATUS_NOT_INITIALIZED}, {AllocFailed, CUBLAS_STATUS_ALLOC_FAILED},
  {InvalidValue, CUBLAS_STATUS_INVALID_VALUE}, {ArchMismatch, CUBLAS_STATUS_ARCH_MISMATCH},
  {ExecutionFailed, CUBLAS_STATUS_EXECUTION_FAILED}, {InternalError, CUBLAS_STATUS_INTERNAL_ERROR},
  {NotSupported, CUBLAS_STATUS_NOT_SUPPORTED},
  {R_32F, CUDA_R_32F}, {R_64F, CUDA_R_64F}, {R_16F, CUDA_R_16F}, {R_8I, CUDA_R_8I}, {C_32F, CUDA_C_32F},
  {C_64F, CUDA_C_64F}, {R_32I, CUDA_R_32I}, {R_16BF, CUDA_R_16BF},
  {Compute16F, CUBLAS_COMPUTE_16F}, {Compute32F, CUBLAS_COMPUTE_32F}, {Compute32FPedantic, CUBLAS_COMPUTE_32F_PEDANTIC},
  {Compute64F, CUBLAS_COMPUTE_64F}, {Compute64FPedantic, CUBLAS_COMPUTE_64F_PEDANTIC}, {Compute32I, CUBLAS_COMPUTE_32I},
  {Compute32FFast16F, CUBLAS_COMPUTE_32F_FAST_16F}, {Compute32FFast16BF, CUBLAS_COMPUTE_32F_FAST_16BF},
  {Compute32FFastTF32, CUBLAS_COMPUTE_32F_FAST_TF32},
  {OpN, CUBLAS_OP_N}, {OpT, CUBLAS_OP_T}, {OpC, CUBLAS_OP_C},
  {DescComputeType, CUBLASLT_MATMUL_DESC_COMPUTE_TYPE}, {DescScaleType, CUBLASLT_MATMUL_DESC_SCALE_TYPE},
  {DescPointerMode, CUBLASLT_MATMUL_DESC_POINTER_MODE}, {DescTransA, CUBLASLT_MATMUL_DESC_TRANSA},
  {DescTransB, CUBLASLT_MATMUL_DESC_TRANSB}, {DescTransC, CUBLASLT_MATMUL_DESC_TRANSC},
  {DescEpilogue, CUBLASLT_MATMUL_DESC_EPILOGUE}, {DescBiasPointer, CUBLASLT_MATMUL_DESC_BIAS_POINTER},
  {DescBiasBatchStride, CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE}, {DescEpilogueAuxPointer, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER},
  {DescEpilogueAuxLd, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD},
  {DescEpilogueAuxBatchStride, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_BATCH_STRIDE},
  {DescEpilogueAuxDataType, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_DATA_TYPE}, {DescBiasDataType, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE},
  {LayoutType, CUBLASLT_MATRIX_LAYOUT_TYPE}, {LayoutOrder, CUBLASLT_MATRIX_LAYOUT_ORDER},
  {LayoutRows, CUBLASLT_MATRIX_LAYOUT_ROWS}, {LayoutCols, CUBLASLT_MATRIX_LAYOUT_COLS}, {LayoutLd, CUBLASLT_MATRIX_LAYOUT_LD},
  {LayoutBatchCount, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT}, {LayoutStridedBatchOffset, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET},
  {OrderCol, CUBLASLT_ORDER_COL}, {OrderRow, CUBLASLT_ORDER_ROW},
  {PrefSearchMode, CUBLASLT_MATMUL_PREF_SEARCH_MODE}, {PrefMaxWorkspaceBytes, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES},
  {PrefReductionSchemeMask, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK},
  {PrefMinAlignmentABytes, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES},
  {PrefMinAlignmentBBytes, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES},
  {PrefMinAlignmentCBytes, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES},
  {PrefMinAlignmentDBytes, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}, {PrefImplMask, CUBLASLT_MATMUL_PREF_IMPL_MASK},
  {ReductionNone, CUBLASLT_REDUCTION_SCHEME_NONE}, {ReductionInplace, CUBLASLT_REDUCTION_SCHEME_INPLACE},
  {ReductionComputeType, CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE}, {ReductionOutputType, CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE},
  {ReductionAll, CUBLASLT_REDUCTION_SCHEME_MASK},
  {EpilogueDefault, CUBLASLT_EPILOGUE_DEFAULT}, {EpilogueRelu, CUBLASLT_EPILOGUE_RELU}, {EpilogueBias, CUBLASLT_EPILOGUE_BIAS},
  {EpilogueReluBias, CUBLASLT_EPILOGUE_RELU_BIAS}, {EpilogueGelu, CUBLASLT_EPILOGUE_GELU},
  {EpilogueGeluBias, CUBLASLT_EPILOGUE_GELU_BIAS}, {EpilogueGeluAux, CUBLASLT_EPILOGUE_GELU_AUX},
  {EpilogueGeluAuxBias, CUBLASLT_EPILOGUE_GELU_AUX_BIAS}, {EpilogueDgelu, CUBLASLT_EPILOGUE_DGELU},
  {EpilogueDgeluBgrad, CUBLASLT_EPILOGUE_DGELU_BGRAD}, {EpilogueBgradA, CUBLASLT_EPILOGUE_BGRADA},
  {EpilogueBgradB, CUBLASLT_EPILOGUE_BGRADB},
};
static_assert(std::all_of(std::begin(numbers), std::end(numbers), [](auto n) { return n.first == n.second; }));

static_assert(sizeof(Algo) == sizeof(cublasLtMatmulAlgo_t) && sizeof(Heuristic) == sizeof(cublasLtMatmulHeuristicResult_t) &&
              offsetof(Heuristic, workspace) == offsetof(cublasLtMatmulHeuristicResult_t, workspaceSize) &&
              offsetof(Heuristic, status) == offsetof(cublasLtMatmulHeuristicResult_t, state) &&
              offsetof(Heuristic, waves) == offsetof(cublasLtMatmulHeuristicResult_t, wavesCount));

// What a call depends on: how many parameters there are, how large each is, and whether it is a pointer.
template <class A, class B> constexpr bool alike = sizeof(A) == sizeof(B) && std::is_pointer_v<A> == std::is_pointer_v<B>;
template <class A, class B> constexpr bool same_call = false;
template <class R, class... A, class S, class... B>
  requires(sizeof...(A) == sizeof...(B))
constexpr bool same_call<R (*)(A...), S (*)(B...)> = alike<R, S> && (alike<A, B> && ...);
static_assert(same_call<decltype(Functions::GetVersion), decltype(&cublasLtGetVersion)>);
static_assert(same_call<decltype(Functions::GetStatusName), decltype(&cublasLtGetStatusName)>);
static_assert(same_call<decltype(Functions::GetStatusString), decltype(&cublasLtGetStatusString)>);
static_assert(same_call<decltype(Functions::Create), decltype(&cublasLtCreate)>);
static_assert(same_call<decltype(Functions::Destroy), decltype(&cublasLtDestroy)>);
static_assert(same_call<decltype(Functions::MatmulDescCreate), decltype(&cublasLtMatmulDescCreate)>);
static_assert(same_call<decltype(Functions::MatmulDescDestroy), decltype(&cublasLtMatmulDescDestroy)>);
static_assert(same_call<decltype(Functions::MatmulDescSetAttribute), decltype(&cublasLtMatmulDescSetAttribute)>);
static_assert(same_call<decltype(Functions::MatrixLayoutCreate), decltype(&cublasLtMatrixLayoutCreate)>);
static_assert(same_call<decltype(Functions::MatrixLayoutDestroy), decltype(&cublasLtMatrixLayoutDestroy)>);
static_assert(same_call<decltype(Functions::MatrixLayoutSetAttribute), decltype(&cublasLtMatrixLayoutSetAttribute)>);
static_assert(same_call<decltype(Functions::MatmulPreferenceCreate), decltype(&cublasLtMatmulPreferenceCreate)>);
static_assert(same_call<decltype(Functions::MatmulPreferenceDestroy), decltype(&cublasLtMatmulPreferenceDestroy)>);
static_assert(same_call<decltype(Functions::MatmulPreferenceSetAttribute), decltype(&cublasLtMatmulPreferenceSetAttribute)>);
static_assert(same_call<decltype(Functions::MatmulAlgoGetHeuristic), decltype(&cublasLtMatmulAlgoGetHeuristic)>);
static_assert(same_call<decltype(Functions::Matmul), decltype(&cublasLtMatmul)>);

}  // namespace tapegrad::cuda::lt
#endif
