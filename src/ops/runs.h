// Walks an N-d strided problem as runs of dense elements of a compute type, so that kernels see neither strides nor dtypes.
// A Plan is the problem: dims sorted and fused. Runs is one walk over it (or over a piece of one dim, for threads), pulled:
//   Runs runs(plan); while (runs.next()) kernel(params, runs.p, runs.n);
// so a debugger sees no callback. n is a multiple of the packet: a ragged end arrives padded with its own last element, so
// that no element's bits depend on its position. Operands that are not dense, or of another dtype, go through an L1 buffer.
#pragma once
#include "src/ops/cpu/elementwise.h"
#include "src/ops/stream.h"
#include "tapegrad/tensor.h"

namespace tapegrad {

inline constexpr int kMaxArgs = 6;

struct Operand {
  const TensorImpl* t;
  Compute compute;
};

inline constexpr Dtype kStoredAs[] = {Dtype::Float32, Dtype::Float64, Dtype::Int64, Dtype::Int32, Dtype::Bool, Dtype::Complex64,
                                      Dtype::Complex128, Dtype::UInt64, Dtype::Float16, Dtype::BFloat16};
/// Is this dtype in memory what kernels of type c read?
constexpr bool stored_as(Dtype d, Compute c) { return d == (c == Compute::None ? Dtype::Bool : kStoredAs[int(c)]); }

struct Plan {
  struct Arg {
    char* base;
    int64_t stride[kMaxDims];  // bytes, innermost first
    int size, item;            // bytes: of the compute type, and in memory
    bool plain;                // stored as it is computed
    LoadFn load;
    StoreFn store;
    /// Dense across the rows, in elements that move as they are?
    bool crosses() const { return plain && (size == 4 || size == 8) && stride[1] == size && stride[0] >= 8 * size; }
  };
  int args, dims, lanes;       // lanes: what n is a multiple of
  int64_t shape[kMaxDims], numel;
  bool past = false;           // is the output, dense along dim 0, written past the caches (stream.h)?
  Arg arg[kMaxArgs];
  /// arg[0] is the output, of exactly `shape`; the others broadcast to it. Compute::None: the caller moves the bytes itself
  /// (a copy) and wants the sorted dims only.
  Plan(IntList shape, const Operand* operands, int args, int lanes);
  /// Is this a plane with a dense output and an input that is dense across its rows?
  bool crosses() const;
  /// The dim that threads should share, and how many of its entries one piece takes.
  struct Cut { int dim; int64_t piece; };
  Cut cut(int64_t grain) const;
};

/// The length of pieces of [0, n): about `grain` at most, equal and even in number, so that two threads end together. A multiple of `step`.
inline int64_t even_piece(int64_t n, int64_t grain, int64_t step) {
  if (n <= grain) return n;
  const int64_t pieces = (n + 2 * grain - 1) / (2 * grain) * 2;
  return ((n + pieces - 1) / pieces + step - 1) / step * step;
}

struct Runs {
  static constexpr int kBlock = 4096, kGroup = 16384;  // bytes an operand: usual, and when short rows are taken together
  int64_t n = 0;                                       // elements in this run
  char* p[kMaxArgs];
  bool next();
  /// Does the kernel write this run to its place?
  bool direct() const { return !pending_; }
  explicit Runs(const Plan& plan) : Runs(plan, 0, 0, plan.shape[0]) {}
  Runs(const Plan& plan, int dim, int64_t begin, int64_t end, Streamed* past = nullptr);  // past: when the plan says so
  Runs(const Runs&) = delete;

 private:
  bool next_group();
  bool next_row(int first);
  void flush();
  struct State {
    char* row;                 // of the current outer index
    bool dense, splat;
    const char* filled;        // what the buffer holds, when it can be kept
  };
  const Plan& plan_;
  Streamed* past_;
  int64_t shape_[kMaxDims], index_[kMaxDims], pos_ = 0, pending_ = 0, group_ = 0;
  bool all_dense_ = true;
  int widest_ = 1;
  State state_[kMaxArgs];
  alignas(64) char buffer_[kMaxArgs][kGroup + 64];
};

}  // namespace tapegrad
