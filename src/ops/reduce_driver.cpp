// Cuts a reduction into runs for the fold kernels: dims are sorted by stride and merged, the innermost becomes the kernel's
// rows or columns, results are done in blocks, and a reduction with few results is cut along the reduced dims as well.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "src/ops/complex.h"
#include "src/ops/cuda/launch_reduce.h"
#include "src/ops/plain.h"
#include "src/ops/reduce.h"
#include "src/tensor/half.h"
#include "src/tensor/parallel.h"

namespace tapegrad {

const ReduceTable& reduce_kernels() { return *reduce_tables[kernel_set]; }

uint32_t reduced_dims(const Tensor& x, IntList dim) {
  const int64_t n = x.dim();
  if (dim.empty()) return n ? (uint32_t(1) << n) - 1 : 0;
  uint32_t mask = 0;
  for (int64_t d : dim) {
    const int64_t w = wrap_dim(d, n, x);
    TG_CHECK(!(mask >> w & 1), ValueError, "dim ", w, " appears more than once in dim ", dim);
    mask |= uint32_t(1) << w;
  }
  return n ? mask : 0;
}

Shape reduced_shape(IntList sizes, uint32_t dims, bool keepdim) {
  Shape s;
  for (size_t d = 0; d < sizes.size(); d++)
    if (!(dims >> d & 1)) s.push_back(sizes[d]);
    else if (keepdim) s.push_back(1);
  return s;
}

int64_t reduced_count(const Tensor& x, uint32_t dims) {
  int64_t n = 1;
  for (int64_t d = 0; d < x.dim(); d++) if (dims >> d & 1) n *= x->sizes[d];
  return n;
}

namespace {

constexpr int64_t kMaxBlock = 1024;    // results computed together
constexpr int64_t kBuffer = 2048;      // elements converted at a time
constexpr int64_t kPiece = 1 << 15;    // elements worth a thread's while

struct Dim {
  int64_t size, xs, os;                // strides in elements: of the input and of the results
  bool kept;
};
struct Plan {
  const char* x;
  Dtype dtype;
  Dim dims[kMaxDims + 2];
  int count = 0;
};
struct Sink {
  char* out;
  Dtype dtype;
  double divide;
  bool root;
  const double* shift;
};

double identity(FoldKind k) {
  return k == kProd || k == kAll ? 1 : k == kMax ? -INFINITY : k == kMin || k == kMinAbs ? INFINITY : 0;
}
int64_t int_identity(FoldKind k) { return k == kProd || k == kAll ? 1 : k == kMax ? INT64_MIN : k == kMin ? INT64_MAX : 0; }

// Sorts by stride, largest first (repeated dims outermost), and merges neighbours of one kind.
void simplify(Plan& p) {
  auto before = [](const Dim& a, const Dim& b) { return (a.xs ? a.xs : INT64_MAX) > (b.xs ? b.xs : INT64_MAX); };
  for (int d = 1; d < p.count; d++)  // by insertion: stable, a handful of dims, and no memory taken
    for (int k = d; k > 0 && before(p.dims[k], p.dims[k - 1]); k--) std::swap(p.dims[k], p.dims[k - 1]);
  int m = 0;
  for (int d = 0; d < p.count; d++) {
    const Dim b = p.dims[d];
    if (b.size == 1) continue;
    if (m) {
      Dim& a = p.dims[m - 1];
      if (a.kept == b.kept && a.xs == b.xs * b.size && (!a.kept || a.os == b.os * b.size)) {
        a = {a.size * b.size, b.xs, b.os, b.kept};
        continue;
      }
    }
    p.dims[m++] = b;
  }
  p.count = m;
}

template <class A> void store(const Sink& s, int64_t at, int64_t stride, int64_t n, const A* acc) {
  auto put = [&](auto* y, auto value) { for (int64_t i = 0; i < n; i++) y[at + i * stride] = value(acc[i]); };
  auto number = [&](A v) { const double d = double(v) / s.divide; return s.root ? std::sqrt(d) : d; };
  switch (s.dtype) {
    case Dtype::Float32: return put(reinterpret_cast<float*>(s.out), [&](A v) { return float(number(v)); });
    case Dtype::Float64: return put(reinterpret_cast<double*>(s.out), number);
    case Dtype::Float16: return put(reinterpret_cast<uint16_t*>(s.out), [&](A v) { return float_to_half(float(number(v))); });
    case Dtype::BFloat16: return put(reinterpret_cast<uint16_t*>(s.out), [&](A v) { return float_to_bfloat(float(number(v))); });
    case Dtype::Bool: return put(reinterpret_cast<bool*>(s.out), [](A v) { return v != 0; });
    case Dtype::UInt8: return put(reinterpret_cast<uint8_t*>(s.out), [](A v) { return uint8_t(v); });
    case Dtype::Int8: return put(reinterpret_cast<int8_t*>(s.out), [](A v) { return int8_t(v); });
    case Dtype::Int16: return put(reinterpret_cast<int16_t*>(s.out), [](A v) { return int16_t(v); });
    case Dtype::Int32: return put(reinterpret_cast<int32_t*>(s.out), [](A v) { return int32_t(v); });
    case Dtype::UInt16: return put(reinterpret_cast<uint16_t*>(s.out), [](A v) { return uint16_t(v); });
    case Dtype::UInt32: return put(reinterpret_cast<uint32_t*>(s.out), [](A v) { return uint32_t(v); });
    default: return put(reinterpret_cast<int64_t*>(s.out), [](A v) { return int64_t(v); });
  }
}

struct Fold {
  FoldKind kind;
  FoldType compute;
  FoldKernel kernel, direct = {};      // of elements in the compute type, and as they are stored
  LoadFn load;
  int64_t item;
  bool plain;                          // dense runs of a type that `direct` reads
  Dim inner, other;                    // the kernel's two loops: elements of a row and rows, or columns and rows
  bool by_rows;
  Dim kept[kMaxDims], reduced[kMaxDims];
  int kept_count = 0, reduced_count = 0;

  void rows(const char* x, int64_t count, const double* shift, int64_t* acc) const {
    if (plain) return direct.rows(x, inner.size, count, other.xs, shift, acc);
    alignas(64) int64_t buffer[kBuffer];
    const size_t width = compute == kFoldF32 ? 4 : 8;
    if (inner.size <= kBuffer / 2) {
      const int64_t group = kBuffer / inner.size;
      for (int64_t r = 0; r < count; r += group) {
        const int64_t m = std::min(group, count - r);
        for (int64_t k = 0; k < m; k++) load(x + (r + k) * other.xs * item, inner.xs * item, inner.size, reinterpret_cast<char*>(buffer) + size_t(k * inner.size) * width);
        kernel.rows(buffer, inner.size, m, inner.size, shift ? shift + r : nullptr, acc + r);
      }
      return;
    }
    for (int64_t r = 0; r < count; r++)
      for (int64_t i = 0; i < inner.size; i += kBuffer) {
        const int64_t m = std::min(kBuffer, inner.size - i);
        load(x + (r * other.xs + i * inner.xs) * item, inner.xs * item, m, reinterpret_cast<char*>(buffer));
        kernel.rows(buffer, m, 1, 0, shift ? shift + r : nullptr, acc + r);
      }
  }
  void cols(const char* x, int64_t count, const double* shift, int64_t* acc) const {
    if (plain) return direct.cols(x, count, other.size, other.xs, shift, acc);
    alignas(64) int64_t buffer[kBuffer];
    const size_t width = compute == kFoldF32 ? 4 : 8;
    const int64_t group = kBuffer * 8 / int64_t(width) / count;
    for (int64_t r = 0; r < other.size; r += group) {
      const int64_t m = std::min(group, other.size - r);
      for (int64_t k = 0; k < m; k++) load(x + (r + k) * other.xs * item, inner.xs * item, count, reinterpret_cast<char*>(buffer) + size_t(k * count) * width);
      kernel.cols(buffer, count, m, count, shift, acc);
    }
  }
  // The block of results [begin, end) of the run dim at one place of the outer kept dims.
  void block(const Plan& p, const Sink& sink, int64_t outer, int64_t begin, int64_t end) const {
    const Dim& run = by_rows ? other : inner;
    int64_t xo = begin * run.xs, oo = begin * run.os;
    for (int d = kept_count - 1; d >= 0; d--) {
      const int64_t i = outer % kept[d].size;
      outer /= kept[d].size, xo += i * kept[d].xs, oo += i * kept[d].os;
    }
    const int64_t n = end - begin;
    alignas(64) int64_t acc[kMaxBlock];
    double local[kMaxBlock];
    const double* shift = sink.shift ? sink.shift + oo : nullptr;
    if (shift && run.os != 1) {
      for (int64_t i = 0; i < n; i++) local[i] = shift[i * run.os];
      shift = local;
    }
    if (compute == kFoldI64) std::fill(acc, acc + n, int_identity(kind));
    else std::fill(reinterpret_cast<double*>(acc), reinterpret_cast<double*>(acc) + n, identity(kind));
    int64_t index[kMaxDims] = {};
    const char* x = p.x + xo * item;
    for (;;) {
      by_rows ? rows(x, n, shift, acc) : cols(x, n, shift, acc);
      int d = reduced_count - 1;
      for (; d >= 0; d--) {
        x += reduced[d].xs * item;
        if (++index[d] < reduced[d].size) break;
        x -= reduced[d].xs * reduced[d].size * item;
        index[d] = 0;
      }
      if (d < 0) break;
    }
    if (compute == kFoldI64) store<int64_t>(sink, oo, run.os, n, acc);
    else store<double>(sink, oo, run.os, n, reinterpret_cast<double*>(acc));
  }
};

void run(FoldKind kind, Plan& p, const Sink& sink) {
  simplify(p);
  Fold f;
  f.kind = kind;
  f.compute = fold_compute(p.dtype);
  f.kernel = reduce_kernels().fold[kind][f.compute];
  f.load = load_for(p.dtype, Compute(f.compute));
  f.item = int64_t(item_size(p.dtype));
  f.by_rows = p.count == 0 || !p.dims[p.count - 1].kept;
  f.inner = {1, 1, 0, !f.by_rows}, f.other = {1, 0, 0, f.by_rows};
  int64_t kept = 1, total = 1;
  bool have_other = false;
  if (p.count) f.inner = p.dims[p.count - 1];
  if (const FoldType stored = fold_stored(p.dtype); stored != kFoldTypes) f.direct = reduce_kernels().fold[kind][stored];
  f.plain = f.direct.rows && f.inner.xs == 1;
  for (int d = p.count - 2; d >= 0; d--) {
    if (!have_other && p.dims[d].kept == f.by_rows) { f.other = p.dims[d], have_other = true; continue; }
    if (p.dims[d].kept) f.kept[f.kept_count++] = p.dims[d];
    else f.reduced[f.reduced_count++] = p.dims[d];
  }
  std::reverse(f.kept, f.kept + f.kept_count);
  std::reverse(f.reduced, f.reduced + f.reduced_count);
  for (int d = 0; d < p.count; d++) total *= p.dims[d].size;
  for (int d = 0; d < f.kept_count; d++) kept *= f.kept[d].size;
  const Dim& along = f.by_rows ? f.other : f.inner;
  const int64_t each = std::max<int64_t>(1, total / (kept * along.size));  // elements per result
  const bool whole_rows = !f.by_rows && f.plain;  // read from end to end
  const int64_t block = whole_rows ? kMaxBlock : std::clamp<int64_t>(kPiece / each, f.by_rows ? 4 : 64, kMaxBlock / 2);
  const int64_t blocks = (along.size + block - 1) / block;
  const int64_t grain = std::max<int64_t>(1, kPiece / (each * std::min(block, along.size)));
  LongKernel unlocked(total);
  parallel_for(kept * blocks, grain, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; t++) {
      const int64_t b = t % blocks * block;
      f.block(p, sink, t / blocks, b, std::min(b + block, along.size));
    }
  });
}

// What joins accumulators of `kind`.
FoldKind joiner(FoldKind kind) {
  switch (kind) {
    case kSumSquares: case kSumAbs: case kSumExp: case kCount: return kSum;
    case kMaxAbs: return kMax;
    case kMinAbs: case kAll: return kMin;
    default: return kind;
  }
}

}  // namespace

void fold_into(const Tensor& out, FoldKind kind, const Tensor& x, uint32_t dims, FoldFinish finish) {
  if (is_complex(x.dtype())) {  // a sum is that of the parts; the others mix them
    TG_CHECK(kind == kSum, DtypeError, "not implemented for ", x.dtype(), Named{"input", x});
    return fold_into(as_floats(out), kind, as_floats(x), dims, finish);
  }
  if (x.is_cuda()) return cuda_fold(out, kind, x, dims, finish);
  Sink sink{out->host(), out.dtype(), finish.divide, finish.root, finish.shift ? (*finish.shift)->host<const double>() : nullptr};
  if (!x.numel()) {
    for (int64_t i = 0; i < out.numel(); i++) {
      const double d = identity(kind);
      const int64_t n = int_identity(kind);
      if (fold_compute(x.dtype()) == kFoldI64) store<int64_t>(sink, i, 1, 1, &n);
      else store<double>(sink, i, 1, 1, &d);
    }
    return;
  }
  Plan p{x->host(), x.dtype(), {}, 0};
  int64_t os = 1, widest = -1;
  for (int64_t d = x.dim() - 1; d >= 0; d--) {
    const bool kept = !(dims >> d & 1);
    if (x->sizes[d] == 1) continue;
    p.dims[p.count++] = {x->sizes[d], x->strides[d], kept ? os : 0, kept};
    if (kept) os *= x->sizes[d];
  }
  std::reverse(p.dims, p.dims + p.count);
  const int64_t results = out.numel(), each = x.numel() / std::max<int64_t>(1, results);
  // Few columns, as in (n, 3): several rows side by side make a row of packets; the columns that belong together are joined after.
  constexpr int64_t kNarrow = 32, kWide = 256;
  if (results < kNarrow && p.count == 2 && p.dims[1].kept && p.dims[1].xs == 1 && p.dims[0].xs == results && each >= 2 * kWide && !sink.shift) {
    const int64_t group = kWide / results, whole = each / group, rest = each % group;
    Tensor partial = empty({group + 1, results}, fold_compute(x.dtype()) == kFoldI64 ? Dtype::Int64 : Dtype::Float64);
    fold_into(alias(partial, {group * results}, {1}, 0, false), kind, alias(x, {whole, group * results}, {group * results, 1}, 0, false), 1);
    fold_into(alias(partial, {results}, {1}, group * results, false), kind, alias(x, {rest, results}, {results, 1}, whole * group * results, false), 1);
    Plan j{partial->host(), partial.dtype(), {{group + 1, results, 0, false}, {results, 1, 1, true}}, 2};
    return run(joiner(kind), j, sink);
  }
  // Few results of very many elements each: cut the outermost reduced dim into pieces that count as results, then join those.
  // Columns that are read along the rows are cut so too: a piece then reads memory from end to end.
  simplify(p);
  const bool down = p.count && p.dims[p.count - 1].kept;
  const int64_t pieces = down ? std::min<int64_t>({64, x.numel() / (4 * kPiece), each / 128})
                              : std::min<int64_t>({64, x.numel() / (2 * kPiece), each / 4096});
  if (pieces > 1 && (down || results * 2048 < each * 64)) {
    for (int d = 0; d < p.count && (widest < 0 || p.dims[widest].size < pieces); d++)  // the outermost that is long enough
      if (!p.dims[d].kept && (widest < 0 || p.dims[d].size > p.dims[widest].size)) widest = d;
    Dim& cut = p.dims[widest];
    const int64_t m = std::max<int64_t>(1, (cut.size + pieces - 1) / pieces), whole = cut.size / m, rest = cut.size - whole * m, n = whole + (rest > 0);
    if (n > 1) {
      Tensor partial = empty({n, results}, fold_compute(x.dtype()) == kFoldI64 ? Dtype::Int64 : Dtype::Float64);
      const Sink inner{partial->host(), partial.dtype(), 1, false, sink.shift};
      // The shift has one number per result, the same for each piece: its pieces are run one plan a piece when it is there.
      auto piece = [&](int64_t first, int64_t count, int64_t size) {
        Plan q = p;
        q.x = p.x + first * m * cut.xs * int64_t(item_size(p.dtype));
        q.dims[widest].size = size;
        if (count > 1) {
          for (int d = q.count; d > 0; d--) q.dims[d] = q.dims[d - 1];
          q.dims[0] = {count, m * cut.xs, results, true};
          q.count++;
        }
        Sink s = inner;
        s.out += first * results * 8;
        run(kind, q, s);
      };
      if (sink.shift) {
        parallel_for(n, 1, [&](int64_t begin, int64_t end) {
          for (int64_t k = begin; k < end; k++) piece(k, 1, k < whole ? m : rest);
        });
      } else {
        piece(0, whole, m);
        if (rest) piece(whole, 1, rest);
      }
      Plan j{partial->host(), partial.dtype(), {{n, results, 0, false}, {results, 1, 1, true}}, 2};
      Sink s = sink;
      s.shift = nullptr;
      run(joiner(kind), j, s);
      return;
    }
  }
  run(kind, p, sink);
}

}  // namespace tapegrad
