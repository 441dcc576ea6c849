// A stand-in for libcublasLt.so.13: products by plain loops, and what the real library asks of descriptors, pointers and workspace, said
// on stderr when it is not so. src/cuda/ops/matmul.cpp is tested against it; TAPEGRAD_CUBLASLT_PATH names it.
#include <stdio.h>
#include <string.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <numeric>
#include <vector>

#include "src/cuda/lib/cublaslt.h"
#include "src/tensor/half.h"
#include "tests/cuda/simulator/stream.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace lt = tapegrad::cuda::lt;
using lt::Status;

namespace tapegrad::cuda::lt {
struct HandleTag {
  int unused;
};
struct DescTag {
  Compute compute;
  Type scale;
  int32_t operation[2] = {OpN, OpN};
  uint32_t epilogue = EpilogueDefault;
  const void *bias = nullptr, *aux = nullptr;
  int64_t aux_ld = 0;
};
struct LayoutTag {
  Type type;
  uint64_t rows, cols;
  int64_t ld, batch = 0;
  int32_t count = 1;
};
struct PreferenceTag {
  uint64_t workspace = 0;
  uint32_t reductions = ReductionAll, alignment[4] = {256, 256, 256, 256};
};
}  // namespace tapegrad::cuda::lt

namespace {

Status refuse(Status s, const char* why) {
  fprintf(stderr, "simulated cuBLASLt: %s\n", why);
  return s;
}
#define REQUIRE(condition, status, why) \
  if (!(condition)) return refuse(status, why)

template <class T> bool read(T& to, const void* from, size_t bytes) {
  if (from && bytes == sizeof(T)) memcpy(&to, from, bytes);
  return from && bytes == sizeof(T);
}

size_t item_size(lt::Type t) {
  switch (t) {
    case lt::R_16F: case lt::R_16BF: return 2;
    case lt::R_32F: return 4;
    case lt::R_64F: case lt::C_32F: return 8;
    case lt::C_64F: return 16;
    default: return 0;
  }
}
bool is_complex(lt::Type t) { return t == lt::C_32F || t == lt::C_64F; }

using Number = std::complex<double>;
// TF32: 10 bits of mantissa, to nearest.
double rounded(double x) {
  float f = float(x);
  uint32_t u;
  memcpy(&u, &f, 4);
  if (std::isfinite(f)) u = (u + 0xfff + (u >> 13 & 1)) & ~0x1fffu;
  memcpy(&f, &u, 4);
  return f;
}
Number load(lt::Type t, const void* p, int64_t i) {
  switch (t) {
    case lt::R_16F: return tapegrad::half_to_float(static_cast<const uint16_t*>(p)[i]);
    case lt::R_16BF: return tapegrad::bfloat_to_float(static_cast<const uint16_t*>(p)[i]);
    case lt::R_32F: return static_cast<const float*>(p)[i];
    case lt::R_64F: return static_cast<const double*>(p)[i];
    case lt::C_32F: return static_cast<const std::complex<float>*>(p)[i];
    default: return static_cast<const std::complex<double>*>(p)[i];
  }
}
void store(lt::Type t, void* p, int64_t i, Number v) {
  switch (t) {
    case lt::R_16F: static_cast<uint16_t*>(p)[i] = tapegrad::float_to_half(float(v.real())); return;
    case lt::R_16BF: static_cast<uint16_t*>(p)[i] = tapegrad::float_to_bfloat(float(v.real())); return;
    case lt::R_32F: static_cast<float*>(p)[i] = float(v.real()); return;
    case lt::R_64F: static_cast<double*>(p)[i] = v.real(); return;
    case lt::C_32F: static_cast<std::complex<float>*>(p)[i] = std::complex<float>(v); return;
    default: static_cast<std::complex<double>*>(p)[i] = v; return;
  }
}

bool aligned(const void* p, uint64_t to) { return reinterpret_cast<uintptr_t>(p) % to == 0; }
bool has_aux(uint32_t epilogue) { return epilogue == lt::EpilogueGeluAux || epilogue == lt::EpilogueGeluAuxBias; }
bool has_gelu(uint32_t epilogue) { return epilogue == lt::EpilogueGelu || epilogue == lt::EpilogueGeluBias || has_aux(epilogue); }
bool has_bias(uint32_t epilogue) { return epilogue == lt::EpilogueBias || epilogue == lt::EpilogueGeluBias || epilogue == lt::EpilogueGeluAuxBias; }
bool uses_bias(uint32_t epilogue) { return has_bias(epilogue) || epilogue == lt::EpilogueBgradB; }

// A problem as the heuristic saw it. Its bytes are what an algorithm is good for.
struct Problem {
  int64_t rows, columns, depth, ld[3], batch[3], aux_ld;
  int32_t count, type, compute, operation[2];
  uint32_t epilogue;
};
Status describe(lt::Desc d, lt::Layout a, lt::Layout b, lt::Layout c, lt::Layout r, Problem& p) {
  REQUIRE(d && a && b && c && r, lt::InvalidValue, "a descriptor is null");
  REQUIRE(a->type == b->type && a->type == c->type && c->type == r->type, lt::NotSupported, "matrices of several types");
  const lt::Type type = a->type, scale = is_complex(type) ? type : type == lt::R_64F ? lt::R_64F : lt::R_32F;
  REQUIRE(item_size(type), lt::NotSupported, "an unknown type of matrix");
  REQUIRE(d->scale == scale, lt::NotSupported, "scale type and matrix type do not go together");
  const bool wide = type == lt::R_64F || type == lt::C_64F, single = type == lt::R_32F || type == lt::C_32F;
  REQUIRE(wide ? d->compute == lt::Compute64F : d->compute == lt::Compute32F || (single && d->compute == lt::Compute32FFastTF32), lt::NotSupported,
          "compute type and matrix type do not go together");
  memset(&p, 0, sizeof p);
  const lt::Layout operand[2] = {a, b};
  int64_t size[2][2];
  for (int i = 0; i < 2; i++) {
    const int32_t op = p.operation[i] = d->operation[i];
    REQUIRE(op == lt::OpN || op == lt::OpT || (op == lt::OpC && is_complex(type)), lt::InvalidValue, "an unknown operation");
    size[i][op != lt::OpN] = int64_t(operand[i]->rows), size[i][op == lt::OpN] = int64_t(operand[i]->cols);
  }
  p.rows = size[0][0], p.depth = size[0][1], p.columns = size[1][1];
  REQUIRE(size[1][0] == p.depth && int64_t(r->rows) == p.rows && int64_t(r->cols) == p.columns, lt::InvalidValue, "sizes do not fit");
  REQUIRE(c->rows == r->rows && c->cols == r->cols && c->ld == r->ld && c->batch == r->batch, lt::InvalidValue, "C and D differ");
  REQUIRE(p.rows > 0 && p.columns > 0 && p.depth > 0, lt::InvalidValue, "an empty matrix");
  const lt::Layout all[3] = {a, b, r};
  for (int i = 0; i < 3; i++) {
    REQUIRE(all[i]->ld >= int64_t(all[i]->rows), lt::InvalidValue, "a leading dimension is smaller than the rows");
    REQUIRE(all[i]->count == r->count && c->count == r->count, lt::InvalidValue, "matrices of several batch counts");
    p.ld[i] = all[i]->ld, p.batch[i] = all[i]->batch;
  }
  REQUIRE(r->count == 1 || r->batch >= r->ld * (p.columns - 1) + p.rows || r->ld >= r->batch * (r->count - 1) + p.rows, lt::InvalidValue,
          "matrices of the result overlap");
  const bool half = type == lt::R_16F || type == lt::R_16BF, sums = d->epilogue == lt::EpilogueBgradB, gelu = has_gelu(d->epilogue);
  REQUIRE(d->epilogue == lt::EpilogueDefault || (has_bias(d->epilogue) && !is_complex(type)) || gelu || sums, lt::NotSupported,
          "this epilogue is not known here");
  if ((gelu || sums) && !(half || (type == lt::R_32F && d->compute == lt::Compute32FFastTF32))) return lt::NotSupported;  // as on some devices
  REQUIRE(!sums || r->count == 1, lt::NotSupported, "sums of several products");
  REQUIRE(!uses_bias(d->epilogue) || d->bias, lt::InvalidValue, "no bias");
  if (has_aux(d->epilogue)) {
    REQUIRE(d->aux && aligned(d->aux, 16) && r->count == 1, lt::InvalidValue, "nowhere to put what gelu is of");
    REQUIRE(d->aux_ld % 8 == 0 && d->aux_ld >= p.rows, lt::InvalidValue, "the leading dimension of what gelu is of");
    p.aux_ld = d->aux_ld;
  }
  p.count = r->count, p.type = type, p.compute = d->compute, p.epilogue = d->epilogue;
  return lt::Success;
}

struct Choice {  // what an Algo holds
  uint64_t problem, bias_alignment;
  uint32_t alignment[4];
  uint64_t workspace;
};
static_assert(sizeof(Choice) <= sizeof(lt::Algo));
uint64_t hash_of(const Problem& p) {
  uint64_t h = 14695981039346656037u;
  const auto* bytes = reinterpret_cast<const unsigned char*>(&p);
  for (size_t i = 0; i < sizeof p; i++) h = (h ^ bytes[i]) * 1099511628211u;
  return h;
}
uint64_t alignment_of(const void* p) {
  uint64_t a = 1;
  while (a < 16 && aligned(p, 2 * a)) a *= 2;
  return a;
}

double gelu(double x) { return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))); }

void multiply(const Problem& p, const void* alpha, const void* a, const void* b, const void* beta, const void* c, void* d, void* bias,
              void* aux) {
  const lt::Type type = lt::Type(p.type);
  const lt::Type scale = is_complex(type) || type == lt::R_64F ? type : lt::R_32F;
  const Number by = load(scale, alpha, 0), keep = load(scale, beta, 0);
  const bool tf32 = p.compute == lt::Compute32FFastTF32;
  const auto operand = [&](const void* m, int64_t i, int64_t j, int which, int64_t item) {  // row i, column j of op(m)
    const int32_t op = p.operation[which];
    const int64_t at = op == lt::OpN ? j * p.ld[which] + i : i * p.ld[which] + j;
    Number v = load(type, m, item * p.batch[which] + at);
    if (tf32) v = Number(rounded(v.real()), rounded(v.imag()));
    return op == lt::OpC ? std::conj(v) : v;
  };
  std::vector<Number> column(size_t(p.depth));
  for (int64_t item = 0; item < p.count; item++)
    for (int64_t j = 0; j < p.columns; j++) {
      for (int64_t k = 0; k < p.depth; k++) column[size_t(k)] = operand(b, k, j, 1, item);
      if (p.epilogue == lt::EpilogueBgradB) store(type, bias, j, std::accumulate(column.begin(), column.end(), Number()));
      for (int64_t i = 0; i < p.rows; i++) {
        Number sum = 0;
        for (int64_t k = 0; k < p.depth; k++) {
          const Number x = operand(a, i, k, 0, item), y = column[size_t(k)];
          sum += Number(x.real() * y.real() - x.imag() * y.imag(), x.real() * y.imag() + x.imag() * y.real());
        }
        const int64_t at = item * p.batch[2] + j * p.ld[2] + i;
        sum *= by;
        if (keep != 0.0) sum += keep * load(type, c, at);
        if (has_bias(p.epilogue)) sum += load(type, bias, i);
        if (has_aux(p.epilogue)) store(type, aux, j * p.aux_ld + i, sum);
        if (has_gelu(p.epilogue)) sum = gelu(sum.real());
        store(type, d, at, sum);
      }
    }
}

}  // namespace

EXPORT size_t cublasLtGetVersion() { return 130100; }
EXPORT const char* cublasLtGetStatusName(Status s) {
  return s == lt::Success ? "CUBLAS_STATUS_SUCCESS" : s == lt::InvalidValue ? "CUBLAS_STATUS_INVALID_VALUE" : s == lt::NotSupported ? "CUBLAS_STATUS_NOT_SUPPORTED"
                                                                                                                 : "CUBLAS_STATUS_INTERNAL_ERROR";
}
EXPORT const char* cublasLtGetStatusString(Status s) { return cublasLtGetStatusName(s); }
EXPORT Status cublasLtCreate(lt::Handle* h) { return *h = new lt::HandleTag(), lt::Success; }
EXPORT Status cublasLtDestroy(lt::Handle h) { return delete h, lt::Success; }

EXPORT Status cublasLtMatmulDescCreate(lt::Desc* d, lt::Compute compute, lt::Type scale) {
  *d = new lt::DescTag{compute, scale};
  return lt::Success;
}
EXPORT Status cublasLtMatmulDescDestroy(lt::Desc d) { return delete d, lt::Success; }
EXPORT Status cublasLtMatmulDescSetAttribute(lt::Desc d, lt::DescAttribute what, const void* p, size_t bytes) {
  switch (what) {
    case lt::DescTransA: if (read(d->operation[0], p, bytes)) return lt::Success; break;
    case lt::DescTransB: if (read(d->operation[1], p, bytes)) return lt::Success; break;
    case lt::DescEpilogue: if (read(d->epilogue, p, bytes)) return lt::Success; break;
    case lt::DescBiasPointer: if (read(d->bias, p, bytes)) return lt::Success; break;
    case lt::DescEpilogueAuxPointer: if (read(d->aux, p, bytes)) return lt::Success; break;
    case lt::DescEpilogueAuxLd: if (read(d->aux_ld, p, bytes)) return lt::Success; break;
    default: return refuse(lt::NotSupported, "this attribute of a product is not known here");
  }
  return refuse(lt::InvalidValue, "an attribute of another size");
}
EXPORT Status cublasLtMatrixLayoutCreate(lt::Layout* l, lt::Type type, uint64_t rows, uint64_t cols, int64_t ld) {
  *l = new lt::LayoutTag{type, rows, cols, ld};
  return lt::Success;
}
EXPORT Status cublasLtMatrixLayoutDestroy(lt::Layout l) { return delete l, lt::Success; }
EXPORT Status cublasLtMatrixLayoutSetAttribute(lt::Layout l, lt::LayoutAttribute what, const void* p, size_t bytes) {
  switch (what) {
    case lt::LayoutBatchCount: if (read(l->count, p, bytes)) return lt::Success; break;
    case lt::LayoutStridedBatchOffset: if (read(l->batch, p, bytes)) return lt::Success; break;
    default: return refuse(lt::NotSupported, "this attribute of a layout is not known here");
  }
  return refuse(lt::InvalidValue, "an attribute of another size");
}
EXPORT Status cublasLtMatmulPreferenceCreate(lt::Preference* p) { return *p = new lt::PreferenceTag(), lt::Success; }
EXPORT Status cublasLtMatmulPreferenceDestroy(lt::Preference p) { return delete p, lt::Success; }
EXPORT Status cublasLtMatmulPreferenceSetAttribute(lt::Preference to, lt::PreferenceAttribute what, const void* p, size_t bytes) {
  switch (what) {
    case lt::PrefMaxWorkspaceBytes: if (read(to->workspace, p, bytes)) return lt::Success; break;
    case lt::PrefReductionSchemeMask: if (read(to->reductions, p, bytes)) return lt::Success; break;
    case lt::PrefMinAlignmentABytes: case lt::PrefMinAlignmentBBytes: case lt::PrefMinAlignmentCBytes: case lt::PrefMinAlignmentDBytes:
      if (read(to->alignment[what - lt::PrefMinAlignmentABytes], p, bytes)) return lt::Success;
      break;
    default: return refuse(lt::NotSupported, "this preference is not known here");
  }
  return refuse(lt::InvalidValue, "a preference of another size");
}

EXPORT Status cublasLtMatmulAlgoGetHeuristic(lt::Handle h, lt::Desc d, lt::Layout a, lt::Layout b, lt::Layout c, lt::Layout r, lt::Preference preference, int asked,
                                             lt::Heuristic* out, int* found) {
  Problem p;
  REQUIRE(h && preference && out && found && asked > 0, lt::InvalidValue, "an argument is null");
  *found = 0;
  if (const Status s = describe(d, a, b, c, r, p); s != lt::Success) return s;
  for (const uint32_t alignment : preference->alignment)
    REQUIRE(alignment >= std::min<size_t>(item_size(a->type), 16), lt::NotSupported, "matrices are less aligned than their items");
  Choice choice = {hash_of(p), uses_bias(d->epilogue) ? alignment_of(d->bias) : 1, {}, p.depth >= 32 ? 2048u : 0u};  // deep ones in pieces
  memcpy(choice.alignment, preference->alignment, sizeof choice.alignment);
  if (choice.workspace > preference->workspace) choice.workspace = 0;
  memset(out, 0, sizeof *out);
  memcpy(&out->algo, &choice, sizeof choice);
  out->workspace = choice.workspace, out->waves = 1, *found = 1;
  return lt::Success;
}

EXPORT Status cublasLtMatmul(lt::Handle h, lt::Desc d, const void* alpha, const void* a, lt::Layout la, const void* b, lt::Layout lb, const void* beta, const void* c,
                             lt::Layout lc, void* r, lt::Layout lr, const lt::Algo* algo, void* workspace, size_t workspace_bytes, cudaStream_t stream) {
  Problem p;
  REQUIRE(h && alpha && a && b && beta && c && r && algo && stream, lt::InvalidValue, "an argument is null");
  if (const Status s = describe(d, la, lb, lc, lr, p); s != lt::Success) return s;
  Choice choice;
  memcpy(&choice, algo, sizeof choice);
  REQUIRE(choice.problem == hash_of(p), lt::NotSupported, "the algorithm was chosen for another product");
  REQUIRE(aligned(a, choice.alignment[0]) && aligned(b, choice.alignment[1]) && aligned(c, choice.alignment[2]) && aligned(r, choice.alignment[3]),
          lt::InvalidValue, "a matrix is less aligned than the algorithm was chosen for");
  REQUIRE(!uses_bias(p.epilogue) || aligned(d->bias, choice.bias_alignment), lt::InvalidValue, "bias is less aligned than the algorithm was chosen for");
  REQUIRE(workspace_bytes >= choice.workspace && (!choice.workspace || (workspace && aligned(workspace, 256))), lt::InvalidValue, "the workspace is missing or not aligned");
  simulator::run_in(stream, [&] {
    if (choice.workspace) memset(workspace, 0xff, choice.workspace);
    multiply(p, alpha, a, b, beta, c, r, const_cast<void*>(d->bias), const_cast<void*>(d->aux));
  });
  return lt::Success;
}
