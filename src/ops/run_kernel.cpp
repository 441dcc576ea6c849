// Runs an elementwise kernel over operands: straight over dense memory, with splatted 0-d operands, or through Runs; on several
// threads when it is worth it. No element's bits depend on which way it took.
#include <algorithm>
#include <cstring>

#include "src/ops/elementwise.h"
#include "src/ops/scratch.h"
#include "src/ops/stream.h"
#include "src/tensor/parallel.h"

namespace tapegrad {

namespace {

constexpr int64_t kCheapGrain = 32768, kCostlyGrain = 8192;  // elements worth about 10 µs
constexpr int64_t kPastGrain = 1 << 17;                      // past the caches, the end of a piece waits for its stores

constexpr int64_t kBlock = 1024;
/// Elements [begin, end) of operands that are dense or, with size 0, splatted blocks of kBlock elements. Past the caches, blocks are
/// short: the processor then reads the next one's operands while this one is written.
void run_blocks(Kernel kernel, const void* params, char* const* p, const int* size, int args, int64_t begin, int64_t end,
    Streamed& out) {
  const int64_t block = out.past() ? kStreamBlock / size[0] : kBlock;
  for (int64_t i = begin; i < end; i += block) {
    char* q[kMaxArgs];
    for (int k = 0; k < args; k++) q[k] = p[k] + i * size[k];
    const int64_t n = std::min(block, end - i);
    out.put(q[0], n * size[0], [&](char* to) {
      q[0] = to;
      kernel(params, q, n);
    });
  }
}
/// Is the output big, and not one of the inputs, whose lines are in the cache anyway?
bool writes_past(const Operand* arg, int args) {
  const TensorImpl& out = *arg[0].t;
  if (!is_past_caches(out.numel * int64_t(item_size(out.dtype)))) return false;
  for (int k = 1; k < args; k++) if (arg[k].t->storage == out.storage) return false;
  return true;
}

// Single numbers beside dense operands: splatted into a block, over which the others are walked.
[[gnu::noinline]] void run_splat(Kernel kernel, const void* params, const Operand* arg, int args, unsigned splats,
    int lanes, int64_t grain) {
  alignas(64) char block[3][kBlock * 16];
  const int64_t n = arg[0].t->numel, whole = n - n % lanes;
  char* p[kMaxArgs];
  int size[kMaxArgs], used = 0;
  for (int k = 0; k < args; k++) {
    size[k] = kComputeSize[int(arg[k].compute)];
    p[k] = arg[k].t->host();
    if (!(splats >> k & 1)) continue;
    load_for(arg[k].t->dtype, arg[k].compute)(p[k], 0, std::min(kBlock, (n + lanes - 1) / lanes * lanes), block[used]);
    p[k] = block[used++];
    size[k] = 0;
  }
  const bool past = writes_past(arg, args);
  parallel_for(whole, even_piece(whole, grain, kBlock), [&](int64_t begin, int64_t end) {
    Streamed out(past);
    run_blocks(kernel, params, p, size, args, begin, end, out);
  });
  if (whole == n) return;
  alignas(64) char tail[kMaxArgs][128];  // a packet's worth of elements, which may be wider than its own
  char* q[kMaxArgs];
  for (int k = 0; k < args; k++) {
    q[k] = size[k] ? tail[k] : p[k];
    if (!k || !size[k]) continue;
    for (int64_t i = 0; i < lanes; i++)
      std::memcpy(tail[k] + i * size[k], p[k] + std::min(whole + i, n - 1) * size[k], size_t(size[k]));
  }
  kernel(params, q, lanes);
  std::memcpy(p[0] + whole * size[0], tail[0], size_t((n - whole) * size[0]));
}

// A plane in which an input is dense across the output's rows, as in a + b.t(): by tiles, that input transposed into L2.
[[gnu::noinline]] void run_tiles(Kernel kernel, const void* params, const Plan& plan) {
  constexpr int64_t kCols = 512, kTile = 128 * (kCols * 4 + 64);
  auto row_size = [](int64_t size) { return kCols * size + 64; };  // a tile's rows do not all begin in the same set of L1
  int64_t height = 128;
  for (int k = 1; k < plan.args; k++) height = std::min(height, kTile / row_size(plan.arg[k].size));
  const int64_t cols = plan.shape[0], rows = plan.shape[1], strips = (cols + kCols - 1) / kCols;
  std::atomic<bool> failed = false;
  parallel_for((rows + height - 1) / height * strips, 2, [&](int64_t begin, int64_t end) {
    Streamed out(plan.past);
    const Scratch tiles(size_t(kTile) * size_t(plan.args - 1), failed);
    if (!tiles) return;
    alignas(64) char row[kMaxArgs][kCols * 8];
    for (int64_t t = begin; t < end; t++) {
      const int64_t r0 = t / strips * height, c0 = t % strips * kCols, nr = std::min(height, rows - r0), nc = std::min(kCols, cols - c0);
      const int64_t padded = (nc + plan.lanes - 1) / plan.lanes * plan.lanes;
      auto tile = [&](int k) { return tiles.get<char>() + (k - 1) * kTile; };
      for (int k = 1; k < plan.args; k++)
        if (const Plan::Arg& a = plan.arg[k]; a.crosses()) {
          const char* from = a.base + r0 * a.stride[1] + c0 * a.stride[0];
          moves_tables[kernel_set]->transpose[a.size == 8](from, a.stride[0], tile(k), row_size(a.size), nc, nr);
        }
      for (int64_t r = 0; r < nr; r++) {
        char* p[kMaxArgs] = {row[0]};
        for (int k = 1; k < plan.args; k++) {
          const Plan::Arg& a = plan.arg[k];
          char* from = a.crosses() ? tile(k) + r * row_size(a.size) : a.base + (r0 + r) * a.stride[1] + c0 * a.stride[0];
          const int64_t step = a.crosses() ? a.size : a.stride[0];
          p[k] = from;
          if (a.stride[0] == a.size)  // the row after the next
            for (int64_t b = 0; b < nc * step; b += 64) __builtin_prefetch(from + 2 * a.stride[1] + b);
          if (a.plain && step == a.size && nc == padded) continue;
          p[k] = row[k];
          a.load(from, step, nc, row[k]);
          a.load(from + (nc - 1) * step, 0, padded - nc, row[k] + nc * a.size);
        }
        kernel(params, p, padded);
        const Plan::Arg& y = plan.arg[0];
        out.copy(y.base + (r0 + r) * y.stride[1] + c0 * y.size, row[0], nc * y.size);
      }
    }
  });
  check_memory(failed);
}

[[gnu::noinline]] void run_strided(Kernel kernel, const void* params, const Operand* arg, int args, int lanes, int64_t grain) {
  Plan plan({arg[0].t->sizes, arg[0].t->ndim}, arg, args, lanes);
  plan.past = writes_past(arg, args) && plan.arg[0].stride[0] == plan.arg[0].item;
  if (plan.numel > grain && plan.crosses()) return run_tiles(kernel, params, plan);
  if (plan.numel <= grain) {
    Runs runs(plan);
    while (runs.next()) kernel(params, runs.p, runs.n);
    return;
  }
  int size[kMaxArgs];
  for (int k = 0; k < args; k++) size[k] = plan.arg[k].size;
  const Plan::Cut cut = plan.cut(grain);
  parallel_for(plan.shape[cut.dim], cut.piece, [&](int64_t begin, int64_t end) {
    Streamed out(plan.past);
    Runs runs(plan, cut.dim, begin, end, &out);
    while (runs.next())
      if (plan.past && runs.direct()) run_blocks(kernel, params, runs.p, size, args, 0, runs.n, out);
      else kernel(params, runs.p, runs.n);
  });
}

// The ragged end of dense operands through padded copies.
[[gnu::noinline]] void run_tail(Kernel kernel, const void* params, const Operand* arg, int args, int lanes, int64_t done) {
  alignas(64) char tail[kMaxArgs][128];
  char* q[kMaxArgs];
  const int64_t n = arg[0].t->numel;
  for (int k = 0; k < args; k++) {
    q[k] = tail[k];
    const size_t size = size_t(kComputeSize[int(arg[k].compute)]);
    const char* from = arg[k].t->data + size_t(done) * size;
    if (k == 0) continue;
    std::memcpy(tail[k], from, size_t(n - done) * size);
    for (int64_t i = n - done; i < lanes; i++) std::memcpy(tail[k] + size_t(i) * size, arg[k].t->data + size_t(n - 1) * size, size);
  }
  kernel(params, q, lanes);
  const size_t size = size_t(kComputeSize[int(arg[0].compute)]);
  std::memcpy(arg[0].t->data + size_t(done) * size, tail[0], size_t(n - done) * size);
}

int lanes_of(Compute c) {
  if (c == Compute::F16 || c == Compute::BF16) c = Compute::F32;  // a packet of the floats that they are widened to
  return c <= Compute::F64 ? std::max(1, vector_bytes[kernel_set] >> kComputeShift[int(c)]) : 1;
}
bool is_dense(const Operand& a, const TensorImpl& out) {
  return a.t->contiguous && stored_as(a.t->dtype, a.compute) && same_sizes(*a.t, out);
}
// Storages end in padding: the last packet may reach into it; to be written there, nothing may follow in the storage.
bool ends_in_padding(const TensorImpl& t, bool written, int64_t n, int64_t count, int64_t size) {
  const char* end = t.storage->data + t.storage->capacity;
  return t.data + count * size <= end && (!written || t.data + n * size == t.storage->data + t.storage->bytes);
}

/// One element, perhaps shown many times (expand).
bool one_number(const TensorImpl& t) {
  for (int d = 0; d < t.ndim; d++) if (t.sizes[d] != 1 && t.strides[d] != 0) return false;
  return true;
}

}  // namespace

Kernel half_kernel(const OpEntry& op, Operand* arg, int args, int backward) {
  int number = 0;  // the operand that is one
  if (op.traits.wide_number && backward < 0)
    for (int k = 1; k <= 2; k++) if (arg[k].t->ndim == 0 && arg[k].t->dtype != arg[3 - k].t->dtype) number = k;
  const Dtype d = arg[number == args - 1 ? 1 : args - 1].t->dtype;
  if (d != Dtype::Float16 && d != Dtype::BFloat16) return nullptr;
  for (int k = 0; k < args; k++)
    if (arg[k].compute != Compute::Bool && (arg[k].compute != Compute::F32 || (arg[k].t->dtype != d && (k == 0 || k != number)))) return nullptr;
  const int brain = d == Dtype::BFloat16;
  const HalfKernels& of = halves_tables[kernel_set]->op[op.inputs - 1][op.index];
  const Kernel kernel = backward >= 0 ? of.backward[backward][brain] : number ? of.number[number - 1][brain] : of.forward[brain];
  if (!kernel) return nullptr;
  for (int k = 0; k < args; k++) if (arg[k].t->dtype == d) arg[k].compute = brain ? Compute::BF16 : Compute::F16;
  return kernel;
}

SmallOperands::SmallOperands(const Operand* arg, int args) {
  const TensorImpl& out = *arg[0].t;
  const int64_t n = out.numel;
  if (n > kFew || n == 0) return;
  int lanes = lanes_of(arg[0].compute), used = 0;
  for (int k = 1; k < args; k++) if (arg[k].compute != arg[0].compute) lanes = std::max(lanes, lanes_of(arg[k].compute));
  const int64_t whole = (n + lanes - 1) & -int64_t(lanes);
  for (int k = 0; k < args; k++) {
    const Compute c = arg[k].compute;
    if (is_dense(arg[k], out)) {
      if (!ends_in_padding(*arg[k].t, k == 0, n, whole, kComputeSize[int(c)])) return;
      p[k] = arg[k].t->host();
    } else {
      if (k == 0 || used == 2 || !one_number(*arg[k].t)) return;
      load_for(arg[k].t->dtype, c)(arg[k].t->host(), 0, whole, numbers_[used]);
      p[k] = numbers_[used++];
    }
  }
  count = whole;
}

[[gnu::noinline]] static bool run_small(Kernel kernel, const void* params, const Operand* arg, int args) {
  const SmallOperands small(arg, args);
  if (small.count) kernel(params, small.p, small.count);
  return small.count;
}

void run_kernel(Kernel kernel, const void* params, const Operand* arg, int args, bool costly) {
  const TensorImpl& out = *arg[0].t;
  const int64_t n = out.numel;
  if (!n) return;
  if (n <= SmallOperands::kFew && run_small(kernel, params, arg, args)) return;
  const int64_t grain = writes_past(arg, args) ? kPastGrain : costly ? kCostlyGrain : kCheapGrain;
  LongKernel unlocked(costly ? n * 4 : n);
  int lanes = 1;
  unsigned splats = 0;
  bool dense = true;
  for (int k = 0; k < args; k++) {
    const TensorImpl& t = *arg[k].t;
    lanes = std::max(lanes, lanes_of(arg[k].compute));
    if (is_dense(arg[k], out)) continue;
    if (k && one_number(t)) splats |= 1u << k; else dense = false;
  }
  if (!dense || (splats && __builtin_popcount(splats) > 3)) return run_strided(kernel, params, arg, args, lanes, grain);
  if (splats) return run_splat(kernel, params, arg, args, splats, lanes, grain);

  const int64_t whole = n - n % lanes;
  int64_t count = whole == n ? n : whole + lanes;
  char* p[kMaxArgs];
  for (int k = 0; k < args; k++) {
    p[k] = arg[k].t->host();
    if (!ends_in_padding(*arg[k].t, k == 0, n, count, kComputeSize[int(arg[k].compute)])) count = n;
  }
  const bool tail = count == n && whole != n;
  if (tail) count = whole;
  if (count <= grain) {
    if (count) kernel(params, p, count);
  } else {
    const bool past = writes_past(arg, args);
    int size[kMaxArgs];
    for (int k = 0; k < args; k++) size[k] = kComputeSize[int(arg[k].compute)];
    parallel_for(count, even_piece(count, grain, kBlock), [&](int64_t begin, int64_t end) {
      Streamed out(past);
      if (past) return run_blocks(kernel, params, p, size, args, begin, end, out);
      char* q[kMaxArgs];
      for (int k = 0; k < args; k++) q[k] = p[k] + begin * size[k];
      kernel(params, q, end - begin);
    });
  }
  if (tail) run_tail(kernel, params, arg, args, lanes, whole);
}

}  // namespace tapegrad
