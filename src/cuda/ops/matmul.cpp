// Products through cuBLASLt. What it is asked, and the algorithm that its heuristic names, is kept for the next product of that kind.
#include <memory>

#include "src/cuda/lib/cublaslt.h"
#include "src/cuda/ops/families.h"
#include "src/cuda/ops/matmul_few.h"
#include "src/cuda/ops/matmul_integers.h"
#include "src/cuda/ops/matmul_plan.h"
#include "src/cuda/ops/plan_cache.h"
#include "src/cuda/runtime/device.h"
#include "src/cuda/runtime/error.h"
#include "src/cuda/runtime/memory.h"
#include "src/cuda/runtime/stream.h"

namespace tapegrad::cuda {
namespace {

struct Numbers {
  lt::Type matrix, scale;
  lt::Compute compute;
};
Numbers numbers_of(const MatmulKey& key) {
  const lt::Compute single = key.tf32 ? lt::Compute32FFastTF32 : lt::Compute32F;
  switch (key.dtype) {
    case Dtype::Float16: return {lt::R_16F, lt::R_32F, lt::Compute32F};
    case Dtype::BFloat16: return {lt::R_16BF, lt::R_32F, lt::Compute32F};
    case Dtype::Float32: return {lt::R_32F, lt::R_32F, single};
    case Dtype::Float64: return {lt::R_64F, lt::R_64F, lt::Compute64F};
    case Dtype::Complex64: return {lt::C_32F, lt::C_32F, single};
    case Dtype::Complex128: return {lt::C_64F, lt::C_64F, lt::Compute64F};
    default: fail(CudaHost::kNotImplemented, "products of this dtype are not implemented on CUDA; move the tensors to the CPU");
  }
}

template <class T> using Owned = std::unique_ptr<std::remove_pointer_t<T>, lt::Status (*)(T)>;

struct Plan {
  Owned<lt::Desc> desc;
  Owned<lt::Layout> layout[MatmulKey::kMatrices];
  lt::Heuristic best;
  bool wide;            // alpha and beta are doubles
  bool possible = true; // else the library cannot do what the key asks for beside the product
  std::mutex has_pointers;  // held while desc has a call's

  Plan(const MatmulKey& key, const CudaProduct& p);
  template <class T> void set(lt::DescAttribute a, T value) { TG_CUBLASLT(MatmulDescSetAttribute, desc.get(), a, &value, sizeof value); }
  void set_pointers(const CudaProduct& p);
};

Owned<lt::Desc> new_desc(const Numbers& n) {
  lt::Desc d;
  TG_CUBLASLT(MatmulDescCreate, &d, n.compute, n.scale);
  return {d, lt::functions().MatmulDescDestroy};
}
Owned<lt::Layout> new_layout(const MatmulKey& key, MatmulKey::Matrix which, lt::Type type) {
  const uint64_t size[MatmulKey::kMatrices][2] = {{uint64_t(key.rows), uint64_t(key.depth)}, {uint64_t(key.depth), uint64_t(key.columns)},
                                                  {uint64_t(key.rows), uint64_t(key.columns)}};
  const bool turned = which != MatmulKey::kResult && key.transposed[which];
  lt::Layout made;
  TG_CUBLASLT(MatrixLayoutCreate, &made, type, size[which][turned], size[which][!turned], key.leading[which]);
  Owned<lt::Layout> l(made, lt::functions().MatrixLayoutDestroy);
  if (key.count > 1) {
    TG_CUBLASLT(MatrixLayoutSetAttribute, made, lt::LayoutBatchCount, &key.count, sizeof key.count);
    TG_CUBLASLT(MatrixLayoutSetAttribute, made, lt::LayoutStridedBatchOffset, &key.batch[which], sizeof key.batch[which]);
  }
  return l;
}
Owned<lt::Preference> new_preference(const MatmulKey& key) {
  lt::Preference made;
  TG_CUBLASLT(MatmulPreferenceCreate, &made);
  Owned<lt::Preference> p(made, lt::functions().MatmulPreferenceDestroy);
  const auto set = [&](lt::PreferenceAttribute a, auto value) { TG_CUBLASLT(MatmulPreferenceSetAttribute, made, a, &value, sizeof value); };
  int major = 0;
  TG_CUDA(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, key.device));
  set(lt::PrefMaxWorkspaceBytes, uint64_t(major >= 9 ? 32 << 20 : 8 << 20));
  set(lt::PrefReductionSchemeMask, uint32_t(lt::ReductionComputeType));  // partial sums are never rounded to 16 bits
  set(lt::PrefMinAlignmentABytes, uint32_t(key.alignment[MatmulKey::kFirst]));
  set(lt::PrefMinAlignmentBBytes, uint32_t(key.alignment[MatmulKey::kSecond]));
  set(lt::PrefMinAlignmentCBytes, uint32_t(key.alignment[MatmulKey::kResult]));
  set(lt::PrefMinAlignmentDBytes, uint32_t(key.alignment[MatmulKey::kResult]));
  return p;
}

lt::Epilogue epilogue_of(const MatmulKey& key) {
  if (key.sums) return lt::EpilogueBgradB;  // of our a, which is the second operand there
  if (key.before_gelu) return key.bias_alignment ? lt::EpilogueGeluAuxBias : lt::EpilogueGeluAux;
  if (key.gelu) return key.bias_alignment ? lt::EpilogueGeluBias : lt::EpilogueGelu;
  return key.bias_alignment ? lt::EpilogueBias : lt::EpilogueDefault;
}

void Plan::set_pointers(const CudaProduct& p) {
  if (const void* beside = p.row_sums ? p.row_sums : p.bias) set(lt::DescBiasPointer, beside);
  if (p.before_gelu) set<const void*>(lt::DescEpilogueAuxPointer, p.before_gelu);
}

Plan::Plan(const MatmulKey& key, const CudaProduct& p)
    : desc(new_desc(numbers_of(key))),
      layout{new_layout(key, MatmulKey::kFirst, numbers_of(key).matrix), new_layout(key, MatmulKey::kSecond, numbers_of(key).matrix),
             new_layout(key, MatmulKey::kResult, numbers_of(key).matrix)},
      wide(numbers_of(key).compute == lt::Compute64F) {
  for (const auto which : {MatmulKey::kFirst, MatmulKey::kSecond})
    set(which == MatmulKey::kFirst ? lt::DescTransA : lt::DescTransB, int32_t(key.transposed[which] ? lt::OpT : lt::OpN));
  set(lt::DescEpilogue, uint32_t(epilogue_of(key)));
  if (key.before_gelu) {
    if (possible = key.leading[MatmulKey::kResult] % 8 == 0 && key.count == 1; !possible) return;
    set(lt::DescEpilogueAuxLd, key.leading[MatmulKey::kResult]);
  }
  set_pointers(p);  // their alignment counts
  int found = 0;
  const lt::Status s = lt::functions().MatmulAlgoGetHeuristic(lt::handle(), desc.get(), layout[0].get(), layout[1].get(), layout[2].get(),
                                                              layout[2].get(), new_preference(key).get(), 1, &best, &found);
  if (s == lt::NotSupported || (s == lt::Success && (found == 0 || best.status != lt::Success))) {
    if (possible = !key.gelu && !key.sums; !possible) return;
    fail(CudaHost::kNotImplemented, "cuBLASLt has no algorithm for %d products of matrices of %lld x %lld and %lld x %lld; "
         "move the tensors to the CPU", int(key.count), (long long)key.columns, (long long)key.depth, (long long)key.depth, (long long)key.rows);
  }
  lt::check(s, "cublasLtMatmulAlgoGetHeuristic");
}

std::shared_ptr<Plan> plan_of(const MatmulKey& key, const CudaProduct& p) {
  using Plans = PlanCache<MatmulKey, Plan, 512>;
  static Plans& plans = *new Plans;  // never destroyed: the driver may go first
  static thread_local MatmulKey last_key;
  static thread_local std::shared_ptr<Plan> last;
  if (!last || !Plans::equal(key, last_key)) last = plans.get(key, [&] { return std::make_shared<Plan>(key, p); }), last_key = key;
  return last;
}

bool product(const CudaProduct& p) {
  if (is_integral(p.dtype)) return multiply_integers(p), true;
  if (has_few(p)) return !p.before_gelu && (multiply_few(p), true);
  const cudaStream_t stream = current_stream();  // from here on the device is CUDA's current one, too
  const std::shared_ptr<Plan> plan = plan_of(key_of(p, current_device()), p);
  if (!plan->possible) return false;
  static constexpr float one[2] = {1}, zero[2] = {};
  static constexpr double wide_one[2] = {1}, wide_zero[2] = {};
  const void* alpha = plan->wide ? static_cast<const void*>(wide_one) : one;
  const void* beta = plan->wide ? static_cast<const void*>(p.add ? wide_one : wide_zero) : p.add ? one : zero;
  const Scratch workspace(plan->best.workspace);
  std::unique_lock<std::mutex> with_pointers;
  if (p.row_sums || p.bias || p.before_gelu) with_pointers = std::unique_lock(plan->has_pointers), plan->set_pointers(p);
  TG_CUBLASLT(Matmul, lt::handle(), plan->desc.get(), alpha, p.b.data, plan->layout[0].get(), p.a.data, plan->layout[1].get(), beta, p.c,
              plan->layout[2].get(), p.c, plan->layout[2].get(), &plan->best.algo, workspace.data(), plan->best.workspace, stream);
  launched(stream);
  return true;
}

}  // namespace

void fill(CudaMatmul& k) { k.product = &product; }

}  // namespace tapegrad::cuda
