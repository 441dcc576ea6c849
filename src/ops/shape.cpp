// Joining, repeating and rearranging elements into new memory: cat, stack, repeat, flip, roll, tril, diag and their kin.
// Nothing here computes: kernels move elements by their size, whatever the dtype.
#include <algorithm>
#include <cstring>

#include "src/ops/op_info.h"
#include "src/ops/typed.h"
#include "src/ops/view.h"
#include "src/tensor/align.h"

namespace tapegrad {

// ---- cat, stack

// Writes the tensors side by side along p.dim of out; p.drop: each fills one index (stack).
static void join(const Tensor& out, TensorList tensors, Part p) {
  NoGrad guard;
  const int64_t outer = product({out->sizes, size_t(p.dim)}), item = int64_t(out.element_size());
  const int64_t out_row = outer ? out.numel() / outer * item : 0;
  LongKernel unlock(out.numel());
  int64_t at = 0;  // bytes into each row of out
  for (const Tensor& t : tensors) {
    p.length = p.drop ? 1 : t->sizes[p.dim];
    const int64_t row = outer ? t.numel() / outer * item : 0;
    if (t->contiguous && t.dtype() == out.dtype() && !out.is_cuda() && !t.is_cuda()) {
      const int64_t pieces = outer == 1 ? row : outer, grain = outer == 1 ? 1 << 18 : std::max<int64_t>(1, (1 << 18) / std::max<int64_t>(row, 1));
      parallel_for(pieces, grain, [&, at](int64_t begin, int64_t end) {
        if (outer == 1) std::memcpy(out->host() + at + begin, t->host() + begin, size_t(end - begin));
        else for (int64_t o = begin; o < end; o++) std::memcpy(out->host() + o * out_row + at, t->host() + o * row, size_t(row));
      });
    } else if (t.numel()) {
      copy_(part_of(out, p, false), t);
    }
    at += row;
    p.start += p.length;
  }
}

struct JoinBackward final : NodeOfMany {
  int64_t dim;
  bool stacked;
  std::vector<int64_t> lengths;
  std::vector<Dtype> dtypes;
  JoinBackward(TensorList in, int64_t d, bool s) : NodeOfMany(in), dim(d), stacked(s) {
    for (const Tensor& t : in) lengths.push_back(s ? 1 : t.dim() == 1 && t.numel() == 0 ? 0 : t->sizes[d]), dtypes.push_back(t.dtype());
  }
  const char* name() const override { return stacked ? "StackBackward0" : "CatBackward0"; }
  void backward(Tensor g, Tensor* dx) override {
    for (int64_t k = 0, at = 0; k < edge_count; at += lengths[size_t(k++)]) {
      if (!needs(int(k))) continue;
      const Tensor piece = stacked ? select(g, dim, at) : lengths[size_t(k)] == 0 && g.dim() > 1 ? Tensor() : narrow(g, dim, at, lengths[size_t(k)]);
      if (piece.defined()) dx[k] = to(piece, dtypes[size_t(k)]);
    }
  }
};
static Dtype common_dtype(TensorList tensors) {
  const Tensor& first = tensors[0];
  Dtype d = first.dtype();
  for (const Tensor& t : tensors) {
    TG_CHECK(t.device() == first.device(), DeviceError, "all tensors must be on one device, got ", first.device(), " and ", t.device(), Named{"tensors", first}, Named{"tensors", t});
    d = promote(d, t.dtype());
  }
  return d;
}
// Sizes or strides of (N, C, H, W) as those of (N, H, W, C), and back.
static Shape channels_behind(IntList v) {
  Shape r(v);
  std::rotate(r.begin() + 1, r.begin() + 2, r.end());
  return r;
}
static Shape channels_in_front(IntList v) {
  Shape r(v);
  std::rotate(r.begin() + 1, r.end() - 1, r.end());
  return r;
}
static bool channels_last(const Tensor& x) {
  return !x->contiguous && (x.dim() == 4 || x.dim() == 5) && x.is_contiguous(x.dim() == 4 ? MemoryFormat::ChannelsLast : MemoryFormat::ChannelsLast3d);
}
Tensor cat(TensorList tensors, int64_t dim) {
  OpScope op("cat");
  TG_CHECK(!tensors.empty(), ValueError, "expected a non-empty list of tensors");
  // Tensors of shape [0] are skipped whatever the others' shapes, as in PyTorch.
  const Tensor* first = nullptr;
  std::vector<Tensor> kept;
  for (const Tensor& t : tensors) {
    TG_CHECK(t.dim() > 0, ShapeError, "zero-dimensional tensors cannot be concatenated, see stack", Named{"tensors", t});
    if (t.dim() == 1 && t.numel() == 0) continue;
    if (!first) first = &t;
    kept.push_back(t);
  }
  if (!first) first = &tensors[0];
  const int64_t d = wrap_dim(dim, first->dim(), *first);
  Shape size(first->sizes());
  size[size_t(d)] = 0;
  for (const Tensor& t : kept) {
    bool fits = t.dim() == first->dim();
    for (int64_t k = 0; fits && k < t.dim(); k++) fits = k == d || t->sizes[k] == size[size_t(k)];
    TG_CHECK(fits, ShapeError, "sizes must match except in dimension ", d, ", got ", first->sizes(), " and ", t.sizes(), Named{"tensors", *first}, Named{"tensors", t},
             aligned_at_start({{"first", first->sizes()}, {"other", t.sizes()}}, int(d)));
    size[size_t(d)] += t->sizes[d];
  }
  Tensor out;
  if (!kept.empty() && std::all_of(kept.begin(), kept.end(), channels_last)) {  // joined as they lie: channels last
    for (Tensor& t : kept) t = alias(t, channels_behind(t.sizes()), channels_behind(t.strides()), 0, false);
    const Shape behind = channels_behind(size);
    const Tensor whole = empty(behind, common_dtype(tensors), first->device());
    join(whole, kept, {behind, d == 0 ? 0 : d == 1 ? first->dim() - 1 : d - 1, 0, 1, 0, false});
    out = alias(whole, size, channels_in_front(whole.strides()), 0, false);
  } else {
    out = empty(size, common_dtype(tensors), first->device());
    join(out, kept, {size, d, 0, 1, 0, false});
  }
  if (recording(tensors)) record<JoinBackward>(out, tensors, d, false);
  return out;
}
Tensor stack(TensorList tensors, int64_t dim) {
  OpScope op("stack");
  TG_CHECK(!tensors.empty(), ValueError, "expected a non-empty list of tensors");
  const Tensor& first = tensors[0];
  const int64_t d = wrap_dim(dim, first.dim() + 1, first);
  for (const Tensor& t : tensors)
    TG_CHECK(t.sizes() == first.sizes(), ShapeError, "all tensors must have the same shape, got ", first.sizes(), " and ", t.sizes(), Named{"tensors", first}, Named{"tensors", t},
             aligned_at_start({{"first", first.sizes()}, {"other", t.sizes()}}));
  Shape size(first.sizes());
  size.insert(size_t(d), int64_t(tensors.size()));
  Tensor out = empty(size, common_dtype(tensors), first.device());
  join(out, tensors, {size, d, 0, 1, 1, true});
  if (recording(tensors)) record<JoinBackward>(out, tensors, d, true);
  return out;
}

Tensor atleast_1d(const Tensor& x) { return x.dim() >= 1 ? x : reshape(x, {1}); }
Tensor atleast_2d(const Tensor& x) { return x.dim() >= 2 ? x : unsqueeze(atleast_1d(x), 0); }
Tensor atleast_3d(const Tensor& x) { return x.dim() >= 3 ? x : unsqueeze(atleast_2d(x), -1); }
static std::vector<Tensor> each(TensorList tensors, Tensor (*f)(const Tensor&)) {
  std::vector<Tensor> out;
  for (const Tensor& t : tensors) out.push_back(f(t));
  return out;
}
Tensor hstack(TensorList tensors) {
  OpScope op("hstack");
  const std::vector<Tensor> t = each(tensors, atleast_1d);
  return cat(t, t.empty() || t[0].dim() == 1 ? 0 : 1);
}
Tensor vstack(TensorList tensors) {
  OpScope op("vstack");
  return cat(each(tensors, atleast_2d), 0);
}
Tensor dstack(TensorList tensors) {
  OpScope op("dstack");
  return cat(each(tensors, atleast_3d), 2);
}
Tensor column_stack(TensorList tensors) {
  OpScope op("column_stack");
  return cat(each(tensors, [](const Tensor& t) { return t.dim() > 1 ? t : reshape(t, {t.numel(), 1}); }), 1);
}

// ---- repeat

// Dimensions of size s repeated r times become (r, s): `split` is that shape, `repeats` lists the r ones.
static void split_repeats(IntList size, IntList repeats, Shape& split, Shape& places) {
  split = {}, places = {};
  const size_t lead = repeats.size() - size.size();
  for (size_t d = 0; d < repeats.size(); d++) {
    const int64_t s = d < lead ? 1 : size[d - lead];
    if (repeats[d] != 1) places.push_back(int64_t(split.size())), split.push_back(repeats[d]);
    split.push_back(s);
  }
}
struct RepeatBackward final : NodeOf<1> {
  Shape sizes, repeats;
  RepeatBackward(const Tensor& x, IntList r) : NodeOf(x), sizes(x.sizes()), repeats(r) {}
  const char* name() const override { return "RepeatBackward0"; }
  void backward(Tensor g, Tensor* dx) override {
    Shape split, places;
    split_repeats(sizes, repeats, split, places);
    const Tensor wide = reshape(g, split);
    dx[0] = reshape(places.empty() ? wide : sum(wide, places), sizes);
  }
};
/// The size of what is repeated.
static int64_t repeated_size(int64_t size, int64_t repeats) {
  int64_t all;
  TG_CHECK(!__builtin_mul_overflow(size, repeats, &all), OutOfMemoryError, "too many elements: ", size, " times ", repeats);
  return all;
}
Tensor repeat(const Tensor& x, IntList repeats) {
  OpScope op("repeat");
  TG_CHECK(repeats.size() >= size_t(x.dim()), ShapeError, "repeats must have at least the ", x.dim(), " dimensions of input, got ", repeats, Named{"input", x});
  for (int64_t r : repeats) TG_CHECK(r >= 0, ValueError, "repeats must not be negative, got ", repeats);
  Shape split, places, size(repeats), strides;
  split_repeats(x.sizes(), repeats, split, places);
  const size_t lead = repeats.size() - size_t(x.dim());
  for (size_t d = 0; d < repeats.size(); d++) {
    if (d >= lead) size[d] = repeated_size(x->sizes[d - lead], size[d]);
    if (repeats[d] != 1) strides.push_back(0);
    strides.push_back(d < lead ? 0 : x->strides[d - lead]);
  }
  Tensor out = empty(size, x.dtype(), x.device());
  {
    NoGrad guard;
    copy_(alias(out, split, row_major_strides(split), 0, false), alias(x, split, strides, 0, false));
  }
  if (recording(x)) record<RepeatBackward>(out, x, repeats);
  return out;
}
Tensor tile(const Tensor& x, IntList dims) {
  OpScope op("tile");
  Shape repeats(dims);
  while (repeats.size() < size_t(x.dim())) repeats.insert(0, 1);
  return repeat(x, repeats);
}
Tensor repeat_interleave(const Tensor& x, int64_t repeats, std::optional<int64_t> dim) {
  OpScope op("repeat_interleave");
  TG_CHECK(repeats >= 0, ValueError, "repeats must not be negative, got ", repeats);
  const Tensor flat = dim ? atleast_1d(x) : reshape(x, {-1});
  const int64_t d = wrap_dim(dim.value_or(0), x.dim(), x);
  Shape wide(flat.sizes()), size(flat.sizes());
  wide.insert(size_t(d) + 1, repeats);
  size[size_t(d)] = repeated_size(size[size_t(d)], repeats);
  return reshape(expand(unsqueeze(flat, d + 1), wide), size);
}
static void check_output_size(int64_t size, std::optional<int64_t> output_size) {
  TG_CHECK(!output_size || *output_size == size, ValueError, "output_size must be the sum of repeats, ", size, ", got ", *output_size);
}
Tensor repeat_interleave(const Tensor& repeats, std::optional<int64_t> output_size) {
  OpScope op("repeat_interleave");
  TG_CHECK(repeats.dim() <= 1 && is_integral(repeats.dtype()), DtypeError, "repeats must be an integer tensor of one dimension", Named{"repeats", repeats});
  const Tensor counts = contiguous(to(repeats, Device(), Dtype::Int64));
  int64_t total = 0;
  for (int64_t k = 0; k < counts.numel(); k++) {
    const int64_t c = counts->host<int64_t>()[k];
    TG_CHECK(c >= 0, ValueError, "repeats must not be negative, got ", c, " at ", k);
    TG_CHECK(!__builtin_add_overflow(total, c, &total), OutOfMemoryError, "too many elements: repeats add up to more than 2^63");
  }
  check_output_size(total, output_size);
  Tensor out = empty({total}, Dtype::Int64);
  int64_t* p = out->host<int64_t>();
  for (int64_t k = 0; k < counts.numel(); k++) p = std::fill_n(p, counts->host<int64_t>()[k], k);
  return to(out, repeats.device());
}
Tensor repeat_interleave(const Tensor& x, const Tensor& repeats, std::optional<int64_t> dim) {
  OpScope op("repeat_interleave");
  const Tensor flat = dim ? atleast_1d(x) : reshape(x, {-1});
  const int64_t d = wrap_dim(dim.value_or(0), flat.dim(), x), n = flat->sizes[d];
  TG_CHECK(repeats.numel() == 1 || (repeats.dim() == 1 && repeats.numel() == n), ShapeError, "repeats must have one entry for each of the ", n, " along dim, got ", repeats.sizes(), Named{"input", x}, Named{"repeats", repeats});
  return index_select(flat, d, repeat_interleave(repeats.numel() == n ? atleast_1d(repeats) : expand(reshape(repeats, {1}), {n})));
}

// ---- flip, roll, rot90

struct FlipBackward final : NodeOf<1> {
  Shape dims;
  FlipBackward(const Tensor& x, IntList d) : NodeOf(x), dims(d) {}
  const char* name() const override { return "FlipBackward0"; }
  void backward(Tensor g, Tensor* dx) override { dx[0] = flip(g, dims); }
};
Tensor flip(const Tensor& x, IntList dims) {
  OpScope op("flip");
  uint32_t mask = 0;
  for (int64_t given : dims) {
    const int64_t d = wrap_dim(given, x.dim(), x);
    TG_CHECK(!(mask >> d & 1), ShapeError, "dimension ", d, " appears several times in dims, got ", dims, Named{"input", x});
    mask |= uint32_t(1) << d;
  }
  if (x.is_cuda()) {
    Tensor y = x;
    for (int64_t d = 0; d < x.dim(); d++)
      if (mask >> d & 1 && x.numel()) y = index_select(y, d, arange(x->sizes[d] - 1, -1, -1, int64, x.device()));
    return y.is_same(x) ? clone(x) : y;
  }
  Tensor out = empty(x.sizes(), x.dtype(), x.device());
  const int last = int(x.dim()) - 1;
  if (out.numel()) {
    // x is read backwards along the flipped dimensions: from their last index, with negated strides.
    Walk<1> rows;
    int64_t start = 0;
    for (int d = 0; d <= last; d++) {
      const bool flipped = mask >> d & 1;
      if (flipped) start += (x->sizes[d] - 1) * x->strides[d];
      if (d < last) rows.add(x->sizes[d], flipped ? -x->strides[d] : x->strides[d]);
    }
    const int64_t n = last < 0 ? 1 : x->sizes[last], step = last < 0 ? 1 : (mask >> last & 1) ? -x->strides[last] : x->strides[last];
    LongKernel unlock(out.numel());
    by_size(x.element_size(), [&](auto zero) {
      using T = decltype(zero);
      const T* from = x->host<const T>() + start;
      T* to = out->host<T>();
      parallel_for(rows.count, grain_for(n), [&](int64_t begin, int64_t end) {
        T* o = to + begin * n;
        rows(begin, end, [&](const int64_t (&at)[1]) {
          const T* p = from + at[0];
          if (step == 1) std::copy_n(p, n, o);
          else for (int64_t i = 0; i < n; i++) o[i] = p[i * step];
          o += n;
        });
      });
    });
  }
  if (recording(x)) record<FlipBackward>(out, x, dims);
  return out;
}
Tensor fliplr(const Tensor& x) {
  OpScope op("fliplr");
  TG_CHECK(x.dim() >= 2, ShapeError, "input must have at least 2 dimensions, got ", x.dim(), Named{"input", x});
  return flip(x, {1});
}
Tensor flipud(const Tensor& x) {
  OpScope op("flipud");
  TG_CHECK(x.dim() >= 1, ShapeError, "input must have at least 1 dimension, got 0", Named{"input", x});
  return flip(x, {0});
}
struct RollBackward final : NodeOf<1> {
  Shape shifts, dims;
  RollBackward(const Tensor& x, IntList s, IntList d) : NodeOf(x), shifts(s), dims(d) {}
  const char* name() const override { return "RollBackward0"; }
  void backward(Tensor g, Tensor* dx) override {
    Shape back(shifts);
    for (int64_t& s : back) s = -s;
    dx[0] = roll(g, back, dims);
  }
};
Tensor roll(const Tensor& x, IntList shifts, IntList dims) {
  OpScope op("roll");
  TG_CHECK(!shifts.empty(), ValueError, "shifts must not be empty");
  if (dims.empty()) {
    TG_CHECK(shifts.size() == 1, ValueError, "shifts and dims must have the same length, got ", shifts, " and ", dims);
    if (x.dim() != 1) return reshape(roll(reshape(x, {-1}), shifts, {0}), x.sizes());
    return roll(x, shifts, {0});
  }
  TG_CHECK(shifts.size() == dims.size(), ValueError, "shifts and dims must have the same length, got ", shifts, " and ", dims);
  Tensor out;
  {
    NoGrad guard;
    out = detach(x);
    for (size_t k = 0; k < dims.size(); k++) {
      const int64_t d = wrap_dim(dims[k], x.dim(), x), n = size_of(x, d);
      if (x.dim() == 0 || n == 0) continue;
      const int64_t cut = ((n - shifts[k]) % n + n) % n;
      out = cat({narrow(out, d, cut, n - cut), narrow(out, d, 0, cut)}, d);
    }
    if (out->storage == x->storage) out = clone(out);
  }
  if (recording(x)) record<RollBackward>(out, x, shifts, dims);
  return out;
}
Tensor rot90(const Tensor& x, int64_t k, IntList dims) {
  OpScope op("rot90");
  TG_CHECK(dims.size() == 2, ValueError, "dims must be two dimensions, got ", dims);
  TG_CHECK(x.dim() >= 2, ShapeError, "input must have at least 2 dimensions, got ", x.dim(), Named{"input", x});
  const int64_t a = wrap_dim(dims[0], x.dim(), x), b = wrap_dim(dims[1], x.dim(), x);
  TG_CHECK(a != b, ValueError, "dims must differ, got ", dims);
  switch (k & 3) {
    case 1: return transpose(flip(x, {b}), a, b);
    case 2: return flip(x, {a, b});
    case 3: return transpose(flip(x, {a}), a, b);
    default: return clone(x, MemoryFormat::Contiguous);
  }
}

static Tensor interleaved_scalar(const Tensor& x, int64_t repeats, std::optional<int64_t> dim, std::optional<int64_t> output_size) {
  OpScope op("repeat_interleave");
  const Tensor out = repeat_interleave(x, repeats, dim);
  check_output_size(out.size(dim.value_or(0)), output_size);
  return out;
}
static Tensor interleaved(const Tensor& x, const Tensor& repeats, std::optional<int64_t> dim, std::optional<int64_t> output_size) {
  OpScope op("repeat_interleave");
  const Tensor out = repeat_interleave(x, repeats, dim);
  check_output_size(out.size(dim.value_or(0)), output_size);
  return out;
}
template <auto F> static std::vector<Tensor> for_each(TensorList tensors) { return each(tensors, F); }

void shape_ops(OpTable& t) {
  t.add("cat(Tensor[] tensors, int dim=0)", &cat, "The tensors side by side along dim; their other sizes must agree. dtypes promote.")
      .with_out().alias("concat").alias("concatenate").complex().samples({"[T(2, 3), T(1, 3)]", "[T(2, 3), T(2, 1), T(2, 0)], -1", "[T(0), T(2, 3)], 1", "[T(3, 2).t(), T(2, 4)], 1"});
  t.add("stack(Tensor[] tensors, int dim=0)", &stack, "Tensors of one shape along a new dimension.").with_out().complex().samples({"[T(2, 3), T(2, 3)]", "[T(2), T(2)], -1", "[T(), T(), T()]", "[T(0, 2)], 1"});
  t.add("hstack(Tensor[] tensors)", &hstack, "cat along dimension 1, or 0 for vectors.").complex().with_out().samples({"[T(2), T(3)]", "[T(2, 1), T(2, 3)]", "[T(), T()]"});
  t.add("vstack(Tensor[] tensors)", &vstack, "cat along dimension 0; vectors become rows.").alias("row_stack").complex().with_out().samples({"[T(3), T(3)]", "[T(2, 3), T(1, 3)]"});
  t.add("dstack(Tensor[] tensors)", &dstack, "cat along dimension 2.").complex().with_out().samples({"[T(3), T(3)]", "[T(2, 3), T(2, 3)]"});
  t.add("column_stack(Tensor[] tensors)", &column_stack, "cat along dimension 1; vectors become columns.").complex().with_out().samples({"[T(3), T(3, 2)]"});
  t.add("atleast_1d(Tensor input)", &atleast_1d, "input with at least one dimension.").complex().samples({"T()", "T(2, 3)"});
  t.add("atleast_1d(Tensor[] tensors)", &for_each<atleast_1d>, "Each with at least one dimension.").complex().samples({"[T(), T(2)]"});
  t.add("atleast_2d(Tensor input)", &atleast_2d, "input with at least two dimensions.").complex().samples({"T()", "T(3)", "T(2, 3)"});
  t.add("atleast_2d(Tensor[] tensors)", &for_each<atleast_2d>, "Each with at least two dimensions.").complex().samples({"[T(), T(2)]"});
  t.add("atleast_3d(Tensor input)", &atleast_3d, "input with at least three dimensions.").complex().samples({"T()", "T(3)", "T(2, 3)"});
  t.add("atleast_3d(Tensor[] tensors)", &for_each<atleast_3d>, "Each with at least three dimensions.").complex().samples({"[T(), T(2)]"});
  t.add("repeat(Tensor input, int[] repeats)", &repeat, "A copy with each dimension repeated that many times; extra repeats add leading dimensions.")
      .method_only().complex().samples({"T(2, 3), [2, 1]", "T(3), [2, 2, 2]", "T(), [3]", "T(2, 3), [0, 2]"});
  t.add("tile(Tensor input, int[] dims)", &tile, "repeat; missing leading repeats are 1.").method().complex().samples({"T(2, 3), [2]", "T(3), [2, 2]"});
  t.add("repeat_interleave(Tensor input, int repeats, int? dim=None, *, int? output_size=None)", &interleaved_scalar,
        "Each element, or each index along dim, repeated in place.").method().complex().samples({"T(2, 3), 2", "T(2, 3), 2, 0", "T(2, 3), 0, -1", "T(), 3"});
  t.add("repeat_interleave(Tensor input, Tensor repeats, int? dim=None, *, int? output_size=None)", &interleaved,
        "Index k along dim repeated repeats[k] times.").method().complex().samples({"T(2, 3), C(1, 2), 0", "T(2, 3), C(0, 2, 1), 1, output_size=3", "T(3), C(2)"});
  t.add("repeat_interleave(Tensor repeats, *, int? output_size=None)", static_cast<Tensor (*)(const Tensor&, std::optional<int64_t>)>(&repeat_interleave),
        "k repeated repeats[k] times, for all k.").no_grad().samples({"C(1, 0, 3)"});
  t.add("flip(Tensor input, int[] dims)", &flip, "A copy with the order along dims reversed.").method().complex().samples({"T(2, 3), [0]", "T(2, 3, 4), [0, -1]", "T(), []", "T(0, 3), [1]", "T(2, 3).t(), [0]"});
  t.add("fliplr(Tensor input)", &fliplr, "flip along dimension 1.").method().complex().samples({"T(2, 3)"});
  t.add("flipud(Tensor input)", &flipud, "flip along dimension 0.").method().complex().samples({"T(2, 3)", "T(3)"});
  t.add("roll(Tensor input, int[] shifts, int[] dims=[])", &roll, "Elements moved on by shifts along dims, round the end; without dims over the flattened input.")
      .method().complex().samples({"T(2, 3), 1", "T(2, 3), -1, 1", "T(3, 4), [1, 2], [0, -1]", "T(0, 3), 1, 0"});
  t.add("rot90(Tensor input, int k=1, int[] dims=[0, 1])", &rot90, "Turned by k quarters from the first towards the second of dims.")
      .method().complex().samples({"T(2, 3)", "T(2, 3), 2", "T(2, 3, 4), -1, [1, 2]", "T(2, 3), 0"});
}

}  // namespace tapegrad
