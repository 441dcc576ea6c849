// cuBLASLt, opened at its first use. Its binary interface is declared here (cublaslt_check.cpp compares it with NVIDIA's header where
// there is one), so that the plugin builds without the 400 MB package. Constants have NVIDIA's names less the prefix.
#pragma once
#include <cuda_runtime_api.h>
#include <stddef.h>
#include <stdint.h>

namespace tapegrad::cuda::lt {

enum Status : int { Success = 0, NotInitialized = 1, AllocFailed = 3, InvalidValue = 7, ArchMismatch = 8, ExecutionFailed = 13, InternalError = 14,
                    NotSupported = 15 };
enum Type : int { R_32F = 0, R_64F = 1, R_16F = 2, R_8I = 3, C_32F = 4, C_64F = 5, R_32I = 10, R_16BF = 14 };  // cudaDataType
enum Compute : int { Compute16F = 64, Compute32F = 68, Compute32FPedantic = 69, Compute64F = 70, Compute64FPedantic = 71, Compute32I = 72,
                     Compute32FFast16F = 74, Compute32FFast16BF = 75, Compute32FFastTF32 = 77 };
enum Operation : int { OpN = 0, OpT = 1, OpC = 2 };
enum DescAttribute : int { DescComputeType = 0, DescScaleType = 1, DescPointerMode = 2, DescTransA = 3, DescTransB = 4, DescTransC = 5, DescEpilogue = 7,
                           DescBiasPointer = 8, DescBiasBatchStride = 10, DescEpilogueAuxPointer = 11, DescEpilogueAuxLd = 12,
                           DescEpilogueAuxBatchStride = 13, DescEpilogueAuxDataType = 22, DescBiasDataType = 26 };
enum LayoutAttribute : int { LayoutType = 0, LayoutOrder = 1, LayoutRows = 2, LayoutCols = 3, LayoutLd = 4, LayoutBatchCount = 5,
                             LayoutStridedBatchOffset = 6 };
enum Order : int { OrderCol = 0, OrderRow = 1 };
enum PreferenceAttribute : int { PrefSearchMode = 0, PrefMaxWorkspaceBytes = 1, PrefReductionSchemeMask = 3, PrefMinAlignmentABytes = 5,
                                 PrefMinAlignmentBBytes = 6, PrefMinAlignmentCBytes = 7, PrefMinAlignmentDBytes = 8, PrefImplMask = 12 };
enum ReductionScheme : uint32_t { ReductionNone = 0, ReductionInplace = 1, ReductionComputeType = 2, ReductionOutputType = 4, ReductionAll = 7 };
enum Epilogue : int { EpilogueDefault = 1, EpilogueRelu = 2, EpilogueBias = 4, EpilogueReluBias = 6, EpilogueGelu = 32, EpilogueGeluBias = 36,
                      EpilogueGeluAux = 160, EpilogueGeluAuxBias = 164, EpilogueDgelu = 192, EpilogueDgeluBgrad = 208, EpilogueBgradA = 256,
                      EpilogueBgradB = 512 };

using Handle = struct HandleTag*;
using Desc = struct DescTag*;
using Layout = struct LayoutTag*;
using Preference = struct PreferenceTag*;
struct Algo { uint64_t data[8]; };
struct Heuristic {
  Algo algo;
  size_t workspace;
  Status status;
  float waves;
  int reserved[4];
};

/// The functions, as the library exports them after "cublasLt".
struct Functions {
  size_t (*GetVersion)();
  const char* (*GetStatusName)(Status);
  const char* (*GetStatusString)(Status);
  Status (*Create)(Handle*);
  Status (*Destroy)(Handle);
  Status (*MatmulDescCreate)(Desc*, Compute, Type scale);
  Status (*MatmulDescDestroy)(Desc);
  Status (*MatmulDescSetAttribute)(Desc, DescAttribute, const void*, size_t bytes);
  Status (*MatrixLayoutCreate)(Layout*, Type, uint64_t rows, uint64_t cols, int64_t ld);
  Status (*MatrixLayoutDestroy)(Layout);
  Status (*MatrixLayoutSetAttribute)(Layout, LayoutAttribute, const void*, size_t bytes);
  Status (*MatmulPreferenceCreate)(Preference*);
  Status (*MatmulPreferenceDestroy)(Preference);
  Status (*MatmulPreferenceSetAttribute)(Preference, PreferenceAttribute, const void*, size_t bytes);
  Status (*MatmulAlgoGetHeuristic)(Handle, Desc, Layout a, Layout b, Layout c, Layout d, Preference, int asked, Heuristic*, int* found);
  Status (*Matmul)(Handle, Desc, const void* alpha, const void* a, Layout, const void* b, Layout, const void* beta, const void* c, Layout,
                   void* d, Layout, const Algo*, void* workspace, size_t workspace_bytes, cudaStream_t);
};
/// The library. The first call opens it; throws "CUDA requested but libcublasLt.so.13 was not found (…)".
const Functions& functions();
/// The current device's handle (one a device; cuBLASLt's handles may be shared by threads).
Handle handle();

/// Throws "cuBLASLt: <call> failed: …" unless the call went well.
[[noreturn, gnu::cold]] void fail_lt(Status s, const char* call);
inline void check(Status s, const char* call) {
  if (s != Success) [[unlikely]] fail_lt(s, call);
}
#define TG_CUBLASLT(function, ...) ::tapegrad::cuda::lt::check(::tapegrad::cuda::lt::functions().function(__VA_ARGS__), "cublasLt" #function)

}  // namespace tapegrad::cuda::lt
