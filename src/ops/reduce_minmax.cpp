// Largest and smallest elements and where they are. NaN is larger and smaller than everything; of equals the first wins.
#include <algorithm>

#include "src/ops/cuda/launch_reduce.h"
#include "src/ops/op_info.h"
#include "src/ops/reduce.h"
#include "src/ops/rows.h"
#include "src/tensor/half.h"
#include "src/tensor/parallel.h"

namespace tapegrad {

// ---- values

static void refuse_empty(const Tensor& x, uint32_t dims) {
  for (int64_t d = 0; d < x.dim(); d++)
    TG_CHECK(!(dims >> d & 1) || x->sizes[d] != 0, IndexError, "dimension ", d, " must have at least one element", Named{"input", x});
}
static Tensor extreme(FoldKind kind, const Tensor& x, uint32_t dims, bool keepdim) {
  refuse_empty(x, dims);
  return fold(kind, x, dims, keepdim, x.dtype());
}
// The gradient is shared evenly among equals.
struct ExtremeBackward final : NodeOf<1> {
  SavedTensor x, y;
  const char* title;
  uint32_t dims;
  bool keepdim;
  ExtremeBackward(const Tensor& t, const char* n, uint32_t d, bool k) : NodeOf(t), x(t), title(n), dims(d), keepdim(k) {}
  const char* name() const override { return title; }
  void free_saved() override { x.reset(), y.reset(); }
  void backward(Tensor g, Tensor* dx) override {
    if (!needs(0)) return;
    const Tensor in = x.unpack(*this), out = y.unpack(*this);
    const Shape shape = reduced_shape(in.sizes(), dims, true);
    const Tensor best = reshape(detach(out), shape), value = detach(in);
    const Tensor hit = to(logical_or(value == best, logical_and(isnan(value), isnan(best))), in.dtype());
    dx[0] = hit * (reshape(g, shape) / sum_over(hit, dims, true));
  }
};
static Tensor recorded_extreme(FoldKind kind, const char* node, const Tensor& x, uint32_t dims, bool keepdim) {
  Tensor out = extreme(kind, x, dims, keepdim);
  if (recording(x)) record<ExtremeBackward>(out, x, node, dims, keepdim)->y = SavedTensor(out, SavedTensor::output);
  return out;
}
Tensor amax(const Tensor& x, IntList dim, bool keepdim) {
  OpScope op("amax");
  return recorded_extreme(kMax, "AmaxBackward0", x, reduced_dims(x, dim), keepdim);
}
Tensor amin(const Tensor& x, IntList dim, bool keepdim) {
  OpScope op("amin");
  return recorded_extreme(kMin, "AminBackward0", x, reduced_dims(x, dim), keepdim);
}
Tensor max(const Tensor& x) {
  OpScope op("max");
  return recorded_extreme(kMax, "MaxBackward1", x, reduced_dims(x, {}), false);
}
Tensor min(const Tensor& x) {
  OpScope op("min");
  return recorded_extreme(kMin, "MinBackward1", x, reduced_dims(x, {}), false);
}
std::tuple<Tensor, Tensor> aminmax(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  OpScope op("aminmax");
  const uint32_t dims = dim ? reduced_dims(x, *dim) : reduced_dims(x, {});
  return {recorded_extreme(kMin, "AminBackward0", x, dims, keepdim), recorded_extreme(kMax, "AmaxBackward0", x, dims, keepdim)};
}

// ---- places

namespace {

struct Half { uint16_t v; operator float() const { return half_to_float(v); } };
struct Brain { uint16_t v; operator float() const { return bfloat_to_float(v); } };
template <class T> auto number(T v) { return v; }
inline float number(Half v) { return v; }
inline float number(Brain v) { return v; }

// index[o] = first i with x[o, i] == best[o], or NaN where best is NaN. x has `outer` dims and the searched one.
template <class T> void find(const Tensor& x, int64_t dim, const Tensor& best, int64_t* index) {
  const T* base = x->host<const T>();
  const T* wanted = best->host<const T>();
  const int64_t n = x->sizes[dim], step = x->strides[dim], results = best.numel();
  parallel_for(results, std::max<int64_t>(64, (1 << 15) / std::max<int64_t>(1, n)), [=, &x](int64_t begin, int64_t end) {
    auto place = [&](int64_t o) {
      int64_t at = 0;
      for (int64_t d = x.dim() - 1; d >= 0; d--)
        if (d != dim) at += o % x->sizes[d] * x->strides[d], o /= x->sizes[d];
      return at;
    };
    constexpr int64_t kBlock = 64;  // neighbours searched together, so that memory is read along its rows
    for (int64_t o = begin; o < end; o += kBlock) {
      const int64_t m = std::min(kBlock, end - o);
      int64_t at[kBlock];
      for (int64_t k = 0; k < m; k++) at[k] = place(o + k);
      if (step <= 1 || m == 1) {
        for (int64_t k = 0; k < m; k++) {
          const auto v = number(wanted[o + k]);
          const T* p = base + at[k];
          int64_t i = 0;
          if (v == v) while (i < n - 1 && number(p[i * step]) != v) i++;
          else while (i < n - 1 && number(p[i * step]) == number(p[i * step])) i++;
          index[o + k] = i;
        }
        continue;
      }
      int64_t left = m;
      std::fill(index + o, index + o + m, int64_t(-1));
      for (int64_t i = 0; i < n && left; i++)
        for (int64_t k = 0; k < m; k++) {
          if (index[o + k] >= 0) continue;
          const auto v = number(wanted[o + k]), u = number(base[at[k] + i * step]);
          if (u == v || (v != v && u != u)) index[o + k] = i, left--;
        }
    }
  });
}
void find_any(const Tensor& x, int64_t dim, const Tensor& best, const Tensor& index) {
  int64_t* out = index->host<int64_t>();
  LongKernel unlocked(x.numel());
  switch (x.dtype()) {
    case Dtype::Bool: case Dtype::UInt8: return find<uint8_t>(x, dim, best, out);
    case Dtype::Int8: return find<int8_t>(x, dim, best, out);
    case Dtype::Int16: return find<int16_t>(x, dim, best, out);
    case Dtype::Int32: return find<int32_t>(x, dim, best, out);
    case Dtype::Int64: return find<int64_t>(x, dim, best, out);
    case Dtype::Float16: return find<Half>(x, dim, best, out);
    case Dtype::BFloat16: return find<Brain>(x, dim, best, out);
    case Dtype::Float32: return find<float>(x, dim, best, out);
    default: return find<double>(x, dim, best, out);
  }
}
// In one pass, by a kernel: row-major tensors of the types that folds read as they are, and more than one result.
bool has_place_kernel(const Tensor& x, int64_t dim) {
  const int64_t n = x->sizes[dim];
  return fold_stored(x.dtype()) != kFoldTypes && x->contiguous && n > 0 && n < INT32_MAX && x.numel() > n;
}
ValuesIndices places(FoldKind kind, const Tensor& x, int64_t dim, bool keepdim) {
  const Shape shape = reduced_shape(x.sizes(), uint32_t(1) << dim, keepdim);
  Tensor value = empty(shape, x.dtype(), x.device()), index = empty(shape, Dtype::Int64, x.device());
  const PlaceKernel& kernel = reduce_kernels().place[kind == kMin][fold_stored(x.dtype())];
  const Split s(x, dim);
  const int64_t item = int64_t(item_size(x.dtype()));
  int64_t* at = index->host<int64_t>();
  LongKernel unlocked(x.numel());
  if (s.inner == 1) {
    parallel_for(s.outer, std::max<int64_t>(1, (1 << 15) / s.n), [&](int64_t begin, int64_t end) {
      kernel.rows(row_of(x, begin, s.n), s.n, end - begin, s.n, row_of(value, begin, 1), at + begin);
    });
    return {value, index};
  }
  // Down the columns: long ones in pieces, whose results are then searched in the same way.
  constexpr int64_t kStrip = 1024, kPiece = 1 << 17;
  const int64_t results = s.outer * s.inner, strips = (s.inner + kStrip - 1) / kStrip;
  const int64_t wanted = std::clamp<int64_t>(s.n * s.inner / kPiece, 1, std::max<int64_t>(1, s.n / 128)), rows = (s.n + wanted - 1) / wanted;
  const int64_t pieces = (s.n + rows - 1) / rows;
  Tensor best = value, place = index;
  if (pieces > 1) best = empty({pieces, results}, x.dtype(), x.device()), place = empty({pieces, results}, Dtype::Int64, x.device());
  int64_t* places = place->host<int64_t>();
  const int64_t each = rows * std::min(kStrip, s.inner);
  parallel_for(pieces * s.outer * strips, std::max<int64_t>(1, (1 << 15) / each), [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; t++) {
      const int64_t c = t % strips * kStrip, o = t / strips % s.outer, first = t / strips / s.outer * rows, r = first / rows * results + o * s.inner + c;
      kernel.cols(x->host() + ((o * s.n + first) * s.inner + c) * item, std::min(kStrip, s.inner - c), std::min(rows, s.n - first), s.inner,
                  row_of(best, r, 1), places + r);
    }
  });
  if (pieces > 1) {
    kernel.cols(best->host(), results, pieces, results, value->host(), at);
    for (int64_t r = 0; r < results; r++) at[r] = at[r] * rows + places[at[r] * results + r];
  }
  return {value, index};
}
ValuesIndices extreme_with_index(FoldKind kind, const Tensor& x, int64_t dim, bool keepdim) {
  if (!x.dim()) {
    wrap_dim(dim, x.dim(), x);
    return {fold(kind, x, 0, false, x.dtype()), zeros({}, Dtype::Int64, x.device())};
  }
  const int64_t d = wrap_dim(dim, x.dim(), x);
  if (x.is_cuda()) {
    refuse_empty(x, uint32_t(1) << d);
    const auto [value, index] = cuda_places(kind == kMin, x, d);
    const Shape shape = reduced_shape(x.sizes(), uint32_t(1) << d, keepdim);
    return {reshape(value, shape), reshape(index, shape)};
  }
  if (has_place_kernel(x, d)) return places(kind, x, d, keepdim);
  Tensor value = extreme(kind, x, uint32_t(1) << d, keepdim), index = empty(value.sizes(), Dtype::Int64, x.device());
  if (value.numel()) find_any(x, d, value, index);
  return {value, index};
}

}  // namespace

// The gradient goes to the chosen element alone.
struct ChosenBackward final : NodeOf<1> {
  SavedTensor index;
  Shape sizes;
  const char* title;
  int64_t dim;
  bool keepdim;
  ChosenBackward(const Tensor& x, const Tensor& i, const char* n, int64_t d, bool k) : NodeOf(x), index(i), sizes(x.sizes()), title(n), dim(d), keepdim(k) {}
  const char* name() const override { return title; }
  void free_saved() override { index.reset(); }
  void backward(Tensor g, Tensor* dx) override {
    if (!needs(0)) return;
    if (sizes.empty()) { dx[0] = g; return; }
    const Tensor i = index.unpack(*this);
    dx[0] = scatter_add(zeros(sizes, g.dtype(), g.device()), dim, keepdim ? i : unsqueeze(i, dim), keepdim ? g : unsqueeze(g, dim));
  }
};
static ValuesIndices recorded_choice(FoldKind kind, const char* node, const Tensor& x, int64_t dim, bool keepdim) {
  ValuesIndices r = extreme_with_index(kind, x, dim, keepdim);
  if (recording(x)) record<ChosenBackward>(r.values, x, r.indices, node, wrap_dim(dim, x.dim(), x), keepdim);
  return r;
}
ValuesIndices max(const Tensor& x, int64_t dim, bool keepdim) {
  OpScope op("max");
  return recorded_choice(kMax, "MaxBackward0", x, dim, keepdim);
}
ValuesIndices min(const Tensor& x, int64_t dim, bool keepdim) {
  OpScope op("min");
  return recorded_choice(kMin, "MinBackward0", x, dim, keepdim);
}
static Tensor place_of(FoldKind kind, const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  TG_CHECK(x.dtype() != Dtype::Bool, DtypeError, "input must not be of dtype bool", Named{"input", x});
  NoGrad off;
  if (dim) return extreme_with_index(kind, x, *dim, keepdim).indices;
  TG_CHECK(x.numel() > 0, IndexError, "input must have at least one element when dim is not given", Named{"input", x});
  const Tensor i = extreme_with_index(kind, reshape(x, -1), 0, false).indices;
  return keepdim ? reshape(i, Shape(size_t(x.dim()), 1)) : i;
}
Tensor argmax(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  OpScope op("argmax");
  return place_of(kMax, x, dim, keepdim);
}
Tensor argmin(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  OpScope op("argmin");
  return place_of(kMin, x, dim, keepdim);
}

// ---- rows

void reduce_minmax_ops(OpTable& t) {
  using All = Tensor (*)(const Tensor&);
  using Pair = Tensor (*)(const Tensor&, const Tensor&);
  using Dim = ValuesIndices (*)(const Tensor&, int64_t, bool);
  t.add("max(Tensor input)", static_cast<All>(&max), "The largest element; NaN if there is one. Equals share the gradient.")
      .method().on("any").with_out().samples({"T(2, 3)", "T()", "C(1., 3., 3.)"});
  t.add("max(Tensor input, Tensor other)", static_cast<Pair>(&maximum), "The larger of each pair, see maximum.").method().on("any").with_out().samples({"T(2, 3), T(3)", "I(3), I()"});
  t.add("max(Tensor input, int dim, bool keepdim=False)", static_cast<Dim>(&max), "Largest elements along dim and where they are; of equals the first.")
      .method().on("any").returns("values indices").with_out().samples({"T(2, 3), 1", "T(2, 3, 4), -3, True", "T(), 0", "T(0, 3), 1"});
  t.add("min(Tensor input)", static_cast<All>(&min), "The smallest element; NaN if there is one. Equals share the gradient.")
      .method().on("any").with_out().samples({"T(2, 3)", "T()", "C(1., 1., 3.)"});
  t.add("min(Tensor input, Tensor other)", static_cast<Pair>(&minimum), "The smaller of each pair, see minimum.").method().on("any").with_out().samples({"T(2, 3), T(3)", "I(3), I()"});
  t.add("min(Tensor input, int dim, bool keepdim=False)", static_cast<Dim>(&min), "Smallest elements along dim and where they are; of equals the first.")
      .method().on("any").returns("values indices").with_out().samples({"T(2, 3), 1", "T(2, 3, 4), -3, True", "T(), 0", "T(0, 3), 1"});
  t.add("argmax(Tensor input, int? dim=None, bool keepdim=False)", &argmax, "Where the largest element is, along dim or in the flattened input, as int64.")
      .method().on("any").no_grad().with_out().samples({"T(2, 3)", "T(2, 3), 1", "T(2, 3, 4), -2, True", "T(40, 3), 0"});
  t.add("argmin(Tensor input, int? dim=None, bool keepdim=False)", &argmin, "Where the smallest element is, along dim or in the flattened input, as int64.")
      .method().on("any").no_grad().with_out().samples({"T(2, 3)", "T(2, 3), 1", "T(2, 3, 4), -2, True"});
  t.add("amax(Tensor input, int[]? dim=None, bool keepdim=False)", &amax, "The largest elements over dim. Equals share the gradient.")
      .method().on("any").with_out().samples({"T(2, 3)", "T(2, 3, 4), [0, 2]", "T(2, 3), 1, True", "T()"});
  t.add("amin(Tensor input, int[]? dim=None, bool keepdim=False)", &amin, "The smallest elements over dim. Equals share the gradient.")
      .method().on("any").with_out().samples({"T(2, 3)", "T(2, 3, 4), [0, 2]", "T(2, 3), 1, True", "T()"});
  t.add("aminmax(Tensor input, *, int? dim=None, bool keepdim=False)", &aminmax, "The smallest and the largest elements along dim.")
      .method().returns("min max").with_out().samples({"T(2, 3)", "T(2, 3), dim=1, keepdim=True"});
}

}  // namespace tapegrad
