// gather and scatter: along one dimension each element has an index of its own. Lines along that dimension never meet, so
// they run on several threads; within a line index order decides (but for sums of many into few: add_in_parts).
#include <algorithm>
#include <atomic>

#include "src/ops/complex_number.h"
#include "src/ops/cuda/calls.h"
#include "src/ops/cuda/launch.h"
#include "src/ops/elementwise.h"
#include "src/ops/op_info.h"
#include "src/ops/index_rows.h"
#include "src/ops/stream.h"

namespace tapegrad {
namespace {

// Strides of three operands along one dimension: x (the indexed tensor), the index and a third tensor.
struct Steps {
  int64_t x, index, other;
};
// The positions of `index`, with dim and the last other dimension ("across") apart.
struct Lines {
  Walk<3> walk;
  int64_t length, across = 1, x_size;
  Steps along, step = {1, 1, 1};
};
Lines lines_of(const Tensor& x, const Tensor& index, const Tensor& other, int64_t dim) {
  Lines l;
  const int64_t dims = index.dim(), last = dim == dims - 1 ? -1 : dims - 1;
  for (int64_t d = 0; d < dims; d++) {
    if (d == last) l.across = index->sizes[d], l.step = {x->strides[d], index->strides[d], other->strides[d]};
    else if (d != dim) l.walk.add(index->sizes[d], x->strides[d], index->strides[d], other->strides[d]);
  }
  l.length = size_of(index, dim), l.x_size = size_of(x, dim);
  l.along = {x.dim() ? x->strides[dim] : 0, dims ? index->strides[dim] : 0, dims && other.dim() ? other->strides[dim] : 0};
  return l;
}
// What is read soon comes into the second cache. (Towards the first too few requests can be under way: it takes twice the time.)
void expect(const char* p, int64_t bytes) {
  for (int64_t b = 0; b < bytes; b += 64) __builtin_prefetch(p + b, 0, 2);
}
// f(k) for n indices in a row, while those after them and the row after x, if there is one, are expected; false, and some left out,
// if `check` is set and one is out of bounds.
template <class T, class F> bool along_row(const int64_t* index, int64_t n, const T* x, int64_t x_size, bool check, F&& f) {
  constexpr int64_t kChecked = 256, kPiece = 64, kAhead = 1024;
  bool good = true;
  for (int64_t k = 0; k < n;) {
    const int64_t stop = std::min(n, k + kChecked);
    if (check && !moves_tables[kernel_set]->within(index + k, stop - k, x_size)) {
      good = false, k = stop;
      continue;
    }
    while (k < stop) {
      expect(reinterpret_cast<const char*>(index + k) + kAhead * 8, kPiece * 8);
      if (k < x_size) expect(reinterpret_cast<const char*>(x + k) + x_size * int64_t(sizeof(T)), kPiece * int64_t(sizeof(T)));
      for (const int64_t end = std::min(stop, k + kPiece); k < end; k++) f(k);
    }
  }
  return good;
}
// Rows of x up to this size are read in order before indices come in any.
constexpr int64_t kRow = 1 << 15;
template <class T> void read_row(const T* x, int64_t x_size, int64_t indices) {
  const int64_t bytes = x_size * int64_t(sizeof(T));
  if (bytes > kRow || x_size > 4 * indices) return;
  for (int64_t b = 0; b < bytes; b += 64) __builtin_prefetch(reinterpret_cast<const char*>(x) + b);
}
// f(x element, other element) for each index, in order along dim; false, and some left out, if `check` is set and one is out of bounds.
// Across it goes by strips, so narrow that the strip of x that the indices point into stays in the cache.
template <class T, class F> bool each_index(const Lines& l, T* x, const int64_t* index, T* other, bool check, F&& f) {
  constexpr int64_t kCache = 1 << 19;
  const int64_t fits = kCache / std::max<int64_t>(1, l.x_size * int64_t(sizeof(T))) / 16 * 16;
  const int64_t width = std::min(l.across, std::clamp<int64_t>(fits, 16, 512)), strips = l.across ? (l.across + width - 1) / width : 0;
  const Steps along = l.along, step = l.step;
  std::atomic<bool> outside{false};
  parallel_for(l.walk.count * strips, grain_for(l.length * width), [&](int64_t begin, int64_t end) {
    for (int64_t piece = begin; piece < end; piece++)
      l.walk(piece / strips, piece / strips + 1, [&](const int64_t (&at)[3]) {
        const int64_t first = piece % strips * width, count = std::min(width, l.across - first);
        T *xs = x + at[0] + first * step.x, *os = other + at[2] + first * step.other;
        const int64_t* is = index + at[1] + first * step.index;
        if (l.across == 1 && along.index == 1) {
          if (along.x == 1) read_row(xs, l.x_size, l.length);
          const bool good = along.x == 1 && along.other == 1
                                ? along_row(is, l.length, xs, l.x_size, check, [&](int64_t k) { f(xs[is[k]], os[k]); })
                                : along_row(is, l.length, xs, l.x_size, check, [&](int64_t k) { f(xs[is[k] * along.x], os[k * along.other]); });
          if (!good) outside = true;
          return;
        }
        for (int64_t k = 0; k < l.length; k++, is += along.index, os += along.other) {
          if (check && !moves_tables[kernel_set]->within(is, count, l.x_size)) outside = true;
          else for (int64_t j = 0; j < count; j++) f(xs[is[j] * along.x + j * step.x], os[j * step.other]);
        }
      });
  });
  return !outside;
}
// y[k] = x[index[k]] along dense rows, and past the caches if y is big.
template <class T> bool gather_rows(const Lines& l, const T* x, const int64_t* index, T* y) {
  constexpr int64_t kPart = 1 << 13, kBlock = kStreamBlock / int64_t(sizeof(T));
  const int64_t parts = (l.length + kPart - 1) / kPart;
  const bool past = is_past_caches(l.walk.count * l.length * int64_t(sizeof(T)));
  std::atomic<bool> outside{false};
  parallel_for(l.walk.count * parts, grain_for(std::min(kPart, l.length)), [&](int64_t begin, int64_t end) {
    Streamed out(past);
    for (int64_t piece = begin; piece < end; piece++)
      l.walk(piece / parts, piece / parts + 1, [&](const int64_t (&at)[3]) {
        const int64_t first = piece % parts * kPart, last = std::min(l.length, first + kPart);
        const T* row = x + at[0];
        read_row(row, l.x_size, last - first);
        for (int64_t k0 = first; k0 < last; k0 += kBlock) {
          const int64_t n = std::min(kBlock, last - k0), *is = index + at[1] + k0;
          out.put(reinterpret_cast<char*>(y + at[2] + k0), n * int64_t(sizeof(T)), [&](char* block) {
            T* to = reinterpret_cast<T*>(block);
            if (!along_row(is, n, row + k0, l.x_size, true, [&](int64_t k) { to[k] = row[is[k]]; })) outside = true;
          });
        }
      });
  });
  return !outside;
}
// Many numbers into few, along one line: parts of the indices have sums of their own, so that several threads can add. The parts
// depend on the sizes alone, and so do the bits.
constexpr int64_t kSumParts = 4;
bool sums_in_parts(const Lines& l) { return l.walk.count * l.across == 1 && l.length >= 1 << 16 && l.length >= 64 * l.x_size; }
template <class T, class F> bool add_in_parts(const Lines& l, Dtype dtype, T* x, const int64_t* index, T* other, bool check, F&& add) {
  const Tensor all_sums = full({kSumParts, l.x_size}, -0.0, dtype);  // which changes no number that it is added to
  T* sums = all_sums->host<T>();
  Lines parts = l, rest = l;
  parts.length = l.length / kSumParts, rest.length = l.length % kSumParts, parts.along.x = 1;
  parts.walk.add(kSumParts, l.x_size, parts.length * l.along.index, parts.length * l.along.other);
  const int64_t done = l.length - rest.length;
  if (!each_index(parts, sums, index, other, check, add)) return false;
  for (int64_t p = 0; p < kSumParts; p++)
    for (int64_t k = 0; k < l.x_size; k++) add(x[k * l.along.x], sums[p * l.x_size + k]);
  return each_index(rest, x, index + done * l.along.index, other + done * l.along.other, check, add);
}
Tensor int64_index(const Tensor& index) {
  TG_CHECK(index.dtype() == Dtype::Int64 || index.dtype() == Dtype::Int32, DtypeError, "index must be an int32 or int64 tensor, got ", index.dtype(), Named{"index", index});
  NoGrad guard;
  return contiguous(to(index, Dtype::Int64));
}
// Throws for the first index out of bounds.
void refuse_outside(const Tensor& index, int64_t dim, int64_t size) {
  const int64_t* p = index->host<int64_t>();
  for (int64_t k = 0, n = index.numel(); k < n; k++)
    TG_CHECK(p[k] >= 0 && p[k] < size, IndexError, "index ", p[k], " is out of bounds for dimension ", dim, " with size ", size);
}
// int64 and in bounds, so that nothing is written when one is not.
Tensor checked_index(const Tensor& index, int64_t dim, int64_t size) {
  const Tensor c = int64_index(index);
  const int64_t* p = c->host<int64_t>();
  std::atomic<bool> outside{false};
  {
    LongKernel unlock(c.numel());
    parallel_for(c.numel(), int64_t(1) << 15, [&](int64_t begin, int64_t end) { if (!moves_tables[kernel_set]->within(p + begin, end - begin, size)) outside = true; });
  }
  if (outside) refuse_outside(c, dim, size);
  return c;
}
void check_shapes(const Tensor& x, int64_t dim, const Tensor& index, const Tensor* src) {
  TG_CHECK(index.dim() == x.dim() || index.numel() == 0 || index.dim() + x.dim() == 1, ShapeError, "index must have as many dimensions as input, got ", index.dim(), " and ", x.dim(), Named{"input", x}, Named{"index", index});
  TG_CHECK(!src || src->dim() == index.dim() || index.numel() == 0 || index.dim() + src->dim() == 1, ShapeError, "index must have as many dimensions as src, got ", index.dim(), " and ", src->dim(), Named{"src", *src}, Named{"index", index});
  if (index.numel() == 0) return;
  for (int64_t d = 0; d < index.dim(); d++) {
    TG_CHECK(d == dim || index->sizes[d] <= size_of(x, d), ShapeError, "index must not be larger than input except in dimension ", dim, ", got ", index.sizes(), " and ", x.sizes(), Named{"input", x}, Named{"index", index});
    TG_CHECK(!src || index->sizes[d] <= size_of(*src, d), ShapeError, "index must not be larger than src, got ", index.sizes(), " and ", src->sizes(), Named{"src", *src}, Named{"index", index});
  }
}
// The part of src that index has entries for.
Tensor trimmed(const Tensor& src, const Tensor& index) {
  Tensor out = src;
  for (int64_t d = 0; d < src.dim() && d < index.dim(); d++)
    if (src->sizes[d] != index->sizes[d]) out = narrow(out, d, 0, index->sizes[d]);
  return out;
}

// ---- gather

struct GatherBackward final : NodeOf<1> {
  Shape sizes;
  int64_t dim;
  SavedTensor index;
  GatherBackward(const Tensor& x, int64_t d, const Tensor& i) : NodeOf(x), sizes(x.sizes()), dim(d), index(i) {}
  const char* name() const override { return "GatherBackward0"; }
  void backward(Tensor g, Tensor* dx) override { dx[0] = scatter_add_(zeros(sizes, g.dtype(), g.device()), dim, index.unpack(*this), g); }
  void free_saved() override { index.reset(); }
};

}  // namespace

Tensor gather(const Tensor& x, int64_t dim, const Tensor& index) {
  OpScope op("gather");
  const int64_t d = wrap_dim(dim, x.dim(), x);
  check_shapes(x, d, index, nullptr);
  check_same_device("input", x, "index", index);
  Tensor out = x.is_cuda() ? cuda_gather(x, d, int64_index(index)) : empty(index.sizes(), x.dtype(), x.device());
  if (out.numel() && !x.is_cuda()) {
    const Tensor at = int64_index(index);
    const Lines l = lines_of(x, at, out, d);
    const bool good = by_size(x.element_size(), [&](auto zero) {
      using T = decltype(zero);
      LongKernel unlock(out.numel());
      T *from = x->host<T>(), *to = out->host<T>();
      const int64_t* i = at->host<int64_t>();
      if (l.across == 1 && l.along.x == 1 && l.along.index == 1 && l.along.other == 1) return gather_rows(l, from, i, to);
      return each_index(l, from, i, to, true, [](T& v, T& o) { o = v; });
    });
    if (!good) refuse_outside(at, d, size_of(x, d));
  }
  if (recording(x)) record<GatherBackward>(out, x, d, index);
  return out;
}
Tensor take_along_dim(const Tensor& x, const Tensor& indices, std::optional<int64_t> dim) {
  OpScope op("take_along_dim");
  TG_CHECK(indices.dtype() == Dtype::Int64, DtypeError, "indices must be an int64 tensor, got ", indices.dtype(), Named{"indices", indices});
  const auto from_end = [&](int64_t n) { return where(indices < 0, indices + n, indices); };  // -1 is the last
  if (!dim) return gather(reshape(x, {-1}), 0, reshape(from_end(x.numel()), {-1}));
  TG_CHECK(x.dim() == indices.dim(), ShapeError, "indices must have as many dimensions as input, got ", indices.dim(), " and ", x.dim(), Named{"input", x}, Named{"indices", indices});
  const int64_t d = wrap_dim(*dim, x.dim(), x);
  if (!x.dim()) return gather(x, 0, indices);
  Shape a(x.sizes()), b(indices.sizes());
  for (size_t k = 0; k < a.size(); k++) {
    if (int64_t(k) == d) continue;
    TG_CHECK(a[k] == b[k] || a[k] == 1 || b[k] == 1, ShapeError, "input and indices must broadcast except in dimension ", d, ", got ", x.sizes(), " and ", indices.sizes());
    a[k] = b[k] = a[k] == 1 ? b[k] : a[k];
  }
  return gather(expand(x, a), d, expand(from_end(x.size(d)), b));
}

// ---- scatter

namespace {

enum class Scatter : uint8_t { Set, Add, Multiply, Max, Min };  // as CudaPut
template <class T> T larger(T a, T b) { return a > b || a != a ? a : b; }
template <class T> T smaller(T a, T b) { return a < b || a != a ? a : b; }
// `fresh`: x is nobody's yet, so the indices are checked on the way. folds: Multiply, Max and Min, else Set and Add, so that programs
// without scatter_reduce have less in them.
template <bool folds = false> void scatter_into(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src, Scatter what, bool fresh) {
  if (!index.numel()) return;
  NoGrad guard;
  if (x.is_cuda()) {
    check_same_device("input", x, "index", index);
    const Tensor from = src.dim() == 0 ? src : trimmed(src, index);
    if (what == Scatter::Multiply && is_complex(x.dtype())) {  // rare enough to be done on the CPU
      const Tensor here = clone(host_copy(x));
      scatter_into<folds>(here, dim, host_copy(index), host_copy(from), what, false);
      return cuda_copy(x, here);
    }
    return cuda_scatter(x, dim, int64_index(index), from, CudaPut(what));
  }
  const Tensor at = fresh ? int64_index(index) : checked_index(index, dim, size_of(x, dim));
  const Tensor from = src.dim() == 0 && index.dim() ? expand(src, index.sizes()) : trimmed(src, index);
  const Lines l = lines_of(x, at, from, dim);
  LongKernel unlock(index.numel());
  const int64_t* i = at->host<int64_t>();
  const auto run = [&](auto zero, auto write) {
    using T = decltype(zero);
    if (!each_index(l, x->host<T>(), i, from->host<T>(), fresh, write)) refuse_outside(at, dim, l.x_size);
  };
  if constexpr (folds) {
    typed_or_complex(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      using W = Wide<T>;
      if (what == Scatter::Multiply) return run(zero, [](T& to, T& v) { const auto product = W(to) * W(v); to = T(product); });
      if constexpr (ComplexNumber<T>) refuse_dtype(x.dtype());
      else if (what == Scatter::Max) run(zero, [](T& to, T& v) { to = T(larger(W(to), W(v))); });
      else run(zero, [](T& to, T& v) { to = T(smaller(W(to), W(v))); });
    });
  } else if (what == Scatter::Set) {
    by_size(x.element_size(), [&](auto zero) { run(zero, [](auto& to, auto& v) { to = v; }); });
  } else {
    typed_or_complex(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      using W = Wide<T>;
      const auto add = [](T& to, T& v) { to = T(W(to) + W(v)); };
      if (!sums_in_parts(l)) run(zero, add);
      else if (!add_in_parts(l, x.dtype(), x->host<T>(), i, from->host<T>(), fresh, add)) refuse_outside(at, dim, l.x_size);
    });
  }
}
void check_src(const Tensor& x, const Tensor& src) {
  TG_CHECK(src.dtype() == x.dtype(), DtypeError, "src must have the dtype of input, got ", src.dtype(), Named{"input", x}, Named{"src", src});
}

// The gradient of trimmed().
Tensor padded_to(Tensor g, IntList sizes) {
  for (int64_t d = 0; d < g.dim(); d++) {
    if (g->sizes[d] == sizes[size_t(d)]) continue;
    Shape whole(g.sizes());
    whole[size_t(d)] = sizes[size_t(d)];
    g = embed(g, {whole, d, 0, 1, g->sizes[d], false});
  }
  return g;
}
struct ScatterBackward final : NodeOf<2> {
  int64_t dim;
  bool add;
  Shape src_sizes;
  SavedTensor index;
  ScatterBackward(const Tensor& x, const Tensor& src, int64_t d, const Tensor& i, bool a) : NodeOf(x, src), dim(d), add(a), src_sizes(src.sizes()), index(i) {}
  const char* name() const override { return add ? "ScatterAddBackward0" : "ScatterBackward0"; }
  void backward(Tensor g, Tensor* dx) override {
    const Tensor at = index.unpack(*this);
    if (needs(1)) dx[1] = padded_to(gather(g, dim, at), src_sizes);
    if (needs(0)) dx[0] = add ? g : scatter(g, dim, at, Scalar(0));
  }
  void free_saved() override { index.reset(); }
};
Tensor scattered(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src, bool add) {
  const int64_t d = wrap_dim(dim, x.dim(), x);
  check_shapes(x, d, index, &src);
  check_src(x, src);
  Tensor out;
  {
    NoGrad guard;
    out = clone(x, MemoryFormat::Contiguous);
    scatter_into(out, d, index, src, add ? Scatter::Add : Scatter::Set, true);
  }
  if (recording(x, src)) record<ScatterBackward>(out, x, src, d, index, add);
  return out;
}
const Tensor& scattered_(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src, bool add) {
  const int64_t d = wrap_dim(dim, self.dim(), self);
  check_shapes(self, d, index, &src);
  check_src(self, src);
  check_writable(self);
  InPlace guard(self, recording(self, src));
  scatter_into(self, d, index, src->storage == self->storage ? clone(detach(src)) : src, add ? Scatter::Add : Scatter::Set, false);
  if (recording(self, src)) guard.record<ScatterBackward>(guard.before(), guard.old(src), d, index, add);
  return self;
}

// A number has no gradient, so x keeps its own except under the index.
struct ScatterValueBackward final : NodeOf<1> {
  int64_t dim;
  SavedTensor index;
  ScatterValueBackward(const Tensor& x, int64_t d, const Tensor& i) : NodeOf(x), dim(d), index(i) {}
  const char* name() const override { return "ScatterBackward1"; }
  void backward(Tensor g, Tensor* dx) override { dx[0] = scatter(g, dim, index.unpack(*this), Scalar(0)); }
  void free_saved() override { index.reset(); }
};

}  // namespace

Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
  OpScope op("scatter");
  return scattered(x, dim, index, src, false);
}
Tensor scatter_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
  OpScope op("scatter_add");
  return scattered(x, dim, index, src, true);
}
const Tensor& scatter_(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src) {
  OpScope op("scatter_");
  return scattered_(self, dim, index, src, false);
}
const Tensor& scatter_add_(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src) {
  OpScope op("scatter_add_");
  return scattered_(self, dim, index, src, true);
}
Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, Scalar value) {
  OpScope op("scatter");
  const int64_t d = wrap_dim(dim, x.dim(), x);
  check_shapes(x, d, index, nullptr);
  Tensor out;
  {
    NoGrad guard;
    out = clone(x, MemoryFormat::Contiguous);
    scatter_into(out, d, index, to(Tensor(value), x.dtype()), Scatter::Set, true);
  }
  if (recording(x)) record<ScatterValueBackward>(out, x, d, index);
  return out;
}
const Tensor& scatter_(const Tensor& self, int64_t dim, const Tensor& index, Scalar value) {
  OpScope op("scatter_");
  const int64_t d = wrap_dim(dim, self.dim(), self);
  check_shapes(self, d, index, nullptr);
  check_writable(self);
  InPlace guard(self, recording(self));
  scatter_into(self, d, index, to(Tensor(value), self.dtype()), Scatter::Set, false);
  if (recording(self)) guard.record<ScatterValueBackward>(guard.before(), d, index);
  return self;
}

// ---- scatter_reduce: folds written in scatter, gather and elementwise ops where they need a gradient

// out holds the largest or smallest; x and src get their shares of its gradient.
struct ScatterExtremeBackward final : NodeOf<2> {
  int64_t dim;
  Shape src_sizes;
  SavedTensor index, self_won, won;
  ScatterExtremeBackward(const Tensor& x, const Tensor& src, int64_t d, const Tensor& i, const Tensor& s, const Tensor& w)
      : NodeOf(x, src), dim(d), src_sizes(src.sizes()), index(i), self_won(s), won(w) {}
  const char* name() const override { return "ScatterReduceBackward0"; }
  void backward(Tensor g, Tensor* dx) override {
    if (needs(1)) dx[1] = padded_to(mul(gather(g, dim, index.unpack(*this)), won.unpack(*this)), src_sizes);
    if (needs(0)) dx[0] = mul(g, self_won.unpack(*this));
  }
  void free_saved() override { index.reset(), self_won.reset(), won.reset(); }
};
// out holds products: each factor's share is the product of the others. `product` leaves zeros out, so that is product / factor,
// or nothing where another factor is zero. Second derivatives hold where there are no zeros.
struct ScatterProductBackward final : NodeOf<2> {
  int64_t dim;
  SavedTensor x, src, index;
  ScatterProductBackward(const Tensor& a, const Tensor& b, int64_t d, const Tensor& i) : NodeOf(a, b), dim(d), x(a), src(b), index(i) {}
  const char* name() const override { return "ScatterReduceBackward0"; }
  void backward(Tensor g, Tensor* dx) override {
    const Tensor a = x.unpack(*this), whole = src.unpack(*this), at = index.unpack(*this), b = trimmed(whole, at), zero(0.0), one(1.0);
    const Tensor a_zero = to(eq(a, zero), a.dtype()), b_zero = to(eq(b, zero), a.dtype()), zeros = scatter_add(a_zero, dim, at, b_zero);
    const Tensor a_safe = where(eq(a, zero), one, a), b_safe = where(eq(b, zero), one, b);
    const Tensor share = g * scatter_reduce(a_safe, dim, at, b_safe, "prod");
    if (needs(0)) dx[0] = share / a_safe * to(eq(zeros, a_zero), a.dtype());
    if (needs(1)) dx[1] = padded_to(gather(share, dim, at) / b_safe * to(eq(gather(zeros, dim, at), b_zero), a.dtype()), whole.sizes());
  }
  void free_saved() override { x.reset(), src.reset(), index.reset(); }
};
static Tensor scatter_folded(const Tensor& x, int64_t d, const Tensor& index, const Tensor& src, std::string_view reduce, bool include_self) {
  const Tensor start = include_self ? x : scatter(x, d, index, reduce == "prod" ? Scalar(1) : Scalar(0));
  if (reduce == "sum") return scatter_add(start, d, index, src);
  if (reduce == "mean") {
    const Tensor ones = ones_like(src, x.dtype());
    Tensor count = scatter_add(include_self ? ones_like(x) : zeros_like(x), d, index, ones);
    count = masked_fill(count, eq(count, Tensor(Scalar(0))), Scalar(1));
    const Tensor total = scatter_add(start, d, index, src);
    return is_differentiable(x.dtype()) ? div(total, count) : floor_divide(total, count);
  }
  const Scatter what = reduce == "amax" ? Scatter::Max : reduce == "amin" ? Scatter::Min : Scatter::Multiply;
  Tensor out;
  {
    NoGrad guard;
    out = clone(start, MemoryFormat::Contiguous);
    if (what != Scatter::Multiply && !include_self) scatter_into(out, d, index, src, Scatter::Set, true);
    scatter_into<true>(out, d, index, src, what, true);
  }
  if (!recording(x, src)) return out;
  if (what == Scatter::Multiply) {
    record<ScatterProductBackward>(out, start, src, d, index);
    return out;
  }
  Tensor won, self_won;
  {
    NoGrad guard;  // ties share equally
    won = to(eq(trimmed(src, index), gather(out, d, index)), x.dtype());
    self_won = to(eq(x, out), x.dtype());
    const Tensor count = scatter_add(self_won, d, index, won);  // an x that is left out and yet equal counts too, as in PyTorch
    if (!include_self) self_won = scatter(self_won, d, index, Scalar(0));
    won = div(won, gather(count, d, index));
    self_won = div(self_won, masked_fill(count, eq(count, Tensor(Scalar(0))), Scalar(1)));
  }
  record<ScatterExtremeBackward>(out, x, src, d, index, self_won, won);
  return out;
}
Tensor scatter_reduce(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src, std::string_view reduce, bool include_self) {
  OpScope op("scatter_reduce");
  const int64_t d = wrap_dim(dim, x.dim(), x);
  TG_CHECK(reduce == "sum" || reduce == "prod" || reduce == "mean" || reduce == "amax" || reduce == "amin", ValueError, "reduce must be 'sum', 'prod', 'mean', 'amax' or 'amin', got '", reduce, "'");
  check_shapes(x, d, index, &src);
  check_src(x, src);
  return scatter_folded(x, d, index, src, reduce, include_self);
}
const Tensor& scatter_reduce_(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src, std::string_view reduce, bool include_self) {
  OpScope op("scatter_reduce_");
  return copy_(self, scatter_reduce(clone(self), dim, index, src, reduce, include_self));
}
// scatter(…, reduce="add" or "multiply")
static Tensor scatter_with(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src, std::string_view reduce) {
  OpScope op("scatter");
  TG_CHECK(reduce == "add" || reduce == "multiply", ValueError, "reduce must be 'add' or 'multiply', got '", reduce, "'");
  return scatter_reduce(x, dim, index, src.dim() == 0 && index.dim() ? expand(to(src, x.device(), x.dtype()), index.sizes()) : src, reduce == "add" ? "sum" : "prod");
}
static const Tensor& scatter_with_(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src, std::string_view reduce) {
  OpScope op("scatter_");
  return copy_(self, scatter_with(clone(self), dim, index, src, reduce));
}

void gather_ops(OpTable& t) {
  t.add("gather(Tensor input, int dim, Tensor index)", &gather, "out[i][j] = input[i][index[i][j]] for dim = 1, and so on; the shape of index.")
      .method().with_out().complex().samples({"T(3, 4), 1, I(3, 2, hi=4)", "T(3, 4), 0, I(5, 4, hi=3)", "T(3, 4), -1, I(2, 3, hi=4)", "T(3), 0, I(0)", "T(), 0, C(0)[0]"});
  t.add("take_along_dim(Tensor input, Tensor indices, int? dim=None)", &take_along_dim, "gather with broadcasting; over the flattened input without dim.")
      .method().complex().with_out().samples({"T(3, 4), I(3, 1, hi=4), 1", "T(3, 1), I(1, 4, hi=3), 0", "T(3, 4), I(5, hi=12)"});
  t.add("scatter(Tensor input, int dim, Tensor index, Tensor src)", static_cast<Tensor (*)(const Tensor&, int64_t, const Tensor&, const Tensor&)>(&scatter),
        "A copy of input with out[i][index[i][j]] = src[i][j] for dim = 1, and so on; the last of equal indices wins.")
      .method().inplace(static_cast<const Tensor& (*)(const Tensor&, int64_t, const Tensor&, const Tensor&)>(&scatter_)).complex().with_out().samples({"T(3, 4), 0, C([[0, 1, 2, 0]]), T(1, 4)", "T(3), 0, C(2, 0), T(2)"});
  t.add("scatter(Tensor input, int dim, Tensor index, Scalar value)", static_cast<Tensor (*)(const Tensor&, int64_t, const Tensor&, Scalar)>(&scatter),
        "The same with one number for all.").method().inplace(static_cast<const Tensor& (*)(const Tensor&, int64_t, const Tensor&, Scalar)>(&scatter_)).complex().with_out().samples({"T(3, 4), 1, I(3, 2, hi=4), 1.5"});
  t.add("scatter(Tensor input, int dim, Tensor index, Tensor|Number src, *, str reduce)", &scatter_with, "The same with reduce=\"add\" or \"multiply\" on what is there.").method().inplace(&scatter_with_)
      .complex().with_out().samples({"T(3, 4), 0, C([[0, 1, 2, 0]]), T(1, 4), reduce='add'", "T(3, 4, grad=False), 1, I(3, 2, hi=4), 2., reduce='multiply'"});
  t.add("scatter_add(Tensor input, int dim, Tensor index, Tensor src)", &scatter_add, "A copy of input with out[i][index[i][j]] += src[i][j] for dim = 1, in index order.")
      .method().inplace(&scatter_add_).complex().with_out().samples({"T(3, 4), 0, I(5, 4, hi=3), T(5, 4)", "T(3, 4), -1, I(2, 3, hi=4), T(2, 3)", "T(3), 0, C(1, 1, 1), T(3)"});
  t.add("scatter_reduce(Tensor input, int dim, Tensor index, Tensor src, str reduce, *, bool include_self=True)", &scatter_reduce,
        "src folded into input at the indices along dim: \"sum\", \"prod\", \"mean\", \"amax\" or \"amin\".")
      .method().inplace(&scatter_reduce_).with_out().samples({"T(3, 4), 0, I(5, 4, hi=3), T(5, 4), 'sum'", "T(3), 0, C(1, 1, 0), T(3), 'mean'", "T(3), 0, C(1, 1, 0), T(3), 'amax'", "T(3), 0, C(1, 1, 0), T(3), 'amin', include_self=False",
        "T(3, 4), 0, I(2, 3, hi=3), T(5, 4), 'prod'", "T(3), 0, C(1, 1, 0), T(3), 'prod', include_self=False", "C(2.0, 3.0, 0.0), 0, C(1, 1, 0, 2), C(0.0, 4.0, 0.0, 5.0), 'prod'"});
}

}  // namespace tapegrad
